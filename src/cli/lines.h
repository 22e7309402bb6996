/* Lines of a file or of standard input, one at a time: input of any length in bounded memory. Lines end with
 * LF; a CR before it and a byte order mark at the start of the input are not part of the text. A last line
 * without LF counts; an LF at the very end begins no further line. */
#ifndef RESCOLDO_CLI_LINES_H
#define RESCOLDO_CLI_LINES_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define LINE_MAX_BYTES ((size_t)16 << 20) /* a longer line is refused, and the rest still read */

/* The names of enum invalid_utf8, as the choices of an option. */
extern const char *const invalid_utf8_names[];

struct line_reader {
    const char *name; /* the path, or "standard input", for messages */
    uint64_t number;  /* of the line returned last, from 1 */
    int descriptor;
    bool owned; /* the descriptor is to be closed */
    bool ended;
    struct buffer pending;
    size_t start; /* of the next line in pending */
};

/* Opens a path; NULL or "-" is standard input. A directory is refused by name. */
MUST_CHECK enum status line_reader_open(struct line_reader *reader, const char *path, struct error *error);

/* The next line, borrowed until the next call; *found is false at the end. STATUS_LIMIT_EXCEEDED says that
 * this line is longer than LINE_MAX_BYTES: it has been skipped and reading may go on. Any other failure is
 * final. */
MUST_CHECK enum status line_reader_next(struct line_reader *reader, struct bytes *line, bool *found,
                                        struct error *error);

/* STATUS_INVALID_DATA "NAME is empty, expected WHAT" when not one line was found. */
MUST_CHECK enum status line_reader_require_some(const struct line_reader *reader, const char *expected,
                                                struct error *error);

/* True when the next line is in memory already, so that line_reader_next will not wait for more input. */
bool line_reader_has_line(const struct line_reader *reader);

/* STATUS_INVALID_DATA names the line just returned and the first byte that is not UTF-8. */
MUST_CHECK enum status line_check_utf8(const struct line_reader *reader, struct bytes line,
                                       struct error *error);

void line_reader_close(struct line_reader *reader);

/* Lines that were answered by an error. */
struct failed_lines {
    uint64_t count;
    uint64_t first; /* its number, from 1 */
};

void failed_lines_add(struct failed_lines *failed, uint64_t number);

/* "N of M lines could not be DONE, line F first" on standard error, when there were any; the exit status. */
int failed_lines_report(const struct failed_lines *failed, const struct line_reader *reader,
                        const char *command, const char *done);

#endif
