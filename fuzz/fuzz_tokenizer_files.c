/* Any bytes as tokenizer files: as tokenizer.json, or as vocab.txt, tokenizer_config.json and
 * special_tokens_map.json with a byte 0xFF between them. What is read must be a description tokenizer_compile
 * can look at. */
#include "formats/tokenizer_files.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes up to the next 0xFF, which are taken from `rest`. */
static struct bytes next_part(struct bytes *rest) {
    const unsigned char *end = rest->size == 0 ? NULL : memchr(rest->data, 0xFF, rest->size);
    struct bytes part = *rest;
    if (end != NULL)
        part.size = (size_t)(end - rest->data);
    *rest = end == NULL ? bytes_of(rest->data, 0) : bytes_of(end + 1, rest->size - part.size - 1);
    return part;
}

static size_t touch(struct bytes text) {
    size_t sum = 0;
    for (size_t i = 0; i < text.size; i++)
        sum += text.data[i];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes rest = bytes_of(data, size);
    struct tokenizer_files files;
    struct error error;
    enum status status;
    if (memchr(data, 0xFF, size) == NULL) {
        status = tokenizer_files_read_json(rest, "tokenizer.json", &files, &error);
    } else {
        struct bytes vocabulary = next_part(&rest), config = next_part(&rest);
        status = tokenizer_files_read_vocabulary(vocabulary, config, next_part(&rest), &files, &error);
    }
    if (status != STATUS_OK)
        return 0;
    size_t sum = 0;
    for (uint32_t i = 0; i < files.description.piece_count; i++)
        sum += touch(files.description.pieces[i]);
    for (uint32_t i = 0; i < files.description.added_token_count; i++)
        sum += touch(files.description.added_tokens[i].content);
    if (sum == SIZE_MAX || memchr(files.description.settings.continuing_prefix, 0, 16) == NULL)
        abort();
    tokenizer_files_free(&files);
    return 0;
}
