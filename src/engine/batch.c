#include "engine/batch.h"

#include <stdlib.h>

enum status batch_create(struct batch *batch, size_t max_tokens, struct error *error) {
    *batch = (struct batch){.max_tokens = max_tokens};
    batch->ids = calloc(max_tokens, sizeof *batch->ids);
    batch->sequences = calloc(max_tokens / BATCH_MIN_SEQUENCE + 1, sizeof *batch->sequences);
    if (batch->ids != NULL && batch->sequences != NULL)
        return STATUS_OK;
    batch_destroy(batch);
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a batch of %zu tokens", max_tokens);
}

void batch_destroy(struct batch *batch) {
    free(batch->ids);
    free(batch->sequences);
    *batch = (struct batch){0};
}

void batch_clear(struct batch *batch) {
    batch->tokens = 0;
    batch->count = 0;
}

int32_t *batch_add(struct batch *batch, size_t count, size_t first_segment) {
    if (count > batch->max_tokens - batch->tokens || batch->count >= batch->max_tokens / BATCH_MIN_SEQUENCE)
        return NULL;
    int32_t *ids = batch->ids + batch->tokens;
    batch->sequences[batch->count++] =
        (struct sequence){.ids = ids, .count = (uint32_t)count, .first_segment = (uint32_t)first_segment};
    batch->tokens += count;
    return ids;
}
