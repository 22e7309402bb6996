#include "bake/bake.h"
#include "bake/reference.h"
#include "engine/session.h"
#include "tiny_model.h"
#include "unit_test.h"
#include "zip_writer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct tiny_model cross_encoder = {.kind = MODEL_CROSS_ENCODER, .prefix = "bert."};
static const struct tiny_model embedder = {.kind = MODEL_EMBEDDER, .prefix = ""};

static void bake(const struct bake_options *options) {
    struct bake_report report;
    struct error error = {0};
    if (bake_run(options, &report, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    assert_true(report.models[0].selftest.passed);
    bake_report_free(&report);
}

static void bake_tiny(const struct tiny_model *tiny, enum precision precision, const char *output) {
    struct test_directory directory = test_directory_create();
    tiny_model_write(&directory, tiny);
    struct bake_options options = {
        .models = {{directory.path, "tiny"}}, .output = output, .precision = precision};
    bake(&options);
    test_directory_remove(&directory);
}

static void assert_same_files(const char *a, const char *b) {
    struct buffer first = {0}, second = {0};
    test_read(a, &first);
    test_read(b, &second);
    assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_free(&first);
    buffer_free(&second);
}

static void two_bakes_give_the_same_bytes(void **state) {
    (void)state;
    const struct tiny_model *models[] = {&cross_encoder, &embedder};
    for (int i = 0; i < 4; i++) {
        struct test_directory directory = test_directory_create();
        enum precision precision = i % 2 == 0 ? PRECISION_INT8 : PRECISION_F32;
        bake_tiny(models[i / 2], precision, test_path(&directory, "a.ember"));
        bake_tiny(models[i / 2], precision, test_path(&directory, "b.ember"));
        assert_same_files(test_path(&directory, "a.ember"), test_path(&directory, "b.ember"));
        assert_int_equal(test_directory_count(&directory), 2);
        test_directory_remove(&directory);
    }
}

static void the_description_reaches_the_model(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    char path[512];
    snprintf(path, sizeof path, "%s", test_path(&directory, "tiny.ember"));
    struct tiny_model tiny = {.kind = MODEL_EMBEDDER, .prefix = "", .pooling_cls = true, .layers = 3};
    bake_tiny(&tiny, PRECISION_INT8, path);
    struct model *model;
    struct model_options options = {.verify_checksums = true};
    assert_int_equal(model_open(path, &options, &model, NULL), STATUS_OK);
    assert_string_equal(model->name, "tiny");
    assert_int_equal(model->kind, MODEL_EMBEDDER);
    assert_int_equal(model->pooling, POOLING_CLS);
    assert_false(model->normalize);
    assert_int_equal(model->precision, PRECISION_INT8);
    assert_int_equal(model->shape.layers, 3);
    assert_int_equal(model->shape.head_size, TINY_HIDDEN / TINY_HEADS);
    assert_int_equal(model->max_length, TINY_POSITIONS);
    assert_non_null(model->embeddings.word);
    assert_null(model->embeddings.word_f32);
    assert_non_null(model->layers[2].query_key_value.panels);
    assert_int_equal(model->layers[2].query_key_value.outputs, 3 * TINY_HIDDEN);
    assert_int_equal(model->layers[2].output.inputs, TINY_INTERMEDIATE);
    model_close(model);
    test_directory_remove(&directory);
}

/* The logits of a few pairs, of an ember. */
static void score(const char *path, float logits[3]) {
    static const char *const passages[3] = {"paris is the capital of france", "berlin",
                                            "how long is the egg"};
    struct model *model;
    struct session *session;
    assert_int_equal(model_open(path, NULL, &model, NULL), STATUS_OK);
    assert_int_equal(session_create(model, NULL, &session, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        struct bytes passage = bytes_of_string(passages[i]);
        struct passage_score result;
        assert_int_equal(session_rerank(session, bytes_of_string("what is the capital of france?"), &passage,
                                        1, NULL, &result, NULL, NULL),
                         STATUS_OK);
        logits[i] = result.raw;
    }
    session_destroy(session);
    model_close(model);
}

/* Types and prefixes of the source change its bytes, not what the model computes (beyond their rounding). */
static void every_type_and_prefix_gives_the_same_scores(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    char path[512];
    snprintf(path, sizeof path, "%s", test_path(&directory, "tiny.ember"));
    struct tiny_model tiny = cross_encoder;
    float expected[3], found[3];
    bake_tiny(&tiny, PRECISION_F32, path);
    score(path, expected);
    const float tolerances[] = {[TINY_F32] = 0, [TINY_F16] = 5e-3f, [TINY_BF16] = 1e-1f};
    for (int type = TINY_F32; type <= TINY_BF16; type++) {
        for (int prefixed = 0; prefixed < 2; prefixed++) {
            tiny.type = (enum tiny_type)type;
            tiny.prefix = prefixed ? "bert." : "";
            bake_tiny(&tiny, PRECISION_F32, path);
            score(path, found);
            for (int i = 0; i < 3; i++)
                assert_true(fabsf(found[i] - expected[i]) <= tolerances[type]);
        }
    }
    test_directory_remove(&directory);
}

static void a_report_says_what_quantization_cost(void **state) {
    (void)state;
    struct test_directory source = test_directory_create(), target = test_directory_create();
    tiny_model_write(&source, &cross_encoder);
    struct bake_options options = {.models = {{.path = source.path}},
                                   .output = test_path(&target, "tiny.ember")};
    struct bake_report report;
    assert_int_equal(bake_run(&options, &report, NULL), STATUS_OK);
    assert_int_equal(report.models[0].tensor_error_count, 1 + 2 * 4);
    for (size_t i = 0; i < report.models[0].tensor_error_count; i++) {
        /* Uniform weights: steps of 1/127 of the largest give 1/(127 sqrt 4) of the root mean square. A layer
         * whose inputs are balanced gives up precision in columns whose activations are small. */
        const struct bake_tensor_error *found = &report.models[0].tensor_errors[i];
        bool balanced =
            strstr(found->tensor, "embeddings") == NULL && strstr(found->tensor, "attention_output") == NULL;
        assert_true(found->relative_error > 0.002 && found->relative_error < (balanced ? 0.03 : 0.008));
    }
    assert_string_equal(report.models[0].tensor_errors[0].tensor, "embeddings.word");
    assert_string_equal(report.models[0].name, strrchr(source.path, '/') + 1);
    assert_int_equal(report.models[0].published_scores, 0);
    assert_string_equal(
        report.models[0].notes[report.models[0].note_count - 1],
        "published golden scores not checked: unknown file (no known model has the SHA-256 of "
        "model.safetensors)");
    bake_report_free(&report);
    test_directory_remove(&source);
    test_directory_remove(&target);
}

/* Bakes a directory that a test has spoilt and expects the message, and no file. */
static void assert_refused(const struct test_directory *source, enum status expected,
                           const char *part_of_message) {
    struct test_directory target = test_directory_create();
    struct bake_options options = {.models = {{.path = source->path}},
                                   .output = test_path(&target, "tiny.ember")};
    struct bake_report report;
    struct error error = {0};
    assert_int_equal(bake_run(&options, &report, &error), expected);
    if (strstr(error.message, part_of_message) == NULL)
        fail_msg("message \"%s\" lacks \"%s\"", error.message, part_of_message);
    bake_report_free(&report);
    assert_int_equal(test_directory_count(&target), 0);
    test_directory_remove(&target);
}

/* Replaces text in the header of the weights by text of the same length. */
static void change_header(const struct test_directory *directory, const char *from, const char *to) {
    struct buffer file = {0};
    test_read(test_path(directory, "model.safetensors"), &file);
    size_t length = strlen(from);
    assert_int_equal(length, strlen(to));
    unsigned char *found = memmem(file.data, file.size, from, length);
    assert_non_null(found);
    memcpy(found, to, length);
    test_write(directory, "model.safetensors", buffer_bytes(&file));
    buffer_free(&file);
}

static void spoilt_weights_are_refused(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    tiny_model_write(&directory, &cross_encoder);
    change_header(&directory, "layer.1.output.dense.weight", "layer.1.output.dense.weighs");
    assert_refused(&directory, STATUS_INVALID_DATA,
                   "\"bert.encoder.layer.1.output.dense.weight\" is missing");
    tiny_model_write(&directory, &cross_encoder);
    change_header(&directory, "\"shape\":[128,64]", "\"shape\":[64,128]");
    assert_refused(&directory, STATUS_INVALID_DATA,
                   "has the shape [64, 128], config.json asks for [128, 64]");
    tiny_model_write(&directory, &cross_encoder);
    change_header(&directory, "bert.embeddings.word_embeddings", "roberta.embeddings.word_emb_dgs");
    assert_refused(&directory, STATUS_INVALID_DATA, "neither tensor");
    struct tiny_model deeper = cross_encoder;
    deeper.layers = 3;
    struct buffer weights = {0};
    tiny_model_weights(&deeper, &weights);
    test_write(&directory, "model.safetensors", buffer_bytes(&weights));
    assert_refused(&directory, STATUS_INVALID_DATA, "config.json says 2 layers");
    test_write(&directory, "model.safetensors", bytes_of(weights.data, weights.size - 1));
    assert_refused(&directory, STATUS_INVALID_DATA, "model.safetensors");
    buffer_free(&weights);
    test_directory_remove(&directory);
}

static void weights_that_are_not_there_are_explained(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    tiny_model_write(&directory, &cross_encoder);
    assert_int_equal(remove(test_path(&directory, "model.safetensors")), 0);
    assert_refused(&directory, STATUS_NOT_FOUND, "has no model.safetensors");
    test_write_text(&directory, "pytorch_model.bin", "x");
    assert_refused(&directory, STATUS_UNSUPPORTED, "pytorch_model.bin, which is not supported");
    test_directory_remove(&directory);
    directory = test_directory_create();
    assert_refused(&directory, STATUS_NOT_FOUND, "config.json");
    test_directory_remove(&directory);
    assert_refused(&directory, STATUS_NOT_FOUND, "cannot open the model");
}

static void a_vocabulary_larger_than_the_embeddings_is_refused(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    tiny_model_write(&directory, &cross_encoder);
    struct buffer vocabulary = {0};
    test_read(test_path(&directory, "vocab.txt"), &vocabulary);
    assert_int_equal(buffer_append(&vocabulary, "one\nmore\n", 9, NULL), STATUS_OK);
    test_write(&directory, "vocab.txt", buffer_bytes(&vocabulary));
    assert_refused(&directory, STATUS_INVALID_DATA, "vocab_size");
    buffer_free(&vocabulary);
    test_directory_remove(&directory);
}

/* An archive has the name that it is given by, whatever that leads to: a cache of downloads links to digests.
 */
static void an_archive_is_named_by_its_link(void **state) {
    (void)state;
    static const char *const names[] = {"config.json", "model.safetensors", "vocab.txt",
                                        "tokenizer_config.json"};
    struct test_directory directory = test_directory_create();
    struct buffer contents[4] = {0}, archive = {0};
    struct zip_member members[4] = {0};
    const struct bake_progress progress = {0};
    struct source source;
    tiny_model_write(&directory, &cross_encoder);
    for (size_t i = 0; i < 4; i++) {
        test_read(test_path(&directory, names[i]), &contents[i]);
        members[i] = (struct zip_member){.name = names[i], .content = buffer_bytes(&contents[i])};
    }
    zip_write(members, 4, &archive);
    test_write(&directory, "b", buffer_bytes(&archive));
    assert_int_equal(symlink("b", test_path(&directory, "named.zip")), 0);
    assert_int_equal(source_open(&source, test_path(&directory, "named.zip"), NULL, &progress, NULL),
                     STATUS_OK);
    assert_string_equal(source.name, "named");
    source_close(&source);
    for (size_t i = 0; i < 4; i++)
        buffer_free(&contents[i]);
    buffer_free(&archive);
    test_directory_remove(&directory);
}

/* Weights that claim to be a known model must give the scores published for it. */
static void published_scores_are_checked(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    tiny_model_write(&directory, &cross_encoder);
    const struct bake_progress progress = {0};
    struct source source;
    struct reference reference;
    struct error error = {0};
    assert_int_equal(source_open(&source, directory.path, NULL, &progress, NULL), STATUS_OK);
    assert_null(source.known);
    assert_int_equal(reference_run(&source, false, &progress, &reference, NULL), STATUS_OK);
    assert_int_equal(reference.published_scores, 0);
    /* The first golden pair, whose score is now known. */
    struct published_score score = {"What is the capital of France?", "Paris is the capital of France.",
                                    (double)reference.golden[0]};
    const struct known_model known = {"", "the tiny model", "", &score, 1};
    free(reference.golden);
    source.known = &known;
    assert_int_equal(reference_run(&source, false, &progress, &reference, NULL), STATUS_OK);
    assert_int_equal(reference.published_scores, 1);
    assert_true(reference.published_score_deviation == 0);
    free(reference.golden);
    score.logit += 2 * KNOWN_MODEL_TOLERANCE;
    assert_int_equal(reference_run(&source, false, &progress, &reference, &error), STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, "the tiny model gives the logit"));
    source_close(&source);
    test_directory_remove(&directory);
}

/* Sets the cancel flag at the n-th report. */
struct stopper {
    atomic_bool cancel;
    int after;
    int reports;
};

static void stop(void *user_data, const char *step, uint64_t done, uint64_t total) {
    (void)step;
    (void)done;
    (void)total;
    struct stopper *stopper = user_data;
    if (stopper->reports++ == stopper->after)
        atomic_store(&stopper->cancel, true);
}

static void a_cancelled_bake_leaves_nothing(void **state) {
    (void)state;
    struct test_directory source = test_directory_create(), target = test_directory_create();
    tiny_model_write(&source, &embedder);
    enum status status = STATUS_CANCELLED;
    int after = 0;
    for (; status != STATUS_OK; after++) {
        struct stopper stopper = {.after = after};
        struct bake_options options = {.models = {{.path = source.path}},
                                       .output = test_path(&target, "tiny.ember"),
                                       .progress = {stop, &stopper, &stopper.cancel}};
        struct bake_report report;
        status = bake_run(&options, &report, NULL);
        bake_report_free(&report);
        assert_true(status == STATUS_OK || status == STATUS_CANCELLED);
        assert_int_equal(test_directory_count(&target), status == STATUS_OK ? 1 : 0);
    }
    assert_true(after > 5);
    test_directory_remove(&source);
    test_directory_remove(&target);
}

/* Kills itself at the n-th report. */
static void kill_self(void *user_data, const char *step, uint64_t done, uint64_t total) {
    (void)step;
    (void)done;
    (void)total;
    int *left = user_data;
    if ((*left)-- == 0)
        raise(SIGKILL);
}

static void a_killed_bake_keeps_the_old_ember(void **state) {
    (void)state;
    struct test_directory source = test_directory_create(), target = test_directory_create();
    tiny_model_write(&source, &cross_encoder);
    test_write_text(&target, "tiny.ember", "old");
    for (int at = 0; at < 12; at++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            int left = at;
            struct bake_options options = {.models = {{.path = source.path}},
                                           .output = test_path(&target, "tiny.ember"),
                                           .progress = {kill_self, &left, NULL}};
            struct bake_report report;
            _exit(bake_run(&options, &report, NULL) == STATUS_OK ? 0 : 1);
        }
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
        assert_int_equal(test_directory_count(&target), 1);
        struct buffer content = {0};
        test_read(test_path(&target, "tiny.ember"), &content);
        assert_true(bytes_equal(buffer_bytes(&content), bytes_of_string("old")));
        buffer_free(&content);
    }
    test_directory_remove(&source);
    test_directory_remove(&target);
}

/* What one model computes must not depend on what else lies in the ember. */
static void assert_same_model(const char *alone, const char *together, const char *name) {
    struct model *a, *b;
    const struct model_options options = {.verify_checksums = true, .name = name};
    assert_int_equal(model_open(alone, &options, &a, NULL), STATUS_OK);
    assert_int_equal(model_open(together, &options, &b, NULL), STATUS_OK);
    uint64_t digests[2][SELFTEST_MAX_ITEMS];
    size_t counts[2];
    assert_int_equal(selftest_digests(a, digests[0], SELFTEST_MAX_ITEMS, &counts[0], NULL), STATUS_OK);
    assert_int_equal(selftest_digests(b, digests[1], SELFTEST_MAX_ITEMS, &counts[1], NULL), STATUS_OK);
    assert_int_equal(counts[0], counts[1]);
    assert_memory_equal(digests[0], digests[1], counts[0] * sizeof(uint64_t));
    model_close(a);
    model_close(b);
}

/* A cross-encoder, an embedder, and the embedder once more: the encoders have equal weights, and so does all
 * of the third. */
static void models_share_what_is_equal(void **state) {
    (void)state;
    struct test_directory first = test_directory_create(), second = test_directory_create(),
                          target = test_directory_create();
    tiny_model_write(&first, &cross_encoder);
    tiny_model_write(&second, &embedder);
    const struct bake_options alone[] = {
        {.precision = PRECISION_F32,
         .models = {{first.path, "ranker"}},
         .output = test_path(&target, "ranker.ember")},
        {.precision = PRECISION_F32,
         .models = {{second.path, "embedder"}},
         .output = test_path(&target, "embedder.ember")},
    };
    const struct bake_options together = {
        .precision = PRECISION_F32,
        .models = {{first.path, "ranker"}, {second.path, "embedder"}, {second.path, "again"}},
        .output = test_path(&target, "together.ember"),
    };
    struct bake_report report;
    uint64_t ranker_weights = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bake_run(&alone[i], &report, NULL), STATUS_OK);
        ranker_weights = i == 0 ? report.weights_bytes : ranker_weights;
        bake_report_free(&report);
    }
    assert_int_equal(bake_run(&together, &report, NULL), STATUS_OK);
    assert_int_equal(report.model_count, 3);
    assert_int_equal(report.models[0].shared_bytes, 0);
    assert_true(report.models[1].shared_bytes > 0);
    /* Beyond the ranker's: the golden vectors of the embedder. */
    assert_true(report.weights_bytes < ranker_weights + ranker_weights / 50);
    assert_true(report.models[2].shared_bytes > report.models[1].shared_bytes);
    for (int i = 0; i < 3; i++)
        assert_true(report.models[i].selftest.passed && report.models[i].selftest.digests == 10);
    bake_report_free(&report);
    assert_same_model(alone[0].output, together.output, "ranker");
    assert_same_model(alone[1].output, together.output, "embedder");
    struct model_list list;
    assert_int_equal(model_list_open(together.output, NULL, &list, NULL), STATUS_OK);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.models[0]->ember.section_count, 3);
    assert_ptr_equal(list.models[0]->layers[0].output.panels_f32,
                     list.models[1]->layers[0].output.panels_f32);
    assert_ptr_equal(model_list_for_task(&list, MODEL_TASK_RERANK), list.models[0]);
    assert_ptr_equal(model_list_for_task(&list, MODEL_TASK_EMBED), list.models[1]);
    assert_ptr_equal(model_list_find(&list, "again"), list.models[2]);
    assert_null(model_list_find(&list, "other"));
    model_list_close(&list);
    test_directory_remove(&first);
    test_directory_remove(&second);
    test_directory_remove(&target);
}

static void models_of_one_name_are_refused(void **state) {
    (void)state;
    struct test_directory source = test_directory_create(), target = test_directory_create();
    tiny_model_write(&source, &embedder);
    const struct bake_options options = {.models = {{source.path, NULL}, {source.path, NULL}},
                                         .output = test_path(&target, "twice.ember")};
    struct bake_report report;
    struct error error = {0};
    assert_int_equal(bake_run(&options, &report, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "name them apart"));
    bake_report_free(&report);
    assert_int_equal(test_directory_count(&target), 0);
    test_directory_remove(&source);
    test_directory_remove(&target);
}

static enum status run_selftest(const char *path, struct selftest_report *report, struct error *error) {
    struct model *model;
    const struct model_options options = {.verify_checksums = true};
    enum status status = model_open(path, &options, &model, error);
    if (status == STATUS_OK)
        status = selftest_run(model, NULL, 0, report, error);
    model_close(model);
    return status;
}

static void the_selftest_notices_an_altered_ember(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    char path[512];
    snprintf(path, sizeof path, "%s", test_path(&directory, "tiny.ember"));
    struct selftest_report report;
    struct error error;
    bake_tiny(&cross_encoder, PRECISION_INT8, path);
    assert_int_equal(run_selftest(path, &report, NULL), STATUS_OK);
    assert_true(report.passed && report.items == 10 && report.outputs == 1 &&
                report.deviation < report.limit);

    struct buffer content = {0};
    test_read(path, &content);
    struct ember ember;
    struct bytes weights;
    assert_int_equal(ember_open(&ember, buffer_bytes(&content), NULL), STATUS_OK);
    assert_int_equal(ember_find(&ember, "weights", &weights, NULL), STATUS_OK);
    content.data[weights.data - content.data] ^= 1;
    test_write(&directory, "altered.ember", buffer_bytes(&content));
    buffer_free(&content);
    assert_int_equal(run_selftest(test_path(&directory, "altered.ember"), &report, &error),
                     STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, "section \"weights\""));
    test_directory_remove(&directory);
}

/* With one layer's scales altered a model computes something else; no checksum says so here. */
static void the_selftest_notices_a_layer_that_computes_wrongly(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    char path[512];
    snprintf(path, sizeof path, "%s", test_path(&directory, "tiny.ember"));
    bake_tiny(&embedder, PRECISION_INT8, path);
    struct buffer content = {0};
    test_read(path, &content);
    unsigned char *file = aligned_alloc(EMBER_PAGE_SIZE, size_align_up(content.size, EMBER_PAGE_SIZE));
    assert_non_null(file);
    memcpy(file, content.data, content.size);
    struct model *model;
    struct selftest_report report;
    assert_int_equal(model_open_bytes(bytes_of(file, content.size), "tiny", NULL, &model, NULL), STATUS_OK);
    assert_int_equal(selftest_run(model, NULL, 0, &report, NULL), STATUS_OK);
    assert_true(report.passed);
    /* The last bit of one scale: far less than quantization costs, but not the same bits. Every instruction
     * set reads the scales; compensations only those whose activations are unsigned. */
    const struct linear *linear = &model->layers[1].query_key_value;
    unsigned char *scales = file + ((const unsigned char *)linear->scales - file);
    for (unsigned i = 0; i < TINY_HIDDEN; i++)
        scales[4 * (2 * TINY_HIDDEN + i)] ^= 1;
    assert_int_equal(selftest_run(model, NULL, 0, &report, NULL), STATUS_OK);
    assert_false(report.passed);
    assert_true(report.deviation <= report.limit && report.equal_digests < report.digests);
    struct error error = {0};
    assert_int_equal(selftest_require_passed(&report, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "to the bit"));
    memset(scales, 0, linear->outputs * sizeof(float));
    assert_int_equal(selftest_run(model, NULL, SELFTEST_START_ITEMS, &report, NULL), STATUS_OK);
    assert_false(report.passed);
    assert_int_equal(report.items, SELFTEST_START_ITEMS);
    assert_true(report.deviation > report.limit);
    assert_int_equal(selftest_require_passed(&report, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "deviate by"));
    model_close(model);
    free(file);
    buffer_free(&content);
    test_directory_remove(&directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_bakes_give_the_same_bytes),
        cmocka_unit_test(the_description_reaches_the_model),
        cmocka_unit_test(every_type_and_prefix_gives_the_same_scores),
        cmocka_unit_test(a_report_says_what_quantization_cost),
        cmocka_unit_test(spoilt_weights_are_refused),
        cmocka_unit_test(weights_that_are_not_there_are_explained),
        cmocka_unit_test(a_vocabulary_larger_than_the_embeddings_is_refused),
        cmocka_unit_test(an_archive_is_named_by_its_link),
        cmocka_unit_test(published_scores_are_checked),
        cmocka_unit_test(a_cancelled_bake_leaves_nothing),
        cmocka_unit_test(a_killed_bake_keeps_the_old_ember),
        cmocka_unit_test(models_share_what_is_equal),
        cmocka_unit_test(models_of_one_name_are_refused),
        cmocka_unit_test(the_selftest_notices_an_altered_ember),
        cmocka_unit_test(the_selftest_notices_a_layer_that_computes_wrongly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
