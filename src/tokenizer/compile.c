/* Bake time: a tokenizer's description becomes the section that tokenizer/section.h lays out. */
#include "tokenizer/normalize.h"
#include "tokenizer/section.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

#include <stdlib.h>

/* What is being built, part by part, before it is put together. */
struct compilation {
    const struct tokenizer_description *description;
    struct section_header header;
    struct buffer parts[SECTION_PART_COUNT];
    struct buffer added_text; /* contents as they are searched for, one after the other */
    struct trie_builder trie;
    struct normalizer normalizer;
    struct trie_key *keys;                  /* [the larger of pieces and added tokens] */
    const struct added_token **added_by_id; /* [vocabulary_size] */
};

static enum status check_text(struct bytes text, const char *what, uint32_t id, struct error *error) {
    size_t invalid = utf8_find_invalid(text);
    if (invalid != text.size)
        return error_set(error, STATUS_INVALID_DATA, "%s %u is not UTF-8 at byte %zu", what, (unsigned)id,
                         invalid);
    return STATUS_OK;
}

static enum status check_id(uint32_t id, uint32_t vocabulary_size, const char *name, struct error *error) {
    if (id < vocabulary_size)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_DATA, "the id %u of the %s token is outside the vocabulary of %u",
                     (unsigned)id, name, (unsigned)vocabulary_size);
}

static enum status check_settings(const struct tokenizer_settings *settings, struct error *error) {
    if (memchr(settings->continuing_prefix, '\0', sizeof settings->continuing_prefix) == NULL)
        return error_set(error, STATUS_UNSUPPORTED, "the continuing prefix is longer than %zu bytes",
                         sizeof settings->continuing_prefix - 1);
    if ((unsigned)settings->strip_accents > STRIP_ACCENTS_YES)
        return error_set(error, STATUS_INVALID_ARGUMENT, "strip_accents is %u, expected 0, 1 or 2",
                         (unsigned)settings->strip_accents);
    return check_text(bytes_of_string(settings->continuing_prefix), "continuing prefix", 0, error);
}

/* The added token of each id that has one and no piece. Refuses two added tokens with the same id. */
static enum status map_added_ids(struct compilation *compilation, struct error *error) {
    const struct tokenizer_description *description = compilation->description;
    for (uint32_t i = 0; i < description->added_token_count; i++) {
        const struct added_token **place = &compilation->added_by_id[description->added_tokens[i].id];
        if (*place != NULL)
            return error_set(error, STATUS_INVALID_DATA, "two added tokens have the id %u",
                             (unsigned)description->added_tokens[i].id);
        *place = &description->added_tokens[i];
    }
    return STATUS_OK;
}

/* The text of an id: its piece or, beyond or between the pieces, its added token. */
static struct bytes text_of_id(const struct compilation *compilation, uint32_t id) {
    const struct tokenizer_description *description = compilation->description;
    if (id < description->piece_count && description->pieces[id].size != 0)
        return description->pieces[id];
    const struct added_token *token = compilation->added_by_id[id];
    return token == NULL ? (struct bytes){0} : token->content;
}

static enum status compile_pieces(struct compilation *compilation, struct error *error) {
    struct buffer *offsets = &compilation->parts[SECTION_PIECE_OFFSETS];
    struct buffer *bytes = &compilation->parts[SECTION_PIECE_BYTES];
    enum status status = STATUS_OK;
    for (uint32_t id = 0; id <= compilation->header.vocabulary_size && status == STATUS_OK; id++) {
        if (bytes->size > UINT32_MAX)
            return error_set(error, STATUS_LIMIT_EXCEEDED, "the vocabulary's text is larger than 4 GiB");
        uint32_t offset = (uint32_t)bytes->size;
        status = buffer_append(offsets, &offset, sizeof offset, error);
        if (status != STATUS_OK || id == compilation->header.vocabulary_size)
            break;
        struct bytes text = text_of_id(compilation, id);
        status = check_text(text, "piece", id, error);
        if (status == STATUS_OK)
            status = buffer_append(bytes, text.data, text.size, error);
    }
    return status;
}

/* Pieces must differ; of added tokens with the same text the first one counts, as in the reference. */
static enum status check_same_text(const struct trie_key *first, const struct trie_key *second,
                                   enum section_root root, struct error *error) {
    if (root == ROOT_ADDED || root == ROOT_ADDED_NORMALIZED)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_DATA, "pieces %u and %u are the same text \"%.*s\"",
                     (unsigned)first->value, (unsigned)second->value,
                     (int)(first->bytes.size < 64 ? first->bytes.size : 64), (const char *)first->bytes.data);
}

/* Sorts the keys and adds them as one trie. */
static enum status compile_keys(struct compilation *compilation, size_t count, enum section_root root,
                                struct error *error) {
    struct trie_key *keys = compilation->keys;
    size_t distinct = 0;
    if (count != 0)
        qsort(keys, count, sizeof *keys, trie_key_compare);
    for (size_t i = 0; i < count; i++) {
        bool same = distinct != 0 && bytes_equal(keys[distinct - 1].bytes, keys[i].bytes);
        enum status status = same ? check_same_text(&keys[distinct - 1], &keys[i], root, error) : STATUS_OK;
        if (status != STATUS_OK)
            return status;
        if (!same)
            keys[distinct++] = keys[i];
    }
    return trie_builder_add(&compilation->trie, keys, distinct, &compilation->header.roots[root], error);
}

static enum status compile_words(struct compilation *compilation, struct error *error) {
    const struct tokenizer_description *description = compilation->description;
    struct bytes prefix = bytes_of_string(description->settings.continuing_prefix);
    size_t words = 0;
    for (uint32_t id = 0; id < description->piece_count; id++) {
        if (description->pieces[id].size != 0)
            compilation->keys[words++] = (struct trie_key){description->pieces[id], id};
    }
    enum status status = compile_keys(compilation, words, ROOT_WORD, error);
    size_t continuing = 0;
    for (uint32_t id = 0; id < description->piece_count; id++) {
        struct bytes piece = description->pieces[id];
        if (piece.size > prefix.size && bytes_equal(bytes_of(piece.data, prefix.size), prefix))
            compilation->keys[continuing++] =
                (struct trie_key){bytes_of(piece.data + prefix.size, piece.size - prefix.size), id};
    }
    if (status != STATUS_OK)
        return status;
    return compile_keys(compilation, continuing, ROOT_CONTINUING, error);
}

static enum status check_added_token(const struct tokenizer_description *description, uint32_t place,
                                     struct error *error) {
    const struct added_token *token = &description->added_tokens[place];
    if (token->content.size == 0)
        return error_set(error, STATUS_INVALID_DATA, "added token %u is empty", (unsigned)token->id);
    enum status status = check_text(token->content, "added token", token->id, error);
    if (status != STATUS_OK)
        return status;
    struct bytes piece =
        token->id < description->piece_count ? description->pieces[token->id] : (struct bytes){0};
    if (piece.size != 0 && !bytes_equal(piece, token->content))
        return error_set(
            error, STATUS_INVALID_DATA, "id %u is the piece \"%.*s\" and the added token \"%.*s\"",
            (unsigned)token->id, (int)(piece.size < 64 ? piece.size : 64), (const char *)piece.data,
            (int)(token->content.size < 64 ? token->content.size : 64), (const char *)token->content.data);
    return STATUS_OK;
}

/* Appends the content as it is searched for: as it is, or normalized. */
static enum status append_searched_text(struct compilation *compilation, const struct added_token *token,
                                        struct error *error) {
    struct buffer *text = &compilation->added_text;
    if (!token->normalized)
        return buffer_append(text, token->content.data, token->content.size, error);
    enum status status = normalize(&compilation->description->settings, token->content, 0,
                                   token->content.size, 0, &compilation->normalizer, error);
    for (size_t i = 0; i < compilation->normalizer.result.count && status == STATUS_OK; i++) {
        unsigned char encoded[UTF8_MAX_BYTES];
        unsigned size = utf8_encode(compilation->normalizer.result.characters[i].point, encoded);
        status = buffer_append(text, encoded, size, error);
    }
    return status;
}

static unsigned added_token_flags(const struct added_token *token) {
    return (token->single_word ? ADDED_SINGLE_WORD : 0u) | (token->strip_left ? ADDED_STRIP_LEFT : 0u) |
           (token->strip_right ? ADDED_STRIP_RIGHT : 0u) | (token->special ? ADDED_SPECIAL : 0u) |
           (token->normalized ? ADDED_NORMALIZED : 0u);
}

static enum status compile_added_record(struct compilation *compilation, uint32_t place,
                                        struct error *error) {
    const struct added_token *token = &compilation->description->added_tokens[place];
    enum status status = check_added_token(compilation->description, place, error);
    size_t before = compilation->added_text.size;
    if (status == STATUS_OK)
        status = append_searched_text(compilation, token, error);
    if (status != STATUS_OK)
        return status;
    if (compilation->added_text.size == before)
        return error_set(error, STATUS_UNSUPPORTED, "nothing is left of added token %u after normalization",
                         (unsigned)token->id);
    struct section_added_token record = {token->id, (uint32_t)(compilation->added_text.size - before),
                                         added_token_flags(token)};
    if (token->normalized)
        compilation->header.flags |= SECTION_NORMALIZED_ADDED_TOKENS;
    else
        compilation->header.first_bytes[token->content.data[0]] = 1;
    return buffer_append(&compilation->parts[SECTION_ADDED_TOKENS], &record, sizeof record, error);
}

/* Special tokens first: of two with the same text the reference prefers them. */
static enum status compile_added_records(struct compilation *compilation, struct error *error) {
    const struct tokenizer_description *description = compilation->description;
    enum status status = STATUS_OK;
    for (unsigned special = 2; special-- > 0;) {
        for (uint32_t i = 0; i < description->added_token_count && status == STATUS_OK; i++) {
            if (description->added_tokens[i].special == (special != 0))
                status = compile_added_record(compilation, i, error);
        }
    }
    return status;
}

/* The keys of the added tokens with that flag set or not; their values are places among the records. */
static size_t collect_added_keys(struct compilation *compilation, bool normalized) {
    size_t offset = 0, count = 0;
    for (uint32_t place = 0; place < compilation->description->added_token_count; place++) {
        struct section_added_token record;
        memcpy(&record, compilation->parts[SECTION_ADDED_TOKENS].data + place * sizeof record, sizeof record);
        struct bytes text = bytes_of(compilation->added_text.data + offset, record.size);
        offset += record.size;
        if (((record.flags & ADDED_NORMALIZED) != 0) == normalized)
            compilation->keys[count++] = (struct trie_key){text, place};
    }
    return count;
}

static enum status compile_added_tokens(struct compilation *compilation, struct error *error) {
    enum status status = compile_added_records(compilation, error);
    if (status == STATUS_OK)
        status = compile_keys(compilation, collect_added_keys(compilation, false), ROOT_ADDED, error);
    if (status == STATUS_OK)
        status =
            compile_keys(compilation, collect_added_keys(compilation, true), ROOT_ADDED_NORMALIZED, error);
    return status;
}

static enum status fold_sequence(struct compilation *compilation, const struct normalized_text *text,
                                 uint32_t *fold, struct error *error) {
    struct buffer *points = &compilation->parts[SECTION_FOLD_POINTS];
    *fold = fold_make(FOLD_SEQUENCE, (int32_t)(points->size / sizeof(uint32_t)));
    uint32_t count = (uint32_t)text->count;
    enum status status = buffer_append(points, &count, sizeof count, error);
    for (size_t i = 0; i < text->count && status == STATUS_OK; i++) {
        uint32_t point = text->characters[i].point;
        uint32_t part = fold_make(split_kind(point), (int32_t)point);
        status = buffer_append(points, &part, sizeof part, error);
    }
    return status;
}

static enum status fold_of(struct compilation *compilation, uint32_t point, uint32_t *fold,
                           struct error *error) {
    const struct tokenizer_settings *settings = &compilation->description->settings;
    unsigned char encoded[UTF8_MAX_BYTES];
    unsigned size = utf8_encode(point, encoded);
    if ((unicode_flags(point) & ~(unsigned)(UNICODE_WORD | UNICODE_PATTERN_SPACE)) == 0) {
        *fold = fold_make(FOLD_WORD, 0); /* no step does anything to it: nearly all code points */
        return STATUS_OK;
    }
    enum status status =
        normalize(settings, bytes_of(encoded, size), 0, size, 0, &compilation->normalizer, error);
    if (status != STATUS_OK)
        return status;
    const struct normalized_text *text = &compilation->normalizer.result;
    for (size_t i = 0; i < text->count; i++) {
        bool reorders = (unicode_flags(text->characters[i].point) & UNICODE_REORDERS) != 0;
        if (reorders && settings_strip_accents(settings)) {
            *fold = fold_make(FOLD_REORDERS, 0);
            return STATUS_OK;
        }
    }
    if (text->count == 0) {
        *fold = fold_make(FOLD_DROP, 0);
        return STATUS_OK;
    }
    uint32_t only = text->characters[text->count / 2].point;
    bool spaced = text->count == 3 && text->characters[0].point == ' ' && text->characters[2].point == ' ';
    if (text->count != 1 && !spaced)
        return fold_sequence(compilation, text, fold, error);
    enum fold_kind kind = spaced ? FOLD_ALONE : split_kind(only);
    *fold = fold_make(kind, kind == FOLD_SPACE ? 0 : (int32_t)only - (int32_t)point);
    return STATUS_OK;
}

/* The block's place among those before it, or a new one. */
static enum status place_fold_block(struct compilation *compilation, const uint32_t *block,
                                    struct error *error) {
    struct buffer *folds = &compilation->parts[SECTION_FOLDS];
    size_t size = FOLD_BLOCK_SIZE * sizeof *block;
    size_t place = 0;
    while (place * size < folds->size && memcmp(folds->data + place * size, block, size) != 0)
        place++;
    enum status status = STATUS_OK;
    if (place * size == folds->size)
        status = buffer_append(folds, block, size, error);
    uint16_t index = (uint16_t)place;
    return status != STATUS_OK
               ? status
               : buffer_append(&compilation->parts[SECTION_FOLD_INDEX], &index, sizeof index, error);
}

static enum status compile_folds(struct compilation *compilation, struct error *error) {
    enum status status = STATUS_OK;
    for (uint32_t first = 0; first < 0x110000 && status == STATUS_OK; first += FOLD_BLOCK_SIZE) {
        uint32_t block[FOLD_BLOCK_SIZE] = {0};
        bool surrogates = first >= 0xD800 && first < 0xE000;
        for (uint32_t i = 0; i < FOLD_BLOCK_SIZE && status == STATUS_OK && !surrogates; i++)
            status = fold_of(compilation, first + i, &block[i], error);
        if (status == STATUS_OK)
            status = place_fold_block(compilation, block, error);
    }
    const uint32_t *ascii = (const uint32_t *)(const void *)compilation->parts[SECTION_FOLDS].data;
    for (uint32_t point = 0; point < 0x80 && status == STATUS_OK; point++) {
        if (fold_kind(ascii[point]) == FOLD_WORD)
            compilation->header.letters[point] = (unsigned char)fold_apply(ascii[point], point);
    }
    return status;
}

static enum status fill_header(struct compilation *compilation, struct error *error) {
    const struct tokenizer_description *description = compilation->description;
    const struct tokenizer_settings *settings = &description->settings;
    uint32_t vocabulary_size = description->piece_count;
    for (uint32_t i = 0; i < description->added_token_count; i++) {
        uint64_t most = (uint64_t)description->piece_count + description->added_token_count;
        if (description->added_tokens[i].id >= most)
            return error_set(error, STATUS_INVALID_DATA,
                             "added token id %u is above the %llu pieces and added tokens",
                             (unsigned)description->added_tokens[i].id, (unsigned long long)most);
        if (description->added_tokens[i].id >= vocabulary_size)
            vocabulary_size = description->added_tokens[i].id + 1;
    }
    if (vocabulary_size > TRIE_MAX_VALUE)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "a vocabulary of %u pieces is too large",
                         (unsigned)vocabulary_size);
    compilation->header = (struct section_header){
        .magic = SECTION_MAGIC,
        .version = SECTION_VERSION,
        .flags = (settings->clean_text ? SECTION_CLEAN_TEXT : 0u) |
                 (settings->handle_chinese_characters ? SECTION_HANDLE_CHINESE_CHARACTERS : 0u) |
                 (settings->lowercase ? SECTION_LOWERCASE : 0u),
        .strip_accents = (uint32_t)settings->strip_accents,
        .max_characters_per_word = settings->max_characters_per_word,
        .vocabulary_size = vocabulary_size,
        .unknown_id = description->unknown_id,
        .classify_id = description->classify_id,
        .separator_id = description->separator_id,
    };
    memcpy(compilation->header.continuing_prefix, settings->continuing_prefix,
           strlen(settings->continuing_prefix));
    enum status status = check_id(description->unknown_id, vocabulary_size, "unknown", error);
    if (status == STATUS_OK)
        status = check_id(description->classify_id, vocabulary_size, "classify", error);
    return status == STATUS_OK ? check_id(description->separator_id, vocabulary_size, "separator", error)
                               : status;
}

static enum status write_section(struct compilation *compilation, struct buffer *section,
                                 struct error *error) {
    uint64_t offset = size_align_up(sizeof compilation->header, 8);
    for (unsigned part = 0; part < SECTION_PART_COUNT; part++) {
        struct buffer *bytes = &compilation->parts[part];
        if (offset + bytes->size > UINT32_MAX)
            return error_set(error, STATUS_LIMIT_EXCEEDED, "the tokenizer section is larger than 4 GiB");
        compilation->header.parts[part] =
            (struct section_part_place){(uint32_t)offset, (uint32_t)bytes->size};
        offset = size_align_up(offset + bytes->size, 8);
    }
    size_t start = section->size;
    enum status status = buffer_append(section, &compilation->header, sizeof compilation->header, error);
    for (unsigned part = 0; part < SECTION_PART_COUNT && status == STATUS_OK; part++) {
        size_t padding = compilation->header.parts[part].offset - (section->size - start);
        status = buffer_append_zeros(section, padding, error);
        if (status == STATUS_OK)
            status =
                buffer_append(section, compilation->parts[part].data, compilation->parts[part].size, error);
    }
    return status;
}

static enum status compile_all(struct compilation *compilation, struct buffer *section, struct error *error) {
    const struct tokenizer_description *description = compilation->description;
    size_t most_keys = description->piece_count;
    if (description->added_token_count > most_keys)
        most_keys = description->added_token_count;
    enum status status = check_settings(&description->settings, error);
    if (status == STATUS_OK)
        status = fill_header(compilation, error);
    if (status != STATUS_OK)
        return status;
    compilation->keys = calloc(most_keys + 1, sizeof *compilation->keys);
    compilation->added_by_id =
        calloc(compilation->header.vocabulary_size + 1u, sizeof *compilation->added_by_id);
    if (compilation->keys == NULL || compilation->added_by_id == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %zu pieces", most_keys);
    status = map_added_ids(compilation, error);
    if (status == STATUS_OK)
        status = compile_pieces(compilation, error);
    if (status == STATUS_OK)
        status = compile_words(compilation, error);
    if (status == STATUS_OK)
        status = compile_added_tokens(compilation, error);
    if (status == STATUS_OK)
        status = compile_folds(compilation, error);
    if (status != STATUS_OK)
        return status;
    compilation->parts[SECTION_TRIE] = compilation->trie.units;
    compilation->trie.units = (struct buffer){0};
    return write_section(compilation, section, error);
}

enum status tokenizer_compile(const struct tokenizer_description *description, struct buffer *section,
                              struct error *error) {
    struct compilation compilation = {.description = description};
    size_t start = section->size;
    enum status status = compile_all(&compilation, section, error);
    if (status != STATUS_OK)
        section->size = start;
    for (unsigned part = 0; part < SECTION_PART_COUNT; part++)
        buffer_free(&compilation.parts[part]);
    buffer_free(&compilation.added_text);
    trie_builder_free(&compilation.trie);
    normalizer_free(&compilation.normalizer);
    free(compilation.keys);
    free(compilation.added_by_id);
    return status;
}
