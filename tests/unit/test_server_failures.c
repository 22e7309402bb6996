/* The whole server under failures: every allocation on a request's way fails once, every read, write and
 * accept of a socket too, and reads and writes come in single bytes. A client then gets its answer, an error
 * that says so, or a closed connection, and the next request is answered as if nothing had been.
 *
 * The server runs in a thread of this program; the calls of the main thread, the client's, never fail. */
#include "bake/bake.h"
#include "engine/model.h"
#include "server/server.h"
#include "tiny_model.h"
#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_REPLY 8192

/* --- the failing calls --- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
ssize_t __real_read(int descriptor, void *data, size_t size);
ssize_t __real_write(int descriptor, const void *data, size_t size);
ssize_t __real_writev(int descriptor, const struct iovec *pieces, int count);
int __real_accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
ssize_t __wrap_read(int descriptor, void *data, size_t size);
ssize_t __wrap_write(int descriptor, const void *data, size_t size);
ssize_t __wrap_writev(int descriptor, const struct iovec *pieces, int count);
int __wrap_accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags);

static _Thread_local bool is_client;
/* Calls until one fails; 0: none does. */
static atomic_long allocations_left, socket_calls_left;
static atomic_int socket_errno;
static atomic_bool single_bytes;
static atomic_uint single_byte_calls;

static bool is_the_one(atomic_long *left) {
    if (is_client || atomic_load(left) <= 0)
        return false;
    return atomic_fetch_sub(left, 1) == 1;
}

static bool allocation_fails(void) {
    if (!is_the_one(&allocations_left))
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size) {
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return allocation_fails() ? NULL : __real_realloc(memory, size);
}

static bool is_socket(int descriptor) {
    int type;
    socklen_t size = sizeof type;
    int before = errno;
    bool answer = getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
    errno = before;
    return answer;
}

/* Also between the single bytes nothing comes, or a signal does. */
static bool socket_call_fails(int descriptor) {
    if (is_client || !is_socket(descriptor))
        return false;
    if (is_the_one(&socket_calls_left)) {
        errno = atomic_load(&socket_errno);
        return true;
    }
    if (!atomic_load(&single_bytes))
        return false;
    unsigned call = atomic_fetch_add(&single_byte_calls, 1);
    errno = call % 3 == 1 ? EAGAIN : EINTR;
    return call % 3 != 0;
}

static size_t size_now(int descriptor, size_t size) {
    return !is_client && size > 1 && atomic_load(&single_bytes) && is_socket(descriptor) ? 1 : size;
}

ssize_t __wrap_read(int descriptor, void *data, size_t size) {
    return socket_call_fails(descriptor) ? -1 : __real_read(descriptor, data, size_now(descriptor, size));
}

ssize_t __wrap_write(int descriptor, const void *data, size_t size) {
    return socket_call_fails(descriptor) ? -1 : __real_write(descriptor, data, size_now(descriptor, size));
}

ssize_t __wrap_writev(int descriptor, const struct iovec *pieces, int count) {
    if (socket_call_fails(descriptor))
        return -1;
    if (!is_client && atomic_load(&single_bytes) && is_socket(descriptor))
        return __real_write(descriptor, pieces[0].iov_base, pieces[0].iov_len > 0 ? 1 : 0);
    return __real_writev(descriptor, pieces, count);
}

int __wrap_accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags) {
    return socket_call_fails(descriptor) ? -1 : __real_accept4(descriptor, address, size, flags);
}

/* --- the server --- */

struct fixture {
    struct test_directory directory;
    struct model_list models;
    struct sockaddr_storage address;
    struct server_options options;
    pthread_t thread;
    enum server_end end;
    enum status status;
    char expected[MAX_REPLY]; /* the body of the good answer */
};

static void bake(struct fixture *fixture) {
    struct test_directory source = test_directory_create();
    const struct tiny_model tiny = {.kind = MODEL_CROSS_ENCODER, .prefix = ""};
    tiny_model_write(&source, &tiny);
    const char *ember = test_path(&fixture->directory, "tiny.ember");
    struct bake_options options = {.models = {{.path = source.path}}, .output = ember};
    struct bake_report report;
    struct error error;
    if (bake_run(&options, &report, &error) != STATUS_OK ||
        model_list_open(ember, NULL, &fixture->models, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    bake_report_free(&report);
    test_directory_remove(&source);
}

static void *run_server(void *argument) {
    struct fixture *fixture = argument;
    int last_signal;
    struct error error;
    fixture->status = server_run(&fixture->options, &fixture->end, &last_signal, &error);
    if (fixture->status != STATUS_OK)
        print_error("%s\n", error.message);
    return NULL;
}

static int connect_to(const struct fixture *fixture) {
    int made = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(made >= 0);
    if (connect(made, (const struct sockaddr *)&fixture->address, address_size(&fixture->address)) == 0)
        return made;
    close(made);
    return -1;
}

static int start_server(void **state) {
    is_client = true;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->directory = test_directory_create();
    bake(fixture);
    char address[ADDRESS_TEXT_SIZE];
    snprintf(address, sizeof address, "unix:%s", test_path(&fixture->directory, "socket"));
    assert_int_equal(address_parse(address, &fixture->address, NULL), STATUS_OK);
    fixture->options = (struct server_options){
        .models = &fixture->models,
        .addresses = &fixture->address,
        .address_count = 1,
        .listening = {.socket_mode = 0600},
        .sandbox = {.mode = SANDBOX_OFF}, /* it would hold for the client too */
        .log_descriptor = open("/dev/null", O_WRONLY | O_CLOEXEC),
        .access_log_descriptor = -1,
    };
    fixture->options.access_log_descriptor = fixture->options.log_descriptor;
    limits_set_defaults(&fixture->options.limits);
    assert_int_equal(pthread_create(&fixture->thread, NULL, run_server, fixture), 0);
    int connection;
    while ((connection = connect_to(fixture)) < 0)
        usleep(1000);
    close(connection);
    *state = fixture;
    return 0;
}

static int stop_server(void **state) {
    struct fixture *fixture = *state;
    kill(getpid(), SIGTERM);
    pthread_join(fixture->thread, NULL);
    assert_int_equal(fixture->status, STATUS_OK);
    assert_int_equal(fixture->end, SERVER_FINISHED);
    model_list_close(&fixture->models);
    close(fixture->options.log_descriptor);
    test_directory_remove(&fixture->directory);
    free(fixture);
    return 0;
}

/* --- the client --- */

static const char body[] =
    "{\"query\": \"what is the capital of france\", \"documents\": [\"paris\", \"berlin\", "
    "\"how long the eggs\"], \"return_documents\": true}";

struct answer {
    int status; /* 0: closed without a word */
    char body[MAX_REPLY];
};

static void send_request(int connection) {
    char request[1024];
    int size = snprintf(request, sizeof request,
                        "POST /v1/rerank HTTP/1.1\r\nHost: a\r\nX-Request-Id: r\r\nConnection: "
                        "close\r\nContent-Length: %zu\r\n\r\n%s",
                        sizeof body - 1, body);
    (void)send(connection, request, (size_t)size, MSG_NOSIGNAL);
}

/* Until the server closes, which it must: a client that waits for ever has been forgotten. */
static void receive(int connection, struct answer *answer) {
    char reply[MAX_REPLY];
    size_t size = 0;
    ssize_t count;
    while ((count = recv(connection, reply + size, sizeof reply - 1 - size, 0)) > 0)
        size += (size_t)count;
    reply[size] = '\0';
    *answer = (struct answer){0};
    const char *end = strstr(reply, "\r\n\r\n");
    if (end == NULL || sscanf(reply, "HTTP/1.1 %3d ", &answer->status) != 1)
        return;
    const char *length = strstr(reply, "Content-Length: ");
    if (length != NULL && strtoul(length + strlen("Content-Length: "), NULL, 10) == strlen(end + 4))
        snprintf(answer->body, sizeof answer->body, "%s", end + 4);
}

static void ask(const struct fixture *fixture, struct answer *answer) {
    int connection = connect_to(fixture);
    assert_true(connection >= 0);
    send_request(connection);
    receive(connection, answer);
    close(connection);
}

static void expect_a_good_answer(struct fixture *fixture) {
    struct answer answer;
    ask(fixture, &answer);
    if (fixture->expected[0] == '\0')
        memcpy(fixture->expected, answer.body, sizeof fixture->expected);
    if (answer.status != 200)
        print_error("%d: %s\n", answer.status, answer.body);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, fixture->expected);
}

static void every_allocation_may_fail(void **state) {
    struct fixture *fixture = *state;
    size_t failures = 0, errors = 0;
    expect_a_good_answer(fixture);
    for (long n = 1;; n++) {
        struct answer answer;
        atomic_store(&allocations_left, n);
        ask(fixture, &answer);
        bool none_failed = atomic_exchange(&allocations_left, 0) > 0;
        if (answer.status == 200)
            assert_string_equal(answer.body, fixture->expected);
        else if (answer.status != 0 && answer.status != 500)
            fail_msg("allocation %ld: %d, %s", n, answer.status, answer.body);
        errors += strstr(answer.body, "out_of_memory") != NULL ? 1 : 0;
        expect_a_good_answer(fixture);
        if (none_failed) {
            assert_int_equal(answer.status, 200);
            break;
        }
        failures++;
    }
    /* Most of the way an error can still be told. */
    assert_true(failures > 20);
    assert_true(errors > failures / 2);
}

static void every_socket_call_may_fail(void **state) {
    struct fixture *fixture = *state;
    static const int reasons[] = {ECONNRESET, ENOBUFS, EAGAIN, EINTR, EPIPE, ECONNABORTED, EMFILE};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        bool none_failed = false;
        for (long n = 1; !none_failed; n++) {
            struct answer answer;
            atomic_store(&socket_errno, reasons[i]);
            atomic_store(&socket_calls_left, n);
            ask(fixture, &answer);
            none_failed = atomic_exchange(&socket_calls_left, 0) > 0;
            if (answer.status != 0 && answer.body[0] != '\0')
                assert_string_equal(answer.body, fixture->expected);
            if (none_failed || reasons[i] == EAGAIN || reasons[i] == EINTR)
                assert_int_equal(answer.status, 200);
            expect_a_good_answer(fixture);
        }
    }
}

static void bytes_may_come_and_go_one_by_one(void **state) {
    struct fixture *fixture = *state;
    atomic_store(&single_bytes, true);
    for (int i = 0; i < 3; i++)
        expect_a_good_answer(fixture);
    atomic_store(&single_bytes, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_socket_call_may_fail),
        cmocka_unit_test(bytes_may_come_and_go_one_by_one),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
