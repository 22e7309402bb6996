/* What comes between opening a model and answering with it. */
#ifndef RESCOLDO_SERVER_MODEL_START_H
#define RESCOLDO_SERVER_MODEL_START_H

#include "base/compiler.h"
#include "base/status.h"
#include "engine/model.h"
#include "engine/session.h"

#include <stdint.h>

/* Of a model's first slice: what the first prediction rests on. */
struct first_slice {
    uint64_t tokens, nanoseconds;
};

/* Runs the model's self-test, which also brings the weights into memory, then a short slice of no request.
 * The session is the model's. STATUS_INTERNAL when this machine computes something else than the baker did.
 */
MUST_CHECK enum status model_start(const struct model *model, struct session *session,
                                   struct first_slice *first, struct error *error);

#endif
