#include "base/json_writer.h"

#include "base/json_number.h"

#include <inttypes.h>
#include <stdio.h>

static void append(struct json_writer *writer, const void *data, size_t size) {
    if (writer->status == STATUS_OK)
        writer->status = buffer_append(writer->buffer, data, size, NULL);
}

static void begin_value(struct json_writer *writer) {
    if (writer->separate)
        append(writer, ",", 1);
    writer->separate = true;
}

static void begin_bracket(struct json_writer *writer, char bracket) {
    begin_value(writer);
    append(writer, &bracket, 1);
    writer->separate = false;
}

static void end_bracket(struct json_writer *writer, char bracket) {
    append(writer, &bracket, 1);
    writer->separate = true;
}

void json_begin_object(struct json_writer *writer) {
    begin_bracket(writer, '{');
}

void json_end_object(struct json_writer *writer) {
    end_bracket(writer, '}');
}

void json_begin_array(struct json_writer *writer) {
    begin_bracket(writer, '[');
}

void json_end_array(struct json_writer *writer) {
    end_bracket(writer, ']');
}

void json_key(struct json_writer *writer, const char *name) {
    begin_value(writer);
    append(writer, "\"", 1);
    append(writer, name, strlen(name));
    append(writer, "\":", 2);
    writer->separate = false;
}

static bool needs_escape(unsigned char byte) {
    return byte < 0x20 || byte == '"' || byte == '\\';
}

static void append_escape(struct json_writer *writer, unsigned char byte) {
    if (byte == '"' || byte == '\\') {
        char pair[2] = {'\\', (char)byte};
        append(writer, pair, sizeof pair);
        return;
    }
    char text[7];
    int length = snprintf(text, sizeof text, "\\u%04x", byte);
    append(writer, text, length < 0 ? 0 : (size_t)length);
}

void json_text(struct json_writer *writer, struct bytes text) {
    begin_value(writer);
    append(writer, "\"", 1);
    size_t start = 0;
    for (size_t position = 0; position < text.size; position++) {
        if (!needs_escape(text.data[position]))
            continue;
        append(writer, text.data + start, position - start);
        append_escape(writer, text.data[position]);
        start = position + 1;
    }
    if (start < text.size)
        append(writer, text.data + start, text.size - start);
    append(writer, "\"", 1);
}

void json_key_text(struct json_writer *writer, struct bytes name) {
    json_text(writer, name);
    append(writer, ":", 1);
    writer->separate = false;
}

void json_text_of_string(struct json_writer *writer, const char *text) {
    json_text(writer, bytes_of_string(text));
}

void json_begin_string(struct json_writer *writer) {
    begin_value(writer);
    append(writer, "\"", 1);
}

void json_string_part(struct json_writer *writer, const char *part, size_t size) {
    append(writer, part, size);
}

void json_end_string(struct json_writer *writer) {
    append(writer, "\"", 1);
}

void json_signed(struct json_writer *writer, int64_t value) {
    char text[24];
    int length = snprintf(text, sizeof text, "%" PRId64, value);
    begin_value(writer);
    append(writer, text, length < 0 ? 0 : (size_t)length);
}

void json_unsigned(struct json_writer *writer, uint64_t value) {
    char text[24];
    int length = snprintf(text, sizeof text, "%" PRIu64, value);
    begin_value(writer);
    append(writer, text, length < 0 ? 0 : (size_t)length);
}

void json_float(struct json_writer *writer, float value) {
    char text[JSON_NUMBER_SIZE];
    size_t length = json_number_print(value, text);
    begin_value(writer);
    append(writer, text, length);
}

void json_milliseconds(struct json_writer *writer, uint64_t nanoseconds) {
    char text[32];
    int length = snprintf(text, sizeof text, "%.3f", (double)nanoseconds / 1e6);
    begin_value(writer);
    append(writer, text, length < 0 ? 0 : (size_t)length);
}

void json_bool(struct json_writer *writer, bool value) {
    begin_value(writer);
    append(writer, value ? "true" : "false", value ? 4 : 5);
}

void json_null_value(struct json_writer *writer) {
    begin_value(writer);
    append(writer, "null", 4);
}

void json_string_member(struct json_writer *writer, const char *name, const char *text) {
    json_key(writer, name);
    json_text_of_string(writer, text);
}

void json_unsigned_member(struct json_writer *writer, const char *name, uint64_t value) {
    json_key(writer, name);
    json_unsigned(writer, value);
}

void json_bool_member(struct json_writer *writer, const char *name, bool value) {
    json_key(writer, name);
    json_bool(writer, value);
}

void json_verbatim(struct json_writer *writer, struct bytes value) {
    begin_value(writer);
    append(writer, value.data, value.size);
}

enum status json_writer_finish(const struct json_writer *writer, struct error *error) {
    if (writer->status != STATUS_OK)
        return error_set(error, writer->status, "no memory for a reply of more than %zu bytes",
                         writer->buffer->size);
    return STATUS_OK;
}
