/* The rerank dialects whose results are `data`: those of Voyage, Mixedbread and Pinecone. */
#include "server/dialects.h"
#include "server/option_fields.h"
#include "server/reply_fields.h"
#include "server/request_fields.h"
#include "server/rerank_form.h"

static void write_list(const struct service *service, const struct rerank_form *form, const struct work *work,
                       struct json_writer *writer) {
    json_string_member(writer, "object", "list");
    json_key(writer, "data");
    rerank_write_results(service, form, work, writer);
    json_string_member(writer, "model", service->model->name);
}

/* --- Voyage: {query, documents, top_k?, truncation?, return_documents?} --- */

static const struct rerank_form voyage = {
    .texts = "documents",
    .objects = true,
    .top = "top_k",
    .echo = "return_documents",
    .score = "relevance_score",
    .echoed = "document",
    .echo_form = ECHO_STRING,
};

static bool speaks_voyage(const struct service *service, const json_t *document) {
    (void)service;
    return has_field(document, "documents") &&
           (has_field(document, "top_k") || has_field(document, "truncation"));
}

static int read_voyage(const struct service *service, struct work *work, struct api_error *error) {
    return rerank_read(service, &voyage, work, error);
}

static void write_voyage(const struct service *service, const struct work *work, const char *request_id,
                         struct json_writer *writer) {
    (void)request_id;
    json_begin_object(writer);
    write_list(service, &voyage, work, writer);
    reply_usage(work, writer);
    json_end_object(writer);
}

const struct dialect dialect_rerank_voyage = {.name = "rerank_voyage",
                                              .kind = WORK_RERANK,
                                              .speaks = speaks_voyage,
                                              .read = read_voyage,
                                              .write = write_voyage};

/* --- Mixedbread: {query, input, top_k?, return_input?} --- */

static const struct rerank_form mixedbread = {
    .texts = "input",
    .objects = true,
    .top = "top_k",
    .echo = "return_input",
    .score = "score",
    .echoed = "input",
    .echo_form = ECHO_STRING,
};

static bool speaks_mixedbread(const struct service *service, const json_t *document) {
    (void)service;
    return has_field(document, "input");
}

static int read_mixedbread(const struct service *service, struct work *work, struct api_error *error) {
    return rerank_read(service, &mixedbread, work, error);
}

static void write_mixedbread(const struct service *service, const struct work *work, const char *request_id,
                             struct json_writer *writer) {
    (void)request_id;
    json_begin_object(writer);
    write_list(service, &mixedbread, work, writer);
    json_unsigned_member(writer, "top_k", work->top_n);
    json_bool_member(writer, "return_input", work->return_documents);
    reply_usage(work, writer);
    json_end_object(writer);
}

const struct dialect dialect_rerank_mixedbread = {.name = "rerank_mixedbread",
                                                  .kind = WORK_RERANK,
                                                  .speaks = speaks_mixedbread,
                                                  .read = read_mixedbread,
                                                  .write = write_mixedbread};

/* --- Pinecone: {query, documents: [{text}], rank_fields, top_n?, return_documents?, parameters?} --- */

static const struct rerank_form pinecone = {
    .texts = "documents",
    .objects = true,
    .top = "top_n",
    .echo = "return_documents",
    .score = "score",
    .echoed = "document",
    .echo_form = ECHO_WHOLE,
};

/* No other client of the bare path names fields. */
static bool speaks_pinecone(const struct service *service, const json_t *document) {
    (void)service;
    return has_field(document, "documents") && has_field(document, "rank_fields");
}

/* Pinecone's default is to return the documents; whether they are cut stands in parameters. */
static int read_pinecone(const struct service *service, struct work *work, struct api_error *error) {
    const json_t *parameters = json_field(work->document, "parameters");
    work->return_documents = true;
    if (rerank_read(service, &pinecone, work, error) != 0)
        return -1;
    if (parameters != NULL && !json_is_object(parameters))
        return api_refuse_field(error, "parameters", "parameters is %s, expected an object",
                                json_type_name(parameters));
    return read_truncation(service, work, parameters, error);
}

static void write_pinecone(const struct service *service, const struct work *work, const char *request_id,
                           struct json_writer *writer) {
    (void)request_id;
    json_begin_object(writer);
    write_list(service, &pinecone, work, writer);
    json_key(writer, "usage");
    json_begin_object(writer);
    json_unsigned_member(writer, "rerank_units", 1);
    json_unsigned_member(writer, "total_tokens", work->usage.tokens);
    json_end_object(writer);
    json_end_object(writer);
}

const struct dialect dialect_rerank_pinecone = {.name = "rerank_pinecone",
                                                .kind = WORK_RERANK,
                                                .speaks = speaks_pinecone,
                                                .read = read_pinecone,
                                                .write = write_pinecone};
