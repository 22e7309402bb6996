/* Counters and histograms in Prometheus' text format, version 0.0.4. What is in struct metrics
 * is used by the I/O thread alone. */
#ifndef RESCOLDO_SERVER_METRICS_H
#define RESCOLDO_SERVER_METRICS_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS   16u
#define METRICS_STATUSES   21u
#define PARSE_ERROR_KINDS  19u
#define METRICS_MAX_ROUTES 64u

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* per bucket, the last one unbounded */
    uint64_t sum;                          /* of nanoseconds, or of sizes */
};

/* Of the slices that compute workers have run. */
struct slice_histograms {
    struct histogram tokens, requests, duration;
};

enum shed_reason {
    SHED_QUEUE,       /* too many requests or too long a wait */
    SHED_BODY_MEMORY, /* too many bytes of bodies in flight */
    SHED_REASONS,
};

struct metrics {
    uint64_t requests[METRICS_MAX_ROUTES][METRICS_STATUSES];
    struct histogram request_duration[METRICS_MAX_ROUTES];
    struct histogram queue, tokenize, compute;
    struct histogram request_texts, request_tokens; /* of sizes */
    struct slice_histograms slices;                 /* as the scheduler has told last */
    struct histogram turns;                         /* of the event loop (turn.h) */
    uint64_t parse_errors[PARSE_ERROR_KINDS];
    uint64_t unauthorized;
    uint64_t shed[SHED_REASONS];
    uint64_t cancelled;
    uint64_t deadline_exceeded;
    uint64_t connections_accepted, connections_refused;
    uint64_t input_tokens, input_texts, truncated_texts;
    uint64_t received_bytes, sent_bytes;
};

/* A histogram is of durations, of turns of the event loop, of sizes from 1 to 100000, or of the tokens of
 * slices. */
void histogram_add(struct histogram *histogram, uint64_t nanoseconds);
void histogram_add_turn(struct histogram *histogram, uint64_t nanoseconds);
void histogram_add_size(struct histogram *histogram, uint64_t size);
void histogram_add_slice_tokens(struct histogram *histogram, uint64_t tokens);

/* route is an index into the router's table, at most route_count (which stands for paths that do not exist).
 */
void metrics_count_request(struct metrics *metrics, size_t route, int status, uint64_t nanoseconds);

/* kind is the code of an http_refusal. */
void metrics_count_parse_error(struct metrics *metrics, const char *kind);

/* Appends all of them. */
MUST_CHECK enum status metrics_write(const struct metrics *metrics, struct buffer *text);

/* Appends "# HELP", "# TYPE" and one sample without labels. type is "gauge" or "counter". */
MUST_CHECK enum status metrics_write_value(struct buffer *text, const char *name, const char *type,
                                           const char *help, double value);

/* Appends "# HELP" and "# TYPE". */
MUST_CHECK enum status metrics_write_family(struct buffer *text, const char *name, const char *type,
                                            const char *help);

#endif
