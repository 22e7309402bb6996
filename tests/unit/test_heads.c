/* The heads against the C library in double precision. */
#include "engine/heads.h"
#include "random.h"
#include "unit_test.h"

#include <math.h>

static void sigmoid_is_libm_s(void **state) {
    (void)state;
    for (int i = -200000; i <= 200000; i++) {
        float x = (float)i * 0.001f;
        double exact = 1 / (1 + exp(-(double)x));
        assert_true(fabs((double)sigmoid(x) - exact) <= 1e-6 * exact + 1e-44);
    }
    assert_true(sigmoid(0) == 0.5f);
    assert_true(sigmoid(INFINITY) == 1 && sigmoid(-INFINITY) == 0);
    assert_true(sigmoid(1e30f) == 1 && sigmoid(-1e30f) == 0);
}

static void sigmoid_never_falls(void **state) {
    (void)state;
    float last = 0;
    for (int i = -120000; i <= 120000; i++) {
        float y = sigmoid((float)i * 0.001f);
        assert_true(y >= last && y <= 1);
        last = y;
    }
}

static void classify_uses_tanh(void **state) {
    (void)state;
    const float one = 1;
    for (int i = -40000; i <= 40000; i++) {
        float x = (float)i * 0.001f;
        assert_true(fabs((double)classify(&x, &one, 0, 1) - tanh((double)x)) <= 1e-6 * fabs(tanh((double)x)));
    }
    const float edges[] = {INFINITY, -INFINITY, 1e30f, -1e30f, 0};
    const float expected[] = {1, -1, 1, -1, 0};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        assert_true(classify(&edges[i], &one, 0, 1) == expected[i]);
    struct random random = {1};
    float pooled[384], weight[384];
    random_units(&random, pooled, 384, 0, 3);
    random_units(&random, weight, 384, 0, 1);
    double sum = 0.5;
    for (size_t i = 0; i < 384; i++)
        sum += tanh((double)pooled[i]) * (double)weight[i];
    assert_true(fabs((double)classify(pooled, weight, 0.5f, 384) - sum) <= 1e-6 * fabs(sum) + 1e-7);
}

static void pool_mean_is_the_mean(void **state) {
    (void)state;
    struct random random = {2};
    float values[33 * 64], mean[64];
    random_units(&random, values, 33 * 64, 0.5f, 1);
    for (size_t rows = 1; rows <= 33; rows++) {
        pool_mean(values, rows, 64, mean);
        for (size_t i = 0; i < 64; i++) {
            double sum = 0;
            for (size_t r = 0; r < rows; r++)
                sum += (double)values[r * 64 + i];
            assert_true(fabs((double)mean[i] - sum / (double)rows) <= 2e-6);
        }
    }
}

static void normalize_l2_gives_length_one_or_leaves_zero(void **state) {
    (void)state;
    const float magnitudes[] = {1e-30f, 1e-3f, 1, 1e15f};
    for (size_t m = 0; m < sizeof magnitudes / sizeof magnitudes[0]; m++) {
        float vector[] = {3 * magnitudes[m], -4 * magnitudes[m]};
        normalize_l2(vector, 2);
        /* Below a length of 1e-12 that floor divides instead. */
        float length = magnitudes[m] < 1e-20f ? 5e-18f : 1;
        assert_true(fabsf(vector[0] - 0.6f * length) <= 1e-6f * length);
        assert_true(fabsf(vector[1] + 0.8f * length) <= 1e-6f * length);
    }
    float zero[] = {0, -0.0f};
    normalize_l2(zero, 2);
    assert_true(zero[0] == 0 && zero[1] == 0);
}

static void cosine_is_of_the_angle(void **state) {
    (void)state;
    const float a[] = {1, 0, 0}, b[] = {1, 1, 0}, opposite[] = {-2, 0, 0}, zero[] = {0, 0, 0};
    assert_true(fabsf(cosine(a, b, 3) - sqrtf(0.5f)) <= 1e-7f);
    assert_true(cosine(a, a, 3) == 1 && cosine(a, opposite, 3) == -1);
    assert_true(cosine(a, zero, 3) == 0 && cosine(zero, zero, 3) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigmoid_is_libm_s),
        cmocka_unit_test(sigmoid_never_falls),
        cmocka_unit_test(classify_uses_tanh),
        cmocka_unit_test(pool_mean_is_the_mean),
        cmocka_unit_test(normalize_l2_gives_length_one_or_leaves_zero),
        cmocka_unit_test(cosine_is_of_the_angle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
