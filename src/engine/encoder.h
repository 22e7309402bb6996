/* The forward pass of a BERT encoder over a ragged batch: the tokens of all sequences lie one after the other
 * in one matrix, without padding. docs/engine.md derives it. */
#ifndef RESCOLDO_ENGINE_ENCODER_H
#define RESCOLDO_ENGINE_ENCODER_H

#include "base/compiler.h"
#include "base/status.h"
#include "engine/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One sequence, special tokens included. */
struct sequence {
    const int32_t *ids;
    uint32_t count;         /* 1 to the model's max_positions */
    uint32_t first_segment; /* tokens with segment id 0; the rest has 1 */
    bool unnormalized;      /* the vector as pooled, also where the model says to normalize it */
    bool all_rows;          /* encoder_rows is asked for */
};

/* The working memory of one thread: one arena sized for max_batch_tokens tokens; a forward pass allocates
 * nothing. Encoders that never run at the same time may share an arena. */
struct encoder;
struct arena;

/* Bytes of arena that an encoder takes. */
size_t encoder_arena_size(const struct model *model, uint32_t max_batch_tokens);

MUST_CHECK enum status encoder_create(const struct model *model, const struct kernels *kernels,
                                      uint32_t max_batch_tokens, struct encoder **encoder,
                                      struct error *error);
/* The same in a part of memory that is not its own: the whole of `shared`, which must be large enough and
 * outlive the encoder. What encoder_rows gives is valid until the next run in that memory. */
MUST_CHECK enum status encoder_create_in(const struct arena *shared, const struct model *model,
                                         const struct kernels *kernels, uint32_t max_batch_tokens,
                                         struct encoder **encoder, struct error *error);
void encoder_destroy(struct encoder *encoder);
size_t encoder_memory(const struct encoder *encoder);
const struct kernels *encoder_kernels(const struct encoder *encoder);

/* The places whose activations enter a quantized layer. */
enum encoder_site {
    ENCODER_QUERY_KEY_VALUE_INPUT,  /* [hidden_size] */
    ENCODER_ATTENTION_OUTPUT_INPUT, /* [hidden_size] */
    ENCODER_INTERMEDIATE_INPUT,     /* [hidden_size] */
    ENCODER_OUTPUT_INPUT,           /* [intermediate_size], after GELU */
    ENCODER_SITES,
};

/* Is shown every row of activations at a site, in a float32 model only. */
struct encoder_observer {
    void (*observe)(void *context, uint32_t layer, enum encoder_site site, const float *rows, size_t count);
    void *context;
};

/* From the next run on; an observe of NULL ends it. */
void encoder_observe(struct encoder *encoder, const struct encoder_observer *observer);

/* Runs sequences whose tokens sum to at most max_batch_tokens and writes one logit each (cross-encoder,
 * outputs [count]) or one vector each (embedder, outputs [count][hidden_size]). A sequence's output has the
 * same bits whatever else is in the batch. Fails only on sequences that break these bounds or hold an id
 * outside the vocabulary. */
MUST_CHECK enum status encoder_run(struct encoder *encoder, const struct sequence *sequences, size_t count,
                                   float *outputs, struct error *error);

/* After a run in which a sequence had all_rows: the last layer's rows of all tokens of all sequences,
 * [tokens][hidden_size], valid until the next run. */
const float *encoder_rows(const struct encoder *encoder);

#endif
