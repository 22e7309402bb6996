/* Any bytes as HTTP requests on one connection. The same bytes cut anywhere must be understood in the same
 * way. */
#include "server/api_keys.h"
#include "server/http_request.h"
#include "server/trace_context.h"

#include <stdlib.h>
#include <string.h>

#define MAX_REQUESTS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    size_t requests; /* understood */
    uint64_t body_bytes;
    int status; /* of the refusal that ended it, or 0 */
};

/* What the server reads of a head, of which nothing may get in without a key. */
static void check_head(const struct http_request *request) {
    struct trace_context trace;
    if (http_request_path(request).size > request->limits->max_uri_bytes)
        abort();
    bool traced = trace_context_parse(http_request_field(request, FIELD_TRACE_PARENT), &trace);
    if (traced != (strlen(trace.parent) == TRACE_PARENT_SIZE - 1))
        abort();
    struct api_keys *keys;
    const char *name;
    if (api_keys_parse(bytes_of_string("a-key-that-no-fuzzer-knows"), &keys, NULL) != STATUS_OK ||
        api_keys_permit(keys, request, &name))
        abort();
    api_keys_free(keys);
}

static struct outcome read_all(const struct limits *limits, struct bytes parts[2]) {
    struct outcome outcome = {0};
    struct http_request request;
    http_request_init(&request, limits);
    for (int part = 0; part < 2; part++) {
        enum request_event event = REQUEST_COMPLETE;
        while (event != REQUEST_INCOMPLETE && event != REQUEST_REFUSED && outcome.requests < MAX_REQUESTS) {
            event = http_request_feed(&request, &parts[part]);
            if (event == REQUEST_HEAD_COMPLETE)
                check_head(&request);
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
