/* One client connection: bytes in, one request at a time, bytes out; with a total deadline for each phase.
 *
 * connection.c owns the socket, the phases and their deadlines; exchange.c decides how a request is answered;
 * connection_reply.c sends the reply. All of it runs on the I/O thread. */
#ifndef RESCOLDO_SERVER_CONNECTION_H
#define RESCOLDO_SERVER_CONNECTION_H

#include "server/http_request.h"
#include "server/reply.h"
#include "server/scheduler.h"
#include "server/state.h"
#include "server/trace_context.h"

#include <uv.h>

struct connection {
    struct server_state *state;
    struct connection *previous, *next; /* in state->idle or state->busy */
    struct connection_list *list;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t internet;
        uv_pipe_t local; /* a Unix socket */
    } socket;
    uv_timer_t timer;
    uv_idle_t next_turn; /* active: goes on in the next turn of the event loop */
    unsigned open_handles;
    enum connection_phase phase;
    uint64_t phase_began; /* clock_nanoseconds(); so are the others */
    bool peer_finished;   /* the client has closed its side */
    bool reading;
    struct buffer pending; /* bytes of the next requests, received while this one was answered */

    /* The request at hand. */
    struct http_request request;
    uint64_t request_began;
    size_t route;
    bool request_complete;
    bool reply_decided; /* before the body was read; it is read and thrown away */
    size_t counted_body_bytes;
    struct memory_claim claim; /* of the reply */
    char request_id[REQUEST_ID_SIZE];
    struct trace_context trace;
    const char *key_name; /* of the key that the request has, for the log; never NULL */
    struct job *job;      /* in PHASE_WORKING */

    /* Its reply. */
    struct reply reply;
    struct buffer reply_head;
    size_t reply_sent; /* bytes of head and body that the socket has taken */
    uv_write_t write;
    size_t write_size; /* bytes that it is to write; 0: it rests */
    uv_shutdown_t shutdown;
    bool keep_alive;
    uint64_t text_count, token_count, truncated_count; /* for the log */
};

/* Is there place for another connection? Where only idle ones are in its way, the oldest is closed, and there
 * will be. */
bool connections_make_place(struct server_state *state);

/* Begins to serve an accepted connection; takes over the descriptor, whatever happens. */
void connection_begin(struct server_state *state, int descriptor, bool is_unix);

/* A finished job's reply to the client it is for; frees the job. */
void connection_deliver(struct server_state *state, struct job *job);

/* Gives the connections that have nothing to do this long for one more request. */
void connections_hurry_idle(struct server_state *state, uint64_t milliseconds);
/* Closes all. */
void connections_close_all(struct server_state *state);

/* --- between the three files --- */

/* Enters a phase that may take this long in all. */
void connection_enter(struct connection *connection, enum connection_phase phase, uint64_t milliseconds);

/* Ready for the next request. */
void connection_reset_request(struct connection *connection);

/* Goes on with what the client has already sent of the next requests. */
void connection_resume(struct connection *connection);
void connection_close(struct connection *connection);

/* What comes next, to be read or written, waits until other connections have been served. */
void connection_give_way(struct connection *connection);

/* How a request is answered: called at its head, at its end, when it is malformed, and when it takes too
 * long. */
void exchange_head(struct connection *connection, bool input_left);
void exchange_complete(struct connection *connection);
void exchange_refused(struct connection *connection);
void exchange_timeout(struct connection *connection);
/* Counts the body's bytes against the server's budget; may refuse. */
void exchange_count_body(struct connection *connection);
/* Takes the request back from the scheduler, if it is there. */
void exchange_cancel(struct connection *connection);

/* Sends connection->reply; then the next phase. */
void connection_send_reply(struct connection *connection);
/* Goes on with it. */
void connection_write_next(struct connection *connection);
/* The log line and the metrics of a request that gets no reply (499). */
void connection_log_abandoned(struct connection *connection);

#endif
