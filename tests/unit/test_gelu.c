/* How far the kernels' GELU is from the exact one, over every quarter of a thousandth that matters. */
#include "unit_test.h"

#include <math.h>

#define KERNEL_TARGET
#include "kernels/lanes_portable.h"
/* Written for the lanes of a level, which come first. */
#include "kernels/epilogue_template.h"

static double exact_gelu(double x) {
    return 0.5 * x * erfc(-x * 0.70710678118654752);
}

static double deviation(float first, float step) {
    float x[16], y[16];
    for (int i = 0; i < 16; i++)
        x[i] = first + step * (float)i;
    lanes_f32 lanes = f32_load(x);
    gelu(&lanes, 1);
    f32_store(y, lanes);
    double largest = 0;
    for (int i = 0; i < 16; i++)
        largest = fmax(largest, fabs((double)y[i] - exact_gelu((double)x[i])));
    return largest;
}

static void gelu_is_as_near_as_its_comment_says(void **state) {
    (void)state;
    double largest = 0;
    for (int i = -40000; i < 40000; i += 16)
        largest = fmax(largest, deviation((float)i / 4000, 1.0f / 4000));
    assert_true(largest <= 2.5e-5);
}

static void gelu_keeps_what_is_exact(void **state) {
    (void)state;
    const float x[16] = {0, -0.0f, 100, 1e30f, -100, -1e30f};
    float y[16];
    lanes_f32 lanes = f32_load(x);
    gelu(&lanes, 1);
    f32_store(y, lanes);
    assert_true(y[0] == 0 && y[1] == 0);
    assert_true(fabsf(y[2] - 100) <= 2.5e-5f && y[3] == 1e30f);
    assert_true(fabsf(y[4]) <= 2.5e-5f && fabsf(y[5]) <= 2.5e-5f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_is_as_near_as_its_comment_says),
        cmocka_unit_test(gelu_keeps_what_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
