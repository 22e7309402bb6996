/* The loop of every JSON-lines command: one JSON object per line in, one reply per line out, in the same
 * order. A bad line is answered in its place by {"error": message} and the rest go on; at the end standard
 * error has the count of bad lines and the exit status is 1. */
#ifndef RESCOLDO_CLI_JSON_LINES_H
#define RESCOLDO_CLI_JSON_LINES_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/json_writer.h"
#include "base/status.h"

#include <jansson.h>

/* Answers one request, a JSON object, by appending one JSON text without a newline to reply. request may be
 * changed; it is freed by the loop. A failure becomes the line's {"error": message}; what reply holds then is
 * dropped. */
typedef enum status (*json_line_handler)(void *state, json_t *request, struct buffer *reply,
                                         struct error *error);

/* Runs the loop over a path (NULL or "-": standard input); the exit status. */
int json_lines_run(const char *command, const char *path, json_line_handler handler, void *state);

/* Writes a whole parsed value, compact: members in their order, real numbers with the digits that read back
 * as the same double. */
void json_tree(struct json_writer *writer, const json_t *value);

/* Writes a message as a string. It may hold a file name that is not UTF-8, or be cut inside a character: each
 * byte that is not UTF-8 becomes "?". */
void json_message(struct json_writer *writer, const char *message);

/* A string member of an object as borrowed bytes. Absent or null: STATUS_NOT_FOUND; of another type:
 * STATUS_INVALID_DATA. Both messages name the member. */
MUST_CHECK enum status json_member_string(const json_t *object, const char *name, struct bytes *text,
                                          struct error *error);

#endif
