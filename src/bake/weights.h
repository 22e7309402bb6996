/* The "weights" section: published tensors, one panel at a time, to the layouts the kernels read. */
#ifndef RESCOLDO_BAKE_WEIGHTS_H
#define RESCOLDO_BAKE_WEIGHTS_H

#include "bake/calibration.h"
#include "bake/progress.h"
#include "bake/tensor_store.h"
#include "base/compiler.h"
#include "base/status.h"
#include "formats/ember_writer.h"
#include "formats/model_description.h"
#include "formats/tensor_source.h"

#include <jansson.h>

struct weights_request {
    const struct tensor_source *source;
    const struct model_description *description;
    enum precision precision;
    /* Reference outputs [golden_rows][golden_columns] to store as "golden.outputs"; NULL: none. */
    const float *golden;
    size_t golden_rows, golden_columns;
    const struct calibration *calibration; /* int8 only */
    const struct bake_progress *progress;
};

/* What was written: the metadata's "tensors" and "quantization" (docs/ember.md), both owned. */
struct weights_lists {
    uint64_t quantized_rows, kept_rows; /* rows of int8 tensors, and of these with the source's own scales */
    json_t *tensors;
    json_t *quantization;
};

void weights_lists_free(struct weights_lists *lists);

/* Writes all tensors of the model to the open section of the store's writer. Tensor names in the source may
 * begin with "bert.". A tensor that is missing or of another shape gives STATUS_INVALID_DATA with file,
 * tensor and both shapes. Needs memory for 32 rows of the widest matrix. */
MUST_CHECK enum status weights_write(const struct weights_request *request, struct tensor_store *store,
                                     struct weights_lists *lists, struct error *error);

#endif
