#include "cli/options.h"

#include "cli/cli.h"
#include "cli/own_program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int command_usage_error(const char *command, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cli_message(command, "%s", text);
    fprintf(stderr, "Try 'rescoldo%s%s --help'.\n", command == NULL ? "" : " ",
            command == NULL ? "" : command);
    return EXIT_USAGE;
}

#define LONGEST_NAME 31u

/* Levenshtein distance, one row at a time; names longer than LONGEST_NAME are taken as far away. */
static size_t edit_distance(const char *a, const char *b) {
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > LONGEST_NAME || b_length > LONGEST_NAME)
        return SIZE_MAX;
    size_t row[LONGEST_NAME + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            size_t shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < shift ? replace : shift;
        }
    }
    return row[b_length];
}

const char *nearest_name(const char *typed, const char *const *names) {
    const char *nearest = NULL;
    size_t nearest_distance = 3;
    for (; *names != NULL; names++) {
        size_t distance = edit_distance(typed, *names);
        if (distance < nearest_distance && distance < strlen(*names)) {
            nearest = *names;
            nearest_distance = distance;
        }
    }
    return nearest;
}

enum { HELP_WIDTH = 80, HELP_INDENT = 28 };

/* Prints text from `column` on, broken between words to fit HELP_WIDTH; further lines begin at `indent`. Any
 * white space separates words, and an empty line paragraphs. */
static void print_wrapped(const char *text, size_t column, size_t indent) {
    bool first = true;
    while (*text != '\0') {
        size_t space = strspn(text, " \n");
        bool paragraph = space >= 2 && text[0] == '\n' && text[1] == '\n';
        text += space;
        size_t size = strcspn(text, " \n");
        if (size == 0)
            break;
        if (paragraph || (!first && column + 1 + size > HELP_WIDTH)) {
            printf("%s%*s", paragraph ? "\n\n" : "\n", (int)indent, "");
            column = indent;
        } else if (!first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)size, text);
        column += size;
        text += size;
        first = false;
    }
    putchar('\n');
}

static void print_option(const char *name, const char *argument, const char *help) {
    char left[64];
    int width = snprintf(left, sizeof left, "  --%s%s%s", name, argument == NULL ? "" : " ",
                         argument == NULL ? "" : argument);
    printf("%s%s%*s", left, width > HELP_INDENT - 2 ? "\n" : "",
           width > HELP_INDENT - 2 ? HELP_INDENT : HELP_INDENT - width, "");
    print_wrapped(help, HELP_INDENT, HELP_INDENT);
}

static int print_help(const struct command *command) {
    printf("Usage: rescoldo %s %s\n\n", command->name, command->synopsis);
    print_wrapped(command->description, 0, 0);
    printf("\nOptions:\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option *option = &command->options[i];
        print_option(option->name, option->argument, option->help);
    }
    print_option("help", NULL, "print this text");
    return cli_finish(command->name, EXIT_SUCCESS);
}

static int unknown_option(const struct command *command, const char *argument, size_t name_length) {
    char typed[LONGEST_NAME + 1];
    snprintf(typed, sizeof typed, "%.*s", (int)(name_length > LONGEST_NAME ? LONGEST_NAME : name_length),
             argument + 2);
    const char *names[64] = {"help"};
    for (size_t i = 0; i < command->option_count && i + 2 < OPTION_COUNT(names); i++)
        names[i + 1] = command->options[i].name;
    const char *nearest = nearest_name(typed, names);
    if (nearest != NULL)
        return command_usage_error(command->name, "unknown option %s; did you mean --%s?", argument, nearest);
    return command_usage_error(command->name, "unknown option %s", argument);
}

/* Decimal digits alone: no sign, no space, no exponent. */
static bool parse_number(const char *text, uint64_t *number) {
    uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

static int store_number(const char *command, const struct option *option, const char *value) {
    uint64_t number;
    if (!parse_number(value, &number) || number < option->minimum || number > option->maximum)
        return command_usage_error(command, "--%s: expected a whole number from %llu to %llu, found \"%s\"",
                                   option->name, (unsigned long long)option->minimum,
                                   (unsigned long long)option->maximum, value);
    *option->number = number;
    return COMMAND_CONTINUE;
}

static int store_choice(const char *command, const struct option *option, const char *value) {
    for (int i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], value) == 0) {
            *option->choice = i;
            return COMMAND_CONTINUE;
        }
    }
    char expected[256] = "";
    size_t used = 0;
    for (int i = 0; option->choices[i] != NULL && used < sizeof expected; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s", i == 0 ? "" : " or ",
                                 option->choices[i]);
    return command_usage_error(command, "--%s: expected %s, found \"%s\"", option->name, expected, value);
}

static int store_value(const char *command, const struct option *option, const char *value) {
    if (option->number != NULL)
        return store_number(command, option, value);
    if (option->choice != NULL)
        return store_choice(command, option, value);
    if (option->repeat != NULL) {
        if (option->repeat->count == OPTION_MAX_REPEATS)
            return command_usage_error(command, "--%s is given more than %u times", option->name,
                                       OPTION_MAX_REPEATS);
        option->repeat->values[option->repeat->count++] = value;
        return COMMAND_CONTINUE;
    }
    *option->text = value;
    return COMMAND_CONTINUE;
}

/* One option at argv[*position]; moves *position to the last argument it used. */
static int parse_option(const struct command *command, int argc, char **argv, int *position, uint64_t *seen) {
    const char *argument = argv[*position];
    const char *name = argument + 2;
    size_t name_length = strcspn(name, "=");
    const char *value = name[name_length] == '=' ? name + name_length + 1 : NULL;
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option *option = &command->options[i];
        if (strlen(option->name) != name_length || memcmp(option->name, name, name_length) != 0)
            continue;
        bool again = (*seen >> i & 1) != 0;
        *seen |= UINT64_C(1) << i;
        if (option->flag != NULL) {
            if (value != NULL)
                return command_usage_error(command->name, "--%s takes no value", option->name);
            *option->flag = true;
            return COMMAND_CONTINUE;
        }
        if (value == NULL && ++*position == argc)
            return command_usage_error(command->name, "--%s needs a value: --%s %s", option->name,
                                       option->name, option->argument);
        /* The model that a packed program carries gives way to one that is named. */
        if (again && option->text != NULL && *option->text != own_program_packed())
            return command_usage_error(command->name, "--%s is given twice", option->name);
        return store_value(command->name, option, value != NULL ? value : argv[*position]);
    }
    return unknown_option(command, argument, name_length);
}

static int check_complete(const struct command *command, uint64_t seen, size_t operand_count) {
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option *option = &command->options[i];
        if (option->required && (seen >> i & 1) == 0)
            return command_usage_error(command->name, "--%s %s is required", option->name, option->argument);
    }
    if (operand_count < command->operand_minimum)
        return command_usage_error(command->name, "%s is required", command->operand_name);
    return COMMAND_CONTINUE;
}

int command_parse(const struct command *command, int argc, char **argv) {
    uint64_t seen = 0; /* one bit per option; no command has as many as 64 */
    size_t operand_count = 0;
    bool options_ended = false;
    for (int i = 1; i < argc; i++) {
        if (!options_ended && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            return print_help(command);
        } else if (!options_ended && strncmp(argv[i], "--", 2) == 0) {
            int outcome = parse_option(command, argc, argv, &i, &seen);
            if (outcome != COMMAND_CONTINUE)
                return outcome;
        } else if (!options_ended && argv[i][0] == '-' && argv[i][1] != '\0') {
            return command_usage_error(command->name, "unknown option %s; options are written --name",
                                       argv[i]);
        } else if (operand_count == command->operand_maximum) {
            return command_usage_error(command->name, "unexpected argument \"%s\"", argv[i]);
        } else {
            command->operands[operand_count++] = argv[i];
        }
    }
    return check_complete(command, seen, operand_count);
}
