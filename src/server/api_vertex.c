/* /vertex of text-embeddings-inference, as Google's Vertex AI calls a container: {instances: [request, ...]}
 * to {predictions: [reply, ...]}. Each instance is a request of the model's main task (/rerank, /predict or
 * /embed) and is read and answered by that dialect; all are computed as one. */
#include "server/dialects.h"
#include "server/option_fields.h"
#include "server/request_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Says which instance it is about. */
static int refuse_instance(size_t index, struct api_error *error) {
    struct api_error reason = *error;
    snprintf(error->message, sizeof error->message, "instances[%zu]: %.*s", index,
             (int)(sizeof error->message - 40), reason.message);
    return -1;
}

static int check_instances(const struct service *service, const struct work *work, struct api_error *error) {
    const json_t *instances = json_field(work->document, "instances");
    const json_t *parameters = json_field(work->document, "parameters");
    uint64_t most = service->limits->max_inputs;
    if (!json_is_array(instances))
        return api_refuse_field(error, "instances", "instances is %s, expected an array of requests",
                                instances == NULL ? "missing" : json_type_name(instances));
    if (json_array_size(instances) == 0 || json_array_size(instances) > most)
        return api_refuse_field(error, "instances", "instances holds %zu requests, expected 1 to %" PRIu64,
                                json_array_size(instances), most);
    if (parameters != NULL && json_object_size(parameters) > 0)
        return api_refuse_field(error, "parameters",
                                "parameters is not read: each of the instances has its own");
    return 0;
}

static bool same_options(const struct work *one, const struct work *other) {
    const struct call_options *a = &one->options, *b = &other->options;
    return a->max_length == b->max_length && a->truncation == b->truncation &&
           a->truncation_direction == b->truncation_direction && a->prompt == b->prompt &&
           a->max_passage_tokens == b->max_passage_tokens && a->windows == b->windows &&
           a->window_stride == b->window_stride && a->max_windows == b->max_windows &&
           a->unnormalized == b->unnormalized && one->normalize == other->normalize;
}

static int read_instance(const struct service *service, const struct dialect *each, struct work *work,
                         size_t index, struct api_error *error) {
    struct work *part = &work->parts[index];
    json_t *instance = json_array_get(json_object_get(work->document, "instances"), index);
    if (!json_is_object(instance))
        return api_refuse_field(error, "instances", "instances[%zu] is %s, expected an object", index,
                                json_type_name(instance));
    part->document = json_incref(instance);
    if (refuse_unavailable(each->kind, instance, error) != 0 || each->read(service, part, error) != 0)
        return refuse_instance(index, error);
    if (!same_options(part, &work->parts[0]))
        return api_refuse_field(error, "instances",
                                "instances[%zu] is to be read otherwise than instances[0]: what cuts, "
                                "normalizes or prompts texts must be the same for all of a request",
                                index);
    return 0;
}

/* An embedder's query is read once for all its passages. */
static int check_queries(const struct service *service, struct work *work, struct api_error *error) {
    if (service->model->kind == MODEL_CROSS_ENCODER)
        return 0;
    for (size_t i = 0; i < work->part_count; i++) {
        if (!bytes_equal(work->parts[i].query, work->parts[0].query))
            return api_refuse_field(error, "instances",
                                    "instances[%zu] has another query: %s, an embedder, takes one query for "
                                    "all instances of a request",
                                    i, service->model->name);
    }
    work->query = work->parts[0].query;
    return 0;
}

/* Every text beside the query of its instance. */
static int join_queries(const struct service *service, struct work *work, struct api_error *error) {
    if (check_queries(service, work, error) != 0)
        return -1;
    if (service->model->kind == MODEL_EMBEDDER)
        return 0;
    work->queries = calloc(work->text_count, sizeof *work->queries);
    if (work->queries == NULL)
        return api_refuse_no_memory(error);
    size_t next = 0;
    for (size_t i = 0; i < work->part_count; i++) {
        const struct work *part = &work->parts[i];
        for (size_t k = 0; k < part->text_count; k++)
            work->queries[next++] = part->queries != NULL ? part->queries[k] : part->query;
    }
    work->options.queries = work->queries;
    return 0;
}

static int join_parts(struct work *work, uint64_t most, struct api_error *error) {
    size_t count = 0, next = 0;
    for (size_t i = 0; i < work->part_count; i++)
        count += work->parts[i].text_count;
    if (count > most)
        return api_refuse_field(error, "instances",
                                "instances hold %zu texts, at most %" PRIu64 " are accepted", count, most);
    if (work_allocate_texts(work, count, error) != 0)
        return -1;
    for (size_t i = 0; i < work->part_count; i++) {
        const struct work *part = &work->parts[i];
        memcpy(work->texts + next, part->texts, part->text_count * sizeof *part->texts);
        next += part->text_count;
    }
    work->options = work->parts[0].options;
    work->normalize = work->parts[0].normalize;
    return 0;
}

static int read_instances(const struct service *service, const struct dialect *each, struct work *work,
                          struct api_error *error) {
    bool rerank = each->kind == WORK_RERANK;
    if (check_instances(service, work, error) != 0)
        return -1;
    work->part_count = json_array_size(json_object_get(work->document, "instances"));
    work->parts = calloc(work->part_count, sizeof *work->parts);
    if (work->parts == NULL)
        return api_refuse_no_memory(error);
    for (size_t i = 0; i < work->part_count; i++) {
        if (read_instance(service, each, work, i, error) != 0)
            return -1;
    }
    uint64_t most = rerank ? service->limits->max_passages : service->limits->max_inputs;
    if (join_parts(work, most, error) != 0)
        return -1;
    return rerank ? join_queries(service, work, error) : 0;
}

static void write_predictions(const struct service *service, const struct dialect *each,
                              const struct work *work, const char *request_id, struct json_writer *writer) {
    json_begin_object(writer);
    json_key(writer, "predictions");
    json_begin_array(writer);
    for (size_t i = 0; i < work->part_count; i++)
        each->write(service, &work->parts[i], request_id, writer);
    json_end_array(writer);
    json_end_object(writer);
}

static bool first_has(const json_t *document, const char *name) {
    return has_field(json_array_get(json_object_get(document, "instances"), 0), name);
}

/* --- one dialect for each task --- */

static bool speaks_rerank(const struct service *service, const json_t *document) {
    (void)service;
    return first_has(document, "texts");
}

static int read_rerank(const struct service *service, struct work *work, struct api_error *error) {
    return read_instances(service, &dialect_rerank_tei, work, error);
}

static void write_rerank(const struct service *service, const struct work *work, const char *request_id,
                         struct json_writer *writer) {
    write_predictions(service, &dialect_rerank_tei, work, request_id, writer);
}

static bool speaks_predict(const struct service *service, const json_t *document) {
    (void)document;
    return service->model->kind == MODEL_CROSS_ENCODER;
}

static int read_predict(const struct service *service, struct work *work, struct api_error *error) {
    return read_instances(service, &dialect_predict, work, error);
}

static void write_predict(const struct service *service, const struct work *work, const char *request_id,
                          struct json_writer *writer) {
    write_predictions(service, &dialect_predict, work, request_id, writer);
}

static int read_embed(const struct service *service, struct work *work, struct api_error *error) {
    return read_instances(service, &dialect_embed_tei, work, error);
}

static void write_embed(const struct service *service, const struct work *work, const char *request_id,
                        struct json_writer *writer) {
    write_predictions(service, &dialect_embed_tei, work, request_id, writer);
}

const struct dialect dialect_vertex_rerank = {.name = "vertex_rerank",
                                              .kind = WORK_RERANK,
                                              .error_form = API_ERROR_TEI,
                                              .speaks = speaks_rerank,
                                              .read = read_rerank,
                                              .write = write_rerank};
const struct dialect dialect_vertex_predict = {.name = "vertex_predict",
                                               .kind = WORK_RERANK,
                                               .error_form = API_ERROR_TEI,
                                               .speaks = speaks_predict,
                                               .read = read_predict,
                                               .write = write_predict};
const struct dialect dialect_vertex_embed = {.name = "vertex_embed",
                                             .kind = WORK_EMBED,
                                             .error_form = API_ERROR_TEI,
                                             .read = read_embed,
                                             .write = write_embed};
