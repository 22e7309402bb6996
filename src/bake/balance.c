#include "bake/balance.h"

#include "kernels/kernels.h"

#include <math.h>

/* stretch = (spread of the activations)^a / (largest weight)^(1 - a), SmoothQuant's equation 4 with their
 * alpha. Found on all-MiniLM-L6-v2 against the float32 outputs (docs/accuracy.md): flat between 0.65 and 0.75
 * for normalized rows, the worst text best at 0.75; after GELU, where the calibration sees a column's largest
 * value more rarely, one half. */
#define ALPHA_NORMALIZED 0.75
#define ALPHA_GELU       0.5

/* A column is never taken for more than this many times narrower than the average one: what the calibration
 * texts did not show may still come. */
#define NARROWEST 32.0

static double average(const float *values, uint32_t count) {
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)values[i];
    return sum / count;
}

static double at_least(double value, double mean) {
    double floor = mean / NARROWEST;
    return value > floor ? value : floor;
}

/* middle, and half the spread for the moment in stretch */
static void measure(const struct column_ranges *ranges, int after_gelu, struct balance *balance) {
    for (uint32_t c = 0; c < ranges->columns; c++) {
        float low = ranges->lowest[c], high = ranges->highest[c];
        balance->middle[c] = after_gelu ? -KERNEL_GELU_OFFSET : (low + high) / 2;
        balance->stretch[c] = after_gelu ? high + KERNEL_GELU_OFFSET : (high - low) / 2;
    }
}

void balance_choose(const struct column_ranges *ranges, const float *largest, int after_gelu,
                    struct balance *balance) {
    balance->columns = ranges->columns;
    measure(ranges, after_gelu, balance);
    double alpha = after_gelu ? ALPHA_GELU : ALPHA_NORMALIZED;
    double mean_spread = average(balance->stretch, ranges->columns);
    double mean_weight = average(largest, ranges->columns);
    for (uint32_t c = 0; c < ranges->columns; c++) {
        double spread =
            mean_spread > 0 ? at_least((double)balance->stretch[c], mean_spread) / mean_spread : 1;
        double weight = mean_weight > 0 ? at_least((double)largest[c], mean_weight) / mean_weight : 1;
        balance->stretch[c] = (float)(pow(spread, alpha) / pow(weight, 1 - alpha));
    }
}

void balance_none(uint32_t columns, struct balance *balance) {
    balance->columns = columns;
    for (uint32_t c = 0; c < columns; c++) {
        balance->middle[c] = 0;
        balance->stretch[c] = 1;
    }
}
