#include "tokenizer/section.h"
#include "tokenizer/tokenizer.h"

#include <string.h>

static bool is_special(const struct tokenizer *tokenizer, uint32_t id) {
    for (uint32_t i = 0; i < tokenizer->added_token_count; i++)
        if (tokenizer->added_tokens[i].id == id && (tokenizer->added_tokens[i].flags & ADDED_SPECIAL) != 0)
            return true;
    return false;
}

/* The reference's cleanup of English punctuation, of which these alone can be one piece. */
static bool joins_the_word_before(struct bytes piece) {
    static const char *const marks[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (piece.size >= strlen(marks[i]) && memcmp(piece.data, marks[i], strlen(marks[i])) == 0)
            return true;
    return false;
}

static enum status append_piece(const struct tokenizer *tokenizer, struct bytes piece, bool first,
                                struct buffer *text, struct error *error) {
    const char *prefix = tokenizer->settings.continuing_prefix;
    size_t prefix_size = strlen(prefix);
    bool continues = piece.size >= prefix_size && memcmp(piece.data, prefix, prefix_size) == 0;
    if (!first && continues)
        piece = bytes_of(piece.data + prefix_size, piece.size - prefix_size);
    else if (!first && !joins_the_word_before(piece) && buffer_append(text, " ", 1, error) != STATUS_OK)
        return STATUS_OUT_OF_MEMORY;
    return buffer_append(text, piece.data, piece.size, error);
}

enum status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                             bool skip_special_tokens, struct buffer *text, struct error *error) {
    bool first = true;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= tokenizer->vocabulary_size)
            return error_set(error, STATUS_INVALID_ARGUMENT, "id %d at %zu is not in the vocabulary of %u",
                             ids[i], i, tokenizer->vocabulary_size);
        if (skip_special_tokens && is_special(tokenizer, (uint32_t)ids[i]))
            continue;
        status = append_piece(tokenizer, tokenizer_piece(tokenizer, (uint32_t)ids[i]), first, text, error);
        first = false;
    }
    return status;
}
