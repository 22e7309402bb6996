#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *status_name(enum status status) {
    switch (status) {
    case STATUS_OK:
        return "ok";
    case STATUS_INVALID_ARGUMENT:
        return "invalid_argument";
    case STATUS_INVALID_DATA:
        return "invalid_data";
    case STATUS_UNSUPPORTED:
        return "unsupported";
    case STATUS_NOT_FOUND:
        return "not_found";
    case STATUS_LIMIT_EXCEEDED:
        return "limit_exceeded";
    case STATUS_OUT_OF_MEMORY:
        return "out_of_memory";
    case STATUS_INPUT_OUTPUT:
        return "input_output";
    case STATUS_CANCELLED:
        return "cancelled";
    case STATUS_DEADLINE_EXCEEDED:
        return "deadline_exceeded";
    case STATUS_INTERNAL:
        return "internal";
    }
    return "unknown";
}

enum status error_set(struct error *error, enum status status, const char *format, ...) {
    if (error == NULL)
        return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

/* Appends ": text" to a message of `written` characters, cut where it does not fit. */
static void append_reason(struct error *error, int written, const char *text) {
    if (written < 0)
        return;
    size_t position = (size_t)written;
    const char *parts[] = {": ", text};
    for (int part = 0; part < 2; part++) {
        for (const char *next = parts[part]; *next != '\0' && position + 1 < sizeof error->message; next++)
            error->message[position++] = *next;
    }
    if (position < sizeof error->message)
        error->message[position] = '\0';
}

enum status error_add_context(struct error *error, enum status status, const char *format, ...) {
    if (error == NULL)
        return status;
    char previous[sizeof error->message];
    memcpy(previous, error->message, sizeof previous);
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    append_reason(error, written, previous);
    error->status = status;
    return status;
}

enum status error_set_errno(struct error *error, int errno_value, const char *format, ...) {
    enum status status = errno_value == ENOENT   ? STATUS_NOT_FOUND
                         : errno_value == ENOMEM ? STATUS_OUT_OF_MEMORY
                                                 : STATUS_INPUT_OUTPUT;
    if (error == NULL)
        return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    append_reason(error, written, strerror(errno_value));
    return status;
}
