/* How long work will take, from what work has taken: nanoseconds per token from the last slices of each
 * model, tokens per byte from the bodies read. Pure arithmetic; not thread-safe. */
#ifndef RESCOLDO_SERVER_FORECAST_H
#define RESCOLDO_SERVER_FORECAST_H

#include "engine/model.h"

#include <stddef.h>
#include <stdint.h>

#define FORECAST_SLICES ((size_t)9)
/* Smaller slices teach nothing: they run when there is no hurry, and what is fixed about a slice weighs more.
 */
#define FORECAST_MIN_TOKENS 64u
/* The model of a request whose body has not been read. */
#define FORECAST_ANY_MODEL SIZE_MAX

/* Tokens per byte, as a quotient of sums in which older requests count less. */
struct forecast_ratio {
    double tokens, bytes;
};

struct forecast_speed {
    double slices[FORECAST_SLICES]; /* nanoseconds per token of the last slices */
    size_t slice_count;
    double nanoseconds_per_token; /* their median, which one slice on a stalled machine does not move */
    double tokens;                /* computed of late */
};

struct forecast {
    struct forecast_speed models[MODEL_MAX_PER_EMBER]; /* [model_count] */
    size_t model_count;
    struct forecast_ratio of_bodies;
    struct forecast_ratio of_texts; /* without special tokens */
};

void forecast_init(struct forecast *forecast, size_t model_count);

/* What to go by until the model's first slice, however small the work it was measured with. */
void forecast_begin(struct forecast *forecast, size_t model, uint64_t tokens, uint64_t nanoseconds);

/* A slice has taken so long, from the end of the one before it when the worker did not wait in between. */
void forecast_learn_slice(struct forecast *forecast, size_t model, uint64_t tokens, uint64_t nanoseconds);

/* One worker's time for a token. Of FORECAST_ANY_MODEL: the mean, each model with its part of the tokens that
 * were computed of late. */
double forecast_nanoseconds_per_token(const struct forecast *forecast, size_t model);

/* The tokens that a body of so many bytes made. */
void forecast_learn_body(struct forecast *forecast, uint64_t body_bytes, uint64_t tokens);
/* The tokens of so many texts that were read to their ends. text_bytes: each counted with the query beside
 * it. */
void forecast_learn_texts(struct forecast *forecast, uint64_t text_count, uint64_t text_bytes,
                          uint64_t tokens);

/* Tokens of a body that nobody has looked into. */
double forecast_body_tokens(const struct forecast *forecast, uint64_t body_bytes);
/* Tokens of a sequence made of so many bytes of text, at most max_length. */
double forecast_text_tokens(const struct forecast_ratio *of_texts, uint64_t text_bytes, uint32_t max_length);

#endif
