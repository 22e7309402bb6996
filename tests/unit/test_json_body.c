/* Request bodies: what is refused before and while parsing, and typed fields. */
#include "server/json_body.h"
#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

static struct limits limits_for_test(void) {
    struct limits limits;
    limits_set_defaults(&limits);
    limits.max_json_depth = 4;
    limits.max_json_values = 20;
    return limits;
}

/* The code of the refusal, or NULL. The text lies in memory of exactly its size, for AddressSanitizer. */
static const char *refusal_of(const char *text, size_t size) {
    struct limits limits = limits_for_test();
    struct api_error error = {0};
    json_t *document = NULL;
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    int outcome = json_body_parse(bytes_of(copy, size), &limits, &document, &error);
    free(copy);
    assert_int_equal(outcome, document == NULL ? -1 : 0);
    if (outcome != 0) {
        assert_int_equal(error.status, 400);
        assert_true(error.message[0] != '\0');
    }
    json_decref(document);
    return outcome == 0 ? NULL : error.code;
}

static void objects_are_taken(void **state) {
    (void)state;
    const char *const texts[] = {
        "{}",
        " {\"a\": [1, -0, 1.5e3, true, false, null, \"\\u00e9\\ud83d\\uddfc\\u0000\"]} \n",
        "{\"a\":{\"b\":{\"c\":[]}}}",
        "{\"[[[[[[\":\"]]]]]]\\\"{{{{{\"}",
        "{\"a\":\",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_null(refusal_of(texts[i], strlen(texts[i])));
}

static void what_is_not_json_is_refused(void **state) {
    (void)state;
    const char *const texts[] = {
        "",
        " ",
        "{",
        "}",
        "[]",
        "\"a\"",
        "1",
        "null",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":NaN}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":\"\xc0\xaf\"}",
        "{} x",
        "{}{}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1e999}",
        "{\"a\":99999999999999999999}",
        "\xef\xbb\xbf{}",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "/**/{}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *code = refusal_of(texts[i], strlen(texts[i]));
        assert_non_null(code);
        assert_string_equal(code, "invalid_json");
    }
}

static void depth_and_values_are_bounded(void **state) {
    (void)state;
    const char *deep = "{\"a\":[[[[]]]]}";
    assert_string_equal(refusal_of(deep, strlen(deep)), "json_too_deep");
    const char *wide = "{\"a\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}";
    assert_string_equal(refusal_of(wide, strlen(wide)), "too_many_json_values");
}

static json_t *parsed(const char *text) {
    struct limits limits = limits_for_test();
    struct api_error error;
    json_t *document;
    assert_int_equal(json_body_parse(bytes_of_string(text), &limits, &document, &error), 0);
    return document;
}

static void fields_have_types_and_null_is_absent(void **state) {
    (void)state;
    json_t *document = parsed("{\"n\":null,\"t\":true,\"i\":7,\"z\":0,\"f\":1.5,\"s\":\"a\\u0000b\"}");
    struct api_error error;
    bool flag = true;
    uint64_t number = 3;
    struct bytes text;
    assert_null(json_field(document, "n"));
    assert_null(json_field(document, "missing"));
    assert_int_equal(json_field_boolean(document, "n", &flag, &error), 0);
    assert_true(flag);
    assert_int_equal(json_field_positive(document, "missing", &number, &error), 0);
    assert_int_equal(number, 3);
    assert_int_equal(json_field_positive(document, "i", &number, &error), 0);
    assert_int_equal(number, 7);
    assert_int_equal(json_field_string(document, "s", &text, &error), 0);
    assert_true(bytes_equal(text, bytes_of("a\0b", 3)));
    assert_int_equal(json_field_string(document, "n", &text, &error), 0);
    assert_null(text.data);
    assert_int_equal(json_field_positive(document, "z", &number, &error), -1);
    assert_string_equal(error.param, "z");
    assert_int_equal(json_field_positive(document, "f", &number, &error), -1);
    assert_int_equal(json_field_positive(document, "s", &number, &error), -1);
    assert_int_equal(json_field_boolean(document, "i", &flag, &error), -1);
    assert_int_equal(json_field_string(document, "t", &text, &error), -1);
    json_decref(document);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_taken),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(depth_and_values_are_bounded),
        cmocka_unit_test(fields_have_types_and_null_is_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
