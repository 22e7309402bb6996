/* Paths to what answers them: a dialect (POST, on the preparation threads) or a status page (GET, on the I/O
 * thread). */
#ifndef RESCOLDO_SERVER_ROUTER_H
#define RESCOLDO_SERVER_ROUTER_H

#include "base/bytes.h"
#include "server/dialect.h"
#include "server/reply.h"

#include <stdbool.h>
#include <stddef.h>

struct server_state;

struct route {
    const char *path;                      /* may end in an asterisk, for one segment of any name */
    const struct dialect *const *dialects; /* POST, NULL-terminated; or NULL */
    void (*page)(struct server_state *state, struct reply *reply); /* GET and HEAD, or NULL */
    bool quiet; /* asked every few seconds by machines: successes are not logged */
};

extern const struct route routes[];
extern const size_t route_count;

/* Index of the route; route_count when no path matches. A trailing slash is ignored. */
size_t route_find(struct bytes path);

/* The path for metrics and logs, "other" for route_count. */
const char *route_label(size_t route);

#endif
