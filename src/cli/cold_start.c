#include "cli/cold_start.h"

#include "base/clock.h"
#include "base/json_writer.h"
#include "cli/cli.h"
#include "cli/http_client.h"
#include "cli/options.h"
#include "cli/table.h"
#include "server/address.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_SECONDS   30
#define RETRY_NANOSECONDS 100000

static const char query[] = "What is the capital of France?";
static const char passage[] = "Paris is the capital of France.";

/* Nanoseconds since just before the process was made. */
struct times {
    uint64_t listening, ready, score;
};

struct server_process {
    pid_t process;
    int messages; /* the read end of its standard error */
    char line[8192];
    size_t line_size;
    struct sockaddr_storage address;
    char address_text[ADDRESS_TEXT_SIZE];
};

/* ---- one server ---- */

static enum status spawn(const struct model_argument *model_argument, struct server_process *server,
                         struct error *error) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(error, errno, "cannot make a pipe");
    /* posix_spawn wants char *, and leaves them alone. */
    char *const arguments[] = {(char *)(uintptr_t) "rescoldo",
                               (char *)(uintptr_t) "serve",
                               (char *)(uintptr_t) "--model",
                               (char *)(uintptr_t)model_argument->path,
                               (char *)(uintptr_t) "--listen",
                               (char *)(uintptr_t) "127.0.0.1:0",
                               NULL};
    extern char **environ;
    posix_spawn_file_actions_t actions;
    int reason = posix_spawn_file_actions_init(&actions);
    if (reason == 0) {
        reason = posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
        if (reason == 0)
            reason = posix_spawn(&server->process, "/proc/self/exe", &actions, NULL, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    server->messages = ends[0];
    return reason == 0 ? STATUS_OK : error_set_errno(error, reason, "cannot start a server");
}

/* The next line of the server's log into server->line. */
static enum status read_line(struct server_process *server, struct error *error) {
    server->line_size = 0;
    for (;;) {
        struct pollfd readable = {.fd = server->messages, .events = POLLIN};
        int count = poll(&readable, 1, TIMEOUT_SECONDS * 1000);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return error_set(error, STATUS_DEADLINE_EXCEEDED, "the server said nothing for %d seconds",
                             TIMEOUT_SECONDS);
        char byte;
        if (read(server->messages, &byte, 1) != 1)
            return error_set(error, STATUS_INPUT_OUTPUT, "the server did not start: %.*s",
                             (int)server->line_size, server->line);
        if (byte == '\n')
            return STATUS_OK;
        if (server->line_size + 1 < sizeof server->line)
            server->line[server->line_size++] = byte;
    }
}

/* Waits for the line {"event": "start", "addresses": [...]}: from then on it listens. */
static enum status wait_listening(struct server_process *server, struct error *error) {
    for (;;) {
        enum status status = read_line(server, error);
        if (status != STATUS_OK)
            return status;
        json_t *line = json_loadb(server->line, server->line_size, 0, NULL);
        const char *event = json_string_value(json_object_get(line, "event"));
        const char *address = json_string_value(json_array_get(json_object_get(line, "addresses"), 0));
        bool started = event != NULL && strcmp(event, "start") == 0 && address != NULL;
        if (started)
            snprintf(server->address_text, sizeof server->address_text, "%s", address);
        /* Before its log there may be a message that says what is wrong; it is the one to show. */
        bool message = line == NULL && server->line_size > 0;
        json_decref(line);
        if (started)
            return address_parse(server->address_text, &server->address, error);
        if (message)
            return error_set(error, STATUS_INPUT_OUTPUT, "the server did not start: %.*s",
                             (int)server->line_size, server->line);
    }
}

static enum status wait_ready(const struct server_process *server, struct error *error) {
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    uint64_t deadline = clock_nanoseconds() + TIMEOUT_SECONDS * UINT64_C(1000000000);
    for (;;) {
        char buffer[2048];
        struct http_reply reply;
        enum status status = http_exchange(&server->address, server->address_text, bytes_of_string(request),
                                           TIMEOUT_SECONDS, buffer, sizeof buffer, &reply, error);
        if (status != STATUS_OK || reply.status == 200)
            return status;
        if (clock_nanoseconds() > deadline)
            return error_set(error, STATUS_DEADLINE_EXCEEDED, "not ready within %d seconds: %.200s",
                             TIMEOUT_SECONDS, reply.body);
        const struct timespec pause = {.tv_nsec = RETRY_NANOSECONDS};
        nanosleep(&pause, NULL);
    }
}

static enum status write_request(const char *model_name, struct buffer *request, struct error *error) {
    struct buffer body = {0};
    struct json_writer writer = json_writer_to(&body);
    json_begin_object(&writer);
    if (model_name != NULL)
        json_string_member(&writer, "model", model_name);
    json_string_member(&writer, "query", query);
    json_key(&writer, "documents");
    json_begin_array(&writer);
    json_text_of_string(&writer, passage);
    json_end_array(&writer);
    json_end_object(&writer);
    enum status status = json_writer_finish(&writer, error);
    char head[256];
    snprintf(head, sizeof head,
             "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             body.size);
    if (status == STATUS_OK)
        status = buffer_append(request, head, strlen(head), error);
    if (status == STATUS_OK)
        status = buffer_append(request, body.data, body.size, error);
    buffer_free(&body);
    return status;
}

static enum status ask_score(const struct server_process *server, const char *model_name, float expected,
                             struct error *error) {
    char answer[4096];
    struct buffer request = {0};
    struct http_reply reply = {0};
    enum status status = write_request(model_name, &request, error);
    if (status == STATUS_OK)
        status = http_exchange(&server->address, server->address_text, buffer_bytes(&request),
                               TIMEOUT_SECONDS, answer, sizeof answer, &reply, error);
    buffer_free(&request);
    if (status != STATUS_OK)
        return status;
    json_t *root = json_loads(reply.body, 0, NULL);
    const json_t *result = json_array_get(json_object_get(root, "results"), 0);
    const json_t *score = json_object_get(result, "relevance_score");
    float answered = (float)json_number_value(score);
    bool right = reply.status == 200 && json_is_number(score) && answered >= expected && answered <= expected;
    json_decref(root);
    if (!right)
        return error_set(error, STATUS_INTERNAL,
                         "the server's score is not the engine's %.9g: status %d, %.300s", (double)expected,
                         reply.status, reply.body);
    return STATUS_OK;
}

static enum status stop(struct server_process *server, bool kill_it, struct error *error) {
    int state = 0;
    kill(server->process, kill_it ? SIGKILL : SIGTERM);
    while (waitpid(server->process, &state, 0) < 0 && errno == EINTR)
        continue;
    close(server->messages);
    if (kill_it || (WIFEXITED(state) && WEXITSTATUS(state) == 0))
        return STATUS_OK;
    return error_set(error, STATUS_INTERNAL, "the server ended with status %d, expected 0", state);
}

static enum status run_once(const struct model_argument *model_argument, float expected, struct times *times,
                            struct error *error) {
    struct server_process server = {0};
    uint64_t begin = clock_nanoseconds();
    enum status status = spawn(model_argument, &server, error);
    if (status != STATUS_OK) {
        close(server.messages);
        return status;
    }
    status = wait_listening(&server, error);
    times->listening = clock_nanoseconds() - begin;
    if (status == STATUS_OK)
        status = wait_ready(&server, error);
    times->ready = clock_nanoseconds() - begin;
    if (status == STATUS_OK)
        status = ask_score(&server, model_argument->name, expected, error);
    times->score = clock_nanoseconds() - begin;
    struct error end_error;
    enum status end = stop(&server, status != STATUS_OK, &end_error);
    if (status == STATUS_OK && end != STATUS_OK) {
        *error = end_error;
        return end;
    }
    return status;
}

/* ---- the page cache ---- */

/* The share of a file's pages that are in memory, 0 to 1; 1 when it can't be told. */
static double resident_share(int descriptor, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page, resident = 0;
    unsigned char *states = calloc(pages, 1);
    void *mapping = mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, 0);
    bool told = states != NULL && mapping != MAP_FAILED && mincore(mapping, size, states) == 0;
    for (size_t i = 0; told && i < pages; i++)
        resident += states[i] & 1;
    if (mapping != MAP_FAILED)
        munmap(mapping, size);
    free(states);
    return told ? (double)resident / (double)pages : 1;
}

/* Drops the model's pages. False when they stay: another process has them mapped, or the file system keeps
 * them. */
static bool drop_pages(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    struct stat status;
    bool dropped = fstat(descriptor, &status) == 0 && status.st_size > 0 && fdatasync(descriptor) == 0 &&
                   posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0 &&
                   resident_share(descriptor, (size_t)status.st_size) < 0.01;
    close(descriptor);
    return dropped;
}

/* ---- all runs ---- */

enum moment { LISTENING, READY, SCORE, MOMENTS };

struct series {
    bool measured;
    uint64_t *sorted[MOMENTS]; /* [runs], nanoseconds, ascending */
};

static int ascending(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void series_free(struct series *series) {
    for (size_t i = 0; i < MOMENTS; i++)
        free(series->sorted[i]);
}

static enum status measure_series(const struct model_argument *model_argument, float expected, uint64_t runs,
                                  bool cold, struct series *series, struct error *error) {
    for (size_t i = 0; i < MOMENTS; i++) {
        series->sorted[i] = calloc((size_t)runs, sizeof *series->sorted[i]);
        if (series->sorted[i] == NULL)
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the times of %llu runs",
                             (unsigned long long)runs);
    }
    for (uint64_t run = 0; run < runs; run++) {
        struct times times;
        if (cold && !drop_pages(model_argument->path))
            return STATUS_OK;
        enum status status = run_once(model_argument, expected, &times, error);
        if (status != STATUS_OK)
            return status;
        series->sorted[LISTENING][run] = times.listening;
        series->sorted[READY][run] = times.ready;
        series->sorted[SCORE][run] = times.score;
    }
    for (size_t i = 0; i < MOMENTS; i++)
        qsort(series->sorted[i], (size_t)runs, sizeof *series->sorted[i], ascending);
    series->measured = true;
    return STATUS_OK;
}

/* Nearest rank: the smallest time that `percent` of the runs do not exceed. */
static uint64_t percentile(const uint64_t *sorted, uint64_t runs, uint64_t percent) {
    return sorted[(runs * percent + 99) / 100 - 1];
}

static void write_series(struct json_writer *writer, const struct series *series, uint64_t runs) {
    static const char *const keys[MOMENTS] = {"listening_ms", "ready_ms", "first_score_ms"};
    if (!series->measured) {
        json_null_value(writer);
        return;
    }
    json_begin_object(writer);
    for (size_t i = 0; i < MOMENTS; i++) {
        json_key(writer, keys[i]);
        json_begin_object(writer);
        json_key(writer, "p50");
        json_milliseconds(writer, percentile(series->sorted[i], runs, 50));
        json_key(writer, "p90");
        json_milliseconds(writer, percentile(series->sorted[i], runs, 90));
        json_key(writer, "max");
        json_milliseconds(writer, series->sorted[i][runs - 1]);
        json_end_object(writer);
    }
    json_end_object(writer);
}

static enum status print_json(const char *model_name, uint64_t runs, const struct series *warm,
                              const struct series *cold, struct error *error) {
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    json_begin_object(&writer);
    json_string_member(&writer, "model", model_name);
    json_unsigned_member(&writer, "runs", runs);
    json_key(&writer, "page_cache_warm");
    write_series(&writer, warm, runs);
    json_key(&writer, "page_cache_cold");
    write_series(&writer, cold, runs);
    json_end_object(&writer);
    enum status status = json_writer_finish(&writer, error);
    if (status == STATUS_OK)
        status = cli_write_line(&line, error);
    buffer_free(&line);
    return status;
}

static void add_series(struct table *table, const char *title, const struct series *series, uint64_t runs) {
    static const char *const moments[MOMENTS] = {"listening", "ready", "first right score"};
    for (size_t i = 0; series->measured && i < MOMENTS; i++) {
        const uint64_t *sorted = series->sorted[i];
        table_add_format(table, "%s", title);
        table_add_format(table, "%s", moments[i]);
        table_add_format(table, "%.2f", (double)percentile(sorted, runs, 50) / 1e6);
        table_add_format(table, "%.2f", (double)percentile(sorted, runs, 90) / 1e6);
        table_add_format(table, "%.2f", (double)sorted[runs - 1] / 1e6);
    }
}

static enum status print_table(uint64_t runs, const struct series *warm, const struct series *cold,
                               struct error *error) {
    static const struct table_column columns[] = {
        {"page cache", false}, {"from exec to", false}, {"p50 ms", true}, {"p90 ms", true}, {"max ms", true}};
    struct table table = {.columns = columns, .column_count = OPTION_COUNT(columns)};
    add_series(&table, "warm", warm, runs);
    add_series(&table, "cold", cold, runs);
    enum status status = table_print(&table, error);
    table_free(&table);
    if (status == STATUS_OK && !cold->measured)
        cli_message("bench",
                    "the model's pages can't be dropped from the page cache, so no cold start was measured");
    return status;
}

/* What the servers have to answer. */
static enum status expect(const struct model_argument *model_argument, char *model_name, size_t name_size,
                          float *expected, struct error *error) {
    struct opened_model opened;
    enum status status = opened_model_create(model_argument, MODEL_TASK_RERANK, &opened, error);
    if (status != STATUS_OK)
        return status;
    struct passage_score score;
    const struct bytes passages[] = {bytes_of_string(passage)};
    status = session_rerank(opened.session, bytes_of_string(query), passages, 1, NULL, &score, NULL, error);
    snprintf(model_name, name_size, "%s", opened.model->name);
    if (status == STATUS_OK)
        *expected = score.relevance_score;
    opened_model_close(&opened);
    return status;
}

enum status cold_start_measure(const struct model_argument *model_argument, uint64_t runs, bool json,
                               struct error *error) {
    float expected = 0;
    char model_name[256];
    struct series warm = {0}, cold = {0};
    struct times unused;
    enum status status = expect(model_argument, model_name, sizeof model_name, &expected, error);
    /* The first brings everything into the page cache, and does not count. */
    if (status == STATUS_OK)
        status = run_once(model_argument, expected, &unused, error);
    if (status == STATUS_OK)
        status = measure_series(model_argument, expected, runs, false, &warm, error);
    if (status == STATUS_OK)
        status = measure_series(model_argument, expected, runs, true, &cold, error);
    if (status == STATUS_OK)
        status = cli_wants_table(json) ? print_table(runs, &warm, &cold, error)
                                       : print_json(model_name, runs, &warm, &cold, error);
    series_free(&warm);
    series_free(&cold);
    return status;
}
