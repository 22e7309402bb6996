#include "base/clock.h"
#include "base/cpu_limit.h"
#include "server/cache.h"
#include "server/process_statistics.h"
#include "server/router.h"
#include "server/server_internal.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

/* Descriptors for all but connections and listeners: standard streams, event loop, signals, statistics, one
 * in reserve, one more that is being accepted. */
#define OTHER_DESCRIPTORS 16

static enum status fail(struct error *error, int uv_error, const char *action) {
    return error_set(error, STATUS_INPUT_OUTPUT, "%s: %s", action, uv_strerror(uv_error));
}

static enum status open_sockets(struct server *server, struct error *error) {
    const struct server_options *options = server->options;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < options->inherited_count && status == STATUS_OK; i++) {
        status = listening_socket_inherit(FIRST_INHERITED_DESCRIPTOR + (int)i,
                                          &server->sockets[server->socket_count], error);
        server->socket_count += status == STATUS_OK ? 1 : 0;
    }
    for (size_t i = 0; i < options->address_count && status == STATUS_OK; i++) {
        status = listening_socket_open(&options->addresses[i], &options->listening,
                                       &server->sockets[server->socket_count], error);
        server->socket_count += status == STATUS_OK ? 1 : 0;
    }
    return status;
}

void server_close_sockets(struct server *server) {
    while (server->socket_count > 0)
        listening_socket_close(&server->sockets[--server->socket_count]);
}

static enum status start_listening(struct server *server, struct error *error) {
    size_t count = server->socket_count;
    server->socket_count = 0;
    enum status status = listeners_start(&server->listeners, &server->state, server->sockets, count, error);
    server->listening = status == STATUS_OK;
    return status;
}

static enum status open_handles(struct server *server, struct error *error) {
    uv_loop_t *loop = &server->loop;
    int failure = uv_async_init(loop, &server->news, server_on_news);
    if (failure != 0)
        return fail(error, failure, "cannot make an event descriptor");
    uv_timer_init(loop, &server->delay_timer);
    uv_timer_init(loop, &server->drain_timer);
    uv_timer_init(loop, &server->watchdog_timer);
    /* With the first stream libuv opens a file, which would be too late once the server is sealed. */
    uv_tcp_init(loop, &server->first_stream);
    uv_signal_init(loop, &server->terminate);
    uv_signal_init(loop, &server->interrupt);
    turn_begin_first(&server->state.turn, loop, &server->state.metrics.turns);
    server->handles_open = true;
    server->news.data = server->delay_timer.data = server;
    server->drain_timer.data = server->watchdog_timer.data = server;
    server->terminate.data = server->interrupt.data = server;
    failure = uv_signal_start(&server->terminate, server_on_signal, SIGTERM);
    if (failure == 0)
        failure = uv_signal_start(&server->interrupt, server_on_signal, SIGINT);
    return failure == 0 ? STATUS_OK : fail(error, failure, "cannot handle signals");
}

static void set_open_routes(struct server *server) {
    const struct server_options *options = server->options;
    for (size_t i = 0; i < route_count; i++)
        server->state.open_routes[i] = options->open_path_count == 0 && routes[i].quiet;
    for (size_t i = 0; i < options->open_path_count; i++) {
        size_t route = route_find(bytes_of_string(options->open_paths[i]));
        if (route < route_count)
            server->state.open_routes[route] = true;
    }
}

static void set_state(struct server *server) {
    struct server_state *state = &server->state;
    state->limits = server->options->limits;
    server->workers = state->limits.threads > 0 ? (size_t)state->limits.threads : cpu_limit();
    const struct model_list *models = server->options->models;
    state->service_count = models->count;
    for (size_t i = 0; i < models->count; i++)
        state->services[i] =
            (struct service){models->models[i], &state->limits, state->services, models->count, NULL};
    state->loop = &server->loop;
    state->connection_closed = server_on_connection_closed;
    state->connection_idle = server_on_connection_idle;
    state->api_keys = server->options->api_keys;
    set_open_routes(server);
    state->loading = true;
    state->started_at = clock_nanoseconds();
    state->started_unix_seconds = (double)time(NULL);
    state->statistics_descriptor = process_statistics_open();
    /* Ids of two servers, or of one restarted, should differ; nothing depends on them being secret. */
    if (getrandom(&state->request_id_prefix, sizeof state->request_id_prefix, GRND_NONBLOCK) < 0)
        state->request_id_prefix = clock_nanoseconds();
}

/* Beyond its descriptors a server could neither accept nor turn away, so there must be one for each
 * connection. */
static enum status fit_connections(struct server *server, struct error *error) {
    struct rlimit descriptors;
    uint64_t others = OTHER_DESCRIPTORS + server->options->address_count + server->options->inherited_count;
    uint64_t wanted = server->state.limits.max_connections + others;
    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return error_set_errno(error, errno, "cannot read the limit of open files");
    if (descriptors.rlim_cur < wanted && descriptors.rlim_cur < descriptors.rlim_max) {
        descriptors.rlim_cur = descriptors.rlim_max < wanted ? descriptors.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &descriptors);
    }
    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0 || descriptors.rlim_cur <= others)
        return error_set(error, STATUS_LIMIT_EXCEEDED,
                         "the limit of open files is %llu, expected more than %llu",
                         (unsigned long long)descriptors.rlim_cur, (unsigned long long)others);
    server->state.max_descriptors = descriptors.rlim_cur;
    if (descriptors.rlim_cur < wanted) {
        server->state.limits.max_connections = descriptors.rlim_cur - others;
        server->fewer_connections = true;
    }
    return STATUS_OK;
}

static enum status start_logs(struct server *server, struct error *error) {
    const struct server_options *options = server->options;
    struct server_state *state = &server->state;
    enum status status = log_start(options->log_descriptor, &state->log, error);
    if (status != STATUS_OK || options->access_log_descriptor < 0)
        return status;
    state->access_log = state->log;
    if (options->access_log_descriptor == options->log_descriptor)
        return STATUS_OK;
    state->access_log = NULL;
    return log_start(options->access_log_descriptor, &state->access_log, error);
}

void server_stop_logs(struct server *server) {
    const struct server_state *state = &server->state;
    if (state->access_log != state->log)
        log_stop(state->access_log);
    log_stop(state->log);
}

/* One for all models. */
static enum status make_cache(struct server_state *state, struct error *error) {
    if (state->limits.cache_bytes == 0)
        return STATUS_OK;
    enum status status = cache_create(state->limits.cache_bytes, &state->services[0].cache, error);
    for (size_t i = 1; i < state->service_count; i++)
        state->services[i].cache = state->services[0].cache;
    return status;
}

static enum status fit_memory(struct server *server, struct error *error) {
    struct server_state *state = &server->state;
    state->memory_plan = (struct memory_plan){
        .limit = server->options->memory_limit,
        .source = server->options->memory_limit_source,
        .model = state->services[0].model->ember.file.size,
        .sessions = server->workers * session_set_memory(&server->sessions),
    };
    enum status status = memory_plan_fit(&state->memory_plan, server->workers, &state->limits, error);
    state->work_budget.maximum = state->limits.max_work_bytes_in_flight;
    return status;
}

/* All that the server will ever open. */
static enum status open_everything(struct server *server, struct error *error) {
    enum status status = fit_connections(server, error);
    if (status == STATUS_OK)
        status = make_cache(&server->state, error);
    if (status == STATUS_OK)
        status = session_set_create(server->options->models, (uint32_t)server->state.limits.max_batch_tokens,
                                    &server->sessions, error);
    if (status == STATUS_OK)
        status = fit_memory(server, error);
    if (status != STATUS_OK)
        return status;
    server->state.sessions = &server->sessions;
    status = open_handles(server, error);
    if (status == STATUS_OK)
        status = service_manager_connect(&server->manager, error);
    if (status == STATUS_OK)
        status = open_sockets(server, error);
    return status == STATUS_OK ? start_listening(server, error) : status;
}

static enum status start_threads(struct server *server, struct error *error) {
    enum status status = start_logs(server, error);
    if (status != STATUS_OK)
        return status;
    const struct scheduler_options scheduler_options = {
        .service = server->state.services,
        .models = server->options->models,
        .sessions = &server->sessions,
        .workers = server->workers,
        .wake = server_wake,
        .wake_argument = &server->news,
    };
    return scheduler_start(&scheduler_options, &server->state.scheduler, error);
}

/* Sealed, nobody can remove a file: that of a unix: socket stays behind, and the next start replaces it. */
static void keep_socket_files(struct server *server) {
    for (size_t i = 0; i < server->listeners.count; i++)
        server->listeners.entries[i].socket.inode = 0;
}

static void log_start_line(const struct server *server) {
    const struct model_list *models = server->options->models;
    const struct model *model = models->models[0];
    if (server->fewer_connections)
        log_message(server->state.log, "warning", "fewer_connections",
                    "the limit of open files allows fewer connections than max_connections; see /info");
    if (server->state.memory_plan.lowered)
        log_message(server->state.log, "info", "limits_lowered",
                    "limits are lower than their defaults, so that all fits the memory; see /info");
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    log_event_begin(&writer, "info", "start");
    json_key(&writer, "addresses");
    json_begin_array(&writer);
    for (size_t i = 0; i < server->listeners.count; i++)
        json_text_of_string(&writer, server->listeners.entries[i].socket.name);
    json_end_array(&writer);
    json_key(&writer, "version");
    json_text_of_string(&writer, RESCOLDO_VERSION);
    json_key(&writer, "model");
    json_text_of_string(&writer, model->name);
    json_key(&writer, "kind");
    json_text_of_string(&writer, model_kind_name(model->kind));
    json_key(&writer, "precision");
    json_text_of_string(&writer, precision_name(model->precision));
    json_key(&writer, "models");
    json_begin_array(&writer);
    for (size_t i = 0; i < models->count; i++)
        json_text_of_string(&writer, models->models[i]->name);
    json_end_array(&writer);
    json_key(&writer, "isa");
    json_text_of_string(&writer, session_kernels(server->sessions.sessions[0])->name);
    json_key(&writer, "sandbox");
    sandbox_write(&server->state.sandbox, &writer);
    log_event_end(server->state.log, &writer);
    buffer_free(&line);
    const char *warning = sandbox_warning(&server->state.sandbox);
    if (warning != NULL)
        log_message(server->state.log, "warning", "sandbox", warning);
}

/* The order is the sandbox's: see sandbox.h. */
enum status server_start(struct server *server, struct error *error) {
    struct sandbox_report *sandbox = &server->state.sandbox;
    set_state(server);
    enum status status = open_everything(server, error);
    if (status == STATUS_OK)
        status = sandbox_enclose(&server->options->sandbox, sandbox, error);
    if (status == STATUS_OK)
        status = start_threads(server, error);
    if (status == STATUS_OK)
        status = sandbox_seal(sandbox, error);
    if (status == STATUS_OK && sandbox->mode != SANDBOX_OFF)
        keep_socket_files(server);
    if (status == STATUS_OK)
        log_start_line(server);
    return status;
}
