#include "engine/session.h"

#include "base/clock.h"
#include "engine/batch.h"
#include "engine/encoder.h"
#include "engine/heads.h"

#include <stdlib.h>

struct session {
    const struct model *model;
    struct encoder *encoder;
    struct batch batch;
    size_t output_size; /* floats per sequence */
    float *outputs;     /* [sequences of a batch][output_size] */
    float *query_vector;
    struct tokens query;
    struct tokens text;
    enum invalid_utf8 invalid_utf8;
};

enum status session_create(const struct model *model, const struct session_options *options,
                           struct session **created, struct error *error) {
    *created = NULL;
    uint32_t batch_tokens = options != NULL && options->max_batch_tokens != 0 ? options->max_batch_tokens
                                                                              : SESSION_DEFAULT_BATCH_TOKENS;
    if (batch_tokens < model->max_length)
        batch_tokens = model->max_length;
    const struct kernels *kernels =
        options != NULL && options->kernels != NULL ? options->kernels : kernels_select();
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a session");
    session->model = model;
    session->invalid_utf8 = options != NULL ? options->invalid_utf8 : INVALID_UTF8_REFUSE;
    session->output_size = model->kind == MODEL_EMBEDDER ? model->shape.hidden_size : 1;
    enum status status = encoder_create(model, kernels, batch_tokens, &session->encoder, error);
    if (status == STATUS_OK)
        status = batch_create(&session->batch, batch_tokens, error);
    if (status == STATUS_OK) {
        session->outputs =
            calloc(batch_tokens / BATCH_MIN_SEQUENCE + 1, session->output_size * sizeof(float));
        session->query_vector = calloc(session->output_size, sizeof(float));
        if (session->outputs == NULL || session->query_vector == NULL)
            status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the outputs of a session");
    }
    if (status != STATUS_OK) {
        session_destroy(session);
        return status;
    }
    *created = session;
    return STATUS_OK;
}

void session_destroy(struct session *session) {
    if (session == NULL)
        return;
    encoder_destroy(session->encoder);
    batch_destroy(&session->batch);
    free(session->outputs);
    free(session->query_vector);
    tokens_free(&session->query);
    tokens_free(&session->text);
    free(session);
}

size_t session_memory(const struct session *session) {
    size_t sequences = session->batch.max_tokens / BATCH_MIN_SEQUENCE + 1;
    return encoder_memory(session->encoder) + session->batch.max_tokens * sizeof(int32_t) +
           sequences * (sizeof(struct sequence) + session->output_size * sizeof(float)) + sizeof *session;
}

const struct kernels *session_kernels(const struct session *session) {
    return encoder_kernels(session->encoder);
}

/* One call on its way: where the outputs of the batch go, and what was used. */
struct call {
    struct session *session;
    const struct call_options *options;
    uint32_t max_length;
    struct call_usage usage;
    size_t first; /* index of the batch's first sequence in the caller's arrays */
    void (*take)(struct call *call, size_t index, const float *output);
    void *target;
};

static enum status begin_call(struct call *call, struct session *session, const struct call_options *options,
                              uint32_t shortest, struct error *error) {
    static const struct call_options none = {0};
    call->session = session;
    call->options = options != NULL ? options : &none;
    call->max_length = session->model->max_length;
    if (call->options->max_length != 0) {
        if (call->options->max_length > session->model->max_length || call->options->max_length < shortest)
            return error_set(error, STATUS_INVALID_ARGUMENT, "max_length is %u, expected %u to %u",
                             call->options->max_length, shortest, session->model->max_length);
        call->max_length = call->options->max_length;
    }
    batch_clear(&session->batch);
    return STATUS_OK;
}

static enum status check_time(const struct call_options *options, struct error *error) {
    if (options->cancel != NULL && atomic_load_explicit(options->cancel, memory_order_relaxed))
        return error_set(error, STATUS_CANCELLED, "the call was cancelled");
    if (options->deadline_nanoseconds != 0 && clock_nanoseconds() > options->deadline_nanoseconds)
        return error_set(error, STATUS_DEADLINE_EXCEEDED, "the deadline passed before the work was done");
    return STATUS_OK;
}

static enum status run_batch(struct call *call, struct error *error) {
    struct session *session = call->session;
    struct batch *batch = &session->batch;
    if (batch->count == 0)
        return STATUS_OK;
    enum status status = check_time(call->options, error);
    if (status != STATUS_OK)
        return status;
    uint64_t start = clock_nanoseconds();
    status = encoder_run(session->encoder, batch->sequences, batch->count, session->outputs, error);
    call->usage.compute_nanoseconds += clock_nanoseconds() - start;
    if (status != STATUS_OK)
        return status;
    call->usage.tokens += batch->tokens;
    for (size_t i = 0; i < batch->count; i++)
        call->take(call, call->first + i, session->outputs + i * session->output_size);
    call->first += batch->count;
    batch_clear(batch);
    return STATUS_OK;
}

/* Room for one more sequence; runs the batch first when it is full. */
static enum status add_sequence(struct call *call, size_t count, size_t first_segment, int32_t **ids,
                                struct error *error) {
    *ids = batch_add(&call->session->batch, count, first_segment);
    if (*ids != NULL)
        return STATUS_OK;
    enum status status = run_batch(call, error);
    if (status != STATUS_OK)
        return status;
    *ids = batch_add(&call->session->batch, count, first_segment);
    return *ids != NULL
               ? STATUS_OK
               : error_set(error, STATUS_INTERNAL, "a sequence of %zu tokens does not fit a batch", count);
}

static enum status encode(struct call *call, struct bytes text, size_t max_tokens, struct tokens *tokens,
                          struct error *error) {
    struct encode_options options = {.invalid_utf8 = call->session->invalid_utf8, .max_tokens = max_tokens};
    uint64_t start = clock_nanoseconds();
    enum status status = tokenizer_encode(&call->session->model->tokenizer, text, &options, tokens, error);
    call->usage.tokenize_nanoseconds += clock_nanoseconds() - start;
    return status;
}

/* Cross-encoder: one [CLS] query [SEP] passage [SEP] for each passage. */

static void take_logit(struct call *call, size_t index, const float *output) {
    struct passage_score *score = (struct passage_score *)call->target + index;
    score->raw = output[0];
    score->relevance_score = sigmoid(output[0]);
}

static enum status add_pair(struct call *call, struct bytes passage, struct passage_score *score,
                            struct error *error) {
    struct session *session = call->session;
    size_t room = call->max_length - TOKENIZER_SPECIAL_PAIR;
    size_t query_count = session->query.count;
    /* One token beyond what can stay, and beyond the query's length, is all that truncation asks about. */
    size_t enough = (query_count > room ? query_count : room) + 1;
    enum status status = encode(call, passage, enough, &session->text, error);
    if (status != STATUS_OK)
        return status;
    size_t first, second;
    status = truncate_pair(query_count, session->text.count, call->max_length, call->options->truncation,
                           &first, &second, error);
    if (status != STATUS_OK)
        return status;
    size_t count = first + second + TOKENIZER_SPECIAL_PAIR;
    int32_t *ids;
    status = add_sequence(call, count, first + 2, &ids, error);
    if (status != STATUS_OK)
        return status;
    (void)build_pair(&session->model->tokenizer, session->query.ids, first, session->text.ids, second, ids);
    score->tokens = (uint32_t)count;
    score->truncated = first < query_count || second < session->text.count;
    call->usage.query_truncated |= first < query_count;
    return STATUS_OK;
}

static enum status rerank_pairs(struct call *call, struct bytes query, const struct bytes *passages,
                                size_t count, struct passage_score *scores, struct error *error) {
    call->take = take_logit;
    call->target = scores;
    enum status status = encode(call, query, 0, &call->session->query, error);
    if (status != STATUS_OK)
        return error_add_context(error, status, "query");
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = add_pair(call, passages[i], &scores[i], error);
        if (status != STATUS_OK && status != STATUS_CANCELLED && status != STATUS_DEADLINE_EXCEEDED)
            return error_add_context(error, status, "passage %zu", i);
    }
    return status == STATUS_OK ? run_batch(call, error) : status;
}

/* Embedder: one [CLS] text [SEP] for each text. */

static enum status add_single(struct call *call, struct bytes text, uint32_t *token_count, bool *truncated,
                              struct error *error) {
    struct session *session = call->session;
    size_t room = call->max_length - TOKENIZER_SPECIAL_SINGLE;
    enum status status = encode(call, text, room + 1, &session->text, error);
    if (status != STATUS_OK)
        return status;
    size_t kept = session->text.count;
    *truncated = kept > room;
    if (*truncated && call->options->truncation == TRUNCATION_NONE)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "the text has more than the %zu tokens that fit",
                         room);
    if (*truncated)
        kept = room;
    int32_t *ids;
    status =
        add_sequence(call, kept + TOKENIZER_SPECIAL_SINGLE, kept + TOKENIZER_SPECIAL_SINGLE, &ids, error);
    if (status != STATUS_OK)
        return status;
    (void)build_single(&session->model->tokenizer, session->text.ids, kept, ids);
    *token_count = (uint32_t)(kept + TOKENIZER_SPECIAL_SINGLE);
    return STATUS_OK;
}

static void take_cosine(struct call *call, size_t index, const float *output) {
    struct session *session = call->session;
    if (index == 0) { /* the query goes first */
        for (size_t i = 0; i < session->output_size; i++)
            session->query_vector[i] = output[i];
        return;
    }
    struct passage_score *score = (struct passage_score *)call->target + (index - 1);
    score->raw = cosine(session->query_vector, output, session->output_size);
    score->relevance_score = (1 + score->raw) / 2;
}

static enum status rerank_by_cosine(struct call *call, struct bytes query, const struct bytes *passages,
                                    size_t count, struct passage_score *scores, struct error *error) {
    call->take = take_cosine;
    call->target = scores;
    uint32_t query_tokens;
    enum status status = add_single(call, query, &query_tokens, &call->usage.query_truncated, error);
    if (status != STATUS_OK)
        return error_add_context(error, status, "query");
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = add_single(call, passages[i], &scores[i].tokens, &scores[i].truncated, error);
        scores[i].truncated |= call->usage.query_truncated;
        if (status != STATUS_OK && status != STATUS_CANCELLED && status != STATUS_DEADLINE_EXCEEDED)
            return error_add_context(error, status, "passage %zu", i);
    }
    return status == STATUS_OK ? run_batch(call, error) : status;
}

enum status session_rerank(struct session *session, struct bytes query, const struct bytes *passages,
                           size_t passage_count, const struct call_options *options,
                           struct passage_score *scores, struct call_usage *usage, struct error *error) {
    struct call call = {0};
    enum status status = begin_call(&call, session, options, TOKENIZER_SPECIAL_PAIR, error);
    if (status == STATUS_OK)
        status = session->model->kind == MODEL_CROSS_ENCODER
                     ? rerank_pairs(&call, query, passages, passage_count, scores, error)
                     : rerank_by_cosine(&call, query, passages, passage_count, scores, error);
    if (usage != NULL)
        *usage = call.usage;
    return status;
}

static void take_embedding(struct call *call, size_t index, const float *output) {
    size_t size = call->session->output_size;
    float *target = (float *)call->target + index * size;
    for (size_t i = 0; i < size; i++)
        target[i] = output[i];
}

enum status session_embed(struct session *session, const struct bytes *texts, size_t text_count,
                          const struct call_options *options, float *embeddings, struct embedding_info *infos,
                          struct call_usage *usage, struct error *error) {
    struct call call = {.take = take_embedding, .target = embeddings};
    if (session->model->kind != MODEL_EMBEDDER)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s is a cross-encoder: it scores pairs and has no embeddings",
                         session->model->name);
    enum status status = begin_call(&call, session, options, TOKENIZER_SPECIAL_SINGLE + 1, error);
    for (size_t i = 0; i < text_count && status == STATUS_OK; i++) {
        status = add_single(&call, texts[i], &infos[i].tokens, &infos[i].truncated, error);
        if (status != STATUS_OK && status != STATUS_CANCELLED && status != STATUS_DEADLINE_EXCEEDED &&
            text_count > 1)
            error_add_context(error, status, "text %zu", i);
    }
    if (status == STATUS_OK)
        status = run_batch(&call, error);
    if (usage != NULL)
        *usage = call.usage;
    return status;
}

/* The order of a reply: a comes after b when its score is lower, or equal with a higher index. A total order,
 * so any sort gives the same result; heapsort (Williams 1964) needs no memory and no luck. */
static bool comes_after(const struct passage_score *scores, size_t a, size_t b) {
    return scores[a].raw < scores[b].raw || (scores[a].raw == scores[b].raw && a > b);
}

static void sift_down(const struct passage_score *scores, size_t *heap, size_t root, size_t count) {
    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && comes_after(scores, heap[child + 1], heap[child]))
            child++;
        if (!comes_after(scores, heap[child], heap[root]))
            return;
        size_t swapped = heap[root];
        heap[root] = heap[child];
        heap[child] = swapped;
        root = child;
    }
}

void passage_order(const struct passage_score *scores, size_t count, size_t *order) {
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count / 2; i > 0; i--)
        sift_down(scores, order, i - 1, count);
    for (size_t end = count; end > 1; end--) {
        size_t last = order[0];
        order[0] = order[end - 1];
        order[end - 1] = last;
        sift_down(scores, order, 0, end - 1);
    }
}
