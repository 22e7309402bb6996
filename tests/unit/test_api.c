/* The public C API over baked tiny models: the same numbers as the engine, structures of other sizes, every
 * kind of error, and two threads on one model. */
#include "bake/bake.h"
#include "engine/session.h"
#include "rescoldo.h"
#include "tiny_model.h"
#include "unit_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSAGES 5u

static const char *const passage_strings[PASSAGES] = {
    "paris is the capital of france", "", "eggs",
    "berlin is the capital of germany ! how long is it ? how long is the egg",
    "paris is the capital of france"};
static const char query_string[] = "what is the capital of france ?";

struct fixture {
    struct test_directory directory;
    struct rescoldo_model *cross_encoder, *embedder;
    struct rescoldo_text passages[PASSAGES];
};

static struct rescoldo_text text_of(const char *string) {
    return (struct rescoldo_text){string, strlen(string)};
}

static struct rescoldo_model *bake(struct fixture *fixture, enum model_kind kind, const char *name) {
    struct test_directory source = test_directory_create();
    const struct tiny_model tiny = {.kind = kind, .prefix = ""};
    tiny_model_write(&source, &tiny);
    struct bake_options options = {.models = {{.path = source.path}},
                                   .output = test_path(&fixture->directory, name)};
    struct bake_report report;
    struct error error;
    if (bake_run(&options, &report, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    bake_report_free(&report);
    test_directory_remove(&source);
    struct rescoldo_model_options verify = {.size = sizeof verify, .verify_checksums = 1};
    struct rescoldo_model *model;
    struct rescoldo_error opened;
    if (rescoldo_model_open(test_path(&fixture->directory, name), &verify, &model, &opened) !=
        RESCOLDO_STATUS_OK)
        fail_msg("%s", opened.message);
    return model;
}

static int create_fixture(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->directory = test_directory_create();
    fixture->cross_encoder = bake(fixture, MODEL_CROSS_ENCODER, "cross-encoder.ember");
    fixture->embedder = bake(fixture, MODEL_EMBEDDER, "embedder.ember");
    for (size_t i = 0; i < PASSAGES; i++)
        fixture->passages[i] = text_of(passage_strings[i]);
    *state = fixture;
    return 0;
}

static int destroy_fixture(void **state) {
    struct fixture *fixture = *state;
    rescoldo_model_close(fixture->cross_encoder);
    rescoldo_model_close(fixture->embedder);
    test_directory_remove(&fixture->directory);
    free(fixture);
    return 0;
}

static struct rescoldo_session *session_for(const struct rescoldo_model *model) {
    struct rescoldo_session *session;
    struct rescoldo_error error;
    if (rescoldo_session_create(model, NULL, &session, &error) != RESCOLDO_STATUS_OK)
        fail_msg("%s", error.message);
    return session;
}

static void assert_failure(enum rescoldo_status status, enum rescoldo_status expected,
                           const struct rescoldo_error *error, const char *part_of_message) {
    assert_int_equal(status, expected);
    assert_int_equal(error->status, expected);
    if (strstr(error->message, part_of_message) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error->message, part_of_message);
}

static void the_version_is_that_of_the_header(void **state) {
    (void)state;
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%d.%d.%d", RESCOLDO_VERSION_MAJOR, RESCOLDO_VERSION_MINOR,
             RESCOLDO_VERSION_PATCH);
    assert_string_equal(rescoldo_version(), RESCOLDO_VERSION_STRING);
    assert_string_equal(numbers, RESCOLDO_VERSION_STRING);
    assert_string_equal(rescoldo_status_name(RESCOLDO_STATUS_INVALID_DATA), "invalid_data");
    assert_string_equal(rescoldo_status_name((enum rescoldo_status)99), "unknown");
}

static void a_model_is_described(void **state) {
    const struct fixture *fixture = *state;
    struct rescoldo_model_info info = {.size = sizeof info};
    assert_int_equal(rescoldo_model_describe(fixture->embedder, &info, NULL), RESCOLDO_STATUS_OK);
    assert_int_equal(info.size, sizeof info);
    assert_int_equal(info.kind, RESCOLDO_MODEL_EMBEDDER);
    assert_int_equal(info.precision, RESCOLDO_PRECISION_INT8);
    assert_int_equal(info.hidden_size, TINY_HIDDEN);
    assert_int_equal(info.max_length, TINY_POSITIONS);
    assert_true(info.vocabulary_size > 0 && strlen(info.name) > 0);
    assert_int_equal(rescoldo_model_describe(fixture->cross_encoder, &info, NULL), RESCOLDO_STATUS_OK);
    assert_int_equal(info.kind, RESCOLDO_MODEL_CROSS_ENCODER);
}

/* The engine itself over the same file. */
static void engine_scores(const struct fixture *fixture, const char *name, struct passage_score *scores,
                          size_t *order) {
    struct model *model;
    struct session *session;
    struct bytes passages[PASSAGES];
    for (size_t i = 0; i < PASSAGES; i++)
        passages[i] = bytes_of_string(passage_strings[i]);
    assert_int_equal(model_open(test_path(&fixture->directory, name), NULL, &model, NULL), STATUS_OK);
    assert_int_equal(session_create(model, NULL, &session, NULL), STATUS_OK);
    assert_int_equal(
        session_rerank(session, bytes_of_string(query_string), passages, PASSAGES, NULL, scores, NULL, NULL),
        STATUS_OK);
    passage_order(scores, PASSAGES, order);
    session_destroy(session);
    model_close(model);
}

static void assert_result(const struct rescoldo_result *result, const struct passage_score *score,
                          size_t index) {
    assert_int_equal(result->index, index);
    assert_memory_equal(&result->relevance_score, &score->relevance_score, sizeof(float));
    assert_memory_equal(&result->raw_score, &score->raw, sizeof(float));
    assert_int_equal(result->tokens, score->tokens);
    assert_int_equal(result->truncated, score->truncated);
    assert_int_equal(result->windows, score->windows);
    assert_int_equal(result->character_start, score->character_start);
    assert_int_equal(result->character_end, score->character_end);
}

static void check_rerank(const struct fixture *fixture, const struct rescoldo_model *model,
                         const char *name) {
    struct passage_score scores[PASSAGES];
    struct rescoldo_result results[PASSAGES];
    size_t order[PASSAGES];
    engine_scores(fixture, name, scores, order);
    struct rescoldo_session *session = session_for(model);
    assert_int_equal(
        rescoldo_rerank(session, text_of(query_string), fixture->passages, PASSAGES, NULL, results, NULL),
        RESCOLDO_STATUS_OK);
    for (size_t i = 0; i < PASSAGES; i++)
        assert_result(&results[i], &scores[order[i]], order[i]);
    struct rescoldo_call_options options = {.size = sizeof options, .order = RESCOLDO_ORDER_GIVEN};
    assert_int_equal(
        rescoldo_rerank(session, text_of(query_string), fixture->passages, PASSAGES, &options, results, NULL),
        RESCOLDO_STATUS_OK);
    for (size_t i = 0; i < PASSAGES; i++)
        assert_result(&results[i], &scores[i], i);
    assert_int_equal(rescoldo_rerank(session, text_of(query_string), NULL, 0, NULL, NULL, NULL),
                     RESCOLDO_STATUS_OK);
    rescoldo_session_destroy(session);
}

static void scores_are_the_engines(void **state) {
    const struct fixture *fixture = *state;
    check_rerank(fixture, fixture->cross_encoder, "cross-encoder.ember");
    check_rerank(fixture, fixture->embedder, "embedder.ember");
}

static void windows_are_an_option(void **state) {
    const struct fixture *fixture = *state;
    struct rescoldo_result result;
    struct rescoldo_session *session = session_for(fixture->cross_encoder);
    struct rescoldo_call_options options = {
        .size = sizeof options, .max_length = 16, .truncation = RESCOLDO_TRUNCATION_WINDOWS};
    assert_int_equal(
        rescoldo_rerank(session, text_of(query_string), &fixture->passages[3], 1, &options, &result, NULL),
        RESCOLDO_STATUS_OK);
    assert_true(result.windows > 1 && !result.truncated && result.tokens <= 16);
    options.truncation = RESCOLDO_TRUNCATION_ONLY_PASSAGE;
    assert_int_equal(
        rescoldo_rerank(session, text_of(query_string), &fixture->passages[3], 1, &options, &result, NULL),
        RESCOLDO_STATUS_OK);
    assert_true(result.windows == 1 && result.truncated);
    rescoldo_session_destroy(session);
}

static void an_ember_opens_from_memory(void **state) {
    const struct fixture *fixture = *state;
    struct buffer file = {0};
    test_read(test_path(&fixture->directory, "cross-encoder.ember"), &file);
    size_t room = size_align_up(file.size, RESCOLDO_EMBER_ALIGNMENT) + RESCOLDO_EMBER_ALIGNMENT;
    unsigned char *memory = aligned_alloc(RESCOLDO_EMBER_ALIGNMENT, room);
    assert_non_null(memory);
    memcpy(memory, file.data, file.size);
    struct rescoldo_model *model;
    struct rescoldo_error error;
    assert_int_equal(rescoldo_model_open_memory(memory, file.size, NULL, &model, &error), RESCOLDO_STATUS_OK);
    check_rerank(fixture, model, "cross-encoder.ember");
    rescoldo_model_close(model);
    memmove(memory + 1, memory, file.size);
    assert_failure(rescoldo_model_open_memory(memory + 1, file.size, NULL, &model, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "multiple of 64 bytes");
    assert_null(model);
    memmove(memory, memory + 1, file.size);
    assert_failure(rescoldo_model_open_memory(memory, file.size / 2, NULL, &model, &error),
                   RESCOLDO_STATUS_INVALID_DATA, &error, "ember in memory: ");
    free(memory);
    buffer_free(&file);
}

static void an_ember_opens_from_a_descriptor(void **state) {
    const struct fixture *fixture = *state;
    struct rescoldo_model *model;
    struct rescoldo_error error;
    int descriptor = open(test_path(&fixture->directory, "cross-encoder.ember"), O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0 && lseek(descriptor, 100, SEEK_SET) == 100);
    assert_int_equal(rescoldo_model_open_descriptor(descriptor, NULL, &model, &error), RESCOLDO_STATUS_OK);
    assert_int_equal(lseek(descriptor, 0, SEEK_CUR), 100);
    assert_int_equal(close(descriptor), 0);
    check_rerank(fixture, model, "cross-encoder.ember");
    rescoldo_model_close(model);
    assert_failure(rescoldo_model_open_descriptor(-1, NULL, &model, &error), RESCOLDO_STATUS_INPUT_OUTPUT,
                   &error, "file descriptor -1");
    assert_null(model);
    descriptor = open(fixture->directory.path, O_RDONLY | O_CLOEXEC);
    assert_failure(rescoldo_model_open_descriptor(descriptor, NULL, &model, &error),
                   RESCOLDO_STATUS_INVALID_DATA, &error, "not a regular file");
    assert_int_equal(close(descriptor), 0);
}

static void a_model_is_chosen_by_task_or_name(void **state) {
    const struct fixture *fixture = *state;
    struct test_directory sources[] = {test_directory_create(), test_directory_create()};
    for (size_t i = 0; i < 2; i++) {
        const struct tiny_model tiny = {.kind = i == 0 ? MODEL_CROSS_ENCODER : MODEL_EMBEDDER, .prefix = ""};
        tiny_model_write(&sources[i], &tiny);
    }
    const char *path = test_path(&fixture->directory, "both.ember");
    const struct rescoldo_bake_model second = {.source = sources[1].path, .name = "second"};
    const struct rescoldo_bake_options bake_options = {
        .size = sizeof bake_options, .name = "first", .more_models = &second, .more_model_count = 1};
    struct rescoldo_error error;
    if (rescoldo_bake(sources[0].path, path, &bake_options, &error) != RESCOLDO_STATUS_OK)
        fail_msg("%s", error.message);
    static const struct {
        enum rescoldo_task task;
        const char *name, *expected;
    } cases[] = {{RESCOLDO_TASK_ANY, NULL, "first"},
                 {RESCOLDO_TASK_RERANK, NULL, "first"},
                 {RESCOLDO_TASK_EMBED, NULL, "second"},
                 {RESCOLDO_TASK_RERANK, "second", "second"}};
    struct rescoldo_model_options options = {.size = sizeof options};
    struct rescoldo_model *model;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rescoldo_model_info info = {.size = sizeof info};
        options.task = (uint32_t)cases[i].task;
        options.name = cases[i].name;
        assert_int_equal(rescoldo_model_open(path, &options, &model, &error), RESCOLDO_STATUS_OK);
        assert_int_equal(rescoldo_model_describe(model, &info, &error), RESCOLDO_STATUS_OK);
        assert_string_equal(info.name, cases[i].expected);
        rescoldo_model_close(model);
    }
    options.name = "third";
    assert_failure(rescoldo_model_open(path, &options, &model, &error), RESCOLDO_STATUS_NOT_FOUND, &error,
                   "second");
    options.task = 3;
    assert_failure(rescoldo_model_open(path, &options, &model, &error), RESCOLDO_STATUS_INVALID_ARGUMENT,
                   &error, "task is 3");
    test_directory_remove(&sources[0]);
    test_directory_remove(&sources[1]);
}

/* The tiny embedder, which reads "how " before a query and "what " before a passage. */
static struct rescoldo_model *embedder_with_prompts(const struct fixture *fixture) {
    struct test_directory source = test_directory_create();
    const struct tiny_model tiny = {.kind = MODEL_EMBEDDER, .prefix = ""};
    tiny_model_write(&source, &tiny);
    const char *path = test_path(&fixture->directory, "prompts.ember");
    const struct rescoldo_bake_options options = {
        .size = sizeof options, .query_prompt = "how ", .passage_prompt = "what "};
    struct rescoldo_model *model = NULL;
    struct rescoldo_error error;
    if (rescoldo_bake(source.path, path, &options, &error) != RESCOLDO_STATUS_OK ||
        rescoldo_model_open(path, NULL, &model, &error) != RESCOLDO_STATUS_OK)
        fail_msg("%s", error.message);
    test_directory_remove(&source);
    return model;
}

static void an_embedder_reads_its_prompts(void **state) {
    const struct fixture *fixture = *state;
    struct rescoldo_model *model = embedder_with_prompts(fixture);
    struct rescoldo_error error;
    struct rescoldo_session *session = session_for(model);
    static const char *const written[] = {"the egg", "how the egg", "what the egg"};
    for (uint32_t prompt = 0; prompt < 3; prompt++) {
        struct rescoldo_call_options options = {.size = sizeof options, .prompt = prompt};
        float by_option[TINY_HIDDEN], by_hand[TINY_HIDDEN];
        const struct rescoldo_text text = text_of("the egg"), whole = text_of(written[prompt]);
        assert_int_equal(rescoldo_embed(session, &text, 1, &options, by_option, TINY_HIDDEN, NULL, &error),
                         RESCOLDO_STATUS_OK);
        assert_int_equal(rescoldo_embed(session, &whole, 1, NULL, by_hand, TINY_HIDDEN, NULL, &error),
                         RESCOLDO_STATUS_OK);
        assert_memory_equal(by_option, by_hand, sizeof by_hand);
    }
    rescoldo_session_destroy(session);
    rescoldo_model_close(model);
}

static void an_offset_in_a_text_does_not_count_its_prompt(void **state) {
    struct rescoldo_model *model = embedder_with_prompts(*state);
    struct rescoldo_session *session = session_for(model);
    struct rescoldo_call_options options = {.size = sizeof options, .prompt = RESCOLDO_PROMPT_PASSAGE};
    struct rescoldo_result result;
    struct rescoldo_error error;
    float embedding[TINY_HIDDEN];
    const struct rescoldo_text valid = text_of("egg"), broken = text_of("egg \xff");
    assert_failure(rescoldo_embed(session, &broken, 1, &options, embedding, TINY_HIDDEN, NULL, &error),
                   RESCOLDO_STATUS_INVALID_DATA, &error, "byte 0xFF at offset 4");
    assert_failure(rescoldo_rerank(session, broken, &valid, 1, NULL, &result, &error),
                   RESCOLDO_STATUS_INVALID_DATA, &error,
                   "query: the text is not UTF-8: byte 0xFF at offset 4");
    assert_failure(rescoldo_rerank(session, valid, &broken, 1, NULL, &result, &error),
                   RESCOLDO_STATUS_INVALID_DATA, &error,
                   "passage 0: the text is not UTF-8: byte 0xFF at offset 4");
    rescoldo_session_destroy(session);
    rescoldo_model_close(model);
}

/* The vector of a text that has its prompt before it already. */
static void embed_whole(struct rescoldo_session *session, const char *text, float vector[TINY_HIDDEN]) {
    const struct rescoldo_text whole = text_of(text);
    struct rescoldo_error error;
    if (rescoldo_embed(session, &whole, 1, NULL, vector, TINY_HIDDEN, NULL, &error) != RESCOLDO_STATUS_OK)
        fail_msg("%s", error.message);
}

/* Of vectors of length 1. */
static float cosine_of(const float *a, const float *b) {
    float sum = 0;
    for (size_t i = 0; i < TINY_HIDDEN; i++)
        sum += a[i] * b[i];
    return sum;
}

static void every_part_of_a_passage_is_read_after_the_prompt(void **state) {
    struct rescoldo_model *model = embedder_with_prompts(*state);
    struct rescoldo_session *session = session_for(model);
    /* Seven tokens: [CLS], the prompt, four of the passage, [SEP]. */
    struct rescoldo_call_options options = {
        .size = sizeof options, .max_length = 7, .truncation = RESCOLDO_TRUNCATION_WINDOWS};
    const struct rescoldo_text passage = text_of("paris is the capital of france the long egg");
    static const char *const windows[] = {"what paris is the capital", "what of france the long", "what egg"};
    static const uint32_t ends[][2] = {{0, 20}, {21, 39}, {40, 43}};
    float query[TINY_HIDDEN], window[TINY_HIDDEN], best = -2;
    size_t best_window = 0;
    embed_whole(session, "how long", query);
    for (size_t i = 0; i < 3; i++) {
        embed_whole(session, windows[i], window);
        float score = cosine_of(query, window);
        best_window = score > best ? i : best_window;
        best = score > best ? score : best;
    }
    struct rescoldo_result result;
    struct rescoldo_error error;
    assert_int_equal(rescoldo_rerank(session, text_of("long"), &passage, 1, &options, &result, &error),
                     RESCOLDO_STATUS_OK);
    assert_int_equal(result.windows, 3);
    assert_false(result.truncated);
    assert_float_equal(result.raw_score, best, 1e-5);
    assert_int_equal(result.character_start, ends[best_window][0]);
    assert_int_equal(result.character_end, ends[best_window][1]);

    /* What is kept of a text whose start gives way stands after the prompt as well. */
    options.truncation = RESCOLDO_TRUNCATION_LONGEST_FIRST;
    options.truncation_direction = RESCOLDO_TRUNCATION_LEFT;
    assert_int_equal(rescoldo_rerank(session, text_of("long"), &passage, 1, &options, &result, &error),
                     RESCOLDO_STATUS_OK);
    embed_whole(session, "what france the long egg", window);
    assert_true(result.truncated && result.tokens == 7 && result.character_start == 24);
    assert_float_equal(result.raw_score, cosine_of(query, window), 1e-5);
    options.prompt = RESCOLDO_PROMPT_PASSAGE;
    float embedding[TINY_HIDDEN];
    struct rescoldo_embedding_info info;
    assert_int_equal(rescoldo_embed(session, &passage, 1, &options, embedding, TINY_HIDDEN, &info, &error),
                     RESCOLDO_STATUS_OK);
    assert_true(info.truncated && info.tokens == 7 && info.character_end == 43);
    assert_memory_equal(embedding, window, sizeof window);
    rescoldo_session_destroy(session);
    rescoldo_model_close(model);
}

struct progress {
    int calls, end_after; /* 0: never */
    char first_step[32];
};

static int on_progress(void *user_data, const char *step, uint64_t done, uint64_t total) {
    struct progress *progress = user_data;
    assert_true(done <= total);
    if (progress->calls == 0)
        snprintf(progress->first_step, sizeof progress->first_step, "%s", step);
    return ++progress->calls == progress->end_after;
}

static void a_model_is_baked(void **state) {
    const struct fixture *fixture = *state;
    struct test_directory source = test_directory_create();
    const struct tiny_model tiny = {.kind = MODEL_CROSS_ENCODER, .prefix = ""};
    tiny_model_write(&source, &tiny);
    const char *output = test_path(&source, "baked.ember");
    struct progress progress = {0};
    struct rescoldo_bake_options options = {
        .size = sizeof options, .name = "cross-encoder", .progress = on_progress, .user_data = &progress};
    struct rescoldo_error error;
    struct rescoldo_model *model;
    assert_int_equal(rescoldo_bake(source.path, output, &options, &error), RESCOLDO_STATUS_OK);
    assert_true(progress.calls > 1 && strlen(progress.first_step) > 0);
    assert_int_equal(rescoldo_model_open(output, NULL, &model, &error), RESCOLDO_STATUS_OK);
    check_rerank(fixture, model, "cross-encoder.ember");
    rescoldo_model_close(model);

    const char *never = test_path(&source, "never.ember");
    const int files = test_directory_count(&source);
    progress = (struct progress){.end_after = 2};
    assert_failure(rescoldo_bake(source.path, never, &options, &error), RESCOLDO_STATUS_CANCELLED, &error,
                   "interrupted");
    struct rescoldo_cancel_flag *cancel = rescoldo_cancel_flag_create();
    rescoldo_cancel_flag_set(cancel);
    struct rescoldo_bake_options ended = {.size = sizeof ended, .cancel = cancel};
    assert_failure(rescoldo_bake(source.path, never, &ended, &error), RESCOLDO_STATUS_CANCELLED, &error,
                   "interrupted");
    rescoldo_cancel_flag_destroy(cancel);
    ended = (struct rescoldo_bake_options){.size = sizeof ended, .deadline_nanoseconds = 1};
    assert_failure(rescoldo_bake(source.path, never, &ended, &error), RESCOLDO_STATUS_DEADLINE_EXCEEDED,
                   &error, "deadline");
    ended = (struct rescoldo_bake_options){.size = sizeof ended, .precision = 2};
    assert_failure(rescoldo_bake(source.path, never, &ended, &error), RESCOLDO_STATUS_INVALID_ARGUMENT,
                   &error, "precision is 2");
    assert_failure(rescoldo_bake(source.path, NULL, NULL, &error), RESCOLDO_STATUS_INVALID_ARGUMENT, &error,
                   "output is NULL");
    struct rescoldo_bake_model more[8] = {{.source = source.path, .name = "cross-encoder"}};
    options = (struct rescoldo_bake_options){
        .size = sizeof options, .name = "cross-encoder", .more_models = more, .more_model_count = 1};
    assert_failure(rescoldo_bake(source.path, never, &options, &error), RESCOLDO_STATUS_INVALID_ARGUMENT,
                   &error, "cross-encoder");
    options.more_model_count = 2;
    assert_failure(rescoldo_bake(source.path, never, &options, &error), RESCOLDO_STATUS_INVALID_ARGUMENT,
                   &error, "more_models[1].source is NULL");
    options.more_model_count = SIZE_MAX;
    assert_failure(rescoldo_bake(source.path, never, &options, &error), RESCOLDO_STATUS_LIMIT_EXCEEDED,
                   &error, "expected at most 7");
    options.more_models = NULL;
    assert_failure(rescoldo_bake(source.path, never, &options, &error), RESCOLDO_STATUS_INVALID_ARGUMENT,
                   &error, "more_models is NULL");
    options.more_model_count = 0;
    options.query_prompt = "query: ";
    assert_failure(rescoldo_bake(source.path, never, &options, &error), RESCOLDO_STATUS_INVALID_ARGUMENT,
                   &error, "prompt");
    struct test_directory embedder = test_directory_create();
    const struct tiny_model tiny_embedder = {.kind = MODEL_EMBEDDER, .prefix = ""};
    tiny_model_write(&embedder, &tiny_embedder);
    options.query_prompt = "query\xff ";
    assert_failure(rescoldo_bake(embedder.path, never, &options, &error), RESCOLDO_STATUS_INVALID_ARGUMENT,
                   &error, "prompt is not UTF-8: byte 0xFF at offset 5");
    options.query_prompt = NULL;
    options.name = "embedder\xff";
    assert_failure(rescoldo_bake(embedder.path, never, &options, &error), RESCOLDO_STATUS_INVALID_ARGUMENT,
                   &error, "name");
    test_directory_remove(&embedder);
    /* A program whose header had neither several models nor prompts. */
    options.name = NULL;
    options.query_prompt = "query: ";
    options.size = offsetof(struct rescoldo_bake_options, more_models);
    options.deadline_nanoseconds = 1;
    assert_failure(rescoldo_bake(source.path, never, &options, &error), RESCOLDO_STATUS_DEADLINE_EXCEEDED,
                   &error, "deadline");
    assert_failure(rescoldo_bake("/nonexistent", never, NULL, &error), RESCOLDO_STATUS_NOT_FOUND, &error,
                   "/nonexistent");
    assert_int_equal(test_directory_count(&source), files);
    test_directory_remove(&source);
}

static void embeddings_fill_the_callers_buffer(void **state) {
    const struct fixture *fixture = *state;
    float together[PASSAGES][TINY_HIDDEN], alone[TINY_HIDDEN];
    struct rescoldo_embedding_info infos[PASSAGES];
    struct rescoldo_error error;
    struct rescoldo_session *session = session_for(fixture->embedder);
    assert_int_equal(rescoldo_embed(session, fixture->passages, PASSAGES, NULL, &together[0][0],
                                    PASSAGES * TINY_HIDDEN, infos, &error),
                     RESCOLDO_STATUS_OK);
    for (size_t i = 0; i < PASSAGES; i++) {
        assert_int_equal(
            rescoldo_embed(session, &fixture->passages[i], 1, NULL, alone, TINY_HIDDEN, NULL, &error),
            RESCOLDO_STATUS_OK);
        assert_memory_equal(alone, together[i], sizeof alone);
        assert_int_equal(infos[i].character_end, strlen(passage_strings[i]));
        assert_true(infos[i].tokens >= 2 && !infos[i].truncated);
    }
    assert_failure(rescoldo_embed(session, fixture->passages, PASSAGES, NULL, &together[0][0],
                                  PASSAGES * TINY_HIDDEN - 1, infos, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "capacity is 319 floats, expected at least 5");
    assert_failure(
        rescoldo_embed(session, fixture->passages, SIZE_MAX, NULL, &together[0][0], SIZE_MAX, infos, &error),
        RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "capacity is");
    rescoldo_session_destroy(session);
    session = session_for(fixture->cross_encoder);
    assert_failure(rescoldo_embed(session, fixture->passages, 1, NULL, alone, TINY_HIDDEN, NULL, &error),
                   RESCOLDO_STATUS_UNSUPPORTED, &error, "cross-encoder");
    rescoldo_session_destroy(session);
}

static void tokens_are_those_that_are_scored(void **state) {
    const struct fixture *fixture = *state;
    int32_t ids[TINY_POSITIONS], type_ids[TINY_POSITIONS];
    struct rescoldo_tokens tokens = {.ids = ids, .type_ids = type_ids, .capacity = TINY_POSITIONS};
    struct rescoldo_result results[PASSAGES];
    struct rescoldo_error error;
    struct rescoldo_session *session = session_for(fixture->cross_encoder);
    for (uint32_t way = 0; way < 4; way++) {
        for (uint32_t max_length = 3; max_length < 40; max_length++) {
            struct rescoldo_call_options options = {.size = sizeof options,
                                                    .max_length = max_length,
                                                    .truncation = way & 1,
                                                    .truncation_direction = way >> 1,
                                                    .order = RESCOLDO_ORDER_GIVEN};
            enum rescoldo_status scored = rescoldo_rerank(session, text_of(query_string), fixture->passages,
                                                          PASSAGES, &options, results, &error);
            assert_int_equal(scored, RESCOLDO_STATUS_OK);
            for (size_t i = 0; i < PASSAGES; i++) {
                assert_int_equal(rescoldo_tokenize(session, text_of(query_string), &fixture->passages[i],
                                                   &options, &tokens, &error),
                                 RESCOLDO_STATUS_OK);
                assert_int_equal(tokens.count, results[i].tokens);
                assert_int_equal(tokens.truncated, results[i].truncated);
                assert_int_equal(type_ids[0], 0);
                assert_int_equal(type_ids[tokens.count - 1], 1);
            }
        }
    }
    assert_int_equal(rescoldo_tokenize(session, text_of("paris is"), NULL, NULL, &tokens, &error),
                     RESCOLDO_STATUS_OK);
    assert_int_equal(tokens.count, 4);
    assert_int_equal(type_ids[3], 0);
    struct rescoldo_call_options end = {
        .size = sizeof end, .max_length = 3, .truncation_direction = RESCOLDO_TRUNCATION_LEFT};
    int32_t last = ids[2];
    assert_int_equal(rescoldo_tokenize(session, text_of("paris is"), NULL, &end, &tokens, &error),
                     RESCOLDO_STATUS_OK);
    assert_true(tokens.count == 3 && tokens.truncated && ids[1] == last);
    tokens.capacity = 3;
    assert_failure(rescoldo_tokenize(session, text_of("paris is"), NULL, NULL, &tokens, &error),
                   RESCOLDO_STATUS_LIMIT_EXCEEDED, &error, "4 tokens, and room for 3");
    assert_int_equal(tokens.count, 4);
    struct rescoldo_call_options options = {.size = sizeof options, .max_length = 3};
    assert_int_equal(rescoldo_tokenize(session, text_of("paris is"), NULL, &options, &tokens, &error),
                     RESCOLDO_STATUS_OK);
    assert_true(tokens.count == 3 && tokens.truncated);
    options.truncation = RESCOLDO_TRUNCATION_NONE;
    assert_failure(rescoldo_tokenize(session, text_of("paris is"), NULL, &options, &tokens, &error),
                   RESCOLDO_STATUS_LIMIT_EXCEEDED, &error, "more than the 1 tokens");
    options.truncation = RESCOLDO_TRUNCATION_WINDOWS;
    assert_failure(rescoldo_tokenize(session, text_of("paris is"), NULL, &options, &tokens, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "WINDOWS");
    rescoldo_session_destroy(session);
}

/* Structures of a program whose header is older or newer than the library. */
static void structures_may_grow(void **state) {
    const struct fixture *fixture = *state;
    struct {
        struct rescoldo_call_options known;
        uint64_t later;
    } newer = {.known = {.size = sizeof newer}};
    struct {
        struct rescoldo_model_info known;
        uint64_t later;
    } info = {.known = {.size = sizeof info}, .later = 7};
    struct rescoldo_result result;
    struct rescoldo_error error;
    struct rescoldo_session *session = session_for(fixture->cross_encoder);
    assert_int_equal(
        rescoldo_rerank(session, text_of(query_string), fixture->passages, 1, &newer.known, &result, &error),
        RESCOLDO_STATUS_OK);
    newer.later = 1;
    assert_failure(
        rescoldo_rerank(session, text_of(query_string), fixture->passages, 1, &newer.known, &result, &error),
        RESCOLDO_STATUS_UNSUPPORTED, &error, "struct rescoldo_call_options sets a member");
    /* The structure's first form ended before truncation_direction. */
    newer.known.truncation_direction = 77;
    newer.known.size = offsetof(struct rescoldo_call_options, truncation_direction);
    assert_int_equal(
        rescoldo_rerank(session, text_of(query_string), fixture->passages, 1, &newer.known, &result, &error),
        RESCOLDO_STATUS_OK);
    newer.known.size = 0;
    assert_failure(
        rescoldo_rerank(session, text_of(query_string), fixture->passages, 1, &newer.known, &result, &error),
        RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "size of struct rescoldo_call_options is 0");
    assert_int_equal(rescoldo_model_describe(fixture->embedder, &info.known, &error), RESCOLDO_STATUS_OK);
    assert_int_equal(info.later, 0);
    /* What was never set is no size: nothing is read or written at its distance. */
    newer.known.size = SIZE_MAX;
    assert_failure(
        rescoldo_rerank(session, text_of(query_string), fixture->passages, 1, &newer.known, &result, &error),
        RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "size of struct rescoldo_call_options is");
    info.known.size = SIZE_MAX;
    assert_failure(rescoldo_model_describe(fixture->embedder, &info.known, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "size of struct rescoldo_model_info is");
    info.known.size = 8;
    assert_failure(rescoldo_model_describe(fixture->embedder, &info.known, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "size of struct rescoldo_model_info is 8");
    rescoldo_session_destroy(session);
}

static void bad_arguments_are_refused(void **state) {
    const struct fixture *fixture = *state;
    struct rescoldo_error error;
    struct rescoldo_result results[PASSAGES];
    struct rescoldo_model *model;
    struct rescoldo_session *session;
    const struct rescoldo_text nothing = {NULL, 3}, query = text_of(query_string);
    assert_failure(rescoldo_model_open("/nonexistent.ember", NULL, &model, &error), RESCOLDO_STATUS_NOT_FOUND,
                   &error, "/nonexistent.ember");
    assert_null(model);
    assert_failure(rescoldo_model_open(NULL, NULL, &model, &error), RESCOLDO_STATUS_INVALID_ARGUMENT, &error,
                   "path");
    assert_int_equal(rescoldo_model_open("x", NULL, NULL, NULL), RESCOLDO_STATUS_INVALID_ARGUMENT);
    assert_failure(rescoldo_session_create(NULL, NULL, &session, &error), RESCOLDO_STATUS_INVALID_ARGUMENT,
                   &error, "model");
    assert_null(session);
    struct rescoldo_session_options wrong = {.size = sizeof wrong, .invalid_utf8 = 2};
    assert_failure(rescoldo_session_create(fixture->embedder, &wrong, &session, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "invalid_utf8 is 2, expected 0 to 1");
    session = session_for(fixture->cross_encoder);
    assert_failure(rescoldo_rerank(NULL, query, fixture->passages, 1, NULL, results, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "session");
    assert_failure(rescoldo_rerank(session, query, NULL, 1, NULL, results, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "passages is NULL");
    assert_failure(rescoldo_rerank(session, nothing, NULL, 0, NULL, results, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "query: data is NULL");
    assert_failure(rescoldo_rerank(session, query, &nothing, 1, NULL, results, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "passage 0: data is NULL");
    const struct rescoldo_text broken[] = {text_of("paris"), text_of("\xff")};
    memset(results, 0x55, sizeof results);
    assert_failure(rescoldo_rerank(session, query, broken, 2, NULL, results, &error),
                   RESCOLDO_STATUS_INVALID_DATA, &error, "passage 1: ");
    for (size_t i = 0; i < sizeof results; i++)
        assert_int_equal(((unsigned char *)results)[i], 0x55);
    struct rescoldo_call_options options = {.size = sizeof options, .truncation = 4};
    assert_failure(rescoldo_rerank(session, query, broken, 1, &options, results, &error),
                   RESCOLDO_STATUS_INVALID_ARGUMENT, &error, "truncation is 4, expected 0 to 3");
    options = (struct rescoldo_call_options){.size = sizeof options, .deadline_nanoseconds = 1};
    assert_failure(rescoldo_rerank(session, query, broken, 1, &options, results, &error),
                   RESCOLDO_STATUS_DEADLINE_EXCEEDED, &error, "deadline");
    assert_int_equal(rescoldo_rerank(session, query, broken, 1, NULL, results, NULL), RESCOLDO_STATUS_OK);
    rescoldo_session_destroy(session);
    rescoldo_session_destroy(NULL);
    rescoldo_model_close(NULL);
}

static void invalid_utf8_may_be_replaced(void **state) {
    const struct fixture *fixture = *state;
    struct rescoldo_session_options options = {.size = sizeof options,
                                               .invalid_utf8 = RESCOLDO_INVALID_UTF8_REPLACE};
    struct rescoldo_session *session;
    struct rescoldo_result result;
    const struct rescoldo_text broken = text_of("paris \xff");
    assert_int_equal(rescoldo_session_create(fixture->cross_encoder, &options, &session, NULL),
                     RESCOLDO_STATUS_OK);
    assert_int_equal(rescoldo_rerank(session, broken, &broken, 1, NULL, &result, NULL), RESCOLDO_STATUS_OK);
    rescoldo_session_destroy(session);
}

/* ---- two threads on one model; cmocka's assertions belong to the main thread ---- */

struct worker {
    const struct fixture *fixture;
    const struct rescoldo_model *model;
    struct rescoldo_cancel_flag *cancel; /* NULL: a number of calls, else calls until cancelled */
    atomic_int calls;
    enum rescoldo_status last;
    struct rescoldo_result results[PASSAGES];
};

static void *work(void *argument) {
    struct worker *worker = argument;
    struct rescoldo_session *session;
    struct rescoldo_call_options options = {.size = sizeof options, .cancel = worker->cancel};
    worker->last = rescoldo_session_create(worker->model, NULL, &session, NULL);
    for (int i = 0; worker->last == RESCOLDO_STATUS_OK && (worker->cancel != NULL || i < 20); i++) {
        worker->last = rescoldo_rerank(session, text_of(query_string), worker->fixture->passages, PASSAGES,
                                       &options, worker->results, NULL);
        atomic_fetch_add(&worker->calls, 1);
    }
    rescoldo_session_destroy(session);
    return NULL;
}

static void threads_share_a_model(void **state) {
    const struct fixture *fixture = *state;
    struct rescoldo_cancel_flag *cancel = rescoldo_cancel_flag_create();
    assert_non_null(cancel);
    struct worker workers[] = {{.fixture = fixture, .model = fixture->cross_encoder},
                               {.fixture = fixture, .model = fixture->cross_encoder, .cancel = cancel}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    while (atomic_load(&workers[1].calls) == 0)
        sched_yield();
    assert_false(rescoldo_cancel_flag_is_set(cancel));
    rescoldo_cancel_flag_set(cancel);
    assert_true(rescoldo_cancel_flag_is_set(cancel) && !rescoldo_cancel_flag_is_set(NULL));
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    assert_int_equal(workers[0].last, RESCOLDO_STATUS_OK);
    assert_int_equal(workers[1].last, RESCOLDO_STATUS_CANCELLED);
    /* A first call that was not cancelled has left its results. */
    if (atomic_load(&workers[1].calls) > 1)
        assert_memory_equal(workers[0].results, workers[1].results, sizeof workers[0].results);
    rescoldo_cancel_flag_clear(cancel);
    struct rescoldo_call_options options = {.size = sizeof options, .cancel = cancel};
    struct rescoldo_session *session = session_for(fixture->cross_encoder);
    struct rescoldo_result results[PASSAGES];
    assert_int_equal(
        rescoldo_rerank(session, text_of(query_string), fixture->passages, PASSAGES, &options, results, NULL),
        RESCOLDO_STATUS_OK);
    assert_memory_equal(results, workers[0].results, sizeof results);
    rescoldo_session_destroy(session);
    rescoldo_cancel_flag_destroy(cancel);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_is_that_of_the_header),
        cmocka_unit_test(a_model_is_described),
        cmocka_unit_test(scores_are_the_engines),
        cmocka_unit_test(windows_are_an_option),
        cmocka_unit_test(an_ember_opens_from_memory),
        cmocka_unit_test(an_ember_opens_from_a_descriptor),
        cmocka_unit_test(a_model_is_chosen_by_task_or_name),
        cmocka_unit_test(an_embedder_reads_its_prompts),
        cmocka_unit_test(an_offset_in_a_text_does_not_count_its_prompt),
        cmocka_unit_test(every_part_of_a_passage_is_read_after_the_prompt),
        cmocka_unit_test(a_model_is_baked),
        cmocka_unit_test(embeddings_fill_the_callers_buffer),
        cmocka_unit_test(tokens_are_those_that_are_scored),
        cmocka_unit_test(structures_may_grow),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(invalid_utf8_may_be_replaced),
        cmocka_unit_test(threads_share_a_model),
    };
    return cmocka_run_group_tests(tests, create_fixture, destroy_fixture);
}
