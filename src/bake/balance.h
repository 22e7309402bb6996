/* Chooses the input transform of a quantized layer: how far each column of its input is moved and stretched
 * before it is quantized, so that no column of the activations and no column of the weights spoils the step
 * of the others. */
#ifndef RESCOLDO_BAKE_BALANCE_H
#define RESCOLDO_BAKE_BALANCE_H

#include "bake/calibration.h"

/* u = (x - middle) / stretch; the layer's weights are multiplied by stretch, and W middle goes into its bias.
 */
struct balance {
    float *middle, *stretch; /* [columns], the caller's */
    uint32_t columns;
};

/* largest [columns]: the largest weight magnitude of each input column over all outputs.
 * after_gelu: the input is GELU's output, moved to begin at zero (KERNEL_GELU_OFFSET) rather than centred. */
void balance_choose(const struct column_ranges *ranges, const float *largest, int after_gelu,
                    struct balance *balance);

/* u = x. */
void balance_none(uint32_t columns, struct balance *balance);

#endif
