#include "tokenizer/added_tokens.h"

#include "tokenizer/section.h"
#include "tokenizer/trie.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

/* The longest added token that begins with the text's bytes at `position`; its place, or TRIE_NO_VALUE. */
static uint32_t longest_at(const struct tokenizer *tokenizer, struct bytes text, size_t position,
                           size_t *end) {
    uint32_t base = tokenizer->header->roots[ROOT_ADDED];
    uint32_t found = TRIE_NO_VALUE;
    while (position < text.size) {
        uint64_t unit = tokenizer->trie[base ^ text.data[position]];
        if (!trie_is_child(unit, text.data[position]))
            break;
        position++;
        if (trie_value(unit) != TRIE_NO_VALUE) {
            found = trie_value(unit);
            *end = position;
        }
        base = trie_base(unit);
    }
    return found < tokenizer->added_token_count ? found : TRIE_NO_VALUE;
}

static bool is_bounded(struct bytes text, size_t start, size_t end) {
    if (start > 0 && (unicode_flags(utf8_decode_before(text, start).point) & UNICODE_WORD) != 0)
        return false;
    return end == text.size || (unicode_flags(utf8_decode(text, end).point) & UNICODE_WORD) == 0;
}

/* White space before `done` stays with the token before, also where this one begins with it. */
static size_t strip_left(struct bytes text, size_t start, size_t done) {
    if (start < done)
        return done;
    while (start > done) {
        struct utf8_character before = utf8_decode_before(text, start);
        if ((unicode_flags(before.point) & UNICODE_PATTERN_SPACE) == 0)
            break;
        start -= before.bytes;
    }
    return start;
}

static size_t strip_right(struct bytes text, size_t end) {
    while (end < text.size) {
        struct utf8_character after = utf8_decode(text, end);
        if ((unicode_flags(after.point) & UNICODE_PATTERN_SPACE) == 0)
            break;
        end += after.bytes;
    }
    return end;
}

static void end_match(struct added_token_search *search, struct added_token_match *match) {
    if (match->end < match->start)
        match->end = match->start; /* the token before has eaten all of it */
    search->done = match->end;
}

/* The flags' rules on a raw match; false: it does not count. */
static bool apply_flags(const struct section_added_token *token, struct bytes text,
                        bool encode_special_tokens, size_t done, struct added_token_match *match) {
    if (encode_special_tokens && (token->flags & ADDED_SPECIAL) != 0)
        return false;
    if ((token->flags & ADDED_SINGLE_WORD) != 0 && !is_bounded(text, match->start, match->end))
        return false;
    if ((token->flags & ADDED_STRIP_LEFT) != 0)
        match->start = strip_left(text, match->start, done);
    if ((token->flags & ADDED_STRIP_RIGHT) != 0)
        match->end = strip_right(text, match->end);
    return true;
}

/* The next byte an added token may begin with. */
static size_t next_candidate(const struct tokenizer *tokenizer, struct bytes text, size_t position) {
    while (position < text.size && tokenizer->header->first_bytes[text.data[position]] == 0)
        position++;
    return position;
}

bool added_token_find(const struct tokenizer *tokenizer, struct bytes text, bool encode_special_tokens,
                      struct added_token_search *search, struct added_token_match *match) {
    if (tokenizer->header->roots[ROOT_ADDED] == 0)
        return false;
    for (;;) {
        size_t start = next_candidate(tokenizer, text, search->position);
        if (start == text.size)
            return false;
        size_t end = start;
        uint32_t place = longest_at(tokenizer, text, start, &end);
        search->position = place == TRIE_NO_VALUE ? start + 1 : end;
        if (place == TRIE_NO_VALUE)
            continue;
        const struct section_added_token *token = &tokenizer->added_tokens[place];
        *match = (struct added_token_match){start, end, token->id};
        if (apply_flags(token, text, encode_special_tokens, search->done, match)) {
            end_match(search, match);
            return true;
        }
    }
}

static uint32_t longest_normalized_at(const struct tokenizer *tokenizer, const struct normalized_text *text,
                                      size_t position, size_t *end) {
    uint32_t base = tokenizer->header->roots[ROOT_ADDED_NORMALIZED];
    uint32_t found = TRIE_NO_VALUE;
    for (; position < text->count; position++) {
        unsigned char encoded[UTF8_MAX_BYTES];
        unsigned size = utf8_encode(text->characters[position].point, encoded);
        uint64_t unit = 0;
        for (unsigned i = 0; i < size; i++) {
            unit = tokenizer->trie[base ^ encoded[i]];
            if (!trie_is_child(unit, encoded[i]))
                return found < tokenizer->added_token_count ? found : TRIE_NO_VALUE;
            base = trie_base(unit);
        }
        if (trie_value(unit) != TRIE_NO_VALUE) {
            found = trie_value(unit);
            *end = position + 1;
        }
    }
    return found < tokenizer->added_token_count ? found : TRIE_NO_VALUE;
}

static bool has_flag(const struct normalized_text *text, size_t position, enum unicode_flag flag) {
    return (unicode_flags(text->characters[position].point) & (unsigned)flag) != 0;
}

static bool apply_flags_normalized(const struct section_added_token *token,
                                   const struct normalized_text *text, bool encode_special_tokens,
                                   size_t done, struct added_token_match *match) {
    if (encode_special_tokens && (token->flags & ADDED_SPECIAL) != 0)
        return false;
    if ((token->flags & ADDED_SINGLE_WORD) != 0 &&
        ((match->start > 0 && has_flag(text, match->start - 1, UNICODE_WORD)) ||
         (match->end < text->count && has_flag(text, match->end, UNICODE_WORD))))
        return false;
    if ((token->flags & ADDED_STRIP_LEFT) != 0) {
        match->start = match->start < done ? done : match->start;
        while (match->start > done && has_flag(text, match->start - 1, UNICODE_PATTERN_SPACE))
            match->start--;
    }
    if ((token->flags & ADDED_STRIP_RIGHT) != 0) {
        while (match->end < text->count && has_flag(text, match->end, UNICODE_PATTERN_SPACE))
            match->end++;
    }
    return true;
}

bool added_token_find_normalized(const struct tokenizer *tokenizer, const struct normalized_text *text,
                                 bool encode_special_tokens, struct added_token_search *search,
                                 struct added_token_match *match) {
    if (tokenizer->header->roots[ROOT_ADDED_NORMALIZED] == 0)
        return false;
    while (search->position < text->count) {
        size_t start = search->position, end = start;
        uint32_t place = longest_normalized_at(tokenizer, text, start, &end);
        search->position = place == TRIE_NO_VALUE ? start + 1 : end;
        if (place == TRIE_NO_VALUE)
            continue;
        const struct section_added_token *token = &tokenizer->added_tokens[place];
        *match = (struct added_token_match){start, end, token->id};
        if (apply_flags_normalized(token, text, encode_special_tokens, search->done, match)) {
            end_match(search, match);
            return true;
        }
    }
    return false;
}
