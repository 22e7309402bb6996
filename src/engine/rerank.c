#include "engine/heads.h"
#include "engine/request.h"

#include <math.h>
#include <stdlib.h>

/* --- outputs --- */

/* Keeps the better of a passage's windows; the first of equal ones, so that the order of delivery does not
 * matter. */
static void take_score(struct passage_score *score, const struct sequence_owner *owner, uint32_t tokens,
                       float raw, float relevance_score) {
    bool earlier = raw == score->raw && owner->character_start < score->character_start;
    if (!(raw > score->raw) && !earlier)
        return;
    score->raw = raw;
    score->relevance_score = relevance_score;
    score->tokens = tokens;
    score->character_start = owner->character_start;
    score->character_end = owner->character_end;
}

void rerank_take(struct request *request, const struct sequence_owner *owner, uint32_t tokens,
                 const float *output) {
    struct passage_score *scores = request->input.scores;
    if (request->model->kind == MODEL_CROSS_ENCODER) {
        take_score(&scores[owner->index], owner, tokens, output[0], sigmoid(output[0]));
        return;
    }
    size_t size = request->model->shape.hidden_size;
    if (owner->index == QUERY_INDEX) {
        for (size_t i = 0; i < size; i++)
            request->query_vector[i] = output[i];
        request->query_delivered = true;
        return;
    }
    float raw = cosine(request->query_vector, output, size);
    take_score(&scores[owner->index], owner, tokens, raw, (1 + raw) / 2);
}

/* --- the query --- */

/* An embedder's query is a sequence of its own and goes first. */
static enum status add_query_alone(struct request *request, struct error *error) {
    struct prompted_part read;
    enum status status = request_cut_prompted(
        request, (struct window){request->prompt_count, request->query.count}, &read, error);
    if (status != STATUS_OK)
        return status;
    request->usage.query_truncated = read.truncated;
    if (request->query_vector == NULL)
        request->query_vector = calloc(request->model->shape.hidden_size, sizeof *request->query_vector);
    if (request->query_vector == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the query's vector");
    return request_add_sequence(request, QUERY_INDEX, read.prompt, &request->query, read.part, error);
}

enum status rerank_add_query(struct request *request, struct error *error) {
    if (request->options.queries != NULL && request->model->kind == MODEL_CROSS_ENCODER)
        return STATUS_OK;
    if (request->options.queries != NULL)
        return error_set(error, STATUS_UNSUPPORTED, "an embedder takes one query for all passages");
    enum status status =
        request_encode(request, PROMPT_QUERY, request->input.query, 0, &request->query, error);
    if (status == STATUS_OK && request->model->kind == MODEL_EMBEDDER)
        status = add_query_alone(request, error);
    return status;
}

/* --- passages --- */

/* An embedder's passages stand alone: a prompt instead of a query, and one special token less than in a pair.
 */
static size_t pair_length(const struct request *request) {
    return request->model->kind == MODEL_CROSS_ENCODER ? request->max_length : request->max_length + 1;
}

/* Tokens before those of the passage: the query's, or the prompt's. */
static size_t before_count(const struct request *request) {
    return request->model->kind == MODEL_CROSS_ENCODER ? request->query.count : request->prompt_count;
}

/* The passage's own tokens that max_passage_tokens leaves. */
static struct window passage_part(const struct request *request) {
    size_t prompt = request->prompt_count, count = request->tokens.count - prompt,
           most = request->options.max_passage_tokens;
    struct window kept = request_kept(request, count, most != 0 && most < count ? most : count);
    return (struct window){prompt + kept.first, prompt + kept.end};
}

static enum status plan_all_windows(struct request *request, struct window part, struct passage_score *score,
                                    struct error *error) {
    const struct call_options *options = &request->options;
    struct request_text *text = &request->text;
    size_t before = before_count(request);
    enum status status = plan_windows(before, part.end - part.first, pair_length(request),
                                      options->window_stride, &text->plan, error);
    if (status != STATUS_OK)
        return status;
    size_t count = text->plan.count;
    bool all = options->max_windows == 0 || options->max_windows >= count;
    struct window chosen = request_kept(request, count, all ? count : options->max_windows);
    text->windows = true;
    text->part = part;
    text->before = request_kept(request, before, text->plan.query_kept);
    text->next = chosen.first;
    text->end = chosen.end;
    score->windows = count > UINT32_MAX ? UINT32_MAX : (uint32_t)(chosen.end - chosen.first);
    score->truncated |= text->plan.query_kept < before || !all;
    return STATUS_OK;
}

/* Cuts both by the asked rule. Where the passage alone may give way to a query that leaves it nothing, the
 * query is cut to half the room instead of refusing the passage. */
static enum status cut_pair(struct request *request, struct window part, struct passage_score *score,
                            struct error *error) {
    struct request_text *text = &request->text;
    size_t query_count = request->query.count, passage_count = part.end - part.first;
    enum truncation truncation = request->options.truncation;
    size_t first = query_count, second;
    if (truncation == TRUNCATION_ONLY_SECOND)
        first = query_kept(query_count, request->max_length);
    enum status status =
        truncate_pair(first, passage_count, request->max_length, truncation, &first, &second, error);
    if (status != STATUS_OK)
        return status;
    struct window kept = request_kept(request, passage_count, second);
    text->part = (struct window){part.first + kept.first, part.first + kept.end};
    text->before = request_kept(request, query_count, first);
    score->truncated |= first < query_count || second < passage_count;
    request->usage.query_truncated |= first < query_count;
    if (request->input.text_usages != NULL)
        request->input.text_usages[request->next_text].query_truncated = first < query_count;
    return STATUS_OK;
}

static enum status cut_alone(struct request *request, struct window part, struct passage_score *score,
                             struct error *error) {
    struct prompted_part read;
    enum status status = request_cut_prompted(request, part, &read, error);
    request->text.before = read.prompt;
    request->text.part = read.part;
    score->truncated |= read.truncated;
    return status;
}

static enum status plan_truncated(struct request *request, struct window part, struct passage_score *score,
                                  struct error *error) {
    enum status status = request->model->kind == MODEL_CROSS_ENCODER ? cut_pair(request, part, score, error)
                                                                     : cut_alone(request, part, score, error);
    if (status != STATUS_OK)
        return status;
    request->text.windows = false;
    request->text.next = 0;
    request->text.end = 1;
    score->windows = 1;
    return STATUS_OK;
}

/* As encode_options.max_tokens of a passage: enough to decide as if all its tokens were known; 0: all. */
static size_t passage_max_tokens(const struct request *request) {
    const struct call_options *options = &request->options;
    /* A refusal says how long the passage is. */
    bool refuses = options->truncation == TRUNCATION_NONE && !options->windows;
    if (options->truncation_direction == TRUNCATION_LEFT || refuses)
        return 0;
    size_t before = request->model->kind == MODEL_CROSS_ENCODER ? request->query.count : 0;
    size_t enough = pair_max_tokens(before, pair_length(request));
    if (options->windows)
        enough = (size_t)options->max_windows * pair_length(request);
    size_t most = options->max_passage_tokens;
    if (most != 0 && (enough == 0 || most < enough))
        enough = most + 1;
    return enough;
}

enum status rerank_plan_passage(struct request *request, size_t index, struct error *error) {
    struct passage_score *score = &request->input.scores[index];
    *score = (struct passage_score){.raw = -INFINITY};
    enum status status = STATUS_OK;
    if (request->options.queries != NULL)
        status =
            request_encode(request, PROMPT_QUERY, request->options.queries[index], 0, &request->query, error);
    if (status == STATUS_OK)
        status = request_encode(request, PROMPT_PASSAGE, request->input.texts[index],
                                passage_max_tokens(request), &request->tokens, error);
    if (status != STATUS_OK)
        return status;
    struct window part = passage_part(request);
    score->truncated = part.end - part.first < request->tokens.count - request->prompt_count;
    if (request->model->kind == MODEL_EMBEDDER)
        score->truncated |= request->usage.query_truncated;
    if (request->options.windows)
        return plan_all_windows(request, part, score, error);
    return plan_truncated(request, part, score, error);
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
