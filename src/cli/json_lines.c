#include "cli/json_lines.h"

#include "cli/cli.h"
#include "cli/lines.h"
#include "tokenizer/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Strict JSON; NUL characters in strings are kept, since they may occur in texts. */
static enum status parse_request(struct bytes line, json_t **request, struct error *error) {
    json_error_t reason;
    *request = json_loadb(line.size == 0 ? "" : (const char *)line.data, line.size,
                          JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &reason);
    if (*request == NULL && json_error_code(&reason) == json_error_out_of_memory)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a line of %zu bytes", line.size);
    if (*request == NULL)
        return error_set(error, STATUS_INVALID_DATA, "not valid JSON at byte %d: %s", reason.position,
                         reason.text);
    if (json_is_object(*request))
        return STATUS_OK;
    json_decref(*request);
    return error_set(error, STATUS_INVALID_DATA, "expected a JSON object, found an array");
}

/* The fewest digits that read back as the same double. */
static void write_real(struct json_writer *writer, double real) {
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text - 2, "%.*g", digits, real);
        /* Equality is meant: the text must give the same double. */
        if (!(strtod(text, NULL) < real) && !(strtod(text, NULL) > real))
            break;
    }
    /* A real stays a real: without point or exponent it would be read back as an integer. */
    if (strpbrk(text, ".e") == NULL)
        strcat(text, ".0");
    json_verbatim(writer, bytes_of_string(text));
}

static void write_array(struct json_writer *writer, const json_t *array) {
    json_begin_array(writer);
    for (size_t i = 0; i < json_array_size(array); i++)
        json_tree(writer, json_array_get(array, i));
    json_end_array(writer);
}

static void write_object(struct json_writer *writer, const json_t *object) {
    /* Iterating changes nothing; jansson's iterators lack a const form. */
    json_t *iterated = (json_t *)(uintptr_t)object;
    json_begin_object(writer);
    for (void *member = json_object_iter(iterated); member != NULL;
         member = json_object_iter_next(iterated, member)) {
        json_key_text(writer, bytes_of_string(json_object_iter_key(member)));
        json_tree(writer, json_object_iter_value(member));
    }
    json_end_object(writer);
}

void json_tree(struct json_writer *writer, const json_t *value) {
    char integer[24];
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(writer, value);
        return;
    case JSON_ARRAY:
        write_array(writer, value);
        return;
    case JSON_STRING:
        json_text(writer, bytes_of(json_string_value(value), json_string_length(value)));
        return;
    case JSON_INTEGER:
        snprintf(integer, sizeof integer, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        json_verbatim(writer, bytes_of_string(integer));
        return;
    case JSON_REAL:
        write_real(writer, json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        json_bool(writer, json_is_true(value));
        return;
    case JSON_NULL:
        json_null_value(writer);
        return;
    }
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

void json_message(struct json_writer *writer, const char *message) {
    struct bytes rest = bytes_of_string(message);
    size_t invalid = utf8_find_invalid(rest);
    if (invalid == rest.size) {
        json_text(writer, rest);
        return;
    }
    char text[sizeof((struct error *)NULL)->message];
    snprintf(text, sizeof text, "%s", message);
    rest = bytes_of_string(text);
    while ((invalid = utf8_find_invalid(rest)) < rest.size)
        text[(size_t)(rest.data - (const unsigned char *)text) + invalid] = '?';
    json_text(writer, rest);
}

static enum status answer_line(struct bytes line, json_line_handler handler, void *state,
                               struct buffer *reply, struct error *error) {
    json_t *request;
    enum status status = parse_request(line, &request, error);
    if (status != STATUS_OK)
        return status;
    status = handler(state, request, reply, error);
    json_decref(request);
    return status;
}

/* Replaces what a failed line has in reply by {"error": message}. */
static enum status replace_by_error(struct buffer *reply, const struct error *failure, struct error *error) {
    reply->size = 0;
    struct json_writer writer = json_writer_to(reply);
    json_begin_object(&writer);
    json_key(&writer, "error");
    json_message(&writer, failure->message);
    json_end_object(&writer);
    return json_writer_finish(&writer, error);
}

static enum status write_reply(struct buffer *reply, struct error *error) {
    enum status status = cli_write_line(reply, error);
    /* The reader may be a program that waits for this reply before it sends its next line. */
    return status == STATUS_OK ? cli_flush(error) : status;
}

static enum status answer_all(struct line_reader *reader, json_line_handler handler, void *state,
                              struct buffer *reply, struct failed_lines *failed, struct error *error) {
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
            failed_lines_add(failed, reader->number);
            status = replace_by_error(reply, &failure, error);
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
    struct failed_lines failed = {0};
    enum status status = answer_all(&reader, handler, state, &reply, &failed, &error);
    int outcome = failed_lines_report(&failed, &reader, command, "answered");
    buffer_free(&reply);
    line_reader_close(&reader);
    if (status != STATUS_OK)
        return cli_fail(command, &error);
    return outcome;
}
