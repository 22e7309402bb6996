/* The traceparent header field: W3C Trace Context, section 3.2. */
#ifndef RESCOLDO_SERVER_TRACE_CONTEXT_H
#define RESCOLDO_SERVER_TRACE_CONTEXT_H

#include "base/bytes.h"

#include <stdbool.h>

#define TRACE_PARENT_SIZE 56u

struct trace_context {
    /* "00-TRACE-SPAN-FLAGS"; of a later version, the part that version 00 has. Empty: there is none. */
    char parent[TRACE_PARENT_SIZE];
};

/* False, and an empty text, when the value is not well-formed. */
bool trace_context_parse(struct bytes value, struct trace_context *context);

struct bytes trace_context_trace_id(const struct trace_context *context); /* 32 hexadecimal digits */
struct bytes trace_context_span_id(const struct trace_context *context);  /* 16 */

#endif
