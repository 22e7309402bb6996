/* Time in nanoseconds; thread-safe. */
#ifndef RESCOLDO_BASE_CLOCK_H
#define RESCOLDO_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic, since an arbitrary start. */
uint64_t clock_nanoseconds(void);

/* What the processor has spent on the calling thread. */
uint64_t clock_thread_nanoseconds(void);

#endif
