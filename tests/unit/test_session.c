/* A session over baked tiny models: results have the same bits in any order and batch, limits are kept, and
 * replies are in a total order. */
#include "bake/bake.h"
#include "base/clock.h"
#include "engine/request.h"
#include "engine/session.h"
#include "random.h"
#include "tiny_model.h"
#include "unit_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSAGES 40u

struct fixture {
    struct test_directory directory;
    struct model *cross_encoder, *embedder;
    char texts[PASSAGES][512];
    struct bytes passages[PASSAGES];
};

static struct model *bake(struct fixture *fixture, enum model_kind kind, const char *name) {
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
    struct model *model;
    if (model_open(test_path(&fixture->directory, name), NULL, &model, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return model;
}

static void write_texts(struct fixture *fixture) {
    static const char *const words[] = {"the",   "is",     "of",  "what",    "capital", "france",
                                        "paris", "berlin", "egg", "germany", "how",     "long",
                                        "1",     "!",      "ing", "under",   "eggs",    "test"};
    struct random random = {3};
    for (size_t i = 0; i < PASSAGES; i++) {
        size_t count = i == 0 ? 0 : random_below(&random, (uint32_t)(i % 4 == 3 ? 60 : 12));
        for (size_t w = 0; w < count; w++) {
            strcat(fixture->texts[i], words[random_below(&random, sizeof words / sizeof words[0])]);
            strcat(fixture->texts[i], " ");
        }
        fixture->passages[i] = bytes_of_string(fixture->texts[i]);
    }
}

static int create_fixture(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->directory = test_directory_create();
    fixture->cross_encoder = bake(fixture, MODEL_CROSS_ENCODER, "cross-encoder.ember");
    fixture->embedder = bake(fixture, MODEL_EMBEDDER, "embedder.ember");
    write_texts(fixture);
    *state = fixture;
    return 0;
}

static int destroy_fixture(void **state) {
    struct fixture *fixture = *state;
    model_close(fixture->cross_encoder);
    model_close(fixture->embedder);
    test_directory_remove(&fixture->directory);
    free(fixture);
    return 0;
}

static struct session *session_for(const struct model *model, uint32_t max_batch_tokens) {
    struct session *session;
    const struct session_options options = {.max_batch_tokens = max_batch_tokens};
    assert_int_equal(session_create(model, &options, &session, NULL), STATUS_OK);
    assert_true(session_memory(session) > 0);
    assert_non_null(session_kernels(session)->name);
    return session;
}

static const char query_text[] = "what is the capital of france ?";

static void rerank(struct session *session, const struct bytes *passages, size_t count,
                   const struct call_options *options, struct passage_score *scores) {
    struct error error;
    if (session_rerank(session, bytes_of_string(query_text), passages, count, options, scores, NULL,
                       &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

static void assert_same_score(const struct passage_score *a, const struct passage_score *b) {
    assert_memory_equal(&a->raw, &b->raw, sizeof a->raw);
    assert_memory_equal(&a->relevance_score, &b->relevance_score, sizeof a->relevance_score);
    assert_int_equal(a->tokens, b->tokens);
    assert_int_equal(a->truncated, b->truncated);
}

/* Random passages in random order, repeats allowed, with sessions of several sizes. */
static void check_bits(const struct fixture *fixture, const struct model *model) {
    struct passage_score expected[PASSAGES], scores[2 * PASSAGES];
    struct session *session = session_for(model, 0);
    for (size_t i = 0; i < PASSAGES; i++)
        rerank(session, &fixture->passages[i], 1, NULL, &expected[i]);
    session_destroy(session);
    struct random random = {5};
    for (size_t round = 0; round < 60; round++) {
        struct bytes passages[2 * PASSAGES];
        size_t chosen[2 * PASSAGES], count = random_below(&random, 2 * PASSAGES + 1);
        for (size_t i = 0; i < count; i++) {
            chosen[i] = random_below(&random, PASSAGES);
            passages[i] = fixture->passages[chosen[i]];
        }
        session = session_for(model, 1 + random_below(&random, 1000));
        rerank(session, passages, count, NULL, scores);
        session_destroy(session);
        for (size_t i = 0; i < count; i++)
            assert_same_score(&scores[i], &expected[chosen[i]]);
    }
}

static void scores_do_not_depend_on_the_batch(void **state) {
    const struct fixture *fixture = *state;
    check_bits(fixture, fixture->cross_encoder);
    check_bits(fixture, fixture->embedder);
}

#define REQUESTS 5u

/* One session takes sequences of several requests in random order. */
static void check_mixed_requests(const struct fixture *fixture, const struct model *model) {
    struct request requests[REQUESTS] = {0};
    struct passage_score scores[REQUESTS][PASSAGES], expected[PASSAGES];
    char queries[REQUESTS][32];
    struct random random = {11};
    struct session *session = session_for(model, 300);
    for (size_t i = 0; i < REQUESTS; i++) {
        snprintf(queries[i], sizeof queries[i], "what is egg %zu ?", i);
        const struct request_input input = {.kind = REQUEST_RERANK,
                                            .query = bytes_of_string(queries[i]),
                                            .texts = fixture->passages,
                                            .text_count = PASSAGES - i,
                                            .scores = scores[i]};
        assert_int_equal(request_begin(&requests[i], model, &input, NULL), STATUS_OK);
    }
    for (bool busy = true; busy;) {
        busy = false;
        for (size_t turn = 0; turn < 20; turn++) {
            struct request *request = &requests[random_below(&random, REQUESTS)];
            assert_int_equal(request_prepare(request, 1 + random_below(&random, 100), NULL), STATUS_OK);
            if (sequence_queue_count(&request->ready) > 0 && !session_add(session, request))
                break;
        }
        if (session_batch_tokens(session) > 0)
            assert_int_equal(session_run(session, NULL), STATUS_OK);
        session_deliver(session);
        for (size_t i = 0; i < REQUESTS; i++)
            busy |= !request_is_prepared(&requests[i]) || sequence_queue_count(&requests[i].ready) > 0;
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        struct call_usage usage;
        assert_int_equal(session_rerank(session, bytes_of_string(queries[i]), fixture->passages, PASSAGES - i,
                                        NULL, expected, &usage, NULL),
                         STATUS_OK);
        assert_true(usage.tokens == requests[i].usage.tokens);
        for (size_t k = 0; k < PASSAGES - i; k++)
            assert_same_score(&scores[i][k], &expected[k]);
        request_free(&requests[i]);
    }
    session_destroy(session);
}

static void requests_share_a_batch(void **state) {
    const struct fixture *fixture = *state;
    check_mixed_requests(fixture, fixture->cross_encoder);
    check_mixed_requests(fixture, fixture->embedder);
}

static void embeddings_do_not_depend_on_the_batch(void **state) {
    const struct fixture *fixture = *state;
    float together[PASSAGES][TINY_HIDDEN], alone[TINY_HIDDEN];
    struct embedding_info infos[PASSAGES], info;
    struct call_usage usage;
    struct session *session = session_for(fixture->embedder, 200);
    assert_int_equal(
        session_embed(session, fixture->passages, PASSAGES, NULL, &together[0][0], infos, &usage, NULL),
        STATUS_OK);
    uint64_t tokens = 0;
    for (size_t i = 0; i < PASSAGES; i++) {
        assert_int_equal(session_embed(session, &fixture->passages[i], 1, NULL, alone, &info, NULL, NULL),
                         STATUS_OK);
        assert_memory_equal(alone, together[i], sizeof alone);
        assert_int_equal(info.tokens, infos[i].tokens);
        tokens += info.tokens;
    }
    assert_true(usage.tokens == tokens);
    session_destroy(session);
}

static void cosines_are_those_of_the_embeddings(void **state) {
    const struct fixture *fixture = *state;
    float vectors[PASSAGES][TINY_HIDDEN], query[TINY_HIDDEN];
    struct embedding_info infos[PASSAGES];
    struct passage_score scores[PASSAGES];
    struct bytes query_bytes = bytes_of_string(query_text);
    struct session *session = session_for(fixture->embedder, 0);
    rerank(session, fixture->passages, PASSAGES, NULL, scores);
    assert_int_equal(
        session_embed(session, fixture->passages, PASSAGES, NULL, &vectors[0][0], infos, NULL, NULL),
        STATUS_OK);
    assert_int_equal(session_embed(session, &query_bytes, 1, NULL, query, infos, NULL, NULL), STATUS_OK);
    for (size_t i = 0; i < PASSAGES; i++) {
        double dot = 0;
        for (size_t d = 0; d < TINY_HIDDEN; d++)
            dot += (double)query[d] * (double)vectors[i][d];
        assert_true(fabs((double)scores[i].raw - dot) <= 1e-6);
        assert_true(scores[i].relevance_score == (1 + scores[i].raw) / 2);
    }
    session_destroy(session);
}

static void sequences_are_cut_to_max_length(void **state) {
    const struct fixture *fixture = *state;
    struct passage_score scores[PASSAGES];
    const struct call_options options = {.max_length = 24};
    struct session *session = session_for(fixture->cross_encoder, 0);
    struct call_usage usage;
    assert_int_equal(session_rerank(session, bytes_of_string(query_text), fixture->passages, PASSAGES,
                                    &options, scores, &usage, NULL),
                     STATUS_OK);
    size_t truncated = 0;
    uint64_t tokens = 0;
    for (size_t i = 0; i < PASSAGES; i++) {
        assert_true(scores[i].tokens <= 24);
        assert_true(!scores[i].truncated || scores[i].tokens == 24);
        truncated += scores[i].truncated;
        tokens += scores[i].tokens;
    }
    assert_true(truncated > 0 && truncated < PASSAGES);
    assert_true(usage.tokens == tokens);
    session_destroy(session);
}

/* The words first..first + count of a long passage of words that are one token each. */
static struct bytes some_words(char *text, size_t size, size_t first, size_t count) {
    static const char *const words[] = {"the", "is", "of", "what", "capital", "france", "paris"};
    text[0] = '\0';
    for (size_t i = first; i < first + count; i++)
        snprintf(text + strlen(text), size - strlen(text), "%s ", words[i * i % 7]);
    return bytes_of_string(text);
}

#define LONG_PASSAGE 300u

/* A passage of LONG_PASSAGE tokens under these options has the score of tokens first..first + count alone. */
static void assert_read_as(const struct model *model, const struct call_options *options, size_t first,
                           size_t count) {
    char whole[LONG_PASSAGE * 8 + 1], part[LONG_PASSAGE * 8 + 1];
    struct bytes passage = some_words(whole, sizeof whole, 0, LONG_PASSAGE);
    struct bytes read = some_words(part, sizeof part, first, count);
    struct session *session = session_for(model, 0);
    struct passage_score score, expected;
    rerank(session, &passage, 1, options, &score);
    rerank(session, &read, 1, NULL, &expected);
    session_destroy(session);
    assert_false(expected.truncated);
    assert_true(score.truncated);
    assert_memory_equal(&score.raw, &expected.raw, sizeof score.raw);
    assert_int_equal(score.tokens, expected.tokens);
    assert_int_equal(score.character_start, strstr(whole + score.character_start, part) - whole);
    assert_int_equal(score.character_end - score.character_start, strlen(part) - 1);
}

static void a_passage_is_cut_at_the_asked_end(void **state) {
    const struct fixture *fixture = *state;
    const struct model *models[] = {fixture->cross_encoder, fixture->embedder};
    for (size_t m = 0; m < 2; m++) {
        /* The query has 7 tokens; an embedder's passage stands alone. */
        size_t room = TINY_POSITIONS - (m == 0 ? 7 + TOKENIZER_SPECIAL_PAIR : TOKENIZER_SPECIAL_SINGLE);
        struct call_options options = {.truncation_direction = TRUNCATION_RIGHT};
        assert_read_as(models[m], &options, 0, room);
        options.max_passage_tokens = 9;
        assert_read_as(models[m], &options, 0, 9);
        options.windows = true;
        assert_read_as(models[m], &options, 0, 9);
        options = (struct call_options){.windows = true, .max_windows = 1};
        assert_read_as(models[m], &options, 0, room);
        options = (struct call_options){.truncation_direction = TRUNCATION_LEFT};
        assert_read_as(models[m], &options, LONG_PASSAGE - room, room);
        options.max_passage_tokens = 9;
        assert_read_as(models[m], &options, LONG_PASSAGE - 9, 9);
    }
}

static void at_most_max_windows_are_scored(void **state) {
    const struct fixture *fixture = *state;
    char text[LONG_PASSAGE * 8 + 1];
    struct bytes passage = some_words(text, sizeof text, 0, LONG_PASSAGE);
    struct session *session = session_for(fixture->cross_encoder, 0);
    struct passage_score all, some;
    struct call_options options = {.windows = true, .window_stride = 10};
    rerank(session, &passage, 1, &options, &all);
    assert_false(all.truncated);
    assert_int_equal(all.windows, 3);
    for (options.max_windows = 1; options.max_windows <= 4; options.max_windows++) {
        rerank(session, &passage, 1, &options, &some);
        assert_int_equal(some.truncated, options.max_windows < 3);
        assert_int_equal(some.windows, options.max_windows < 3 ? options.max_windows : 3);
        assert_true(some.raw <= all.raw);
    }
    session_destroy(session);
}

static void an_embedded_text_keeps_the_asked_end(void **state) {
    const struct fixture *fixture = *state;
    char whole[LONG_PASSAGE * 8 + 1], part[LONG_PASSAGE * 8 + 1];
    size_t room = TINY_POSITIONS - TOKENIZER_SPECIAL_SINGLE;
    struct bytes texts[] = {some_words(whole, sizeof whole, 0, LONG_PASSAGE),
                            some_words(part, sizeof part, LONG_PASSAGE - room, room)};
    const struct call_options options = {.truncation_direction = TRUNCATION_LEFT};
    float vectors[2][TINY_HIDDEN];
    struct embedding_info infos[2];
    struct session *session = session_for(fixture->embedder, 0);
    assert_int_equal(session_embed(session, texts, 2, &options, &vectors[0][0], infos, NULL, NULL),
                     STATUS_OK);
    session_destroy(session);
    assert_memory_equal(vectors[0], vectors[1], sizeof vectors[0]);
    assert_true(infos[0].truncated && !infos[1].truncated);
    assert_int_equal(infos[0].character_end, strlen(whole) - 1);
    assert_int_equal(infos[0].character_end - infos[0].character_start, strlen(part) - 1);
    assert_int_equal(infos[1].character_start, 0);
}

/* A call that must fail with this status and a message that contains the part. */
static void assert_rerank_fails(const struct model *model, struct bytes query, const struct bytes *passages,
                                size_t count, const struct call_options *options, enum status expected,
                                const char *part_of_message) {
    struct passage_score scores[PASSAGES];
    struct error error = {0};
    struct session *session = session_for(model, 0);
    assert_int_equal(session_rerank(session, query, passages, count, options, scores, NULL, &error),
                     expected);
    if (strstr(error.message, part_of_message) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, part_of_message);
    /* A failed call leaves nothing behind. */
    rerank(session, passages, 1, NULL, scores);
    session_destroy(session);
}

static void limits_of_a_call_are_checked(void **state) {
    const struct fixture *fixture = *state;
    struct bytes query = bytes_of_string(query_text);
    const struct model *models[] = {fixture->cross_encoder, fixture->embedder};
    for (size_t m = 0; m < 2; m++) {
        struct call_options options = {.max_length = TINY_POSITIONS + 1};
        assert_rerank_fails(models[m], query, fixture->passages, PASSAGES, &options, STATUS_INVALID_ARGUMENT,
                            "max_length is 129, expected");
        options.max_length = 1;
        assert_rerank_fails(models[m], query, fixture->passages, PASSAGES, &options, STATUS_INVALID_ARGUMENT,
                            "max_length is 1, expected");
        const atomic_bool cancel = true;
        assert_rerank_fails(models[m], query, fixture->passages, PASSAGES,
                            &(struct call_options){.cancel = &cancel}, STATUS_CANCELLED, "cancelled");
        assert_rerank_fails(models[m], query, fixture->passages, PASSAGES,
                            &(struct call_options){.deadline_nanoseconds = 1}, STATUS_DEADLINE_EXCEEDED,
                            "deadline");
        const atomic_bool go_on = false;
        struct passage_score scores[PASSAGES];
        struct session *session = session_for(models[m], 0);
        options = (struct call_options){.cancel = &go_on,
                                        .deadline_nanoseconds = clock_nanoseconds() + 600000000000u};
        rerank(session, fixture->passages, PASSAGES, &options, scores);
        session_destroy(session);
    }
}

static void errors_name_the_passage(void **state) {
    const struct fixture *fixture = *state;
    struct bytes passages[] = {bytes_of_string("paris"), bytes_of_string("\xff")};
    struct bytes query = bytes_of_string(query_text);
    assert_rerank_fails(fixture->cross_encoder, query, passages, 2, NULL, STATUS_INVALID_DATA, "passage 1: ");
    assert_rerank_fails(fixture->embedder, query, passages, 2, NULL, STATUS_INVALID_DATA, "passage 1: ");
    assert_rerank_fails(fixture->cross_encoder, bytes_of_string("\xff"), passages, 1, NULL,
                        STATUS_INVALID_DATA, "query: ");
    struct call_options options = {.max_length = 10, .truncation = TRUNCATION_NONE};
    assert_rerank_fails(fixture->cross_encoder, query, passages, 1, &options, STATUS_LIMIT_EXCEEDED,
                        "passage 0: ");
}

static void only_an_embedder_embeds(void **state) {
    const struct fixture *fixture = *state;
    float vector[TINY_HIDDEN];
    struct embedding_info info;
    struct session *session = session_for(fixture->cross_encoder, 0);
    assert_int_equal(session_embed(session, fixture->passages, 1, NULL, vector, &info, NULL, NULL),
                     STATUS_UNSUPPORTED);
    session_destroy(session);
    session_destroy(NULL);
}

static void memory_follows_from_max_batch_tokens(void **state) {
    const struct fixture *fixture = *state;
    struct session *small = session_for(fixture->cross_encoder, 1), *large = NULL;
    /* Room for the model's longest sequence, whatever is asked for. */
    struct session *longest = session_for(fixture->cross_encoder, TINY_POSITIONS);
    large = session_for(fixture->cross_encoder, 4 * TINY_POSITIONS);
    assert_true(session_memory(small) == session_memory(longest));
    assert_true(session_memory(large) > session_memory(longest));
    session_destroy(small);
    session_destroy(longest);
    session_destroy(large);
}

static void equal_scores_keep_the_order_given(void **state) {
    (void)state;
    struct random random = {9};
    for (size_t count = 0; count <= 200; count += count < 20 ? 1 : 37) {
        struct passage_score scores[200] = {0};
        size_t order[200];
        bool seen[200] = {false};
        for (size_t i = 0; i < count; i++)
            scores[i].raw = (float)random_between(&random, -2, 2);
        passage_order(scores, count, order);
        for (size_t i = 0; i < count; i++) {
            assert_true(order[i] < count && !seen[order[i]]);
            seen[order[i]] = true;
            if (i == 0)
                continue;
            float before = scores[order[i - 1]].raw, here = scores[order[i]].raw;
            assert_true(before > here || (before == here && order[i - 1] < order[i]));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_do_not_depend_on_the_batch),
        cmocka_unit_test(requests_share_a_batch),
        cmocka_unit_test(embeddings_do_not_depend_on_the_batch),
        cmocka_unit_test(cosines_are_those_of_the_embeddings),
        cmocka_unit_test(sequences_are_cut_to_max_length),
        cmocka_unit_test(a_passage_is_cut_at_the_asked_end),
        cmocka_unit_test(at_most_max_windows_are_scored),
        cmocka_unit_test(an_embedded_text_keeps_the_asked_end),
        cmocka_unit_test(limits_of_a_call_are_checked),
        cmocka_unit_test(errors_name_the_passage),
        cmocka_unit_test(only_an_embedder_embeds),
        cmocka_unit_test(memory_follows_from_max_batch_tokens),
        cmocka_unit_test(equal_scores_keep_the_order_given),
    };
    return cmocka_run_group_tests(tests, create_fixture, destroy_fixture);
}
