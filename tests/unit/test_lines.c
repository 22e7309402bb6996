#include "cli/lines.h"
#include "temporary_file.h"
#include "unit_test.h"

#include <string.h>

/* Lines of a file with this content, compared with those expected up to a NULL. */
static void check_lines(struct bytes content, const char *const *expected) {
    char path[sizeof TEMPORARY_PATH];
    temporary_file(path, content);
    struct line_reader reader;
    struct error error;
    assert_int_equal(line_reader_open(&reader, path, &error), STATUS_OK);
    struct bytes line;
    bool found;
    for (; *expected != NULL; expected++) {
        assert_int_equal(line_reader_next(&reader, &line, &found, &error), STATUS_OK);
        assert_true(found);
        assert_true(bytes_equal(line, bytes_of_string(*expected)));
    }
    assert_int_equal(line_reader_next(&reader, &line, &found, &error), STATUS_OK);
    assert_false(found);
    line_reader_close(&reader);
    unlink(path);
}

static void endings_and_marks_are_not_text(void **state) {
    (void)state;
    check_lines(bytes_of_string(""), (const char *const[]){NULL});
    check_lines(bytes_of_string("\n"), (const char *const[]){"", NULL});
    check_lines(bytes_of_string("a\n\nb"), (const char *const[]){"a", "", "b", NULL});
    check_lines(bytes_of_string("a\r\nb\rc\r\n"), (const char *const[]){"a", "b\rc", NULL});
    check_lines(bytes_of_string("\xEF\xBB\xBFmark\n\xEF\xBB\xBFtext\n"),
                (const char *const[]){"mark", "\xEF\xBB\xBFtext", NULL});
}

static void append_repeated(struct buffer *content, char byte, size_t count) {
    struct error error;
    assert_int_equal(buffer_append_zeros(content, count, &error), STATUS_OK);
    memset(content->data + content->size - count, byte, count);
}

static void append_text(struct buffer *content, const char *text) {
    struct error error;
    assert_int_equal(buffer_append(content, text, strlen(text), &error), STATUS_OK);
}

static void a_line_beyond_the_limit_is_skipped(void **state) {
    (void)state;
    struct buffer content = {0};
    append_text(&content, "before\n");
    append_repeated(&content, 'x', LINE_MAX_BYTES + 1);
    append_text(&content, "\n");
    append_repeated(&content, 'y', LINE_MAX_BYTES);
    append_text(&content, "\nafter\n");
    append_repeated(&content, 'z', 3 * LINE_MAX_BYTES);
    char path[sizeof TEMPORARY_PATH];
    temporary_file(path, buffer_bytes(&content));
    struct line_reader reader;
    struct error error;
    assert_int_equal(line_reader_open(&reader, path, &error), STATUS_OK);
    struct bytes line;
    bool found;
    assert_int_equal(line_reader_next(&reader, &line, &found, &error), STATUS_OK);
    assert_int_equal(line_reader_next(&reader, &line, &found, &error), STATUS_LIMIT_EXCEEDED);
    assert_non_null(strstr(error.message, "line 2 of "));
    assert_int_equal(line_reader_next(&reader, &line, &found, &error), STATUS_OK);
    assert_int_equal(line.size, LINE_MAX_BYTES);
    assert_int_equal(line_reader_next(&reader, &line, &found, &error), STATUS_OK);
    assert_true(bytes_equal(line, bytes_of_string("after")));
    assert_int_equal(line_reader_next(&reader, &line, &found, &error), STATUS_LIMIT_EXCEEDED);
    assert_true(reader.pending.capacity < 4 * LINE_MAX_BYTES);
    assert_int_equal(line_reader_next(&reader, &line, &found, &error), STATUS_OK);
    assert_false(found);
    line_reader_close(&reader);
    buffer_free(&content);
    unlink(path);
}

static void what_cannot_be_read_is_named(void **state) {
    (void)state;
    struct line_reader reader;
    struct error error;
    assert_int_equal(line_reader_open(&reader, "/nonexistent/file", &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nonexistent/file"));
    assert_int_equal(line_reader_open(&reader, "/tmp", &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "/tmp is a directory"));
}

static void invalid_utf8_is_found(void **state) {
    (void)state;
    const struct line_reader reader = {.name = "texts", .number = 3};
    struct error error;
    const char *const valid[] = {"", "plain", "\xC3\xA9\xE6\x9D\xB1\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        assert_int_equal(line_check_utf8(&reader, bytes_of_string(valid[i]), &error), STATUS_OK);
    const char *const invalid[] = {"ab\xFF", "ab\xC3", "ab\xED\xA0\x80", "ab\xC0\x80", "ab\xF4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        assert_int_equal(line_check_utf8(&reader, bytes_of_string(invalid[i]), &error), STATUS_INVALID_DATA);
        assert_string_equal(error.message, "line 3 of texts is not UTF-8 at byte 2");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endings_and_marks_are_not_text),
        cmocka_unit_test(a_line_beyond_the_limit_is_skipped),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(invalid_utf8_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
