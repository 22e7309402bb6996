/* The command line of a subcommand: a table of options that says where each value goes, from which both the
 * parsing and the --help text follow.
 *
 * Understood: --name VALUE, --name=VALUE, --flag, -h and --help, "--" before operands that begin with "-",
 * and operands (file names; "-" is one) anywhere between the options. A text given twice
 * is an error unless it is repeatable (and but for a packed program's --model); of a number or a choice the
 * last counts. */
#ifndef RESCOLDO_CLI_OPTIONS_H
#define RESCOLDO_CLI_OPTIONS_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_MAX_REPEATS 16u

/* The values of a repeatable option, borrowed from argv, in the order given. */
struct option_values {
    const char *values[OPTION_MAX_REPEATS];
    size_t count;
};

/* One option. Exactly one of the targets is set; it keeps its value, the default, when the option is absent.
 */
struct option {
    const char *name;     /* without the leading "--" */
    const char *argument; /* how --help calls the value, such as "FILE"; NULL for a flag */
    const char *help;     /* a phrase in lower case without a full stop; wrapped when printed */
    bool required;

    bool *flag;                   /* becomes true */
    const char **text;            /* borrowed from argv */
    struct option_values *repeat; /* as text, up to OPTION_MAX_REPEATS times */
    uint64_t *number;             /* decimal digits, from minimum to maximum */
    uint64_t minimum, maximum;
    int *choice;                /* the index of the value in choices */
    const char *const *choices; /* NULL-terminated */
};

struct command {
    const char *name;
    const char *synopsis;    /* what follows "rescoldo NAME " in the usage line */
    const char *description; /* for --help: paragraphs between "\n\n", wrapped when printed */
    const struct option *options;
    size_t option_count;
    const char **operands; /* [operand_maximum], borrowed from argv; untouched where not given */
    size_t operand_minimum, operand_maximum;
    const char *operand_name; /* for messages, such as "FILE.ember" */
};

#define OPTION_COUNT(options) (sizeof(options) / sizeof *(options))

#define COMMAND_CONTINUE (-1)

/* Fills the targets. COMMAND_CONTINUE, or the exit status with which to end: 0 after --help (printed to
 * standard output), EXIT_USAGE after a message on what is wrong. argv[0] is skipped. */
int command_parse(const struct command *command, int argc, char **argv);

/* Says on standard error what is wrong with the command line, and how to get help; EXIT_USAGE. */
int command_usage_error(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* The name in a NULL-terminated list that is nearest to a mistyped one, or NULL when none is near. */
const char *nearest_name(const char *typed, const char *const *names);

#endif
