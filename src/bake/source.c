#include "bake/source.h"

#include "formats/tokenizer_files.h"

#include <errno.h>
#include <sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEIGHTS_FILE   "model.safetensors"
#define HASH_CHUNK     ((size_t)8 << 20)  /* bytes between two reports */
#define MAX_SIDE_FILE  ((size_t)64 << 20) /* of a configuration or tokenizer file */
#define MAX_README     ((size_t)1 << 20)
#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

static enum status print_path(char path[HUGGINGFACE_PATH_SIZE], struct error *error, const char *format, ...)
    PRINTF_LIKE(3, 4);

static enum status print_path(char path[HUGGINGFACE_PATH_SIZE], struct error *error, const char *format,
                              ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(path, HUGGINGFACE_PATH_SIZE, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= HUGGINGFACE_PATH_SIZE)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a path is longer than %d bytes: %.200s",
                         HUGGINGFACE_PATH_SIZE - 1, path);
    return STATUS_OK;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* The directory of the path given: itself, or that of a safetensors file. */
static enum status find_directory(struct source *source, const char *path, struct error *error) {
    struct stat information;
    if (stat(path, &information) != 0)
        return error_set_errno(error, errno, "cannot open the model %s", path);
    if (S_ISDIR(information.st_mode)) {
        size_t length = strlen(path);
        while (length > 1 && path[length - 1] == '/')
            length--;
        return print_path(source->directory, error, "%.*s", (int)length, path);
    }
    if (!ends_with(path, ".safetensors"))
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s is not supported; supported: a Hugging Face model directory, or the %s inside one", path,
            WEIGHTS_FILE);
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return print_path(source->directory, error, ".");
    return print_path(source->directory, error, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static enum status explain_missing_weights(const struct source *source, struct error *error) {
    static const char *const others[] = {
        "model.safetensors.index.json", "pytorch_model.bin", "tf_model.h5",
        "flax_model.msgpack",           "model.onnx",        "onnx/model.onnx"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        char path[HUGGINGFACE_PATH_SIZE];
        int length = snprintf(path, sizeof path, "%s/%s%s", source->directory,
                              source->huggingface.transformer_folder, others[i]);
        if (length > 0 && (size_t)length < sizeof path && access(path, F_OK) == 0)
            return error_set(error, STATUS_UNSUPPORTED, "%s holds %s, which is not supported; supported: %s",
                             source->directory, others[i], WEIGHTS_FILE);
    }
    return error_set(error, STATUS_NOT_FOUND, "%s has no %s", source->directory, WEIGHTS_FILE);
}

static enum status open_weights(struct source *source, const char *path, struct error *error) {
    struct stat information;
    enum status status = stat(path, &information) == 0 && S_ISREG(information.st_mode)
                             ? print_path(source->weights_path, error, "%s", path)
                             : print_path(source->weights_path, error, "%s/%s" WEIGHTS_FILE,
                                          source->directory, source->huggingface.transformer_folder);
    if (status == STATUS_OK)
        status = file_map(source->weights_path, &source->weights_mapping, error);
    if (status == STATUS_NOT_FOUND)
        return explain_missing_weights(source, error);
    if (status == STATUS_OK)
        status =
            safetensors_open(&source->weights, source->weights_mapping.bytes, source->weights_path, error);
    return status;
}

static void finish_hash(SHA2_CTX *state, char hex[SHA256_HEX_SIZE]) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256Final(digest, state);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static enum status add_file(struct source *source, const char *name, struct bytes bytes,
                            const struct bake_progress *progress, struct error *error) {
    if (source->file_count == SOURCE_MAX_FILES || strlen(name) >= sizeof source->files[0].name)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%s: too many source files, or too long a name", name);
    struct source_file *file = &source->files[source->file_count++];
    memcpy(file->name, name, strlen(name) + 1);
    file->size = bytes.size;
    SHA2_CTX state;
    SHA256Init(&state);
    for (size_t done = 0; done < bytes.size; done += HASH_CHUNK) {
        enum status status = progress_check(progress, error);
        if (status != STATUS_OK)
            return status;
        SHA256Update(&state, bytes.data + done,
                     bytes.size - done < HASH_CHUNK ? bytes.size - done : HASH_CHUNK);
        if (bytes.size > HASH_CHUNK)
            progress_report(progress, "hashing the weights", done, bytes.size);
    }
    finish_hash(&state, file->sha256);
    return STATUS_OK;
}

static bool is_listed(const struct source *source, const char *name) {
    for (uint32_t i = 0; i < source->file_count; i++) {
        if (strcmp(source->files[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Lists a small file by its name in the directory, once; an absent one only when it is optional. */
static enum status add_side_file(struct source *source, const char *folder, const char *name, bool optional,
                                 const struct bake_progress *progress, struct error *error) {
    char path[HUGGINGFACE_PATH_SIZE], relative[HUGGINGFACE_PATH_SIZE];
    struct buffer content = {0};
    enum status status = print_path(relative, error, "%s%s", folder, name);
    if (status == STATUS_OK && is_listed(source, relative))
        return STATUS_OK;
    if (status == STATUS_OK)
        status = print_path(path, error, "%s/%s", source->directory, relative);
    if (status == STATUS_OK)
        status = file_read(path, MAX_SIDE_FILE, &content, error);
    if (status == STATUS_OK)
        status = add_file(source, relative, buffer_bytes(&content), progress, error);
    else if (status == STATUS_NOT_FOUND && optional)
        status = STATUS_OK;
    buffer_free(&content);
    return status;
}

static enum status check_tokenizer(const struct source *source, const struct tokenizer_description *tokenizer,
                                   struct error *error) {
    const struct model_shape *shape = &source->huggingface.description.shape;
    uint32_t largest = tokenizer->piece_count == 0 ? 0 : tokenizer->piece_count - 1;
    for (uint32_t i = 0; i < tokenizer->added_token_count; i++) {
        if (tokenizer->added_tokens[i].id > largest)
            largest = tokenizer->added_tokens[i].id;
    }
    if (largest >= shape->vocabulary_size)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: the tokenizer has ids up to %u, but config.json says a vocab_size of %u",
                         source->directory, largest, shape->vocabulary_size);
    if (source->huggingface.lowercase_first && !tokenizer->settings.lowercase)
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: do_lower_case in sentence_bert_config.json before a tokenizer that keeps case is not "
            "supported",
            source->directory);
    return STATUS_OK;
}

static enum status read_tokenizer(struct source *source, const struct bake_progress *progress,
                                  struct error *error) {
    const char *folder = source->huggingface.transformer_folder;
    char directory[HUGGINGFACE_PATH_SIZE];
    struct tokenizer_files files = {0};
    enum status status = print_path(directory, error, "%s/%s", source->directory, folder);
    if (status == STATUS_OK && folder[0] == '\0')
        status = print_path(directory, error, "%s", source->directory);
    if (status == STATUS_OK)
        status = tokenizer_files_read(directory, &files, error);
    if (status != STATUS_OK)
        return status;
    status = check_tokenizer(source, &files.description, error);
    if (status == STATUS_OK)
        status = tokenizer_compile(&files.description, &source->tokenizer_section, error);
    if (status == STATUS_OK)
        status = add_side_file(source, folder, files.source, false, progress, error);
    if (status == STATUS_OK && strcmp(files.source, "vocab.txt") == 0) {
        status = add_side_file(source, folder, "tokenizer_config.json", true, progress, error);
        if (status == STATUS_OK)
            status = add_side_file(source, folder, "special_tokens_map.json", true, progress, error);
    }
    tokenizer_files_free(&files);
    return status;
}

static bool is_licence_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '+';
}

/* "license: NAME" in the YAML front matter of a model card (README.md between two lines "---"). */
static void find_licence(const char *card, char licence[SOURCE_LICENCE_SIZE]) {
    static const char key[] = "license: ";
    if (strncmp(card, "---\n", 4) != 0)
        return;
    const char *end = strstr(card + 4, "\n---");
    for (const char *line = card + 3; line != NULL && end != NULL && line < end;
         line = strchr(line + 1, '\n')) {
        if (strncmp(line + 1, key, sizeof key - 1) != 0)
            continue;
        const char *value = line + sizeof key;
        size_t length = 0;
        while (length + 1 < SOURCE_LICENCE_SIZE && is_licence_character(value[length]))
            length++;
        memcpy(licence, value, length);
        licence[length] = '\0';
        return;
    }
}

static enum status read_licence(struct source *source, const struct bake_progress *progress,
                                struct error *error) {
    if (source->known != NULL) {
        snprintf(source->licence, sizeof source->licence, "%s", source->known->licence);
        return STATUS_OK;
    }
    char path[HUGGINGFACE_PATH_SIZE];
    struct buffer card = {0};
    enum status status = print_path(path, error, "%s/README.md", source->directory);
    if (status == STATUS_OK)
        status = file_read(path, MAX_README, &card, error);
    if (status == STATUS_OK)
        status = buffer_append(&card, "", 1, error);
    if (status == STATUS_OK)
        find_licence((const char *)card.data, source->licence);
    buffer_free(&card);
    if (status == STATUS_NOT_FOUND || source->licence[0] == '\0')
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    return add_side_file(source, "", "README.md", false, progress, error);
}

static enum status choose_name(struct source *source, const char *name, struct error *error) {
    char *resolved = NULL;
    if (name == NULL && source->known != NULL)
        name = source->known->name;
    if (name == NULL) {
        resolved = realpath(source->directory, NULL);
        if (resolved == NULL)
            return error_set_errno(error, errno, "cannot resolve %s", source->directory);
        name = strrchr(resolved, '/') + 1;
    }
    size_t length = strlen(name);
    enum status status = STATUS_OK;
    if (length == 0 || length >= sizeof source->name)
        status = error_set(error, STATUS_INVALID_ARGUMENT,
                           "the model's name \"%.140s\" has %zu bytes, expected 1 to %zu", name, length,
                           sizeof source->name - 1);
    else
        memcpy(source->name, name, length + 1);
    free(resolved);
    return status;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const struct source_file *)left)->name, ((const struct source_file *)right)->name);
}

static enum status add_weights_file(struct source *source, const struct bake_progress *progress,
                                    struct error *error) {
    char relative[HUGGINGFACE_PATH_SIZE];
    const char *slash = strrchr(source->weights_path, '/');
    enum status status = print_path(relative, error, "%s%s", source->huggingface.transformer_folder,
                                    slash == NULL ? source->weights_path : slash + 1);
    if (status == STATUS_OK)
        status = add_file(source, relative, source->weights_mapping.bytes, progress, error);
    if (status == STATUS_OK)
        source->known = known_model_find(source->files[source->file_count - 1].sha256);
    return status;
}

enum status source_open(struct source *source, const char *path, const char *name,
                        const struct bake_progress *progress, struct error *error) {
    *source = (struct source){0};
    struct huggingface_model *huggingface = &source->huggingface;
    enum status status = find_directory(source, path, error);
    if (status == STATUS_OK)
        status = huggingface_read(source->directory, huggingface, error);
    if (status == STATUS_OK)
        status = open_weights(source, path, error);
    for (uint32_t i = 0; status == STATUS_OK && i < huggingface->file_count; i++)
        status = add_side_file(source, "", huggingface->files[i], false, progress, error);
    if (status == STATUS_OK)
        status = read_tokenizer(source, progress, error);
    if (status == STATUS_OK)
        status = add_weights_file(source, progress, error);
    if (status == STATUS_OK)
        status = read_licence(source, progress, error);
    if (status == STATUS_OK)
        status = choose_name(source, name, error);
    qsort(source->files, source->file_count, sizeof source->files[0], compare_names);
    return status;
}

void source_close(struct source *source) {
    safetensors_close(&source->weights);
    file_unmap(&source->weights_mapping);
    buffer_free(&source->tokenizer_section);
    *source = (struct source){0};
}
