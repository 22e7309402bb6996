/* The turns of the I/O thread's event loop: from one wait for events to the next it deals with all that had
 * come. Whatever takes long in a turn all other connections wait for, so reading has a budget in each, and
 * the processor time of every turn is counted. */
#ifndef RESCOLDO_SERVER_TURN_H
#define RESCOLDO_SERVER_TURN_H

#include "server/metrics.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Of all connections together in one turn: some tenths of a millisecond, most of it for memory that a body
 * has not touched before. */
#define TURN_READ_BYTES ((size_t)131072)

/* Of one reply in one turn. */
#define TURN_WRITE_BYTES ((size_t)131072)

struct turn {
    size_t read_bytes_left;
    uint64_t began; /* clock_thread_nanoseconds() */
    struct histogram *durations;
    uv_prepare_t before_wait;
};

/* On the thread of the loop. durations must outlive the turns. */
void turn_begin_first(struct turn *turn, uv_loop_t *loop, struct histogram *durations);
void turn_close(struct turn *turn);

#endif
