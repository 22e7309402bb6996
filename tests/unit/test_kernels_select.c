/* Which level is chosen, and the plain C definition of fused multiply-add that all levels must agree with. */
#include "kernel_test.h"
#include "kernels/levels.h"

#define KERNEL_TARGET
#include "kernels/lanes_portable.h"

#include <float.h>
#include <stdlib.h>

static const struct kernels *selected_without(const char *disabled) {
    assert_int_equal(setenv("RESCOLDO_DISABLE_ISA", disabled, 1), 0);
    const struct kernels *kernels = kernels_select();
    assert_int_equal(unsetenv("RESCOLDO_DISABLE_ISA"), 0);
    return kernels;
}

static void the_fastest_level_is_chosen(void **state) {
    (void)state;
    struct test_levels levels = test_levels();
    assert_ptr_equal(kernels_select(), levels.levels[levels.count - 1]);
    assert_ptr_equal(selected_without(""), levels.levels[levels.count - 1]);
}

static void levels_can_be_disabled_by_name(void **state) {
    (void)state;
    struct test_levels levels = test_levels();
    char list[256] = "";
    for (size_t l = levels.count - 1; l > 0; l--) {
        strcat(list, levels.levels[l]->name);
        assert_ptr_equal(selected_without(list), levels.levels[l - 1]);
        strcat(list, ",");
        assert_ptr_equal(selected_without(list), levels.levels[l - 1]);
    }
    for (size_t l = 0; l + 1 < levels.count; l++)
        assert_ptr_equal(selected_without(levels.levels[l]->name), levels.levels[levels.count - 1]);
}

static void names_are_compared_whole(void **state) {
    (void)state;
    struct test_levels levels = test_levels();
    const struct kernels *fastest = levels.levels[levels.count - 1];
    const char *others[] = {"av", "avx5", "avx512vnnix", " avx512vnni", "none", ",", ",,", "al", "neo"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_ptr_equal(selected_without(others[i]), fastest);
    assert_ptr_equal(selected_without("all"), &kernels_reference);
    assert_ptr_equal(selected_without("nothing,all"), &kernels_reference);
}

static void the_avx512_family_has_one_name(void **state) {
    (void)state;
    assert_null(strstr(selected_without("avx512")->name, "avx512"));
}

static void at_most_as_many_levels_as_asked_for_are_listed(void **state) {
    (void)state;
    const struct kernels *one[1] = {NULL};
    assert_int_equal(kernels_available(one, 1), 1);
    assert_ptr_equal(one[0], &kernels_reference);
    assert_int_equal(kernels_available(NULL, 0), 0);
}

static void every_level_is_whole(void **state) {
    (void)state;
    struct test_levels levels = test_levels();
    for (size_t l = 0; l < levels.count; l++) {
        const struct kernels *k = levels.levels[l];
        assert_true(k->name != NULL && k->embed != NULL && k->quantize != NULL && k->linear != NULL &&
                    k->linear_gelu != NULL && k->linear_normalize != NULL && k->attention != NULL &&
                    k->linear_f32 != NULL && k->gelu_f32 != NULL && k->normalize_f32 != NULL &&
                    k->attention_f32 != NULL && k->int8_dot_rounds != NULL);
        for (size_t other = 0; other < l; other++)
            assert_string_not_equal(k->name, levels.levels[other]->name);
    }
}

static float any_float(struct random *random) {
    static const float edges[] = {0,
                                  -0.0f,
                                  1,
                                  -1,
                                  FLT_MIN,
                                  -FLT_MIN,
                                  FLT_MAX,
                                  -FLT_MAX,
                                  INFINITY,
                                  -INFINITY,
                                  FLT_EPSILON,
                                  1.0f + FLT_EPSILON,
                                  16777216.0f,
                                  1e-45f,
                                  -1e-45f,
                                  12582912.0f,
                                  1.0f - FLT_EPSILON / 2,
                                  0x1.fffffep-127f};
    uint32_t bits = (uint32_t)(random_bits(random) >> 32);
    float value;
    switch (random_below(random, 4)) {
    case 0:
        return edges[random_below(random, sizeof edges / sizeof edges[0])];
    case 1:
        memcpy(&value, &bits, sizeof value);
        return value;
    case 2: /* few bits, so that sums and products are often halfway between two floats */
        return (float)random_between(random, -255, 255) * (float)(1u << random_below(random, 31));
    default:
        return random_unit(random);
    }
}

static bool same_number(float a, float b) {
    return isnan(a) ? isnan(b) : memcmp(&a, &b, sizeof a) == 0;
}

/* 16 at once, since the lanes share a decision. */
static void check_fused(const float *a, const float *b, const float *c) {
    float fma[16];
    f32_store(fma, f32_fma(f32_load(a), f32_load(b), f32_load(c)));
    for (size_t i = 0; i < 16; i++) {
        float expected = fmaf(a[i], b[i], c[i]), found = fused_multiply_add(a[i], b[i], c[i]);
        if (!same_number(found, expected) || !same_number(fma[i], expected))
            fail_msg("%a * %a + %a is %a, not %a or %a", (double)a[i], (double)b[i], (double)c[i],
                     (double)expected, (double)found, (double)fma[i]);
    }
}

/* What c is in relation to a and b. */
enum addend {
    ADDEND_ANY,
    ADDEND_CANCELS, /* nearly everything goes, and the product's last bits remain */
    ADDEND_BEYOND,  /* just beyond the last bit of a, so that the sum lies about halfway between two floats */
    ADDEND_HALF,    /* exactly halfway, but for a tiny rest of the product */
    ADDEND_TINY,
    ADDEND_KINDS,
};

static void check_addends(struct random *random, unsigned kind, size_t doubtful_lane) {
    float a[16], b[16], c[16];
    for (size_t i = 0; i < 16; i++) {
        a[i] = any_float(random), b[i] = any_float(random), c[i] = any_float(random);
        unsigned chosen = i == doubtful_lane ? kind : ADDEND_ANY;
        if (chosen == ADDEND_CANCELS)
            c[i] = -(a[i] * b[i]);
        if (chosen == ADDEND_BEYOND)
            b[i] = 1, c[i] = a[i] * FLT_EPSILON / 4;
        if (chosen == ADDEND_HALF) {
            c[i] = random_unit(random);
            a[i] = ldexpf(1, ilogbf(c[i]) - 24) * (random_below(random, 2) ? 1 : 1 + FLT_EPSILON);
            b[i] = random_below(random, 2) ? 1 : 1 - FLT_EPSILON / 2;
        }
        if (chosen == ADDEND_TINY)
            c[i] *= FLT_MIN, a[i] *= 0x1p-63f, b[i] *= 0x1p-63f;
    }
    check_fused(a, b, c);
}

static void fused_multiply_add_rounds_once(void **state) {
    (void)state;
    struct random random = {1};
    for (size_t i = 0; i < 300000; i++)
        check_addends(&random, (unsigned)i % ADDEND_KINDS, random_below(&random, 16));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fastest_level_is_chosen),
        cmocka_unit_test(levels_can_be_disabled_by_name),
        cmocka_unit_test(names_are_compared_whole),
        cmocka_unit_test(the_avx512_family_has_one_name),
        cmocka_unit_test(at_most_as_many_levels_as_asked_for_are_listed),
        cmocka_unit_test(every_level_is_whole),
        cmocka_unit_test(fused_multiply_add_rounds_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
