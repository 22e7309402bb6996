#include "server/server.h"

#include "base/clock.h"
#include "server/address.h"
#include "server/connection.h"
#include "server/process_statistics.h"
#include "server/router.h"
#include "server/state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#define LISTEN_BACKLOG 1024
/* Descriptors for all but connections and listeners: standard streams, event loop, signals, statistics. */
#define OTHER_DESCRIPTORS 16

struct listener {
    uv_tcp_t socket;
    struct server *server;
    bool waiting; /* a connection waits in it for a place */
    char address[ADDRESS_TEXT_SIZE];
};

struct server {
    struct server_state state; /* first: connection_closed is given a pointer to it */
    const struct server_options *options;
    struct session *session;
    uv_loop_t loop;
    struct listener listeners[SERVER_MAX_ADDRESSES];
    size_t listener_count;
    uv_async_t finished_jobs;
    uv_signal_t terminate, interrupt;
    uv_timer_t drain_timer;
    bool handles_open, ended;
    enum server_end end;
    int last_signal;
};

static enum status fail(struct error *error, int uv_error, const char *action) {
    return error_set(error, STATUS_INPUT_OUTPUT, "%s: %s", action, uv_strerror(uv_error));
}

/* --- the end --- */

/* With no connection left nothing is queued, and a running job has been cancelled: the worker ends soon. */
static void end_when_empty(struct server *server) {
    if (!server->state.draining || server->state.connection_count > 0 || server->ended)
        return;
    server->ended = true;
    scheduler_stop(server->state.scheduler);
    server->state.scheduler = NULL;
    uv_close((uv_handle_t *)&server->finished_jobs, NULL);
    uv_close((uv_handle_t *)&server->terminate, NULL);
    uv_close((uv_handle_t *)&server->interrupt, NULL);
    uv_close((uv_handle_t *)&server->drain_timer, NULL);
}

static void on_drain_timeout(uv_timer_t *timer) {
    struct server *server = timer->data;
    server->end = SERVER_CUT_SHORT;
    log_message(server->state.log, "error", "drain_timeout", "some requests were not finished in time");
    connections_close_all(&server->state);
    end_when_empty(server);
}

static void drain(struct server *server) {
    server->state.draining = true;
    log_message(server->state.log, "info", "drain",
                "finishing what is in flight; a second signal ends at once");
    for (size_t i = 0; i < server->listener_count; i++)
        uv_close((uv_handle_t *)&server->listeners[i].socket, NULL);
    connections_close_idle(&server->state);
    uv_timer_start(&server->drain_timer, on_drain_timeout, server->state.limits.drain_timeout_seconds * 1000,
                   0);
    end_when_empty(server);
}

static void on_signal(uv_signal_t *handle, int signal_number) {
    struct server *server = handle->data;
    server->last_signal = signal_number;
    if (!server->state.draining) {
        drain(server);
        return;
    }
    server->end = SERVER_INTERRUPTED;
    uv_stop(&server->loop);
}

/* --- connections and jobs --- */

static void on_connection(uv_stream_t *stream, int status) {
    struct listener *listener = stream->data;
    if (status == 0 && !listener->server->state.draining)
        listener->waiting = !connection_accept(&listener->server->state, stream);
}

static void on_connection_closed(struct server_state *state) {
    struct server *server = (struct server *)(void *)state;
    for (size_t i = 0; i < server->listener_count; i++) {
        struct listener *listener = &server->listeners[i];
        if (listener->waiting && !state->draining)
            listener->waiting = !connection_accept(state, (uv_stream_t *)&listener->socket);
    }
    end_when_empty(server);
}

static void on_finished_jobs(uv_async_t *handle) {
    struct server *server = handle->data;
    struct job *job = server->ended ? NULL : scheduler_take_finished(server->state.scheduler);
    while (job != NULL) {
        struct job *next = job->next;
        connection_deliver(&server->state, job);
        job = next;
    }
}

/* Called by the worker. */
static void wake(void *argument) {
    uv_async_send(argument);
}

/* --- the start --- */

static enum status listen_on(struct server *server, const struct sockaddr_storage *address,
                             struct error *error) {
    struct listener *listener = &server->listeners[server->listener_count];
    address_print(address, listener->address);
    int failure = uv_tcp_init(&server->loop, &listener->socket);
    if (failure != 0)
        return fail(error, failure, "cannot make a socket");
    server->listener_count++;
    listener->server = server;
    listener->socket.data = listener;
    failure = uv_tcp_bind(&listener->socket, (const struct sockaddr *)address, 0);
    if (failure == 0)
        failure = uv_listen((uv_stream_t *)&listener->socket, LISTEN_BACKLOG, on_connection);
    if (failure != 0)
        return error_set(error, STATUS_INPUT_OUTPUT, "cannot listen on %s: %s", listener->address,
                         uv_strerror(failure));
    struct sockaddr_storage bound;
    int size = sizeof bound;
    if (uv_tcp_getsockname(&listener->socket, (struct sockaddr *)&bound, &size) == 0)
        address_print(&bound, listener->address); /* with the port that 0 became */
    return STATUS_OK;
}

static enum status open_handles(struct server *server, struct error *error) {
    uv_loop_t *loop = &server->loop;
    int failure = uv_async_init(loop, &server->finished_jobs, on_finished_jobs);
    if (failure != 0)
        return fail(error, failure, "cannot make an event descriptor");
    uv_timer_init(loop, &server->drain_timer);
    uv_signal_init(loop, &server->terminate);
    uv_signal_init(loop, &server->interrupt);
    server->handles_open = true;
    server->finished_jobs.data = server->drain_timer.data = server;
    server->terminate.data = server->interrupt.data = server;
    failure = uv_signal_start(&server->terminate, on_signal, SIGTERM);
    if (failure == 0)
        failure = uv_signal_start(&server->interrupt, on_signal, SIGINT);
    return failure == 0 ? STATUS_OK : fail(error, failure, "cannot handle signals");
}

static void set_state(struct server *server) {
    struct server_state *state = &server->state;
    state->limits = server->options->limits;
    state->service = (struct service){server->options->model, &state->limits};
    state->loop = &server->loop;
    state->sandbox = "off";
    state->connection_closed = on_connection_closed;
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
    uint64_t others = OTHER_DESCRIPTORS + server->options->address_count;
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
    if (descriptors.rlim_cur < wanted) {
        server->state.limits.max_connections = descriptors.rlim_cur - others;
        log_message(server->state.log, "warning", "fewer_connections",
                    "the limit of open files allows fewer connections than max_connections; see /info");
    }
    return STATUS_OK;
}

static enum status start(struct server *server, struct error *error) {
    set_state(server);
    enum status status = log_start(server->options->log_descriptor, &server->state.log, error);
    if (status == STATUS_OK)
        status = fit_connections(server, error);
    if (status == STATUS_OK)
        status = session_create(server->options->model, NULL, &server->session, error);
    if (status != STATUS_OK)
        return status;
    server->state.session = server->session;
    status = open_handles(server, error);
    for (size_t i = 0; i < server->options->address_count && status == STATUS_OK; i++)
        status = listen_on(server, &server->options->addresses[i], error);
    if (status != STATUS_OK)
        return status;
    const struct scheduler_options scheduler_options = {
        .service = &server->state.service,
        .session = server->session,
        .wake = wake,
        .wake_argument = &server->finished_jobs,
    };
    return scheduler_start(&scheduler_options, &server->state.scheduler, error);
}

static void log_start_line(const struct server *server) {
    const struct model *model = server->options->model;
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    log_event_begin(&writer, "info", "start");
    json_key(&writer, "addresses");
    json_begin_array(&writer);
    for (size_t i = 0; i < server->listener_count; i++)
        json_text_of_string(&writer, server->listeners[i].address);
    json_end_array(&writer);
    json_key(&writer, "version");
    json_text_of_string(&writer, RESCOLDO_VERSION);
    json_key(&writer, "model");
    json_text_of_string(&writer, model->name);
    json_key(&writer, "kind");
    json_text_of_string(&writer, model_kind_name(model->kind));
    json_key(&writer, "precision");
    json_text_of_string(&writer, precision_name(model->precision));
    json_key(&writer, "isa");
    json_text_of_string(&writer, session_kernels(server->session)->name);
    json_key(&writer, "sandbox");
    json_text_of_string(&writer, server->state.sandbox);
    log_event_end(server->state.log, &writer);
    buffer_free(&line);
}

/* After a failed start; a server that ran has closed its handles itself. */
static void close_handles(struct server *server) {
    for (size_t i = 0; i < server->listener_count; i++)
        uv_close((uv_handle_t *)&server->listeners[i].socket, NULL);
    if (server->handles_open) {
        server->state.draining = true;
        end_when_empty(server);
    } else if (uv_loop_alive(&server->loop)) {
        uv_close((uv_handle_t *)&server->finished_jobs, NULL);
    }
    uv_run(&server->loop, UV_RUN_DEFAULT);
}

static void release(struct server *server) {
    uv_loop_close(&server->loop);
    session_destroy(server->session);
    log_stop(server->state.log);
    process_statistics_close(server->state.statistics_descriptor);
    free(server);
}

enum status server_run(const struct server_options *options, enum server_end *end, int *last_signal,
                       struct error *error) {
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the server");
    server->options = options;
    /* A reply to a client that has left must be an error of write, not a signal. */
    signal(SIGPIPE, SIG_IGN);
    json_object_seed(0);
    int failure = uv_loop_init(&server->loop);
    if (failure != 0) {
        free(server);
        return fail(error, failure, "cannot make an event loop");
    }
    enum status status = start(server, error);
    if (status == STATUS_OK) {
        log_start_line(server);
        uv_run(&server->loop, UV_RUN_DEFAULT);
        *end = server->end;
        *last_signal = server->last_signal;
    } else {
        close_handles(server);
    }
    if (server->end == SERVER_INTERRUPTED) {
        log_stop(server->state.log);
        return status;
    }
    release(server);
    return status;
}
