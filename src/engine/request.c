#include "engine/request.h"

#include "base/clock.h"

#include <stdlib.h>

static enum status set_max_length(struct request *request, struct error *error) {
    uint32_t longest = request->model->max_length;
    uint32_t shortest =
        request->input.kind == REQUEST_RERANK ? TOKENIZER_SPECIAL_PAIR : TOKENIZER_SPECIAL_SINGLE + 1;
    uint32_t asked = request->options.max_length;
    if (asked != 0 && (asked > longest || asked < shortest))
        return error_set(error, STATUS_INVALID_ARGUMENT, "max_length is %u, expected %u to %u", asked,
                         shortest, longest);
    request->max_length = asked != 0 ? asked : longest;
    return STATUS_OK;
}

static void reset(struct request *request, const struct model *model, const struct request_input *input) {
    request->model = model;
    request->input = *input;
    request->options = input->options != NULL ? *input->options : (struct call_options){0};
    request->text = (struct request_text){0};
    request->next_text = 0;
    request->target = &request->ready;
    request->query_delivered = false;
    request->usage = (struct call_usage){0};
    request->delivered_sequences = 0;
    sequence_queue_clear(&request->ready);
}

enum status request_begin(struct request *request, const struct model *model,
                          const struct request_input *input, struct error *error) {
    reset(request, model, input);
    if (input->kind == REQUEST_EMBED && model->kind != MODEL_EMBEDDER)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s is a cross-encoder: it scores pairs and has no embeddings", model->name);
    enum status status = set_max_length(request, error);
    if (status != STATUS_OK || input->kind == REQUEST_EMBED)
        return status;
    status = rerank_add_query(request, error);
    return status == STATUS_OK ? status : error_add_context(error, status, "query");
}

bool request_is_prepared(const struct request *request) {
    return request->next_text == request->input.text_count && request->text.next == request->text.end;
}

/* Is the passage's score known? Then nothing of it is to be computed. */
static bool recall_score(struct request *request, size_t index) {
    const struct request_memory *memory = request->input.memory;
    struct request_text_usage usage = {0};
    if (memory == NULL ||
        !memory->find_score(memory->context, request, index, &request->input.scores[index], &usage))
        return false;
    request->usage.cached_tokens += usage.tokens;
    request->usage.query_truncated |= usage.query_truncated;
    request->text = (struct request_text){0};
    return true;
}

static enum status plan_text(struct request *request, struct error *error) {
    size_t index = request->next_text;
    bool rerank = request->input.kind == REQUEST_RERANK;
    if (rerank && recall_score(request, index)) {
        request->next_text++;
        return STATUS_OK;
    }
    enum status status =
        rerank ? rerank_plan_passage(request, index, error) : embed_plan_text(request, index, error);
    if (status != STATUS_OK && (rerank || request->input.text_count > 1))
        return error_add_context(error, status, "%s %zu", rerank ? "passage" : "text", index);
    if (status == STATUS_OK)
        request->next_text++;
    return status;
}

static enum status add_planned(struct request *request, struct error *error) {
    struct request_text *text = &request->text;
    struct window window = text->part;
    if (text->windows) {
        window = window_at(&text->plan, text->next);
        window.first += text->part.first;
        window.end += text->part.first;
    }
    enum status status =
        request_add_sequence(request, request->next_text - 1, text->before, &request->tokens, window, error);
    text->next += status == STATUS_OK ? 1 : 0;
    return status;
}

enum status request_prepare(struct request *request, size_t enough_tokens, struct error *error) {
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !request_is_prepared(request) &&
           sequence_queue_tokens(request->target) < enough_tokens) {
        if (request->text.next == request->text.end)
            status = plan_text(request, error);
        else
            status = add_planned(request, error);
    }
    return status;
}

enum status request_check_time(const struct request *request, struct error *error) {
    const struct call_options *options = &request->options;
    if (options->cancel != NULL && atomic_load_explicit(options->cancel, memory_order_relaxed))
        return error_set(error, STATUS_CANCELLED, "the call was cancelled");
    if (options->deadline_nanoseconds != 0 && clock_nanoseconds() > options->deadline_nanoseconds)
        return error_set(error, STATUS_DEADLINE_EXCEEDED, "the deadline passed before the work was done");
    return STATUS_OK;
}

static const char *prompt_of(const struct model *model, enum prompt prompt) {
    if (prompt == PROMPT_QUERY)
        return model->prompts.query;
    return prompt == PROMPT_PASSAGE ? model->prompts.passage : "";
}

static enum status put_prompt(struct request *request, struct bytes prompt, struct bytes *text,
                              struct error *error) {
    request->prompted.size = 0;
    enum status status = buffer_append(&request->prompted, prompt.data, prompt.size, error);
    if (status == STATUS_OK)
        status = buffer_append(&request->prompted, text->data, text->size, error);
    *text = buffer_bytes(&request->prompted);
    return status;
}

static uint32_t subtract(uint32_t a, uint32_t b) {
    return a > b ? a - b : 0;
}

/* Spans in the text alone; those of the prompt become empty. Returns how many tokens are the prompt's. */
static size_t forget_prompt(struct bytes prompt, struct tokens *tokens) {
    uint32_t bytes = (uint32_t)prompt.size, characters = 0;
    size_t prompt_count = 0;
    while (prompt_count < tokens->count && tokens->spans[prompt_count].byte_end <= bytes)
        prompt_count++;
    for (size_t i = 0; i < prompt.size; i++)
        characters += (prompt.data[i] & 0xc0) != 0x80; /* RFC 3629: not a continuation byte */
    for (size_t i = 0; i < tokens->count; i++) {
        struct token_span *span = &tokens->spans[i];
        span->byte_start = subtract(span->byte_start, bytes);
        span->byte_end = subtract(span->byte_end, bytes);
        span->character_start = subtract(span->character_start, characters);
        span->character_end = subtract(span->character_end, characters);
    }
    return prompt_count;
}

static enum status encode(struct request *request, struct bytes text, size_t max_tokens,
                          struct tokens *tokens, struct error *error) {
    const struct encode_options options = {
        .invalid_utf8 = request->input.invalid_utf8,
        .with_spans = true,
        .max_tokens = max_tokens,
    };
    const struct request_memory *memory = tokens == &request->tokens ? request->input.memory : NULL;
    if (memory != NULL && memory->find_tokens(memory->context, text, max_tokens, tokens))
        return STATUS_OK;
    enum status status = tokenizer_encode(&request->model->tokenizer, text, &options, tokens, error);
    if (status == STATUS_OK && memory != NULL)
        memory->keep_tokens(memory->context, text, max_tokens, tokens);
    return status;
}

/* What is remembered is of the prompt and the text together, with spans in both. */
static enum status encode_prompted(struct request *request, struct bytes prompt, struct bytes text,
                                   size_t max_tokens, struct tokens *tokens, struct error *error) {
    struct bytes both = text;
    enum status status = put_prompt(request, prompt, &both, error);
    if (status != STATUS_OK)
        return status;
    /* A prompt has no more tokens than bytes. */
    status = encode(request, both, max_tokens != 0 ? max_tokens + prompt.size : 0, tokens, error);
    if (status == STATUS_OK)
        request->prompt_count = forget_prompt(prompt, tokens);
    else if (status == STATUS_INVALID_DATA)
        /* Once more without the prompt: its message says where in the caller's text. */
        status = encode(request, text, max_tokens, tokens, error);
    return status;
}

enum status request_encode(struct request *request, enum prompt prompt, struct bytes text, size_t max_tokens,
                           struct tokens *tokens, struct error *error) {
    struct bytes before = bytes_of_string(prompt_of(request->model, prompt));
    uint64_t start = clock_nanoseconds();
    request->prompt_count = 0;
    enum status status = before.size > 0 ? encode_prompted(request, before, text, max_tokens, tokens, error)
                                         : encode(request, text, max_tokens, tokens, error);
    request->usage.tokenize_nanoseconds += clock_nanoseconds() - start;
    return status;
}

struct window request_kept(const struct request *request, size_t count, size_t kept) {
    size_t first = request->options.truncation_direction == TRUNCATION_LEFT ? count - kept : 0;
    return (struct window){first, first + kept};
}

enum status request_cut_prompted(const struct request *request, struct window part, struct prompted_part *cut,
                                 struct error *error) {
    size_t room = request->max_length - TOKENIZER_SPECIAL_SINGLE, count = part.end - part.first;
    size_t prompt = request->prompt_count;
    *cut = (struct prompted_part){.prompt = {0, prompt}, .part = part};
    if (prompt <= room && count <= room - prompt)
        return STATUS_OK;
    if (request->options.truncation == TRUNCATION_NONE)
        return error_set(error, STATUS_LIMIT_EXCEEDED,
                         "the text has %zu tokens, more than the %zu tokens that fit", prompt + count, room);
    /* As beside a query: in a pair there is one special token more. */
    cut->prompt.end = query_kept(prompt, request->max_length + 1);
    struct window kept =
        request_kept(request, count, count < room - cut->prompt.end ? count : room - cut->prompt.end);
    cut->part = (struct window){part.first + kept.first, part.first + kept.end};
    cut->truncated = true;
    return STATUS_OK;
}

enum status request_add_sequence(struct request *request, size_t index, struct window before,
                                 const struct tokens *tokens, struct window window, struct error *error) {
    bool pair = request->input.kind == REQUEST_RERANK && request->model->kind == MODEL_CROSS_ENCODER;
    size_t count = window.end - window.first, before_count = before.end - before.first;
    size_t length = before_count + count + (pair ? TOKENIZER_SPECIAL_PAIR : TOKENIZER_SPECIAL_SINGLE);
    struct token_span span = window_span(tokens, window);
    struct queued_sequence sequence = {
        .owner = {index, span.character_start, span.character_end},
        .count = (uint32_t)length,
        .first_segment = (uint32_t)(pair ? before_count + 2 : length),
    };
    int32_t *ids;
    enum status status = sequence_queue_add(request->target, sequence, &ids, error);
    if (status != STATUS_OK)
        return status;
    if (request->input.text_usages != NULL && index != QUERY_INDEX)
        request->input.text_usages[index].tokens += length;
    const struct tokenizer *tokenizer = &request->model->tokenizer;
    if (pair)
        (void)build_pair(tokenizer, request->query.ids + before.first, before_count,
                         tokens->ids + window.first, count, ids);
    else
        (void)build_prompted(tokenizer, tokens->ids + before.first, before_count, tokens->ids + window.first,
                             count, ids);
    return STATUS_OK;
}

void request_free(struct request *request) {
    tokens_free(&request->query);
    tokens_free(&request->tokens);
    buffer_free(&request->prompted);
    sequence_queue_free(&request->ready);
    free(request->query_vector);
    *request = (struct request){0};
}
