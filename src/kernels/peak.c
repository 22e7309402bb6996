#include "kernels/peak.h"

#include "base/clock.h"

double kernels_measure_int8_peak(const struct kernels *kernels) {
    uint64_t repeats = 256;
    uint64_t elapsed = 0;
    /* Long enough that reading the clock does not count. */
    while (elapsed < 500000 && repeats < (uint64_t)1 << 30) {
        repeats *= 2;
        uint64_t start = clock_nanoseconds();
        (void)kernels->int8_dot_rounds(repeats);
        elapsed = clock_nanoseconds() - start;
    }
    double best = 0;
    for (int run = 0; run < 25; run++) {
        uint64_t start = clock_nanoseconds();
        uint64_t operations = kernels->int8_dot_rounds(repeats);
        uint64_t duration = clock_nanoseconds() - start;
        double rate = duration > 0 ? (double)operations / (double)duration : 0;
        if (rate > best)
            best = rate;
    }
    return best;
}
