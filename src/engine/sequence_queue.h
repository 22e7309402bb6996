/* Sequences that wait for a batch, oldest first: their token ids and whose output each of them is. */
#ifndef RESCOLDO_ENGINE_SEQUENCE_QUEUE_H
#define RESCOLDO_ENGINE_SEQUENCE_QUEUE_H

#include "base/compiler.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Which text of its request a sequence is of, and the part of it that it covers, in code points. */
struct sequence_owner {
    size_t index;
    uint32_t character_start, character_end;
};

struct queued_sequence {
    struct sequence_owner owner;
    uint32_t count;         /* tokens, special tokens included */
    uint32_t first_segment; /* tokens with segment id 0; the rest has 1 */
};

/* A zeroed struct is an empty queue. Not thread-safe. */
struct sequence_queue {
    struct queued_sequence *sequences; /* [capacity]; first..end wait */
    size_t first, end, capacity;
    int32_t *ids; /* [id_capacity]; first_id..end_id are theirs */
    size_t first_id, end_id, id_capacity;
};

/* Appends a sequence; the caller writes its ids to *ids at once. */
MUST_CHECK enum status sequence_queue_add(struct sequence_queue *queue, struct queued_sequence sequence,
                                          int32_t **ids, struct error *error);
/* Appends what `from` holds and empties it. */
MUST_CHECK enum status sequence_queue_move(struct sequence_queue *from, struct sequence_queue *to,
                                           struct error *error);

static inline size_t sequence_queue_count(const struct sequence_queue *queue) {
    return queue->end - queue->first;
}

static inline size_t sequence_queue_tokens(const struct sequence_queue *queue) {
    return queue->end_id - queue->first_id;
}

/* Of a queue that is not empty: the oldest sequence, and its ids. */
static inline const struct queued_sequence *sequence_queue_front(const struct sequence_queue *queue) {
    return &queue->sequences[queue->first];
}

static inline const int32_t *sequence_queue_front_ids(const struct sequence_queue *queue) {
    return queue->ids + queue->first_id;
}

static inline void sequence_queue_pop(struct sequence_queue *queue) {
    queue->first_id += queue->sequences[queue->first++].count;
}

/* Empties it, and keeps its memory. */
void sequence_queue_clear(struct sequence_queue *queue);
void sequence_queue_free(struct sequence_queue *queue);

#endif
