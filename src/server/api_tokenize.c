/* Of text-embeddings-inference: /tokenize, {inputs: text or [text], add_special_tokens?, prompt_name?} to one
 * array of
 * [{id, text, special, start, stop}] for each text, with offsets in code points; /decode, {ids: [id] or
 * [[id]], skip_special_tokens?} to [text]. */
#include "base/clock.h"
#include "server/dialects.h"
#include "server/request_fields.h"
#include "server/tei_fields.h"

#include <inttypes.h>
#include <stdlib.h>

static void write_other(const struct service *service, const struct work *work, const char *request_id,
                        struct json_writer *writer) {
    (void)service;
    (void)request_id;
    json_verbatim(writer, buffer_bytes(&work->other));
}

/* --- tokenize --- */

static int read_tokenize(const struct service *service, struct work *work, struct api_error *error) {
    if (request_prompt_name(service, work, work->document, error) != 0)
        return -1;
    return tei_read_inputs(service, work, error);
}

static void write_special(const struct tokenizer *tokenizer, uint32_t id, struct json_writer *writer) {
    json_begin_object(writer);
    json_unsigned_member(writer, "id", id);
    json_key(writer, "text");
    json_text(writer, tokenizer_piece(tokenizer, id));
    json_bool_member(writer, "special", true);
    json_key(writer, "start");
    json_null_value(writer);
    json_key(writer, "stop");
    json_null_value(writer);
    json_end_object(writer);
}

static void write_token(const struct tokens *tokens, size_t index, struct bytes text,
                        struct json_writer *writer) {
    const struct token_span *span = &tokens->spans[index];
    json_begin_object(writer);
    json_unsigned_member(writer, "id", (uint64_t)tokens->ids[index]);
    json_key(writer, "text");
    json_text(writer, bytes_of(text.data + span->byte_start, span->byte_end - span->byte_start));
    json_bool_member(writer, "special", false);
    json_unsigned_member(writer, "start", span->character_start);
    json_unsigned_member(writer, "stop", span->character_end);
    json_end_object(writer);
}

static void write_tokens(const struct tokenizer *tokenizer, const struct tokens *tokens, struct bytes text,
                         bool special, struct json_writer *writer) {
    json_begin_array(writer);
    if (special)
        write_special(tokenizer, tokenizer->classify_id, writer);
    for (size_t i = 0; i < tokens->count; i++)
        write_token(tokens, i, text, writer);
    if (special)
        write_special(tokenizer, tokenizer->separator_id, writer);
    json_end_array(writer);
}

/* What is tokenized is the prompt and the text, and offsets are in both: as text-embeddings-inference. */
static enum status put_prompt(const struct service *service, const struct work *work, struct buffer *prompted,
                              struct bytes *text) {
    const struct model_prompts *prompts = &service->model->prompts;
    if (work->options.prompt == PROMPT_NONE)
        return STATUS_OK;
    const char *prompt = work->options.prompt == PROMPT_QUERY ? prompts->query : prompts->passage;
    prompted->size = 0;
    enum status status = buffer_append(prompted, prompt, strlen(prompt), NULL);
    if (status == STATUS_OK)
        status = buffer_append(prompted, text->data, text->size, NULL);
    *text = buffer_bytes(prompted);
    return status;
}

/* A token is some 70 bytes of JSON; so many at most as there may be values in a body. */
static int tokenize_all(const struct service *service, struct work *work, bool special,
                        struct buffer *prompted, struct tokens *tokens, struct json_writer *writer,
                        struct api_error *error) {
    const struct tokenizer *tokenizer = &service->model->tokenizer;
    const struct encode_options options = {.with_spans = true};
    uint64_t most = service->limits->max_json_values;
    struct error failure;
    for (size_t i = 0; i < work->text_count; i++) {
        struct bytes text = work->texts[i];
        if (put_prompt(service, work, prompted, &text) != STATUS_OK)
            return api_refuse_no_memory(error);
        if (tokenizer_encode(tokenizer, text, &options, tokens, &failure) != STATUS_OK)
            return api_refuse_failure(error, &failure);
        work->usage.tokens += tokens->count + (special ? TOKENIZER_SPECIAL_SINGLE : 0);
        if (work->usage.tokens > most)
            return api_refuse_field(error, "inputs", "inputs have more than %" PRIu64 " tokens", most);
        write_tokens(tokenizer, tokens, text, special, writer);
    }
    return 0;
}

static int compute_tokenize(const struct service *service, struct work *work, struct api_error *error) {
    bool special = true;
    if (json_field_boolean(work->document, "add_special_tokens", &special, error) != 0)
        return -1;
    struct tokens tokens = {0};
    struct buffer prompted = {0};
    struct json_writer writer = json_writer_to(&work->other);
    uint64_t start = clock_nanoseconds();
    json_begin_array(&writer);
    int outcome = tokenize_all(service, work, special, &prompted, &tokens, &writer, error);
    json_end_array(&writer);
    work->usage.tokenize_nanoseconds = clock_nanoseconds() - start;
    buffer_free(&prompted);
    tokens_free(&tokens);
    if (outcome == 0 && json_writer_finish(&writer, NULL) != STATUS_OK)
        return api_refuse_no_memory(error);
    return outcome;
}

const struct dialect dialect_tokenize = {.name = "tokenize",
                                         .kind = WORK_OTHER,
                                         .error_form = API_ERROR_TEI,
                                         .read = read_tokenize,
                                         .compute = compute_tokenize,
                                         .write = write_other};

/* --- decode --- */

static int read_decode(const struct service *service, struct work *work, struct api_error *error) {
    (void)service;
    if (!json_is_array(json_field(work->document, "ids")))
        return api_refuse_field(error, "ids", "ids is not an array of token ids, or of such arrays");
    return 0;
}

static int read_ids(const json_t *array, int32_t *ids, struct api_error *error) {
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *id = json_array_get(array, i);
        json_int_t value = json_integer_value(id);
        if (!json_is_integer(id) || value < 0 || value > INT32_MAX)
            return api_refuse_field(error, "ids", "ids holds something else than token ids at %zu", i);
        ids[i] = (int32_t)value;
    }
    return 0;
}

static int decode_one(const struct service *service, const json_t *array, bool skip_special,
                      struct json_writer *writer, struct api_error *error) {
    size_t count = json_array_size(array);
    int32_t *ids = calloc(count + 1, sizeof *ids);
    struct buffer text = {0};
    struct error failure;
    int outcome = ids != NULL ? read_ids(array, ids, error) : api_refuse_no_memory(error);
    if (outcome == 0 &&
        tokenizer_decode(&service->model->tokenizer, ids, count, skip_special, &text, &failure) != STATUS_OK)
        outcome = api_refuse_failure(error, &failure);
    if (outcome == 0)
        json_text(writer, buffer_bytes(&text));
    buffer_free(&text);
    free(ids);
    return outcome;
}

static int compute_decode(const struct service *service, struct work *work, struct api_error *error) {
    const json_t *ids = json_field(work->document, "ids");
    bool skip_special = true, several = json_is_array(json_array_get(ids, 0));
    if (json_field_boolean(work->document, "skip_special_tokens", &skip_special, error) != 0)
        return -1;
    struct json_writer writer = json_writer_to(&work->other);
    json_begin_array(&writer);
    int outcome = several ? 0 : decode_one(service, ids, skip_special, &writer, error);
    for (size_t i = 0; several && i < json_array_size(ids) && outcome == 0; i++) {
        const json_t *one = json_array_get(ids, i);
        outcome = json_is_array(one)
                      ? decode_one(service, one, skip_special, &writer, error)
                      : api_refuse_field(error, "ids", "ids holds arrays and %s", json_type_name(one));
    }
    json_end_array(&writer);
    if (outcome == 0 && json_writer_finish(&writer, NULL) != STATUS_OK)
        return api_refuse_no_memory(error);
    return outcome;
}

const struct dialect dialect_decode = {.name = "decode",
                                       .kind = WORK_OTHER,
                                       .error_form = API_ERROR_TEI,
                                       .read = read_decode,
                                       .compute = compute_decode,
                                       .write = write_other};
