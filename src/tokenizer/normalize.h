/* The normalizer step by step, as the reference runs it, over a whole text or part of one: clean, Chinese
 * spacing, canonical decomposition, accents, lower case. Bake time asks it what becomes of each code point;
 * encoding asks it only where neighbours matter (marks that survive and change places, added tokens in the
 * normalized text). */
#ifndef RESCOLDO_TOKENIZER_NORMALIZE_H
#define RESCOLDO_TOKENIZER_NORMALIZE_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A character of the normalized text and the character of the original text it stands for. */
struct normalized_character {
    uint32_t point;
    uint32_t byte_start, byte_end;
    uint32_t character;
};

struct normalized_text {
    struct normalized_character *characters; /* [count] */
    size_t count, capacity;
};

/* Working memory, reused from text to text; zero it once. */
struct normalizer {
    struct normalized_text result;
    struct normalized_text other; /* the step before */
    struct normalized_text run;   /* marks being put in order */
    unsigned char *new_source;    /* [new_source_capacity] */
    size_t new_source_capacity;
};

/* Normalizes bytes start..end of text, whose first character has that number in the text. Ill-formed UTF-8
 * reads as U+FFFD. The result lies in normalizer->result. Fails only with STATUS_OUT_OF_MEMORY. */
MUST_CHECK enum status normalize(const struct tokenizer_settings *settings, struct bytes text, size_t start,
                                 size_t end, uint32_t character, struct normalizer *normalizer,
                                 struct error *error);

/* Whether the settings strip accents, "null" resolved. */
bool settings_strip_accents(const struct tokenizer_settings *settings);

void normalizer_free(struct normalizer *normalizer);

#endif
