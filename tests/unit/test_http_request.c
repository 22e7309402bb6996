/* The request parser on whole, split and malformed input. */
#include "server/http_request.h"
#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outcome {
    enum request_event event;
    int status;
    size_t left; /* bytes of the next request */
    size_t body_size;
};

/* Feeds the bytes in pieces of at most `piece`, cut also at `cut` (0: no cut). */
static struct outcome parse(const char *text, size_t size, size_t piece, size_t cut, bool discard) {
    struct limits limits;
    limits_set_defaults(&limits);
    limits.max_body_bytes = 100000;
    struct http_request request;
    http_request_init(&request, &limits);
    enum request_event event = REQUEST_INCOMPLETE;
    size_t position = 0, left = 0;
    while (position < size && event == REQUEST_INCOMPLETE) {
        size_t end = position + piece < size ? position + piece : size;
        if (position < cut && cut < end)
            end = cut;
        /* A copy of exactly this size, so that AddressSanitizer sees a read beyond it. */
        unsigned char *copy = malloc(end - position);
        assert_non_null(copy);
        memcpy(copy, text + position, end - position);
        struct bytes input = bytes_of(copy, end - position);
        do {
            event = http_request_feed(&request, &input);
            if (event == REQUEST_HEAD_COMPLETE)
                request.discard_body = discard;
        } while (event == REQUEST_HEAD_COMPLETE);
        left = input.size;
        free(copy);
        position = end;
    }
    struct outcome outcome = {event, request.refusal.status, left + (size - position), request.body.size};
    http_request_free(&request);
    return outcome;
}

struct example {
    const char *text;
    int status; /* 0: complete */
    size_t body_size;
    size_t left;
};

#define HEAD "POST /v1/rerank HTTP/1.1\r\nHost: a\r\n"

static const struct example examples[] = {
    /* What must be understood. */
    {"GET /livez HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 0, 0, 0},
    {"\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n", 0, 0, 0},
    {"GET /livez HTTP/1.0\r\n\r\n", 0, 0, 0},
    {"GET http://a/livez?x=1 HTTP/1.1\r\nhost:a\r\n\r\nGET", 0, 0, 3},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, 0, 0},
    {HEAD "Content-Length: 5\r\n\r\nhelloGET", 0, 5, 3},
    {HEAD "Content-Length: 0\r\n\r\n", 0, 0, 0},
    {HEAD "Content-Length: 005\r\n\r\nhello", 0, 5, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /", 0, 5, 5},
    {HEAD "Transfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n \r\n0\r\nX: y\r\n\r\n", 0, 6, 0},
    {HEAD "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}", 0, 2, 0},
    {HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", 0, 2, 0},
    {HEAD "Authorization:\r\nContent-Length: 2\r\n\r\n{}", 0, 2, 0},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0, 0, 0},
    {"DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n", 0, 0, 0},
    /* Framing that two readers could understand differently. */
    {HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, 0, 0},
    {HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, 0, 0},
    {HEAD "Content-Length: 5, 5\r\n\r\nhello", 400, 0, 0},
    {HEAD "Content-Length: +5\r\n\r\nhello", 400, 0, 0},
    {HEAD "Content-Length: -5\r\n\r\nhello", 400, 0, 0},
    {HEAD "Content-Length: 0x5\r\n\r\nhello", 400, 0, 0},
    {HEAD "Content-Length: 5 5\r\n\r\nhello", 400, 0, 0},
    {HEAD "Content-Length:\r\n\r\nhello", 400, 0, 0},
    {HEAD "Content-Length: 99999999999999999999999\r\n\r\n", 413, 0, 0},
    {HEAD "Content-Length: 100001\r\n\r\n", 413, 0, 0},
    {HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, 0, 0},
    {HEAD "Transfer-Encoding: xchunked\r\n\r\n", 501, 0, 0},
    {HEAD "Transfer-Encoding: identity\r\n\r\n", 501, 0, 0},
    {HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n", 501, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 0, 0},
    {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX y\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding: chunked\r\n\r\ng\r\nhello\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Transfer-Encoding\r\n : chunked\r\n\r\n0\r\n\r\n", 400, 0, 0},
    {HEAD "Content-Length : 5\r\n\r\nhello", 400, 0, 0},
    /* Lines. */
    {"GET / HTTP/1.1\nHost: a\n\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, 0, 0},
    {"GET / HTTP/1.1\rHost: a\r\r", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: \rContent-Length: 5\r\n\r\nhello", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\n: empty name\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nX\x01: y\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", 400, 0, 0},
    {"\x16\x03\x01\x02", 400, 0, 0},
    /* The request line. */
    {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET / x HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400, 0, 0},
    {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET /\r\n", 400, 0, 0},
    {"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET / http/1.1\r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/11\r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505, 0, 0},
    {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, 0, 0},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, 0, 0},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0, 0},
    {"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501, 0, 0},
    {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0, 0},
    /* Host, Expect, Content-Encoding. */
    {"GET / HTTP/1.1\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, 0, 0},
    {HEAD "Expect: foo\r\nContent-Length: 2\r\n\r\n{}", 417, 0, 0},
    {HEAD "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415, 0, 0},
};

static void check_example(const struct example *example, struct outcome outcome, size_t cut) {
    enum request_event expected = example->status == 0 ? REQUEST_COMPLETE : REQUEST_REFUSED;
    if (outcome.event != expected || outcome.status != example->status)
        print_error("cut at %zu, event %d, status %d, expected %d:\n%s\n", cut, (int)outcome.event,
                    outcome.status, example->status, example->text);
    assert_int_equal(outcome.event, expected);
    assert_int_equal(outcome.status, example->status);
    if (example->status == 0) {
        assert_int_equal(outcome.body_size, example->body_size);
        assert_int_equal(outcome.left, example->left);
    }
}

static void every_split_gives_the_same_answer(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        size_t size = strlen(examples[i].text);
        for (size_t cut = 0; cut < size; cut++)
            check_example(&examples[i], parse(examples[i].text, size, size, cut, false), cut);
        check_example(&examples[i], parse(examples[i].text, size, 1, 0, false), 1);
    }
}

static void a_discarded_body_is_read_to_its_end(void **state) {
    (void)state;
    const char *text = HEAD "Content-Length: 5\r\n\r\nhelloGET";
    struct outcome outcome = parse(text, strlen(text), 3, 0, true);
    assert_int_equal(outcome.event, REQUEST_COMPLETE);
    assert_int_equal(outcome.body_size, 0);
    assert_int_equal(outcome.left, 3);
}

static void nul_in_the_head_is_refused(void **state) {
    (void)state;
    const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: \0y\r\n\r\n";
    assert_int_equal(parse(text, sizeof text - 1, 1000, 0, false).status, 400);
}

static void check_filled(const char *before, char filling, size_t count, const char *after, int status) {
    struct buffer text = {0};
    assert_int_equal(buffer_append(&text, before, strlen(before), NULL), STATUS_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buffer_append(&text, &filling, 1, NULL), STATUS_OK);
    assert_int_equal(buffer_append(&text, after, strlen(after), NULL), STATUS_OK);
    struct outcome outcome = parse((const char *)text.data, text.size, 1000, 0, false);
    assert_int_equal(outcome.status, status);
    buffer_free(&text);
}

static void limits_hold(void **state) {
    (void)state;
    check_filled("GET /", 'a', 2047, " HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    check_filled("GET /", 'a', 2048, " HTTP/1.1\r\nHost: a\r\n\r\n", 414);
    check_filled("GET /", 'a', 20000, "", 431);
    check_filled("GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', 16384 - 32, "\r\n\r\n", 0);
    check_filled("GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', 16384 - 31, "\r\n\r\n", 431);
    check_filled(HEAD "Transfer-Encoding: chunked\r\n\r\n5;", 'a', 100000, "\r\nhello\r\n0\r\n\r\n", 413);
    check_filled(HEAD "Transfer-Encoding: chunked\r\n\r\n186a1\r\n", 'a', 100001, "\r\n0\r\n\r\n", 413);
    check_filled(HEAD "Transfer-Encoding: chunked\r\n\r\n186a0\r\n", 'a', 100000, "\r\n0\r\n\r\n", 0);
}

static void header_fields_are_counted(void **state) {
    (void)state;
    for (int count = 64; count <= 65; count++) {
        struct buffer text = {0};
        assert_int_equal(buffer_append_format(&text, NULL, "GET / HTTP/1.1\r\nHost: a\r\n"), STATUS_OK);
        for (int i = 1; i < count; i++)
            assert_int_equal(buffer_append_format(&text, NULL, "X-%d: y\r\n", i), STATUS_OK);
        assert_int_equal(buffer_append_format(&text, NULL, "\r\n"), STATUS_OK);
        assert_int_equal(parse((const char *)text.data, text.size, 1000, 0, false).status,
                         count == 64 ? 0 : 431);
        buffer_free(&text);
    }
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u; /* Numerical Recipes, section 7.1 */
    return *state >> 8;
}

static void mutate(unsigned char *text, size_t *size, size_t capacity, uint32_t *random) {
    static const unsigned char telling[] = "\r\n \t:;,0123456789abcdef\0\x7f\xff/HTP";
    size_t position = next_random(random) % *size;
    unsigned char byte = telling[next_random(random) % (sizeof telling - 1)];
    switch (next_random(random) % 3) {
    case 0:
        text[position] = byte;
        break;
    case 1:
        memmove(text + position, text + position + 1, *size - position - 1);
        *size = *size > 1 ? *size - 1 : 1;
        break;
    default:
        if (*size == capacity)
            break;
        memmove(text + position + 1, text + position, *size - position);
        text[position] = byte;
        *size += 1;
        break;
    }
}

/* Malformed in ways nobody thought of: no read out of bounds (a sanitized build sees them), and the same
 * answer however the bytes are cut. */
static void mutated_requests_split_anywhere_give_the_same_answer(void **state) {
    (void)state;
    uint32_t random = 1;
    for (size_t round = 0; round < 20000; round++) {
        const struct example *example = &examples[round % (sizeof examples / sizeof examples[0])];
        unsigned char text[512];
        size_t size = strlen(example->text);
        assert_true(size < sizeof text / 2);
        memcpy(text, example->text, size);
        for (uint32_t mutations = 1 + next_random(&random) % 4; mutations > 0; mutations--)
            mutate(text, &size, sizeof text, &random);
        struct outcome whole = parse((const char *)text, size, size, 0, false);
        struct outcome cut = parse((const char *)text, size, size, next_random(&random) % size, false);
        struct outcome bytes = parse((const char *)text, size, 1, 0, false);
        assert_int_equal(whole.event, cut.event);
        assert_int_equal(whole.event, bytes.event);
        assert_int_equal(whole.status, cut.status);
        assert_int_equal(whole.status, bytes.status);
        if (whole.event == REQUEST_COMPLETE) {
            assert_int_equal(whole.left, cut.left);
            assert_int_equal(whole.left, bytes.left);
            assert_int_equal(whole.body_size, bytes.body_size);
        }
    }
}

static void check_path(const char *target, const char *path) {
    struct limits limits;
    limits_set_defaults(&limits);
    struct http_request request;
    http_request_init(&request, &limits);
    char text[256];
    int size =
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\nX-Request-Id:  r 1 \r\n\r\n", target);
    struct bytes input = bytes_of(text, (size_t)size);
    assert_int_equal(http_request_feed(&request, &input), REQUEST_HEAD_COMPLETE);
    assert_true(bytes_equal(http_request_path(&request), bytes_of_string(path)));
    assert_true(bytes_equal(http_request_field(&request, FIELD_REQUEST_ID), bytes_of_string("r 1")));
    assert_null(http_request_field(&request, FIELD_EXPECT).data);
    http_request_free(&request);
}

static void the_path_is_found(void **state) {
    (void)state;
    check_path("/v1/rerank", "/v1/rerank");
    check_path("/v1/rerank?a=/b", "/v1/rerank");
    check_path("http://host:1/x?y", "/x");
    check_path("HTTP://host", "/");
    check_path("/", "/");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_gives_the_same_answer),
        cmocka_unit_test(a_discarded_body_is_read_to_its_end),
        cmocka_unit_test(nul_in_the_head_is_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(header_fields_are_counted),
        cmocka_unit_test(the_path_is_found),
        cmocka_unit_test(mutated_requests_split_anywhere_give_the_same_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
