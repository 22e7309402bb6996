/* Errors are values: a function that can fail returns an enum status and, through its last parameter, one
 * message that says what was expected, what was found and where. The message is meant for the user as it is.
 */
#ifndef RESCOLDO_BASE_STATUS_H
#define RESCOLDO_BASE_STATUS_H

#include "base/compiler.h"

enum status {
    STATUS_OK = 0,
    STATUS_INVALID_ARGUMENT,  /* the caller's request cannot be met as asked */
    STATUS_INVALID_DATA,      /* bytes from outside are malformed */
    STATUS_UNSUPPORTED,       /* well-formed, but we do not have it */
    STATUS_NOT_FOUND,         /* a file, section, tensor or name is absent */
    STATUS_LIMIT_EXCEEDED,    /* larger than a stated limit */
    STATUS_OUT_OF_MEMORY,     /* an allocation failed */
    STATUS_INPUT_OUTPUT,      /* a system call failed; the message carries errno's text */
    STATUS_CANCELLED,         /* the caller's cancel flag was set */
    STATUS_DEADLINE_EXCEEDED, /* the caller's deadline passed */
    STATUS_INTERNAL,          /* a bug of ours: please report it */
};

struct error {
    enum status status;
    char message[512]; /* UTF-8, NUL-terminated, cut where it is too long */
};

/* A name for logs and JSON, such as "invalid_data". Never NULL. */
const char *status_name(enum status status);

/* Stores the status and message and returns the status, so that a failure reads
 * `return error_set(error, STATUS_..., "...")`. error may be NULL. */
enum status error_set(struct error *error, enum status status, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " in front of the message of an error already set; returns error->status. */
enum status error_add_context(struct error *error, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* error_set with ": " and the text of errno_value appended; STATUS_NOT_FOUND for ENOENT, STATUS_OUT_OF_MEMORY
 * for ENOMEM, STATUS_INPUT_OUTPUT for the rest. */
enum status error_set_errno(struct error *error, int errno_value, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
