/* Accepts connections from listening sockets on the I/O thread, as long as there is place for them.
 *
 * Without a free descriptor (EMFILE, ENFILE) a connection could neither be accepted nor be turned away, and
 * would wake the event loop for ever: so one descriptor is kept in reserve, given up for as long as it takes
 * to accept and close what waits. */
#ifndef RESCOLDO_SERVER_LISTENER_H
#define RESCOLDO_SERVER_LISTENER_H

#include "base/compiler.h"
#include "base/status.h"
#include "server/listening_socket.h"
#include "server/state.h"

#include <uv.h>

struct listener {
    struct listening_socket socket;
    struct listeners *all;
    uv_poll_t poll;
    bool open;    /* poll is a handle of the loop */
    bool waiting; /* for a place; connections stay in the socket */
};

struct listeners {
    struct server_state *state;
    struct listener *entries; /* [count], owned */
    size_t count;
    int spare_descriptor;
    uv_timer_t pause; /* after a failure that would only repeat */
    bool pause_open;
};

/* Takes over the sockets, at least one, whatever the outcome; listeners_close and listeners_free must
 * follow. */
MUST_CHECK enum status listeners_start(struct listeners *listeners, struct server_state *state,
                                       struct listening_socket *sockets, size_t count, struct error *error);

/* A connection has gone: there may be place for another. */
void listeners_resume(struct listeners *listeners);

/* Takes what has connected already, as far as there is place, and listens no more. Sockets that others have
 * too are left to them as they are. The event loop must run once more before the memory goes. */
void listeners_close(struct listeners *listeners);

void listeners_free(struct listeners *listeners);

#endif
