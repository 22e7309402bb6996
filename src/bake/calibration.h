/* What the activations of a model look like: the lowest, the highest and the mean value of every column that
 * enters a quantized layer, seen while the float32 form reads a table of texts. The baker uses it to choose
 * each layer's input transform (kernels/kernels.h, struct input_transform). */
#ifndef RESCOLDO_BAKE_CALIBRATION_H
#define RESCOLDO_BAKE_CALIBRATION_H

#include "bake/progress.h"
#include "base/compiler.h"
#include "base/status.h"
#include "engine/encoder.h"
#include "engine/model.h"

/* Owned arrays [columns]. */
struct column_ranges {
    float *lowest, *highest;
    double *mean;
    uint64_t rows; /* seen */
    uint32_t columns;
};

struct calibration {
    struct column_ranges *ranges; /* [layers][ENCODER_SITES], owned */
    uint32_t layers;
};

/* Runs the texts of bake/calibration_texts.h through a float32 model. Release with calibration_free, after
 * failure too. */
MUST_CHECK enum status calibration_run(const struct model *model, const struct bake_progress *progress,
                                       struct calibration *calibration, struct error *error);
void calibration_free(struct calibration *calibration);

const struct column_ranges *calibration_ranges(const struct calibration *calibration, uint32_t layer,
                                               enum encoder_site site);

#endif
