#include "kernels/pack.h"
#include "unit_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUTS 64
#define INPUTS  128

static float weights[OUTPUTS][INPUTS];

static void fill_weights(void) {
    uint32_t state = 1;
    for (size_t i = 0; i < OUTPUTS; i++) {
        for (size_t k = 0; k < INPUTS; k++) {
            state = state * 1664525u + 1013904223u;
            weights[i][k] = ((float)(state >> 8) / 8388608.0f - 1) * (float)(1 + i % 7);
        }
    }
}

static void int8_panels_lie_as_the_kernels_read_them(void **state) {
    (void)state;
    static int8_t panels[OUTPUTS / 32][INPUTS / 4][32][4];
    static float scales[OUTPUTS], restored[OUTPUTS][INPUTS];
    static int32_t compensation[OUTPUTS];
    fill_weights();
    pack_linear_int8(&weights[0][0], OUTPUTS, INPUTS, &panels[0][0][0][0], scales, compensation);
    unpack_linear_int8(&panels[0][0][0][0], scales, OUTPUTS, INPUTS, &restored[0][0]);
    for (size_t i = 0; i < OUTPUTS; i++) {
        float largest = 0;
        int32_t sum = 0, extreme = 0;
        for (size_t k = 0; k < INPUTS; k++)
            largest = fmaxf(largest, fabsf(weights[i][k]));
        assert_true(scales[i] == largest / 127);
        for (size_t k = 0; k < INPUTS; k++) {
            int8_t value = panels[i / 32][k / 4][i % 32][k % 4];
            assert_int_equal(value, lrintf(weights[i][k] / scales[i]));
            assert_true(restored[i][k] == (float)value * scales[i]);
            assert_true(fabsf(restored[i][k] - weights[i][k]) <= scales[i] * 0.5001f);
            sum += value;
            extreme = abs(value) > extreme ? abs(value) : extreme;
        }
        assert_int_equal(extreme, 127);
        assert_int_equal(compensation[i], -128 * sum);
    }
}

static void halves_round_to_even(void **state) {
    (void)state;
    static float row[32][4];
    static int8_t panels[1][1][32][4];
    float scales[32];
    int32_t compensation[32];
    /* A scale of exactly 1, so that 0.5, 1.5 and -2.5 are ties. */
    const float ties[] = {127, 0.5f, 1.5f, -2.5f};
    memcpy(row[3], ties, sizeof ties);
    pack_linear_int8(&row[0][0], 32, 4, &panels[0][0][0][0], scales, compensation);
    assert_true(scales[3] == 1);
    assert_int_equal(panels[0][0][3][0], 127);
    assert_int_equal(panels[0][0][3][1], 0);
    assert_int_equal(panels[0][0][3][2], 2);
    assert_int_equal(panels[0][0][3][3], -2);
    /* Rows of zeros, and of numbers too small for a scale, become zeros with a scale of zero. */
    assert_true(scales[0] == 0);
    assert_int_equal(compensation[0], 0);
    for (int k = 0; k < 4; k++)
        row[1][k] = 1e-42f;
    pack_linear_int8(&row[0][0], 32, 4, &panels[0][0][0][0], scales, compensation);
    assert_true(scales[1] == 0);
    assert_int_equal(panels[0][0][1][0], 0);
}

static void f32_panels_keep_every_bit(void **state) {
    (void)state;
    static float panels[OUTPUTS / 32][INPUTS][32];
    fill_weights();
    pack_linear_f32(&weights[0][0], OUTPUTS, INPUTS, &panels[0][0][0]);
    for (size_t i = 0; i < OUTPUTS; i++) {
        for (size_t k = 0; k < INPUTS; k++)
            assert_memory_equal(&panels[i / 32][k][i % 32], &weights[i][k], sizeof(float));
    }
}

static void embedding_rows_have_their_own_scale(void **state) {
    (void)state;
    static int8_t values[OUTPUTS][INPUTS];
    static float scales[OUTPUTS];
    fill_weights();
    pack_embedding_int8(&weights[0][0], OUTPUTS, INPUTS, &values[0][0], scales);
    for (size_t row = 0; row < OUTPUTS; row++) {
        for (size_t i = 0; i < INPUTS; i++)
            assert_int_equal(values[row][i], lrintf(weights[row][i] / scales[row]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_panels_lie_as_the_kernels_read_them),
        cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(f32_panels_keep_every_bit),
        cmocka_unit_test(embedding_rows_have_their_own_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
