#include "server/api_status.h"

#include "base/clock.h"
#include "base/json_writer.h"
#include "server/process_statistics.h"

#include <time.h>

static void begin(struct reply *reply, int status) {
    reply->status = status;
    reply->content_type = CONTENT_TYPE_JSON;
    reply->error_code = status == 200 ? NULL : "unavailable";
}

static void finish(struct reply *reply, const struct json_writer *writer) {
    struct error failure;
    struct api_error error;
    if (json_writer_finish(writer, &failure) != STATUS_OK && api_refuse_failure(&error, &failure) != 0)
        reply_set_error(reply, &error);
}

static void member_text(struct json_writer *writer, const char *name, const char *value) {
    json_key(writer, name);
    json_text_of_string(writer, value);
}

static void member_unsigned(struct json_writer *writer, const char *name, uint64_t value) {
    json_key(writer, name);
    json_unsigned(writer, value);
}

static void answer_status(struct reply *reply, int http_status, const char *status) {
    begin(reply, http_status);
    struct json_writer writer = json_writer_to(&reply->body);
    json_begin_object(&writer);
    member_text(&writer, "status", status);
    json_end_object(&writer);
    finish(reply, &writer);
}

void page_livez(struct server_state *state, struct reply *reply) {
    bool stuck = scheduler_load(state->scheduler).stuck;
    answer_status(reply, stuck ? 503 : 200, stuck ? "compute hangs" : "live");
}

void page_readyz(struct server_state *state, struct reply *reply) {
    answer_status(reply, state->draining ? 503 : 200, state->draining ? "draining" : "ready");
}

/* llama.cpp's clients read status, infinity's read unix. */
void page_health(struct server_state *state, struct reply *reply) {
    begin(reply, state->draining ? 503 : 200);
    struct json_writer writer = json_writer_to(&reply->body);
    json_begin_object(&writer);
    member_text(&writer, "status", state->draining ? "draining" : "ok");
    member_unsigned(&writer, "unix", (uint64_t)time(NULL));
    json_end_object(&writer);
    finish(reply, &writer);
}

/* infinity's client accepts no other owner than its own name, and needs stats. */
void page_models(struct server_state *state, struct reply *reply) {
    begin(reply, 200);
    struct json_writer writer = json_writer_to(&reply->body);
    json_begin_object(&writer);
    member_text(&writer, "object", "list");
    json_key(&writer, "data");
    json_begin_array(&writer);
    json_begin_object(&writer);
    member_text(&writer, "id", state->service.model->name);
    member_text(&writer, "object", "model");
    member_unsigned(&writer, "created", (uint64_t)state->started_unix_seconds);
    member_text(&writer, "owned_by", "infinity");
    json_key(&writer, "stats");
    json_begin_object(&writer);
    json_end_object(&writer);
    json_end_object(&writer);
    json_end_array(&writer);
    json_end_object(&writer);
    finish(reply, &writer);
}

static void write_limits(const struct limits *limits, struct json_writer *writer) {
    json_key(writer, "limits");
    json_begin_object(writer);
    for (size_t i = 0; i < limit_description_count; i++)
        member_unsigned(writer, limit_descriptions[i].name, limit_value_of(limits, &limit_descriptions[i]));
    json_end_object(writer);
}

static void write_memory(const struct server_state *state, struct json_writer *writer) {
    struct process_statistics statistics = process_statistics_read(state->statistics_descriptor);
    json_key(writer, "memory");
    json_begin_object(writer);
    member_unsigned(writer, "model_bytes", state->service.model->mapping.bytes.size);
    member_unsigned(writer, "session_bytes", session_memory(state->session));
    member_unsigned(writer, "bodies_in_flight_bytes", state->body_bytes);
    member_unsigned(writer, "resident_bytes", statistics.resident_bytes);
    json_end_object(writer);
}

static void write_model(const struct model *model, struct json_writer *writer) {
    json_key(writer, "model");
    json_begin_object(writer);
    member_text(writer, "name", model->name);
    member_text(writer, "kind", model_kind_name(model->kind));
    member_text(writer, "precision", precision_name(model->precision));
    member_unsigned(writer, "max_length", model->max_length);
    member_unsigned(writer, "layers", model->shape.layers);
    member_unsigned(writer, "hidden_size", model->shape.hidden_size);
    if (model->kind == MODEL_EMBEDDER)
        member_text(writer, "pooling", pooling_name(model->pooling));
    json_end_object(writer);
}

void page_info(struct server_state *state, struct reply *reply) {
    begin(reply, 200);
    struct json_writer writer = json_writer_to(&reply->body);
    json_begin_object(&writer);
    member_text(&writer, "name", "rescoldo");
    member_text(&writer, "version", RESCOLDO_VERSION);
    write_model(state->service.model, &writer);
    member_text(&writer, "isa", session_kernels(state->session)->name);
    json_key(&writer, "sandbox");
    sandbox_write(&state->sandbox, &writer);
    json_key(&writer, "uptime_seconds");
    json_unsigned(&writer, (clock_nanoseconds() - state->started_at) / 1000000000);
    write_memory(state, &writer);
    write_limits(&state->limits, &writer);
    json_end_object(&writer);
    finish(reply, &writer);
}
