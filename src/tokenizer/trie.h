/* A double-array trie (Aoe 1989): the ways from a node are found by one exclusive-or and one comparison.
 * Several tries, each with its own root, share one array.
 *
 * A unit is 64 bits: 8 of label, 1 that says the unit is taken, 27 of base, 28 of value + 1 (0: no key ends
 * here). The child of a node along byte b is unit base ^ b, if it is taken and labelled b. No two nodes share
 * a base, so the label is proof. Units 0 to 255 are never taken: base 0 is a node without children. */
#ifndef RESCOLDO_TOKENIZER_TRIE_H
#define RESCOLDO_TOKENIZER_TRIE_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define TRIE_TAKEN       ((uint64_t)0x100)
#define TRIE_VALUE_SHIFT 36
#define TRIE_BASE_SHIFT  9
#define TRIE_BASE_MASK   ((uint64_t)0x7FFFFFF)
#define TRIE_MAX_VALUE   ((uint32_t)0xFFFFFFE)
#define TRIE_NO_VALUE    UINT32_MAX

struct trie_key {
    struct bytes bytes; /* not empty */
    uint32_t value;     /* at most TRIE_MAX_VALUE */
};

static inline uint32_t trie_base(uint64_t unit) {
    return (uint32_t)(unit >> TRIE_BASE_SHIFT & TRIE_BASE_MASK);
}

static inline bool trie_is_child(uint64_t unit, unsigned char label) {
    return (unit & 0x1FF) == (TRIE_TAKEN | label);
}

/* The value of the key that ends at this unit, or TRIE_NO_VALUE. */
static inline uint32_t trie_value(uint64_t unit) {
    return (uint32_t)(unit >> TRIE_VALUE_SHIFT) - 1u;
}

/* Builds several tries into one array of units, whose number is a multiple of 256. A zeroed builder is empty.
 */
struct trie_builder {
    struct buffer units; /* uint64_t */
    struct buffer bases; /* one byte a unit: whether it is somebody's base */
    struct buffer queue; /* nodes whose children are still to be placed */
    struct buffer
        free; /* uint32_t a unit: itself when it is free, else one at or before the next free unit */
    uint32_t first_tried; /* units before it are not tried any more */
};

/* Adds the keys, which must be sorted by bytes and distinct, and gives the base of their root. */
MUST_CHECK enum status trie_builder_add(struct trie_builder *builder, const struct trie_key *keys,
                                        size_t count, uint32_t *root, struct error *error);
void trie_builder_free(struct trie_builder *builder);

/* qsort's order of struct trie_key: by bytes, then by value. */
int trie_key_compare(const void *left, const void *right);

#endif
