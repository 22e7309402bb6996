#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void cli_message(const char *command, const char *format, ...) {
    /* One write per message, so that the lines of several processes on one terminal do not mix. */
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* A message may quote a file that was made to steer the terminal. */
    for (char *character = text; *character != '\0'; character++) {
        if ((unsigned char)*character < ' ' || *character == 0x7F)
            *character = '?';
    }
    fprintf(stderr, "rescoldo%s%s: %s\n", command == NULL ? "" : " ", command == NULL ? "" : command, text);
}

int cli_fail(const char *command, const struct error *error) {
    cli_message(command, "%s", error->message);
    return EXIT_FAILED;
}

bool cli_wants_table(bool json) {
    return !json && isatty(STDOUT_FILENO) == 1;
}

/* errno_value is 0 where the write that failed was an earlier one, of which only the stream's flag is left.
 */
static enum status output_failed(int errno_value, struct error *error) {
    if (errno_value == 0)
        return error_set(error, STATUS_INPUT_OUTPUT, "cannot write to standard output");
    return error_set_errno(error, errno_value, "cannot write to standard output");
}

enum status cli_flush(struct error *error) {
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return output_failed(errno, error);
    return STATUS_OK;
}

enum status cli_write_line(struct buffer *line, struct error *error) {
    enum status status = buffer_append(line, "\n", 1, error);
    if (status != STATUS_OK)
        return status;
    errno = 0;
    if (fwrite(line->data, 1, line->size, stdout) != line->size)
        return output_failed(errno, error);
    return STATUS_OK;
}

int cli_finish(const char *command, int exit_status) {
    struct error error;
    /* A command that failed has said why, and often it was this very stream. */
    if (cli_flush(&error) != STATUS_OK && exit_status == EXIT_SUCCESS)
        return cli_fail(command, &error);
    return exit_status;
}
