#include "cli/tokenize_text.h"

#include "base/json_writer.h"
#include "tokenizer/utf8.h"
#include "tokenizer/windows.h"

const char *const fitting_names[] = {"longest_first", "only_first", "only_second", "none", "windows", NULL};

const struct table_column tokenize_columns[TOKENIZE_COLUMNS] = {
    {"token", false}, {"id", true}, {"type", true}, {"characters", true}, {"text", false},
};

/* The tokens of one sequence: a run of each text's. */
struct sequence_parts {
    struct window first, second;
    bool has_second;
};

static enum status encode_both(struct text_tokenizer *state, const struct tokenize_request *request,
                               struct error *error) {
    enum status status =
        tokenizer_encode(state->tokenizer, request->text, &state->options, &state->text, error);
    if (!request->has_pair)
        return status;
    if (status != STATUS_OK)
        return error_add_context(error, status, "%s", request->text_name);
    status = tokenizer_encode(state->tokenizer, request->pair, &state->options, &state->pair, error);
    return status == STATUS_OK ? status : error_add_context(error, status, "%s", request->pair_name);
}

static enum status fit_single(size_t count, const struct tokenize_request *request, size_t *kept,
                              struct error *error) {
    *kept = count;
    if (request->max_length == 0)
        return STATUS_OK;
    if (request->max_length < TOKENIZER_SPECIAL_SINGLE)
        return error_set(error, STATUS_INVALID_ARGUMENT, "max_length is %llu, a text needs at least %u",
                         (unsigned long long)request->max_length, TOKENIZER_SPECIAL_SINGLE);
    size_t room = (size_t)request->max_length - TOKENIZER_SPECIAL_SINGLE;
    if (count <= room)
        return STATUS_OK;
    if (request->fitting == FITTING_NONE || request->fitting == FITTING_ONLY_SECOND)
        return error_set(error, STATUS_LIMIT_EXCEEDED,
                         "%zu tokens with %u special tokens are more than max_length %llu", count,
                         TOKENIZER_SPECIAL_SINGLE, (unsigned long long)request->max_length);
    *kept = room;
    return STATUS_OK;
}

static enum status fit(const struct text_tokenizer *state, const struct tokenize_request *request,
                       struct sequence_parts *parts, struct error *error) {
    *parts = (struct sequence_parts){.has_second = request->has_pair};
    if (!request->has_pair)
        return fit_single(state->text.count, request, &parts->first.end, error);
    size_t max_length = request->max_length == 0 ? SIZE_MAX : (size_t)request->max_length;
    return truncate_pair(state->text.count, state->pair.count, max_length, (enum truncation)request->fitting,
                         &parts->first.end, &parts->second.end, error);
}

/* Calls one of the writers below for each token of the sequence, special tokens included. */
struct token_visit {
    struct json_writer *writer;
    const struct text_tokenizer *state;
};
typedef void (*token_visitor)(const struct token_visit *visit, uint32_t id, unsigned segment,
                              const struct token_span *span);

static void visit_run(const struct token_visit *visit, token_visitor visitor, const struct tokens *tokens,
                      struct window window, unsigned segment) {
    static const struct token_span none = {0};
    for (size_t i = window.first; i < window.end; i++)
        visitor(visit, (uint32_t)tokens->ids[i], segment, &tokens->spans[i]);
    visitor(visit, visit->state->tokenizer->separator_id, segment, &none);
}

static void visit_sequence(const struct token_visit *visit, token_visitor visitor,
                           const struct sequence_parts *parts) {
    static const struct token_span none = {0};
    visitor(visit, visit->state->tokenizer->classify_id, 0, &none);
    visit_run(visit, visitor, &visit->state->text, parts->first, 0);
    if (parts->has_second)
        visit_run(visit, visitor, &visit->state->pair, parts->second, 1);
}

static void write_id(const struct token_visit *visit, uint32_t id, unsigned segment,
                     const struct token_span *span) {
    (void)segment;
    (void)span;
    json_unsigned(visit->writer, id);
}

static void write_type(const struct token_visit *visit, uint32_t id, unsigned segment,
                       const struct token_span *span) {
    (void)id;
    (void)span;
    json_unsigned(visit->writer, segment);
}

static void write_piece(const struct token_visit *visit, uint32_t id, unsigned segment,
                        const struct token_span *span) {
    (void)segment;
    (void)span;
    json_text(visit->writer, tokenizer_piece(visit->state->tokenizer, id));
}

static void write_range(struct json_writer *writer, uint32_t start, uint32_t end) {
    json_begin_array(writer);
    json_unsigned(writer, start);
    json_unsigned(writer, end);
    json_end_array(writer);
}

static void write_characters(const struct token_visit *visit, uint32_t id, unsigned segment,
                             const struct token_span *span) {
    (void)id;
    (void)segment;
    write_range(visit->writer, span->character_start, span->character_end);
}

static void write_bytes(const struct token_visit *visit, uint32_t id, unsigned segment,
                        const struct token_span *span) {
    (void)id;
    (void)segment;
    write_range(visit->writer, span->byte_start, span->byte_end);
}

static void write_arrays(struct json_writer *writer, const struct text_tokenizer *state,
                         const struct sequence_parts *parts) {
    static const struct {
        const char *key;
        token_visitor visitor;
    } arrays[] = {{"ids", write_id},
                  {"type_ids", write_type},
                  {"tokens", write_piece},
                  {"offsets", write_characters},
                  {"byte_offsets", write_bytes}};
    struct token_visit visit = {writer, state};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        json_key(writer, arrays[i].key);
        json_begin_array(writer);
        visit_sequence(&visit, arrays[i].visitor, parts);
        json_end_array(writer);
    }
}

/* Ill-formed runs count as one character each, as they do in offsets. */
static size_t count_characters(struct bytes text) {
    size_t count = 0;
    for (size_t position = 0; position < text.size; count++)
        position += utf8_decode(text, position).bytes;
    return count;
}

/* Characters of the text up to the last token kept; all of them when no token is left out. */
static size_t characters_used(struct bytes text, const struct tokens *tokens, size_t kept) {
    if (kept == tokens->count)
        return count_characters(text);
    return kept == 0 ? 0 : tokens->spans[kept - 1].character_end;
}

static void write_sequence(struct json_writer *writer, const struct text_tokenizer *state,
                           const struct tokenize_request *request, const struct sequence_parts *parts) {
    write_arrays(writer, state, parts);
    bool truncated = parts->first.end < state->text.count;
    json_key(writer, "characters_used");
    json_unsigned(writer, characters_used(request->text, &state->text, parts->first.end));
    if (parts->has_second) {
        truncated = truncated || parts->second.end < state->pair.count;
        json_key(writer, "pair_characters_used");
        json_unsigned(writer, characters_used(request->pair, &state->pair, parts->second.end));
    }
    json_key(writer, "truncated");
    json_bool(writer, truncated);
}

static enum status plan(const struct text_tokenizer *state, const struct tokenize_request *request,
                        struct window_plan *plan, struct error *error) {
    if (!request->has_pair || request->max_length == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "windows need a pair and a max_length");
    return plan_windows(state->text.count, state->pair.count, (size_t)request->max_length,
                        (size_t)request->stride, plan, error);
}

static void write_windows(struct json_writer *writer, const struct text_tokenizer *state,
                          const struct window_plan *plan) {
    json_key(writer, "windows");
    json_begin_array(writer);
    for (size_t i = 0; i < plan->count; i++) {
        struct window window = window_at(plan, i);
        struct token_span span = window_span(&state->pair, window);
        struct sequence_parts parts = {{0, plan->query_kept}, window, true};
        json_begin_object(writer);
        write_arrays(writer, state, &parts);
        json_key(writer, "characters");
        write_range(writer, span.character_start, span.character_end);
        json_end_object(writer);
    }
    json_end_array(writer);
    json_key(writer, "stride");
    json_unsigned(writer, plan->stride);
    json_key(writer, "truncated");
    json_bool(writer, plan->query_kept < state->text.count);
}

enum status tokenize_to_json(struct text_tokenizer *state, const struct tokenize_request *request,
                             struct buffer *reply, struct error *error) {
    struct window_plan windows;
    struct sequence_parts parts;
    enum status status = encode_both(state, request, error);
    if (status != STATUS_OK)
        return status;
    bool in_windows = request->fitting == FITTING_WINDOWS;
    status = in_windows ? plan(state, request, &windows, error) : fit(state, request, &parts, error);
    if (status != STATUS_OK)
        return status;
    struct json_writer writer = json_writer_to(reply);
    json_begin_object(&writer);
    if (in_windows)
        write_windows(&writer, state, &windows);
    else
        write_sequence(&writer, state, request, &parts);
    size_t replacements = state->text.replacements + (request->has_pair ? state->pair.replacements : 0);
    if (replacements != 0) {
        json_key(&writer, "replacements");
        json_unsigned(&writer, replacements);
    }
    json_end_object(&writer);
    return json_writer_finish(&writer, error);
}

static void add_row(struct table *table, const struct text_tokenizer *state, uint32_t id, unsigned segment,
                    const struct token_span *span, struct bytes text) {
    table_add(table, tokenizer_piece(state->tokenizer, id));
    table_add_format(table, "%u", (unsigned)id);
    table_add_format(table, "%u", segment);
    if (span == NULL) {
        table_add_format(table, "-");
        table_add_format(table, "-");
        return;
    }
    table_add_format(table, "%u-%u", (unsigned)span->character_start, (unsigned)span->character_end);
    table_add(table, bytes_of(text.data + span->byte_start, span->byte_end - span->byte_start));
}

static void add_rows(struct table *table, const struct text_tokenizer *state, const struct tokens *tokens,
                     struct window window, unsigned segment, struct bytes text) {
    for (size_t i = window.first; i < window.end; i++)
        add_row(table, state, (uint32_t)tokens->ids[i], segment, &tokens->spans[i], text);
    add_row(table, state, state->tokenizer->separator_id, segment, NULL, text);
}

static void add_sequence_rows(struct table *table, const struct text_tokenizer *state,
                              const struct tokenize_request *request, const struct sequence_parts *parts) {
    add_row(table, state, state->tokenizer->classify_id, 0, NULL, request->text);
    add_rows(table, state, &state->text, parts->first, 0, request->text);
    if (parts->has_second)
        add_rows(table, state, &state->pair, parts->second, 1, request->pair);
    size_t left_out = state->text.count - parts->first.end;
    left_out += parts->has_second ? state->pair.count - parts->second.end : 0;
    if (left_out == 0)
        return;
    table_add_format(table, "(%zu tokens left out)", left_out);
    for (unsigned column = 1; column < TOKENIZE_COLUMNS; column++)
        table_add_format(table, " ");
}

enum status tokenize_to_table(struct text_tokenizer *state, const struct tokenize_request *request,
                              struct table *table, struct error *error) {
    struct window_plan windows;
    struct sequence_parts parts;
    enum status status = encode_both(state, request, error);
    if (status != STATUS_OK)
        return status;
    if (request->fitting != FITTING_WINDOWS) {
        status = fit(state, request, &parts, error);
        if (status == STATUS_OK)
            add_sequence_rows(table, state, request, &parts);
        return status;
    }
    status = plan(state, request, &windows, error);
    for (size_t i = 0; status == STATUS_OK && i < windows.count; i++) {
        parts = (struct sequence_parts){{0, windows.query_kept}, window_at(&windows, i), true};
        add_row(table, state, state->tokenizer->classify_id, 0, NULL, request->text);
        add_rows(table, state, &state->text, parts.first, 0, request->text);
        add_rows(table, state, &state->pair, parts.second, 1, request->pair);
    }
    return status;
}

void text_tokenizer_free(struct text_tokenizer *state) {
    tokens_free(&state->text);
    tokens_free(&state->pair);
}
