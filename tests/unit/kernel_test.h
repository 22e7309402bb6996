/* What the tests of the kernels share: the levels that this CPU offers, memory whose edges are watched, rows
 * and layers of every kind, and benchmarks. */
#ifndef RESCOLDO_TESTS_KERNEL_TEST_H
#define RESCOLDO_TESTS_KERNEL_TEST_H

#include "kernels/kernels.h"
#include "random.h"
#include "unit_test.h"

#include <stdbool.h>

#define TEST_MAX_LEVELS 8u

struct test_levels {
    const struct kernels *levels[TEST_MAX_LEVELS]; /* the reference first */
    size_t count;
};

struct test_levels test_levels(void);

/* The byte that stands for a zero: 128 when the level's bytes are unsigned, 0 when they are signed
 * (kernels/levels.h). */
uint8_t zero_byte(const struct kernels *kernels);

/* Memory aligned as the kernels want it, which ends where it ends: reading beyond it is an error for the
 * address sanitizer and for valgrind. The test frees it. */
void *aligned(size_t size);

/* An output: the same between two guards of bytes, which check_guards looks at. */
struct output {
    unsigned char *memory;
    size_t size;
    void *data;
};

/* Filled with a pattern, so that bytes that nobody writes show up. */
struct output output_create(size_t size);
/* What lies beside the data must be as output_create left it. */
void output_check_guards(const struct output *output);
void output_destroy(struct output *output);
/* Checks the guards and that both hold the same bytes; destroys `found`. what and level are for the message.
 */
void output_compare(const struct output *expected, struct output *found, const char *what, const char *level);

/* Quantized rows whose values and scales are guarded outputs. */
struct quantized {
    struct output values, scales;
    size_t rows, columns;
};

struct quantized quantized_create(size_t rows, size_t columns);
struct activations quantized_activations(const struct quantized *quantized);
void quantized_destroy(struct quantized *quantized);
/* Turns the level's bytes into those of the reference. */
void quantized_to_reference(struct quantized *quantized, const struct kernels *kernels);
void quantized_compare(const struct quantized *expected, struct quantized *found, const char *what,
                       const char *level);
/* The signed value of a byte that the reference wrote. */
int reference_value(const struct quantized *quantized, size_t row, size_t column);

enum content {
    CONTENT_RANDOM,
    CONTENT_EXTREME,  /* only the smallest and the largest values */
    CONTENT_LARGEST,  /* all at the largest: the sums grow as far as they can */
    CONTENT_SMALLEST, /* all at the smallest */
    CONTENT_ZERO,
    CONTENT_COUNT,
};

/* Activations for `linear` in the bytes of the reference: signed values from -127, or, of_gelu, those of
 * linear_gelu, 0 to 255. Scales are random, up to scale. */
struct quantized random_activations(struct random *random, size_t rows, size_t columns, enum content content,
                                    bool of_gelu, float scale);
/* A copy in the bytes of another level. */
struct quantized activations_for(const struct quantized *reference, const struct kernels *kernels);

/* A linear layer with both kinds of weights; unpacked [outputs][inputs] holds what the int8 panels stand for
 * before scaling. */
struct test_linear {
    struct linear int8, f32;
    int8_t *unpacked;
    float *weights; /* [outputs][inputs], of panels_f32 */
    void *memory[6];
};

struct test_linear linear_create(struct random *random, uint32_t inputs, uint32_t outputs,
                                 enum content content, float scale);
void linear_destroy(struct test_linear *linear);

/* A random transform of activations; of_gelu: one that leaves no value of GELU below zero. */
struct input_transform transform_create(struct random *random, size_t columns, bool of_gelu);
void transform_destroy(struct input_transform *transform);

/* One kernel at one level, for --bench. `operations` are those of one run: multiply-accumulates, or bytes
 * read and written. */
struct benchmark {
    const char *name;
    const char *unit; /* "GMAC/s" or "GB/s" */
    double operations;
    void (*run)(const struct kernels *kernels, void *data);
    void *data;
};

/* Prints one line with the rate at every level: the best of many short runs, by the thread's own CPU time. */
void benchmark_print_header(void);
void benchmark_print(const struct benchmark *benchmark);

bool benchmarks_wanted(int argument_count, char **arguments);

#endif
