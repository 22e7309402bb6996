#include "tokenizer/normalize.h"

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

#include <stdlib.h>

#define COMBINING_RANKS 256u

static enum status reserve(struct normalized_text *text, size_t needed, struct error *error) {
    if (needed <= text->capacity)
        return STATUS_OK;
    size_t capacity = text->capacity < 64 ? 64 : text->capacity;
    while (capacity < needed)
        capacity *= 2;
    size_t size;
    struct normalized_character *characters =
        size_multiply(capacity, sizeof *characters, &size) ? realloc(text->characters, size) : NULL;
    if (characters == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to normalize %zu characters", needed);
    text->characters = characters;
    text->capacity = capacity;
    return STATUS_OK;
}

static enum status append(struct normalized_text *text, struct normalized_character character,
                          struct error *error) {
    enum status status = reserve(text, text->count + 1, error);
    if (status == STATUS_OK)
        text->characters[text->count++] = character;
    return status;
}

static enum status append_spaced(struct normalized_text *text, struct normalized_character character,
                                 struct error *error) {
    struct normalized_character space = character;
    space.point = ' ';
    enum status status = append(text, space, error);
    if (status == STATUS_OK)
        status = append(text, character, error);
    return status == STATUS_OK ? append(text, space, error) : status;
}

static enum status clean_and_space(const struct tokenizer_settings *settings, struct bytes text, size_t start,
                                   size_t end, uint32_t character, struct normalized_text *result,
                                   struct error *error) {
    result->count = 0;
    enum status status = STATUS_OK;
    for (size_t position = start; position < end && status == STATUS_OK; character++) {
        struct utf8_character read = utf8_decode(text, position);
        struct normalized_character next = {read.point, (uint32_t)position, (uint32_t)(position + read.bytes),
                                            character};
        position += read.bytes;
        unsigned flags = unicode_flags(next.point);
        if (settings->clean_text && (flags & UNICODE_REMOVED) != 0)
            continue;
        if (settings->clean_text && (flags & UNICODE_CLEANED_TO_SPACE) != 0)
            next.point = ' ';
        if (settings->handle_chinese_characters && (flags & UNICODE_CHINESE) != 0)
            status = append_spaced(result, next, error);
        else
            status = append(result, next, error);
    }
    return status;
}

static void swap_steps(struct normalizer *normalizer) {
    struct normalized_text result = normalizer->result;
    normalizer->result = normalizer->other;
    normalizer->other = result;
}

static enum status reserve_new_source(struct normalizer *normalizer, size_t needed, struct error *error) {
    if (needed <= normalizer->new_source_capacity)
        return STATUS_OK;
    size_t capacity = needed < 64 ? 64 : needed * 2;
    unsigned char *new_source = realloc(normalizer->new_source, capacity);
    if (new_source == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to decompose %zu characters", needed);
    normalizer->new_source = new_source;
    normalizer->new_source_capacity = capacity;
    return STATUS_OK;
}

/* Puts the marks first..last of result in canonical order: a stable counting sort by combining class, so that
 * no text, however odd, takes more than linear time. `character` carries new_source along. */
static enum status order_marks(struct normalizer *normalizer, size_t first, size_t last,
                               struct error *error) {
    size_t starts[COMBINING_RANKS + 1] = {0};
    struct normalized_character *characters = normalizer->result.characters;
    enum status status = reserve(&normalizer->run, last - first, error);
    if (status != STATUS_OK)
        return status;
    for (size_t i = first; i < last; i++)
        starts[unicode_combining_rank(characters[i].point) + 1]++;
    for (unsigned rank = 0; rank < COMBINING_RANKS; rank++)
        starts[rank + 1] += starts[rank];
    for (size_t i = first; i < last; i++) {
        struct normalized_character mark = characters[i];
        mark.character = normalizer->new_source[i];
        normalizer->run.characters[starts[unicode_combining_rank(mark.point)]++] = mark;
    }
    for (size_t i = first; i < last; i++) {
        characters[i] = normalizer->run.characters[i - first];
        normalizer->new_source[i] = (unsigned char)characters[i].character;
    }
    return STATUS_OK;
}

static enum status order_all_marks(struct normalizer *normalizer, struct error *error) {
    const struct normalized_text *result = &normalizer->result;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < result->count && status == STATUS_OK; i++) {
        size_t first = i;
        while (i < result->count && (unicode_flags(result->characters[i].point) & UNICODE_REORDERS) != 0)
            i++;
        if (i - first > 1)
            status = order_marks(normalizer, first, i, error);
    }
    return status;
}

/* Canonical decomposition of other into result. The reference tells where a character comes from by its
 * place: in the order of the result, each character that is not the continuation of a decomposition takes the
 * next character of the source; a continuation shares the source of the one before it. After marks have
 * changed places that need not be the character they came from, and it is what offsets must say. */
static enum status decompose(struct normalizer *normalizer, struct error *error) {
    struct normalized_text *source = &normalizer->other, *result = &normalizer->result;
    result->count = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < source->count; i++) {
        uint32_t points[UNICODE_MAX_DECOMPOSITION];
        unsigned count = unicode_decompose(source->characters[i].point, points);
        status = reserve_new_source(normalizer, result->count + count, error);
        for (unsigned j = 0; j < count && status == STATUS_OK; j++) {
            normalizer->new_source[result->count] = j == 0;
            status = append(result, (struct normalized_character){.point = points[j]}, error);
        }
        if (status != STATUS_OK)
            return status;
    }
    status = order_all_marks(normalizer, error);
    if (status != STATUS_OK)
        return status;
    size_t taken = 0;
    for (size_t i = 0; i < result->count; i++) {
        taken += normalizer->new_source[i];
        struct normalized_character from = source->characters[taken == 0 ? 0 : taken - 1];
        from.point = result->characters[i].point;
        result->characters[i] = from;
    }
    return STATUS_OK;
}

static void drop_marks(struct normalized_text *text) {
    size_t kept = 0;
    for (size_t i = 0; i < text->count; i++) {
        if ((unicode_flags(text->characters[i].point) & UNICODE_MARK) == 0)
            text->characters[kept++] = text->characters[i];
    }
    text->count = kept;
}

static enum status lowercase(const struct normalized_text *source, struct normalized_text *result,
                             struct error *error) {
    result->count = 0;
    for (size_t i = 0; i < source->count; i++) {
        uint32_t points[UNICODE_MAX_LOWERCASE];
        unsigned count = unicode_lowercase(source->characters[i].point, points);
        for (unsigned j = 0; j < count; j++) {
            struct normalized_character next = source->characters[i];
            next.point = points[j];
            enum status status = append(result, next, error);
            if (status != STATUS_OK)
                return status;
        }
    }
    return STATUS_OK;
}

enum status normalize(const struct tokenizer_settings *settings, struct bytes text, size_t start, size_t end,
                      uint32_t character, struct normalizer *normalizer, struct error *error) {
    enum status status = clean_and_space(settings, text, start, end, character, &normalizer->result, error);
    if (status == STATUS_OK && settings_strip_accents(settings)) {
        swap_steps(normalizer);
        status = decompose(normalizer, error);
        if (status == STATUS_OK)
            drop_marks(&normalizer->result);
    }
    if (status == STATUS_OK && settings->lowercase) {
        swap_steps(normalizer);
        status = lowercase(&normalizer->other, &normalizer->result, error);
    }
    return status;
}

bool settings_strip_accents(const struct tokenizer_settings *settings) {
    if (settings->strip_accents == STRIP_ACCENTS_AS_LOWERCASE)
        return settings->lowercase;
    return settings->strip_accents == STRIP_ACCENTS_YES;
}

void normalizer_free(struct normalizer *normalizer) {
    free(normalizer->result.characters);
    free(normalizer->other.characters);
    free(normalizer->run.characters);
    free(normalizer->new_source);
    *normalizer = (struct normalizer){0};
}
