#include "formats/tokenizer_files.h"

#include "base/file.h"
#include "formats/tokenizer_description.h"

#include <stdio.h>
#include <stdlib.h>

/* Where the files lie: inner is a folder of the folder with its slash, or "". */
struct place {
    const struct model_folder *folder;
    const char *inner;
};

static bool print_name(char name[MODEL_FOLDER_PATH_SIZE], const struct place *place, const char *file) {
    int length = snprintf(name, MODEL_FOLDER_PATH_SIZE, "%s%s", place->inner, file);
    return length > 0 && length < MODEL_FOLDER_PATH_SIZE;
}

static bool exists(const struct place *place, const char *file) {
    char name[MODEL_FOLDER_PATH_SIZE];
    return print_name(name, place, file) && model_folder_has(place->folder, name);
}

/* Appends the file; an optional file may be absent. */
static enum status read_file(const struct place *place, const char *file, bool optional,
                             struct buffer *content, struct error *error) {
    char name[MODEL_FOLDER_PATH_SIZE];
    if (optional && !exists(place, file))
        return STATUS_OK;
    if (!print_name(name, place, file))
        return error_set(error, STATUS_INVALID_ARGUMENT, "the path of %s is too long", file);
    return model_folder_read(place->folder, name, TOKENIZER_FILE_MAX_SIZE, content, error);
}

/* A reader of a file's content knows only the file's name. */
static enum status in_folder(const struct place *place, enum status status, struct error *error) {
    return status == STATUS_OK ? status : error_add_context(error, status, "%s", place->folder->path);
}

static enum status read_json(const struct place *place, struct tokenizer_files *files, struct error *error) {
    struct buffer content = {0};
    enum status status = read_file(place, "tokenizer.json", false, &content, error);
    if (status == STATUS_OK)
        status = in_folder(
            place, tokenizer_files_read_json(buffer_bytes(&content), "tokenizer.json", files, error), error);
    buffer_free(&content);
    return status;
}

static enum status read_vocabulary(const struct place *place, struct tokenizer_files *files,
                                   struct error *error) {
    if (exists(place, "added_tokens.json"))
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: added_tokens.json beside vocab.txt is not supported; a tokenizer.json would be read",
            place->folder->path);
    struct buffer vocabulary = {0}, config = {0}, map = {0};
    enum status status = read_file(place, "vocab.txt", false, &vocabulary, error);
    if (status == STATUS_OK)
        status = read_file(place, "tokenizer_config.json", true, &config, error);
    if (status == STATUS_OK)
        status = read_file(place, "special_tokens_map.json", true, &map, error);
    if (status == STATUS_OK)
        status = in_folder(place,
                           tokenizer_files_read_vocabulary(buffer_bytes(&vocabulary), buffer_bytes(&config),
                                                           buffer_bytes(&map), files, error),
                           error);
    buffer_free(&vocabulary);
    buffer_free(&config);
    buffer_free(&map);
    return status;
}

enum status tokenizer_files_read_folder(const struct model_folder *folder, const char *inner,
                                        struct tokenizer_files *files, struct error *error) {
    const struct place place = {folder, inner};
    *files = (struct tokenizer_files){0};
    if (exists(&place, "tokenizer.json"))
        return read_json(&place, files, error);
    if (exists(&place, "vocab.txt"))
        return read_vocabulary(&place, files, error);
    return error_set(error, STATUS_NOT_FOUND, "%s holds neither tokenizer.json nor vocab.txt", folder->path);
}

enum status tokenizer_files_read(const char *directory, struct tokenizer_files *files, struct error *error) {
    struct model_folder folder;
    *files = (struct tokenizer_files){0};
    enum status status = model_folder_open_directory(&folder, directory, error);
    if (status == STATUS_OK)
        status = tokenizer_files_read_folder(&folder, "", files, error);
    model_folder_close(&folder);
    return status;
}

void tokenizer_files_free(struct tokenizer_files *files) {
    buffer_free(&files->text);
    free(files->pieces);
    free(files->added);
    *files = (struct tokenizer_files){0};
}
