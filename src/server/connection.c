#include "server/connection.h"

#include "base/clock.h"
#include "server/router.h"

#include <stdlib.h>
#include <unistd.h>

#define MILLISECONDS(seconds) ((seconds)*1000)
/* Pipelined bytes kept while a request is answered; more stay in the socket. */
#define MAX_PENDING_BYTES ((size_t)65536)
/* Pipelined requests answered before other connections get a turn. */
#define REQUESTS_AT_ONCE 16

static void list_remove(struct connection *connection) {
    struct connection_list *list = connection->list;
    if (list == NULL)
        return;
    if (connection->previous == NULL)
        list->first = connection->next;
    else
        connection->previous->next = connection->next;
    if (connection->next == NULL)
        list->last = connection->previous;
    else
        connection->next->previous = connection->previous;
    connection->previous = connection->next = NULL;
    connection->list = NULL;
}

static void list_append(struct connection_list *list, struct connection *connection) {
    connection->list = list;
    connection->previous = list->last;
    connection->next = NULL;
    if (list->last == NULL)
        list->first = connection;
    else
        list->last->next = connection;
    list->last = connection;
}

/* --- closing --- */

static void set_phase(struct connection *connection, enum connection_phase phase) {
    connection->state->connections_in_phase[connection->phase]--;
    connection->state->connections_in_phase[phase]++;
    connection->phase = phase;
}

static void free_when_closed(uv_handle_t *handle) {
    struct connection *connection = handle->data;
    if (--connection->open_handles > 0)
        return;
    struct server_state *state = connection->state;
    connection_reset_request(connection);
    http_request_free(&connection->request);
    state->body_bytes -= connection->pending.size;
    buffer_free(&connection->pending);
    free(connection);
    state->connections_in_phase[PHASE_CLOSING]--;
    state->connection_count--;
    state->connection_closed(state);
}

void connection_close(struct connection *connection) {
    if (connection->phase == PHASE_CLOSING)
        return;
    if (connection->phase == PHASE_WORKING || connection->phase == PHASE_WRITING)
        connection_log_abandoned(connection);
    exchange_cancel(connection);
    set_phase(connection, PHASE_CLOSING);
    list_remove(connection);
    uv_close(&connection->socket.handle, free_when_closed);
    uv_close((uv_handle_t *)&connection->timer, free_when_closed);
    uv_close((uv_handle_t *)&connection->next_turn, free_when_closed);
}

void connections_close_all(struct server_state *state) {
    while (state->idle.first != NULL)
        connection_close(state->idle.first);
    while (state->busy.first != NULL)
        connection_close(state->busy.first);
}

/* --- phases and deadlines --- */

/* A body may take longer by the time that its bytes take at the slowest permitted rate. */
static uint64_t remaining_body_milliseconds(const struct connection *connection) {
    const struct limits *limits = &connection->state->limits;
    uint64_t allowed = MILLISECONDS(limits->body_timeout_seconds) +
                       connection->request.body_received * 1000 / limits->min_bytes_per_second;
    uint64_t elapsed = (clock_nanoseconds() - connection->phase_began) / 1000000;
    return elapsed < allowed ? allowed - elapsed : 0;
}

static void begin_request(struct connection *connection) {
    connection->request_began = clock_nanoseconds();
    connection_enter(connection, PHASE_HEAD, MILLISECONDS(connection->state->limits.head_timeout_seconds));
}

static void on_deadline(uv_timer_t *timer) {
    struct connection *connection = timer->data;
    uint64_t remaining = connection->phase == PHASE_BODY ? remaining_body_milliseconds(connection) : 0;
    if (remaining > 0) {
        uv_timer_start(timer, on_deadline, remaining, 0);
        return;
    }
    switch (connection->phase) {
    case PHASE_HEAD:
    case PHASE_BODY:
    case PHASE_WORKING:
        exchange_timeout(connection);
        connection_resume(connection);
        break;
    case PHASE_IDLE:
    case PHASE_WRITING:
    case PHASE_LINGERING:
    case PHASE_CLOSING:
        connection_close(connection);
        break;
    }
}

void connection_enter(struct connection *connection, enum connection_phase phase, uint64_t milliseconds) {
    struct server_state *state = connection->state;
    struct connection_list *list = phase == PHASE_IDLE ? &state->idle : &state->busy;
    set_phase(connection, phase);
    connection->phase_began = clock_nanoseconds();
    list_remove(connection);
    list_append(list, connection);
    uv_timer_start(&connection->timer, on_deadline, milliseconds, 0);
    if (phase == PHASE_IDLE)
        state->connection_idle(state);
}

void connections_hurry_idle(struct server_state *state, uint64_t milliseconds) {
    for (struct connection *idle = state->idle.first; idle != NULL; idle = idle->next)
        uv_timer_start(&idle->timer, on_deadline, milliseconds, 0);
}

/* --- reading --- */

static bool takes_input(const struct connection *connection) {
    return connection->phase == PHASE_IDLE || connection->phase == PHASE_HEAD ||
           connection->phase == PHASE_BODY;
}

static void stop_reading(struct connection *connection) {
    if (connection->reading)
        uv_read_stop(&connection->socket.stream);
    connection->reading = false;
}

static void keep_for_later(struct connection *connection, struct bytes input) {
    struct server_state *state = connection->state;
    if (state->body_bytes + input.size > state->limits.max_body_bytes_in_flight ||
        buffer_append(&connection->pending, input.data, input.size, NULL) != STATUS_OK) {
        connection_close(connection);
        return;
    }
    state->body_bytes += input.size;
    if (connection->pending.size >= MAX_PENDING_BYTES)
        stop_reading(connection);
}

static void on_next_turn(uv_idle_t *handle) {
    struct connection *connection = handle->data;
    uv_idle_stop(handle);
    if (connection->phase != PHASE_WRITING)
        connection_resume(connection);
    else if (connection->write_size == 0)
        connection_write_next(connection);
}

void connection_give_way(struct connection *connection) {
    stop_reading(connection);
    uv_idle_start(&connection->next_turn, on_next_turn);
}

static void consume(struct connection *connection, struct bytes input) {
    unsigned begun = 0;
    while (takes_input(connection)) {
        if (connection->phase == PHASE_IDLE && input.size == 0)
            break;
        if (connection->phase == PHASE_IDLE) {
            begin_request(connection);
            if (++begun > REQUESTS_AT_ONCE) {
                keep_for_later(connection, input);
                if (connection->phase != PHASE_CLOSING)
                    connection_give_way(connection);
                return;
            }
        }
        enum request_event event = http_request_feed(&connection->request, &input);
        exchange_count_body(connection);
        if (!takes_input(connection) || event == REQUEST_INCOMPLETE)
            break;
        if (event == REQUEST_HEAD_COMPLETE)
            exchange_head(connection, input.size > 0);
        else if (event == REQUEST_COMPLETE)
            exchange_complete(connection);
        else
            exchange_refused(connection);
    }
    bool answering = connection->phase == PHASE_WORKING || connection->phase == PHASE_WRITING;
    if (input.size > 0 && answering) /* otherwise nothing more will be answered */
        keep_for_later(connection, input);
}

static void give_buffer(uv_handle_t *handle, size_t suggested_size, uv_buf_t *target) {
    (void)suggested_size;
    const struct connection *connection = handle->data;
    struct server_state *state = connection->state;
    size_t size = sizeof state->read_buffer;
    if (size > state->turn.read_bytes_left)
        size = state->turn.read_bytes_left;
    *target = uv_buf_init(state->read_buffer, (unsigned)size);
}

/* The client's side is closed. Whoever waits for an answer keeps its side open, so work for it is dropped; a
 * reply on its way is still sent. */
static void on_peer_finished(struct connection *connection) {
    connection->peer_finished = true;
    connection->reading = false;
    if (connection->phase != PHASE_WRITING)
        connection_close(connection);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    struct connection *connection = stream->data;
    if (count == UV_EOF) {
        on_peer_finished(connection);
    } else if (count == UV_ENOBUFS) { /* so libuv says that it was given none */
        connection_give_way(connection);
    } else if (count < 0) {
        connection_close(connection);
    } else if (count > 0) {
        connection->state->turn.read_bytes_left -= (size_t)count;
        connection->state->metrics.received_bytes += (uint64_t)count;
        consume(connection, bytes_of(buffer->base, (size_t)count));
    }
}

void connection_resume(struct connection *connection) {
    if (!takes_input(connection) && connection->phase != PHASE_LINGERING)
        return;
    if (!connection->reading && !connection->peer_finished) {
        if (uv_read_start(&connection->socket.stream, give_buffer, on_read) != 0) {
            connection_close(connection);
            return;
        }
        connection->reading = true;
    }
    struct buffer pending = connection->pending;
    connection->pending = (struct buffer){0};
    connection->state->body_bytes -= pending.size;
    consume(connection, buffer_bytes(&pending));
    buffer_free(&pending);
    if (connection->peer_finished && connection->phase == PHASE_IDLE)
        connection_close(connection);
}

/* --- beginning --- */

bool connections_make_place(struct server_state *state) {
    if (state->connection_count < state->limits.max_connections)
        return true;
    /* Gives its place as soon as it is closed; the newcomer waits in the listener until then. */
    if (state->idle.first != NULL)
        connection_close(state->idle.first);
    return false;
}

static int open_socket(struct connection *connection, int descriptor, bool is_unix) {
    uv_loop_t *loop = connection->state->loop;
    if (is_unix) {
        int failure = uv_pipe_init(loop, &connection->socket.local, 0);
        return failure == 0 ? uv_pipe_open(&connection->socket.local, descriptor) : failure;
    }
    int failure = uv_tcp_init(loop, &connection->socket.internet);
    if (failure == 0)
        failure = uv_tcp_open(&connection->socket.internet, descriptor);
    /* Replies go out at once instead of waiting for the acknowledgement of the last one. */
    if (failure == 0)
        uv_tcp_nodelay(&connection->socket.internet, 1);
    return failure;
}

void connection_begin(struct server_state *state, int descriptor, bool is_unix) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        close(descriptor);
        return;
    }
    state->metrics.connections_accepted++;
    state->connection_count++;
    state->connections_in_phase[PHASE_IDLE]++;
    connection->state = state;
    connection->key_name = "";
    connection->open_handles = 3;
    connection->route = route_count;
    http_request_init(&connection->request, &state->limits);
    uv_timer_init(state->loop, &connection->timer);
    uv_idle_init(state->loop, &connection->next_turn);
    int failure = open_socket(connection, descriptor, is_unix);
    connection->socket.handle.data = connection->timer.data = connection->next_turn.data = connection;
    if (failure != 0)
        close(descriptor); /* the handle has not taken it */
    if (failure == 0)
        failure = uv_read_start(&connection->socket.stream, give_buffer, on_read);
    if (failure != 0) {
        connection_close(connection);
        return;
    }
    connection->reading = true;
    connection_enter(connection, PHASE_IDLE, MILLISECONDS(state->limits.idle_timeout_seconds));
}
