#include "formats/npy.h"
#include "unit_test.h"

#include <string.h>

static void the_header_is_version_1_and_aligned(void **state) {
    (void)state;
    unsigned char header[NPY_HEADER_SIZE];
    npy_header_f32(3, 384, header);
    assert_memory_equal(header, "\x93NUMPY\x01\x00", 8);
    assert_int_equal(header[8] + 256 * header[9] + 10, NPY_HEADER_SIZE);
    static const char dictionary[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 384), }";
    assert_memory_equal(header + 10, dictionary, sizeof dictionary - 1);
    assert_int_equal(header[NPY_HEADER_SIZE - 2], ' ');
    assert_int_equal(header[NPY_HEADER_SIZE - 1], '\n');
}

static void the_largest_shape_fits(void **state) {
    (void)state;
    unsigned char header[NPY_HEADER_SIZE];
    npy_header_f32(SIZE_MAX, SIZE_MAX, header);
    assert_non_null(memchr(header, '}', NPY_HEADER_SIZE));
    assert_int_equal(header[NPY_HEADER_SIZE - 1], '\n');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_version_1_and_aligned),
        cmocka_unit_test(the_largest_shape_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
