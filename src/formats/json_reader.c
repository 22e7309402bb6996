#include "formats/json_reader.h"

#include "base/file.h"

#include <string.h>

/* The largest integer below which every integer is a double (IEEE 754 binary64). */
#define LARGEST_EXACT_INTEGER 9007199254740992.0

enum status json_parse(struct bytes text, const char *where, size_t max_size, enum json_numbers numbers,
                       json_t **value, struct error *error) {
    *value = NULL;
    if (text.size > max_size)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%s holds %zu bytes of JSON, at most %zu are accepted",
                         where, text.size, max_size);
    if (text.size == 0)
        return error_set(error, STATUS_INVALID_DATA, "%s is empty, expected JSON", where);
    json_error_t reason;
    size_t flags = JSON_REJECT_DUPLICATES;
    if (numbers == JSON_NUMBERS_REAL)
        flags |= JSON_DECODE_INT_AS_REAL;
    *value = json_loadb((const char *)text.data, text.size, flags, &reason);
    if (*value != NULL)
        return STATUS_OK;
    if (json_error_code(&reason) == json_error_out_of_memory)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to parse %s", where);
    return error_set(error, STATUS_INVALID_DATA, "%s is not valid JSON at line %d, column %d (byte %d): %s",
                     where, reason.line, reason.column, reason.position, reason.text);
}

enum status json_parse_file(const char *path, size_t max_size, enum json_numbers numbers, json_t **value,
                            struct error *error) {
    *value = NULL;
    struct buffer text = {0};
    enum status status = file_read(path, max_size, &text, error);
    if (status == STATUS_OK)
        status = json_parse(buffer_bytes(&text), path, max_size, numbers, value, error);
    buffer_free(&text);
    return status;
}

static const char *type_name(json_type type) {
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

const char *json_type_name(const json_t *value) {
    return type_name(json_typeof(value));
}

static bool has_type(const json_t *value, json_type type) {
    switch (type) {
    case JSON_INTEGER:
    case JSON_REAL:
        return json_is_number(value);
    case JSON_TRUE:
    case JSON_FALSE:
        return json_is_boolean(value);
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_STRING:
    case JSON_NULL:
        break;
    }
    return json_typeof(value) == type;
}

enum status json_require_object(const json_t *value, const char *where, struct error *error) {
    if (!json_is_object(value))
        return error_set(error, STATUS_INVALID_DATA, "%s is %s, expected an object", where,
                         value == NULL ? "absent" : json_type_name(value));
    return STATUS_OK;
}

enum status json_require_member(const json_t *object, const char *where, const char *key, json_type type,
                                json_t **member, struct error *error) {
    enum status status = json_require_object(object, where, error);
    if (status != STATUS_OK)
        return status;
    const char *expected = type_name(type);
    *member = json_object_get(object, key);
    if (*member == NULL)
        return error_set(error, STATUS_INVALID_DATA, "%s has no \"%s\", expected %s", where, key, expected);
    if (!has_type(*member, type))
        return error_set(error, STATUS_INVALID_DATA, "%s: \"%s\" is %s, expected %s", where, key,
                         json_type_name(*member), expected);
    return STATUS_OK;
}

enum status json_require_string(const json_t *object, const char *where, const char *key, const char **value,
                                struct error *error) {
    json_t *member;
    enum status status = json_require_member(object, where, key, JSON_STRING, &member, error);
    if (status == STATUS_OK)
        *value = json_string_value(member);
    return status;
}

bool json_number_as_unsigned(const json_t *number, uint64_t *value) {
    if (json_is_integer(number)) {
        if (json_integer_value(number) < 0)
            return false;
        *value = (uint64_t)json_integer_value(number);
        return true;
    }
    if (!json_is_real(number))
        return false;
    double real = json_real_value(number);
    if (!(real >= 0 && real <= LARGEST_EXACT_INTEGER))
        return false;
    *value = (uint64_t)real;
    return !((double)*value < real);
}

enum status json_require_unsigned(const json_t *object, const char *where, const char *key, uint64_t minimum,
                                  uint64_t maximum, uint64_t *value, struct error *error) {
    json_t *member;
    enum status status = json_require_member(object, where, key, JSON_REAL, &member, error);
    if (status != STATUS_OK)
        return status;
    if (!json_number_as_unsigned(member, value) || *value < minimum || *value > maximum)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: \"%s\" is %.17g, expected an integer from %llu to %llu", where, key,
                         json_number_value(member), (unsigned long long)minimum, (unsigned long long)maximum);
    return STATUS_OK;
}

enum status json_require_u32(const json_t *object, const char *where, const char *key, uint32_t minimum,
                             uint32_t maximum, uint32_t *value, struct error *error) {
    uint64_t wide;
    enum status status = json_require_unsigned(object, where, key, minimum, maximum, &wide, error);
    if (status == STATUS_OK)
        *value = (uint32_t)wide;
    return status;
}

enum status json_require_number(const json_t *object, const char *where, const char *key, double *value,
                                struct error *error) {
    json_t *member;
    enum status status = json_require_member(object, where, key, JSON_REAL, &member, error);
    if (status == STATUS_OK)
        *value = json_number_value(member);
    return status;
}

enum status json_require_boolean(const json_t *object, const char *where, const char *key, bool *value,
                                 struct error *error) {
    json_t *member;
    enum status status = json_require_member(object, where, key, JSON_TRUE, &member, error);
    if (status == STATUS_OK)
        *value = json_is_true(member);
    return status;
}

enum status json_read_boolean(const json_t *object, const char *where, const char *key, bool *value,
                              struct error *error) {
    return json_object_get(object, key) == NULL ? STATUS_OK
                                                : json_require_boolean(object, where, key, value, error);
}

bool json_has(const json_t *object, const char *key) {
    const json_t *member = json_object_get(object, key);
    return member != NULL && !json_is_null(member);
}
