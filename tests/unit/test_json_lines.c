#include "cli/json_lines.h"
#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

static void check_tree(const char *text, const char *expected) {
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    struct buffer written = {0};
    struct json_writer writer = json_writer_to(&written);
    json_tree(&writer, value);
    assert_int_equal(json_writer_finish(&writer, NULL), STATUS_OK);
    assert_true(bytes_equal(buffer_bytes(&written), bytes_of_string(expected)));
    buffer_free(&written);
    json_decref(value);
}

static void every_kind_of_value_comes_back(void **state) {
    (void)state;
    check_tree("null", "null");
    check_tree("[true, false, null]", "[true,false,null]");
    check_tree("{}", "{}");
    check_tree("{\"b\": [], \"a\": {\"x\\n\\\"\": \"\\u0000\\u00e9\"}}",
               "{\"b\":[],\"a\":{\"x\\u000a\\\"\":\"\\u0000\xC3\xA9\"}}");
    check_tree("-9223372036854775808", "-9223372036854775808");
}

static void real_numbers_have_the_fewest_digits_that_read_back(void **state) {
    (void)state;
    check_tree("0.1", "0.1");
    check_tree("1.0", "1.0");
    check_tree("-0.0", "-0.0");
    check_tree("1e300", "1e+300");
    check_tree("0.30000000000000004", "0.30000000000000004");
    check_tree("123456789012345680000.0", "1.2345678901234568e+20");
}

static void messages_become_utf8(void **state) {
    (void)state;
    const struct {
        const char *message, *expected;
    } cases[] = {
        {"plain \"quoted\" \xC3\xA9", "\"plain \\\"quoted\\\" \xC3\xA9\""},
        {"cut \xE2\x82", "\"cut ??\""},
        {"\xFF/\xFE", "\"?/?\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer written = {0};
        struct json_writer writer = json_writer_to(&written);
        json_message(&writer, cases[i].message);
        assert_int_equal(json_writer_finish(&writer, NULL), STATUS_OK);
        assert_true(bytes_equal(buffer_bytes(&written), bytes_of_string(cases[i].expected)));
        buffer_free(&written);
    }
}

static void members_are_found_or_named(void **state) {
    (void)state;
    json_t *object =
        json_loads("{\"text\": \"a\\u0000b\", \"number\": 1, \"nothing\": null}", JSON_ALLOW_NUL, NULL);
    assert_non_null(object);
    struct bytes text;
    struct error error;
    assert_int_equal(json_member_string(object, "text", &text, &error), STATUS_OK);
    assert_int_equal(text.size, 3);
    assert_int_equal(json_member_string(object, "number", &text, &error), STATUS_INVALID_DATA);
    assert_string_equal(error.message, "\"number\" is not a string");
    assert_int_equal(json_member_string(object, "nothing", &text, &error), STATUS_NOT_FOUND);
    assert_int_equal(json_member_string(object, "absent", &text, &error), STATUS_NOT_FOUND);
    assert_string_equal(error.message, "\"absent\" is missing, expected a string");
    json_decref(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_comes_back),
        cmocka_unit_test(real_numbers_have_the_fewest_digits_that_read_back),
        cmocka_unit_test(messages_become_utf8),
        cmocka_unit_test(members_are_found_or_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
