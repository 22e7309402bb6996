/* Unicode as the reference tokenizer sees it: categories of Unicode 8.0, decompositions of 9.0, lower case
 * of 17.0. Pure functions over constant tables; a code point is a Unicode scalar value (never above
 * 0x10FFFF). */
#ifndef RESCOLDO_TOKENIZER_UNICODE_H
#define RESCOLDO_TOKENIZER_UNICODE_H

#include "tokenizer/unicode_tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLACEMENT_CHARACTER 0xFFFDu

/* Must match the flags in tools/unicode_tables.py. */
enum unicode_flag {
    UNICODE_REMOVED = 1u << 0,          /* clean_text drops it: NUL, U+FFFD, Cc, Cf and Co */
    UNICODE_CLEANED_TO_SPACE = 1u << 1, /* clean_text makes it a space */
    UNICODE_CHINESE = 1u << 2,          /* handle_chinese_chars puts spaces around it */
    UNICODE_MARK = 1u << 3,             /* strip_accents drops it (Mn); known for what does not decompose */
    UNICODE_PUNCTUATION = 1u << 4,      /* a word of its own */
    UNICODE_WHITE_SPACE = 1u << 5,      /* separates words */
    UNICODE_WORD = 1u << 6,             /* \w: bounds an added token with single_word */
    UNICODE_PATTERN_SPACE = 1u << 7,    /* \s: eaten by an added token with lstrip or rstrip */
    UNICODE_DECOMPOSES = 1u << 8,       /* unicode_decompose gives something else */
    UNICODE_LOWERCASES = 1u << 9,       /* unicode_lowercase gives something else */
    UNICODE_REORDERS = 1u << 10,        /* its canonical combining class is not 0 */
};

static inline unsigned unicode_flags(uint32_t point) {
    uint8_t block = unicode_flag_index[point / UNICODE_BLOCK_SIZE];
    return unicode_flag_sets[unicode_flag_blocks[block][point % UNICODE_BLOCK_SIZE]];
}

#define UNICODE_MAX_DECOMPOSITION 4u
#define UNICODE_MAX_LOWERCASE     2u

/* The full canonical decomposition (NFD of the single code point); returns its length. */
unsigned unicode_decompose(uint32_t point, uint32_t decomposed[UNICODE_MAX_DECOMPOSITION]);

/* The lower case; two code points only for U+0130. Returns the length. */
unsigned unicode_lowercase(uint32_t point, uint32_t lowered[UNICODE_MAX_LOWERCASE]);

/* Orders like the canonical combining class; 0 for starters. */
unsigned unicode_combining_rank(uint32_t point);

#endif
