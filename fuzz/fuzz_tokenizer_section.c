/* A damaged tokenizer section: whatever tokenizer_open accepts must be safe to encode with. The first byte
 * chooses the tokenizer, each six bytes after it change four bytes of its section: 16 bits of place and 32 of
 * content, the places spread over header, tables and trie. */
#include "../tests/tokenizer/small_tokenizer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "a ABc abcabc [SEP] \u00e9\u0301 \u00c9a e\u0301\u1b44\u0323 \u4e2d\uac00 \ufb2c. c. ab b  1\u0130";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct buffer damaged;
    static struct tokens tokens;
    struct error error;
    if (size < 1)
        return 0;
    const struct small_tokenizer *small = small_tokenizer(data[0] % 4u * 47u);
    size_t places = small->section.size / sizeof(uint32_t);
    damaged.size = 0;
    if (buffer_append(&damaged, small->section.data, small->section.size, &error) != STATUS_OK)
        return 0;
    for (size_t i = 1; i + 6 <= size; i += 6) {
        size_t place = load_u16le(data + i);
        /* Half of the places lie in the header, whose words are few. */
        place = place % 2 == 0 ? place / 2 % 256 : place * 997 % places;
        memcpy(damaged.data + place * sizeof(uint32_t), data + i + 2, sizeof(uint32_t));
    }
    struct tokenizer tokenizer;
    if (tokenizer_open(&tokenizer, buffer_bytes(&damaged), &error) != STATUS_OK)
        return 0;
    struct encode_options options = {.with_spans = true};
    if (tokenizer.settings.max_characters_per_word > 1000)
        return 0; /* only asks for memory */
    if (tokenizer_encode(&tokenizer, bytes_of_string(text), &options, &tokens, &error) != STATUS_OK)
        return 0;
    for (size_t i = 0; i < tokens.count; i++) {
        if ((uint32_t)tokens.ids[i] >= tokenizer.vocabulary_size)
            abort();
        (void)tokenizer_piece(&tokenizer, (uint32_t)tokens.ids[i]);
    }
    return 0;
}
