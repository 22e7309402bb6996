/* Tokenizes at full speed for the oracle tests: texts in on stdin, tokens out on stdout.
 *
 *   tokenizer_driver DIRECTORY [--encode-special-tokens] [--replace] [--max-tokens N]
 *
 * In: a text is its size in bytes (uint32) and its bytes. Out, for each text: the number of tokens (uint32),
 * their ids (int32), then their spans (four uint32 each: byte start and end, character start and end). A text
 * that is refused gives 0xFFFFFFFF. All in the machine's byte order. */
#include "base/buffer.h"
#include "formats/tokenizer_files.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

static bool read_options(int count, char **arguments, struct encode_options *options) {
    options->with_spans = true;
    for (int i = 2; i < count; i++) {
        if (strcmp(arguments[i], "--encode-special-tokens") == 0)
            options->encode_special_tokens = true;
        else if (strcmp(arguments[i], "--replace") == 0)
            options->invalid_utf8 = INVALID_UTF8_REPLACE;
        else if (strcmp(arguments[i], "--max-tokens") == 0 && i + 1 < count)
            options->max_tokens = strtoul(arguments[++i], NULL, 10);
        else
            return false;
    }
    return count >= 2;
}

static enum status load(const char *directory, struct buffer *section, struct tokenizer *tokenizer,
                        struct error *error) {
    struct tokenizer_files files;
    enum status status = tokenizer_files_read(directory, &files, error);
    if (status != STATUS_OK)
        return status;
    status = tokenizer_compile(&files.description, section, error);
    tokenizer_files_free(&files);
    return status == STATUS_OK ? tokenizer_open(tokenizer, buffer_bytes(section), error) : status;
}

static bool write_tokens(const struct tokens *tokens) {
    uint32_t count = (uint32_t)tokens->count;
    return fwrite(&count, sizeof count, 1, stdout) == 1 &&
           fwrite(tokens->ids, sizeof *tokens->ids, count, stdout) == count &&
           fwrite(tokens->spans, sizeof *tokens->spans, count, stdout) == count;
}

static bool answer_all(const struct tokenizer *tokenizer, const struct encode_options *options,
                       struct buffer *text, struct tokens *tokens, struct error *error) {
    const uint32_t refused = UINT32_MAX;
    uint32_t size;
    while (fread(&size, sizeof size, 1, stdin) == 1) {
        text->size = 0;
        if (buffer_reserve(text, size, error) != STATUS_OK || fread(text->data, 1, size, stdin) != size)
            return false;
        text->size = size;
        bool answered = tokenizer_encode(tokenizer, buffer_bytes(text), options, tokens, error) == STATUS_OK
                            ? write_tokens(tokens)
                            : fwrite(&refused, sizeof refused, 1, stdout) == 1;
        if (!answered)
            return false;
    }
    return fflush(stdout) == 0;
}

int main(int count, char **arguments) {
    struct encode_options options = {0};
    struct buffer section = {0}, text = {0};
    struct tokenizer tokenizer;
    struct tokens tokens = {0};
    struct error error = {0};
    if (!read_options(count, arguments, &options)) {
        fprintf(stderr,
                "usage: tokenizer_driver DIRECTORY [--encode-special-tokens] [--replace] [--max-tokens N]\n");
        return 2;
    }
    bool good = load(arguments[1], &section, &tokenizer, &error) == STATUS_OK &&
                answer_all(&tokenizer, &options, &text, &tokens, &error);
    if (!good)
        fprintf(stderr, "tokenizer_driver: %s\n", error.message);
    tokens_free(&tokens);
    buffer_free(&text);
    buffer_free(&section);
    return good ? 0 : 1;
}
