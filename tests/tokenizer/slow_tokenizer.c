#include "slow_tokenizer.h"

#include "tokenizer/unicode.h"

#include <stdio.h>
#include <stdlib.h>

/* A character of a text on its way through the steps, and the character of the original it stands for. */
struct character {
    uint32_t point;
    uint32_t byte_start, byte_end, number;
};

struct text {
    struct character *characters;
    size_t count;
};

static void *grow(void *memory, size_t count, size_t size) {
    memory = realloc(memory, (count + 1) * size);
    if (memory == NULL) {
        fprintf(stderr, "slow_tokenizer: no memory\n");
        abort();
    }
    return memory;
}

static void add(struct text *text, struct character character, uint32_t point) {
    text->characters = grow(text->characters, text->count + 1, sizeof *text->characters);
    text->characters[text->count] = character;
    text->characters[text->count++].point = point;
}

/* The text becomes what `next` holds, and `next` empty. */
static void replace(struct text *text, struct text *next) {
    free(text->characters);
    *text = *next;
    *next = (struct text){0};
}

static struct text decode(struct bytes bytes) {
    struct text text = {0};
    for (size_t i = 0; i < bytes.size;) {
        const unsigned char *p = bytes.data + i;
        unsigned size = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
        uint32_t point = size == 1 ? p[0] : p[0] & (0xFFu >> (size + 1));
        for (unsigned j = 1; j < size; j++)
            point = point << 6 | (p[j] & 0x3Fu);
        add(&text, (struct character){0, (uint32_t)i, (uint32_t)(i + size), (uint32_t)text.count}, point);
        i += size;
    }
    return text;
}

static bool is(uint32_t point, enum unicode_flag flag) {
    return (unicode_flags(point) & (unsigned)flag) != 0;
}

static void clean(struct text *text) {
    struct text next = {0};
    for (size_t i = 0; i < text->count; i++) {
        struct character c = text->characters[i];
        if (!is(c.point, UNICODE_REMOVED))
            add(&next, c, is(c.point, UNICODE_CLEANED_TO_SPACE) ? ' ' : c.point);
    }
    replace(text, &next);
}

static void space_chinese(struct text *text) {
    struct text next = {0};
    for (size_t i = 0; i < text->count; i++) {
        struct character c = text->characters[i];
        bool chinese = is(c.point, UNICODE_CHINESE);
        if (chinese)
            add(&next, c, ' ');
        add(&next, c, c.point);
        if (chinese)
            add(&next, c, ' ');
    }
    replace(text, &next);
}

static void swap(struct character *a, struct character *b, bool *first_a, bool *first_b) {
    struct character c = *a;
    *a = *b;
    *b = c;
    bool first = *first_a;
    *first_a = *first_b;
    *first_b = first;
}

/* NFD. Where a character comes from is told by its place among those that begin a source character. */
static void decompose(struct text *text) {
    struct text next = {0};
    bool *begins = NULL;
    for (size_t i = 0; i < text->count; i++) {
        uint32_t points[UNICODE_MAX_DECOMPOSITION];
        unsigned count = unicode_decompose(text->characters[i].point, points);
        for (unsigned j = 0; j < count; j++) {
            begins = grow(begins, next.count + 1, sizeof *begins);
            begins[next.count] = j == 0;
            add(&next, text->characters[i], points[j]);
        }
    }
    for (bool changed = true; changed;) { /* bubble sort of marks by combining class, as UAX #15 words it */
        changed = false;
        for (size_t i = 0; i + 1 < next.count; i++) {
            unsigned left = unicode_combining_rank(next.characters[i].point);
            unsigned right = unicode_combining_rank(next.characters[i + 1].point);
            if (left > right && right > 0) {
                swap(&next.characters[i], &next.characters[i + 1], &begins[i], &begins[i + 1]);
                changed = true;
            }
        }
    }
    size_t source = 0;
    for (size_t i = 0; i < next.count; i++) {
        source += begins[i];
        uint32_t point = next.characters[i].point;
        next.characters[i] = text->characters[source - 1];
        next.characters[i].point = point;
    }
    free(begins);
    replace(text, &next);
}

static void strip_marks(struct text *text) {
    struct text next = {0};
    for (size_t i = 0; i < text->count; i++) {
        if (!is(text->characters[i].point, UNICODE_MARK))
            add(&next, text->characters[i], text->characters[i].point);
    }
    replace(text, &next);
}

static void lowercase(struct text *text) {
    struct text next = {0};
    for (size_t i = 0; i < text->count; i++) {
        uint32_t points[UNICODE_MAX_LOWERCASE];
        unsigned count = unicode_lowercase(text->characters[i].point, points);
        for (unsigned j = 0; j < count; j++)
            add(&next, text->characters[i], points[j]);
    }
    replace(text, &next);
}

static void normalize_text(const struct tokenizer_settings *settings, struct text *text) {
    if (settings->clean_text)
        clean(text);
    if (settings->handle_chinese_characters)
        space_chinese(text);
    bool strip = settings->strip_accents == STRIP_ACCENTS_YES ||
                 (settings->strip_accents == STRIP_ACCENTS_AS_LOWERCASE && settings->lowercase);
    if (strip) {
        decompose(text);
        strip_marks(text);
    }
    if (settings->lowercase)
        lowercase(text);
}

/* One tokenization. */
struct slow {
    const struct tokenizer_description *description;
    bool encode_special_tokens;
    struct tokens *tokens;
};

static void emit(struct slow *slow, uint32_t id, const struct character *first,
                 const struct character *last) {
    struct tokens *tokens = slow->tokens;
    tokens->ids = grow(tokens->ids, tokens->count + 1, sizeof *tokens->ids);
    tokens->spans = grow(tokens->spans, tokens->count + 1, sizeof *tokens->spans);
    tokens->ids[tokens->count] = (int32_t)id;
    tokens->spans[tokens->count++] =
        (struct token_span){first->byte_start, last->byte_end, first->number, last->number + 1};
}

/* Whether the characters from `start` spell the bytes exactly; gives the number of characters. */
static bool spells(const struct text *text, size_t start, struct bytes bytes, size_t *characters) {
    struct text wanted = decode(bytes);
    bool equal = wanted.count <= text->count - start;
    for (size_t i = 0; equal && i < wanted.count; i++)
        equal = text->characters[start + i].point == wanted.characters[i].point;
    *characters = wanted.count;
    free(wanted.characters);
    return equal;
}

/* The piece that is `prefix` and then the longest run of the word from `start`; false: none. */
static bool longest_piece(const struct slow *slow, const struct text *word, size_t start, const char *prefix,
                          uint32_t *id, size_t *length) {
    size_t prefix_size = strlen(prefix);
    *length = 0;
    for (uint32_t i = 0; i < slow->description->piece_count; i++) {
        struct bytes piece = slow->description->pieces[i];
        size_t characters;
        if (piece.size <= prefix_size || memcmp(piece.data, prefix, prefix_size) != 0)
            continue;
        piece = bytes_of(piece.data + prefix_size, piece.size - prefix_size);
        if (spells(word, start, piece, &characters) && characters > *length) {
            *length = characters;
            *id = i;
        }
    }
    return *length != 0;
}

static void end_word(struct slow *slow, struct text *word) {
    if (word->count == 0)
        return;
    size_t before = slow->tokens->count;
    bool known = word->count <= slow->description->settings.max_characters_per_word;
    for (size_t start = 0; known && start < word->count;) {
        uint32_t id;
        size_t length;
        known = longest_piece(slow, word, start,
                              start == 0 ? "" : slow->description->settings.continuing_prefix, &id, &length);
        if (known)
            emit(slow, id, &word->characters[start], &word->characters[start + length - 1]);
        start += length;
    }
    if (!known) {
        slow->tokens->count = before;
        emit(slow, slow->description->unknown_id, &word->characters[0], &word->characters[word->count - 1]);
    }
    word->count = 0;
}

static void split_words(struct slow *slow, const struct text *text) {
    struct text word = {0};
    for (size_t i = 0; i < text->count; i++) {
        struct character c = text->characters[i];
        bool alone = is(c.point, UNICODE_PUNCTUATION);
        if (alone || is(c.point, UNICODE_WHITE_SPACE))
            end_word(slow, &word);
        if (!is(c.point, UNICODE_WHITE_SPACE))
            add(&word, c, c.point);
        if (alone)
            end_word(slow, &word);
    }
    end_word(slow, &word);
    free(word.characters);
}

/* The text of an added token as it is searched for. */
static struct text searched(const struct slow *slow, const struct added_token *token) {
    struct text text = decode(token->content);
    if (token->normalized)
        normalize_text(&slow->description->settings, &text);
    return text;
}

/* The longest added token of that kind which begins at `start`. */
static const struct added_token *longest_added(const struct slow *slow, const struct text *text, size_t start,
                                               bool normalized, size_t *length) {
    const struct added_token *found = NULL;
    *length = 0;
    for (uint32_t i = 0; i < slow->description->added_token_count; i++) {
        const struct added_token *token = &slow->description->added_tokens[i];
        struct text wanted = searched(slow, token);
        bool equal = token->normalized == normalized && wanted.count <= text->count - start;
        for (size_t j = 0; equal && j < wanted.count; j++)
            equal = text->characters[start + j].point == wanted.characters[j].point;
        if (equal && wanted.count > *length) {
            *length = wanted.count;
            found = token;
        }
        free(wanted.characters);
    }
    return found;
}

static bool counts(const struct slow *slow, const struct added_token *token, const struct text *text,
                   size_t start, size_t end) {
    if (token->special && slow->encode_special_tokens)
        return false;
    if (!token->single_word)
        return true;
    return (start == 0 || !is(text->characters[start - 1].point, UNICODE_WORD)) &&
           (end == text->count || !is(text->characters[end].point, UNICODE_WORD));
}

typedef void (*part_handler)(struct slow *slow, const struct text *text);

/* Cuts the added tokens of one kind out of a text and hands on what lies between them. */
static void cut_added(struct slow *slow, const struct text *text, bool normalized, part_handler handle) {
    size_t done = 0;
    for (size_t start = 0; start < text->count;) {
        size_t length;
        const struct added_token *token = longest_added(slow, text, start, normalized, &length);
        if (token == NULL) {
            start++;
            continue;
        }
        size_t first = start, end = start + length;
        start = end;
        if (!counts(slow, token, text, first, end))
            continue;
        if (token->strip_left && first < done)
            first = done; /* the token before has eaten its white space */
        while (token->strip_left && first > done &&
               is(text->characters[first - 1].point, UNICODE_PATTERN_SPACE))
            first--;
        while (token->strip_right && end < text->count &&
               is(text->characters[end].point, UNICODE_PATTERN_SPACE))
            end++;
        if (first > done) {
            struct text part = {text->characters + done, first - done};
            handle(slow, &part);
        }
        if (end <= first)
            continue;
        emit(slow, token->id, &text->characters[first], &text->characters[end - 1]);
        done = end;
    }
    if (done < text->count) {
        struct text rest = {text->characters + done, text->count - done};
        handle(slow, &rest);
    }
}

static void encode_part(struct slow *slow, const struct text *part) {
    struct text text = {0};
    for (size_t i = 0; i < part->count; i++)
        add(&text, part->characters[i], part->characters[i].point);
    normalize_text(&slow->description->settings, &text);
    cut_added(slow, &text, true, split_words);
    free(text.characters);
}

void slow_encode(const struct tokenizer_description *description, struct bytes text,
                 bool encode_special_tokens, struct tokens *tokens) {
    struct slow slow = {description, encode_special_tokens, tokens};
    struct text decoded = decode(text);
    tokens->count = 0;
    if (decoded.count != 0)
        cut_added(&slow, &decoded, false, encode_part);
    free(decoded.characters);
}
