#include "base/json_number.h"
#include "base/json_writer.h"
#include "unit_test.h"

#include <math.h>
#include <stdlib.h>

static void check_round_trip(float value) {
    char text[JSON_NUMBER_SIZE];
    size_t length = json_number_print(value, text);
    assert_int_equal(length, strlen(text));
    float back = strtof(text, NULL);
    assert_memory_equal(&back, &value, sizeof value);
}

static void numbers_come_back_to_the_same_bits(void **state) {
    (void)state;
    const float special[] = {0.0F, -0.0F, 1.0F, -1.17549435e-38F, 1e-45F, 3.40282347e38F, 0.1F, 16777217.0F};
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        check_round_trip(special[i]);
    uint32_t bits = 1;
    for (int i = 0; i < 200000; i++) {
        bits = bits * 1664525u + 1013904223u;
        float value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            check_round_trip(value);
    }
}

static void what_json_cannot_say_is_null(void **state) {
    (void)state;
    char text[JSON_NUMBER_SIZE];
    json_number_print(NAN, text);
    assert_string_equal(text, "null");
    json_number_print(-INFINITY, text);
    assert_string_equal(text, "null");
}

static void values_are_separated_and_escaped(void **state) {
    (void)state;
    struct buffer buffer = {0};
    struct json_writer writer = json_writer_to(&buffer);
    json_begin_object(&writer);
    json_key(&writer, "texts");
    json_begin_array(&writer);
    json_text(&writer, bytes_of("a\"\\\n\0z", 6));
    json_text(&writer, bytes_of("", 0));
    json_text_of_string(&writer, "\xc3\xa9");
    json_end_array(&writer);
    json_key(&writer, "count");
    json_unsigned(&writer, UINT64_MAX);
    json_key(&writer, "score");
    json_float(&writer, 0.5F);
    json_key(&writer, "queue_ms");
    json_milliseconds(&writer, 1234567);
    json_key(&writer, "truncated");
    json_bool(&writer, false);
    json_key(&writer, "nothing");
    json_null_value(&writer);
    json_key(&writer, "empty");
    json_begin_object(&writer);
    json_end_object(&writer);
    json_key(&writer, "verbatim");
    json_verbatim(&writer, bytes_of_string("[1]"));
    json_end_object(&writer);
    assert_int_equal(json_writer_finish(&writer, NULL), STATUS_OK);
    const char *expected = "{\"texts\":[\"a\\\"\\\\\\u000a\\u0000z\",\"\",\"\xc3\xa9\"],"
                           "\"count\":18446744073709551615,\"score\":0.5,\"queue_ms\":1.235,"
                           "\"truncated\":false,\"nothing\":null,\"empty\":{},\"verbatim\":[1]}";
    assert_int_equal(buffer.size, strlen(expected));
    assert_memory_equal(buffer.data, expected, buffer.size);
    buffer_free(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back_to_the_same_bits),
        cmocka_unit_test(what_json_cannot_say_is_null),
        cmocka_unit_test(values_are_separated_and_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
