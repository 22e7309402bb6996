#include "cli/json_lines.h"

#include "cli/cli.h"
#include "cli/lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum status json_parse(struct bytes text, json_t **value, struct error *error) {
    json_error_t reason;
    *value = json_loadb(text.size == 0 ? "" : (const char *)text.data, text.size,
                        JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &reason);
    if (*value != NULL)
        return STATUS_OK;
    if (json_error_code(&reason) == json_error_out_of_memory)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a JSON text of %zu bytes", text.size);
    return error_set(error, STATUS_INVALID_DATA, "not valid JSON at byte %d: %s", reason.position,
                     reason.text);
}

static int append_chunk(const char *data, size_t size, void *buffer) {
    return buffer_append(buffer, data, size, NULL) == STATUS_OK ? 0 : -1;
}

/* The fewest digits that read back as the same double. */
static enum status append_real(struct buffer *buffer, double real, struct error *error) {
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, real);
        if (strtod(text, NULL) == real)
            break;
    }
    enum status status = buffer_append(buffer, text, strlen(text), error);
    /* A real stays a real: without point or exponent it would be read back as an integer. */
    if (status == STATUS_OK && strpbrk(text, ".e") == NULL)
        status = buffer_append(buffer, ".0", 2, error);
    return status;
}

static enum status append_scalar(struct buffer *buffer, const json_t *value, struct error *error) {
    if (json_dump_callback(value, append_chunk, buffer, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to write a JSON value");
    return STATUS_OK;
}

enum status json_append_string(struct buffer *buffer, struct bytes text, struct error *error) {
    json_t *string = json_stringn(text.size == 0 ? "" : (const char *)text.data, text.size);
    if (string == NULL)
        return error_set(error, STATUS_INVALID_DATA, "a text is not valid UTF-8");
    enum status status = append_scalar(buffer, string, error);
    json_decref(string);
    return status;
}

static enum status append_array(struct buffer *buffer, const json_t *array, struct error *error) {
    enum status status = buffer_append(buffer, "[", 1, error);
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(array); i++) {
        if (i > 0)
            status = buffer_append(buffer, ",", 1, error);
        if (status == STATUS_OK)
            status = json_append_value(buffer, json_array_get(array, i), error);
    }
    return status == STATUS_OK ? buffer_append(buffer, "]", 1, error) : status;
}

static enum status append_object(struct buffer *buffer, const json_t *object, struct error *error) {
    const char *separator = "{";
    /* Iterating changes nothing; jansson's iterators lack a const form. */
    json_t *iterated = (json_t *)(uintptr_t)object;
    for (void *member = json_object_iter(iterated); member != NULL;
         member = json_object_iter_next(iterated, member)) {
        struct bytes name = bytes_of_string(json_object_iter_key(member));
        enum status status = buffer_append(buffer, separator, 1, error);
        if (status == STATUS_OK)
            status = json_append_string(buffer, name, error);
        if (status == STATUS_OK)
            status = buffer_append(buffer, ":", 1, error);
        if (status == STATUS_OK)
            status = json_append_value(buffer, json_object_iter_value(member), error);
        if (status != STATUS_OK)
            return status;
        separator = ",";
    }
    return buffer_append_format(buffer, error, "%s}", *separator == '{' ? "{" : "");
}

enum status json_append_value(struct buffer *buffer, const json_t *value, struct error *error) {
    if (json_is_array(value))
        return append_array(buffer, value, error);
    if (json_is_object(value))
        return append_object(buffer, value, error);
    if (json_is_real(value))
        return append_real(buffer, json_real_value(value), error);
    return append_scalar(buffer, value, error);
}

enum status json_member_string(const json_t *object, const char *name, struct bytes *text,
                               struct error *error) {
    const json_t *member = json_object_get(object, name);
    if (member == NULL || json_is_null(member))
        return error_set(error, STATUS_NOT_FOUND, "\"%s\" is missing, expected a string", name);
    if (!json_is_string(member))
        return error_set(error, STATUS_INVALID_DATA, "\"%s\" is not a string", name);
    *text = bytes_of(json_string_value(member), json_string_length(member));
    return STATUS_OK;
}

static enum status answer_line(struct bytes line, json_line_handler handler, void *state,
                               struct buffer *reply, struct error *error) {
    json_t *request;
    enum status status = json_parse(line, &request, error);
    if (status != STATUS_OK)
        return status;
    if (json_is_object(request))
        status = handler(state, request, reply, error);
    else
        status = error_set(error, STATUS_INVALID_DATA, "expected a JSON object, found another type of value");
    json_decref(request);
    return status;
}

/* Replaces what a failed line has in reply by {"error": message}. */
static enum status append_error(struct buffer *reply, const struct error *failure, struct error *error) {
    reply->size = 0;
    json_t *object = json_pack("{s:s}", "error", failure->message);
    /* A message cut in the middle of a character is not UTF-8; it is then told by its kind alone. */
    if (object == NULL)
        object = json_pack("{s:s}", "error", status_name(failure->status));
    if (object == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to report an error");
    enum status status = json_append_value(reply, object, error);
    json_decref(object);
    return status;
}

static enum status write_reply(struct buffer *reply, struct error *error) {
    enum status status = buffer_append(reply, "\n", 1, error);
    if (status != STATUS_OK)
        return status;
    fwrite(reply->data, 1, reply->size, stdout);
    /* The reader may be a program that waits for this reply before it sends its next line. */
    return cli_flush(error);
}

static enum status answer_all(struct line_reader *reader, json_line_handler handler, void *state,
                              struct buffer *reply, uint64_t *failed, struct error *error) {
    for (;;) {
        struct bytes line;
        bool found;
        struct error failure;
        reply->size = 0;
        enum status status = line_reader_next(reader, &line, &found, &failure);
        if (status == STATUS_OK && !found)
            return line_reader_require_some(reader, "one JSON object per line", error);
        if (status == STATUS_OK)
            status = answer_line(line, handler, state, reply, &failure);
        else if (status != STATUS_LIMIT_EXCEEDED)
            return *error = failure, status;
        if (status != STATUS_OK) {
            ++*failed;
            status = append_error(reply, &failure, error);
            if (status != STATUS_OK)
                return status;
        }
        status = write_reply(reply, error);
        if (status != STATUS_OK)
            return status;
    }
}

int json_lines_run(const char *command, const char *path, json_line_handler handler, void *state) {
    struct error error;
    struct line_reader reader;
    if (line_reader_open(&reader, path, &error) != STATUS_OK)
        return cli_fail(command, &error);
    struct buffer reply = {0};
    uint64_t failed = 0;
    enum status status = answer_all(&reader, handler, state, &reply, &failed, &error);
    if (failed > 0)
        cli_message(command, "%llu of %llu lines could not be answered", (unsigned long long)failed,
                    (unsigned long long)reader.number);
    buffer_free(&reply);
    line_reader_close(&reader);
    if (status != STATUS_OK)
        return cli_fail(command, &error);
    return failed > 0 ? EXIT_FAILED : EXIT_SUCCESS;
}
