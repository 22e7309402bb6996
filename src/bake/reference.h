/* The float32 form of a model, built in memory and run: it gives the golden outputs of the ember, and must
 * give the scores published for the model. */
#ifndef RESCOLDO_BAKE_REFERENCE_H
#define RESCOLDO_BAKE_REFERENCE_H

#include "bake/calibration.h"
#include "bake/source.h"
#include "base/compiler.h"
#include "base/status.h"

struct reference {
    float *golden; /* owned, [rows][columns] */
    size_t rows, columns;
    uint32_t published_scores;
    double published_score_deviation;
    struct calibration calibration; /* when asked for */
};

/* STATUS_INVALID_DATA when a published score is missed. calibrate: measure the activations too. Release with
 * reference_free. */
MUST_CHECK enum status reference_run(const struct source *source, bool calibrate,
                                     const struct bake_progress *progress, struct reference *reference,
                                     struct error *error);
void reference_free(struct reference *reference);

#endif
