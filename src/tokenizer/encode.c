#include "tokenizer/added_tokens.h"
#include "tokenizer/normalize.h"
#include "tokenizer/section.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"
#include "tokenizer/utf8.h"

#include <stdlib.h>

/* Where a byte of a word comes from. */
struct word_source {
    uint32_t byte_start, byte_end;
    uint32_t character;
};

struct encode_scratch {
    unsigned char *word;         /* the normalized word, its first max_characters_per_word characters */
    struct word_source *sources; /* [word_capacity], one for each byte of word, when spans are asked for */
    size_t word_capacity;
    struct normalizer normalizer;
};

/* One call of tokenizer_encode. */
struct encoding {
    const struct tokenizer *tokenizer;
    struct bytes text;
    const struct encode_options *options;
    struct tokens *tokens;
    struct error *error;
    size_t limit;     /* tokens after which nothing more needs to be known */
    bool well_formed; /* the text is UTF-8 throughout */
    size_t
        continuations; /* bytes seen that do not begin a character: byte offset - this = character offset */
    size_t word_size;  /* bytes in scratch->word */
    size_t word_characters; /* of the word, also those beyond what scratch->word holds */
    struct word_source word_first, word_last;
};

static enum status grow_tokens(struct encoding *encoding, size_t needed) {
    struct tokens *tokens = encoding->tokens;
    size_t capacity = tokens->capacity < 64 ? 64 : tokens->capacity;
    while (capacity < needed)
        capacity *= 2;
    if (capacity > SIZE_MAX / sizeof *tokens->spans)
        return error_set(encoding->error, STATUS_OUT_OF_MEMORY, "no memory for %zu tokens", needed);
    int32_t *ids = realloc(tokens->ids, capacity * sizeof *ids);
    if (ids == NULL)
        return error_set(encoding->error, STATUS_OUT_OF_MEMORY, "no memory for %zu tokens", needed);
    tokens->ids = ids;
    if (encoding->options->with_spans || tokens->spans != NULL) {
        struct token_span *spans = realloc(tokens->spans, capacity * sizeof *spans);
        if (spans == NULL)
            return error_set(encoding->error, STATUS_OUT_OF_MEMORY, "no memory for %zu tokens", needed);
        tokens->spans = spans;
    }
    tokens->capacity = capacity;
    return STATUS_OK;
}

static inline enum status reserve_tokens(struct encoding *encoding, size_t additional) {
    size_t needed = encoding->tokens->count + additional;
    return needed <= encoding->tokens->capacity ? STATUS_OK : grow_tokens(encoding, needed);
}

static inline void push_token(struct encoding *encoding, uint32_t id, struct word_source first,
                              struct word_source last) {
    struct tokens *tokens = encoding->tokens;
    if (encoding->options->with_spans)
        tokens->spans[tokens->count] =
            (struct token_span){first.byte_start, last.byte_end, first.character, last.character + 1};
    tokens->ids[tokens->count++] = (int32_t)id;
}

/* The longest piece below `root` that begins the bytes from `start`; its end, or start when there is none. */
static inline size_t longest_piece(const struct tokenizer *tokenizer, enum section_root root,
                                   const unsigned char *word, size_t start, size_t size, uint32_t *id) {
    const uint64_t *trie = tokenizer->trie;
    uint32_t base = tokenizer->header->roots[root];
    size_t end = start;
    for (size_t i = start; i < size; i++) {
        uint64_t unit = trie[base ^ word[i]];
        if (!trie_is_child(unit, word[i]))
            break;
        if (trie_value(unit) != TRIE_NO_VALUE) {
            *id = trie_value(unit);
            end = i + 1;
        }
        base = trie_base(unit);
    }
    return end;
}

/* WordPiece: greedy, longest match first; a word with a part that has no piece is one unknown token. */
static enum status end_word(struct encoding *encoding) {
    if (encoding->word_characters == 0)
        return STATUS_OK;
    const struct tokenizer *tokenizer = encoding->tokenizer;
    const struct encode_scratch *scratch = encoding->tokens->scratch;
    size_t before = encoding->tokens->count;
    size_t size = encoding->word_size;
    enum status status = reserve_tokens(encoding, size + 1);
    if (status != STATUS_OK)
        return status;
    bool known = encoding->word_characters <= tokenizer->settings.max_characters_per_word;
    enum section_root root = ROOT_WORD;
    for (size_t start = 0; known && start < size; root = ROOT_CONTINUING) {
        uint32_t id = 0;
        size_t end = longest_piece(tokenizer, root, scratch->word, start, size, &id);
        known = end > start;
        if (!known)
            break;
        if (encoding->options->with_spans)
            push_token(encoding, id, scratch->sources[start], scratch->sources[end - 1]);
        else
            encoding->tokens->ids[encoding->tokens->count++] = (int32_t)id;
        start = end;
    }
    if (!known) {
        encoding->tokens->count = before;
        push_token(encoding, tokenizer->unknown_id, encoding->word_first, encoding->word_last);
    }
    encoding->word_size = 0;
    encoding->word_characters = 0;
    return STATUS_OK;
}

static inline void add_to_word(struct encoding *encoding, uint32_t point, struct word_source source) {
    struct encode_scratch *scratch = encoding->tokens->scratch;
    if (encoding->word_characters < encoding->tokenizer->settings.max_characters_per_word) {
        unsigned size = utf8_encode(point, scratch->word + encoding->word_size);
        if (encoding->options->with_spans) {
            for (unsigned i = 0; i < size; i++)
                scratch->sources[encoding->word_size + i] = source;
        }
        encoding->word_size += size;
    }
    if (encoding->word_characters == 0)
        encoding->word_first = source;
    encoding->word_last = source;
    encoding->word_characters++;
}

static enum status add_split(struct encoding *encoding, enum fold_kind kind, uint32_t point,
                             struct word_source source) {
    if (kind == FOLD_WORD) {
        add_to_word(encoding, point, source);
        return STATUS_OK;
    }
    enum status status = end_word(encoding);
    if (status != STATUS_OK || kind != FOLD_ALONE)
        return status;
    add_to_word(encoding, point, source);
    return end_word(encoding);
}

static inline bool has_enough(const struct encoding *encoding) {
    return encoding->tokens->count >= encoding->limit;
}

static uint32_t fold_for(const struct tokenizer *tokenizer, uint32_t point) {
    uint32_t block = tokenizer->fold_index[point / FOLD_BLOCK_SIZE];
    return tokenizer->folds[block * FOLD_BLOCK_SIZE + point % FOLD_BLOCK_SIZE];
}

/* Applies one character's fold; sets *reorders and does nothing when neighbours matter. */
static enum status add_character(struct encoding *encoding, struct utf8_character character, size_t position,
                                 bool *reorders) {
    uint32_t fold = fold_for(encoding->tokenizer, character.point);
    struct word_source source = {(uint32_t)position, (uint32_t)(position + character.bytes),
                                 (uint32_t)(position - encoding->continuations)};
    encoding->continuations += character.bytes - 1;
    switch (fold_kind(fold)) {
    case FOLD_WORD:
        add_to_word(encoding, fold_apply(fold, character.point), source);
        return STATUS_OK;
    case FOLD_DROP:
        return STATUS_OK;
    case FOLD_REORDERS:
        *reorders = true;
        return STATUS_OK;
    case FOLD_SEQUENCE:
        break;
    default:
        return add_split(encoding, (enum fold_kind)fold_kind(fold), fold_apply(fold, character.point),
                         source);
    }
    const uint32_t *points = encoding->tokenizer->fold_points + (fold >> FOLD_KIND_BITS);
    enum status status = STATUS_OK;
    for (uint32_t i = 1; i <= points[0] && status == STATUS_OK; i++)
        status =
            add_split(encoding, (enum fold_kind)fold_kind(points[i]), points[i] >> FOLD_KIND_BITS, source);
    return status;
}

/* The letters of an ASCII run; returns where it ends. */
static inline size_t add_ascii_letters(struct encoding *encoding, size_t position, size_t end) {
    const unsigned char *letters = encoding->tokenizer->header->letters;
    struct encode_scratch *scratch = encoding->tokens->scratch;
    size_t first = position;
    size_t room = encoding->tokenizer->settings.max_characters_per_word;
    room = room > encoding->word_characters ? room - encoding->word_characters : 0;
    size_t stored_end = end - position < room ? end : position + room;
    size_t size = encoding->word_size;
    while (position < stored_end && letters[encoding->text.data[position]] != 0)
        scratch->word[size++] = letters[encoding->text.data[position++]];
    if (encoding->options->with_spans) {
        for (size_t i = first; i < position; i++)
            scratch->sources[encoding->word_size + (i - first)] =
                (struct word_source){(uint32_t)i, (uint32_t)i + 1, (uint32_t)(i - encoding->continuations)};
    }
    encoding->word_size = size;
    while (position < end && letters[encoding->text.data[position]] != 0)
        position++;
    if (position == first)
        return position;
    if (encoding->word_characters == 0)
        encoding->word_first = (struct word_source){(uint32_t)first, (uint32_t)first + 1,
                                                    (uint32_t)(first - encoding->continuations)};
    encoding->word_last = (struct word_source){(uint32_t)position - 1, (uint32_t)position,
                                               (uint32_t)(position - 1 - encoding->continuations)};
    encoding->word_characters += position - first;
    return position;
}

/* Tokenizes a part without added tokens, character by character, unless *reorders says that neighbours
 * matter. */
static enum status encode_quickly(struct encoding *encoding, size_t start, size_t end, bool *reorders) {
    size_t position = start;
    enum status status = STATUS_OK;
    while (position < end && !has_enough(encoding) && !*reorders && status == STATUS_OK) {
        position = add_ascii_letters(encoding, position, end);
        if (position == end)
            break;
        struct utf8_character character = encoding->well_formed
                                              ? utf8_decode_valid(encoding->text.data + position)
                                              : utf8_decode(encoding->text, position);
        status = add_character(encoding, character, position, reorders);
        position += character.bytes;
    }
    return status == STATUS_OK && !*reorders ? end_word(encoding) : status;
}

static enum status add_normalized(struct encoding *encoding, const struct normalized_text *text, size_t start,
                                  size_t end) {
    enum status status = STATUS_OK;
    for (size_t i = start; i < end && !has_enough(encoding) && status == STATUS_OK; i++) {
        const struct normalized_character *character = &text->characters[i];
        struct word_source source = {character->byte_start, character->byte_end, character->character};
        status = add_split(encoding, split_kind(character->point), character->point, source);
    }
    return status == STATUS_OK ? end_word(encoding) : status;
}

static enum status add_found_token(struct encoding *encoding, uint32_t id, struct word_source first,
                                   struct word_source last) {
    enum status status = reserve_tokens(encoding, 1);
    if (status == STATUS_OK)
        push_token(encoding, id, first, last);
    return status;
}

static struct word_source source_of(const struct normalized_character *character) {
    return (struct word_source){character->byte_start, character->byte_end, character->character};
}

/* Tokenizes a part step by step over its normalized text. */
static enum status encode_normalized(struct encoding *encoding, size_t start, size_t end) {
    struct normalizer *normalizer = &encoding->tokens->scratch->normalizer;
    const struct normalized_text *text = &normalizer->result;
    enum status status = normalize(&encoding->tokenizer->settings, encoding->text, start, end,
                                   (uint32_t)(start - encoding->continuations), normalizer, encoding->error);
    struct added_token_search search = {0};
    struct added_token_match match;
    size_t done = 0;
    while (status == STATUS_OK && !has_enough(encoding) &&
           added_token_find_normalized(encoding->tokenizer, text, encoding->options->encode_special_tokens,
                                       &search, &match)) {
        status = add_normalized(encoding, text, done, match.start);
        if (status == STATUS_OK && !has_enough(encoding) && match.start < match.end)
            status = add_found_token(encoding, match.id, source_of(&text->characters[match.start]),
                                     source_of(&text->characters[match.end - 1]));
        done = match.end;
    }
    return status == STATUS_OK ? add_normalized(encoding, text, done, text->count) : status;
}

/* Room for the longest word the part could hold: a byte becomes FOLD_MAX_SEQUENCE characters at the very
 * most, and no more than max_characters_per_word characters of a word are kept. */
static enum status reserve_word(struct encoding *encoding, size_t part_size) {
    struct encode_scratch *scratch = encoding->tokens->scratch;
    size_t characters = part_size * FOLD_MAX_SEQUENCE; /* part_size is at most 4 GiB */
    if (characters > encoding->tokenizer->settings.max_characters_per_word)
        characters = encoding->tokenizer->settings.max_characters_per_word;
    size_t needed = characters * UTF8_MAX_BYTES + UTF8_MAX_BYTES;
    bool lacks_sources = encoding->options->with_spans && scratch->sources == NULL;
    if (needed <= scratch->word_capacity && !lacks_sources)
        return STATUS_OK;
    size_t capacity = needed > scratch->word_capacity ? needed : scratch->word_capacity;
    capacity = capacity < 512 ? 512 : capacity;
    unsigned char *word = realloc(scratch->word, capacity);
    if (word != NULL)
        scratch->word = word;
    struct word_source *sources = NULL;
    if (encoding->options->with_spans || scratch->sources != NULL) {
        sources = realloc(scratch->sources, capacity * sizeof *sources);
        if (sources != NULL)
            scratch->sources = sources;
        else
            word = NULL;
    }
    if (word == NULL)
        return error_set(encoding->error, STATUS_OUT_OF_MEMORY, "no memory for a word of %zu bytes",
                         capacity);
    scratch->word_capacity = capacity;
    return STATUS_OK;
}

static void count_continuations(struct encoding *encoding, size_t start, size_t end) {
    while (start < end) {
        struct utf8_character character = utf8_decode(encoding->text, start);
        encoding->continuations += character.bytes - 1;
        start += character.bytes;
    }
}

static enum status encode_part(struct encoding *encoding, size_t start, size_t end) {
    if (start >= end || has_enough(encoding))
        return STATUS_OK;
    size_t continuations = encoding->continuations, count = encoding->tokens->count;
    enum status status = reserve_word(encoding, end - start);
    if (status != STATUS_OK)
        return status;
    bool reorders = (encoding->tokenizer->header->flags & SECTION_NORMALIZED_ADDED_TOKENS) != 0;
    if (!reorders)
        status = encode_quickly(encoding, start, end, &reorders);
    if (!reorders || status != STATUS_OK)
        return status;
    encoding->tokens->count = count;
    encoding->continuations = continuations;
    encoding->word_size = 0;
    encoding->word_characters = 0;
    status = encode_normalized(encoding, start, end);
    count_continuations(encoding, start, end);
    return status;
}

/* The text's characters up to byte `end`, given that `done` bytes are counted in encoding->continuations. */
static size_t characters_until(const struct encoding *encoding, size_t done, size_t end) {
    size_t characters = done - encoding->continuations;
    for (; done < end; characters++)
        done += utf8_decode(encoding->text, done).bytes;
    for (; done > end; characters--)
        done -= utf8_decode_before(encoding->text, done).bytes;
    return characters;
}

/* The match's token; `done` is the end of the token or part before it. */
static enum status add_match(struct encoding *encoding, const struct added_token_match *match, size_t done) {
    if (has_enough(encoding) || match->start >= match->end)
        return STATUS_OK;
    size_t start = characters_until(encoding, done, match->start);
    size_t end = characters_until(encoding, done, match->end);
    encoding->continuations = match->end - end;
    struct word_source first = {.byte_start = (uint32_t)match->start, .character = (uint32_t)start};
    struct word_source last = {.byte_end = (uint32_t)match->end, .character = (uint32_t)(end - 1)};
    return add_found_token(encoding, match->id, first, last);
}

static enum status encode_text(struct encoding *encoding) {
    struct added_token_search search = {0};
    struct added_token_match match;
    size_t done = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !has_enough(encoding) &&
           added_token_find(encoding->tokenizer, encoding->text, encoding->options->encode_special_tokens,
                            &search, &match)) {
        status = encode_part(encoding, done, match.start);
        done = match.start > done ? match.start : done;
        if (status == STATUS_OK)
            status = add_match(encoding, &match, done);
        done = match.end;
    }
    return status == STATUS_OK ? encode_part(encoding, done, encoding->text.size) : status;
}

static enum status check_utf8(struct encoding *encoding) {
    struct bytes text = encoding->text;
    size_t invalid = utf8_find_invalid(text);
    encoding->well_formed = invalid == text.size;
    if (encoding->well_formed)
        return STATUS_OK;
    if (encoding->options->invalid_utf8 == INVALID_UTF8_REFUSE)
        return error_set(encoding->error, STATUS_INVALID_DATA,
                         "the text is not UTF-8: byte 0x%02X at offset %zu", text.data[invalid], invalid);
    while (invalid < text.size) {
        struct utf8_character character = utf8_decode(text, invalid);
        encoding->tokens->replacements += !character.valid;
        invalid += character.bytes;
    }
    return STATUS_OK;
}

enum status tokenizer_encode(const struct tokenizer *tokenizer, struct bytes text,
                             const struct encode_options *options, struct tokens *tokens,
                             struct error *error) {
    tokens->count = 0;
    tokens->stopped_early = false;
    tokens->replacements = 0;
    if (text.size > UINT32_MAX)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "a text of %zu bytes is larger than 4 GiB", text.size);
    if (tokens->scratch == NULL)
        tokens->scratch = calloc(1, sizeof *tokens->scratch);
    if (tokens->scratch == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the tokenizer's working memory");
    size_t limit = options->max_tokens == 0 ? SIZE_MAX : options->max_tokens + 1;
    struct encoding encoding = {.tokenizer = tokenizer,
                                .text = text,
                                .options = options,
                                .tokens = tokens,
                                .error = error,
                                .limit = limit};
    enum status status = check_utf8(&encoding);
    if (status == STATUS_OK && options->with_spans && tokens->spans == NULL)
        status = grow_tokens(&encoding, tokens->capacity);
    if (status == STATUS_OK)
        status = encode_text(&encoding);
    if (status != STATUS_OK) {
        tokens->count = 0;
        return status;
    }
    if (tokens->count >= limit) {
        tokens->count = options->max_tokens;
        tokens->stopped_early = true;
    }
    return STATUS_OK;
}

enum status tokens_set(struct tokens *tokens, const void *ids, const void *spans, size_t count,
                       bool stopped_early, struct error *error) {
    const struct encode_options options = {.with_spans = true};
    struct encoding encoding = {.options = &options, .tokens = tokens, .error = error};
    tokens->count = 0;
    tokens->stopped_early = stopped_early;
    tokens->replacements = 0;
    if (count == 0)
        return STATUS_OK;
    if (count > tokens->capacity || tokens->spans == NULL) {
        enum status status = grow_tokens(&encoding, count);
        if (status != STATUS_OK)
            return status;
    }
    memcpy(tokens->ids, ids, count * sizeof *tokens->ids);
    memcpy(tokens->spans, spans, count * sizeof *tokens->spans);
    tokens->count = count;
    return STATUS_OK;
}

void tokens_free(struct tokens *tokens) {
    if (tokens->scratch != NULL) {
        free(tokens->scratch->word);
        free(tokens->scratch->sources);
        normalizer_free(&tokens->scratch->normalizer);
        free(tokens->scratch);
    }
    free(tokens->ids);
    free(tokens->spans);
    *tokens = (struct tokens){0};
}
