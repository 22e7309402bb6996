/* Our side of bench/tokenizer/run: tokenizes all texts of a file each time it is told to, and says how long
 * it took.
 *
 *   ours DIRECTORY TEXTS [--spans]
 *
 * TEXTS: one text a line. For each line on stdin, one line on stdout: nanoseconds and tokens. */
#include "base/clock.h"
#include "base/file.h"
#include "formats/tokenizer_files.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

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

static enum status encode_all(const struct tokenizer *tokenizer, struct bytes texts,
                              const struct encode_options *options, struct tokens *tokens, size_t *count,
                              struct error *error) {
    *count = 0;
    while (texts.size != 0) {
        const unsigned char *newline = memchr(texts.data, '\n', texts.size);
        size_t size = newline == NULL ? texts.size : (size_t)(newline - texts.data);
        enum status status = tokenizer_encode(tokenizer, bytes_of(texts.data, size), options, tokens, error);
        if (status != STATUS_OK)
            return status;
        *count += tokens->count;
        texts = newline == NULL ? (struct bytes){0} : bytes_of(newline + 1, texts.size - size - 1);
    }
    return STATUS_OK;
}

int main(int count, char **arguments) {
    struct buffer section = {0}, texts = {0};
    struct tokenizer tokenizer;
    struct tokens tokens = {0};
    struct error error = {0};
    if (count < 3) {
        fprintf(stderr, "usage: ours DIRECTORY TEXTS [--spans]\n");
        return 2;
    }
    struct encode_options options = {.with_spans = count > 3 && strcmp(arguments[3], "--spans") == 0};
    enum status status = load(arguments[1], &section, &tokenizer, &error);
    if (status == STATUS_OK)
        status = file_read(arguments[2], (size_t)1 << 30, &texts, &error);
    char line[16];
    while (status == STATUS_OK && fgets(line, sizeof line, stdin) != NULL) {
        size_t token_count;
        uint64_t start = clock_nanoseconds();
        status = encode_all(&tokenizer, buffer_bytes(&texts), &options, &tokens, &token_count, &error);
        printf("%llu %zu\n", (unsigned long long)(clock_nanoseconds() - start), token_count);
        fflush(stdout);
    }
    if (status != STATUS_OK)
        fprintf(stderr, "ours: %s\n", error.message);
    tokens_free(&tokens);
    buffer_free(&texts);
    buffer_free(&section);
    return status == STATUS_OK ? 0 : 1;
}
