/* The rerank dialect of Cohere (v1 and v2), Jina and vLLM:
 * {query, documents: [text or {text}], top_n?, return_documents?} to {id, model, results: [...], usage,
 * meta}. */
#include "server/dialects.h"
#include "server/json_body.h"

#include <inttypes.h>
#include <stdio.h>

static int read_query(struct work *work, struct api_error *error) {
    if (json_field_string(work->document, "query", &work->query, error) != 0)
        return -1;
    if (work->query.data == NULL)
        return api_refuse_field(error, "query", "query is missing, expected a string");
    if (work->query.size == 0)
        return api_refuse_field(error, "query", "query is empty");
    return 0;
}

static int read_document(const json_t *document, size_t index, struct bytes *text, struct api_error *error) {
    char param[48];
    const json_t *value = document;
    snprintf(param, sizeof param, "documents[%zu]", index);
    if (json_is_object(document)) {
        value = json_object_get(document, "text");
        snprintf(param, sizeof param, "documents[%zu].text", index);
    }
    if (!json_is_string(value))
        return api_refuse_field(error, param, "%s is %s, expected a string%s", param,
                                value == NULL ? "missing" : json_type_name(value),
                                value == document ? " or an object with \"text\"" : "");
    *text = json_string_bytes(value);
    return 0;
}

static int read_documents(const struct service *service, struct work *work, struct api_error *error) {
    const json_t *documents = json_field(work->document, "documents");
    if (!json_is_array(documents))
        return api_refuse_field(error, "documents", "documents is %s, expected an array of strings",
                                documents == NULL ? "missing" : json_type_name(documents));
    size_t count = json_array_size(documents);
    if (count == 0)
        return api_refuse_field(error, "documents", "documents is empty, expected at least one");
    if (count > service->limits->max_passages)
        return api_refuse_field(error, "documents",
                                "documents holds %zu texts, at most %" PRIu64 " are accepted", count,
                                service->limits->max_passages);
    if (work_allocate_texts(work, count, error) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (read_document(json_array_get(documents, i), i, &work->texts[i], error) != 0)
            return -1;
    }
    return 0;
}

/* Fields that would change scores if we obeyed them are refused unless they change nothing. */
static int check_unsupported_fields(const struct service *service, const struct work *work,
                                    struct api_error *error) {
    uint64_t tokens = service->model->max_length;
    if (json_field_positive(work->document, "max_tokens_per_doc", &tokens, error) != 0)
        return -1;
    if (tokens < service->model->max_length)
        return api_refuse_field(error, "max_tokens_per_doc",
                                "max_tokens_per_doc %" PRIu64
                                " is not supported: documents are cut where the model "
                                "ends, at %" PRIu32 " tokens",
                                tokens, service->model->max_length);
    const json_t *fields = json_field(work->document, "rank_fields");
    const char *only = json_string_value(json_array_get(fields, 0));
    if (fields != NULL && (json_array_size(fields) != 1 || only == NULL || strcmp(only, "text") != 0))
        return api_refuse_field(error, "rank_fields", "the only supported rank_fields is [\"text\"]");
    return 0;
}

static int read_rerank(const struct service *service, struct work *work, struct api_error *error) {
    if (read_query(work, error) != 0 || read_documents(service, work, error) != 0)
        return -1;
    uint64_t top_n = work->text_count;
    if (json_field_positive(work->document, "top_n", &top_n, error) != 0 ||
        json_field_boolean(work->document, "return_documents", &work->return_documents, error) != 0 ||
        json_field_boolean(work->document, "raw_scores", &work->raw_scores, error) != 0)
        return -1;
    work->top_n = top_n < work->text_count ? (size_t)top_n : work->text_count;
    /* Only infinity's clients send raw_scores, and they want the document as a string. */
    work->documents_as_strings = json_field(work->document, "raw_scores") != NULL;
    return check_unsupported_fields(service, work, error);
}

static void write_document(const struct work *work, size_t index, struct json_writer *writer) {
    json_key(writer, "document");
    if (work->documents_as_strings) {
        json_text(writer, work->texts[index]);
        return;
    }
    json_begin_object(writer);
    json_key(writer, "text");
    json_text(writer, work->texts[index]);
    json_end_object(writer);
}

static void write_result(const struct service *service, const struct work *work, size_t index,
                         struct json_writer *writer) {
    const struct passage_score *score = &work->scores[index];
    json_begin_object(writer);
    json_key(writer, "index");
    json_unsigned(writer, index);
    json_key(writer, "relevance_score");
    json_float(writer, work->raw_scores ? score->raw : score->relevance_score);
    json_key(writer, service->model->kind == MODEL_EMBEDDER ? "cosine" : "logit");
    json_float(writer, score->raw);
    json_key(writer, "tokens");
    json_unsigned(writer, score->tokens);
    json_key(writer, "truncated");
    json_bool(writer, score->truncated);
    json_key(writer, "characters_used");
    json_unsigned(writer, score->character_end - score->character_start);
    if (work->return_documents)
        write_document(work, index, writer);
    json_end_object(writer);
}

/* Cohere bills one search unit per query with up to 100 documents. */
static void write_meta(const struct work *work, struct json_writer *writer) {
    json_key(writer, "meta");
    json_begin_object(writer);
    json_key(writer, "api_version");
    json_begin_object(writer);
    json_key(writer, "version");
    json_text_of_string(writer, "2");
    json_end_object(writer);
    json_key(writer, "billed_units");
    json_begin_object(writer);
    json_key(writer, "search_units");
    json_unsigned(writer, (work->text_count + 99) / 100);
    json_end_object(writer);
    json_key(writer, "tokens");
    json_begin_object(writer);
    json_key(writer, "input_tokens");
    json_unsigned(writer, work->usage.tokens);
    json_end_object(writer);
    json_end_object(writer);
}

static void write_rerank(const struct service *service, const struct work *work, const char *request_id,
                         struct json_writer *writer) {
    json_begin_object(writer);
    json_key(writer, "id");
    json_text_of_string(writer, request_id);
    json_key(writer, "object");
    json_text_of_string(writer, "rerank");
    json_key(writer, "model");
    json_text_of_string(writer, service->model->name);
    json_key(writer, "results");
    json_begin_array(writer);
    for (size_t i = 0; i < work->top_n; i++)
        write_result(service, work, work->order[i], writer);
    json_end_array(writer);
    json_key(writer, "usage");
    json_begin_object(writer);
    json_key(writer, "prompt_tokens");
    json_unsigned(writer, work->usage.tokens);
    json_key(writer, "total_tokens");
    json_unsigned(writer, work->usage.tokens);
    json_end_object(writer);
    write_meta(work, writer);
    json_end_object(writer);
}

const struct dialect dialect_rerank = {
    .name = "rerank", .kind = WORK_RERANK, .read = read_rerank, .write = write_rerank};
