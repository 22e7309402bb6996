#include "formats/tokenizer_files.h"

#include "base/file.h"
#include "formats/tokenizer_description.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum status path_of(const char *directory, const char *file, char **path, struct error *error) {
    size_t size = strlen(directory) + strlen(file) + 2;
    *path = malloc(size);
    if (*path == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the path of %s", file);
    (void)snprintf(*path, size, "%s/%s", directory, file);
    return STATUS_OK;
}

static bool exists(const char *directory, const char *file) {
    char *path;
    if (path_of(directory, file, &path, NULL) != STATUS_OK)
        return false;
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

/* Appends the file; an optional file may be absent. */
static enum status read_file(const char *directory, const char *file, bool optional, struct buffer *content,
                             struct error *error) {
    if (optional && !exists(directory, file))
        return STATUS_OK;
    char *path;
    enum status status = path_of(directory, file, &path, error);
    if (status != STATUS_OK)
        return status;
    status = file_read(path, TOKENIZER_FILE_MAX_SIZE, content, error);
    free(path);
    return status;
}

static enum status read_json(const char *directory, struct tokenizer_files *files, struct error *error) {
    struct buffer content = {0};
    enum status status = read_file(directory, "tokenizer.json", false, &content, error);
    if (status == STATUS_OK)
        status = tokenizer_files_read_json(buffer_bytes(&content), "tokenizer.json", files, error);
    buffer_free(&content);
    return status;
}

static enum status read_vocabulary(const char *directory, struct tokenizer_files *files,
                                   struct error *error) {
    if (exists(directory, "added_tokens.json"))
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: added_tokens.json beside vocab.txt is not supported; a tokenizer.json would be read",
            directory);
    struct buffer vocabulary = {0}, config = {0}, map = {0};
    enum status status = read_file(directory, "vocab.txt", false, &vocabulary, error);
    if (status == STATUS_OK)
        status = read_file(directory, "tokenizer_config.json", true, &config, error);
    if (status == STATUS_OK)
        status = read_file(directory, "special_tokens_map.json", true, &map, error);
    if (status == STATUS_OK)
        status = tokenizer_files_read_vocabulary(buffer_bytes(&vocabulary), buffer_bytes(&config),
                                                 buffer_bytes(&map), files, error);
    buffer_free(&vocabulary);
    buffer_free(&config);
    buffer_free(&map);
    return status;
}

enum status tokenizer_files_read(const char *directory, struct tokenizer_files *files, struct error *error) {
    *files = (struct tokenizer_files){0};
    if (exists(directory, "tokenizer.json"))
        return read_json(directory, files, error);
    if (exists(directory, "vocab.txt"))
        return read_vocabulary(directory, files, error);
    return error_set(error, STATUS_NOT_FOUND, "%s holds neither tokenizer.json nor vocab.txt", directory);
}

void tokenizer_files_free(struct tokenizer_files *files) {
    buffer_free(&files->text);
    free(files->pieces);
    free(files->added);
    *files = (struct tokenizer_files){0};
}
