/* /predict of text-embeddings-inference: {inputs: [text, text] or [[text, text]], raw_scores?, truncate?,
 * truncation_direction?}, pairs to be scored by a cross-encoder, to [{score, label}], or an array of those.
 */
#include "server/dialects.h"
#include "server/option_fields.h"
#include "server/request_fields.h"
#include "server/rerank_form.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int read_pair(const json_t *pair, const char *name, struct bytes *query, struct bytes *text,
                     struct api_error *error) {
    const json_t *first = json_array_get(pair, 0), *second = json_array_get(pair, 1);
    if (json_array_size(pair) != 2 || !json_is_string(first) || !json_is_string(second))
        return api_refuse_field(error, name, "%s is not a pair of strings: a cross-encoder scores pairs",
                                name);
    *query = json_string_bytes(first);
    *text = json_string_bytes(second);
    return 0;
}

static int make_room(const struct service *service, struct work *work, size_t count,
                     struct api_error *error) {
    if (count == 0)
        return api_refuse_field(error, "inputs", "inputs is empty, expected at least one pair");
    if (count > service->limits->max_passages)
        return api_refuse_field(error, "inputs", "inputs holds %zu pairs, at most %" PRIu64 " are accepted",
                                count, service->limits->max_passages);
    if (work_allocate_texts(work, count, error) != 0)
        return -1;
    work->queries = calloc(count, sizeof *work->queries);
    work->options.queries = work->queries;
    return work->queries != NULL ? 0 : api_refuse_no_memory(error);
}

static int read_pairs(const struct service *service, struct work *work, struct api_error *error) {
    const json_t *inputs = json_field(work->document, "inputs");
    work->single = json_is_string(json_array_get(inputs, 0));
    if (!json_is_array(inputs))
        return api_refuse_field(error, "inputs",
                                "inputs is %s, expected a pair of strings or an array of pairs",
                                inputs == NULL ? "missing" : json_type_name(inputs));
    if (make_room(service, work, work->single ? 1 : json_array_size(inputs), error) != 0)
        return -1;
    if (work->single)
        return read_pair(inputs, "inputs", &work->queries[0], &work->texts[0], error);
    for (size_t i = 0; i < work->text_count; i++) {
        char name[48];
        snprintf(name, sizeof name, "inputs[%zu]", i);
        if (read_pair(json_array_get(inputs, i), name, &work->queries[i], &work->texts[i], error) != 0)
            return -1;
    }
    return 0;
}

/* As Hugging Face's client for text classification sends them; top_k changes nothing where there is one
 * label. */
static int read_parameters(const struct service *service, struct work *work, struct api_error *error) {
    static const char *const functions[] = {"sigmoid", "none", NULL};
    const json_t *parameters = json_field(work->document, "parameters");
    size_t chosen = work->raw_scores ? 1 : 0;
    if (request_choice(parameters, "function_to_apply", functions, &chosen, error) != 0)
        return -1;
    work->raw_scores = chosen == 1;
    return read_truncation(service, work, parameters, error);
}

static int read_predict(const struct service *service, struct work *work, struct api_error *error) {
    if (service->model->kind != MODEL_CROSS_ENCODER)
        return api_refuse(error, 400, "unsupported_model",
                          "%s is an embedder and predicts no label; use /embed or /similarity",
                          service->model->name);
    if (read_pairs(service, work, error) != 0 || read_rerank_options(service, work, error) != 0)
        return -1;
    return read_parameters(service, work, error);
}

static void write_prediction(const struct work *work, size_t index, struct json_writer *writer) {
    json_begin_array(writer);
    json_begin_object(writer);
    json_key(writer, "score");
    json_float(writer, rerank_score(work, index));
    json_string_member(writer, "label", "LABEL_0");
    json_end_object(writer);
    json_end_array(writer);
}

static void write_predict(const struct service *service, const struct work *work, const char *request_id,
                          struct json_writer *writer) {
    (void)service;
    (void)request_id;
    if (work->single) {
        write_prediction(work, 0, writer);
        return;
    }
    json_begin_array(writer);
    for (size_t i = 0; i < work->text_count; i++)
        write_prediction(work, i, writer);
    json_end_array(writer);
}

const struct dialect dialect_predict = {.name = "predict",
                                        .kind = WORK_RERANK,
                                        .error_form = API_ERROR_TEI,
                                        .read = read_predict,
                                        .write = write_predict};

/* What the path / is to a cross-encoder, but for rerank requests. */
static bool speaks_main_task(const struct service *service, const json_t *document) {
    (void)document;
    return service->model->kind == MODEL_CROSS_ENCODER;
}

const struct dialect dialect_main_task = {.name = "main_task",
                                          .kind = WORK_RERANK,
                                          .error_form = API_ERROR_TEI,
                                          .speaks = speaks_main_task,
                                          .read = read_predict,
                                          .write = write_predict};
