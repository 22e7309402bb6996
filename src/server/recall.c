#include "server/recall.h"

#include <stdlib.h>

/* An entry of CACHE_SCORES. Made by memcpy and never outside of this process. */
struct known_score {
    struct passage_score score;
    struct request_text_usage usage;
};

/* The head of an entry of CACHE_TOKENS; ids and spans follow. */
struct known_tokens {
    uint64_t count;
    uint64_t stopped_early;
};

static void add_number(SHA2_CTX *state, uint64_t number) {
    unsigned char bytes[8];
    store_u64le(bytes, number);
    SHA256Update(state, bytes, sizeof bytes);
}

/* With its length before it, so that no two sequences of texts look alike. */
static void add_text(SHA2_CTX *state, struct bytes text) {
    add_number(state, text.size);
    if (text.size > 0)
        SHA256Update(state, text.data, text.size);
}

/* All options that a score depends on. */
static void add_options(SHA2_CTX *state, const struct call_options *options) {
    add_number(state, options->max_length);
    add_number(state, (uint64_t)options->truncation);
    add_number(state, (uint64_t)options->truncation_direction);
    add_number(state, options->max_passage_tokens);
    add_number(state, options->windows);
    add_number(state, options->window_stride);
    add_number(state, options->max_windows);
}

static struct cache_key score_key(const struct recall *recall, struct bytes passage) {
    struct cache_key key;
    SHA2_CTX state = recall->query;
    add_text(&state, passage);
    SHA256Final(key.bytes, &state);
    return key;
}

static struct cache_key tokens_key(const struct recall *recall, struct bytes text, size_t max_tokens) {
    struct cache_key key;
    SHA2_CTX state;
    SHA256Init(&state);
    add_number(&state, recall->model);
    add_number(&state, max_tokens);
    add_text(&state, text);
    SHA256Final(key.bytes, &state);
    return key;
}

static bool find_score(void *context, const struct request *request, size_t index,
                       struct passage_score *score, struct request_text_usage *usage) {
    struct recall *recall = context;
    if (!recall->with_scores)
        return false;
    struct cache_key key = score_key(recall, request->input.texts[index]);
    if (!cache_find(recall->cache, CACHE_SCORES, &key, &recall->value))
        return false;
    struct known_score known;
    memcpy(&known, recall->value.data, sizeof known);
    *score = known.score;
    *usage = known.usage;
    recall->known[index] = true;
    return true;
}

static bool find_tokens(void *context, struct bytes text, size_t max_tokens, struct tokens *tokens) {
    struct recall *recall = context;
    struct cache_key key = tokens_key(recall, text, max_tokens);
    if (!cache_find(recall->cache, CACHE_TOKENS, &key, &recall->value))
        return false;
    struct known_tokens known;
    memcpy(&known, recall->value.data, sizeof known);
    size_t count = (size_t)known.count;
    const unsigned char *ids = recall->value.data + sizeof known;
    return tokens_set(tokens, ids, ids + count * sizeof *tokens->ids, count, known.stopped_early != 0,
                      NULL) == STATUS_OK;
}

static void keep_tokens(void *context, struct bytes text, size_t max_tokens, const struct tokens *tokens) {
    struct recall *recall = context;
    struct known_tokens known = {tokens->count, tokens->stopped_early};
    struct buffer *value = &recall->value;
    value->size = 0;
    if (buffer_append(value, &known, sizeof known, NULL) != STATUS_OK ||
        (tokens->count > 0 &&
         (buffer_append(value, tokens->ids, tokens->count * sizeof *tokens->ids, NULL) != STATUS_OK ||
          buffer_append(value, tokens->spans, tokens->count * sizeof *tokens->spans, NULL) != STATUS_OK)))
        return;
    struct cache_key key = tokens_key(recall, text, max_tokens);
    cache_keep(recall->cache, CACHE_TOKENS, &key, buffer_bytes(value));
}

void recall_begin(struct recall *recall, struct cache *cache, uint64_t model, struct request_input *input) {
    if (cache == NULL)
        return;
    recall->cache = cache;
    recall->model = model;
    recall->memory = (struct request_memory){recall, find_score, find_tokens, keep_tokens};
    recall->text_count = input->text_count;
    input->memory = &recall->memory;
    if (input->kind != REQUEST_RERANK || input->options->queries != NULL)
        return;
    recall->known = calloc(input->text_count, sizeof *recall->known);
    recall->usages = calloc(input->text_count, sizeof *recall->usages);
    recall->with_scores = recall->known != NULL && recall->usages != NULL;
    input->text_usages = recall->usages;
    SHA256Init(&recall->query);
    add_number(&recall->query, model);
    add_options(&recall->query, input->options);
    add_text(&recall->query, input->query);
}

void recall_keep_scores(struct recall *recall, const struct request *request) {
    for (size_t i = 0; i < recall->text_count && recall->with_scores; i++) {
        if (recall->known[i])
            continue;
        struct known_score known;
        memset(&known, 0, sizeof known); /* the padding too */
        known.score = request->input.scores[i];
        known.usage = recall->usages[i];
        struct cache_key key = score_key(recall, request->input.texts[i]);
        cache_keep(recall->cache, CACHE_SCORES, &key, bytes_of(&known, sizeof known));
    }
}

void recall_free(struct recall *recall) {
    free(recall->known);
    free(recall->usages);
    buffer_free(&recall->value);
    *recall = (struct recall){0};
}
