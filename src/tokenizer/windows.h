/* A passage too long for one sequence as overlapping windows, each with the whole query; and what happens to
 * a query that leaves the passage no room. Pure functions, no allocation. */
#ifndef RESCOLDO_TOKENIZER_WINDOWS_H
#define RESCOLDO_TOKENIZER_WINDOWS_H

#include "base/compiler.h"
#include "base/status.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>

/* [CLS], one token of the passage, two [SEP]: less cannot hold anything of a passage. */
#define WINDOWS_MIN_LENGTH 4u

/* Tokens of the query that are kept beside a passage in max_length (at least 3) tokens, special tokens
 * included: all of them while they leave room for one token of the passage, else half of the room. */
size_t query_kept(size_t query_count, size_t max_length);

struct window_plan {
    size_t query_kept;    /* tokens of the query in every window */
    size_t passage_count; /* tokens of the passage */
    size_t room;          /* tokens of the passage a window holds, at least 1 */
    size_t stride;        /* tokens a window shares with the one before it; see plan_windows */
    size_t count;         /* windows, at least 1 */
};

/* Plans the windows of a passage of passage_count tokens. stride is the number of tokens that a window shares
 * with the one before it, as in the reference; where it leaves no room for progress (the query is long), half
 * of the room is used instead, and the plan says so. The windows are those of the reference's truncation
 * only_second with overflowing tokens. STATUS_INVALID_ARGUMENT when max_length is below WINDOWS_MIN_LENGTH.
 */
MUST_CHECK enum status plan_windows(size_t query_count, size_t passage_count, size_t max_length,
                                    size_t stride, struct window_plan *plan, struct error *error);

/* Tokens first..end of the passage. */
struct window {
    size_t first, end;
};

/* The window of that index, below plan->count. */
struct window window_at(const struct window_plan *plan, size_t index);

/* The part of the passage's text the window covers, from the spans of its tokens (encode with with_spans);
 * all zero for an empty window. */
struct token_span window_span(const struct tokens *passage, struct window window);

#endif
