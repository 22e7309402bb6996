#include "server/api_keys.h"

#include "base/file.h"

#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define MAX_FILE_BYTES ((size_t)1 << 20)

struct api_key {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char name[API_KEY_NAME_MAX_BYTES + 1];
};

struct api_keys {
    size_t count;
    struct api_key keys[API_KEYS_MAX];
};

static bool is_space(unsigned char byte) {
    return byte == ' ' || byte == '\t';
}

static struct bytes without_spaces(struct bytes text) {
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (is_space(text.data[text.size - 1]) || text.data[text.size - 1] == '\r'))
        text.size--;
    return text;
}

/* The visible ASCII characters at the start; the rest of the text follows. */
static struct bytes take_word(struct bytes *text) {
    size_t size = 0;
    while (size < text->size && text->data[size] > ' ' && text->data[size] < 0x7f)
        size++;
    struct bytes word = bytes_of(text->data, size);
    *text = bytes_of(text->data + size, text->size - size);
    return word;
}

static void digest_of(struct bytes key, uint8_t digest[SHA256_DIGEST_LENGTH]) {
    SHA2_CTX state;
    SHA256Init(&state);
    SHA256Update(&state, key.data, key.size);
    SHA256Final(digest, &state);
}

/* The index of the key, or the count. Reads every digest to its end. */
static size_t find(const struct api_keys *keys, struct bytes key) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    digest_of(key, digest);
    size_t found = keys->count;
    for (size_t i = 0; i < keys->count; i++) {
        unsigned difference = 0;
        for (size_t j = 0; j < sizeof digest; j++)
            difference |= (unsigned)(digest[j] ^ keys->keys[i].digest[j]);
        found = difference == 0 ? i : found;
    }
    return found;
}

static enum status add_line(struct api_keys *keys, struct bytes line, size_t number, struct error *error) {
    struct bytes rest = without_spaces(line);
    if (rest.size == 0 || rest.data[0] == '#')
        return STATUS_OK;
    struct bytes key = take_word(&rest);
    struct bytes after = without_spaces(rest);
    struct bytes name = take_word(&after);
    if (key.size == 0 || key.size > API_KEY_MAX_BYTES || (rest.size > 0 && !is_space(rest.data[0])) ||
        after.size > 0)
        return error_set(error, STATUS_INVALID_DATA,
                         "line %zu is not a key of at most %u visible ASCII characters, and a name of one "
                         "word if wanted",
                         number, API_KEY_MAX_BYTES);
    if (name.size > API_KEY_NAME_MAX_BYTES)
        return error_set(error, STATUS_INVALID_DATA, "line %zu: the name has %zu bytes, expected at most %u",
                         number, name.size, API_KEY_NAME_MAX_BYTES);
    if (keys->count == API_KEYS_MAX)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "line %zu: more than %u keys", number, API_KEYS_MAX);
    if (find(keys, key) < keys->count)
        return error_set(error, STATUS_INVALID_DATA, "line %zu has a key that an earlier line has", number);
    struct api_key *added = &keys->keys[keys->count++];
    digest_of(key, added->digest);
    snprintf(added->name, sizeof added->name, "%.*s", (int)name.size, (const char *)name.data);
    return STATUS_OK;
}

enum status api_keys_parse(struct bytes text, struct api_keys **keys, struct error *error) {
    struct api_keys *made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the keys");
    enum status status = STATUS_OK;
    for (size_t number = 1; text.size > 0 && status == STATUS_OK; number++) {
        const unsigned char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        status = add_line(made, bytes_of(text.data, size), number, error);
        size += end == NULL ? 0 : 1;
        text = bytes_of(text.data + size, text.size - size);
    }
    if (status == STATUS_OK && made->count == 0)
        status = error_set(error, STATUS_INVALID_DATA, "there is no key, expected one a line");
    if (status != STATUS_OK) {
        api_keys_free(made);
        return status;
    }
    *keys = made;
    return STATUS_OK;
}

enum status api_keys_read(const char *path, struct api_keys **keys, struct error *error) {
    struct buffer text = {0};
    enum status status = file_read(path, MAX_FILE_BYTES, &text, error);
    if (status == STATUS_OK) {
        status = api_keys_parse(buffer_bytes(&text), keys, error);
        if (status != STATUS_OK)
            status = error_add_context(error, status, "%s", path);
    }
    if (text.data != NULL)
        explicit_bzero(text.data, text.size);
    buffer_free(&text);
    return status;
}

void api_keys_free(struct api_keys *keys) {
    free(keys);
}

/* What follows "Bearer", or the whole field: RFC 9110, section 11.4, and clients that leave the scheme out.
 */
static struct bytes without_scheme(struct bytes field) {
    static const char scheme[] = "bearer";
    size_t size = sizeof scheme - 1;
    if (field.size <= size || strncasecmp((const char *)field.data, scheme, size) != 0 ||
        !is_space(field.data[size]))
        return field;
    return without_spaces(bytes_of(field.data + size, field.size - size));
}

bool api_keys_permit(const struct api_keys *keys, const struct http_request *request, const char **name) {
    static const enum header_field fields[] = {FIELD_AUTHORIZATION, FIELD_API_KEY};
    size_t found = keys->count;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct bytes field = http_request_field(request, fields[i]);
        if (fields[i] == FIELD_AUTHORIZATION)
            field = without_scheme(field);
        if (request->fields[fields[i]].count != 1 || field.size == 0 || field.size > API_KEY_MAX_BYTES)
            continue;
        size_t place = find(keys, field);
        found = place < keys->count ? place : found;
    }
    *name = found < keys->count ? keys->keys[found].name : "";
    return found < keys->count;
}
