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
    member_text(&writer, "sandbox", state->sandbox);
    json_key(&writer, "uptime_seconds");
    json_unsigned(&writer, (clock_nanoseconds() - state->started_at) / 1000000000);
    write_memory(state, &writer);
    write_limits(&state->limits, &writer);
    json_end_object(&writer);
    finish(reply, &writer);
}

struct gauge {
    const char *name, *type, *help;
    double value;
};

static enum status write_gauges(struct server_state *state, struct buffer *text) {
    struct scheduler_load load = scheduler_load(state->scheduler);
    struct process_statistics statistics = process_statistics_read(state->statistics_descriptor);
    const struct gauge gauges[] = {
        {"rescoldo_ready", "gauge", "1 when requests are taken, 0 while draining.", state->draining ? 0 : 1},
        {"rescoldo_queue_requests", "gauge", "Requests that wait for compute.", (double)load.queued_requests},
        {"rescoldo_running_requests", "gauge", "Requests being computed.", (double)load.running_requests},
        {"rescoldo_predicted_wait_seconds", "gauge", "Predicted time until all queued requests are done.",
         (double)load.predicted_nanoseconds / 1e9},
        {"rescoldo_connections", "gauge", "Open connections.", (double)state->connection_count},
        {"rescoldo_bodies_in_flight_bytes", "gauge", "Bytes of request bodies held.",
         (double)state->body_bytes},
        {"rescoldo_model_bytes", "gauge", "Size of the model's file.",
         (double)state->service.model->mapping.bytes.size},
        {"rescoldo_session_bytes", "gauge", "Working memory of compute.",
         (double)session_memory(state->session)},
        {"rescoldo_log_dropped_lines_total", "counter", "Log lines dropped because nobody read them.",
         (double)log_dropped_lines(state->log)},
        {"process_start_time_seconds", "gauge", "Start of the process, in seconds since 1970.",
         state->started_unix_seconds},
        {"process_cpu_seconds_total", "counter", "User and system time.", statistics.cpu_seconds},
        {"process_resident_memory_bytes", "gauge", "Resident memory.", (double)statistics.resident_bytes},
        {"process_virtual_memory_bytes", "gauge", "Virtual memory.", (double)statistics.virtual_bytes},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0] && status == STATUS_OK; i++)
        status = metrics_write_value(text, gauges[i].name, gauges[i].type, gauges[i].help, gauges[i].value);
    return status;
}

static enum status write_labelled(const struct server_state *state, struct buffer *text) {
    const struct model *model = state->service.model;
    struct buffer name = {0};
    struct json_writer writer = json_writer_to(&name); /* a label is escaped as JSON escapes quotes */
    json_text_of_string(&writer, model->name);
    enum status status = json_writer_finish(&writer, NULL);
    if (status == STATUS_OK)
        status = buffer_append_format(
            text, NULL,
            "# HELP rescoldo_build_info Always 1; what runs.\n# TYPE rescoldo_build_info gauge\n"
            "rescoldo_build_info{version=\"%s\",model=%.*s,kind=\"%s\",precision=\"%s\",isa=\"%s\"} 1\n"
            "# HELP rescoldo_sandbox_state 1 for the state that holds.\n# TYPE rescoldo_sandbox_state gauge\n"
            "rescoldo_sandbox_state{state=\"%s\"} 1\n",
            RESCOLDO_VERSION, (int)name.size, (const char *)name.data, model_kind_name(model->kind),
            precision_name(model->precision), session_kernels(state->session)->name, state->sandbox);
    buffer_free(&name);
    return status;
}

void page_metrics(struct server_state *state, struct reply *reply) {
    reply->status = 200;
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    enum status status = write_labelled(state, &reply->body);
    if (status == STATUS_OK)
        status = write_gauges(state, &reply->body);
    if (status == STATUS_OK)
        status = metrics_write(&state->metrics, &reply->body);
    struct api_error error;
    if (status != STATUS_OK && api_refuse(&error, 500, "out_of_memory", "no memory for the metrics") != 0)
        reply_set_error(reply, &error);
}
