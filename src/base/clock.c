#include "base/clock.h"

#include <time.h>

uint64_t clock_nanoseconds(void) {
    struct timespec now;
    /* CLOCK_MONOTONIC cannot fail on Linux with a valid pointer (clock_gettime(2)). */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
