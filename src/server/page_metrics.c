/* /metrics: what is counted (metrics.h), and what is the case now. */
#include "base/json_writer.h"
#include "server/api_status.h"
#include "server/cache.h"
#include "server/metrics.h"
#include "server/process_statistics.h"

#include <inttypes.h>

struct value {
    const char *name, *type, *help;
    double value;
};

static uint64_t dropped_lines(const struct server_state *state) {
    uint64_t dropped = log_dropped_lines(state->log);
    if (state->access_log != NULL && state->access_log != state->log)
        dropped += log_dropped_lines(state->access_log);
    return dropped;
}

static enum status write_values(const struct server_state *state, const struct scheduler_load *load,
                                struct buffer *text) {
    struct process_statistics statistics = process_statistics_read(state->statistics_descriptor);
    const struct value values[] = {
        {"rescoldo_ready", "gauge", "1 when requests are answered, 0 while loading or draining.",
         state->loading || state->draining ? 0 : 1},
        {"rescoldo_queue_requests", "gauge", "Requests that wait for compute.",
         (double)load->queued_requests},
        {"rescoldo_queue_tokens", "gauge", "Tokens to be computed, estimated where not yet known.",
         (double)load->queued_tokens},
        {"rescoldo_compute_threads", "gauge", "Compute workers.", (double)load->workers},
        {"rescoldo_running_requests", "gauge", "Requests being computed.", (double)load->running_requests},
        {"rescoldo_predicted_wait_seconds", "gauge", "Predicted time until all queued requests are done.",
         (double)load->predicted_nanoseconds / 1e9},
        {"rescoldo_bodies_in_flight_bytes", "gauge", "Bytes of request bodies held.",
         (double)state->body_bytes},
        {"rescoldo_model_bytes", "gauge", "Size of the model's file.",
         (double)state->services[0].model->ember.file.size},
        {"rescoldo_session_bytes", "gauge", "Working memory of compute.",
         (double)session_set_memory(state->sessions)},
        {"rescoldo_log_dropped_lines_total", "counter", "Log lines dropped because nobody read them.",
         (double)dropped_lines(state)},
        {"process_start_time_seconds", "gauge", "Start of the process, in seconds since 1970.",
         state->started_unix_seconds},
        {"process_cpu_seconds_total", "counter", "User and system time.", statistics.cpu_seconds},
        {"process_resident_memory_bytes", "gauge", "Resident memory.", (double)statistics.resident_bytes},
        {"process_virtual_memory_bytes", "gauge", "Virtual memory.", (double)statistics.virtual_bytes},
        {"process_max_fds", "gauge", "Limit of open descriptors.", (double)state->max_descriptors},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof values / sizeof values[0] && status == STATUS_OK; i++)
        status = metrics_write_value(text, values[i].name, values[i].type, values[i].help, values[i].value);
    return status;
}

static enum status write_cache(const struct server_state *state, struct buffer *text) {
    static const char *const kinds[CACHE_KINDS] = {"scores", "tokens"};
    struct cache_statistics cache = cache_statistics(state->services[0].cache);
    enum status status = buffer_append_format(text, NULL,
                                              "# HELP rescoldo_cache_requests_total Look-ups in the cache.\n"
                                              "# TYPE rescoldo_cache_requests_total counter\n");
    for (size_t i = 0; i < CACHE_KINDS && status == STATUS_OK; i++)
        status =
            buffer_append_format(text, NULL,
                                 "rescoldo_cache_requests_total{kind=\"%s\",result=\"hit\"} %" PRIu64 "\n"
                                 "rescoldo_cache_requests_total{kind=\"%s\",result=\"miss\"} %" PRIu64 "\n",
                                 kinds[i], cache.hits[i], kinds[i], cache.misses[i]);
    if (status == STATUS_OK)
        status = metrics_write_value(text, "rescoldo_cache_bytes", "gauge",
                                     "Bytes of the cache's entries and index.", (double)cache.bytes);
    if (status == STATUS_OK)
        status = metrics_write_value(text, "rescoldo_cache_entries", "gauge", "Entries of the cache.",
                                     (double)cache.entries);
    if (status == STATUS_OK)
        status = metrics_write_value(text, "rescoldo_cache_evictions_total", "counter",
                                     "Entries that made place for newer ones.", (double)cache.evictions);
    return status;
}

static enum status write_build(const struct server_state *state, const struct model *model,
                               struct buffer *text) {
    struct buffer name = {0};
    struct json_writer writer = json_writer_to(&name); /* a label is escaped as JSON escapes quotes */
    json_text_of_string(&writer, model->name);
    enum status status = json_writer_finish(&writer, NULL);
    if (status == STATUS_OK)
        status = buffer_append_format(
            text, NULL,
            "rescoldo_build_info{version=\"%s\",model=%.*s,kind=\"%s\",precision=\"%s\",isa=\"%s\"} 1\n",
            RESCOLDO_VERSION, (int)name.size, (const char *)name.data, model_kind_name(model->kind),
            precision_name(model->precision), session_kernels(state->sessions->sessions[0])->name);
    buffer_free(&name);
    return status;
}

static enum status write_labelled(const struct server_state *state, struct buffer *text) {
    enum status status =
        metrics_write_family(text, "rescoldo_build_info", "gauge", "Always 1; what runs, for each model.");
    for (size_t i = 0; i < state->service_count && status == STATUS_OK; i++)
        status = write_build(state, state->services[i].model, text);
    return status;
}

static enum status write_connections(const struct server_state *state, struct buffer *text) {
    static const char *const names[CONNECTION_PHASES] = {"idle",    "head",      "body",   "working",
                                                         "writing", "lingering", "closing"};
    enum status status = metrics_write_family(text, "rescoldo_connections", "gauge",
                                              "Open connections, by what they are about.");
    for (size_t i = 0; i < CONNECTION_PHASES && status == STATUS_OK; i++)
        status = buffer_append_format(text, NULL, "rescoldo_connections{state=\"%s\"} %" PRIu64 "\n",
                                      names[i], state->connections_in_phase[i]);
    return status;
}

static enum status write_sandbox(const struct sandbox_report *report, struct buffer *text) {
    enum status status = buffer_append_format(text, NULL,
                                              "# HELP rescoldo_sandbox_state 1 for a layer that is applied.\n"
                                              "# TYPE rescoldo_sandbox_state gauge\n");
    for (size_t i = 0; i < SANDBOX_LAYERS && status == STATUS_OK; i++)
        status = buffer_append_format(text, NULL, "rescoldo_sandbox_state{layer=\"%s\"} %d\n",
                                      sandbox_layer_names[i], report->applied[i] ? 1 : 0);
    return status;
}

void page_metrics(struct server_state *state, struct reply *reply) {
    reply->status = 200;
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    struct scheduler_load load = scheduler_load(state->scheduler);
    state->metrics.slices = load.slices;
    enum status status = write_labelled(state, &reply->body);
    if (status == STATUS_OK)
        status = write_sandbox(&state->sandbox, &reply->body);
    if (status == STATUS_OK)
        status = write_values(state, &load, &reply->body);
    if (status == STATUS_OK)
        status = write_connections(state, &reply->body);
    if (status == STATUS_OK)
        status = write_cache(state, &reply->body);
    if (status == STATUS_OK)
        status = metrics_write(&state->metrics, &reply->body);
    struct api_error error;
    if (status != STATUS_OK && api_refuse(&error, 500, "out_of_memory", "no memory for the metrics") != 0)
        reply_set_error(reply, &error);
}
