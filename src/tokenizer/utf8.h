/* UTF-8 (Unicode 17, section 3.9, tables 3-7 and 3-8). Pure functions. */
#ifndef RESCOLDO_TOKENIZER_UTF8_H
#define RESCOLDO_TOKENIZER_UTF8_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX_BYTES 4u

struct utf8_character {
    uint32_t point;
    uint32_t bytes; /* how many it takes in the text, at least 1 */
    bool valid;     /* false: a maximal ill-formed run; point is U+FFFD */
};

/* Reads the character at `position`, which must lie inside the text and at a character's start. */
struct utf8_character utf8_decode(struct bytes text, size_t position);

/* Reads a character that is known to be well-formed. */
static inline struct utf8_character utf8_decode_valid(const unsigned char *p) {
    if (p[0] < 0x80)
        return (struct utf8_character){p[0], 1, true};
    if (p[0] < 0xE0)
        return (struct utf8_character){(p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu), 2, true};
    if (p[0] < 0xF0)
        return (struct utf8_character){(p[0] & 0xFu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu), 3, true};
    return (struct utf8_character){
        (p[0] & 7u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu), 4, true};
}

/* The character that ends before `position` (above 0), read backwards. */
struct utf8_character utf8_decode_before(struct bytes text, size_t position);

/* Writes a scalar value; returns the number of bytes. */
static inline unsigned utf8_encode(uint32_t point, unsigned char *target) {
    if (point < 0x80) {
        target[0] = (unsigned char)point;
        return 1;
    }
    if (point < 0x800) {
        target[0] = (unsigned char)(0xC0u | point >> 6);
        target[1] = (unsigned char)(0x80u | (point & 0x3Fu));
        return 2;
    }
    if (point < 0x10000) {
        target[0] = (unsigned char)(0xE0u | point >> 12);
        target[1] = (unsigned char)(0x80u | (point >> 6 & 0x3Fu));
        target[2] = (unsigned char)(0x80u | (point & 0x3Fu));
        return 3;
    }
    target[0] = (unsigned char)(0xF0u | point >> 18);
    target[1] = (unsigned char)(0x80u | (point >> 12 & 0x3Fu));
    target[2] = (unsigned char)(0x80u | (point >> 6 & 0x3Fu));
    target[3] = (unsigned char)(0x80u | (point & 0x3Fu));
    return 4;
}

/* The offset of the first byte that begins an ill-formed run, or text.size when there is none. */
size_t utf8_find_invalid(struct bytes text);

#endif
