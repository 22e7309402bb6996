#include "server/api_status.h"

#include "base/clock.h"
#include "base/json_writer.h"
#include "engine/request.h"
#include "server/embedded.h"
#include "server/process_statistics.h"

#include <time.h>

static void begin(struct reply *reply, int status) {
    reply->status = status;
    reply->content_type = CONTENT_TYPE_JSON;
    reply->error_code = status == 200 ? NULL : "unavailable";
}

static void fail(struct reply *reply, const struct error *failure) {
    struct api_error error;
    if (api_refuse_failure(&error, failure) != 0)
        reply_set_error(reply, &error);
}

static void finish(struct reply *reply, const struct json_writer *writer) {
    struct error failure;
    if (json_writer_finish(writer, &failure) != STATUS_OK)
        fail(reply, &failure);
}

static void answer_status(struct reply *reply, int http_status, const char *status) {
    begin(reply, http_status);
    struct json_writer writer = json_writer_to(&reply->body);
    json_begin_object(&writer);
    json_string_member(&writer, "status", status);
    json_end_object(&writer);
    finish(reply, &writer);
}

void page_livez(struct server_state *state, struct reply *reply) {
    bool stuck = scheduler_load(state->scheduler).stuck;
    answer_status(reply, stuck ? 503 : 200, stuck ? "compute hangs" : "live");
}

/* What keeps requests from being answered soon, or NULL. */
static const char *obstacle(const struct server_state *state) {
    return state->draining ? "draining" : state->loading ? "loading" : NULL;
}

void page_readyz(struct server_state *state, struct reply *reply) {
    const char *status = obstacle(state);
    answer_status(reply, status != NULL ? 503 : 200, status != NULL ? status : "ready");
}

/* llama.cpp's clients read status, infinity's read unix. */
void page_health(struct server_state *state, struct reply *reply) {
    const char *status = obstacle(state);
    begin(reply, status != NULL ? 503 : 200);
    struct json_writer writer = json_writer_to(&reply->body);
    json_begin_object(&writer);
    json_string_member(&writer, "status", status != NULL ? status : "ok");
    json_unsigned_member(&writer, "unix", (uint64_t)time(NULL));
    json_end_object(&writer);
    finish(reply, &writer);
}

/* infinity's client accepts no other owner than its own name, and needs stats. */
void page_models(struct server_state *state, struct reply *reply) {
    begin(reply, 200);
    struct json_writer writer = json_writer_to(&reply->body);
    json_begin_object(&writer);
    json_string_member(&writer, "object", "list");
    json_key(&writer, "data");
    json_begin_array(&writer);
    for (size_t i = 0; i < state->service_count; i++) {
        json_begin_object(&writer);
        json_string_member(&writer, "id", state->services[i].model->name);
        json_string_member(&writer, "object", "model");
        json_unsigned_member(&writer, "created", (uint64_t)state->started_unix_seconds);
        json_string_member(&writer, "owned_by", "infinity");
        json_key(&writer, "stats");
        json_begin_object(&writer);
        json_end_object(&writer);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    finish(reply, &writer);
}

static void write_limits(const struct limits *limits, struct json_writer *writer) {
    json_key(writer, "limits");
    json_begin_object(writer);
    for (size_t i = 0; i < limit_description_count; i++)
        json_unsigned_member(writer, limit_descriptions[i].name,
                             limit_value_of(limits, &limit_descriptions[i]));
    json_end_object(writer);
}

static void write_memory(const struct server_state *state, struct json_writer *writer) {
    struct process_statistics statistics = process_statistics_read(state->statistics_descriptor);
    json_key(writer, "memory");
    json_begin_object(writer);
    json_unsigned_member(writer, "model_bytes", state->services[0].model->ember.file.size);
    json_unsigned_member(writer, "session_bytes", session_set_memory(state->sessions));
    json_unsigned_member(writer, "bodies_in_flight_bytes", state->body_bytes);
    json_unsigned_member(writer, "work_in_flight_bytes", atomic_load(&state->work_budget.used));
    json_unsigned_member(writer, "resident_bytes", statistics.resident_bytes);
    json_key(writer, "plan");
    memory_plan_write(&state->memory_plan, writer);
    json_end_object(writer);
}

static void write_model(const struct model *model, struct json_writer *writer) {
    json_begin_object(writer);
    json_string_member(writer, "name", model->name);
    json_string_member(writer, "kind", model_kind_name(model->kind));
    json_string_member(writer, "precision", precision_name(model->precision));
    json_unsigned_member(writer, "max_length", model->max_length);
    json_unsigned_member(writer, "layers", model->shape.layers);
    json_unsigned_member(writer, "hidden_size", model->shape.hidden_size);
    if (model->kind == MODEL_EMBEDDER)
        json_string_member(writer, "pooling", pooling_name(model->pooling));
    json_end_object(writer);
}

/* The main task, as text-embeddings-inference names it; its clients look at the first key. */
static void write_task(const struct model *model, struct json_writer *writer) {
    json_key(writer, "model_type");
    json_begin_object(writer);
    json_key(writer, model->kind == MODEL_EMBEDDER ? "embedding" : "reranker");
    json_begin_object(writer);
    if (model->kind == MODEL_EMBEDDER) {
        json_string_member(writer, "pooling", pooling_name(model->pooling));
    } else {
        json_key(writer, "id2label");
        json_begin_object(writer);
        json_string_member(writer, "0", "LABEL_0");
        json_end_object(writer);
        json_key(writer, "label2id");
        json_begin_object(writer);
        json_unsigned_member(writer, "LABEL_0", 0);
        json_end_object(writer);
    }
    json_end_object(writer);
    json_end_object(writer);
}

/* What clients of text-embeddings-inference read of /info, all of it required by some. */
static void write_tei_info(const struct server_state *state, struct json_writer *writer) {
    static const char *const unknown[] = {"model_sha", "max_batch_requests", "sha", "docker_label"};
    const struct model *model = state->services[0].model;
    const struct limits *limits = &state->limits;
    bool embeds = model->kind == MODEL_EMBEDDER;
    json_string_member(writer, "model_id", model->name);
    json_string_member(writer, "served_model_name", model->name);
    json_string_member(writer, "model_dtype", precision_name(model->precision));
    write_task(model, writer);
    json_unsigned_member(writer, "max_concurrent_requests", limits->max_queued_requests);
    json_unsigned_member(writer, "max_input_length", model->max_length);
    json_unsigned_member(writer, "max_batch_tokens", session_max_batch_tokens(state->sessions->sessions[0]));
    json_unsigned_member(writer, "max_client_batch_size", embeds ? limits->max_inputs : limits->max_passages);
    json_bool_member(writer, "auto_truncate", true);
    json_unsigned_member(writer, "tokenization_workers", 1);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        json_key(writer, unknown[i]);
        json_null_value(writer);
    }
}

void page_info(struct server_state *state, struct reply *reply) {
    begin(reply, 200);
    struct json_writer writer = json_writer_to(&reply->body);
    json_begin_object(&writer);
    json_string_member(&writer, "name", "rescoldo");
    json_string_member(&writer, "version", RESCOLDO_VERSION);
    json_key(&writer, "model");
    write_model(state->services[0].model, &writer);
    json_key(&writer, "models");
    json_begin_array(&writer);
    for (size_t i = 0; i < state->service_count; i++)
        write_model(state->services[i].model, &writer);
    json_end_array(&writer);
    write_tei_info(state, &writer);
    json_string_member(&writer, "isa", session_kernels(state->sessions->sessions[0])->name);
    json_key(&writer, "sandbox");
    sandbox_write(&state->sandbox, &writer);
    json_key(&writer, "uptime_seconds");
    json_unsigned(&writer, (clock_nanoseconds() - state->started_at) / 1000000000);
    write_memory(state, &writer);
    write_limits(&state->limits, &writer);
    json_end_object(&writer);
    finish(reply, &writer);
}

void page_openapi(struct server_state *state, struct reply *reply) {
    (void)state;
    begin(reply, 200);
    struct error failure;
    if (embedded_document_append(openapi_document, openapi_document_size, &reply->body, &failure) !=
        STATUS_OK)
        fail(reply, &failure);
}
