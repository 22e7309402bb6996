#include "base/clock.h"
#include "server/connection.h"
#include "server/router.h"
#include "server/service_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A refused body this small is read to its end, which keeps the connection; a larger one is not waited for.
 */
#define MAX_DISCARDED_BYTES ((uint64_t)65536)
#define MAX_REPLY_BYTES     ((size_t)1 << 30)

/* In the form that the path's clients read, where it is a path of ours. */
static void reply_error(struct connection *connection, struct api_error *error) {
    size_t route = connection->route;
    if (connection->request.method == METHOD_POST && route < route_count && routes[route].dialects != NULL)
        api_error_set_form(error, dialects_error_form(routes[route].dialects));
    reply_set_error(&connection->reply, error);
}

static void decide(struct connection *connection, struct api_error *error) {
    reply_error(connection, error);
    connection->reply_decided = true;
}

static struct expected_request expect(const struct connection *connection, uint64_t body_bytes) {
    const struct service *services = connection->state->services;
    const struct service *service = service_expected(services, routes[connection->route].dialects);
    return (struct expected_request){body_bytes,
                                     service != NULL ? (size_t)(service - services) : FORECAST_ANY_MODEL};
}

static void decide_overloaded(struct connection *connection, enum shed_reason reason,
                              const struct expected_request *expected, struct shortage shortage) {
    struct api_error error;
    uint64_t milliseconds = scheduler_retry_milliseconds(connection->state->scheduler, expected, shortage);
    connection->state->metrics.shed[reason]++;
    api_refuse(&error, 429, "overloaded",
               "the server has more work than it can finish soon; retry in %" PRIu64 " ms", milliseconds);
    decide(connection, &error);
    connection->reply.retry_after_milliseconds = milliseconds;
}

/* A request id of the client's is kept when it can be echoed as it is. */
static void set_request_id(struct connection *connection) {
    struct server_state *state = connection->state;
    struct bytes given = http_request_field(&connection->request, FIELD_REQUEST_ID);
    bool usable = given.size > 0 && given.size < REQUEST_ID_SIZE;
    for (size_t i = 0; i < given.size && usable; i++)
        usable = given.data[i] > ' ' && given.data[i] < 0x7f;
    if (usable)
        snprintf(connection->request_id, sizeof connection->request_id, "%.*s", (int)given.size,
                 (const char *)given.data);
    else
        snprintf(connection->request_id, sizeof connection->request_id, "%016" PRIx64 "%016" PRIx64,
                 state->request_id_prefix, ++state->request_id_counter);
}

/* --- at the head --- */

static struct shortage lack_of_body_bytes(const struct server_state *state, uint64_t bodies) {
    return (struct shortage){.body_bytes = bodies - state->limits.max_body_bytes_in_flight};
}

static void check_room(struct connection *connection) {
    struct server_state *state = connection->state;
    uint64_t content_length = connection->request.content_length;
    uint64_t bodies = state->body_bytes + content_length;
    const struct expected_request expected = expect(connection, content_length);
    if (!scheduler_has_room(state->scheduler, &expected))
        decide_overloaded(connection, SHED_QUEUE, &expected, (struct shortage){0});
    else if (bodies > state->limits.max_body_bytes_in_flight)
        decide_overloaded(connection, SHED_BODY_MEMORY, &expected, lack_of_body_bytes(state, bodies));
}

/* Is the request for a dialect, to be computed? Otherwise a page or an error answers it. */
static bool asks_dialect(const struct connection *connection) {
    return connection->route < route_count && routes[connection->route].dialects != NULL &&
           connection->request.method == METHOD_POST;
}

/* Before anything is told about what is there and what is not. */
static bool is_permitted(struct connection *connection) {
    const struct server_state *state = connection->state;
    if (state->api_keys == NULL ||
        api_keys_permit(state->api_keys, &connection->request, &connection->key_name) ||
        (connection->route < route_count && state->open_routes[connection->route]))
        return true;
    struct api_error error;
    connection->state->metrics.unauthorized++;
    api_refuse(&error, 401, "invalid_api_key",
               "this server asks for a key: \"Authorization: Bearer KEY\" or \"Api-Key: KEY\"");
    decide(connection, &error);
    connection->reply.challenge = "Bearer realm=\"rescoldo\"";
    return false;
}

static void check_route(struct connection *connection) {
    struct api_error error;
    enum http_method_kind method = connection->request.method;
    if (!is_permitted(connection))
        return;
    if (connection->route == route_count) {
        api_refuse(&error, 404, "not_found", "no such path; docs/api.md lists them");
        decide(connection, &error);
        return;
    }
    const struct route *route = &routes[connection->route];
    bool computes = asks_dialect(connection);
    bool fits = computes || (route->page != NULL && (method == METHOD_GET || method == METHOD_HEAD));
    if (!fits) {
        const char *allow = route->page == NULL       ? "POST"
                            : route->dialects == NULL ? "GET, HEAD"
                                                      : "GET, HEAD, POST";
        api_refuse(&error, 405, "method_not_allowed", "%s takes %s", route->path, allow);
        decide(connection, &error);
        connection->reply.allow = allow;
    } else if (computes) {
        check_room(connection);
    }
}

static void invite_body(struct connection *connection) {
    static char invitation[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t piece = uv_buf_init(invitation, sizeof invitation - 1);
    /* Nothing else is being written, so this fits the socket; a client that gets none sends its body anyway.
     */
    if (uv_try_write(&connection->socket.stream, &piece, 1) < 0)
        connection_close(connection);
}

static bool is_small(const struct http_request *request) {
    return !request->chunked && request->content_length <= MAX_DISCARDED_BYTES && !request->expect_continue;
}

/* On failure the body grows as it comes. */
static void make_room_for_body(struct http_request *request) {
    if (buffer_reserve(&request->body, (size_t)request->content_length, NULL) != STATUS_OK)
        return;
}

void exchange_head(struct connection *connection, bool input_left) {
    struct http_request *request = &connection->request;
    connection->route = route_find(http_request_path(request));
    connection->keep_alive = request->keep_alive;
    set_request_id(connection);
    (void)trace_context_parse(http_request_field(&connection->request, FIELD_TRACE_PARENT),
                              &connection->trace);
    connection_enter(connection, PHASE_BODY, connection->state->limits.body_timeout_seconds * 1000);
    check_route(connection);
    request->discard_body = connection->reply_decided || !asks_dialect(connection);
    if (connection->reply_decided && !is_small(request)) {
        connection_send_reply(connection);
        return;
    }
    if (!request->discard_body)
        make_room_for_body(request);
    if (request->expect_continue && !input_left)
        invite_body(connection);
}

/* --- the body --- */

void exchange_count_body(struct connection *connection) {
    struct server_state *state = connection->state;
    size_t growth = connection->request.body.size - connection->counted_body_bytes;
    if (connection->phase != PHASE_BODY || growth == 0)
        return;
    state->body_bytes += growth;
    connection->counted_body_bytes += growth;
    if (state->body_bytes <= state->limits.max_body_bytes_in_flight)
        return;
    const struct expected_request expected = expect(connection, connection->counted_body_bytes);
    decide_overloaded(connection, SHED_BODY_MEMORY, &expected, lack_of_body_bytes(state, state->body_bytes));
    connection_send_reply(connection);
}

/* --- at the end --- */

/* X-Request-Timeout: seconds; a client may wait less long than the server would. */
static int read_timeout(const struct connection *connection, uint64_t *nanoseconds, struct api_error *error) {
    *nanoseconds = connection->state->limits.request_timeout_seconds * 1000000000;
    struct bytes field = http_request_field(&connection->request, FIELD_REQUEST_TIMEOUT);
    if (field.data == NULL)
        return 0;
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)field.size, (const char *)field.data);
    char *end;
    double seconds = strtod(text, &end);
    if (field.size >= sizeof text || end == text || *end != '\0' || !(seconds > 0))
        return api_refuse(error, 400, "bad_header", "X-Request-Timeout is not a number of seconds");
    if (seconds * 1e9 < (double)*nanoseconds)
        *nanoseconds = (uint64_t)(seconds * 1e9);
    return 0;
}

static struct job *make_job(struct connection *connection, uint64_t timeout, size_t model) {
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->owner = connection;
    job->model = model;
    job->dialects = routes[connection->route].dialects;
    job->body = connection->request.body;
    job->body_size = connection->counted_body_bytes;
    connection->request.body = (struct buffer){0};
    connection->counted_body_bytes = 0; /* job->body_size goes on counting them */
    memcpy(job->request_id, connection->request_id, sizeof job->request_id);
    job->claim.budget = &connection->state->work_budget;
    job->submitted_at = clock_nanoseconds();
    job->deadline_at = job->submitted_at + timeout;
    return job;
}

static void submit(struct connection *connection) {
    struct server_state *state = connection->state;
    struct api_error error;
    uint64_t timeout;
    const struct expected_request expected = expect(connection, connection->counted_body_bytes);
    if (!scheduler_has_room(state->scheduler, &expected)) {
        decide_overloaded(connection, SHED_QUEUE, &expected, (struct shortage){0});
        connection_send_reply(connection);
        return;
    }
    if (read_timeout(connection, &timeout, &error) != 0) {
        reply_error(connection, &error);
        connection_send_reply(connection);
        return;
    }
    connection->job = make_job(connection, timeout, expected.model);
    if (connection->job == NULL) {
        api_refuse_no_memory(&error);
        reply_error(connection, &error);
        connection_send_reply(connection);
        return;
    }
    connection_enter(connection, PHASE_WORKING, timeout / 1000000 + 1);
    scheduler_submit(state->scheduler, connection->job);
}

void exchange_complete(struct connection *connection) {
    connection->request_complete = true;
    if (!connection->reply_decided && asks_dialect(connection)) {
        submit(connection);
        return;
    }
    if (!connection->reply_decided)
        routes[connection->route].page(connection->state, &connection->reply);
    connection_send_reply(connection);
}

void exchange_refused(struct connection *connection) {
    struct api_error error;
    const struct http_refusal *refusal = &connection->request.refusal;
    metrics_count_parse_error(&connection->state->metrics, refusal->code);
    api_refuse(&error, refusal->status, refusal->code, "%s", refusal->message);
    reply_set_error(&connection->reply, &error);
    connection_send_reply(connection);
}

void exchange_timeout(struct connection *connection) {
    struct api_error error;
    if (connection->reply_decided) { /* whatever the body would have been */
        connection_send_reply(connection);
        return;
    }
    if (connection->phase == PHASE_WORKING) {
        exchange_cancel(connection);
        connection->state->metrics.deadline_exceeded++;
        api_refuse(&error, 504, "deadline_exceeded", "the request took longer than its time limit");
    } else {
        api_refuse(&error, 408, "request_timeout", "the request %s did not arrive in time",
                   connection->phase == PHASE_HEAD ? "head" : "body");
    }
    reply_error(connection, &error);
    connection_send_reply(connection);
}

/* --- the scheduler's side --- */

void exchange_cancel(struct connection *connection) {
    struct job *job = connection->job;
    connection->job = NULL;
    if (job == NULL)
        return;
    job->owner = NULL;
    scheduler_cancel(connection->state->scheduler, job);
}

static void count(struct server_state *state, const struct job *job) {
    struct metrics *metrics = &state->metrics;
    histogram_add(&metrics->queue, job->started_at - job->submitted_at);
    if (job->http_status != 200)
        return;
    histogram_add(&metrics->tokenize, job->usage.tokenize_nanoseconds);
    histogram_add(&metrics->compute, job->usage.compute_nanoseconds);
    histogram_add_size(&metrics->request_texts, job->text_count);
    histogram_add_size(&metrics->request_tokens, job->usage.tokens);
    metrics->input_texts += job->text_count;
    metrics->input_tokens += job->usage.tokens - job->usage.cached_tokens;
    metrics->truncated_texts += job->truncated_texts;
}

/* libuv takes sizes as unsigned int and reports them as int. */
static void refuse_huge_reply(struct job *job) {
    struct api_error error;
    if (job->reply.size <= MAX_REPLY_BYTES)
        return;
    buffer_free(&job->reply);
    job->http_status = 400;
    job->error_code = "reply_too_large";
    api_refuse(&error, job->http_status, job->error_code,
               "the reply would be larger than %zu bytes: ask for less", MAX_REPLY_BYTES);
    if (api_error_write(&error, &job->reply) != STATUS_OK)
        buffer_free(&job->reply);
}

/* What the memory that others hold now leaves too little of, for a job that was refused for want of it. */
static struct shortage lack_of_work_bytes(const struct memory_budget *budget, const struct job *job) {
    uint64_t of_all = atomic_load(&budget->used) + job->refused_bytes;
    return (struct shortage){.work_bytes = of_all > budget->maximum ? of_all - budget->maximum : 0};
}

void connection_deliver(struct server_state *state, struct job *job) {
    struct connection *connection = job->owner;
    refuse_huge_reply(job);
    count(state, job);
    if (connection != NULL) {
        struct reply *reply = &connection->reply;
        connection->job = NULL;
        connection->text_count = job->text_count;
        connection->token_count = job->usage.tokens;
        connection->truncated_count = job->truncated_texts;
        reply->status = job->http_status;
        reply->content_type = CONTENT_TYPE_JSON;
        reply->error_code = job->error_code;
        reply->timed = job->http_status == 200;
        reply->queue_nanoseconds = job->started_at - job->submitted_at;
        reply->tokenize_nanoseconds = job->usage.tokenize_nanoseconds;
        reply->compute_nanoseconds = job->usage.compute_nanoseconds;
        reply->body = job->reply;
        job->reply = (struct buffer){0};
        if (job->http_status == 429) {
            memory_claim_release(&job->claim);
            state->metrics.shed[SHED_BODY_MEMORY]++;
            const struct expected_request expected = {job->body_size, job->model};
            reply->retry_after_milliseconds = scheduler_retry_milliseconds(
                state->scheduler, &expected, lack_of_work_bytes(&state->work_budget, job));
        }
        connection->claim = job->claim;
        job->claim = (struct memory_claim){0};
        state->metrics.deadline_exceeded += job->http_status == 504 ? 1 : 0;
    }
    state->body_bytes -= job->body_size;
    job_free(job);
    if (connection == NULL)
        return;
    connection_send_reply(connection);
    connection_resume(connection);
}
