#include "kernel_test.h"

#include "kernels/levels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GUARD_SIZE 256u
#define GUARD_BYTE 0xa5u
#define UNWRITTEN  0x5au

struct test_levels test_levels(void) {
    struct test_levels levels;
    levels.count = kernels_available(levels.levels, TEST_MAX_LEVELS);
    assert_true(levels.count >= 1 && levels.count < TEST_MAX_LEVELS);
    assert_string_equal(levels.levels[0]->name, "reference");
    return levels;
}

static uint8_t signed_values_of_zero(const struct kernels *kernels) {
    _Alignas(64) static const float zeros[KERNEL_INPUT_MULTIPLE];
    _Alignas(64) uint8_t values[KERNEL_INPUT_MULTIPLE];
    float scale;
    const struct input_transform none = {0};
    kernels->quantize(zeros, KERNEL_INPUT_MULTIPLE, 1, &none,
                      &(struct activations){values, &scale, sizeof values});
    return values[0];
}

uint8_t zero_byte(const struct kernels *kernels) {
    uint8_t zero = signed_values_of_zero(kernels);
    assert_true(zero == 0 || zero == 128);
    return zero;
}

void *aligned(size_t size) {
    void *memory = NULL;
    assert_int_equal(posix_memalign(&memory, 64, size), 0);
    return memory;
}

struct output output_create(size_t size) {
    struct output output = {.memory = aligned(size + 2 * GUARD_SIZE), .size = size};
    memset(output.memory, GUARD_BYTE, size + 2 * GUARD_SIZE);
    output.data = output.memory + GUARD_SIZE;
    memset(output.data, UNWRITTEN, size);
    return output;
}

void output_check_guards(const struct output *output) {
    const unsigned char *after = output->memory + GUARD_SIZE + output->size;
    for (size_t i = 0; i < GUARD_SIZE; i++) {
        assert_int_equal(output->memory[i], GUARD_BYTE);
        assert_int_equal(after[i], GUARD_BYTE);
    }
}

void output_destroy(struct output *output) {
    output_check_guards(output);
    free(output->memory);
}

void output_compare(const struct output *expected, struct output *found, const char *what,
                    const char *level) {
    assert_int_equal(expected->size, found->size);
    const unsigned char *a = expected->data, *b = found->data;
    if (memcmp(a, b, expected->size) != 0) {
        size_t at = 0;
        while (a[at] == b[at])
            at++;
        fail_msg("%s at level %s differs from the reference at byte %zu of %zu", what, level, at,
                 expected->size);
    }
    output_destroy(found);
}

struct quantized quantized_create(size_t rows, size_t columns) {
    return (struct quantized){output_create(rows * columns), output_create(rows * sizeof(float)), rows,
                              columns};
}

struct activations quantized_activations(const struct quantized *quantized) {
    return (struct activations){quantized->values.data, quantized->scales.data, quantized->columns};
}

void quantized_destroy(struct quantized *quantized) {
    output_destroy(&quantized->values);
    output_destroy(&quantized->scales);
}

/* Either form is the other plus 128, modulo 256. */
void quantized_to_reference(struct quantized *quantized, const struct kernels *kernels) {
    uint8_t shift = (uint8_t)(zero_byte(kernels) - zero_byte(&kernels_reference));
    uint8_t *values = quantized->values.data;
    for (size_t i = 0; i < quantized->values.size; i++)
        values[i] = (uint8_t)(values[i] - shift);
}

void quantized_compare(const struct quantized *expected, struct quantized *found, const char *what,
                       const char *level) {
    output_compare(&expected->values, &found->values, what, level);
    output_compare(&expected->scales, &found->scales, what, level);
}

int reference_value(const struct quantized *quantized, size_t row, size_t column) {
    return ((const int8_t *)quantized->values.data)[row * quantized->columns + column];
}

static int content_value(struct random *random, enum content content, int low, int high) {
    switch (content) {
    case CONTENT_EXTREME:
        return random_below(random, 2) ? low : high;
    case CONTENT_LARGEST:
        return high;
    case CONTENT_SMALLEST:
        return low;
    case CONTENT_ZERO:
        return 0;
    default:
        return random_between(random, low, high);
    }
}

struct quantized random_activations(struct random *random, size_t rows, size_t columns, enum content content,
                                    bool of_gelu, float scale) {
    struct quantized quantized = quantized_create(rows, columns);
    int8_t *values = quantized.values.data;
    float *scales = quantized.scales.data;
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = (int8_t)content_value(random, content, of_gelu ? -128 : -127, 127);
    for (size_t r = 0; r < rows; r++)
        scales[r] = scale * (1.5f + 0.5f * random_unit(random)) / 2;
    return quantized;
}

struct quantized activations_for(const struct quantized *reference, const struct kernels *kernels) {
    struct quantized copy = quantized_create(reference->rows, reference->columns);
    uint8_t shift = (uint8_t)(zero_byte(kernels) - zero_byte(&kernels_reference));
    const uint8_t *from = reference->values.data;
    uint8_t *to = copy.values.data;
    for (size_t i = 0; i < reference->values.size; i++)
        to[i] = (uint8_t)(from[i] + shift);
    memcpy(copy.scales.data, reference->scales.data, reference->scales.size);
    return copy;
}

/* Written here once more, and not taken from kernels/pack.c: the layouts as kernels.h states them. */
static void pack(struct test_linear *linear, int8_t *panels, int32_t *compensation, float *panels_f32) {
    size_t inputs = linear->int8.inputs, outputs = linear->int8.outputs;
    for (size_t n = 0; n < outputs; n++) {
        int32_t sum = 0;
        for (size_t k = 0; k < inputs; k++) {
            int8_t value = linear->unpacked[n * inputs + k];
            panels[(n / 32) * 32 * inputs + (k / 4) * 128 + (n % 32) * 4 + k % 4] = value;
            panels_f32[((n / 32) * inputs + k) * 32 + n % 32] = linear->weights[n * inputs + k];
            sum += value;
        }
        compensation[n] = -128 * sum;
    }
}

struct test_linear linear_create(struct random *random, uint32_t inputs, uint32_t outputs,
                                 enum content content, float scale) {
    size_t size = (size_t)inputs * outputs;
    struct test_linear linear = {.unpacked = aligned(size), .weights = aligned(size * sizeof(float))};
    int8_t *panels = aligned(size);
    float *panels_f32 = aligned(size * sizeof(float));
    float *scales = aligned(outputs * sizeof(float));
    float *bias = aligned(outputs * sizeof(float));
    int32_t *compensation = aligned(outputs * sizeof(int32_t));
    linear.int8 = (struct linear){.inputs = inputs,
                                  .outputs = outputs,
                                  .panels = panels,
                                  .scales = scales,
                                  .compensation = compensation,
                                  .bias = bias};
    linear.f32 =
        (struct linear){.inputs = inputs, .outputs = outputs, .panels_f32 = panels_f32, .bias = bias};
    for (size_t i = 0; i < size; i++)
        linear.unpacked[i] = (int8_t)content_value(random, content, -127, 127);
    random_units(random, linear.weights, size, 0, 127 * scale);
    random_units(random, scales, outputs, scale, scale / 2);
    random_units(random, bias, outputs, 0, 1);
    pack(&linear, panels, compensation, panels_f32);
    void *memory[] = {panels, panels_f32, scales, bias, compensation, linear.unpacked};
    memcpy(linear.memory, memory, sizeof memory);
    return linear;
}

void linear_destroy(struct test_linear *linear) {
    for (size_t i = 0; i < sizeof linear->memory / sizeof linear->memory[0]; i++)
        free(linear->memory[i]);
    free(linear->weights);
}

struct input_transform transform_create(struct random *random, size_t columns, bool of_gelu) {
    float *scale = aligned(columns * sizeof(float)), *shift = aligned(columns * sizeof(float));
    random_units(random, scale, columns, 1, 0.75f);
    random_units(random, shift, columns, 0, 1);
    for (size_t i = 0; i < columns && of_gelu; i++)
        shift[i] = KERNEL_GELU_OFFSET * scale[i];
    return (struct input_transform){scale, shift};
}

void transform_destroy(struct input_transform *transform) {
    free((void *)(uintptr_t)transform->scale);
    free((void *)(uintptr_t)transform->shift);
}

static double thread_seconds(void) {
    struct timespec time;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), 0);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double best_rate(const struct benchmark *benchmark, const struct kernels *kernels) {
    double best = INFINITY, start = thread_seconds();
    for (int run = 0; run < 1000 && (run < 5 || thread_seconds() - start < 0.3); run++) {
        double before = thread_seconds();
        benchmark->run(kernels, benchmark->data);
        best = fmin(best, thread_seconds() - before);
    }
    return benchmark->operations / best * 1e-9;
}

void benchmark_print_header(void) {
    struct test_levels levels = test_levels();
    printf("%-32s %-6s", "", "");
    for (size_t i = 0; i < levels.count; i++)
        printf(" %12s", levels.levels[i]->name);
    printf("\n");
}

void benchmark_print(const struct benchmark *benchmark) {
    struct test_levels levels = test_levels();
    printf("%-32s %-6s", benchmark->name, benchmark->unit);
    for (size_t i = 0; i < levels.count; i++) {
        printf(" %12.2f", best_rate(benchmark, levels.levels[i]));
        (void)fflush(stdout);
    }
    printf("\n");
}

bool benchmarks_wanted(int argument_count, char **arguments) {
    return argument_count == 2 && strcmp(arguments[1], "--bench") == 0;
}
