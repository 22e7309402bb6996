/* Writes JSON (RFC 8259) to the end of a buffer, without building a tree first. A failure (out of memory) is
 * kept: later calls do nothing, and json_writer_finish reports it. Commas are placed by the writer; that keys
 * and values alternate and that brackets match is the caller's promise. */
#ifndef RESCOLDO_BASE_JSON_WRITER_H
#define RESCOLDO_BASE_JSON_WRITER_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct json_writer {
    struct buffer *buffer;
    enum status status;
    bool separate; /* a comma belongs before the next key or value */
};

static inline struct json_writer json_writer_to(struct buffer *buffer) {
    return (struct json_writer){.buffer = buffer, .status = STATUS_OK, .separate = false};
}

void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);

/* name must need no escaping: all keys are ours. */
void json_key(struct json_writer *writer, const char *name);
/* A key of any UTF-8 text, escaped where it must be. */
void json_key_text(struct json_writer *writer, struct bytes name);

/* text must be UTF-8; quotes, backslashes and control characters are escaped. */
void json_text(struct json_writer *writer, struct bytes text);
void json_text_of_string(struct json_writer *writer, const char *text);
/* A string in parts that need no escaping, between a begin and an end. */
void json_begin_string(struct json_writer *writer);
void json_string_part(struct json_writer *writer, const char *part, size_t size);
void json_end_string(struct json_writer *writer);
void json_unsigned(struct json_writer *writer, uint64_t value);
void json_signed(struct json_writer *writer, int64_t value);
void json_float(struct json_writer *writer, float value);
/* With three digits after the point: durations in milliseconds. */
void json_milliseconds(struct json_writer *writer, uint64_t nanoseconds);
void json_bool(struct json_writer *writer, bool value);
void json_null_value(struct json_writer *writer);
/* A key and its value; name as in json_key. */
void json_string_member(struct json_writer *writer, const char *name, const char *text);
void json_unsigned_member(struct json_writer *writer, const char *name, uint64_t value);
void json_bool_member(struct json_writer *writer, const char *name, bool value);
/* A value that is JSON already. */
void json_verbatim(struct json_writer *writer, struct bytes value);

/* STATUS_OK when everything is in the buffer. */
MUST_CHECK enum status json_writer_finish(const struct json_writer *writer, struct error *error);

#endif
