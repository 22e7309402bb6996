/* Collects sequences until the next would not fit one run of the encoder. */
#ifndef RESCOLDO_ENGINE_BATCH_H
#define RESCOLDO_ENGINE_BATCH_H

#include "engine/encoder.h"

/* A sequence has at least [CLS] and [SEP]. */
#define BATCH_MIN_SEQUENCE 2u

struct batch {
    int32_t *ids;               /* [max_tokens] */
    struct sequence *sequences; /* [max_tokens / BATCH_MIN_SEQUENCE] */
    size_t max_tokens;
    size_t tokens;
    size_t count;
};

MUST_CHECK enum status batch_create(struct batch *batch, size_t max_tokens, struct error *error);
void batch_destroy(struct batch *batch);
void batch_clear(struct batch *batch);

/* Room for the ids of one more sequence of `count` tokens, or NULL when the batch must run first; the caller
 * writes the ids at once. count is at most max_tokens. */
int32_t *batch_add(struct batch *batch, size_t count, size_t first_segment);

#endif
