#include "cli/cli.h"
#include "cli/options.h"
#include "unit_test.h"

#include <string.h>

/* Where the options of a command with one of each kind go. */
struct values {
    bool flag;
    const char *text;
    struct option_values repeated;
    uint64_t number;
    int choice;
    const char *operands[2];
};

static const char *const choices[] = {"first", "second", NULL};

static int parse(struct values *values, const char *const *arguments) {
    *values = (struct values){.number = 7};
    const struct option options[] = {
        {.name = "flag", .help = "", .flag = &values->flag},
        {.name = "text", .argument = "TEXT", .help = "", .required = true, .text = &values->text},
        {.name = "repeated", .argument = "TEXT", .help = "", .repeat = &values->repeated},
        {.name = "number",
         .argument = "N",
         .help = "",
         .number = &values->number,
         .minimum = 1,
         .maximum = 100},
        {.name = "choice", .argument = "C", .help = "", .choice = &values->choice, .choices = choices},
    };
    const struct command command = {
        .name = "test",
        .synopsis = "",
        .description = "",
        .options = options,
        .option_count = OPTION_COUNT(options),
        .operands = values->operands,
        .operand_maximum = 2,
        .operand_name = "FILE",
    };
    char *argv[64];
    int argc = 0;
    argv[argc++] = (char[]){"test"};
    for (; *arguments != NULL; arguments++)
        argv[argc++] = (char *)(uintptr_t)*arguments;
    return command_parse(&command, argc, argv);
}

#define PARSE(values, ...) parse(values, (const char *const[]){__VA_ARGS__, NULL})

static void every_form_is_understood(void **state) {
    (void)state;
    struct values values;
    assert_int_equal(PARSE(&values, "one", "--text=a=b", "--flag", "--number", "100", "--repeated", "x",
                           "--repeated=y", "--choice", "second", "-"),
                     COMMAND_CONTINUE);
    assert_true(values.flag);
    assert_string_equal(values.text, "a=b");
    assert_int_equal(values.number, 100);
    assert_int_equal(values.repeated.count, 2);
    assert_string_equal(values.repeated.values[1], "y");
    assert_int_equal(values.choice, 1);
    assert_string_equal(values.operands[0], "one");
    assert_string_equal(values.operands[1], "-");
}

static void what_is_absent_keeps_its_default(void **state) {
    (void)state;
    struct values values;
    assert_int_equal(PARSE(&values, "--text", ""), COMMAND_CONTINUE);
    assert_false(values.flag);
    assert_string_equal(values.text, "");
    assert_int_equal(values.number, 7);
    assert_null(values.operands[0]);
}

static void a_value_may_begin_with_dashes_and_operands_after_two(void **state) {
    (void)state;
    struct values values;
    assert_int_equal(PARSE(&values, "--text", "--flag", "--", "--flag", "-x"), COMMAND_CONTINUE);
    assert_false(values.flag);
    assert_string_equal(values.text, "--flag");
    assert_string_equal(values.operands[0], "--flag");
    assert_string_equal(values.operands[1], "-x");
}

static void what_is_wrong_is_a_usage_error(void **state) {
    (void)state;
    struct values values;
    assert_int_equal(PARSE(&values, "--unknown"), EXIT_USAGE);
    assert_int_equal(PARSE(&values, "--text", "a", "-t"), EXIT_USAGE);
    assert_int_equal(PARSE(&values, "--flag"), EXIT_USAGE); /* --text is required */
    assert_int_equal(PARSE(&values, "--text"), EXIT_USAGE);
    assert_int_equal(PARSE(&values, "--text", "a", "--flag=yes"), EXIT_USAGE);
    assert_int_equal(PARSE(&values, "--text", "a", "1", "2", "3"), EXIT_USAGE);
    assert_int_equal(PARSE(&values, "--text", "a", "--choice", "third"), EXIT_USAGE);
    const char *const numbers[] = {"", "0", "101", "-1", "+1", " 1", "1 ", "1e1", "18446744073709551617"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(PARSE(&values, "--text", "a", "--number", numbers[i]), EXIT_USAGE);
}

static void repeats_have_a_limit(void **state) {
    (void)state;
    const char *arguments[2 * OPTION_MAX_REPEATS + 5] = {"--text", "a"};
    for (size_t i = 0; i <= OPTION_MAX_REPEATS; i++) {
        arguments[2 + 2 * i] = "--repeated";
        arguments[3 + 2 * i] = "x";
    }
    struct values values;
    assert_int_equal(parse(&values, arguments), EXIT_USAGE);
    arguments[2 + 2 * OPTION_MAX_REPEATS] = NULL;
    assert_int_equal(parse(&values, arguments), COMMAND_CONTINUE);
    assert_int_equal(values.repeated.count, OPTION_MAX_REPEATS);
}

static void the_nearest_name_is_proposed(void **state) {
    (void)state;
    const char *const names[] = {"model", "query", "top-n", NULL};
    assert_string_equal(nearest_name("modle", names), "model");
    assert_string_equal(nearest_name("top_n", names), "top-n");
    assert_null(nearest_name("threads", names));
    assert_null(nearest_name("a-name-far-longer-than-any-option-ever-was", names));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_understood),
        cmocka_unit_test(what_is_absent_keeps_its_default),
        cmocka_unit_test(a_value_may_begin_with_dashes_and_operands_after_two),
        cmocka_unit_test(what_is_wrong_is_a_usage_error),
        cmocka_unit_test(repeats_have_a_limit),
        cmocka_unit_test(the_nearest_name_is_proposed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
