#include "engine/call.h"
#include "engine/heads.h"
#include "tokenizer/windows.h"

#include <math.h>

/* Keeps the better of a passage's windows; the first of equal ones. */
static void take_score(struct call *call, const struct sequence_owner *owner, uint32_t tokens, float raw,
                       float relevance_score) {
    struct passage_score *score = (struct passage_score *)call->target + owner->index;
    if (!(raw > score->raw))
        return;
    score->raw = raw;
    score->relevance_score = relevance_score;
    score->tokens = tokens;
    score->character_start = owner->character_start;
    score->character_end = owner->character_end;
}

static void take_logit(struct call *call, const struct sequence_owner *owner, uint32_t tokens,
                       const float *output) {
    take_score(call, owner, tokens, output[0], sigmoid(output[0]));
}

#define QUERY_INDEX SIZE_MAX /* the owner of an embedder's query */

static void take_cosine(struct call *call, const struct sequence_owner *owner, uint32_t tokens,
                        const float *output) {
    struct session *session = call->session;
    if (owner->index == QUERY_INDEX) {
        for (size_t i = 0; i < session->output_size; i++)
            session->query_vector[i] = output[i];
        return;
    }
    float raw = cosine(session->query_vector, output, session->output_size);
    take_score(call, owner, tokens, raw, (1 + raw) / 2);
}

/* Adds tokens first..end of the passage in session->text, for a cross-encoder behind these tokens of the
 * query. */
static enum status add_window(struct call *call, size_t index, struct window query, struct window window,
                              struct error *error) {
    struct session *session = call->session;
    const struct tokenizer *tokenizer = &session->model->tokenizer;
    const int32_t *passage = session->text.ids + window.first;
    size_t count = window.end - window.first, query_count = query.end - query.first;
    struct token_span span = window_span(&session->text, window);
    struct sequence_owner owner = {index, span.character_start, span.character_end};
    bool pair = session->model->kind == MODEL_CROSS_ENCODER;
    size_t length = pair ? query_count + count + TOKENIZER_SPECIAL_PAIR : count + TOKENIZER_SPECIAL_SINGLE;
    int32_t *ids;
    enum status status = call_add(call, length, pair ? query_count + 2 : length, owner, &ids, error);
    if (status != STATUS_OK)
        return status;
    if (pair)
        (void)build_pair(tokenizer, session->query.ids + query.first, query_count, passage, count, ids);
    else
        (void)build_single(tokenizer, passage, count, ids);
    return STATUS_OK;
}

/* An embedder's passages stand alone: no query and one special token less than in a pair. */
static size_t pair_length(const struct call *call) {
    return call->session->model->kind == MODEL_CROSS_ENCODER ? call->max_length : call->max_length + 1;
}

static size_t pair_query_count(const struct call *call) {
    return call->session->model->kind == MODEL_CROSS_ENCODER ? call->session->query.count : 0;
}

/* The tokens of session->text that max_passage_tokens leaves. */
static struct window passage_part(const struct call *call) {
    size_t count = call->session->text.count, most = call->options->max_passage_tokens;
    return call_kept(call, count, most != 0 && most < count ? most : count);
}

static struct window shifted(struct window window, size_t distance) {
    return (struct window){window.first + distance, window.end + distance};
}

static enum status add_windows(struct call *call, size_t index, struct window part,
                               struct passage_score *score, struct error *error) {
    struct window_plan plan;
    const struct call_options *options = call->options;
    size_t query_count = pair_query_count(call);
    enum status status = plan_windows(query_count, part.end - part.first, pair_length(call),
                                      options->window_stride, &plan, error);
    if (status != STATUS_OK)
        return status;
    bool all = options->max_windows == 0 || options->max_windows >= plan.count;
    struct window chosen = call_kept(call, plan.count, all ? plan.count : options->max_windows);
    score->windows = plan.count > UINT32_MAX ? UINT32_MAX : (uint32_t)(chosen.end - chosen.first);
    score->truncated |= plan.query_kept < query_count || !all;
    struct window query = call_kept(call, query_count, plan.query_kept);
    for (size_t i = chosen.first; i < chosen.end && status == STATUS_OK; i++)
        status = add_window(call, index, query, shifted(window_at(&plan, i), part.first), error);
    return status;
}

/* Cuts both by the asked rule. Where the passage alone may give way to a query that leaves it nothing, the
 * query is cut to half the room instead of refusing the passage. */
static enum status add_truncated(struct call *call, size_t index, struct window part,
                                 struct passage_score *score, struct error *error) {
    size_t query_count = pair_query_count(call), passage_count = part.end - part.first;
    size_t first = query_count, second;
    if (call->options->truncation == TRUNCATION_ONLY_SECOND)
        first = query_kept(query_count, pair_length(call));
    enum status status = truncate_pair(first, passage_count, pair_length(call), call->options->truncation,
                                       &first, &second, error);
    if (status != STATUS_OK)
        return status;
    score->windows = 1;
    score->truncated |= first < query_count || second < passage_count;
    call->usage.query_truncated |= first < query_count;
    return add_window(call, index, call_kept(call, query_count, first),
                      shifted(call_kept(call, passage_count, second), part.first), error);
}

/* As encode_options.max_tokens of a passage: enough to decide as if all its tokens were known; 0: all. */
static size_t passage_max_tokens(const struct call *call) {
    const struct call_options *options = call->options;
    if (options->truncation_direction == TRUNCATION_LEFT)
        return 0;
    size_t enough = pair_max_tokens(pair_query_count(call), pair_length(call));
    if (options->windows)
        enough = (size_t)options->max_windows * pair_length(call);
    size_t most = options->max_passage_tokens;
    if (most != 0 && (enough == 0 || most < enough))
        enough = most + 1;
    return enough;
}

static enum status add_passage(struct call *call, size_t index, struct bytes passage,
                               struct passage_score *score, struct error *error) {
    *score = (struct passage_score){.raw = -INFINITY};
    enum status status = call_encode(call, passage, passage_max_tokens(call), &call->session->text, error);
    if (status != STATUS_OK)
        return status;
    struct window part = passage_part(call);
    score->truncated = part.end - part.first < call->session->text.count;
    return call->options->windows ? add_windows(call, index, part, score, error)
                                  : add_truncated(call, index, part, score, error);
}

/* An embedder's query is a sequence of its own and goes first. */
static enum status add_query_alone(struct call *call, struct error *error) {
    struct session *session = call->session;
    size_t room = call->max_length - TOKENIZER_SPECIAL_SINGLE;
    size_t kept = session->query.count < room ? session->query.count : room;
    call->usage.query_truncated = kept < session->query.count;
    if (call->usage.query_truncated && call->options->truncation == TRUNCATION_NONE)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%zu tokens, %zu fit", session->query.count, room);
    int32_t *ids;
    size_t length = kept + TOKENIZER_SPECIAL_SINGLE;
    enum status status =
        call_add(call, length, length, (struct sequence_owner){.index = QUERY_INDEX}, &ids, error);
    if (status == STATUS_OK)
        (void)build_single(&session->model->tokenizer,
                           session->query.ids + call_kept(call, session->query.count, kept).first, kept, ids);
    return status;
}

static enum status add_query(struct call *call, struct bytes query, struct error *error) {
    enum status status = call_encode(call, query, 0, &call->session->query, error);
    if (status == STATUS_OK && call->session->model->kind == MODEL_EMBEDDER)
        status = add_query_alone(call, error);
    return status == STATUS_OK ? status : error_add_context(error, status, "query");
}

static enum status rerank(struct call *call, struct bytes query, const struct bytes *passages, size_t count,
                          struct error *error) {
    struct passage_score *scores = call->target;
    enum status status = add_query(call, query, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = add_passage(call, i, passages[i], &scores[i], error);
        if (status != STATUS_OK)
            return call_error_at(status, "passage", i, error);
        scores[i].truncated |= call->session->model->kind == MODEL_EMBEDDER && call->usage.query_truncated;
    }
    return status == STATUS_OK ? call_finish(call, error) : status;
}

enum status session_rerank(struct session *session, struct bytes query, const struct bytes *passages,
                           size_t passage_count, const struct call_options *options,
                           struct passage_score *scores, struct call_usage *usage, struct error *error) {
    struct call call = {
        .take = session->model->kind == MODEL_CROSS_ENCODER ? take_logit : take_cosine,
        .target = scores,
    };
    enum status status = call_begin(&call, session, options, TOKENIZER_SPECIAL_PAIR, error);
    if (status == STATUS_OK)
        status = rerank(&call, query, passages, passage_count, error);
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
