/* What the readers of tokenizer files share: collecting texts into one buffer, and settings both forms have.
 */
#ifndef RESCOLDO_FORMATS_TOKENIZER_DESCRIPTION_H
#define RESCOLDO_FORMATS_TOKENIZER_DESCRIPTION_H

#include "formats/json_reader.h"
#include "formats/tokenizer_files.h"

#include <jansson.h>

/* Texts are collected as places, since the buffer moves while it grows; description_finish makes them views.
 */
struct text_place {
    size_t offset, size;
};

#define TOKENIZER_FILE_MAX_SIZE ((size_t)256 << 20)

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

/* "content" and the five flags of an added token, as both forms name them; a flag that is absent and not
 * required stays as it is. token->content is borrowed from the object. */
MUST_CHECK enum status read_token_text_and_flags(const json_t *object, const char *where, bool flags_required,
                                                 struct added_token *token, struct error *error);

/* null or absent, true, false. */
MUST_CHECK enum status read_strip_accents(const json_t *object, const char *where,
                                          enum strip_accents *strip_accents, struct error *error);

#endif
