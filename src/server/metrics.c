#include "server/metrics.h"

#include "server/router.h"

#include <inttypes.h>
#include <stdio.h>

/* Upper bounds of the buckets: of durations in seconds and nanoseconds, and of sizes. Dashboards and recorded
 * series depend on them: they stay as they are. */
static const char *const duration_names[HISTOGRAM_BOUNDS] = {
    "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
    "0.25",   "0.5",   "1",      "2.5",   "5",    "10",    "30",   "60"};
static const uint64_t duration_bounds[HISTOGRAM_BOUNDS] = {
    500000,    1000000,   2500000,    5000000,    10000000,   25000000,    50000000,    100000000,
    250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000, 30000000000, 60000000000};
/* Finest around the millisecond that a turn of the event loop should not exceed. */
static const char *const turn_names[HISTOGRAM_BOUNDS] = {
    "0.00001", "0.000025", "0.00005", "0.0001", "0.00025", "0.0005", "0.00075", "0.001",
    "0.0015",  "0.002",    "0.003",   "0.005",  "0.01",    "0.05",   "0.25",    "1"};
static const uint64_t turn_bounds[HISTOGRAM_BOUNDS] = {
    10000,   25000,   50000,   100000,  250000,   500000,   750000,    1000000,
    1500000, 2000000, 3000000, 5000000, 10000000, 50000000, 250000000, 1000000000};
static const char *const size_names[HISTOGRAM_BOUNDS] = {"1",     "2",     "5",     "10",    "20",   "50",
                                                         "100",   "200",   "500",   "1000",  "2000", "5000",
                                                         "10000", "20000", "50000", "100000"};
static const uint64_t size_bounds[HISTOGRAM_BOUNDS] = {1,   2,    5,    10,   20,    50,    100,   200,
                                                       500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

/* Finest where slices should be: full ones have 512 tokens, or as many as the model's longest sequence. */
static const char *const slice_names[HISTOGRAM_BOUNDS] = {"16",   "32",   "64",   "96",   "128", "192",
                                                          "256",  "320",  "384",  "448",  "512", "1024",
                                                          "2048", "4096", "8192", "16384"};
static const uint64_t slice_bounds[HISTOGRAM_BOUNDS] = {16,  32,  64,  96,   128,  192,  256,  320,
                                                        384, 448, 512, 1024, 2048, 4096, 8192, 16384};

/* 499: the client had gone before the reply was ready. The last one stands for all others. */
static const int statuses[METRICS_STATUSES] = {200, 400, 401, 404, 405, 408, 413, 414, 415, 417, 422,
                                               424, 429, 431, 499, 500, 501, 503, 504, 505, 0};

/* The codes of http_request.c. The last one stands for all others. */
static const char *const parse_error_kinds[PARSE_ERROR_KINDS] = {
    "bad_chunk",
    "bad_framing",
    "bad_head_byte",
    "bad_header",
    "bad_host",
    "bad_line_end",
    "bad_request",
    "bad_request_line",
    "body_too_large",
    "content_encoding_not_supported",
    "expectation_failed",
    "head_too_large",
    "http_version_not_supported",
    "method_not_implemented",
    "out_of_memory",
    "too_many_header_fields",
    "transfer_encoding_not_supported",
    "uri_too_long",
    "other",
};

static void add(struct histogram *histogram, const uint64_t bounds[HISTOGRAM_BOUNDS], uint64_t value) {
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BOUNDS && value > bounds[bucket])
        bucket++;
    histogram->counts[bucket]++;
    histogram->sum += value;
}

void histogram_add(struct histogram *histogram, uint64_t nanoseconds) {
    add(histogram, duration_bounds, nanoseconds);
}

void histogram_add_turn(struct histogram *histogram, uint64_t nanoseconds) {
    add(histogram, turn_bounds, nanoseconds);
}

void histogram_add_size(struct histogram *histogram, uint64_t size) {
    add(histogram, size_bounds, size);
}

void histogram_add_slice_tokens(struct histogram *histogram, uint64_t tokens) {
    add(histogram, slice_bounds, tokens);
}

void metrics_count_request(struct metrics *metrics, size_t route, int status, uint64_t nanoseconds) {
    size_t column = 0;
    while (column < METRICS_STATUSES - 1 && statuses[column] != status)
        column++;
    metrics->requests[route][column]++;
    histogram_add(&metrics->request_duration[route], nanoseconds);
}

void metrics_count_parse_error(struct metrics *metrics, const char *kind) {
    size_t column = 0;
    while (column < PARSE_ERROR_KINDS - 1 && strcmp(parse_error_kinds[column], kind) != 0)
        column++;
    metrics->parse_errors[column]++;
}

enum status metrics_write_family(struct buffer *text, const char *name, const char *type, const char *help) {
    return buffer_append_format(text, NULL, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

enum status metrics_write_value(struct buffer *text, const char *name, const char *type, const char *help,
                                double value) {
    enum status status = metrics_write_family(text, name, type, help);
    if (status != STATUS_OK)
        return status;
    return buffer_append_format(text, NULL, "%s %.17g\n", name, value);
}

static enum status write_requests(const struct metrics *metrics, struct buffer *text) {
    enum status status = metrics_write_family(text, "rescoldo_http_requests_total", "counter",
                                              "Requests by path and status; 499: the client left first.");
    for (size_t route = 0; route <= route_count && status == STATUS_OK; route++) {
        for (size_t column = 0; column < METRICS_STATUSES && status == STATUS_OK; column++) {
            if (metrics->requests[route][column] > 0)
                status = buffer_append_format(
                    text, NULL, "rescoldo_http_requests_total{route=\"%s\",code=\"%d\"} %" PRIu64 "\n",
                    route_label(route), statuses[column], metrics->requests[route][column]);
        }
    }
    return status;
}

enum unit {
    NANOSECONDS,
    TURN_NANOSECONDS,
    ONE,
    SLICE_TOKENS,
};

static const char *const *const bound_names_of[] = {[NANOSECONDS] = duration_names,
                                                    [TURN_NANOSECONDS] = turn_names,
                                                    [ONE] = size_names,
                                                    [SLICE_TOKENS] = slice_names};

static bool has_values(const struct histogram *histogram) {
    uint64_t any = 0;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        any |= histogram->counts[i];
    return any != 0;
}

/* labels is empty or ends in a comma: `route="/livez",`. */
static enum status write_histogram(const struct histogram *histogram, enum unit unit, const char *name,
                                   const char *labels, struct buffer *text) {
    const char *const *bound_names = bound_names_of[unit];
    uint64_t count = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS && status == STATUS_OK; i++) {
        count += histogram->counts[i];
        status = buffer_append_format(text, NULL, "%s_bucket{%sle=\"%s\"} %" PRIu64 "\n", name, labels,
                                      i < HISTOGRAM_BOUNDS ? bound_names[i] : "+Inf", count);
    }
    if (status != STATUS_OK)
        return status;
    char alone[80] = "";
    size_t length = strlen(labels);
    if (length > 0)
        snprintf(alone, sizeof alone, "{%.*s}", (int)length - 1, labels);
    double scale = unit == NANOSECONDS || unit == TURN_NANOSECONDS ? 1e-9 : 1;
    return buffer_append_format(text, NULL, "%s_sum%s %.17g\n%s_count%s %" PRIu64 "\n", name, alone,
                                (double)histogram->sum * scale, name, alone, count);
}

static enum status write_durations(const struct metrics *metrics, struct buffer *text) {
    const char *name = "rescoldo_http_request_duration_seconds";
    enum status status =
        metrics_write_family(text, name, "histogram", "From the first byte of a request to its reply.");
    for (size_t route = 0; route <= route_count && status == STATUS_OK; route++) {
        char labels[64];
        snprintf(labels, sizeof labels, "route=\"%s\",", route_label(route));
        if (has_values(&metrics->request_duration[route]))
            status = write_histogram(&metrics->request_duration[route], NANOSECONDS, name, labels, text);
    }
    return status;
}

struct named_histogram {
    const struct histogram *histogram;
    enum unit unit;
    const char *name, *help;
};

static enum status write_histograms(const struct metrics *metrics, struct buffer *text) {
    const struct named_histogram histograms[] = {
        {&metrics->queue, NANOSECONDS, "rescoldo_request_queue_seconds",
         "From the whole request to its start."},
        {&metrics->tokenize, NANOSECONDS, "rescoldo_request_tokenize_seconds", "Tokenizing of a request."},
        {&metrics->compute, NANOSECONDS, "rescoldo_request_compute_seconds", "Forward passes of a request."},
        {&metrics->request_texts, ONE, "rescoldo_request_texts", "Passages or texts of a request."},
        {&metrics->request_tokens, ONE, "rescoldo_request_tokens",
         "Tokens of a request, special tokens included."},
        {&metrics->slices.tokens, SLICE_TOKENS, "rescoldo_slice_tokens",
         "Tokens of a slice, the batch that a compute worker runs at once."},
        {&metrics->slices.requests, ONE, "rescoldo_slice_requests", "Requests that share a slice."},
        {&metrics->slices.duration, NANOSECONDS, "rescoldo_slice_seconds", "Forward pass of a slice."},
        {&metrics->turns, TURN_NANOSECONDS, "rescoldo_io_turn_seconds",
         "Processor time of one turn of the I/O thread's event loop."},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof histograms / sizeof histograms[0] && status == STATUS_OK; i++) {
        const struct named_histogram *entry = &histograms[i];
        status = metrics_write_family(text, entry->name, "histogram", entry->help);
        if (status == STATUS_OK)
            status = write_histogram(entry->histogram, entry->unit, entry->name, "", text);
    }
    return status;
}

static enum status write_shed(const struct metrics *metrics, struct buffer *text) {
    static const char *const reasons[SHED_REASONS] = {"queue", "body_memory"};
    enum status status = metrics_write_family(text, "rescoldo_shed_total", "counter",
                                              "Requests answered 429, by what was full.");
    for (size_t i = 0; i < SHED_REASONS && status == STATUS_OK; i++)
        status = buffer_append_format(text, NULL, "rescoldo_shed_total{reason=\"%s\"} %" PRIu64 "\n",
                                      reasons[i], metrics->shed[i]);
    return status;
}

static enum status write_parse_errors(const struct metrics *metrics, struct buffer *text) {
    enum status status =
        metrics_write_family(text, "rescoldo_parse_errors_total", "counter",
                             "Requests refused as malformed or too large, by what was wrong.");
    for (size_t i = 0; i < PARSE_ERROR_KINDS && status == STATUS_OK; i++)
        status = buffer_append_format(text, NULL, "rescoldo_parse_errors_total{kind=\"%s\"} %" PRIu64 "\n",
                                      parse_error_kinds[i], metrics->parse_errors[i]);
    return status;
}

struct counter {
    const char *name, *help;
    uint64_t value;
};

static enum status write_counters(const struct metrics *metrics, struct buffer *text) {
    const struct counter counters[] = {
        {"rescoldo_cancelled_total", "Requests whose client left before the reply.", metrics->cancelled},
        {"rescoldo_deadline_exceeded_total", "Requests answered 504.", metrics->deadline_exceeded},
        {"rescoldo_unauthorized_total", "Requests answered 401.", metrics->unauthorized},
        {"rescoldo_connections_accepted_total", "Connections accepted.", metrics->connections_accepted},
        {"rescoldo_connections_refused_total", "Connections closed at once for want of a descriptor.",
         metrics->connections_refused},
        {"rescoldo_input_texts_total", "Passages and texts computed.", metrics->input_texts},
        {"rescoldo_input_tokens_total", "Tokens computed, special tokens included.", metrics->input_tokens},
        {"rescoldo_truncated_texts_total", "Passages and texts cut to the model's maximum.",
         metrics->truncated_texts},
        {"rescoldo_received_bytes_total", "Bytes read from clients.", metrics->received_bytes},
        {"rescoldo_sent_bytes_total", "Bytes of replies.", metrics->sent_bytes},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof counters / sizeof counters[0] && status == STATUS_OK; i++)
        status = metrics_write_value(text, counters[i].name, "counter", counters[i].help,
                                     (double)counters[i].value);
    return status;
}

enum status metrics_write(const struct metrics *metrics, struct buffer *text) {
    enum status status = write_requests(metrics, text);
    if (status == STATUS_OK)
        status = write_durations(metrics, text);
    if (status == STATUS_OK)
        status = write_histograms(metrics, text);
    if (status == STATUS_OK)
        status = write_parse_errors(metrics, text);
    if (status == STATUS_OK)
        status = write_shed(metrics, text);
    if (status == STATUS_OK)
        status = write_counters(metrics, text);
    return status;
}
