#include "tokenizer/section.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"

#include <inttypes.h>

static const char *const part_names[SECTION_PART_COUNT] = {
    "trie", "fold index", "folds", "fold points", "piece offsets", "piece bytes", "added tokens",
};

static const uint32_t part_element_sizes[SECTION_PART_COUNT] = {
    sizeof(uint64_t),
    sizeof(uint16_t),
    FOLD_BLOCK_SIZE * sizeof(uint32_t),
    sizeof(uint32_t),
    sizeof(uint32_t),
    1,
    sizeof(struct section_added_token),
};

static enum status damaged(struct error *error, const char *what, uint64_t found) {
    return error_set(error, STATUS_INVALID_DATA, "the tokenizer section is damaged: %s (found %" PRIu64 ")",
                     what, found);
}

static const void *part_at(struct bytes section, enum section_part part, uint32_t *count) {
    const struct section_header *header = (const void *)section.data;
    *count = header->parts[part].size / part_element_sizes[part];
    return section.data + header->parts[part].offset;
}

static enum status check_header(struct bytes section, struct error *error) {
    if ((uintptr_t)section.data % sizeof(uint64_t) != 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a tokenizer section must start on a multiple of 8 bytes");
    if (section.size < sizeof(struct section_header))
        return damaged(error, "it is shorter than its header", section.size);
    const struct section_header *header = (const void *)section.data;
    if (header->magic != SECTION_MAGIC)
        return damaged(error, "it does not begin with RTOK", header->magic);
    if (header->version != SECTION_VERSION)
        return error_set(error, STATUS_UNSUPPORTED,
                         "tokenizer section version %u, expected %u: bake the model again",
                         (unsigned)header->version, SECTION_VERSION);
    for (unsigned part = 0; part < SECTION_PART_COUNT; part++) {
        struct section_part_place place = header->parts[part];
        if (place.offset % sizeof(uint64_t) != 0 || place.offset > section.size ||
            place.size > section.size - place.offset || place.size % part_element_sizes[part] != 0)
            return damaged(error, part_names[part], place.offset);
    }
    if (memchr(header->continuing_prefix, '\0', sizeof header->continuing_prefix) == NULL)
        return damaged(error, "the continuing prefix has no end", sizeof header->continuing_prefix);
    if (header->strip_accents > STRIP_ACCENTS_YES)
        return damaged(error, "strip_accents", header->strip_accents);
    return STATUS_OK;
}

static enum status check_trie(const struct tokenizer *tokenizer, struct error *error) {
    uint32_t units;
    (void)part_at(tokenizer->section, SECTION_TRIE, &units);
    if (units == 0 || units % 256 != 0)
        return damaged(error, "the trie is not a number of whole blocks", units);
    uint64_t largest_base = 0, largest_unit = 0;
    for (uint32_t i = 0; i < units; i++) {
        uint64_t unit = tokenizer->trie[i], base = unit & TRIE_BASE_MASK << TRIE_BASE_SHIFT;
        largest_base = base > largest_base ? base : largest_base;
        largest_unit = unit > largest_unit ? unit : largest_unit;
    }
    largest_base >>= TRIE_BASE_SHIFT;
    for (unsigned root = 0; root < ROOT_COUNT; root++)
        largest_base =
            tokenizer->header->roots[root] > largest_base ? tokenizer->header->roots[root] : largest_base;
    /* A child is base ^ byte, so it lies in its base's block of 256, which is whole. */
    if (largest_base >= units)
        return damaged(error, "a trie unit points beyond the trie", largest_base);
    /* Every value must be an id or a place among the added tokens. Which of the two a unit holds follows from
     * the root it hangs on, so both limits are checked at use; here, that none exceeds the vocabulary. The
     * value has the upper bits of a unit. */
    uint32_t largest_value = trie_value(largest_unit);
    if (largest_value != TRIE_NO_VALUE && largest_value >= tokenizer->vocabulary_size)
        return damaged(error, "a piece's id is outside the vocabulary", largest_value);
    return STATUS_OK;
}

static enum status check_ids(const struct tokenizer *tokenizer, struct error *error) {
    const struct section_header *header = tokenizer->header;
    if (header->vocabulary_size == 0 || header->vocabulary_size > TRIE_MAX_VALUE)
        return damaged(error, "the vocabulary's size", header->vocabulary_size);
    uint32_t size = header->vocabulary_size;
    if (header->unknown_id >= size || header->classify_id >= size || header->separator_id >= size)
        return damaged(error, "a special token's id is outside the vocabulary", size);
    uint32_t added;
    (void)part_at(tokenizer->section, SECTION_ADDED_TOKENS, &added);
    for (uint32_t i = 0; i < added; i++) {
        if (tokenizer->added_tokens[i].id >= size)
            return damaged(error, "an added token's id is outside the vocabulary",
                           tokenizer->added_tokens[i].id);
    }
    return STATUS_OK;
}

static enum status check_pieces(const struct tokenizer *tokenizer, struct error *error) {
    uint32_t offsets, bytes;
    (void)part_at(tokenizer->section, SECTION_PIECE_OFFSETS, &offsets);
    (void)part_at(tokenizer->section, SECTION_PIECE_BYTES, &bytes);
    if (offsets != tokenizer->vocabulary_size + 1)
        return damaged(error, "the number of piece offsets", offsets);
    for (uint32_t i = 0; i + 1 < offsets; i++) {
        if (tokenizer->piece_offsets[i] > tokenizer->piece_offsets[i + 1])
            return damaged(error, "piece offsets go backwards at id", i);
    }
    if (tokenizer->piece_offsets[offsets - 1] > bytes)
        return damaged(error, "a piece lies beyond the pieces", tokenizer->piece_offsets[offsets - 1]);
    return STATUS_OK;
}

static enum status check_folds(const struct tokenizer *tokenizer, struct error *error) {
    uint32_t index, blocks, points;
    (void)part_at(tokenizer->section, SECTION_FOLD_INDEX, &index);
    (void)part_at(tokenizer->section, SECTION_FOLDS, &blocks);
    (void)part_at(tokenizer->section, SECTION_FOLD_POINTS, &points);
    if (index != FOLD_BLOCKS)
        return damaged(error, "the number of fold blocks", index);
    for (unsigned byte = 0x80; byte < 0x100; byte++) {
        if (tokenizer->header->letters[byte] != 0)
            return damaged(error, "a byte beyond ASCII is called a letter", byte);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (tokenizer->fold_index[i] >= blocks)
            return damaged(error, "a fold block is missing", tokenizer->fold_index[i]);
    }
    for (uint32_t i = 0; i < blocks * FOLD_BLOCK_SIZE; i++) {
        uint32_t fold = tokenizer->folds[i], place = fold >> FOLD_KIND_BITS;
        if (fold_kind(fold) > FOLD_REORDERS)
            return damaged(error, "a fold of unknown kind", fold_kind(fold));
        if (fold_kind(fold) != FOLD_SEQUENCE)
            continue;
        if (place >= points || tokenizer->fold_points[place] > FOLD_MAX_SEQUENCE ||
            tokenizer->fold_points[place] >= points - place)
            return damaged(error, "a fold's points are missing", place);
    }
    return STATUS_OK;
}

enum status tokenizer_open(struct tokenizer *tokenizer, struct bytes section, struct error *error) {
    *tokenizer = (struct tokenizer){0};
    enum status status = check_header(section, error);
    if (status != STATUS_OK)
        return status;
    const struct section_header *header = (const void *)section.data;
    uint32_t count;
    struct tokenizer opened = {
        .section = section,
        .settings = {.clean_text = (header->flags & SECTION_CLEAN_TEXT) != 0,
                     .handle_chinese_characters = (header->flags & SECTION_HANDLE_CHINESE_CHARACTERS) != 0,
                     .lowercase = (header->flags & SECTION_LOWERCASE) != 0,
                     .strip_accents = (enum strip_accents)header->strip_accents,
                     .max_characters_per_word = header->max_characters_per_word},
        .vocabulary_size = header->vocabulary_size,
        .unknown_id = header->unknown_id,
        .classify_id = header->classify_id,
        .separator_id = header->separator_id,
        .header = header,
        .trie = part_at(section, SECTION_TRIE, &count),
        .fold_index = part_at(section, SECTION_FOLD_INDEX, &count),
        .folds = part_at(section, SECTION_FOLDS, &count),
        .fold_points = part_at(section, SECTION_FOLD_POINTS, &count),
        .piece_offsets = part_at(section, SECTION_PIECE_OFFSETS, &count),
        .piece_bytes = part_at(section, SECTION_PIECE_BYTES, &count),
        .added_tokens = part_at(section, SECTION_ADDED_TOKENS, &count),
    };
    opened.added_token_count = count;
    memcpy(opened.settings.continuing_prefix, header->continuing_prefix, sizeof header->continuing_prefix);
    status = check_ids(&opened, error);
    if (status == STATUS_OK)
        status = check_trie(&opened, error);
    if (status == STATUS_OK)
        status = check_pieces(&opened, error);
    if (status == STATUS_OK)
        status = check_folds(&opened, error);
    if (status == STATUS_OK)
        *tokenizer = opened;
    return status;
}

struct bytes tokenizer_piece(const struct tokenizer *tokenizer, uint32_t id) {
    if (id >= tokenizer->vocabulary_size)
        return (struct bytes){0};
    uint32_t start = tokenizer->piece_offsets[id];
    return bytes_of(tokenizer->piece_bytes + start, tokenizer->piece_offsets[id + 1] - start);
}
