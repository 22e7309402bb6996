#include "server/reply.h"

#include "base/calendar.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

void reply_set_error(struct reply *reply, const struct api_error *error) {
    reply->status = error->status;
    reply->error_code = error->code;
    reply->content_type = CONTENT_TYPE_JSON;
    reply->body.size = 0;
    if (api_error_write(error, &reply->body) != STATUS_OK)
        buffer_free(&reply->body);
}

/* RFC 9110, section 15. */
static const char *reason_phrase(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 422:
        return "Unprocessable Content";
    case 424:
        return "Failed Dependency";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Unknown";
    }
}

/* RFC 9110, section 5.6.7; names written here. */
static void print_date(char *text, size_t size) {
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct calendar now = calendar_of((uint64_t)time(NULL));
    snprintf(text, size, "%s, %02u %s %04" PRIu64 " %02u:%02u:%02u GMT", days[now.weekday % 7], now.day,
             months[(now.month - 1) % 12], now.year, now.hour, now.minute, now.second);
}

/* Both fields say the same, Retry-After rounded up to whole seconds (RFC 9110, section 10.2.3). */
static enum status write_retry_after(uint64_t milliseconds, struct buffer *head) {
    if (milliseconds == 0)
        return STATUS_OK;
    return buffer_append_format(head, NULL, "Retry-After: %" PRIu64 "\r\nretry-after-ms: %" PRIu64 "\r\n",
                                (milliseconds + 999) / 1000, milliseconds);
}

static enum status write_field(const char *name, const char *value, struct buffer *head) {
    if (value == NULL || value[0] == '\0')
        return STATUS_OK;
    return buffer_append_format(head, NULL, "%s: %s\r\n", name, value);
}

/* Whole microseconds, cut as whole milliseconds are, so that both fields have the same number before the
 * point. */
static double milliseconds(uint64_t nanoseconds) {
    return (double)(nanoseconds / 1000) / 1e3;
}

/* https://www.w3.org/TR/server-timing/: durations in milliseconds. Then the same for clients of Text
 * Embeddings Inference: whole milliseconds. */
static enum status write_timing(const struct reply *reply, uint64_t total, struct buffer *head) {
    if (!reply->timed)
        return STATUS_OK;
    return buffer_append_format(
        head, NULL,
        "Server-Timing: queue;dur=%.3f, tokenize;dur=%.3f, compute;dur=%.3f, total;dur=%.3f\r\n"
        "x-queue-time: %" PRIu64 "\r\nx-tokenization-time: %" PRIu64 "\r\nx-inference-time: %" PRIu64
        "\r\nx-total-time: %" PRIu64 "\r\n",
        milliseconds(reply->queue_nanoseconds), milliseconds(reply->tokenize_nanoseconds),
        milliseconds(reply->compute_nanoseconds), milliseconds(total), reply->queue_nanoseconds / 1000000,
        reply->tokenize_nanoseconds / 1000000, reply->compute_nanoseconds / 1000000, total / 1000000);
}

enum status reply_write_head(const struct reply *reply, const struct reply_context *context,
                             struct buffer *head) {
    char date[40];
    print_date(date, sizeof date);
    enum status status = buffer_append_format(
        head, NULL,
        "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: %s\r\n",
        reply->status, reason_phrase(reply->status), date, reply->content_type, reply->body.size,
        context->keep_alive ? "keep-alive" : "close");
    if (status == STATUS_OK)
        status = write_field("X-Request-Id", context->request_id, head);
    if (status == STATUS_OK)
        status = write_field("traceparent", context->trace_parent, head);
    if (status == STATUS_OK)
        status = write_field("Allow", reply->allow, head);
    if (status == STATUS_OK)
        status = write_field("WWW-Authenticate", reply->challenge, head);
    if (status == STATUS_OK)
        status = write_retry_after(reply->retry_after_milliseconds, head);
    if (status == STATUS_OK)
        status = write_timing(reply, context->total_nanoseconds, head);
    if (status == STATUS_OK)
        status = buffer_append(head, "\r\n", 2, NULL);
    return status;
}

void reply_free(struct reply *reply) {
    buffer_free(&reply->body);
    *reply = (struct reply){0};
}
