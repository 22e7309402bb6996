#include "engine/sequence_queue.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

/* Room for `additional` elements behind first..end: what has been taken from the front is closed up first. */
static enum status make_room(void **elements, size_t size, size_t *first, size_t *end, size_t *capacity,
                             size_t additional, struct error *error) {
    if (additional <= *capacity - *end)
        return STATUS_OK;
    if (*first > 0) {
        memmove(*elements, (char *)*elements + *first * size, (*end - *first) * size);
        *end -= *first;
        *first = 0;
    }
    size_t needed, bytes;
    if (size_add(*end, additional, &needed) && needed <= *capacity / 2)
        return STATUS_OK;
    if (!size_add(*end, additional, &needed) || !size_multiply(needed, 2 * size, &bytes))
        return error_set(error, STATUS_LIMIT_EXCEEDED, "more sequences than memory can hold");
    void *grown = realloc(*elements, bytes);
    if (grown == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the token ids of a request");
    *elements = grown;
    *capacity = 2 * needed;
    return STATUS_OK;
}

static enum status reserve(struct sequence_queue *queue, size_t sequences, size_t ids, struct error *error) {
    void *elements = queue->sequences;
    enum status status = make_room(&elements, sizeof *queue->sequences, &queue->first, &queue->end,
                                   &queue->capacity, sequences, error);
    queue->sequences = elements;
    if (status != STATUS_OK)
        return status;
    elements = queue->ids;
    status = make_room(&elements, sizeof *queue->ids, &queue->first_id, &queue->end_id, &queue->id_capacity,
                       ids, error);
    queue->ids = elements;
    return status;
}

enum status sequence_queue_add(struct sequence_queue *queue, struct queued_sequence sequence, int32_t **ids,
                               struct error *error) {
    enum status status = reserve(queue, 1, sequence.count, error);
    if (status != STATUS_OK)
        return status;
    queue->sequences[queue->end++] = sequence;
    *ids = queue->ids + queue->end_id;
    queue->end_id += sequence.count;
    return STATUS_OK;
}

enum status sequence_queue_move(struct sequence_queue *from, struct sequence_queue *to, struct error *error) {
    size_t count = sequence_queue_count(from), tokens = sequence_queue_tokens(from);
    if (count == 0)
        return STATUS_OK;
    enum status status = reserve(to, count, tokens, error);
    if (status != STATUS_OK)
        return status;
    memcpy(to->sequences + to->end, from->sequences + from->first, count * sizeof *to->sequences);
    memcpy(to->ids + to->end_id, from->ids + from->first_id, tokens * sizeof *to->ids);
    to->end += count;
    to->end_id += tokens;
    sequence_queue_clear(from);
    return STATUS_OK;
}

void sequence_queue_clear(struct sequence_queue *queue) {
    queue->first = queue->end = 0;
    queue->first_id = queue->end_id = 0;
}

void sequence_queue_free(struct sequence_queue *queue) {
    free(queue->sequences);
    free(queue->ids);
    *queue = (struct sequence_queue){0};
}
