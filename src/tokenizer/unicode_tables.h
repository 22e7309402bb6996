/* The generated Unicode data (tools/unicode_tables.py); unicode.h is how to use it. */
#ifndef RESCOLDO_TOKENIZER_UNICODE_TABLES_H
#define RESCOLDO_TOKENIZER_UNICODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

#define UNICODE_BLOCK_SIZE 128u
#define UNICODE_BLOCKS     (0x110000u / UNICODE_BLOCK_SIZE)

/* unicode_flag_sets[unicode_flag_blocks[unicode_flag_index[c / 128]][c % 128]] are the flags of c. */
extern const uint8_t unicode_flag_index[UNICODE_BLOCKS];
extern const uint16_t unicode_flag_sets[];
extern const uint8_t unicode_flag_blocks[][UNICODE_BLOCK_SIZE];

/* Code points first, first + step, ... last become themselves + delta in lower case; ascending, disjoint. */
struct unicode_lowercase_range {
    uint32_t first, last, step;
    int32_t delta;
};
extern const struct unicode_lowercase_range unicode_lowercase_ranges[];
extern const size_t unicode_lowercase_range_count;

/* rank orders the canonical combining classes, from 1; it is not their number. */
struct unicode_combining_range {
    uint32_t first, last;
    uint8_t rank;
};
extern const struct unicode_combining_range unicode_combining_ranges[];
extern const size_t unicode_combining_range_count;

/* The full canonical decomposition of point: count code points from unicode_decomposed[offset]; ascending
 * points, without the Hangul syllables. */
struct unicode_decomposition {
    uint32_t point;
    uint16_t offset, count;
};
extern const struct unicode_decomposition unicode_decompositions[];
extern const size_t unicode_decomposition_count;
extern const uint32_t unicode_decomposed[];

#endif
