/* Bytes to one HTTP/1.1 request (RFC 9112), without any input or output of its own, so that every split of
 * the bytes can be tested. llhttp parses; this file adds what llhttp leaves to its user or takes too lightly
 * (8.1 of Debian 12 and 9.2 of Debian 13 differ): limits, CR LF line ends only, no folded lines, exactly one
 * Host, one framing field, Transfer-Encoding exactly "chunked", HTTP/1.0 or 1.1. */
#ifndef RESCOLDO_SERVER_HTTP_REQUEST_H
#define RESCOLDO_SERVER_HTTP_REQUEST_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "server/limits.h"

#include <llhttp.h>
#include <stdbool.h>
#include <stdint.h>

enum http_method_kind {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_OTHER, /* known to HTTP, of no use here */
};

/* The header fields that mean something to us. */
enum header_field {
    FIELD_HOST,
    FIELD_CONTENT_LENGTH,
    FIELD_TRANSFER_ENCODING,
    FIELD_EXPECT,
    FIELD_CONTENT_ENCODING,
    FIELD_REQUEST_ID,
    FIELD_REQUEST_TIMEOUT,
    FIELD_AUTHORIZATION,
    FIELD_API_KEY,
    FIELD_TRACE_PARENT,
    HEADER_FIELDS,
};

enum request_event {
    REQUEST_INCOMPLETE,    /* all input is consumed, the request is not complete */
    REQUEST_HEAD_COMPLETE, /* the head is complete: decide now whether the body is wanted */
    REQUEST_COMPLETE,      /* the request is complete; what is left of the input belongs to the next one */
    REQUEST_REFUSED,       /* see refusal; nothing more can be read from this connection */
};

struct http_refusal {
    int status;
    const char *code; /* a word for programs and metrics */
    char message[192];
};

struct http_request {
    /* Set by http_request_init, constant after. */
    const struct limits *limits;

    /* The head, valid from REQUEST_HEAD_COMPLETE on. */
    enum http_method_kind method;
    uint8_t minor_version; /* of HTTP/1.x */
    bool keep_alive;
    bool expect_continue;
    bool chunked;
    uint64_t content_length; /* 0 when chunked */
    struct buffer head;      /* as received; target and fields lie in it */

    /* Set by the user of this file at REQUEST_HEAD_COMPLETE: read the body, but do not keep it. */
    bool discard_body;

    /* The body, whole at REQUEST_COMPLETE. */
    struct buffer body;
    uint64_t body_received;

    struct http_refusal refusal;

    /* The state of the parser. */
    llhttp_t parser;
    uint64_t head_received;
    uint64_t framing_received; /* of a chunked body: all but its content */
    size_t line_start;
    const unsigned char *framing_position;
    uint32_t field_count;
    uint32_t target_offset, target_size;
    enum header_field current_field;
    struct {
        uint32_t offset, size, count;
    } fields[HEADER_FIELDS];
    unsigned char previous_byte;
    bool head_complete;
    bool body_complete;
};

void http_request_init(struct http_request *request, const struct limits *limits);
/* Ready for the next request of the same connection; frees the head and the body. */
void http_request_reset(struct http_request *request);
void http_request_free(struct http_request *request);

/* Takes bytes from the front of input. Call again after REQUEST_HEAD_COMPLETE, also with no input left. */
enum request_event http_request_feed(struct http_request *request, struct bytes *input);

/* The request target without scheme, authority and query; "*" for an asterisk. */
struct bytes http_request_path(const struct http_request *request);

/* The field's value without surrounding white space; data is NULL when the field is absent. */
struct bytes http_request_field(const struct http_request *request, enum header_field field);

#endif
