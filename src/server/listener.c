#include "server/listener.h"

#include "server/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Connections taken before others get a turn. */
#define ACCEPTED_AT_ONCE   32
#define PAUSE_MILLISECONDS 100

enum outcome {
    ACCEPTED,
    NOTHING_WAITS,
    NO_PLACE,
    FAILED,
};

static void pause_listening(struct listener *listener) {
    if (listener->open && !listener->waiting)
        uv_poll_stop(&listener->poll);
    listener->waiting = true;
}

static void on_pause_end(uv_timer_t *timer) {
    listeners_resume(timer->data);
}

/* Accepts and closes one connection with the descriptor in reserve. */
static enum outcome turn_away(struct listener *listener) {
    struct listeners *all = listener->all;
    if (all->spare_descriptor >= 0)
        close(all->spare_descriptor);
    int descriptor = accept4(listener->socket.descriptor, NULL, NULL, SOCK_CLOEXEC);
    bool nothing = descriptor < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (descriptor >= 0) {
        all->state->metrics.connections_refused++;
        close(descriptor);
    }
    all->spare_descriptor = fcntl(listener->socket.descriptor, F_DUPFD_CLOEXEC, 0);
    if (descriptor >= 0)
        return ACCEPTED;
    return nothing ? NOTHING_WAITS : FAILED;
}

static enum outcome accept_one(struct listener *listener) {
    struct server_state *state = listener->all->state;
    if (state->connection_count >= state->limits.max_connections)
        return NO_PLACE;
    int descriptor = accept4(listener->socket.descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0) {
        connection_begin(state, descriptor, listener->socket.is_unix);
        return ACCEPTED;
    }
    switch (errno) {
    case EAGAIN:
        return NOTHING_WAITS;
    case EMFILE:
    case ENFILE:
        return turn_away(listener);
    case ENOBUFS:
    case ENOMEM:
    case EBADF:
    case EINVAL:
        return FAILED;
    default: /* errors of the connection, not of the listener: accept(2) */
        return ACCEPTED;
    }
}

static void accept_some(struct listener *listener, size_t maximum) {
    enum outcome outcome = ACCEPTED;
    for (size_t i = 0; i < maximum && outcome == ACCEPTED; i++)
        outcome = accept_one(listener);
    if (outcome != FAILED)
        return;
    pause_listening(listener);
    uv_timer_start(&listener->all->pause, on_pause_end, PAUSE_MILLISECONDS, 0);
}

/* Called only when a connection waits, so that idle ones are closed for somebody. */
static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    struct listener *listener = poll->data;
    if (connections_make_place(listener->all->state))
        accept_some(listener, ACCEPTED_AT_ONCE);
    else
        pause_listening(listener);
}

static enum status start_one(struct listener *listener, struct error *error) {
    int failure = uv_poll_init(listener->all->state->loop, &listener->poll, listener->socket.descriptor);
    listener->open = failure == 0;
    listener->poll.data = listener;
    if (failure == 0)
        failure = uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    if (failure != 0)
        return error_set(error, STATUS_INPUT_OUTPUT, "cannot wait for connections on %s: %s",
                         listener->socket.name, uv_strerror(failure));
    return STATUS_OK;
}

enum status listeners_start(struct listeners *listeners, struct server_state *state,
                            struct listening_socket *sockets, size_t count, struct error *error) {
    *listeners = (struct listeners){.state = state, .spare_descriptor = -1};
    listeners->entries = calloc(count, sizeof *listeners->entries);
    if (listeners->entries == NULL) {
        for (size_t i = 0; i < count; i++)
            listening_socket_close(&sockets[i]);
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the listeners");
    }
    listeners->count = count;
    for (size_t i = 0; i < count; i++)
        listeners->entries[i] = (struct listener){.socket = sockets[i], .all = listeners};
    uv_timer_init(state->loop, &listeners->pause);
    listeners->pause.data = listeners;
    listeners->pause_open = true;
    listeners->spare_descriptor = fcntl(sockets[0].descriptor, F_DUPFD_CLOEXEC, 0);
    if (listeners->spare_descriptor < 0)
        return error_set_errno(error, errno, "cannot keep a descriptor in reserve");
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = start_one(&listeners->entries[i], error);
    return status;
}

void listeners_resume(struct listeners *listeners) {
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->entries[i];
        if (!listener->open || !listener->waiting)
            continue;
        if (uv_poll_start(&listener->poll, UV_READABLE, on_readable) == 0)
            listener->waiting = false;
    }
}

void listeners_close(struct listeners *listeners) {
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->entries[i];
        if (listener->open && !listener->socket.inherited)
            accept_some(listener, (size_t)-1);
        if (listener->open)
            uv_close((uv_handle_t *)&listener->poll, NULL);
        listener->open = false;
        listening_socket_close(&listener->socket);
    }
    if (listeners->pause_open)
        uv_close((uv_handle_t *)&listeners->pause, NULL);
    listeners->pause_open = false;
    if (listeners->spare_descriptor >= 0)
        close(listeners->spare_descriptor);
    listeners->spare_descriptor = -1;
}

void listeners_free(struct listeners *listeners) {
    free(listeners->entries);
    *listeners = (struct listeners){.spare_descriptor = -1};
}
