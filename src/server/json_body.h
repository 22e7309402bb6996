/* Request bodies: strict JSON (RFC 8259) with bounds on nesting and on the number of values, which are
 * checked before anything is built; and typed access to fields, where null means absent and every message
 * names the field. */
#ifndef RESCOLDO_SERVER_JSON_BODY_H
#define RESCOLDO_SERVER_JSON_BODY_H

#include "base/bytes.h"
#include "formats/json_reader.h"
#include "server/api_error.h"
#include "server/limits.h"

#include <jansson.h>
#include <stdbool.h>

/* Once in a process, before anything is parsed. */
void json_body_prepare(void);

/* The body as an object (a new reference); 0, or -1 with the error set. Messages give the byte offset. */
int json_body_parse(struct bytes text, const struct limits *limits, json_t **document,
                    struct api_error *error);

/* The field, or NULL when it is absent or null. */
json_t *json_field(const json_t *document, const char *name);

/* The UTF-8 of a JSON string, borrowed from it. */
struct bytes json_string_bytes(const json_t *string);

/* 0, or -1 with the error set. *value stays as it is when the field is absent or null. */
int json_field_boolean(const json_t *document, const char *name, bool *value, struct api_error *error);
int json_field_positive(const json_t *document, const char *name, uint64_t *value, struct api_error *error);
int json_field_count(const json_t *document, const char *name, uint64_t *value, struct api_error *error);
/* data is NULL when the field is absent or null. */
int json_field_string(const json_t *document, const char *name, struct bytes *value, struct api_error *error);

#endif
