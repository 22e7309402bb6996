/* The rerank dialect of Cohere (v1 and v2), Jina, vLLM, llama.cpp and infinity:
 * {query, documents: [text or {text}], top_n?, return_documents?} to {id, object, model, results: [...],
 * usage, meta}. The paths differ in what most of their clients can read. */
#include "server/dialects.h"
#include "server/reply_fields.h"
#include "server/request_fields.h"
#include "server/rerank_form.h"

static const struct rerank_form form = {
    .texts = "documents",
    .objects = true,
    .top = "top_n",
    .echo = "return_documents",
    .score = "relevance_score",
    .echoed = "document",
    .echo_form = ECHO_OBJECT,
};

static int read_rerank(const struct service *service, struct work *work, struct api_error *error) {
    /* Only infinity's clients send raw_scores, and they want the document as a string. */
    work->documents_as_strings = json_field(work->document, "raw_scores") != NULL;
    return rerank_read(service, &form, work, error);
}

/* On the bare path LiteLLM asks for documents by default, and one half of its readers fails on an object, the
 * other on a string: there is none, unless infinity's own client asks. Its readers expect 422 of top_n. */
static int read_bare(const struct service *service, struct work *work, struct api_error *error) {
    if (read_rerank(service, work, error) != 0) {
        if (strcmp(error->param, "top_n") == 0)
            error->status = 422;
        return -1;
    }
    work->return_documents = work->return_documents && work->documents_as_strings;
    return 0;
}

/* Cohere bills one search unit per query with up to 100 documents. */
static uint64_t search_units(const struct work *work) {
    return (work->text_count + 99) / 100;
}

static void write_meta(const struct work *work, const char *version, struct json_writer *writer) {
    reply_begin_meta(version, "search_units", search_units(work), writer);
    json_key(writer, "tokens");
    json_begin_object(writer);
    json_unsigned_member(writer, "input_tokens", work->usage.tokens);
    json_end_object(writer);
    json_end_object(writer);
}

static void write_results(const struct service *service, const struct work *work, const char *request_id,
                          struct json_writer *writer) {
    json_string_member(writer, "id", request_id);
    json_string_member(writer, "object", "rerank");
    json_string_member(writer, "model", service->model->name);
    json_key(writer, "results");
    rerank_write_results(service, &form, work, writer);
    reply_usage(work, writer);
}

static void write_v2(const struct service *service, const struct work *work, const char *request_id,
                     struct json_writer *writer) {
    json_begin_object(writer);
    write_results(service, work, request_id, writer);
    write_meta(work, "2", writer);
    json_end_object(writer);
}

/* What clients of Voyage (relevance_score) and Pinecone (score) read, whose requests may look like Cohere's.
 */
static void write_data(const struct work *work, struct json_writer *writer) {
    json_key(writer, "data");
    json_begin_array(writer);
    for (size_t i = 0; i < work->top_n; i++) {
        json_begin_object(writer);
        json_unsigned_member(writer, "index", work->order[i]);
        json_key(writer, "relevance_score");
        json_float(writer, rerank_score(work, work->order[i]));
        json_key(writer, "score");
        json_float(writer, rerank_score(work, work->order[i]));
        json_end_object(writer);
    }
    json_end_array(writer);
}

static void write_bare(const struct service *service, const struct work *work, const char *request_id,
                       struct json_writer *writer) {
    json_begin_object(writer);
    write_results(service, work, request_id, writer);
    write_data(work, writer);
    write_meta(work, "2", writer);
    json_end_object(writer);
}

static void write_v1(const struct service *service, const struct work *work, const char *request_id,
                     struct json_writer *writer) {
    json_begin_object(writer);
    write_results(service, work, request_id, writer);
    write_data(work, writer);
    write_meta(work, "1", writer);
    json_end_object(writer);
}

const struct dialect dialect_rerank_v1 = {
    .name = "rerank_v1", .kind = WORK_RERANK, .read = read_rerank, .write = write_v1};
const struct dialect dialect_rerank_v2 = {
    .name = "rerank_v2", .kind = WORK_RERANK, .read = read_rerank, .write = write_v2};
const struct dialect dialect_rerank_bare = {
    .name = "rerank", .kind = WORK_RERANK, .read = read_bare, .write = write_bare};
