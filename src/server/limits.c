#include "server/limits.h"

#define LIMIT(member, minimum, maximum, standard, help)                                                      \
    { #member, help, offsetof(struct limits, member), minimum, maximum, standard }

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

const struct limit_description limit_descriptions[] = {
    LIMIT(max_connections, 1, 65536, 1024, "open connections; beyond it the longest idle one is closed"),
    LIMIT(max_head_bytes, 512, 60 * KIB, 16 * KIB, "request line and header fields (431)"),
    LIMIT(max_header_fields, 1, 1024, 64, "header fields (431)"),
    LIMIT(max_uri_bytes, 64, 32 * KIB, 2 * KIB, "request target (414)"),
    LIMIT(max_body_bytes, 1, 1024 * MIB, 8 * MIB, "one request body (413)"),
    LIMIT(max_body_bytes_in_flight, 1, 16384 * MIB, 64 * MIB, "all request bodies held at once (429)"),
    LIMIT(max_work_bytes_in_flight, 64 * KIB, 65536 * MIB, 1024 * MIB,
          "parsed JSON, results and replies of all requests (429)"),
    LIMIT(max_passages, 1, 1000000, 10000, "passages of one rerank request (400)"),
    LIMIT(max_inputs, 1, 1000000, 2048, "texts of one embeddings request (400)"),
    LIMIT(max_json_depth, 4, 512, 16, "nesting of a JSON body (400)"),
    LIMIT(max_json_values, 16, 64 * MIB, 256 * KIB, "values in a JSON body (400)"),
    LIMIT(threads, 0, 1024, 0, "compute threads; 0: one for each CPU that the cgroup and the affinity grant"),
    LIMIT(max_batch_tokens, 1, 65536, 512,
          "tokens computed at once, which working memory is sized for; at least the model's longest text"),
    LIMIT(max_queued_requests, 1, 65536, 128, "requests that wait for compute (429)"),
    LIMIT(max_queued_tokens, 1, (uint64_t)1 << 40, 16 * MIB, "tokens of all requests to be computed (429)"),
    LIMIT(max_queue_seconds, 1, 86400, 60, "predicted wait for compute (429)"),
    LIMIT(cache_bytes, 0, (uint64_t)1 << 40, 0, "for token ids and scores of earlier requests; 0: no cache"),
    LIMIT(head_timeout_seconds, 1, 3600, 10, "from the first byte of a request to the end of its head (408)"),
    LIMIT(body_timeout_seconds, 1, 3600, 10, "for a body, beside the time its bytes may take (408)"),
    LIMIT(idle_timeout_seconds, 1, 86400, 60, "until an idle connection is closed"),
    LIMIT(write_timeout_seconds, 1, 3600, 10, "for a reply to be taken, beside the time its bytes may take"),
    LIMIT(min_bytes_per_second, 1, 1024 * MIB, 64 * KIB,
          "slowest client: a body or reply of n bytes may take n "
          "divided by this longer"),
    LIMIT(request_timeout_seconds, 1, 86400, 300, "from the whole request to its reply (504)"),
    LIMIT(drain_delay_seconds, 0, 3600, 0, "after SIGTERM, to go on listening while not ready"),
    LIMIT(drain_idle_seconds, 1, 3600, 1,
          "for a last request on a connection that is idle when draining begins"),
    LIMIT(drain_timeout_seconds, 1, 86400, 30, "to finish what is in flight after SIGTERM"),
};

const size_t limit_description_count = sizeof limit_descriptions / sizeof limit_descriptions[0];

uint64_t *limit_value(struct limits *limits, const struct limit_description *description) {
    return (uint64_t *)(void *)((char *)limits + description->offset);
}

uint64_t limit_value_of(const struct limits *limits, const struct limit_description *description) {
    return *(const uint64_t *)(const void *)((const char *)limits + description->offset);
}

void limits_set_defaults(struct limits *limits) {
    for (size_t i = 0; i < limit_description_count; i++)
        *limit_value(limits, &limit_descriptions[i]) = limit_descriptions[i].standard;
}
