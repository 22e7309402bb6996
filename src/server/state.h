/* What the I/O thread knows: shared by its connections and the status pages. */
#ifndef RESCOLDO_SERVER_STATE_H
#define RESCOLDO_SERVER_STATE_H

#include "engine/session_set.h"
#include "server/api_keys.h"
#include "server/dialect.h"
#include "server/log.h"
#include "server/memory_budget.h"
#include "server/memory_plan.h"
#include "server/metrics.h"
#include "server/router.h"
#include "server/sandbox.h"
#include "server/scheduler.h"
#include "server/turn.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct connection;

enum connection_phase {
    PHASE_IDLE,      /* waiting for the first byte of a request */
    PHASE_HEAD,      /* reading a request head */
    PHASE_BODY,      /* reading a request body */
    PHASE_WORKING,   /* the scheduler has the request */
    PHASE_WRITING,   /* the reply is on its way */
    PHASE_LINGERING, /* all is said; reading on, so that a reset does not destroy the reply (RFC 9112,
                        section 9.6) */
    PHASE_CLOSING,
};

#define CONNECTION_PHASES (PHASE_CLOSING + 1)

/* A doubly linked list through connection->previous and ->next, oldest first. */
struct connection_list {
    struct connection *first, *last;
};

struct server_state {
    struct service services[MODEL_MAX_PER_EMBER]; /* [service_count], one for each model */
    size_t service_count;
    struct limits limits;
    const struct session_set *sessions; /* of the first worker */
    struct scheduler *scheduler;
    struct metrics metrics;
    struct log *log;
    struct log *access_log;               /* where the lines of requests go; may be log; NULL: nowhere */
    const struct api_keys *api_keys;      /* NULL: none are asked for */
    bool open_routes[METRICS_MAX_ROUTES]; /* which are answered without a key */
    uv_loop_t *loop;
    struct turn turn;

    struct connection_list idle, busy;
    uint64_t connection_count;
    uint64_t connections_in_phase[CONNECTION_PHASES];
    uint64_t body_bytes; /* of requests being read, queued or computed */
    bool loading;        /* no model answers yet */
    bool draining;
    uint64_t started_at; /* clock_nanoseconds() */
    double started_unix_seconds;
    int statistics_descriptor; /* /proc/self/stat, or -1 */
    uint64_t max_descriptors;
    struct sandbox_report sandbox;
    struct memory_plan memory_plan;
    struct memory_budget work_budget;

    uint64_t request_id_prefix, request_id_counter;

    /* Called after a connection has gone. */
    void (*connection_closed)(struct server_state *state);
    /* Called when one has nothing to do, so that a newcomer may take its place. */
    void (*connection_idle)(struct server_state *state);

    char read_buffer[65536]; /* every read lands here; what must stay is copied */
};

#endif
