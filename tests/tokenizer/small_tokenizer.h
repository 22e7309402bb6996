/* Small tokenizers under many settings, made when first asked for, for the fuzzers and the unit tests of the
 * tokenizer. */
#ifndef RESCOLDO_TESTS_SMALL_TOKENIZER_H
#define RESCOLDO_TESTS_SMALL_TOKENIZER_H

#include "tokenizer/tokenizer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SMALL_PIECES     64u
#define SMALL_ADDED      6u
#define SMALL_TOKENIZERS 192u

struct small_tokenizer {
    bool made;
    struct bytes pieces[SMALL_PIECES];
    struct added_token added[SMALL_ADDED];
    struct tokenizer_description description;
    struct buffer section;
    struct tokenizer tokenizer;
};

static const char *const small_pieces[] = {
    "[UNK]",    "[CLS]",    "[SEP]",    "a",   "b",      "c",        "ab",       "abc",      "A",
    "AB",       "e",        "\u00e9",   "##a", "##b",    "##bc",     "##abc",    "##c",      "##e",
    "##A",      "##B",      ".",        "-",   "#",      "##",       "###",      "\u4e2d",   "##\u4e2d",
    "\u3042",   "##\u3099", "1",        "##1", "\u1112", "##\u1161", "##\u11ab", "\u0301",   "##\u0301",
    "##\u1b44", "\u00df",   "##\u00df", "##i", "i",      "##\u0307", "\u00c9",   "##\u00c9",
};

static const char *const small_added[SMALL_ADDED] = {"[SEP]", "ab", " b", "\u00c9a", "\u4e2d", "c."};

/* Settings and flags follow from the number: 24 settings of the normalizer by 8 ways to flag the added
 * tokens. */
static void small_describe(struct small_tokenizer *small, unsigned number) {
    unsigned way = number / 24;
    size_t count = sizeof small_pieces / sizeof *small_pieces;
    for (size_t i = 0; i < count; i++)
        small->pieces[i] = bytes_of_string(small_pieces[i]);
    for (unsigned i = 0; i < SMALL_ADDED; i++) {
        unsigned flags = way == 0 ? 0 : (way * 0x9E37u + i * 0x79B9u) >> 3;
        uint32_t id = i == 0 ? 2 : i == 1 ? 6 : i == 4 ? 25 : (uint32_t)count + (i < 4 ? i - 2 : 2);
        small->added[i] = (struct added_token){.content = bytes_of_string(small_added[i]),
                                               .id = id,
                                               .single_word = (flags & 1) != 0,
                                               .strip_left = (flags & 2) != 0,
                                               .strip_right = (flags & 4) != 0,
                                               .normalized = (flags & 8) != 0,
                                               .special = (flags & 16) != 0};
    }
    small->description = (struct tokenizer_description){
        .settings = {.clean_text = number % 2 != 0,
                     .handle_chinese_characters = number / 2 % 2 != 0,
                     .lowercase = number / 4 % 2 != 0,
                     .strip_accents = (enum strip_accents)(number / 8 % 3),
                     .max_characters_per_word = way % 2 == 0 ? 100 : 4,
                     .continuing_prefix = "##"},
        .pieces = small->pieces,
        .piece_count = (uint32_t)count,
        .added_tokens = small->added,
        .added_token_count = SMALL_ADDED,
        .unknown_id = 0,
        .classify_id = 1,
        .separator_id = 2,
    };
}

static inline const struct small_tokenizer *small_tokenizer(unsigned number) {
    static struct small_tokenizer all[SMALL_TOKENIZERS];
    struct small_tokenizer *small = &all[number % SMALL_TOKENIZERS];
    if (small->made)
        return small;
    struct error error;
    small_describe(small, number % SMALL_TOKENIZERS);
    if (tokenizer_compile(&small->description, &small->section, &error) != STATUS_OK ||
        tokenizer_open(&small->tokenizer, buffer_bytes(&small->section), &error) != STATUS_OK) {
        fprintf(stderr, "small_tokenizer: %s\n", error.message);
        abort();
    }
    small->made = true;
    return small;
}

#endif
