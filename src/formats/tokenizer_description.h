/* What the readers of tokenizer files share: collecting texts into one buffer, and typed access to JSON. */
#ifndef RESCOLDO_FORMATS_TOKENIZER_DESCRIPTION_H
#define RESCOLDO_FORMATS_TOKENIZER_DESCRIPTION_H

#include "formats/tokenizer_files.h"

#include <jansson.h>

/* Texts are collected as places, since the buffer moves while it grows; description_finish makes them views.
 */
struct text_place {
    size_t offset, size;
};

struct description_builder {
    struct tokenizer_files *files;
    const char *name;          /* of the file, for messages */
    struct text_place *pieces; /* [piece_count] */
    size_t piece_count;
    struct text_place *added_texts; /* [added_count] */
    size_t added_count;
};

MUST_CHECK enum status description_start(struct description_builder *builder, struct tokenizer_files *files,
                                         const char *name, size_t piece_count, size_t most_added_tokens,
                                         struct error *error);
MUST_CHECK enum status description_set_piece(struct description_builder *builder, size_t id,
                                             struct bytes text, struct error *error);
/* token->content is copied. */
MUST_CHECK enum status description_add_token(struct description_builder *builder,
                                             const struct added_token *token, struct error *error);
/* The id of the piece or added token with that text; STATUS_INVALID_DATA names it when there is none. */
MUST_CHECK enum status description_find(const struct description_builder *builder, struct bytes text,
                                        uint32_t *id, struct error *error);
/* Hands everything to files->description; frees what only the builder needed. */
void description_finish(struct description_builder *builder);
void description_abandon(struct description_builder *builder);

/* Parses a whole JSON text, NUL in strings allowed, duplicate keys refused. Borrowed errors name file and
 * line. */
MUST_CHECK enum status json_parse_text(struct bytes text, const char *name, json_t **root,
                                       struct error *error);

/* Fields of an object; a wrong type is STATUS_INVALID_DATA and names file and field. json_read_bool leaves
 * *value as it is when the field is absent and `required` is false. */
MUST_CHECK enum status json_read_bool(const json_t *object, const char *key, bool required, const char *name,
                                      bool *value, struct error *error);
MUST_CHECK enum status json_read_u32(const json_t *object, const char *key, const char *name, uint32_t *value,
                                     struct error *error);
MUST_CHECK enum status json_read_text(const json_t *object, const char *key, const char *name,
                                      struct bytes *value, struct error *error);
struct bytes json_text_bytes(const json_t *text);

#endif
