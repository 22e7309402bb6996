/* Any bytes as text, under many settings, against the slow tokenizer of the tests. The first two bytes choose
 * the tokenizer, the third how to encode, the fourth where to stop early; the rest is the text. */
#include "../tests/tokenizer/slow_tokenizer.h"
#include "../tests/tokenizer/small_tokenizer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LONGEST_TEXT ((size_t)400) /* the slow one is slow */

/* The bytes of the well-formed character at p, or 0 (Unicode 17, table 3-7, line by line). *good: how many
 * bytes could begin one. */
static unsigned well_formed(const uint8_t *p, size_t left, unsigned *good) {
    static const struct {
        uint8_t first_low, first_high, second_low, second_high;
        unsigned length;
    } lines[] = {
        {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    *good = 1;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (p[0] < lines[i].first_low || p[0] > lines[i].first_high)
            continue;
        for (unsigned at = 1; at < lines[i].length; at++) {
            uint8_t low = at == 1 ? lines[i].second_low : 0x80, high = at == 1 ? lines[i].second_high : 0xBF;
            if (at >= left || p[at] < low || p[at] > high)
                return 0;
            *good = at + 1;
        }
        return lines[i].length;
    }
    return 0;
}

/* Copies the text with each ill-formed run replaced; gives the number of runs. */
static size_t replace_invalid(struct bytes text, struct buffer *replaced) {
    struct error error;
    size_t runs = 0;
    for (size_t i = 0; i < text.size;) {
        unsigned good, length = well_formed(text.data + i, text.size - i, &good);
        enum status status = length == 0 ? buffer_append(replaced, "\xEF\xBF\xBD", 3, &error)
                                         : buffer_append(replaced, text.data + i, length, &error);
        if (status != STATUS_OK)
            abort();
        runs += length == 0;
        i += length == 0 ? good : length;
    }
    return runs;
}

static void check(bool good) {
    if (!good)
        abort();
}

static void compare(const struct tokens *ours, const struct tokens *slow, size_t count, bool bytes_too) {
    check(ours->count == count);
    for (size_t i = 0; i < count; i++) {
        check(ours->ids[i] == slow->ids[i]);
        check(ours->spans[i].character_start == slow->spans[i].character_start);
        check(ours->spans[i].character_end == slow->spans[i].character_end);
        check(!bytes_too || ours->spans[i].byte_start == slow->spans[i].byte_start);
        check(!bytes_too || ours->spans[i].byte_end == slow->spans[i].byte_end);
    }
}

/* The same text again without spans and with an early stop. */
static void check_variants(const struct small_tokenizer *small, struct bytes text,
                           struct encode_options options, const struct tokens *slow, size_t stop) {
    static struct tokens again;
    struct error error;
    options.with_spans = false;
    check(tokenizer_encode(&small->tokenizer, text, &options, &again, &error) == STATUS_OK);
    check(again.count == slow->count && !again.stopped_early);
    check(slow->count == 0 || memcmp(again.ids, slow->ids, slow->count * sizeof *slow->ids) == 0);
    options.with_spans = true;
    options.max_tokens = stop;
    check(tokenizer_encode(&small->tokenizer, text, &options, &again, &error) == STATUS_OK);
    check(again.stopped_early == (slow->count > stop));
    compare(&again, slow, slow->count > stop ? stop : slow->count, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct tokens ours, slow;
    static struct buffer replaced;
    if (size < 4 || size > LONGEST_TEXT)
        return 0;
    const struct small_tokenizer *small = small_tokenizer((unsigned)data[0] | (unsigned)data[1] << 8);
    struct encode_options options = {.with_spans = true,
                                     .encode_special_tokens = (data[2] & 1) != 0,
                                     .invalid_utf8 =
                                         (data[2] & 2) != 0 ? INVALID_UTF8_REPLACE : INVALID_UTF8_REFUSE};
    struct bytes text = bytes_of(data + 4, size - 4);
    struct error error;
    replaced.size = 0;
    size_t runs = replace_invalid(text, &replaced);
    enum status status = tokenizer_encode(&small->tokenizer, text, &options, &ours, &error);
    if (runs != 0 && options.invalid_utf8 == INVALID_UTF8_REFUSE) {
        check(status == STATUS_INVALID_DATA);
        return 0;
    }
    check(status == STATUS_OK && ours.replacements == runs);
    slow_encode(&small->description, buffer_bytes(&replaced), options.encode_special_tokens, &slow);
    compare(&ours, &slow, slow.count, runs == 0);
    check_variants(small, text, options, &slow, 1u + data[3] % 16u);
    return 0;
}
