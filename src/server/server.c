#include "base/clock.h"
#include "server/cache.h"
#include "server/connection.h"
#include "server/json_body.h"
#include "server/process_statistics.h"
#include "server/server_internal.h"

#include <signal.h>
#include <stdlib.h>

/* --- the end --- */

/* With no connection left nothing is queued, and a running job has been cancelled: the worker ends soon. */
static void end_when_empty(struct server *server) {
    if (!server->state.draining || server->listening || server->state.connection_count > 0 || server->ended)
        return;
    server->ended = true;
    scheduler_stop(server->state.scheduler);
    server->state.scheduler = NULL;
    uv_close((uv_handle_t *)&server->news, NULL);
    uv_close((uv_handle_t *)&server->first_stream, NULL);
    uv_close((uv_handle_t *)&server->terminate, NULL);
    uv_close((uv_handle_t *)&server->interrupt, NULL);
    uv_close((uv_handle_t *)&server->delay_timer, NULL);
    uv_close((uv_handle_t *)&server->drain_timer, NULL);
    uv_close((uv_handle_t *)&server->watchdog_timer, NULL);
    turn_close(&server->state.turn);
}

static void on_drain_timeout(uv_timer_t *timer) {
    struct server *server = timer->data;
    server->end = SERVER_CUT_SHORT;
    log_message(server->state.log, "error", "drain_timeout", "some requests were not finished in time");
    connections_close_all(&server->state);
    end_when_empty(server);
}

static void stop_listening(struct server *server) {
    const struct limits *limits = &server->state.limits;
    listeners_close(&server->listeners);
    server->listening = false;
    connections_hurry_idle(&server->state, limits->drain_idle_seconds * 1000);
    uv_timer_start(&server->drain_timer, on_drain_timeout, limits->drain_timeout_seconds * 1000, 0);
    end_when_empty(server);
}

static void on_delay_end(uv_timer_t *timer) {
    stop_listening(timer->data);
}

static void drain(struct server *server) {
    server->state.draining = true;
    service_manager_tell(&server->manager, "STOPPING=1\nSTATUS=Finishing what is in flight.");
    log_message(server->state.log, "info", "drain",
                "finishing what is in flight; a second signal ends at once");
    uint64_t delay = server->state.limits.drain_delay_seconds * 1000;
    if (delay > 0)
        uv_timer_start(&server->delay_timer, on_delay_end, delay, 0);
    else
        stop_listening(server);
}

void server_on_signal(uv_signal_t *handle, int signal_number) {
    struct server *server = handle->data;
    server->last_signal = signal_number;
    if (!server->state.draining) {
        drain(server);
        return;
    }
    server->end = SERVER_INTERRUPTED;
    uv_stop(&server->loop);
}

/* --- readiness --- */

/* A worker that hangs stops the signs of life, and the service manager ends us. */
static void on_watchdog(uv_timer_t *timer) {
    struct server *server = timer->data;
    if (!server->ended && !scheduler_load(server->state.scheduler).stuck)
        service_manager_tell(&server->manager, "WATCHDOG=1");
}

static void tell_ready(struct server *server) {
    const char *name = server->options->models->models[0]->name;
    struct buffer text = {0};
    uint64_t interval = server->manager.watchdog_milliseconds / 2;
    if (buffer_append_format(&text, NULL, "READY=1\nSTATUS=Serving %.200s on %s.", name,
                             server->listeners.entries[0].socket.name) == STATUS_OK &&
        buffer_append(&text, "", 1, NULL) == STATUS_OK)
        service_manager_tell(&server->manager, (const char *)text.data);
    buffer_free(&text);
    if (interval > 0)
        uv_timer_start(&server->watchdog_timer, on_watchdog, interval, interval);
}

static void on_loaded(struct server *server) {
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    log_event_begin(&writer, "info", "ready");
    json_key(&writer, "start_ms");
    json_milliseconds(&writer, clock_nanoseconds() - server->state.started_at);
    log_event_end(server->state.log, &writer);
    buffer_free(&line);
    if (!server->state.draining)
        tell_ready(server);
}

/* A server whose models compute wrong has nothing to say: whoever waits for an answer is hung up on. */
static void on_loading_failed(struct server *server) {
    server->loading_failed = true;
    server->state.draining = true;
    listeners_close(&server->listeners);
    server->listening = false;
    connections_close_all(&server->state);
    end_when_empty(server);
}

static void look_at_loading(struct server *server) {
    enum loading loading = scheduler_loading(server->state.scheduler, &server->error);
    server->state.loading = loading == LOADING_NOW;
    if (loading == LOADING_DONE)
        on_loaded(server);
    else if (loading == LOADING_FAILED)
        on_loading_failed(server);
}

/* --- connections and jobs --- */

void server_on_connection_closed(struct server_state *state) {
    struct server *server = (struct server *)(void *)state;
    listeners_resume(&server->listeners);
    end_when_empty(server);
}

void server_on_connection_idle(struct server_state *state) {
    listeners_resume(&((struct server *)(void *)state)->listeners);
}

static void deliver_finished_jobs(struct server *server) {
    struct job *job = scheduler_take_finished(server->state.scheduler);
    while (job != NULL) {
        struct job *next = job->next;
        connection_deliver(&server->state, job);
        job = next;
    }
}

void server_on_news(uv_async_t *news) {
    struct server *server = news->data;
    if (!server->ended && server->state.loading)
        look_at_loading(server);
    if (!server->ended)
        deliver_finished_jobs(server);
}

void server_wake(void *news) {
    uv_async_send(news);
}

/* --- from start to end --- */

/* After a failed start; a server that ran has closed its handles itself. */
static void close_handles(struct server *server) {
    listeners_close(&server->listeners);
    server_close_sockets(server);
    if (server->handles_open) {
        server->state.draining = true;
        end_when_empty(server);
    } else if (uv_loop_alive(&server->loop)) {
        uv_close((uv_handle_t *)&server->news, NULL);
    }
    uv_run(&server->loop, UV_RUN_DEFAULT);
}

static void release(struct server *server) {
    uv_loop_close(&server->loop);
    listeners_free(&server->listeners);
    service_manager_disconnect(&server->manager);
    session_set_destroy(&server->sessions);
    cache_destroy(server->state.services[0].cache);
    server_stop_logs(server);
    process_statistics_close(server->state.statistics_descriptor);
    free(server);
}

enum status server_run(const struct server_options *options, enum server_end *end, int *last_signal,
                       struct error *error) {
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the server");
    server->options = options;
    server->manager.socket = -1;
    server->listeners.spare_descriptor = -1;
    /* A reply to a client that has left must be an error of write, not a signal. */
    signal(SIGPIPE, SIG_IGN);
    json_body_prepare();
    int failure = uv_loop_init(&server->loop);
    if (failure != 0) {
        free(server);
        return error_set(error, STATUS_INPUT_OUTPUT, "cannot make an event loop: %s", uv_strerror(failure));
    }
    enum status status = server_start(server, error);
    if (status == STATUS_OK) {
        uv_run(&server->loop, UV_RUN_DEFAULT);
        if (server->loading_failed)
            status = error_set(error, server->error.status, "%s", server->error.message);
        *end = server->end;
        *last_signal = server->last_signal;
    } else {
        close_handles(server);
    }
    if (server->end == SERVER_INTERRUPTED) {
        for (size_t i = 0; i < server->listeners.count; i++)
            listening_socket_close(&server->listeners.entries[i].socket);
        server_stop_logs(server);
        return status;
    }
    release(server);
    return status;
}
