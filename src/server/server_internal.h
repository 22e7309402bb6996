/* What the server's files share. server_start.c: opening, sealing, the start line; server.c: readiness, what
 * comes of jobs, connections and signals, and the end. All of it runs on the I/O thread but for server_wake.
 */
#ifndef RESCOLDO_SERVER_SERVER_INTERNAL_H
#define RESCOLDO_SERVER_SERVER_INTERNAL_H

#include "server/listener.h"
#include "server/server.h"
#include "server/service_manager.h"
#include "server/state.h"

struct server {
    struct server_state state; /* first: connection_closed is given a pointer to it */
    const struct server_options *options;
    struct session_set sessions; /* of the first worker */
    size_t workers;
    uv_loop_t loop;
    struct listening_socket sockets[SERVER_MAX_ADDRESSES]; /* [socket_count]: not yet the listeners' */
    size_t socket_count;
    struct listeners listeners;
    struct service_manager manager;
    uv_async_t news; /* of the scheduler */
    uv_signal_t terminate, interrupt;
    uv_timer_t delay_timer, drain_timer, watchdog_timer;
    uv_tcp_t first_stream;
    bool handles_open, listening, ended, fewer_connections;
    enum server_end end;
    int last_signal;
    bool loading_failed;
    struct error error; /* then */
};

/* Opens all that the server will ever open, seals it, starts its threads and says so in the log. The models
 * load meanwhile. On failure what is open stays so. */
MUST_CHECK enum status server_start(struct server *server, struct error *error);

/* Sockets that are not yet the listeners', and logs. */
void server_close_sockets(struct server *server);
void server_stop_logs(struct server *server);

void server_on_signal(uv_signal_t *handle, int signal_number);

/* Something has happened in the scheduler: called by its threads, and then by the event loop. */
void server_wake(void *news);
void server_on_news(uv_async_t *news);

/* struct server_state's callbacks. */
void server_on_connection_closed(struct server_state *state);
void server_on_connection_idle(struct server_state *state);

#endif
