#include "server/http_request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* Chunk sizes, extensions and trailers are read and thrown away (RFC 9112, section 7.1); they may be as many
 * as the content, and this many more. */
#define FRAMING_ALLOWANCE ((uint64_t)65536)

static const char *const field_names[HEADER_FIELDS] = {
    [FIELD_HOST] = "host",
    [FIELD_CONTENT_LENGTH] = "content-length",
    [FIELD_TRANSFER_ENCODING] = "transfer-encoding",
    [FIELD_EXPECT] = "expect",
    [FIELD_CONTENT_ENCODING] = "content-encoding",
    [FIELD_REQUEST_ID] = "x-request-id",
    [FIELD_REQUEST_TIMEOUT] = "x-request-timeout",
    [FIELD_AUTHORIZATION] = "authorization",
    [FIELD_API_KEY] = "api-key",
    [FIELD_TRACE_PARENT] = "traceparent",
};

static int refuse(struct http_request *request, int status, const char *code, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Always -1, so that llhttp callbacks can return it. The first refusal stays. */
static int refuse(struct http_request *request, int status, const char *code, const char *format, ...) {
    if (request->refusal.status != 0)
        return -1;
    request->refusal.status = status;
    request->refusal.code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(request->refusal.message, sizeof request->refusal.message, format, arguments);
    va_end(arguments);
    return -1;
}

static bool equals_ignoring_case(struct bytes value, const char *text) {
    return value.size == strlen(text) && strncasecmp((const char *)value.data, text, value.size) == 0;
}

static struct bytes trimmed(struct bytes value) {
    while (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.size--;
    }
    while (value.size > 0 && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
        value.size--;
    return value;
}

/* --- what llhttp reports --- */

static uint32_t head_offset(const struct http_request *request, const char *at) {
    return (uint32_t)((const unsigned char *)at - request->head.data);
}

static int on_url(llhttp_t *parser, const char *at, size_t size) {
    struct http_request *request = parser->data;
    if (request->target_size == 0)
        request->target_offset = head_offset(request, at);
    request->target_size += (uint32_t)size;
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t size) {
    struct http_request *request = parser->data;
    if (request->head_complete) /* a trailer */
        return 0;
    request->current_field = HEADER_FIELDS;
    for (int field = 0; field < HEADER_FIELDS; field++) {
        if (equals_ignoring_case(bytes_of(at, size), field_names[field]))
            request->current_field = (enum header_field)field;
    }
    if (request->current_field != HEADER_FIELDS && request->fields[request->current_field].count++ == 0)
        request->fields[request->current_field].size = 0;
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t size) {
    struct http_request *request = parser->data;
    if (request->head_complete || request->current_field == HEADER_FIELDS ||
        request->fields[request->current_field].count != 1)
        return 0;
    if (request->fields[request->current_field].size == 0)
        request->fields[request->current_field].offset = head_offset(request, at);
    request->fields[request->current_field].size += (uint32_t)size;
    return 0;
}

static int on_headers_complete(llhttp_t *parser) {
    struct http_request *request = parser->data;
    request->head_complete = true;
    request->keep_alive = llhttp_should_keep_alive(parser) != 0;
    return 0;
}

static int on_message_complete(llhttp_t *parser) {
    struct http_request *request = parser->data;
    request->body_complete = true;
    return HPE_PAUSED;
}

static int keep_content(struct http_request *request, const void *data, size_t size) {
    request->body_received += size;
    if (request->body_received > request->limits->max_body_bytes)
        return refuse(request, 413, "body_too_large",
                      "the body is larger than the limit of %" PRIu64 " bytes",
                      request->limits->max_body_bytes);
    if (request->discard_body)
        return 0;
    if (buffer_append(&request->body, data, size, NULL) != STATUS_OK)
        return refuse(request, 500, "out_of_memory", "no memory for a body of %" PRIu64 " bytes",
                      request->body_received);
    return 0;
}

/* The bytes of a chunked body that are not content: every line must end in CR LF, none may be folded. */
static int check_framing(struct http_request *request, const unsigned char *end) {
    for (; request->framing_position < end; request->framing_position++) {
        unsigned char byte = *request->framing_position;
        unsigned char previous = request->previous_byte;
        if ((previous == '\r') != (byte == '\n'))
            return refuse(request, 400, "bad_chunk", "a line of the chunked body does not end in CR LF");
        if (byte == 0 || (previous == '\n' && (byte == ' ' || byte == '\t')))
            return refuse(request, 400, "bad_chunk",
                          "a line of the chunked body begins with a space or holds a NUL");
        request->previous_byte = byte;
        request->framing_received++;
    }
    if (request->framing_received > FRAMING_ALLOWANCE + request->body_received)
        return refuse(request, 413, "body_too_large", "the chunked body has more framing than content");
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size) {
    struct http_request *request = parser->data;
    const unsigned char *content = (const unsigned char *)at;
    if (check_framing(request, content) != 0)
        return -1;
    request->framing_position = content + size;
    return keep_content(request, at, size);
}

static const llhttp_settings_t parser_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- the head --- */

struct bytes http_request_field(const struct http_request *request, enum header_field field) {
    if (request->fields[field].count == 0)
        return bytes_of(NULL, 0);
    return trimmed(bytes_of(request->head.data + request->fields[field].offset, request->fields[field].size));
}

static int check_version(struct http_request *request, struct bytes version) {
    if (version.size != 8 || memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.')
        return refuse(request, 400, "bad_request_line", "the request line does not end in an HTTP version");
    unsigned major = version.data[5] - (unsigned)'0';
    unsigned minor = version.data[7] - (unsigned)'0';
    if (major > 9 || minor > 9)
        return refuse(request, 400, "bad_request_line", "the request line does not end in an HTTP version");
    if (major != 1 || minor > 1)
        return refuse(request, 505, "http_version_not_supported",
                      "HTTP/%u.%u is not supported; supported: HTTP/1.1, HTTP/1.0", major, minor);
    request->minor_version = (uint8_t)minor;
    return 0;
}

static bool is_token(struct bytes word) {
    for (size_t i = 0; i < word.size; i++) {
        unsigned char byte = word.data[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!letter && byte != '-' && byte != '_')
            return false;
    }
    return word.size > 0;
}

/* method SP target SP version, each separated by exactly one space (RFC 9112, section 3). */
static int check_request_line(struct http_request *request, struct bytes line) {
    const unsigned char *first = memchr(line.data, ' ', line.size);
    if (first == NULL)
        return refuse(request, 400, "bad_request_line", "the request line is not: method, target, version");
    struct bytes method = bytes_of(line.data, (size_t)(first - line.data));
    struct bytes rest = bytes_of(first + 1, line.size - method.size - 1);
    const unsigned char *second = memchr(rest.data, ' ', rest.size);
    size_t target_size = second == NULL ? rest.size : (size_t)(second - rest.data);
    if (target_size > request->limits->max_uri_bytes)
        return refuse(request, 414, "uri_too_long", "the request target is longer than %" PRIu64 " bytes",
                      request->limits->max_uri_bytes);
    if (second == NULL || target_size == 0 || !is_token(method))
        return refuse(request, 400, "bad_request_line", "the request line is not: method, target, version");
    for (size_t i = 0; i < target_size; i++) {
        if (rest.data[i] <= ' ' || rest.data[i] >= 0x7f || rest.data[i] == '#')
            return refuse(request, 400, "bad_request_line", "the request target holds a byte 0x%02x",
                          rest.data[i]);
    }
    return check_version(request, bytes_of(second + 1, rest.size - target_size - 1));
}

/* llhttp calls a number that overflows malformed; it is merely too large. */
static int read_content_length(struct http_request *request, struct bytes value) {
    bool digits = value.size > 0;
    for (size_t i = 0; i < value.size; i++)
        digits = digits && value.data[i] >= '0' && value.data[i] <= '9';
    if (!digits)
        return refuse(request, 400, "bad_framing", "Content-Length is not a number of bytes");
    request->content_length = 0;
    for (size_t i = 0; i < value.size; i++) {
        request->content_length = request->content_length * 10 + (uint64_t)(value.data[i] - '0');
        if (request->content_length > request->limits->max_body_bytes)
            return refuse(request, 413, "body_too_large",
                          "the body is larger than the limit of %" PRIu64 " bytes",
                          request->limits->max_body_bytes);
    }
    return 0;
}

static int check_field_line(struct http_request *request, struct bytes line) {
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return refuse(request, 400, "bad_header", "a header field is folded over several lines");
    const unsigned char *colon = memchr(line.data, ':', line.size);
    if (colon == NULL || colon == line.data || colon[-1] == ' ' || colon[-1] == '\t')
        return refuse(request, 400, "bad_header", "header field %" PRIu32 " is not: name, colon, value",
                      request->field_count + 1);
    if (++request->field_count > request->limits->max_header_fields)
        return refuse(request, 431, "too_many_header_fields",
                      "the request has more than %" PRIu64 " header fields",
                      request->limits->max_header_fields);
    struct bytes name = bytes_of(line.data, (size_t)(colon - line.data));
    struct bytes value = bytes_of(colon + 1, line.size - name.size - 1);
    if (equals_ignoring_case(name, field_names[FIELD_CONTENT_LENGTH]))
        return read_content_length(request, trimmed(value));
    if (equals_ignoring_case(name, field_names[FIELD_TRANSFER_ENCODING]) &&
        !equals_ignoring_case(trimmed(value), "chunked"))
        return refuse(request, 501, "transfer_encoding_not_supported",
                      "the only supported Transfer-Encoding is \"chunked\"");
    return 0;
}

static int check_host(struct http_request *request) {
    uint32_t count = request->fields[FIELD_HOST].count;
    if (count > 1 || (count == 0 && request->minor_version == 1))
        return refuse(request, 400, "bad_host", "expected exactly one Host field, found %" PRIu32, count);
    struct bytes host = http_request_field(request, FIELD_HOST);
    for (size_t i = 0; i < host.size; i++) {
        if (host.data[i] <= ' ' || host.data[i] >= 0x7f || strchr("/\\@,?#\"<>", host.data[i]) != NULL)
            return refuse(request, 400, "bad_host", "the Host field is not a host and port");
    }
    return 0;
}

static int check_framing_fields(struct http_request *request) {
    uint32_t encodings = request->fields[FIELD_TRANSFER_ENCODING].count;
    if (encodings > 0 && request->fields[FIELD_CONTENT_LENGTH].count > 0)
        return refuse(request, 400, "bad_framing",
                      "the request has both Content-Length and Transfer-Encoding");
    if (encodings > 1 || (encodings == 1 && request->minor_version == 0))
        return refuse(request, 400, "bad_framing",
                      "expected at most one Transfer-Encoding field, and only in HTTP/1.1");
    request->chunked = encodings == 1;
    if (request->fields[FIELD_CONTENT_LENGTH].count > 1)
        return refuse(request, 400, "bad_framing", "the request has several Content-Length fields");
    return 0;
}

static int check_expectation(struct http_request *request) {
    if (request->fields[FIELD_EXPECT].count == 0)
        return 0;
    if (request->fields[FIELD_EXPECT].count > 1 ||
        !equals_ignoring_case(http_request_field(request, FIELD_EXPECT), "100-continue"))
        return refuse(request, 417, "expectation_failed", "the only supported Expect is \"100-continue\"");
    request->expect_continue = request->minor_version == 1;
    return 0;
}

static int check_content_encoding(struct http_request *request) {
    struct bytes value = http_request_field(request, FIELD_CONTENT_ENCODING);
    if (value.data != NULL && value.size > 0 && !equals_ignoring_case(value, "identity"))
        return refuse(request, 415, "content_encoding_not_supported",
                      "a compressed request body is not supported");
    return 0;
}

static int check_head(struct http_request *request) {
    if (check_framing_fields(request) != 0 || check_host(request) != 0 || check_expectation(request) != 0)
        return -1;
    return check_content_encoding(request);
}

static void set_method(struct http_request *request) {
    switch (llhttp_get_method(&request->parser)) {
    case HTTP_GET:
        request->method = METHOD_GET;
        break;
    case HTTP_HEAD:
        request->method = METHOD_HEAD;
        break;
    case HTTP_POST:
        request->method = METHOD_POST;
        break;
    default:
        request->method = METHOD_OTHER;
        break;
    }
}

/* llhttp has the line, its CR LF included; what it says of an upgrade (which we never do) is no error. */
static int parse_line(struct http_request *request) {
    llhttp_errno_t outcome =
        llhttp_execute(&request->parser, (const char *)request->head.data + request->line_start,
                       request->head.size - request->line_start);
    if (outcome == HPE_OK || (request->head_complete && outcome != HPE_USER))
        return 0;
    if (outcome == HPE_INVALID_METHOD)
        return refuse(request, 501, "method_not_implemented", "the method is not known");
    return refuse(request, 400, "bad_request", "malformed request head: %s",
                  llhttp_get_error_reason(&request->parser));
}

static int end_of_line(struct http_request *request) {
    struct bytes line =
        bytes_of(request->head.data + request->line_start, request->head.size - request->line_start - 2);
    if (line.size == 0 && request->line_start == 0) {
        request->head.size = 0; /* an empty line before the request line (RFC 9112, section 2.2) */
        return 0;
    }
    if (request->line_start == 0 && check_request_line(request, line) != 0)
        return -1;
    if (request->line_start != 0 && line.size != 0 && check_field_line(request, line) != 0)
        return -1;
    if (line.size == 0 && check_head(request) != 0)
        return -1;
    if (parse_line(request) != 0)
        return -1;
    if (line.size == 0 && !request->head_complete)
        return refuse(request, 400, "bad_request", "malformed request head");
    request->line_start = request->head.size;
    return 0;
}

static int check_head_byte(struct http_request *request, unsigned char byte) {
    if ((request->previous_byte == '\r') != (byte == '\n'))
        return refuse(request, 400, "bad_line_end", "a line of the request head does not end in CR LF");
    bool control = byte < ' ' && byte != '\t' && byte != '\r' && byte != '\n';
    if (control || byte == 0x7f)
        return refuse(request, 400, "bad_head_byte", "the request head holds a control character 0x%02x",
                      byte);
    if (++request->head_received > request->limits->max_head_bytes)
        return refuse(request, 431, "head_too_large", "the request head is larger than %" PRIu64 " bytes",
                      request->limits->max_head_bytes);
    request->previous_byte = byte;
    return 0;
}

static int feed_head_byte(struct http_request *request, unsigned char byte) {
    if (check_head_byte(request, byte) != 0)
        return -1;
    if (buffer_append(&request->head, &byte, 1, NULL) != STATUS_OK)
        return refuse(request, 500, "out_of_memory", "no memory for the request head");
    return byte == '\n' ? end_of_line(request) : 0;
}

static enum request_event feed_head(struct http_request *request, struct bytes *input) {
    while (input->size > 0 && !request->head_complete) {
        unsigned char byte = input->data[0];
        input->data++;
        input->size--;
        if (feed_head_byte(request, byte) != 0)
            return REQUEST_REFUSED;
    }
    if (!request->head_complete)
        return REQUEST_INCOMPLETE;
    set_method(request);
    request->body_complete = !request->chunked && request->content_length == 0;
    return REQUEST_HEAD_COMPLETE;
}

/* --- the body --- */

static enum request_event feed_counted_body(struct http_request *request, struct bytes *input) {
    if (input->size == 0)
        return REQUEST_INCOMPLETE;
    uint64_t missing = request->content_length - request->body_received;
    size_t size = input->size < missing ? input->size : (size_t)missing;
    if (keep_content(request, input->data, size) != 0)
        return REQUEST_REFUSED;
    input->data += size;
    input->size -= size;
    request->body_complete = request->body_received == request->content_length;
    return request->body_complete ? REQUEST_COMPLETE : REQUEST_INCOMPLETE;
}

static enum request_event feed_chunked_body(struct http_request *request, struct bytes *input) {
    if (input->size == 0)
        return REQUEST_INCOMPLETE;
    request->framing_position = input->data;
    llhttp_errno_t outcome = llhttp_execute(&request->parser, (const char *)input->data, input->size);
    const unsigned char *end = input->data + input->size;
    if (request->body_complete)
        end = (const unsigned char *)llhttp_get_error_pos(&request->parser);
    else if (outcome != HPE_OK && request->refusal.status == 0)
        refuse(request, 400, "bad_chunk", "malformed chunked body: %s",
               llhttp_get_error_reason(&request->parser));
    if (request->refusal.status != 0 || check_framing(request, end) != 0)
        return REQUEST_REFUSED;
    input->size -= (size_t)(end - input->data);
    input->data = end;
    return request->body_complete ? REQUEST_COMPLETE : REQUEST_INCOMPLETE;
}

enum request_event http_request_feed(struct http_request *request, struct bytes *input) {
    if (request->refusal.status != 0)
        return REQUEST_REFUSED;
    if (!request->head_complete)
        return feed_head(request, input);
    if (request->body_complete)
        return REQUEST_COMPLETE;
    return request->chunked ? feed_chunked_body(request, input) : feed_counted_body(request, input);
}

struct bytes http_request_path(const struct http_request *request) {
    struct bytes target = bytes_of(request->head.data + request->target_offset, request->target_size);
    if (target.size > 7 && strncasecmp((const char *)target.data, "http://", 7) == 0) {
        struct bytes rest = bytes_of(target.data + 7, target.size - 7);
        const unsigned char *slash = memchr(rest.data, '/', rest.size);
        target = slash == NULL ? bytes_of("/", 1) : bytes_of(slash, rest.size - (size_t)(slash - rest.data));
    }
    const unsigned char *query = memchr(target.data, '?', target.size);
    if (query != NULL)
        target.size = (size_t)(query - target.data);
    return target;
}

void http_request_init(struct http_request *request, const struct limits *limits) {
    *request = (struct http_request){.limits = limits};
    llhttp_init(&request->parser, HTTP_REQUEST, &parser_settings);
    request->parser.data = request;
}

void http_request_free(struct http_request *request) {
    buffer_free(&request->head);
    buffer_free(&request->body);
}

void http_request_reset(struct http_request *request) {
    const struct limits *limits = request->limits;
    http_request_free(request);
    http_request_init(request, limits);
}
