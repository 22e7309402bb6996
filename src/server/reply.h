/* One HTTP reply before it is sent. */
#ifndef RESCOLDO_SERVER_REPLY_H
#define RESCOLDO_SERVER_REPLY_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/status.h"
#include "server/api_error.h"

#include <stdbool.h>
#include <stdint.h>

struct reply {
    int status;
    const char *content_type;
    const char *error_code; /* for the log; NULL on success */
    const char *allow;      /* of 405 */
    const char *challenge;  /* of 401: WWW-Authenticate */
    uint64_t retry_after_milliseconds;
    bool timed; /* the three times are known */
    uint64_t queue_nanoseconds, tokenize_nanoseconds, compute_nanoseconds;
    struct buffer body; /* owned */
};

#define CONTENT_TYPE_JSON "application/json"

/* Makes reply an error's; its body is empty where there is no memory for it. */
void reply_set_error(struct reply *reply, const struct api_error *error);

/* What a reply says about its request and connection. */
struct reply_context {
    const char *request_id;   /* may be empty; so may the next */
    const char *trace_parent; /* trace_context.h */
    bool keep_alive;
    uint64_t total_nanoseconds; /* since the request's first byte */
};

/* Appends status line and header fields. */
MUST_CHECK enum status reply_write_head(const struct reply *reply, const struct reply_context *context,
                                        struct buffer *head);

void reply_free(struct reply *reply);

#endif
