#include "tokenizer/utf8.h"

/* The bytes a lead byte asks for and the range of the second (table 3-7); length 0: not a lead byte. */
struct lead {
    unsigned length;
    unsigned char second_low, second_high;
};

static struct lead lead_of(unsigned char byte) {
    if (byte < 0xC2)
        return (struct lead){0, 0, 0};
    if (byte < 0xE0)
        return (struct lead){2, 0x80, 0xBF};
    if (byte < 0xF0)
        return (struct lead){3, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF};
    if (byte < 0xF5)
        return (struct lead){4, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF};
    return (struct lead){0, 0, 0};
}

struct utf8_character utf8_decode(struct bytes text, size_t position) {
    const unsigned char *p = text.data + position;
    size_t left = text.size - position;
    if (p[0] < 0x80)
        return (struct utf8_character){p[0], 1, true};
    struct lead lead = lead_of(p[0]);
    uint32_t good = 1; /* bytes that could begin a character */
    while (good < lead.length && good < left && p[good] >= (good == 1 ? lead.second_low : 0x80) &&
           p[good] <= (good == 1 ? lead.second_high : 0xBF))
        good++;
    if (lead.length == 0 || good < lead.length)
        return (struct utf8_character){0xFFFD, good, false};
    return utf8_decode_valid(p);
}

struct utf8_character utf8_decode_before(struct bytes text, size_t position) {
    for (unsigned back = 1; back <= UTF8_MAX_BYTES && back <= position; back++) {
        if ((text.data[position - back] & 0xC0) == 0x80)
            continue;
        struct utf8_character character = utf8_decode(text, position - back);
        if (character.bytes == back)
            return character;
        break;
    }
    return (struct utf8_character){0xFFFD, 1, false};
}

size_t utf8_find_invalid(struct bytes text) {
    size_t position = 0;
    while (position < text.size) {
        while (text.size - position >= 8) {
            uint64_t eight;
            memcpy(&eight, text.data + position, sizeof eight);
            if ((eight & 0x8080808080808080u) != 0)
                break;
            position += 8;
        }
        if (position == text.size)
            break;
        struct utf8_character character = utf8_decode(text, position);
        if (!character.valid)
            return position;
        position += character.bytes;
    }
    return position;
}
