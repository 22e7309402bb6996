/* The float32 kernels of every level that this CPU offers: the reference against double precision, and every
 * other level against the reference, to the bit. With --bench it measures them instead. */
#include "kernel_test.h"
#include "kernels/levels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t input_sizes[] = {64, 128, 192, 384, 768, 1536};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define MOST_ROWS       37u

struct linear_case {
    const struct test_linear *linear;
    const float *input;
    size_t input_stride, rows;
    size_t first_panel, panels, stride;
};

static struct output run_linear(const struct linear_case *c, const struct kernels *kernels) {
    struct output out = output_create(c->rows * c->stride * sizeof(float));
    kernels->linear_f32(&c->linear->f32, c->first_panel, c->panels, c->input, c->input_stride, c->rows,
                        out.data, c->stride);
    return out;
}

static void check_linear(const struct linear_case *c, const struct output *out) {
    size_t inputs = c->linear->f32.inputs;
    for (size_t r = 0; r < c->rows; r++) {
        for (size_t n = 0; n < c->panels * 32; n++) {
            size_t column = c->first_panel * 32 + n;
            double sum = (double)c->linear->f32.bias[column], size = fabs(sum);
            for (size_t k = 0; k < inputs; k++) {
                double product = (double)c->input[r * c->input_stride + k] *
                                 (double)c->linear->weights[column * inputs + k];
                sum += product;
                size += fabs(product);
            }
            double found = (double)((const float *)out->data)[r * c->stride + n];
            assert_true(fabs(found - sum) <= 1e-6 * size);
        }
    }
}

static void compare_linear(const struct linear_case *c) {
    struct test_levels levels = test_levels();
    struct output expected = run_linear(c, &kernels_reference);
    check_linear(c, &expected);
    for (size_t l = 1; l < levels.count; l++) {
        struct output found = run_linear(c, levels.levels[l]);
        output_compare(&expected, &found, "linear_f32", levels.levels[l]->name);
    }
    output_destroy(&expected);
}

static void linear_f32_is_a_matrix_product(void **state) {
    (void)state;
    struct random random = {1};
    static const float magnitudes[] = {1, 1e-30f, 1e20f, 0};
    for (size_t rows = 1; rows <= MOST_ROWS; rows++) {
        uint32_t inputs = input_sizes[rows % COUNT_OF(input_sizes)];
        struct test_linear linear = linear_create(&random, inputs, 64, CONTENT_RANDOM, 0.001f);
        size_t input_stride = inputs + 16 * (rows % 2);
        float *input = aligned(rows * input_stride * sizeof(float));
        random_units(&random, input, rows * input_stride, 0, magnitudes[rows % COUNT_OF(magnitudes)]);
        compare_linear(&(struct linear_case){&linear, input, input_stride, rows, 0, 2, 64});
        compare_linear(&(struct linear_case){&linear, input, input_stride, rows, rows % 2, 1, 48});
        free(input);
        linear_destroy(&linear);
    }
}

static void compare_gelu(const float *values, size_t count) {
    struct test_levels levels = test_levels();
    struct output expected = output_create(count * sizeof(float));
    memcpy(expected.data, values, expected.size);
    kernels_reference.gelu_f32(expected.data, count);
    for (size_t i = 0; i < count; i++) {
        double x = (double)values[i];
        double exact = 0.5 * x * erfc(-x * 0.70710678118654752440);
        assert_true(fabs((double)((const float *)expected.data)[i] - exact) <= 2e-7 * fmax(1, fabs(x)));
    }
    for (size_t l = 1; l < levels.count; l++) {
        struct output found = output_create(count * sizeof(float));
        memcpy(found.data, values, found.size);
        levels.levels[l]->gelu_f32(found.data, count);
        output_compare(&expected, &found, "gelu_f32", levels.levels[l]->name);
    }
    output_destroy(&expected);
}

static void gelu_f32_is_the_erf_form(void **state) {
    (void)state;
    struct random random = {2};
    enum { COUNT = 20000 };
    float *values = aligned(COUNT * sizeof(float));
    for (size_t i = 0; i < COUNT; i++)
        values[i] = ((float)i - COUNT / 2) * (16.0f / COUNT);
    compare_gelu(values, COUNT);
    random_units(&random, values, COUNT, 0, 2);
    compare_gelu(values, COUNT);
    const float edges[16] = {0,       -0.0f, 1e-38f, -1e-38f, FLT_MIN, -FLT_MIN, FLT_EPSILON, 1e-45f,
                             -1e-45f, 13.3f, -13.3f, 100.0f,  -100.0f, 1e15f,    -1e15f,      -1e18f};
    memcpy(values, edges, sizeof edges);
    compare_gelu(values, 16);
    free(values);
}

static struct output run_normalize(const struct normalization *normalization, const float *addend,
                                   const float *residual, size_t rows, const struct kernels *kernels) {
    struct output out = output_create(rows * normalization->size * sizeof(float));
    memcpy(out.data, residual, out.size);
    kernels->normalize_f32(normalization, addend, rows, out.data);
    return out;
}

static void check_normalized_row(const struct normalization *normalization, const float *addend,
                                 const float *residual, const float *found) {
    size_t size = normalization->size;
    double mean = 0, variance = 0;
    for (size_t i = 0; i < size; i++)
        mean += ((double)addend[i] + (double)residual[i]) / (double)size;
    for (size_t i = 0; i < size; i++) {
        double centred = (double)addend[i] + (double)residual[i] - mean;
        variance += centred * centred / (double)size;
    }
    double inverse = 1 / sqrt(variance + (double)normalization->epsilon);
    for (size_t i = 0; i < size; i++) {
        double unit = ((double)addend[i] + (double)residual[i] - mean) * inverse;
        double y = unit * (double)normalization->weight[i] + (double)normalization->bias[i];
        assert_true(fabs((double)found[i] - y) <= 1e-5 * (1 + fabs(y)));
    }
}

static void compare_normalize(const struct normalization *normalization, const float *addend,
                              const float *residual, size_t rows) {
    struct test_levels levels = test_levels();
    size_t size = normalization->size;
    struct output expected = run_normalize(normalization, addend, residual, rows, &kernels_reference);
    for (size_t r = 0; r < rows; r++)
        check_normalized_row(normalization, addend + r * size, residual + r * size,
                             (const float *)expected.data + r * size);
    for (size_t l = 1; l < levels.count; l++) {
        struct output found = run_normalize(normalization, addend, residual, rows, levels.levels[l]);
        output_compare(&expected, &found, "normalize_f32", levels.levels[l]->name);
    }
    output_destroy(&expected);
}

static void normalize_f32_is_layer_norm(void **state) {
    (void)state;
    struct random random = {3};
    static const float magnitudes[] = {1, 1e-4f, 0, 1e15f};
    for (size_t rows = 1; rows <= MOST_ROWS; rows++) {
        size_t size = input_sizes[rows % COUNT_OF(input_sizes)];
        float magnitude = magnitudes[rows % COUNT_OF(magnitudes)];
        float *weight = aligned(size * sizeof(float)), *bias = aligned(size * sizeof(float));
        float *addend = aligned(rows * size * sizeof(float));
        float *residual = aligned(rows * size * sizeof(float));
        random_units(&random, weight, size, 1, 0.5f);
        random_units(&random, bias, size, 0, 1);
        random_units(&random, addend, rows * size, 0, magnitude);
        random_units(&random, residual, rows * size, 0, magnitude);
        compare_normalize(&(struct normalization){weight, bias, size, 1e-12f}, addend, residual, rows);
        free(residual);
        free(addend);
        free(bias);
        free(weight);
    }
}

/* Benchmarks: one layer of a MiniLM (hidden size 384) for 128 tokens. */

#define BENCHMARK_ROWS 128u
#define HIDDEN         384u

struct benchmark_data {
    struct test_linear linear;
    struct normalization normalization;
    float *input, *out;
};

static void run_linear_f32(const struct kernels *kernels, void *memory) {
    struct benchmark_data *data = memory;
    kernels->linear_f32(&data->linear.f32, 0, HIDDEN / 32, data->input, HIDDEN, BENCHMARK_ROWS, data->out,
                        HIDDEN);
}

static void run_gelu_f32(const struct kernels *kernels, void *memory) {
    struct benchmark_data *data = memory;
    kernels->gelu_f32(data->out, BENCHMARK_ROWS * HIDDEN);
}

static void run_normalize_f32(const struct kernels *kernels, void *memory) {
    struct benchmark_data *data = memory;
    kernels->normalize_f32(&data->normalization, data->input, BENCHMARK_ROWS, data->out);
}

static void run_benchmarks(void) {
    struct random random = {4};
    const size_t size = (size_t)BENCHMARK_ROWS * HIDDEN;
    struct benchmark_data data = {
        .linear = linear_create(&random, HIDDEN, HIDDEN, CONTENT_RANDOM, 0.001f),
        .input = aligned(size * sizeof(float)),
        .out = aligned(size * sizeof(float)),
    };
    random_units(&random, data.input, size, 0, 1);
    random_units(&random, data.out, size, 0, 1);
    data.normalization = (struct normalization){data.linear.f32.bias, data.linear.f32.bias, HIDDEN, 1e-12f};
    const struct benchmark benchmarks[] = {
        {"linear_f32 384 x 384, 128 rows", "GMAC/s", (double)size * HIDDEN, run_linear_f32, &data},
        {"gelu_f32 128 x 384", "GB/s", (double)size * 8, run_gelu_f32, &data},
        {"normalize_f32 128 x 384", "GB/s", (double)size * 12, run_normalize_f32, &data},
    };
    benchmark_print_header();
    for (size_t i = 0; i < COUNT_OF(benchmarks); i++)
        benchmark_print(&benchmarks[i]);
    linear_destroy(&data.linear);
    free(data.input);
    free(data.out);
}

int main(int argument_count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_f32_is_a_matrix_product),
        cmocka_unit_test(gelu_f32_is_the_erf_form),
        cmocka_unit_test(normalize_f32_is_layer_norm),
    };
    if (benchmarks_wanted(argument_count, arguments)) {
        run_benchmarks();
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
