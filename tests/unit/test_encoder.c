/* The encoder on small models with seeded weights: whatever is in the batch, at whatever level, in whatever
 * thread, a sequence's output has the same bits. With --bits it prints the bits instead, for comparison with
 * another machine. */
#include "engine/encoder.h"
#include "kernel_test.h"
#include "kernels/levels.h"
#include "memory_model.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEQUENCES 20u

/* Sequences of a model, and the output of each, computed alone by the reference. */
struct fixture {
    struct memory_model built;
    int32_t *ids[SEQUENCES];
    struct sequence sequences[SEQUENCES];
    size_t output_size;
    float *expected; /* [SEQUENCES][output_size] */
};

static const uint32_t lengths[] = {1, 2, 3, 5, 8, 12, 13, 31, 32, 33};

static void create_sequences(struct fixture *fixture, struct random *random) {
    for (size_t s = 0; s < SEQUENCES; s++) {
        uint32_t count = lengths[s % (sizeof lengths / sizeof lengths[0])];
        if (s + 1 == SEQUENCES)
            count = 100;
        fixture->ids[s] = calloc(count, sizeof(int32_t));
        assert_non_null(fixture->ids[s]);
        for (uint32_t t = 0; t < count; t++)
            fixture->ids[s][t] = (int32_t)random_below(random, MEMORY_MODEL_VOCABULARY);
        fixture->sequences[s] = (struct sequence){
            .ids = fixture->ids[s], .count = count, .first_segment = random_below(random, count + 1)};
    }
}

static struct encoder *encoder_for(const struct model *model, const struct kernels *kernels,
                                   uint32_t max_batch_tokens) {
    struct encoder *encoder;
    struct error error;
    if (encoder_create(model, kernels, max_batch_tokens, &encoder, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    assert_ptr_equal(encoder_kernels(encoder), kernels);
    assert_true(encoder_memory(encoder) > 0);
    return encoder;
}

static void run_alone(const struct fixture *fixture, const struct kernels *kernels, float *outputs) {
    for (size_t s = 0; s < SEQUENCES; s++) {
        const struct sequence *sequence = &fixture->sequences[s];
        struct encoder *encoder = encoder_for(&fixture->built.model, kernels, sequence->count);
        assert_int_equal(encoder_run(encoder, sequence, 1, outputs + s * fixture->output_size, NULL),
                         STATUS_OK);
        encoder_destroy(encoder);
    }
}

static struct fixture fixture_create(const struct memory_model_options *options) {
    struct fixture fixture = {.built = memory_model_create(7, options)};
    struct random random = {11};
    create_sequences(&fixture, &random);
    fixture.output_size = options->kind == MODEL_EMBEDDER ? fixture.built.model.shape.hidden_size : 1;
    fixture.expected = calloc(SEQUENCES * fixture.output_size, sizeof(float));
    assert_non_null(fixture.expected);
    run_alone(&fixture, &kernels_reference, fixture.expected);
    return fixture;
}

static void fixture_destroy(struct fixture *fixture) {
    for (size_t s = 0; s < SEQUENCES; s++)
        free(fixture->ids[s]);
    free(fixture->expected);
    memory_model_destroy(&fixture->built);
}

static bool same_bits(const struct fixture *fixture, size_t sequence, const float *output) {
    return memcmp(output, fixture->expected + sequence * fixture->output_size,
                  fixture->output_size * sizeof(float)) == 0;
}

#define LARGEST_BATCH 512u

/* One batch of random sequences in random order, repeats allowed; the number that came out with other bits.
 */
static size_t run_random_batch(const struct fixture *fixture, struct encoder *encoder,
                               uint32_t max_batch_tokens, struct random *random, float *outputs) {
    struct sequence batch[LARGEST_BATCH] = {0};
    size_t chosen[LARGEST_BATCH], count = 0, tokens = 0, most = 1 + random_below(random, 20);
    while (count < most) {
        size_t s = random_below(random, SEQUENCES);
        if (tokens + fixture->sequences[s].count > max_batch_tokens)
            break;
        tokens += fixture->sequences[s].count;
        chosen[count] = s;
        batch[count++] = fixture->sequences[s];
    }
    if (encoder_run(encoder, batch, count, outputs, NULL) != STATUS_OK)
        return count;
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += !same_bits(fixture, chosen[i], outputs + i * fixture->output_size);
    return wrong;
}

struct batches {
    const struct fixture *fixture;
    const struct kernels *kernels;
    struct random random;
    size_t rounds;
    size_t wrong;
};

/* Some batches with each of several encoders. Asserts nothing: cmocka's assertions belong to one thread. */
static void *run_batches(void *memory) {
    struct batches *work = memory;
    float *outputs = calloc(LARGEST_BATCH * work->fixture->output_size, sizeof(float));
    work->wrong = outputs == NULL;
    for (size_t round = 0; round < work->rounds && outputs != NULL; round += 5) {
        uint32_t max_batch_tokens = 130 + random_below(&work->random, LARGEST_BATCH - 130 + 1);
        struct encoder *encoder;
        if (encoder_create(&work->fixture->built.model, work->kernels, max_batch_tokens, &encoder, NULL) !=
            STATUS_OK) {
            work->wrong++;
            break;
        }
        for (size_t i = 0; i < 5; i++)
            work->wrong += run_random_batch(work->fixture, encoder, max_batch_tokens, &work->random, outputs);
        encoder_destroy(encoder);
    }
    free(outputs);
    return NULL;
}

static void check_batches(const struct memory_model_options *options, size_t rounds) {
    struct test_levels levels = test_levels();
    struct fixture fixture = fixture_create(options);
    for (size_t l = 0; l < levels.count; l++) {
        /* The reference is slow, and all levels have been compared kernel by kernel. */
        struct batches work = {&fixture, levels.levels[l], {l + 1}, l == 0 ? rounds / 40 : rounds, 0};
        (void)run_batches(&work);
        if (work.wrong > 0)
            fail_msg("%zu outputs of level %s have other bits in a batch than alone", work.wrong,
                     levels.levels[l]->name);
    }
    fixture_destroy(&fixture);
}

static const struct memory_model_options cross_encoder = {
    MODEL_CROSS_ENCODER, PRECISION_INT8, POOLING_MEAN, false, 2, 32, 128, 2};
static const struct memory_model_options embedder_mean = {
    MODEL_EMBEDDER, PRECISION_INT8, POOLING_MEAN, true, 2, 32, 128, 2};
static const struct memory_model_options embedder_cls = {
    MODEL_EMBEDDER, PRECISION_INT8, POOLING_CLS, false, 1, 64, 192, 2};
/* An intermediate size below the hidden size, and one layer. */
static const struct memory_model_options narrow = {
    MODEL_CROSS_ENCODER, PRECISION_INT8, POOLING_MEAN, false, 1, 128, 64, 1};
static const struct memory_model_options cross_encoder_f32 = {
    MODEL_CROSS_ENCODER, PRECISION_F32, POOLING_MEAN, false, 2, 32, 128, 2};
static const struct memory_model_options embedder_f32 = {
    MODEL_EMBEDDER, PRECISION_F32, POOLING_MEAN, true, 2, 32, 128, 2};

static void cross_encoder_bits_do_not_depend_on_the_batch(void **state) {
    (void)state;
    check_batches(&cross_encoder, 600);
    check_batches(&narrow, 200);
}

static void embedder_bits_do_not_depend_on_the_batch(void **state) {
    (void)state;
    check_batches(&embedder_mean, 300);
    check_batches(&embedder_cls, 200);
}

static void float32_bits_do_not_depend_on_the_batch(void **state) {
    (void)state;
    check_batches(&cross_encoder_f32, 40);
    check_batches(&embedder_f32, 20);
}

static void every_level_gives_the_bits_of_the_reference_alone(void **state) {
    (void)state;
    struct test_levels levels = test_levels();
    const struct memory_model_options *all[] = {&cross_encoder, &embedder_mean,     &embedder_cls,
                                                &narrow,        &cross_encoder_f32, &embedder_f32};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct fixture fixture = fixture_create(all[i]);
        float *outputs = calloc(SEQUENCES * fixture.output_size, sizeof(float));
        assert_non_null(outputs);
        for (size_t l = 1; l < levels.count; l++) {
            run_alone(&fixture, levels.levels[l], outputs);
            for (size_t s = 0; s < SEQUENCES; s++)
                assert_true(same_bits(&fixture, s, outputs + s * fixture.output_size));
        }
        free(outputs);
        fixture_destroy(&fixture);
    }
}

static void two_threads_give_the_same_bits(void **state) {
    (void)state;
    struct fixture fixture = fixture_create(&embedder_mean);
    const struct kernels *kernels = kernels_select();
    struct batches work[2] = {{&fixture, kernels, {100}, 200, 0}, {&fixture, kernels, {200}, 200, 0}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_batches, &work[i]), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(work[i].wrong, 0);
    }
    fixture_destroy(&fixture);
}

static double cosine_of(const float *a, const float *b, size_t size) {
    double dot = 0, squares_a = 0, squares_b = 0;
    for (size_t i = 0; i < size; i++) {
        dot += (double)a[i] * (double)b[i];
        squares_a += (double)a[i] * (double)a[i];
        squares_b += (double)b[i] * (double)b[i];
    }
    return dot / sqrt(squares_a * squares_b);
}

static void int8_is_close_to_float32(void **state) {
    (void)state;
    struct fixture int8 = fixture_create(&embedder_mean), f32 = fixture_create(&embedder_f32);
    double mean = 0;
    for (size_t s = 0; s < SEQUENCES; s++) {
        double cosine = cosine_of(int8.expected + s * int8.output_size, f32.expected + s * f32.output_size,
                                  f32.output_size);
        assert_true(cosine >= 0.999);
        mean += cosine / SEQUENCES;
    }
    assert_true(mean >= 0.9995);
    fixture_destroy(&int8);
    fixture_destroy(&f32);
    int8 = fixture_create(&cross_encoder);
    f32 = fixture_create(&cross_encoder_f32);
    for (size_t s = 0; s < SEQUENCES; s++)
        assert_true(fabsf(int8.expected[s] - f32.expected[s]) <= 0.1f);
    fixture_destroy(&int8);
    fixture_destroy(&f32);
}

static void normalized_vectors_have_length_one(void **state) {
    (void)state;
    struct fixture fixture = fixture_create(&embedder_mean);
    for (size_t s = 0; s < SEQUENCES; s++) {
        double squares = 0;
        for (size_t i = 0; i < fixture.output_size; i++) {
            double x = (double)fixture.expected[s * fixture.output_size + i];
            squares += x * x;
        }
        assert_true(fabs(squares - 1) <= 1e-6);
    }
    fixture_destroy(&fixture);
}

/* Runs what must be refused. */
static void assert_refused(struct encoder *encoder, const struct sequence *sequences, size_t count,
                           const char *part_of_message) {
    float outputs[8];
    struct error error = {0};
    assert_int_equal(encoder_run(encoder, sequences, count, outputs, &error), STATUS_INVALID_ARGUMENT);
    if (strstr(error.message, part_of_message) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, part_of_message);
}

static void bad_sequences_are_refused(void **state) {
    (void)state;
    struct memory_model built = memory_model_create(1, &cross_encoder);
    struct encoder *encoder = encoder_for(&built.model, kernels_select(), 600);
    static int32_t ids[600];
    const struct sequence good = {.ids = ids, .count = 10, .first_segment = 5};
    struct sequence bad[2] = {good, good};
    bad[1].count = 0;
    assert_refused(encoder, bad, 2, "sequence 1 has 0 tokens, expected 1 to 512");
    bad[1].count = 513;
    assert_refused(encoder, bad, 2, "sequence 1 has 513 tokens, expected 1 to 512");
    bad[0].count = bad[1].count = 301;
    assert_refused(encoder, bad, 2, "602 tokens in a batch for 600");
    bad[0].count = bad[1].count = 10;
    ids[7] = -1;
    assert_refused(encoder, bad, 1, "token 7 of sequence 0 has id -1, the vocabulary has 100");
    ids[7] = MEMORY_MODEL_VOCABULARY;
    assert_refused(encoder, bad, 1, "token 7 of sequence 0 has id 100, the vocabulary has 100");
    ids[7] = MEMORY_MODEL_VOCABULARY - 1;
    float output;
    assert_int_equal(encoder_run(encoder, bad, 1, &output, NULL), STATUS_OK);
    assert_int_equal(encoder_run(encoder, bad, 0, &output, NULL), STATUS_OK);
    encoder_destroy(encoder);
    memory_model_destroy(&built);
}

static void an_encoder_needs_room(void **state) {
    (void)state;
    struct memory_model built = memory_model_create(1, &cross_encoder);
    struct encoder *encoder;
    struct error error;
    assert_int_equal(encoder_create(&built.model, kernels_select(), 0, &encoder, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_null(encoder);
    encoder_destroy(NULL);
    memory_model_destroy(&built);
}

static void print_bits(const char *name, const struct memory_model_options *options) {
    struct test_levels levels = test_levels();
    struct fixture fixture = fixture_create(options);
    float *outputs = calloc(SEQUENCES * fixture.output_size, sizeof(float));
    assert_non_null(outputs);
    /* The fastest level, which the tests above compare with the others. */
    run_alone(&fixture, levels.levels[levels.count - 1], outputs);
    for (size_t i = 0; i < SEQUENCES * fixture.output_size; i++) {
        uint32_t bits;
        memcpy(&bits, outputs + i, sizeof bits);
        printf("%s %zu %08x\n", name, i, bits);
    }
    free(outputs);
    fixture_destroy(&fixture);
}

int main(int argument_count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_encoder_bits_do_not_depend_on_the_batch),
        cmocka_unit_test(embedder_bits_do_not_depend_on_the_batch),
        cmocka_unit_test(float32_bits_do_not_depend_on_the_batch),
        cmocka_unit_test(every_level_gives_the_bits_of_the_reference_alone),
        cmocka_unit_test(two_threads_give_the_same_bits),
        cmocka_unit_test(int8_is_close_to_float32),
        cmocka_unit_test(normalized_vectors_have_length_one),
        cmocka_unit_test(bad_sequences_are_refused),
        cmocka_unit_test(an_encoder_needs_room),
    };
    if (argument_count == 2 && strcmp(arguments[1], "--bits") == 0) {
        print_bits("cross-encoder", &cross_encoder);
        print_bits("embedder-mean", &embedder_mean);
        print_bits("embedder-cls", &embedder_cls);
        print_bits("narrow", &narrow);
        print_bits("cross-encoder-f32", &cross_encoder_f32);
        print_bits("embedder-f32", &embedder_f32);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
