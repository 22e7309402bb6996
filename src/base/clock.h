/* Monotonic time in nanoseconds since an arbitrary start; thread-safe. */
#ifndef RESCOLDO_BASE_CLOCK_H
#define RESCOLDO_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_nanoseconds(void);

#endif
