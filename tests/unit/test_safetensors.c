#include "base/buffer.h"
#include "formats/safetensors.h"
#include "tiny_model.h"
#include "unit_test.h"

#include <math.h>
#include <string.h>

/* A file out of a header and data_size bytes of data that count up. */
static void make_file(struct buffer *file, const char *header, size_t data_size) {
    unsigned char size[8];
    store_u64le(size, strlen(header));
    assert_int_equal(buffer_append(file, size, sizeof size, NULL), STATUS_OK);
    assert_int_equal(buffer_append(file, header, strlen(header), NULL), STATUS_OK);
    for (size_t i = 0; i < data_size; i++) {
        unsigned char byte = (unsigned char)i;
        assert_int_equal(buffer_append(file, &byte, 1, NULL), STATUS_OK);
    }
}

static void assert_refused(const char *header, size_t data_size, const char *part_of_message) {
    struct buffer file = {0};
    struct safetensors reader;
    struct error error = {0};
    make_file(&file, header, data_size);
    assert_int_equal(safetensors_open(&reader, buffer_bytes(&file), "m.safetensors", &error),
                     STATUS_INVALID_DATA);
    if (strstr(error.message, part_of_message) == NULL || strncmp(error.message, "m.safetensors", 13) != 0)
        fail_msg("message \"%s\" does not begin with the file or lacks \"%s\"", error.message,
                 part_of_message);
    assert_null(reader.tensors);
    buffer_free(&file);
}

static void malformed_headers_are_refused(void **state) {
    (void)state;
    assert_refused("", 0, "empty");
    assert_refused("[]", 0, "expected an object");
    assert_refused("{", 0, "not valid JSON");
    assert_refused("{\"a\":1}", 0, "tensor \"a\" is a number, expected an object");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no \"data_offsets\"");
    assert_refused("{\"a\":{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
                   "unknown type \"F99\"");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "not a count");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "not a count");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
                   "9 dimensions");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", 4,
                   "overflows");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                   "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                   4, "duplicate");
}

static void offsets_that_do_not_tile_the_data_are_refused(void **state) {
    (void)state;
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4,
                   "truncated or corrupt");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 8,
                   "its shape needs 8");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4,
                   "data_offsets [4, 0]");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                   "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
                   12, "tensor \"b\" begins at byte");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                   "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
                   12, "leaving a hole");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8,
                   "the tensors end at byte");
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    struct buffer file = {0};
    make_file(&file, "{\"a\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]}}", 12);
    struct safetensors reader;
    for (size_t size = 0; size < file.size; size++) {
        /* A copy of its own, so that a read past the end is seen by the sanitizer. */
        struct buffer part = {0};
        assert_int_equal(buffer_append(&part, file.data, size, NULL), STATUS_OK);
        struct error error;
        assert_int_equal(safetensors_open(&reader, buffer_bytes(&part), "m", &error), STATUS_INVALID_DATA);
        buffer_free(&part);
    }
    assert_int_equal(safetensors_open(&reader, buffer_bytes(&file), "m", NULL), STATUS_OK);
    safetensors_close(&reader);
    buffer_free(&file);
}

static void a_header_beyond_the_limit_is_refused(void **state) {
    (void)state;
    struct buffer file = {0};
    unsigned char size[8];
    store_u64le(size, SAFETENSORS_MAX_HEADER + 1);
    assert_int_equal(buffer_append(&file, size, sizeof size, NULL), STATUS_OK);
    assert_int_equal(buffer_append_zeros(&file, SAFETENSORS_MAX_HEADER + 1, NULL), STATUS_OK);
    struct safetensors reader;
    struct error error;
    assert_int_equal(safetensors_open(&reader, buffer_bytes(&file), "m", &error), STATUS_LIMIT_EXCEEDED);
    store_u64le(file.data, UINT64_MAX);
    assert_int_equal(safetensors_open(&reader, buffer_bytes(&file), "m", &error), STATUS_INVALID_DATA);
    buffer_free(&file);
}

/* Opens a file of one tensor "a" of `count` elements whose data is given. */
static void open_one(struct buffer *file, struct safetensors *reader, const char *type, size_t count,
                     const void *data, size_t size) {
    char header[160];
    snprintf(header, sizeof header,
             "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":"
             "[0,%zu]}}",
             type, count, size);
    make_file(file, header, 0);
    assert_int_equal(buffer_append(file, data, size, NULL), STATUS_OK);
    assert_int_equal(safetensors_open(reader, buffer_bytes(file), "m", NULL), STATUS_OK);
    assert_int_equal(reader->count, 1);
}

static void half_precision_is_read_exactly(void **state) {
    (void)state;
    /* Every finite binary16, against its definition. */
    static unsigned char data[65536 * 2];
    static float values[65536];
    for (unsigned bits = 0; bits < 65536; bits++) {
        unsigned finite = (bits & 0x7c00) == 0x7c00 ? 0 : bits;
        data[2 * bits] = (unsigned char)finite;
        data[2 * bits + 1] = (unsigned char)(finite >> 8);
    }
    struct buffer file = {0};
    struct safetensors reader;
    open_one(&file, &reader, "F16", 65536, data, sizeof data);
    const struct safetensor *tensor = safetensors_find(&reader, "a");
    assert_int_equal(safetensor_read_f32(&reader, tensor, 0, 65536, values, NULL), STATUS_OK);
    for (unsigned bits = 0; bits < 65536; bits++) {
        if ((bits & 0x7c00) == 0x7c00)
            continue;
        int exponent = (int)(bits >> 10 & 31);
        double fraction = (bits & 1023) / 1024.0;
        double expected = exponent == 0 ? ldexp(fraction, -14) : ldexp(1 + fraction, exponent - 15);
        assert_true((double)values[bits] == (bits >= 32768 ? -expected : expected));
    }
    safetensors_close(&reader);
    buffer_free(&file);
}

static void bfloat16_and_float32_are_read_exactly(void **state) {
    (void)state;
    const unsigned char bf16[] = {0x80, 0x3f, 0x00, 0xc0, 0x49, 0x40}; /* 1, -2, 3.140625 */
    struct buffer file = {0};
    struct safetensors reader;
    float values[3];
    open_one(&file, &reader, "BF16", 3, bf16, sizeof bf16);
    assert_int_equal(safetensor_read_f32(&reader, safetensors_find(&reader, "a"), 0, 3, values, NULL),
                     STATUS_OK);
    assert_true(values[0] == 1.0f && values[1] == -2.0f && values[2] == 3.140625f);
    assert_int_equal(safetensor_read_f32(&reader, safetensors_find(&reader, "a"), 2, 1, values, NULL),
                     STATUS_OK);
    assert_true(values[0] == 3.140625f);
    assert_int_equal(safetensor_read_f32(&reader, safetensors_find(&reader, "a"), 2, 2, values, NULL),
                     STATUS_INTERNAL);
    safetensors_close(&reader);
    buffer_free(&file);

    const float exact[] = {0.1f, -1e-40f, 3e38f};
    open_one(&file, &reader, "F32", 3, exact, sizeof exact);
    assert_int_equal(safetensor_read_f32(&reader, safetensors_find(&reader, "a"), 0, 3, values, NULL),
                     STATUS_OK);
    assert_memory_equal(values, exact, sizeof exact);
    assert_null(safetensors_find(&reader, "b"));
    safetensors_close(&reader);
    buffer_free(&file);
}

static void values_that_are_not_finite_are_refused_with_their_place(void **state) {
    (void)state;
    const float data[] = {1, NAN};
    struct buffer file = {0};
    struct safetensors reader;
    struct error error;
    float values[2];
    open_one(&file, &reader, "F32", 2, data, sizeof data);
    assert_int_equal(safetensor_read_f32(&reader, safetensors_find(&reader, "a"), 0, 2, values, &error),
                     STATUS_INVALID_DATA);
    char expected[64];
    snprintf(expected, sizeof expected, "element 1 (at byte %zu)", file.size - sizeof(float));
    assert_non_null(strstr(error.message, expected));
    safetensors_close(&reader);
    buffer_free(&file);

    const long long integers[] = {1, 2};
    open_one(&file, &reader, "I64", 2, integers, sizeof integers);
    assert_int_equal(safetensor_read_f32(&reader, safetensors_find(&reader, "a"), 0, 1, values, &error),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.message, "I64"));
    safetensors_close(&reader);
    buffer_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(offsets_that_do_not_tile_the_data_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_header_beyond_the_limit_is_refused),
        cmocka_unit_test(half_precision_is_read_exactly),
        cmocka_unit_test(bfloat16_and_float32_are_read_exactly),
        cmocka_unit_test(values_that_are_not_finite_are_refused_with_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
