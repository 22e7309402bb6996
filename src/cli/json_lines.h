/* The loop of every JSON-lines command: one JSON object per line in, one reply per line out, in the same
 * order. A bad line is answered in its place by {"error": message} and the rest go on; at the end standard
 * error has the count of bad lines and the exit status is 1. */
#ifndef RESCOLDO_CLI_JSON_LINES_H
#define RESCOLDO_CLI_JSON_LINES_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <jansson.h>

/* Answers one request, a JSON object, by appending one JSON text without a newline to reply. request may be
 * changed; it is freed by the loop. A failure becomes the line's {"error": message}; what reply holds then is
 * dropped. */
typedef enum status (*json_line_handler)(void *state, json_t *request, struct buffer *reply,
                                         struct error *error);

/* Runs the loop over a path (NULL or "-": standard input); the exit status. */
int json_lines_run(const char *command, const char *path, json_line_handler handler, void *state);

/* Appends a JSON string literal of UTF-8 text; STATUS_INVALID_DATA for invalid UTF-8. */
MUST_CHECK enum status json_append_string(struct buffer *buffer, struct bytes text, struct error *error);

/* Appends a whole value, compact; real numbers with the digits that read back as the same double. */
MUST_CHECK enum status json_append_value(struct buffer *buffer, const json_t *value, struct error *error);

/* A string member of an object as borrowed bytes. Absent or null: STATUS_NOT_FOUND; of another type:
 * STATUS_INVALID_DATA. Both messages name the member. */
MUST_CHECK enum status json_member_string(const json_t *object, const char *name, struct bytes *text,
                                          struct error *error);

/* Parses strict JSON: duplicate members are refused, NUL characters kept. The message names the column. */
MUST_CHECK enum status json_parse(struct bytes text, json_t **value, struct error *error);

#endif
