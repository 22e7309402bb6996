#include "server/json_body.h"

#include <inttypes.h>
#include <stdlib.h>

/* Counts brackets and separators outside strings, so that a body of millions of tiny values is refused before
 * it becomes a tree twenty times its size. What is not JSON is left for the parser to say. */
static int check_bounds(struct bytes text, const struct limits *limits, struct api_error *error) {
    uint64_t depth = 0, values = 1;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = text.data[i];
        if (in_string) {
            if (byte == '\\')
                i++;
            in_string = byte != '"';
            continue;
        }
        in_string = byte == '"';
        if (byte == '[' || byte == '{')
            depth++;
        else if ((byte == ']' || byte == '}') && depth > 0)
            depth--;
        if (byte == ',' || byte == ':' || byte == '[' || byte == '{')
            values++;
        if (depth > limits->max_json_depth)
            return api_refuse(error, 400, "json_too_deep",
                              "the body is nested deeper than %" PRIu64 " levels at byte %zu",
                              limits->max_json_depth, i);
        if (values > limits->max_json_values)
            return api_refuse(error, 400, "too_many_json_values",
                              "the body holds more than %" PRIu64
                              " JSON values (texts are accepted, arrays of token "
                              "ids are not)",
                              limits->max_json_values);
    }
    return 0;
}

/* Without memory jansson calls a text malformed, or leaves bytes out of a string and says nothing; and it
 * does not tell its allocator for whom it allocates. */
static _Thread_local bool allocation_failed;

static void *allocate(size_t size) {
    void *memory = malloc(size);
    allocation_failed |= memory == NULL;
    return memory;
}

void json_body_prepare(void) {
    json_set_alloc_funcs(allocate, free);
    json_object_seed(0);
}

int json_body_parse(struct bytes text, const struct limits *limits, json_t **document,
                    struct api_error *error) {
    *document = NULL;
    if (text.size == 0)
        return api_refuse(error, 400, "invalid_json", "the body is empty, expected a JSON object");
    if (check_bounds(text, limits, error) != 0)
        return -1;
    json_error_t reason;
    allocation_failed = false;
    json_t *value = json_loadb((const char *)text.data, text.size,
                               JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &reason);
    if (allocation_failed) {
        json_decref(value);
        return api_refuse(error, 500, "out_of_memory", "no memory to parse the body");
    }
    if (value == NULL)
        return api_refuse(error, 400, "invalid_json", "the body is not valid JSON at byte %d: %s",
                          reason.position, reason.text);
    if (!json_is_object(value)) {
        api_refuse(error, 400, "invalid_json", "the body is %s, expected an object", json_type_name(value));
        json_decref(value);
        return -1;
    }
    *document = value;
    return 0;
}

json_t *json_field(const json_t *document, const char *name) {
    json_t *value = json_object_get(document, name);
    return json_is_null(value) ? NULL : value;
}

struct bytes json_string_bytes(const json_t *string) {
    return bytes_of(json_string_value(string), json_string_length(string));
}

int json_field_boolean(const json_t *document, const char *name, bool *value, struct api_error *error) {
    const json_t *field = json_field(document, name);
    if (field == NULL)
        return 0;
    if (!json_is_boolean(field))
        return api_refuse_field(error, name, "%s is %s, expected true or false", name, json_type_name(field));
    *value = json_is_true(field);
    return 0;
}

static int field_integer(const json_t *document, const char *name, json_int_t minimum, uint64_t *value,
                         struct api_error *error) {
    const json_t *field = json_field(document, name);
    if (field == NULL)
        return 0;
    if (!json_is_integer(field))
        return api_refuse_field(error, name,
                                "%s is %s, expected an integer of at least %" JSON_INTEGER_FORMAT, name,
                                json_is_real(field) ? "a fraction" : json_type_name(field), minimum);
    json_int_t number = json_integer_value(field);
    if (number < minimum)
        return api_refuse_field(error, name,
                                "%s is %" JSON_INTEGER_FORMAT ", expected at least %" JSON_INTEGER_FORMAT,
                                name, number, minimum);
    *value = (uint64_t)number;
    return 0;
}

int json_field_positive(const json_t *document, const char *name, uint64_t *value, struct api_error *error) {
    return field_integer(document, name, 1, value, error);
}

int json_field_count(const json_t *document, const char *name, uint64_t *value, struct api_error *error) {
    return field_integer(document, name, 0, value, error);
}

int json_field_string(const json_t *document, const char *name, struct bytes *value,
                      struct api_error *error) {
    *value = bytes_of(NULL, 0);
    const json_t *field = json_field(document, name);
    if (field == NULL)
        return 0;
    if (!json_is_string(field))
        return api_refuse_field(error, name, "%s is %s, expected a string", name, json_type_name(field));
    *value = json_string_bytes(field);
    return 0;
}
