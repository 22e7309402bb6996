/* Any bytes as HTTP requests on one connection. The same bytes cut anywhere must be understood in the same
 * way. */
#include "server/http_request.h"

#include <stdlib.h>

#define MAX_REQUESTS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    size_t requests; /* understood */
    uint64_t body_bytes;
    int status; /* of the refusal that ended it, or 0 */
};

static struct outcome read_all(const struct limits *limits, struct bytes parts[2]) {
    struct outcome outcome = {0};
    struct http_request request;
    http_request_init(&request, limits);
    for (int part = 0; part < 2; part++) {
        enum request_event event = REQUEST_COMPLETE;
        while (event != REQUEST_INCOMPLETE && event != REQUEST_REFUSED && outcome.requests < MAX_REQUESTS) {
            event = http_request_feed(&request, &parts[part]);
            if (event == REQUEST_HEAD_COMPLETE && http_request_path(&request).size > limits->max_uri_bytes)
                abort();
            if (event != REQUEST_COMPLETE)
                continue;
            outcome.requests++;
            outcome.body_bytes += request.body.size;
            http_request_reset(&request);
        }
        if (event == REQUEST_REFUSED)
            break;
    }
    outcome.status = request.refusal.status;
    http_request_free(&request);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct limits limits;
    limits_set_defaults(&limits);
    limits.max_body_bytes = 4096;
    size_t cut = 2 + (size_t)(data[0] | data[1] << 8) % (size - 1);
    struct bytes whole[2] = {bytes_of(data + 2, size - 2), bytes_of(NULL, 0)};
    struct bytes halves[2] = {bytes_of(data + 2, cut - 2), bytes_of(data + cut, size - cut)};
    struct outcome first = read_all(&limits, whole);
    struct outcome second = read_all(&limits, halves);
    if (first.requests != second.requests || first.body_bytes != second.body_bytes ||
        first.status != second.status)
        abort();
    return 0;
}
