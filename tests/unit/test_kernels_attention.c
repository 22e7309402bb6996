/* Attention of every level that this CPU offers, on bytes and on floats: the reference against softmax in
 * double precision, and every other level against the reference, to the bit. With --bench it measures them
 * instead. */
#include "kernel_test.h"
#include "kernels/levels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const size_t head_sizes[] = {32, 64, 128};
static const size_t token_counts[] = {1,  2,  3,  4,  5,  7,   11,  15,  16,  17,  23,  31,  32,  33,  37,
                                      63, 64, 65, 95, 97, 127, 128, 129, 255, 256, 257, 351, 479, 511, 512};

/* What queries, keys and values look like. */
enum head_kind {
    HEAD_RANDOM,
    HEAD_SHARP,    /* large scores: a few keys take all the weight */
    HEAD_CONSTANT, /* some columns of keys and values are constant */
    HEAD_ZERO,
    HEAD_OUTLIER, /* one key and one value far from the others */
    HEAD_FAR,     /* all keys and values far from zero, compared with their range */
    HEAD_TINY,
    HEAD_HUGE,
    HEAD_KINDS,
};

struct head_case {
    struct attention_head head; /* without context */
    float *memory;              /* query, key and value of a token side by side, as the encoder has them */
    float *queries;             /* of their own where there are more queries than tokens */
};

static void shape_columns(struct head_case *c, struct random *random, enum head_kind kind) {
    size_t stride = c->head.key_stride;
    for (size_t column = c->head.head_size; column < stride; column++) {
        if (kind == HEAD_CONSTANT && column % 3 == 0)
            for (size_t t = 0; t < c->head.tokens; t++)
                c->memory[t * stride + column] = (float)(column % 5) - 2;
        if (kind == HEAD_OUTLIER && column % 7 == 0)
            c->memory[random_below(random, (uint32_t)c->head.tokens) * stride + column] = 30;
        if (kind == HEAD_FAR)
            for (size_t t = 0; t < c->head.tokens; t++)
                c->memory[t * stride + column] += column % 2 == 0 ? 1000 : -3000;
    }
}

static struct head_case head_create(struct random *random, size_t head_size, size_t tokens, size_t queries,
                                    enum head_kind kind) {
    static const float magnitudes[HEAD_KINDS] = {2, 20, 1, 0, 1, 1, 1e-20f, 1e12f};
    size_t stride = 3 * head_size;
    struct head_case c = {.memory = aligned(tokens * stride * sizeof(float))};
    random_units(random, c.memory, tokens * stride, kind == HEAD_RANDOM ? 0.3f : 0, magnitudes[kind]);
    c.head = (struct attention_head){
        .query = c.memory,
        .query_stride = stride,
        .query_count = queries,
        .key = c.memory + head_size,
        .value = c.memory + 2 * head_size,
        .key_stride = stride,
        .tokens = tokens,
        .head_size = head_size,
        .context_stride = head_size + 32 * (tokens % 3),
    };
    shape_columns(&c, random, kind);
    if (queries > tokens) {
        c.queries = aligned(queries * stride * sizeof(float));
        random_units(random, c.queries, queries * stride, 0, magnitudes[kind]);
        c.head.query = c.queries;
    }
    return c;
}

static void head_destroy(struct head_case *c) {
    free(c->memory);
    free(c->queries);
}

/* softmax(q K^T / sqrt(head_size)) of one query over its keys, up to its sum, which it returns; the largest
 * weight is 1. */
static double exact_weights(const struct attention_head *head, size_t row, double *weights) {
    double largest = -INFINITY, sum = 0;
    for (size_t t = 0; t < head->tokens; t++) {
        weights[t] = 0;
        for (size_t d = 0; d < head->head_size; d++)
            weights[t] += (double)head->query[row * head->query_stride + d] *
                          (double)head->key[t * head->key_stride + d] / sqrt((double)head->head_size);
        largest = fmax(largest, weights[t]);
    }
    for (size_t t = 0; t < head->tokens; t++)
        sum += weights[t] = exp(weights[t] - largest);
    return sum;
}

static double value_at(const struct attention_head *head, size_t token, size_t column) {
    return (double)head->value[token * head->key_stride + column];
}

/* Half the range that a column of keys or values spans. */
static double half_range(const struct attention_head *head, const float *rows, size_t column) {
    double low = INFINITY, high = -INFINITY;
    for (size_t t = 0; t < head->tokens; t++) {
        low = fmin(low, (double)rows[t * head->key_stride + column]);
        high = fmax(high, (double)rows[t * head->key_stride + column]);
    }
    return (high - low) / 2;
}

/* How far quantization may move a score of this query. A key is off by half a step of its column; the query,
 * multiplied by the columns' steps, by half a step of its own, against keys of at most 127. Of a score of
 * such steps the last bits go: 16 steps for each 32 columns at most. */
static double score_error(const struct attention_head *head, size_t row, const double *key_steps) {
    double largest = 0, error = 0;
    for (size_t d = 0; d < head->head_size; d++) {
        double query = fabs((double)head->query[row * head->query_stride + d]);
        error += query * key_steps[d] * 0.5;
        largest = fmax(largest, query * key_steps[d]);
    }
    error += 0.5 * largest * (double)head->head_size + largest / 127 * 16 * (double)(head->head_size / 32);
    return error / sqrt((double)head->head_size);
}

/* The error of one output, o = sum of p v / sum of p. Weights are off by a factor of at most 1 + A (scores
 * twice, the polynomial) and by half a step of 1/255, B; then |o' - o| = |sum of (p' - p)(v - o)| / sum of
 * p', plus half a step of the value. The largest p' is 1, so their sum is at least that. */
static double output_bound(const struct attention_head *head, const double *weights, double sum,
                           double scores_off, size_t column, double o) {
    double factor = exp(2 * fmin(scores_off, 300)) * 1.0002 - 1, step = 0.5 / 255;
    double moved = 0;
    for (size_t t = 0; t < head->tokens; t++)
        moved += fmin(factor * weights[t] + step, 1) * fabs(value_at(head, t, column) - o);
    double least = fmax(1, sum * (1 - factor) - step * (double)head->tokens);
    double range = half_range(head, head->value, column);
    return fmin(moved / least, 2 * range) + 0.51 * range / 127 + 1e-6 * fabs(o);
}

static void check_gaps(const struct attention_head *head, const float *context) {
    uint32_t unwritten = 0x5a5a5a5au;
    for (size_t r = 0; r < head->query_count; r++)
        for (size_t i = head->head_size; i < head->context_stride; i++)
            assert_memory_equal(context + r * head->context_stride + i, &unwritten, sizeof unwritten);
}

/* How far all outputs are off, and how large they are about the middle of their columns. */
struct deviation {
    double error_squares, value_squares;
};

static void check_int8(const struct attention_head *head, const float *context, struct deviation *deviation) {
    double weights[KERNEL_MAX_SEQUENCE], key_steps[KERNEL_MAX_HEAD_SIZE];
    for (size_t d = 0; d < head->head_size; d++)
        key_steps[d] = half_range(head, head->key, d) / 127;
    for (size_t r = 0; r < head->query_count; r++) {
        double sum = exact_weights(head, r, weights), off = score_error(head, r, key_steps);
        for (size_t d = 0; d < head->head_size; d++) {
            double o = 0, found = (double)context[r * head->context_stride + d];
            for (size_t t = 0; t < head->tokens; t++)
                o += weights[t] * value_at(head, t, d) / sum;
            assert_true(fabs(found - o) <= output_bound(head, weights, sum, off, d, o));
            deviation->error_squares += (found - o) * (found - o);
            deviation->value_squares += o * o;
        }
    }
}

static void check_f32(const struct attention_head *head, const float *context, struct deviation *deviation) {
    double weights[KERNEL_MAX_SEQUENCE];
    (void)deviation;
    for (size_t r = 0; r < head->query_count; r++) {
        double sum = exact_weights(head, r, weights);
        for (size_t d = 0; d < head->head_size; d++) {
            double o = 0, size = 0;
            for (size_t t = 0; t < head->tokens; t++) {
                o += weights[t] * value_at(head, t, d) / sum;
                size += weights[t] * fabs(value_at(head, t, d)) / sum;
            }
            assert_true(fabs((double)context[r * head->context_stride + d] - o) <= 1e-5 * size);
        }
    }
}

typedef void (*attention_kernel)(const struct attention_head *head, void *scratch);
typedef void (*attention_check)(const struct attention_head *head, const float *context,
                                struct deviation *deviation);

static attention_kernel kernel_of(const struct kernels *kernels, bool f32) {
    return f32 ? kernels->attention_f32 : kernels->attention;
}

static struct output run_attention(const struct attention_head *head, attention_kernel attention) {
    struct output context = output_create(head->query_count * head->context_stride * sizeof(float));
    struct output scratch = output_create(kernels_scratch_size(64));
    struct attention_head with_context = *head;
    with_context.context = context.data;
    attention(&with_context, scratch.data);
    output_destroy(&scratch);
    return context;
}

/* check may be NULL. */
static void compare_attention(const struct attention_head *head, bool f32, attention_check check,
                              struct deviation *deviation) {
    struct test_levels levels = test_levels();
    struct output expected = run_attention(head, kernel_of(&kernels_reference, f32));
    check_gaps(head, expected.data);
    if (check != NULL)
        check(head, expected.data, deviation);
    for (size_t l = 1; l < levels.count; l++) {
        struct output found = run_attention(head, kernel_of(levels.levels[l], f32));
        output_compare(&expected, &found, f32 ? "attention_f32" : "attention", levels.levels[l]->name);
    }
    output_destroy(&expected);
}

/* All lengths, fewer queries where a sequence is long: rows are independent of each other. */
static size_t queries_for(size_t tokens, size_t round) {
    return tokens <= 37 ? (round % 2 == 0 ? tokens : 1 + round) : 1 + (tokens + round) % 27;
}

static void attention_is_softmax_within_its_bound(void **state) {
    (void)state;
    struct random random = {1};
    for (size_t i = 0; i < COUNT_OF(token_counts); i++) {
        size_t tokens = token_counts[i], head_size = head_sizes[i % 3];
        for (unsigned kind = 0; kind < HEAD_KINDS; kind++) {
            struct deviation deviation = {0};
            struct head_case c = head_create(&random, head_size, tokens, queries_for(tokens, kind), kind);
            /* Sharp and huge scores are off by more than 1: the winner may be another key. */
            bool bounded = kind != HEAD_SHARP && kind != HEAD_HUGE;
            compare_attention(&c.head, false, bounded ? check_int8 : NULL, &deviation);
            if (kind == HEAD_RANDOM)
                assert_true(sqrt(deviation.error_squares) <= 0.01 * sqrt(deviation.value_squares));
            head_destroy(&c);
        }
    }
}

static void attention_f32_is_softmax(void **state) {
    (void)state;
    struct random random = {2};
    for (size_t i = 0; i < COUNT_OF(token_counts); i++) {
        size_t tokens = token_counts[i], head_size = head_sizes[(i + 1) % 3];
        for (unsigned kind = 0; kind < HEAD_KINDS; kind++) {
            struct head_case c =
                head_create(&random, head_size, tokens, 1 + queries_for(tokens, kind) % 5, kind);
            bool bounded = kind != HEAD_SHARP && kind != HEAD_HUGE && kind != HEAD_OUTLIER;
            compare_attention(&c.head, true, bounded ? check_f32 : NULL, NULL);
            head_destroy(&c);
        }
    }
}

/* Equal keys are given equal weight, whatever the query: the context is the values' mean. */
static void equal_keys_average_the_values(void **state) {
    (void)state;
    struct random random = {3};
    struct head_case c = head_create(&random, 64, 77, 77, HEAD_RANDOM);
    for (size_t t = 1; t < 77; t++)
        memcpy(c.memory + t * 192 + 64, c.memory + 64, 64 * sizeof(float));
    struct output context = run_attention(&c.head, kernels_reference.attention);
    const float *found = context.data;
    for (size_t d = 0; d < 64; d++) {
        double mean = 0;
        for (size_t t = 0; t < 77; t++)
            mean += value_at(&c.head, t, d) / 77;
        assert_true(fabs((double)found[d] - mean) <= half_range(&c.head, c.head.value, d) / 127);
        for (size_t r = 1; r < 77; r++)
            assert_true(found[r * c.head.context_stride + d] == found[d]);
    }
    output_destroy(&context);
    head_destroy(&c);
}

/* A head of integers that quantization leaves as they are: keys and queries from -127 to 127, the queries
 * times `unit`, and a value of 127 in one column of each token, so that a context shows the weights. */
static struct head_case head_of_integers(struct random *random, size_t head_size, size_t tokens, float unit) {
    struct head_case c = head_create(random, head_size, tokens, tokens, HEAD_ZERO);
    for (size_t t = 0; t < tokens; t++) {
        float *query = c.memory + t * 3 * head_size, *key = query + head_size, *value = key + head_size;
        for (size_t d = 0; d < head_size; d++) {
            query[d] = d == 0 ? 127 * unit : (float)random_between(random, -127, 127) * unit;
            key[d] = t < 2 ? (t == 0 ? 127.0f : -127.0f) : (float)random_between(random, -127, 127);
            value[d] = d == t ? 127 : 0;
        }
    }
    return c;
}

/* A weight is off by half a step of its byte and, relatively, by what three steps of a score of 16 bits mean
 * (softmax_template.h: the two scores' and that of their distance's power of two). */
static void weights_follow_the_scores(void **state) {
    (void)state;
    static const float units[] = {1e-12f, 1e-7f, 1e-5f, 1e-4f, 3e-4f, 1e-3f, 1e-2f, 0.1f};
    struct random random = {6};
    double weights[KERNEL_MAX_SEQUENCE];
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        for (size_t h = 0; h < COUNT_OF(head_sizes); h++) {
            size_t size = head_sizes[h], tokens = 32;
            double step = 16.0 * (double)(size / 32) * (double)units[i] / sqrt((double)size);
            struct head_case c = head_of_integers(&random, size, tokens, units[i]);
            struct output context = run_attention(&c.head, kernels_reference.attention);
            const float *found = context.data;
            for (size_t r = 0; r < tokens; r++) {
                double sum = exact_weights(&c.head, r, weights);
                for (size_t t = 0; t < tokens; t++) {
                    double weight = (double)found[r * c.head.context_stride + t] / 127 * sum;
                    double most = fmin(1, weights[t] * expm1(3 * step)) + 1e-3 * weights[t] + 1.0 / 255;
                    double of_others = expm1(3 * step) + 1e-3; /* by the sum that all are divided by */
                    assert_true(fabs(weight - weights[t]) <= most + fmin(1, of_others) * weights[t]);
                }
            }
            output_destroy(&context);
            head_destroy(&c);
        }
    }
}

static void a_query_does_not_depend_on_the_others(void **state) {
    (void)state;
    struct test_levels levels = test_levels();
    struct random random = {4};
    for (size_t l = 0; l < levels.count; l++) {
        struct head_case c = head_create(&random, 32, 45, 45, HEAD_RANDOM);
        struct output together = run_attention(&c.head, levels.levels[l]->attention);
        for (size_t r = 0; r < 45; r++) {
            struct attention_head one = c.head;
            one.query += r * one.query_stride;
            one.query_count = 1;
            struct output alone = run_attention(&one, levels.levels[l]->attention);
            assert_memory_equal(alone.data, (const float *)together.data + r * one.context_stride,
                                32 * sizeof(float));
            output_destroy(&alone);
        }
        output_destroy(&together);
        head_destroy(&c);
    }
}

/* Benchmarks: one head of a MiniLM. */

struct benchmark_data {
    struct attention_head head;
    void *scratch;
};

static void run_int8(const struct kernels *kernels, void *memory) {
    struct benchmark_data *data = memory;
    kernels->attention(&data->head, data->scratch);
}

static void run_f32(const struct kernels *kernels, void *memory) {
    struct benchmark_data *data = memory;
    kernels->attention_f32(&data->head, data->scratch);
}

static void benchmark_head(size_t tokens) {
    struct random random = {5};
    struct head_case c = head_create(&random, 32, tokens, tokens, HEAD_RANDOM);
    struct benchmark_data data = {c.head, aligned(kernels_scratch_size(64))};
    data.head.context = aligned(tokens * c.head.context_stride * sizeof(float));
    char name[32], name_f32[32];
    (void)snprintf(name, sizeof name, "attention 32 x %zu", tokens);
    (void)snprintf(name_f32, sizeof name_f32, "attention_f32 32 x %zu", tokens);
    double operations = 2.0 * 32 * (double)(tokens * tokens);
    benchmark_print(&(struct benchmark){name, "GMAC/s", operations, run_int8, &data});
    benchmark_print(&(struct benchmark){name_f32, "GMAC/s", operations, run_f32, &data});
    free(data.head.context);
    free(data.scratch);
    head_destroy(&c);
}

int main(int argument_count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_is_softmax_within_its_bound), cmocka_unit_test(attention_f32_is_softmax),
        cmocka_unit_test(equal_keys_average_the_values),         cmocka_unit_test(weights_follow_the_scores),
        cmocka_unit_test(a_query_does_not_depend_on_the_others),
    };
    if (benchmarks_wanted(argument_count, arguments)) {
        benchmark_print_header();
        benchmark_head(32);
        benchmark_head(128);
        benchmark_head(512);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
