/* Tokenizes at full speed for the oracle tests: texts in on stdin, tokens out on stdout.
 *
 *   driver DIRECTORY [--encode-special-tokens] [--replace] [--max-tokens N] [--slow]
 *
 * In: a text is its size in bytes (uint32) and its bytes. Out, for each text: the number of tokens (uint32),
 * their ids (int32), then their spans (four uint32 each: byte start and end, character start and end). A text
 * that is refused gives 0xFFFFFFFF. All in the machine's byte order. */
#include "base/buffer.h"
#include "formats/tokenizer_files.h"
#include "slow_tokenizer.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

struct driver {
    struct tokenizer_files files;
    struct buffer section;
    struct tokenizer tokenizer;
    struct encode_options options;
    bool slow;
    struct buffer text;
    struct tokens tokens;
};

static bool read_options(int count, char **arguments, struct driver *driver) {
    struct encode_options *options = &driver->options;
    options->with_spans = true;
    for (int i = 2; i < count; i++) {
        if (strcmp(arguments[i], "--encode-special-tokens") == 0)
            options->encode_special_tokens = true;
        else if (strcmp(arguments[i], "--replace") == 0)
            options->invalid_utf8 = INVALID_UTF8_REPLACE;
        else if (strcmp(arguments[i], "--slow") == 0)
            driver->slow = true;
        else if (strcmp(arguments[i], "--max-tokens") == 0 && i + 1 < count)
            options->max_tokens = strtoul(arguments[++i], NULL, 10);
        else
            return false;
    }
    return count >= 2;
}

static enum status load(const char *directory, struct driver *driver, struct error *error) {
    enum status status = tokenizer_files_read(directory, &driver->files, error);
    if (status == STATUS_OK)
        status = tokenizer_compile(&driver->files.description, &driver->section, error);
    return status == STATUS_OK ? tokenizer_open(&driver->tokenizer, buffer_bytes(&driver->section), error)
                               : status;
}

static bool write_tokens(const struct tokens *tokens) {
    uint32_t count = (uint32_t)tokens->count;
    if (count == 0) /* the arrays may not exist yet */
        return fwrite(&count, sizeof count, 1, stdout) == 1;
    return fwrite(&count, sizeof count, 1, stdout) == 1 &&
           fwrite(tokens->ids, sizeof *tokens->ids, count, stdout) == count &&
           fwrite(tokens->spans, sizeof *tokens->spans, count, stdout) == count;
}

static enum status encode(struct driver *driver, struct error *error) {
    struct bytes text = buffer_bytes(&driver->text);
    if (!driver->slow)
        return tokenizer_encode(&driver->tokenizer, text, &driver->options, &driver->tokens, error);
    slow_encode(&driver->files.description, text, driver->options.encode_special_tokens, &driver->tokens);
    return STATUS_OK;
}

static bool answer_all(struct driver *driver, struct error *error) {
    const uint32_t refused = UINT32_MAX;
    uint32_t size;
    while (fread(&size, sizeof size, 1, stdin) == 1) {
        driver->text.size = 0;
        if (buffer_reserve(&driver->text, size, error) != STATUS_OK ||
            fread(driver->text.data, 1, size, stdin) != size)
            return false;
        driver->text.size = size;
        bool answered = encode(driver, error) == STATUS_OK ? write_tokens(&driver->tokens)
                                                           : fwrite(&refused, sizeof refused, 1, stdout) == 1;
        if (!answered)
            return false;
    }
    return fflush(stdout) == 0;
}

int main(int count, char **arguments) {
    struct driver driver = {0};
    struct error error = {0};
    if (!read_options(count, arguments, &driver)) {
        fprintf(stderr,
                "usage: driver DIRECTORY [--encode-special-tokens] [--replace] [--max-tokens N] [--slow]\n");
        return 2;
    }
    bool good = load(arguments[1], &driver, &error) == STATUS_OK && answer_all(&driver, &error);
    if (!good)
        fprintf(stderr, "driver: %s\n", error.message);
    tokens_free(&driver.tokens);
    buffer_free(&driver.text);
    buffer_free(&driver.section);
    tokenizer_files_free(&driver.files);
    return good ? 0 : 1;
}
