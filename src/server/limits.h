/* Every bound of the server, with its default, in one table: the command line's flags, their help, /info and
 * docs/api.md are all made from it. */
#ifndef RESCOLDO_SERVER_LIMITS_H
#define RESCOLDO_SERVER_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct limits {
    /* Connections and the bytes of a request. */
    uint64_t max_connections;
    uint64_t max_head_bytes;
    uint64_t max_header_fields;
    uint64_t max_uri_bytes;
    uint64_t max_body_bytes;
    uint64_t max_body_bytes_in_flight;
    uint64_t max_work_bytes_in_flight;

    /* The content of a request. */
    uint64_t max_passages;
    uint64_t max_inputs;
    uint64_t max_json_depth;
    uint64_t max_json_values;

    /* Waiting for compute. */
    uint64_t threads;
    uint64_t max_batch_tokens;
    uint64_t max_queued_requests;
    uint64_t max_queued_tokens;
    uint64_t max_queue_seconds;

    /* Memory for results of earlier requests. */
    uint64_t cache_bytes;

    /* Totals per phase, not times of inactivity, so that a slow drip does not prolong them. */
    uint64_t head_timeout_seconds;
    uint64_t body_timeout_seconds;
    uint64_t idle_timeout_seconds;
    uint64_t write_timeout_seconds;
    uint64_t min_bytes_per_second;
    uint64_t request_timeout_seconds;
    uint64_t drain_delay_seconds;
    uint64_t drain_idle_seconds;
    uint64_t drain_timeout_seconds;
};

struct limit_description {
    const char *name; /* as in JSON: max_body_bytes; its flag is --max-body-bytes */
    const char *help;
    size_t offset; /* of its uint64_t in struct limits */
    uint64_t minimum, maximum, standard;
};

extern const struct limit_description limit_descriptions[];
extern const size_t limit_description_count;

void limits_set_defaults(struct limits *limits);
uint64_t *limit_value(struct limits *limits, const struct limit_description *description);
uint64_t limit_value_of(const struct limits *limits, const struct limit_description *description);

#endif
