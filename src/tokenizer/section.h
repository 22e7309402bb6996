/* The "tokenizer" section of an ember: a header, then parts that are searched where they lie. All integers
 * are little-endian; the section starts on a multiple of 8 bytes. tokenizer/compile.c writes it,
 * tokenizer/open.c checks it. */
#ifndef RESCOLDO_TOKENIZER_SECTION_H
#define RESCOLDO_TOKENIZER_SECTION_H

#include "tokenizer/unicode.h"

#include <stdint.h>

#define SECTION_MAGIC   0x4B4F5452u /* "RTOK" */
#define SECTION_VERSION 1u

enum section_flag {
    SECTION_CLEAN_TEXT = 1u << 0,
    SECTION_HANDLE_CHINESE_CHARACTERS = 1u << 1,
    SECTION_LOWERCASE = 1u << 2,
    SECTION_NORMALIZED_ADDED_TOKENS = 1u << 3, /* some added token is looked for in the normalized text */
};

/* The tries that share the part SECTION_TRIE. */
enum section_root {
    ROOT_WORD = 0,             /* pieces a word may begin with: all, whole */
    ROOT_CONTINUING = 1,       /* pieces that continue a word, without their prefix */
    ROOT_ADDED = 2,            /* added tokens looked for in the text as it is; values are their places */
    ROOT_ADDED_NORMALIZED = 3, /* added tokens, normalized, looked for in the normalized text */
    ROOT_COUNT = 4,
};

enum section_part {
    SECTION_TRIE = 0,        /* uint64_t: tokenizer/trie.h */
    SECTION_FOLD_INDEX = 1,  /* uint16_t [FOLD_BLOCKS]: block of each FOLD_BLOCK_SIZE code points */
    SECTION_FOLDS = 2,       /* uint32_t [blocks][FOLD_BLOCK_SIZE] */
    SECTION_FOLD_POINTS = 3, /* uint32_t: a count, then that many folds with points instead of differences */
    SECTION_PIECE_OFFSETS = 4, /* uint32_t [vocabulary_size + 1] into the next */
    SECTION_PIECE_BYTES = 5,   /* UTF-8 */
    SECTION_ADDED_TOKENS = 6,  /* struct section_added_token */
    SECTION_PART_COUNT = 7,
};

struct section_part_place {
    uint32_t offset; /* from the start of the section, a multiple of 8 */
    uint32_t size;   /* bytes */
};

struct section_added_token {
    uint32_t id;
    uint32_t size;  /* bytes of the content as it is searched for */
    uint32_t flags; /* enum section_added_flag */
};

enum section_added_flag {
    ADDED_SINGLE_WORD = 1u << 0,
    ADDED_STRIP_LEFT = 1u << 1,
    ADDED_STRIP_RIGHT = 1u << 2,
    ADDED_SPECIAL = 1u << 3,
    ADDED_NORMALIZED = 1u << 4,
};

struct section_header {
    uint32_t magic, version;
    uint32_t flags;         /* enum section_flag */
    uint32_t strip_accents; /* enum strip_accents */
    uint32_t max_characters_per_word;
    uint32_t vocabulary_size;
    uint32_t unknown_id, classify_id, separator_id;
    uint32_t roots[ROOT_COUNT]; /* bases */
    uint32_t reserved;          /* zero */
    char continuing_prefix[16];
    unsigned char letters[256]; /* what an ASCII byte becomes inside a word; 0: it is not part of a word */
    unsigned char first_bytes[256]; /* 1 for a byte that begins an added token of ROOT_ADDED */
    struct section_part_place parts[SECTION_PART_COUNT];
};

/* What the settings make of one code point, whatever its neighbours: clean, Chinese spacing, decomposition,
 * accents, lower case and the splitting into words, all in one look. The low 3 bits are the kind. */
enum fold_kind {
    FOLD_WORD = 0,     /* part of a word, as the code point + difference (the high 29 bits, signed) */
    FOLD_DROP = 1,     /* nothing is left of it */
    FOLD_SPACE = 2,    /* separates words */
    FOLD_ALONE = 3,    /* a word by itself, as the code point + difference */
    FOLD_SEQUENCE = 4, /* several: the high 29 bits are a place in SECTION_FOLD_POINTS */
    FOLD_REORDERS = 5, /* survives, but may change places with its neighbours: see tokenizer/normalize.h */
};

#define FOLD_KIND_BITS    3u
#define FOLD_KIND_MASK    7u
#define FOLD_BLOCK_SIZE   128u
#define FOLD_BLOCKS       (0x110000u / FOLD_BLOCK_SIZE)
#define FOLD_MAX_SEQUENCE 16u

/* How a character of the normalized text is split: a space, a word by itself, or part of a word. */
static inline enum fold_kind split_kind(uint32_t point) {
    unsigned flags = unicode_flags(point);
    if ((flags & UNICODE_WHITE_SPACE) != 0)
        return FOLD_SPACE;
    return (flags & UNICODE_PUNCTUATION) != 0 ? FOLD_ALONE : FOLD_WORD;
}

static inline uint32_t fold_make(enum fold_kind kind, int32_t difference) {
    return (uint32_t)difference << FOLD_KIND_BITS | (uint32_t)kind;
}

static inline uint32_t fold_kind(uint32_t fold) {
    return fold & FOLD_KIND_MASK;
}

/* The high 29 bits as a signed number, without relying on how negative numbers shift. */
static inline uint32_t fold_apply(uint32_t fold, uint32_t point) {
    uint32_t difference = fold >> FOLD_KIND_BITS;
    return (point + difference) & 0x1FFFFFFFu;
}

#endif
