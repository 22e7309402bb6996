/* The 8-bit kernels of every level that this CPU offers: the reference against what kernels.h says, computed
 * plainly in wide types, and every other level against the reference, to the bit. With --bench it measures
 * them instead. */
#include "kernel_test.h"
#include "kernels/levels.h"
#include "kernels/peak.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t input_sizes[] = {64, 128, 192, 384, 768, 1536};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define MOST_ROWS       37u

/* What rows of floats look like. */
enum rows_kind {
    ROWS_RANDOM,
    ROWS_ZERO,
    ROWS_TIES,  /* multiples of a half beside 127: each is halfway between two integers */
    ROWS_SPIKE, /* one large value among small ones */
    ROWS_HUGE,
    ROWS_TINY,
    ROWS_DENORMAL, /* too small for a scale */
    ROWS_KINDS,
};

static void fill_row(struct random *random, float *row, size_t size, unsigned kind) {
    static const float magnitudes[ROWS_KINDS] = {4, 0, 0, 1e-3f, 1e30f, 1e-30f, 1e-39f};
    random_units(random, row, size, 0, magnitudes[kind]);
    if (kind == ROWS_TIES) {
        for (size_t i = 0; i < size; i++)
            row[i] = (float)random_between(random, -254, 254) / 2;
        row[0] = 127;
    }
    if (kind == ROWS_SPIKE)
        row[random_below(random, (uint32_t)size)] = random_below(random, 2) ? -100 : 100;
}

/* The row as its transform leaves it. */
static float *transformed(const float *row, const struct input_transform *transform, size_t size) {
    float *result = aligned(size * sizeof(float));
    for (size_t i = 0; i < size; i++)
        result[i] =
            transform->scale != NULL ? fmaf(row[i], transform->scale[i], transform->shift[i]) : row[i];
    return result;
}

static void check_quantized_row(const float *row, const struct input_transform *transform,
                                const struct quantized *quantized, size_t r) {
    float *u = transformed(row, transform, quantized->columns);
    float largest = 0, scale = ((const float *)quantized->scales.data)[r];
    int extreme = 0;
    for (size_t i = 0; i < quantized->columns; i++)
        largest = fmaxf(largest, fabsf(u[i]));
    assert_true(scale == largest / 127);
    for (size_t i = 0; i < quantized->columns; i++) {
        int value = reference_value(quantized, r, i);
        double error = fabs((double)value * (double)scale - (double)u[i]);
        if (largest > 1e-36f)
            assert_true(error <= 0.50001 * (double)scale);
        else
            assert_true(value == 0);
        extreme = abs(value) > extreme ? abs(value) : extreme;
    }
    assert_int_equal(extreme, largest > 1e-36f ? 127 : 0);
    free(u);
}

/* A call of quantize. */
struct quantize_case {
    const float *values;
    size_t stride, rows, columns;
    const struct input_transform *transform;
};

static struct quantized run_quantize(const struct quantize_case *c, const struct kernels *kernels) {
    struct quantized quantized = quantized_create(c->rows, c->columns);
    struct activations activations = quantized_activations(&quantized);
    kernels->quantize(c->values, c->stride, c->rows, c->transform, &activations);
    quantized_to_reference(&quantized, kernels);
    return quantized;
}

static void compare_quantize(const struct quantize_case *c) {
    struct test_levels levels = test_levels();
    struct quantized expected = run_quantize(c, &kernels_reference);
    for (size_t r = 0; r < c->rows; r++)
        check_quantized_row(c->values + r * c->stride, c->transform, &expected, r);
    for (size_t l = 1; l < levels.count; l++) {
        struct quantized found = run_quantize(c, levels.levels[l]);
        quantized_compare(&expected, &found, "quantize", levels.levels[l]->name);
    }
    quantized_destroy(&expected);
}

static const struct input_transform no_transform = {0};

static void quantize_rounds_to_the_nearest(void **state) {
    (void)state;
    struct random random = {1};
    for (size_t rows = 1; rows <= MOST_ROWS; rows++) {
        size_t columns = input_sizes[rows % COUNT_OF(input_sizes)], stride = columns + 16 * (rows % 3);
        float *values = aligned(rows * stride * sizeof(float));
        for (size_t r = 0; r < rows; r++)
            fill_row(&random, values + r * stride, stride, (unsigned)(r + rows) % ROWS_KINDS);
        struct input_transform transform = transform_create(&random, columns, false);
        compare_quantize(&(struct quantize_case){values, stride, rows, columns, &no_transform});
        compare_quantize(&(struct quantize_case){values, stride, rows, columns, &transform});
        transform_destroy(&transform);
        free(values);
    }
}

static void halves_round_to_even(void **state) {
    (void)state;
    float *row = aligned(64 * sizeof(float));
    for (int i = 0; i < 64; i++)
        row[i] = (float)i - 31.5f;
    row[63] = 127; /* a scale of exactly 1 */
    struct quantized quantized =
        run_quantize(&(struct quantize_case){row, 64, 1, 64, &no_transform}, &kernels_reference);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(reference_value(&quantized, 0, i), lrintf(row[i]));
    quantized_destroy(&quantized);
    free(row);
}

static int64_t exact_dot(const struct test_linear *linear, const struct quantized *input, size_t row,
                         size_t output) {
    int64_t sum = 0;
    size_t inputs = linear->int8.inputs;
    for (size_t k = 0; k < inputs; k++)
        sum += (int64_t)reference_value(input, row, k) * linear->unpacked[output * inputs + k];
    return sum;
}

/* One call of `linear` on some panels of a wider output. */
struct linear_case {
    const struct test_linear *linear;
    const struct quantized *input;
    size_t first_panel, panels, stride;
};

static struct output run_linear(const struct linear_case *c, const struct kernels *kernels) {
    struct output out = output_create(c->input->rows * c->stride * sizeof(float));
    struct quantized input = activations_for(c->input, kernels);
    struct activations activations = quantized_activations(&input);
    kernels->linear(&c->linear->int8, c->first_panel, c->panels, &activations, c->input->rows, out.data,
                    c->stride);
    quantized_destroy(&input);
    return out;
}

/* out = fma(sum, row scale * column scale, bias), where the sum is exact: so the float must be the very one.
 */
static void check_linear(const struct linear_case *c, const struct output *out) {
    const struct linear *linear = &c->linear->int8;
    const float *found = out->data, *row_scales = c->input->scales.data;
    for (size_t r = 0; r < c->input->rows; r++) {
        for (size_t n = 0; n < c->panels * 32; n++) {
            size_t column = c->first_panel * 32 + n;
            float sum = (float)exact_dot(c->linear, c->input, r, column);
            float expected = fmaf(sum, row_scales[r] * linear->scales[column], linear->bias[column]);
            assert_true(found[r * c->stride + n] == expected);
        }
    }
}

static void compare_linear(const struct linear_case *c) {
    struct test_levels levels = test_levels();
    struct output expected = run_linear(c, &kernels_reference);
    check_linear(c, &expected);
    for (size_t l = 1; l < levels.count; l++) {
        struct output found = run_linear(c, levels.levels[l]);
        output_compare(&expected, &found, "linear", levels.levels[l]->name);
    }
    output_destroy(&expected);
}

static void linear_is_exact(void **state) {
    (void)state;
    struct random random = {2};
    for (size_t i = 0; i < COUNT_OF(input_sizes); i++) {
        struct test_linear linear = linear_create(&random, input_sizes[i], 96, CONTENT_RANDOM, 0.01f);
        for (size_t rows = 1; rows <= MOST_ROWS; rows += i == 0 ? 1 : 3) {
            struct quantized input =
                random_activations(&random, rows, input_sizes[i], CONTENT_RANDOM, false, 0.01f);
            compare_linear(&(struct linear_case){&linear, &input, 0, 3, 96});
            compare_linear(&(struct linear_case){&linear, &input, rows % 3, 1, 32 + 16 * (rows % 4)});
            quantized_destroy(&input);
        }
        linear_destroy(&linear);
    }
}

/* Sums as large as they get: pairs and fours of products must not saturate on the way in any level. */
static void linear_holds_the_largest_sums(void **state) {
    (void)state;
    struct random random = {3};
    for (unsigned weights = 0; weights < CONTENT_COUNT; weights++) {
        struct test_linear linear = linear_create(&random, 1536, 32, weights, 0.01f);
        for (unsigned values = 0; values < CONTENT_COUNT; values++) {
            struct quantized input = random_activations(&random, 13, 1536, values, false, 0.01f);
            compare_linear(&(struct linear_case){&linear, &input, 0, 1, 32});
            quantized_destroy(&input);
        }
        linear_destroy(&linear);
    }
}

static double exact_gelu(double x) {
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}

/* A call of linear_gelu. */
struct gelu_case {
    const struct test_linear *linear;
    const struct quantized *input;
    const struct input_transform *transform;
};

/* Within the error of its polynomials (test_gelu.c) and half a step, of the true GELU. */
static void check_linear_gelu(const struct gelu_case *c, const struct quantized *output) {
    const struct linear *linear = &c->linear->int8;
    const float *row_scales = c->input->scales.data, *output_scales = output->scales.data;
    for (size_t r = 0; r < c->input->rows; r++) {
        double step = (double)output_scales[r];
        for (size_t n = 0; n < linear->outputs; n++) {
            double x = (double)exact_dot(c->linear, c->input, r, n) * (double)row_scales[r] *
                           (double)linear->scales[n] +
                       (double)linear->bias[n];
            double scale = (double)c->transform->scale[n];
            double u = exact_gelu(x) * scale + (double)c->transform->shift[n];
            double found = (reference_value(output, r, n) + 128) * step;
            assert_true(fabs(found - u) <= 3.3e-5 * scale + 0.5001 * step);
        }
    }
}

static struct quantized run_linear_gelu(const struct gelu_case *c, const struct kernels *kernels) {
    const struct linear *linear = &c->linear->int8;
    struct quantized found = quantized_create(c->input->rows, linear->outputs);
    struct quantized copy = activations_for(c->input, kernels);
    struct activations from = quantized_activations(&copy), to = quantized_activations(&found);
    struct output scratch = output_create(kernels_scratch_size(linear->outputs));
    kernels->linear_gelu(linear, &from, c->input->rows, c->transform, &to, scratch.data);
    quantized_to_reference(&found, kernels);
    output_destroy(&scratch);
    quantized_destroy(&copy);
    return found;
}

static void compare_linear_gelu(const struct gelu_case *c) {
    struct test_levels levels = test_levels();
    struct quantized expected = run_linear_gelu(c, &kernels_reference);
    check_linear_gelu(c, &expected);
    for (size_t l = 1; l < levels.count; l++) {
        struct quantized found = run_linear_gelu(c, levels.levels[l]);
        quantized_compare(&expected, &found, "linear_gelu", levels.levels[l]->name);
    }
    quantized_destroy(&expected);
}

static void linear_gelu_is_the_erf_form(void **state) {
    (void)state;
    struct random random = {4};
    static const float scales[] = {1e-30f, 0.0005f, 0.002f, 0.02f, 1e6f};
    for (size_t rows = 1; rows <= MOST_ROWS; rows++) {
        uint32_t inputs = input_sizes[rows % 4], outputs = 64 * (1 + (uint32_t)rows % 5);
        enum content content = rows % 6 == 5 ? CONTENT_EXTREME : CONTENT_RANDOM;
        float scale = scales[rows % COUNT_OF(scales)];
        struct test_linear linear = linear_create(&random, inputs, outputs, content, 0.01f);
        struct quantized input = random_activations(&random, rows, inputs, content, false, scale);
        struct input_transform transform = transform_create(&random, outputs, true);
        compare_linear_gelu(&(struct gelu_case){&linear, &input, &transform});
        transform_destroy(&transform);
        quantized_destroy(&input);
        linear_destroy(&linear);
    }
}

static struct normalization random_normalization(struct random *random, size_t size) {
    float *weight = aligned(size * sizeof(float)), *bias = aligned(size * sizeof(float));
    random_units(random, weight, size, 1, 0.5f);
    random_units(random, bias, size, 0, 1);
    return (struct normalization){weight, bias, size, 1e-12f};
}

static void normalization_destroy(struct normalization *normalization) {
    free((void *)(uintptr_t)normalization->weight);
    free((void *)(uintptr_t)normalization->bias);
}

/* LayerNorm of x, in place. */
static void exact_layer_norm(const struct normalization *normalization, double *x) {
    size_t size = normalization->size;
    double mean = 0, variance = 0;
    for (size_t i = 0; i < size; i++)
        mean += x[i] / (double)size;
    for (size_t i = 0; i < size; i++)
        variance += (x[i] - mean) * (x[i] - mean) / (double)size;
    double inverse = 1 / sqrt(variance + (double)normalization->epsilon);
    for (size_t i = 0; i < size; i++)
        x[i] = (x[i] - mean) * inverse * (double)normalization->weight[i] + (double)normalization->bias[i];
}

/* A call of linear_normalize, and what it wrote. */
struct normalize_case {
    const struct test_linear *linear;
    const struct quantized *input;
    const struct normalization *normalization;
    const float *residual; /* [rows][outputs], before the call */
    bool input_is_gelu;
    const struct input_transform *transform;
};

struct normalized {
    struct output residual;
    struct quantized quantized;
};

static struct normalized run_linear_normalize(const struct normalize_case *c, const struct kernels *kernels) {
    size_t outputs = c->linear->int8.outputs, rows = c->input->rows;
    struct normalized result = {output_create(rows * outputs * sizeof(float)),
                                quantized_create(rows, outputs)};
    struct quantized copy = activations_for(c->input, kernels);
    struct activations from = quantized_activations(&copy), to = quantized_activations(&result.quantized);
    memcpy(result.residual.data, c->residual, result.residual.size);
    kernels->linear_normalize(&c->linear->int8, c->input_is_gelu, &from, rows, c->normalization,
                              result.residual.data, c->transform, c->transform != NULL ? &to : NULL);
    if (c->transform != NULL)
        quantized_to_reference(&result.quantized, kernels);
    quantized_destroy(&copy);
    return result;
}

static void check_linear_normalize(const struct normalize_case *c, const struct normalized *result) {
    size_t outputs = c->linear->int8.outputs, inputs = c->linear->int8.inputs;
    const float *row_scales = c->input->scales.data, *found = result->residual.data;
    double *x = aligned(outputs * sizeof(double));
    for (size_t r = 0; r < c->input->rows; r++) {
        for (size_t n = 0; n < outputs; n++) {
            double sum = (double)exact_dot(c->linear, c->input, r, n);
            for (size_t k = 0; k < inputs && c->input_is_gelu; k++)
                sum += 128.0 * c->linear->unpacked[n * inputs + k];
            x[n] = sum * (double)row_scales[r] * (double)c->linear->int8.scales[n] +
                   (double)c->linear->int8.bias[n] + (double)c->residual[r * outputs + n];
        }
        exact_layer_norm(c->normalization, x);
        for (size_t n = 0; n < outputs; n++)
            assert_true(fabs((double)found[r * outputs + n] - x[n]) <= 2e-5 * (1 + fabs(x[n])));
        if (c->transform != NULL)
            check_quantized_row(found + r * outputs, c->transform, &result->quantized, r);
    }
    free(x);
}

static void compare_linear_normalize(const struct normalize_case *c) {
    struct test_levels levels = test_levels();
    struct normalized expected = run_linear_normalize(c, &kernels_reference);
    check_linear_normalize(c, &expected);
    for (size_t l = 1; l < levels.count; l++) {
        struct normalized found = run_linear_normalize(c, levels.levels[l]);
        output_compare(&expected.residual, &found.residual, "linear_normalize", levels.levels[l]->name);
        quantized_compare(&expected.quantized, &found.quantized, "linear_normalize", levels.levels[l]->name);
    }
    output_destroy(&expected.residual);
    quantized_destroy(&expected.quantized);
}

static void linear_normalize_adds_and_normalizes(void **state) {
    (void)state;
    struct random random = {5};
    for (size_t rows = 1; rows <= MOST_ROWS; rows++) {
        bool of_gelu = rows % 2 == 1;
        uint32_t inputs = input_sizes[rows % 5], outputs = 64 * (1 + (uint32_t)rows % 6);
        enum content content =
            rows % 5 == 4 ? (of_gelu ? CONTENT_SMALLEST : CONTENT_EXTREME) : CONTENT_RANDOM;
        struct test_linear linear = linear_create(&random, inputs, outputs, content, 0.001f);
        struct quantized input = random_activations(&random, rows, inputs, content, of_gelu, 0.01f);
        struct normalization normalization = random_normalization(&random, outputs);
        struct input_transform transform = transform_create(&random, outputs, false);
        float *residual = aligned(rows * outputs * sizeof(float));
        random_units(&random, residual, rows * outputs, 0.1f, 2);
        struct normalize_case c = {&linear, &input, &normalization, residual, of_gelu, &transform};
        compare_linear_normalize(&c);
        c.transform = &no_transform;
        compare_linear_normalize(&c);
        c.transform = NULL; /* after the last layer nothing is quantized */
        compare_linear_normalize(&c);
        free(residual);
        transform_destroy(&transform);
        normalization_destroy(&normalization);
        quantized_destroy(&input);
        linear_destroy(&linear);
    }
}

#define VOCABULARY 50u
#define POSITIONS  40u

struct embed_case {
    struct embedding_tables tables;
    struct normalization normalization;
    int32_t ids[POSITIONS];
    size_t count, first_segment;
};

static void check_embed(const struct embed_case *c, const struct output *residual) {
    size_t size = c->normalization.size;
    double *x = aligned(size * sizeof(double));
    for (size_t t = 0; t < c->count; t++) {
        size_t id = (size_t)c->ids[t];
        for (size_t i = 0; i < size; i++) {
            double word = c->tables.word != NULL
                              ? c->tables.word[id * size + i] * (double)c->tables.word_scales[id]
                              : (double)c->tables.word_f32[id * size + i];
            x[i] = word + (double)c->tables.position[t * size + i] +
                   (double)c->tables.segment[(t < c->first_segment ? 0 : size) + i];
        }
        exact_layer_norm(&c->normalization, x);
        for (size_t i = 0; i < size; i++)
            assert_true(fabs((double)((const float *)residual->data)[t * size + i] - x[i]) <=
                        2e-5 * (1 + fabs(x[i])));
    }
    free(x);
}

static struct output run_embed(const struct embed_case *c, const struct kernels *kernels) {
    struct output residual = output_create(c->count * c->normalization.size * sizeof(float));
    kernels->embed(&c->tables, &c->normalization, c->ids, c->count, c->first_segment, residual.data);
    return residual;
}

static void compare_embed(const struct embed_case *c) {
    struct test_levels levels = test_levels();
    struct output expected = run_embed(c, &kernels_reference);
    check_embed(c, &expected);
    for (size_t l = 1; l < levels.count; l++) {
        struct output found = run_embed(c, levels.levels[l]);
        output_compare(&expected, &found, "embed", levels.levels[l]->name);
    }
    output_destroy(&expected);
}

static void embed_adds_three_tables(void **state) {
    (void)state;
    struct random random = {6};
    const size_t size = 192;
    int8_t *word = aligned(VOCABULARY * size);
    float *word_f32 = aligned(VOCABULARY * size * sizeof(float));
    float *scales = aligned(VOCABULARY * sizeof(float));
    float *position = aligned(POSITIONS * size * sizeof(float));
    float *segment = aligned(2 * size * sizeof(float));
    for (size_t i = 0; i < VOCABULARY * size; i++)
        word[i] = (int8_t)random_between(&random, -127, 127);
    random_units(&random, word_f32, VOCABULARY * size, 0, 1);
    random_units(&random, scales, VOCABULARY, 0.01f, 0.005f);
    random_units(&random, position, POSITIONS * size, 0, 0.1f);
    random_units(&random, segment, 2 * size, 0, 0.1f);
    for (size_t count = 1; count <= POSITIONS; count++) {
        struct embed_case c = {.normalization = random_normalization(&random, size), .count = count};
        for (size_t t = 0; t < count; t++)
            c.ids[t] = (int32_t)random_below(&random, VOCABULARY);
        c.first_segment = random_below(&random, (uint32_t)count + 1);
        c.tables = (struct embedding_tables){word, scales, NULL, position, segment};
        compare_embed(&c);
        c.tables = (struct embedding_tables){NULL, NULL, word_f32, position, segment};
        compare_embed(&c);
        normalization_destroy(&c.normalization);
    }
    free(segment);
    free(position);
    free(scales);
    free(word_f32);
    free(word);
}

static void a_row_does_not_depend_on_the_others(void **state) {
    (void)state;
    struct test_levels levels = test_levels();
    struct random random = {7};
    struct test_linear linear = linear_create(&random, 384, 64, CONTENT_RANDOM, 0.01f);
    struct quantized input = random_activations(&random, MOST_ROWS, 384, CONTENT_RANDOM, false, 0.01f);
    for (size_t l = 0; l < levels.count; l++) {
        struct output together =
            run_linear(&(struct linear_case){&linear, &input, 0, 2, 64}, levels.levels[l]);
        for (size_t r = 0; r < MOST_ROWS; r++) {
            struct quantized one = quantized_create(1, 384);
            memcpy(one.values.data, (const char *)input.values.data + r * 384, 384);
            memcpy(one.scales.data, (const float *)input.scales.data + r, sizeof(float));
            struct output alone =
                run_linear(&(struct linear_case){&linear, &one, 0, 2, 64}, levels.levels[l]);
            assert_memory_equal(alone.data, (const char *)together.data + r * alone.size, alone.size);
            output_destroy(&alone);
            quantized_destroy(&one);
        }
        output_destroy(&together);
    }
    quantized_destroy(&input);
    linear_destroy(&linear);
}

static void the_peak_can_be_measured(void **state) {
    (void)state;
    struct test_levels levels = test_levels();
    for (size_t l = 0; l < levels.count; l++)
        assert_true(levels.levels[l]->int8_dot_rounds(3) == 3 * levels.levels[l]->int8_dot_rounds(1));
}

/* Benchmarks: one layer of a MiniLM (hidden size 384) for 128 tokens. */

#define BENCHMARK_ROWS 128u
#define HIDDEN         384u
#define INTERMEDIATE   1536u

struct benchmark_data {
    struct test_linear square, up, down;
    struct quantized hidden, intermediate, hidden_out;
    struct normalization normalization;
    struct input_transform transform, gelu_transform;
    float *rows;
    struct output scratch;
};

static void run_quantize_rows(const struct kernels *kernels, void *memory) {
    struct benchmark_data *data = memory;
    struct activations to = quantized_activations(&data->hidden_out);
    kernels->quantize(data->rows, HIDDEN, BENCHMARK_ROWS, &data->transform, &to);
}

static void run_square(const struct kernels *kernels, void *memory) {
    struct benchmark_data *data = memory;
    struct activations from = quantized_activations(&data->hidden);
    kernels->linear(&data->square.int8, 0, HIDDEN / 32, &from, BENCHMARK_ROWS, data->rows, HIDDEN);
}

static void run_up(const struct kernels *kernels, void *memory) {
    struct benchmark_data *data = memory;
    struct activations from = quantized_activations(&data->hidden);
    struct activations to = quantized_activations(&data->intermediate);
    kernels->linear_gelu(&data->up.int8, &from, BENCHMARK_ROWS, &data->gelu_transform, &to,
                         data->scratch.data);
}

static void run_down(const struct kernels *kernels, void *memory) {
    struct benchmark_data *data = memory;
    struct activations from = quantized_activations(&data->intermediate);
    struct activations to = quantized_activations(&data->hidden_out);
    kernels->linear_normalize(&data->down.int8, 1, &from, BENCHMARK_ROWS, &data->normalization, data->rows,
                              &data->transform, &to);
}

static void print_peaks(void) {
    struct test_levels levels = test_levels();
    printf("%-32s %-6s", "dot product on registers", "GMAC/s");
    for (size_t l = 0; l < levels.count; l++)
        printf(" %12.2f", kernels_measure_int8_peak(levels.levels[l]));
    printf("\n");
}

static void run_benchmarks(void) {
    struct random random = {8};
    struct benchmark_data data = {
        .square = linear_create(&random, HIDDEN, HIDDEN, CONTENT_RANDOM, 0.001f),
        .up = linear_create(&random, HIDDEN, INTERMEDIATE, CONTENT_RANDOM, 0.001f),
        .down = linear_create(&random, INTERMEDIATE, HIDDEN, CONTENT_RANDOM, 0.001f),
        .hidden = random_activations(&random, BENCHMARK_ROWS, HIDDEN, CONTENT_RANDOM, false, 0.01f),
        .intermediate =
            random_activations(&random, BENCHMARK_ROWS, INTERMEDIATE, CONTENT_RANDOM, true, 0.01f),
        .hidden_out = quantized_create(BENCHMARK_ROWS, HIDDEN),
        .normalization = random_normalization(&random, HIDDEN),
        .transform = transform_create(&random, HIDDEN, false),
        .gelu_transform = transform_create(&random, INTERMEDIATE, true),
        .rows = aligned(BENCHMARK_ROWS * HIDDEN * sizeof(float)),
        .scratch = output_create(kernels_scratch_size(INTERMEDIATE)),
    };
    random_units(&random, data.rows, BENCHMARK_ROWS * HIDDEN, 0, 1);
    const double square = (double)BENCHMARK_ROWS * HIDDEN * HIDDEN * 1.0;
    const struct benchmark benchmarks[] = {
        {"linear 384 x 384, 128 rows", "GMAC/s", square, run_square, &data},
        {"linear_gelu 384 x 1536", "GMAC/s", 4 * square, run_up, &data},
        {"linear_normalize 1536 x 384", "GMAC/s", 4 * square, run_down, &data},
        {"quantize 128 x 384", "GB/s", BENCHMARK_ROWS * HIDDEN * 5.0, run_quantize_rows, &data},
    };
    benchmark_print_header();
    print_peaks();
    for (size_t i = 0; i < COUNT_OF(benchmarks); i++)
        benchmark_print(&benchmarks[i]);
    linear_destroy(&data.square);
    linear_destroy(&data.up);
    linear_destroy(&data.down);
    quantized_destroy(&data.hidden);
    quantized_destroy(&data.intermediate);
    quantized_destroy(&data.hidden_out);
    normalization_destroy(&data.normalization);
    transform_destroy(&data.transform);
    transform_destroy(&data.gelu_transform);
    output_destroy(&data.scratch);
    free(data.rows);
}

int main(int argument_count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantize_rounds_to_the_nearest),
        cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(linear_is_exact),
        cmocka_unit_test(linear_holds_the_largest_sums),
        cmocka_unit_test(linear_gelu_is_the_erf_form),
        cmocka_unit_test(linear_normalize_adds_and_normalizes),
        cmocka_unit_test(embed_adds_three_tables),
        cmocka_unit_test(a_row_does_not_depend_on_the_others),
        cmocka_unit_test(the_peak_can_be_measured),
    };
    if (benchmarks_wanted(argument_count, arguments)) {
        run_benchmarks();
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
