#include "formats/tokenizer_description.h"

#include <stdlib.h>

enum status description_start(struct description_builder *builder, struct tokenizer_files *files,
                              const char *name, size_t piece_count, size_t most_added_tokens,
                              struct error *error) {
    *builder = (struct description_builder){.files = files, .name = name, .piece_count = piece_count};
    builder->pieces = calloc(piece_count + 1, sizeof *builder->pieces);
    builder->added_texts = calloc(most_added_tokens + 1, sizeof *builder->added_texts);
    files->pieces = calloc(piece_count + 1, sizeof *files->pieces);
    files->added = calloc(most_added_tokens + 1, sizeof *files->added);
    if (builder->pieces == NULL || builder->added_texts == NULL || files->pieces == NULL ||
        files->added == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "%s: no memory for %zu pieces", name, piece_count);
    return STATUS_OK;
}

static enum status keep_text(struct description_builder *builder, struct bytes text, struct text_place *place,
                             struct error *error) {
    *place = (struct text_place){builder->files->text.size, text.size};
    return buffer_append(&builder->files->text, text.data, text.size, error);
}

enum status description_set_piece(struct description_builder *builder, size_t id, struct bytes text,
                                  struct error *error) {
    if (id >= builder->piece_count)
        return error_set(error, STATUS_INTERNAL, "%s: piece %zu of %zu", builder->name, id,
                         builder->piece_count);
    return keep_text(builder, text, &builder->pieces[id], error);
}

enum status description_add_token(struct description_builder *builder, const struct added_token *token,
                                  struct error *error) {
    builder->files->added[builder->added_count] = *token;
    return keep_text(builder, token->content, &builder->added_texts[builder->added_count++], error);
}

static bool is_text(const struct description_builder *builder, struct text_place place, struct bytes text) {
    return place.size == text.size &&
           (text.size == 0 || memcmp(builder->files->text.data + place.offset, text.data, text.size) == 0);
}

enum status description_find(const struct description_builder *builder, struct bytes text, uint32_t *id,
                             struct error *error) {
    for (size_t i = 0; i < builder->piece_count && text.size != 0; i++) {
        if (is_text(builder, builder->pieces[i], text)) {
            *id = (uint32_t)i;
            return STATUS_OK;
        }
    }
    for (size_t i = 0; i < builder->added_count; i++) {
        if (is_text(builder, builder->added_texts[i], text)) {
            *id = builder->files->added[i].id;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_INVALID_DATA, "%s: the token \"%.*s\" is not in the vocabulary",
                     builder->name, (int)(text.size < 64 ? text.size : 64), (const char *)text.data);
}

void description_finish(struct description_builder *builder) {
    struct tokenizer_files *files = builder->files;
    for (size_t i = 0; i < builder->piece_count; i++)
        files->pieces[i] = bytes_of(files->text.data + builder->pieces[i].offset, builder->pieces[i].size);
    for (size_t i = 0; i < builder->added_count; i++)
        files->added[i].content =
            bytes_of(files->text.data + builder->added_texts[i].offset, builder->added_texts[i].size);
    files->description.pieces = files->pieces;
    files->description.piece_count = (uint32_t)builder->piece_count;
    files->description.added_tokens = files->added;
    files->description.added_token_count = (uint32_t)builder->added_count;
    description_abandon(builder);
}

void description_abandon(struct description_builder *builder) {
    free(builder->pieces);
    free(builder->added_texts);
    builder->pieces = NULL;
    builder->added_texts = NULL;
}

enum status read_token_text_and_flags(const json_t *object, const char *where, bool flags_required,
                                      struct added_token *token, struct error *error) {
    const struct {
        const char *key;
        bool *value;
    } flags[] = {{"single_word", &token->single_word},
                 {"lstrip", &token->strip_left},
                 {"rstrip", &token->strip_right},
                 {"normalized", &token->normalized},
                 {"special", &token->special}};
    const char *content;
    enum status status = json_require_string(object, where, "content", &content, error);
    if (status == STATUS_OK)
        token->content = bytes_of_string(content);
    for (size_t i = 0; status == STATUS_OK && i < sizeof flags / sizeof *flags; i++)
        status = flags_required ? json_require_boolean(object, where, flags[i].key, flags[i].value, error)
                                : json_read_boolean(object, where, flags[i].key, flags[i].value, error);
    return status;
}

enum status read_strip_accents(const json_t *object, const char *where, enum strip_accents *strip_accents,
                               struct error *error) {
    bool strip = false;
    *strip_accents = STRIP_ACCENTS_AS_LOWERCASE;
    if (!json_has(object, "strip_accents"))
        return STATUS_OK;
    enum status status = json_require_boolean(object, where, "strip_accents", &strip, error);
    *strip_accents = strip ? STRIP_ACCENTS_YES : STRIP_ACCENTS_NO;
    return status;
}
