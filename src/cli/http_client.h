/* One request to a server and its reply, for commands that ask a server on this machine. */
#ifndef RESCOLDO_CLI_HTTP_CLIENT_H
#define RESCOLDO_CLI_HTTP_CLIENT_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stddef.h>
#include <sys/socket.h>

/* What was answered. The body lies in the caller's buffer, NUL-terminated, cut to what fits. */
struct http_reply {
    int status;
    const char *body;
};

/* Connects, sends the request as it is (it must ask for "Connection: close"), and reads until the server
 * closes. Each wait is at most timeout_seconds: STATUS_DEADLINE_EXCEEDED. `name` is what messages call the
 * address. */
MUST_CHECK enum status http_exchange(const struct sockaddr_storage *address, const char *name,
                                     struct bytes request, unsigned timeout_seconds, char *buffer,
                                     size_t capacity, struct http_reply *reply, struct error *error);

#endif
