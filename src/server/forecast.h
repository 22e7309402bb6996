/* How long work will take, from what work has taken: nanoseconds per token from the last slices, tokens per
 * byte from the bodies read. Pure arithmetic; not thread-safe. */
#ifndef RESCOLDO_SERVER_FORECAST_H
#define RESCOLDO_SERVER_FORECAST_H

#include <stddef.h>
#include <stdint.h>

#define FORECAST_SLICES ((size_t)9)
/* Smaller slices teach nothing: they run when there is no hurry, and what is fixed about a slice weighs more.
 */
#define FORECAST_MIN_TOKENS 64u

/* Tokens per byte, as a quotient of sums in which older requests count less. */
struct forecast_ratio {
    double tokens, bytes;
};

struct forecast {
    double slices[FORECAST_SLICES]; /* nanoseconds per token of the last slices */
    size_t slice_count;
    double nanoseconds_per_token; /* their median, which one slice on a stalled machine does not move */
    struct forecast_ratio of_bodies, of_texts;
};

void forecast_init(struct forecast *forecast);

/* What to go by until the first slice, however small the work it was measured with. */
void forecast_begin(struct forecast *forecast, uint64_t tokens, uint64_t nanoseconds);

/* A slice has taken so long, from the end of the one before it when the worker did not wait in between. */
void forecast_learn_slice(struct forecast *forecast, uint64_t tokens, uint64_t nanoseconds);

/* A request's exact tokens are known. text_bytes: of its texts, each counted with the query beside it. */
void forecast_learn_request(struct forecast *forecast, uint64_t body_bytes, uint64_t text_bytes,
                            uint64_t tokens);

/* Tokens of a body that nobody has looked into. */
double forecast_body_tokens(const struct forecast *forecast, uint64_t body_bytes);
/* Tokens of a sequence made of so many bytes of text, at most max_length. */
double forecast_text_tokens(const struct forecast *forecast, uint64_t text_bytes, uint32_t max_length);

#endif
