/* Strict JSON from untrusted bytes, over jansson: whole input, no duplicate keys, typed members with bounds.
 * Every message begins with `where`, the file (and place in it) that the value comes from. */
#ifndef RESCOLDO_FORMATS_JSON_READER_H
#define RESCOLDO_FORMATS_JSON_READER_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum json_numbers {
    JSON_NUMBERS_EXACT = 0, /* integers stay integers; one beyond 63 bits is an error */
    JSON_NUMBERS_REAL = 1,  /* every number is a double: published configs write 1e30 as thirty-one digits */
};

/* Parses text, which must be one object or array of at most max_size bytes, into *value (a new reference; the
 * caller calls json_decref). Messages give line, column and byte offset. */
MUST_CHECK enum status json_parse(struct bytes text, const char *where, size_t max_size,
                                  enum json_numbers numbers, json_t **value, struct error *error);

/* json_parse of a file. STATUS_NOT_FOUND when there is none. */
MUST_CHECK enum status json_parse_file(const char *path, size_t max_size, enum json_numbers numbers,
                                       json_t **value, struct error *error);

/* "a string", "an array" and so on, for messages. */
const char *json_type_name(const json_t *value);

/* Members of an object. JSON_INTEGER and JSON_REAL stand for any number, JSON_TRUE and JSON_FALSE for either
 * boolean. A required member that is absent, of another type or out of bounds gives
 * STATUS_INVALID_DATA. Strings and values are borrowed from the object. */
MUST_CHECK enum status json_require_object(const json_t *value, const char *where, struct error *error);
MUST_CHECK enum status json_require_member(const json_t *object, const char *where, const char *key,
                                           json_type type, json_t **member, struct error *error);
MUST_CHECK enum status json_require_string(const json_t *object, const char *where, const char *key,
                                           const char **value, struct error *error);
MUST_CHECK enum status json_require_unsigned(const json_t *object, const char *where, const char *key,
                                             uint64_t minimum, uint64_t maximum, uint64_t *value,
                                             struct error *error);
MUST_CHECK enum status json_require_u32(const json_t *object, const char *where, const char *key,
                                        uint32_t minimum, uint32_t maximum, uint32_t *value,
                                        struct error *error);
MUST_CHECK enum status json_require_number(const json_t *object, const char *where, const char *key,
                                           double *value, struct error *error);
MUST_CHECK enum status json_require_boolean(const json_t *object, const char *where, const char *key,
                                            bool *value, struct error *error);

/* A member that may be absent: *value then stays as it is. */
MUST_CHECK enum status json_read_boolean(const json_t *object, const char *where, const char *key,
                                         bool *value, struct error *error);

/* True when the object holds the key with something other than null. */
bool json_has(const json_t *object, const char *key);

/* The integer that a JSON number of either kind states; false when it is not one, or is negative or beyond
 * 2^53. */
bool json_number_as_unsigned(const json_t *number, uint64_t *value);

#endif
