#include "cli/lines.h"

#include "cli/cli.h"
#include "tokenizer/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 65536 };

const char *const invalid_utf8_names[] = {"refuse", "replace", NULL};

enum status line_reader_open(struct line_reader *reader, const char *path, struct error *error) {
    *reader = (struct line_reader){.name = "standard input", .descriptor = STDIN_FILENO};
    if (path != NULL && strcmp(path, "-") != 0) {
        reader->name = path;
        reader->descriptor = open(path, O_RDONLY | O_CLOEXEC);
        if (reader->descriptor < 0)
            return error_set_errno(error, errno, "cannot open %s", path);
        reader->owned = true;
    }
    struct stat information;
    if (fstat(reader->descriptor, &information) == 0 && S_ISDIR(information.st_mode)) {
        line_reader_close(reader);
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s is a directory, expected a file", reader->name);
    }
    return STATUS_OK;
}

/* Reads more bytes behind those pending; at the end of the input sets ended. */
static enum status read_more(struct line_reader *reader, struct error *error) {
    struct buffer *pending = &reader->pending;
    if (reader->start > 0) {
        memmove(pending->data, pending->data + reader->start, pending->size - reader->start);
        pending->size -= reader->start;
        reader->start = 0;
    }
    enum status status = buffer_reserve(pending, READ_SIZE, error);
    if (status != STATUS_OK)
        return status;
    ssize_t count;
    do
        count = read(reader->descriptor, pending->data + pending->size, READ_SIZE);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return error_set_errno(error, errno, "cannot read %s", reader->name);
    if (count == 0)
        reader->ended = true;
    pending->size += (size_t)count;
    return STATUS_OK;
}

/* The bytes of a whole line without its ending and without a byte order mark. */
static struct bytes strip(const unsigned char *data, size_t size, bool first) {
    if (size > 0 && data[size - 1] == '\r')
        size--;
    if (first && size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0)
        return bytes_of(data + 3, size - 3);
    return bytes_of(data, size);
}

static enum status line_too_long(const struct line_reader *reader, struct error *error) {
    return error_set(error, STATUS_LIMIT_EXCEEDED, "line %llu of %s is longer than %zu bytes",
                     (unsigned long long)reader->number, reader->name, LINE_MAX_BYTES);
}

enum status line_reader_next(struct line_reader *reader, struct bytes *line, bool *found,
                             struct error *error) {
    *found = false;
    *line = (struct bytes){0};
    bool too_long = false;
    size_t searched = 0; /* bytes after start that hold no LF */
    for (;;) {
        size_t available = reader->pending.size - reader->start;
        const unsigned char *data = available == 0 ? NULL : reader->pending.data + reader->start;
        const unsigned char *end =
            available > searched ? memchr(data + searched, '\n', available - searched) : NULL;
        if (end != NULL || (reader->ended && (available > 0 || too_long))) {
            size_t size = end != NULL ? (size_t)(end - data) : available;
            reader->start += size + (end != NULL);
            reader->number++;
            if (too_long || size > LINE_MAX_BYTES)
                return line_too_long(reader, error);
            *line = size == 0 ? bytes_of("", 0) : strip(data, size, reader->number == 1);
            *found = true;
            return STATUS_OK;
        }
        if (reader->ended)
            return STATUS_OK;
        searched = available;
        if (available > LINE_MAX_BYTES) {
            too_long = true;
            reader->start = reader->pending.size;
            searched = 0;
        }
        enum status status = read_more(reader, error);
        if (status != STATUS_OK)
            return status;
    }
}

enum status line_reader_require_some(const struct line_reader *reader, const char *expected,
                                     struct error *error) {
    if (reader->number > 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_DATA, "%s is empty, expected %s", reader->name, expected);
}

bool line_reader_has_line(const struct line_reader *reader) {
    size_t available = reader->pending.size - reader->start;
    return available > 0 && memchr(reader->pending.data + reader->start, '\n', available) != NULL;
}

enum status line_check_utf8(const struct line_reader *reader, struct bytes line, struct error *error) {
    size_t invalid = utf8_find_invalid(line);
    if (invalid == line.size)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_DATA, "line %llu of %s is not UTF-8 at byte %zu",
                     (unsigned long long)reader->number, reader->name, invalid);
}

void line_reader_close(struct line_reader *reader) {
    if (reader->owned)
        close(reader->descriptor);
    reader->owned = false;
    buffer_free(&reader->pending);
}

void failed_lines_add(struct failed_lines *failed, uint64_t number) {
    if (failed->count++ == 0)
        failed->first = number;
}

int failed_lines_report(const struct failed_lines *failed, const struct line_reader *reader,
                        const char *command, const char *done) {
    if (failed->count == 0)
        return EXIT_SUCCESS;
    cli_message(command, "%llu of %llu lines could not be %s, line %llu first",
                (unsigned long long)failed->count, (unsigned long long)reader->number, done,
                (unsigned long long)failed->first);
    return EXIT_FAILED;
}
