/* The rerank dialects that speak of passages.
 * FlashRank: {query, passages: [{id, text, meta}], top_n?} to the same objects, best first, with `score`.
 * NVIDIA: {query: {text}, passages: [{text}], truncate?} to {rankings: [{index, logit}], usage}. */
#include "server/dialects.h"
#include "server/option_fields.h"
#include "server/reply_fields.h"
#include "server/request_fields.h"
#include "server/rerank_form.h"

static int read_passages(const struct service *service, struct work *work, struct api_error *error) {
    const struct text_rules rules = {
        .name = "passages", .max_count = service->limits->max_passages, .objects = true};
    return request_texts(work, json_field(work->document, "passages"), &rules, error);
}

/* --- FlashRank --- */

static bool speaks_flashrank(const struct service *service, const json_t *document) {
    (void)service;
    return has_field(document, "passages");
}

static int read_flashrank(const struct service *service, struct work *work, struct api_error *error) {
    if (request_query(work, json_field(work->document, "query"), "query", error) != 0 ||
        read_passages(service, work, error) != 0)
        return -1;
    if (request_top(work, "top_n", error) != 0)
        return -1;
    return read_rerank_options(service, work, error);
}

static void write_passage(const struct work *work, size_t index, struct json_writer *writer) {
    const json_t *passage = json_array_get(json_object_get(work->document, "passages"), index);
    json_begin_object(writer);
    if (json_is_string(passage)) {
        json_key(writer, "text");
        json_text(writer, work->texts[index]);
    }
    reply_members(passage, "score", writer);
    json_key(writer, "score");
    json_float(writer, rerank_score(work, index));
    json_end_object(writer);
}

static void write_flashrank(const struct service *service, const struct work *work, const char *request_id,
                            struct json_writer *writer) {
    (void)service;
    (void)request_id;
    json_begin_array(writer);
    for (size_t i = 0; i < work->top_n; i++)
        write_passage(work, work->order[i], writer);
    json_end_array(writer);
}

const struct dialect dialect_rerank_flashrank = {.name = "rerank_flashrank",
                                                 .kind = WORK_RERANK,
                                                 .speaks = speaks_flashrank,
                                                 .read = read_flashrank,
                                                 .write = write_flashrank};

/* --- NVIDIA --- */

static int read_nvidia(const struct service *service, struct work *work, struct api_error *error) {
    const json_t *query = json_field(work->document, "query");
    int outcome = json_is_string(query) ? request_query(work, query, "query", error)
                                        : request_query_object(work, query, "query", error);
    if (outcome != 0 || read_passages(service, work, error) != 0)
        return -1;
    if (request_top(work, "top_n", error) != 0)
        return -1;
    return read_rerank_options(service, work, error);
}

static void write_nvidia(const struct service *service, const struct work *work, const char *request_id,
                         struct json_writer *writer) {
    (void)service;
    (void)request_id;
    json_begin_object(writer);
    json_key(writer, "rankings");
    json_begin_array(writer);
    for (size_t i = 0; i < work->top_n; i++) {
        const struct passage_score *score = &work->scores[work->order[i]];
        json_begin_object(writer);
        json_unsigned_member(writer, "index", work->order[i]);
        json_key(writer, "logit");
        json_float(writer, score->raw);
        json_unsigned_member(writer, "tokens", score->tokens);
        json_bool_member(writer, "truncated", score->truncated);
        json_end_object(writer);
    }
    json_end_array(writer);
    reply_usage(work, writer);
    json_end_object(writer);
}

const struct dialect dialect_rerank_nvidia = {
    .name = "rerank_nvidia", .kind = WORK_RERANK, .read = read_nvidia, .write = write_nvidia};
