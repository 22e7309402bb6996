#include "base/clock.h"
#include "server/connection.h"
#include "server/router.h"

#define LINGER_MILLISECONDS 2000
#define LOGGED_PATH_BYTES   ((size_t)200)

void connection_reset_request(struct connection *connection) {
    connection->state->body_bytes -= connection->counted_body_bytes;
    connection->counted_body_bytes = 0;
    http_request_reset(&connection->request);
    reply_free(&connection->reply);
    memory_claim_release(&connection->claim);
    buffer_free(&connection->reply_head);
    connection->reply_sent = 0;
    connection->route = route_count;
    connection->request_complete = false;
    connection->reply_decided = false;
    connection->request_id[0] = '\0';
    connection->trace.parent[0] = '\0';
    connection->key_name = "";
    connection->text_count = connection->token_count = connection->truncated_count = 0;
}

/* --- the log --- */

static const char *method_name(const struct connection *connection) {
    static const char *const names[] = {"GET", "HEAD", "POST", "OTHER"};
    return connection->request.head_complete ? names[connection->request.method] : "";
}

static void write_origin(const struct connection *connection, struct json_writer *writer) {
    json_key(writer, "request_id");
    json_text_of_string(writer, connection->request_id);
    if (connection->trace.parent[0] != '\0') {
        json_key(writer, "trace_id");
        json_text(writer, trace_context_trace_id(&connection->trace));
        json_key(writer, "span_id");
        json_text(writer, trace_context_span_id(&connection->trace));
    }
    if (connection->key_name[0] != '\0') {
        json_key(writer, "api_key");
        json_text_of_string(writer, connection->key_name);
    }
}

static void write_work(const struct connection *connection, struct json_writer *writer) {
    const struct reply *reply = &connection->reply;
    json_key(writer, "texts");
    json_unsigned(writer, connection->text_count);
    json_key(writer, "tokens");
    json_unsigned(writer, connection->token_count);
    json_key(writer, "truncated");
    json_unsigned(writer, connection->truncated_count);
    json_key(writer, "queue_ms");
    json_milliseconds(writer, reply->queue_nanoseconds);
    json_key(writer, "tokenize_ms");
    json_milliseconds(writer, reply->tokenize_nanoseconds);
    json_key(writer, "compute_ms");
    json_milliseconds(writer, reply->compute_nanoseconds);
}

static void write_log_line(struct connection *connection, int status, uint64_t duration) {
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    const struct reply *reply = &connection->reply;
    struct bytes path = bytes_of("", 0);
    if (connection->request.head_complete)
        path = http_request_path(&connection->request);
    path.size = path.size < LOGGED_PATH_BYTES ? path.size : LOGGED_PATH_BYTES;
    log_event_begin(&writer, status >= 500 ? "error" : "info", "request");
    write_origin(connection, &writer);
    json_key(&writer, "method");
    json_text_of_string(&writer, method_name(connection));
    json_key(&writer, "path");
    json_text(&writer, path);
    json_key(&writer, "route");
    json_text_of_string(&writer, route_label(connection->route));
    json_key(&writer, "status");
    json_unsigned(&writer, (uint64_t)status);
    if (reply->error_code != NULL) {
        json_key(&writer, "code");
        json_text_of_string(&writer, reply->error_code);
    }
    json_key(&writer, "bytes_in");
    json_unsigned(&writer, connection->request.head_received + connection->request.body_received);
    json_key(&writer, "bytes_out");
    json_unsigned(&writer, connection->reply_head.size + reply->body.size);
    if (reply->timed)
        write_work(connection, &writer);
    json_key(&writer, "total_ms");
    json_milliseconds(&writer, duration);
    log_event_end(connection->state->access_log, &writer);
    buffer_free(&line);
}

static void record(struct connection *connection, int status) {
    uint64_t duration = clock_nanoseconds() - connection->request_began;
    metrics_count_request(&connection->state->metrics, connection->route, status, duration);
    bool quiet = connection->route < route_count && routes[connection->route].quiet && status == 200;
    if (!quiet && connection->state->access_log != NULL)
        write_log_line(connection, status, duration);
}

void connection_log_abandoned(struct connection *connection) {
    connection->state->metrics.cancelled++;
    record(connection, 499);
}

/* --- sending --- */

static void on_shutdown(uv_shutdown_t *request, int status) {
    struct connection *connection = request->data;
    if (status < 0 || connection->peer_finished)
        connection_close(connection);
}

/* The reply is out: on to the next request, or the end. */
static void finish_reply(struct connection *connection) {
    struct server_state *state = connection->state;
    state->metrics.sent_bytes += connection->reply_head.size + connection->reply.body.size;
    record(connection, connection->reply.status);
    bool keep_alive = connection->keep_alive && connection->request_complete && !state->draining;
    connection_reset_request(connection);
    if (keep_alive) {
        connection_enter(connection, PHASE_IDLE, state->limits.idle_timeout_seconds * 1000);
        return;
    }
    connection_enter(connection, PHASE_LINGERING, LINGER_MILLISECONDS);
    connection->shutdown.data = connection;
    if (uv_shutdown(&connection->shutdown, &connection->socket.stream, on_shutdown) != 0)
        connection_close(connection);
}

static size_t reply_size(const struct connection *connection) {
    bool with_body = !connection->request.head_complete || connection->request.method != METHOD_HEAD;
    return connection->reply_head.size + (with_body ? connection->reply.body.size : 0);
}

/* What is to be sent next: the rest of the head, and as much of the body as one turn may send. */
static void next_pieces(const struct connection *connection, uv_buf_t pieces[2]) {
    size_t head_size = connection->reply_head.size, sent = connection->reply_sent;
    size_t of_head = sent < head_size ? head_size - sent : 0;
    size_t of_body = reply_size(connection) - sent - of_head;
    size_t body_sent = sent < head_size ? 0 : sent - head_size;
    if (of_body > TURN_WRITE_BYTES)
        of_body = TURN_WRITE_BYTES;
    pieces[0] = uv_buf_init((char *)connection->reply_head.data + head_size - of_head, (unsigned)of_head);
    pieces[1] = of_body == 0
                    ? uv_buf_init(NULL, 0)
                    : uv_buf_init((char *)connection->reply.body.data + body_sent, (unsigned)of_body);
}

static void count_sent(struct connection *connection, size_t bytes) {
    size_t head_size = connection->reply_head.size, before = connection->reply_sent;
    connection->reply_sent += bytes;
    if (before >= head_size)
        buffer_give_back(&connection->reply.body, before - head_size, connection->reply_sent - head_size);
}

static void on_written(uv_write_t *write, int status) {
    struct connection *connection = write->data;
    if (connection->phase == PHASE_CLOSING)
        return;
    if (status < 0) {
        connection_close(connection);
        return;
    }
    count_sent(connection, connection->write_size);
    connection->write_size = 0;
    if (connection->reply_sent < reply_size(connection)) {
        connection_give_way(connection);
        return;
    }
    finish_reply(connection);
    connection_resume(connection);
}

void connection_write_next(struct connection *connection) {
    uv_buf_t pieces[2];
    next_pieces(connection, pieces);
    connection->write_size = pieces[0].len + pieces[1].len;
    connection->write.data = connection;
    if (uv_write(&connection->write, &connection->socket.stream, pieces, 2, on_written) != 0)
        connection_close(connection);
}

static void write_later(struct connection *connection) {
    const struct limits *limits = &connection->state->limits;
    size_t rest = reply_size(connection) - connection->reply_sent;
    connection_enter(connection, PHASE_WRITING,
                     limits->write_timeout_seconds * 1000 + rest * 1000 / limits->min_bytes_per_second);
    connection_write_next(connection);
}

void connection_send_reply(struct connection *connection) {
    struct reply *reply = &connection->reply;
    bool keep_alive = connection->keep_alive && connection->request_complete && !connection->state->draining;
    const struct reply_context context = {
        .request_id = connection->request_id,
        .trace_parent = connection->trace.parent,
        .keep_alive = keep_alive,
        .total_nanoseconds = clock_nanoseconds() - connection->request_began,
    };
    if (reply_write_head(reply, &context, &connection->reply_head) != STATUS_OK) {
        connection_close(connection);
        return;
    }
    uv_buf_t pieces[2];
    next_pieces(connection, pieces);
    int written = uv_try_write(&connection->socket.stream, pieces, 2);
    if (written < 0 && written != UV_EAGAIN) {
        connection_enter(connection, PHASE_WRITING, 0);
        connection_close(connection);
        return;
    }
    count_sent(connection, written > 0 ? (size_t)written : 0);
    if (connection->reply_sent == reply_size(connection))
        finish_reply(connection);
    else
        write_later(connection);
}
