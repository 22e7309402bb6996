#include "formats/model_folder.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status print_path(char path[MODEL_FOLDER_PATH_SIZE], struct error *error, const char *format, ...)
    PRINTF_LIKE(3, 4);

static enum status print_path(char path[MODEL_FOLDER_PATH_SIZE], struct error *error, const char *format,
                              ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(path, MODEL_FOLDER_PATH_SIZE, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= MODEL_FOLDER_PATH_SIZE)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a path is longer than %d bytes: %.200s",
                         MODEL_FOLDER_PATH_SIZE - 1, path);
    return STATUS_OK;
}

enum status model_folder_open_directory(struct model_folder *folder, const char *path, struct error *error) {
    *folder = (struct model_folder){0};
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return print_path(folder->path, error, "%.*s", (int)length, path);
}

/* What the Finder of macOS adds to an archive. */
static bool is_litter(const char *name) {
    return strncmp(name, "__MACOSX/", 9) == 0 || strstr(name, ".DS_Store") != NULL;
}

/* An archive usually holds one folder with everything in it. */
static void find_inside(struct model_folder *folder) {
    const char *first = NULL;
    size_t length = 0;
    for (size_t i = 0; i < folder->archive.count; i++) {
        const char *name = folder->archive.entries[i].name;
        if (is_litter(name))
            continue;
        const char *slash = strchr(name, '/');
        if (slash == NULL || (first != NULL && strncmp(name, first, length) != 0))
            return;
        first = name;
        length = (size_t)(slash - name) + 1;
    }
    if (first != NULL)
        memcpy(folder->inside, first, length);
}

enum status model_folder_open_archive(struct model_folder *folder, const char *path, struct error *error) {
    *folder = (struct model_folder){.is_archive = true};
    enum status status = print_path(folder->path, error, "%s", path);
    if (status == STATUS_OK)
        status = file_map(path, &folder->archive_file, error);
    if (status == STATUS_OK)
        status = zip_open(&folder->archive, folder->archive_file.bytes, folder->path, error);
    if (status == STATUS_OK)
        find_inside(folder);
    return status;
}

void model_folder_close(struct model_folder *folder) {
    zip_close(&folder->archive);
    file_unmap(&folder->archive_file);
    *folder = (struct model_folder){0};
}

static const struct zip_entry *find_entry(const struct model_folder *folder, const char *name) {
    char path[MODEL_FOLDER_PATH_SIZE];
    if (print_path(path, NULL, "%s%s", folder->inside, name) != STATUS_OK)
        return NULL;
    return zip_find(&folder->archive, path);
}

static enum status not_found(const struct model_folder *folder, const char *name, struct error *error) {
    return error_set(error, STATUS_NOT_FOUND, "%s has no %s%s", folder->path, folder->inside, name);
}

bool model_folder_has(const struct model_folder *folder, const char *name) {
    char path[MODEL_FOLDER_PATH_SIZE];
    if (folder->is_archive)
        return find_entry(folder, name) != NULL;
    return print_path(path, NULL, "%s/%s", folder->path, name) == STATUS_OK && access(path, F_OK) == 0;
}

enum status model_folder_map(const struct model_folder *folder, const char *name,
                             struct file_mapping *content, struct error *error) {
    if (folder->is_archive) {
        const struct zip_entry *entry = find_entry(folder, name);
        *content = (struct file_mapping){0};
        return entry == NULL ? not_found(folder, name, error)
                             : zip_read(&folder->archive, entry, content, error);
    }
    char path[MODEL_FOLDER_PATH_SIZE];
    enum status status = print_path(path, error, "%s/%s", folder->path, name);
    return status == STATUS_OK ? file_map(path, content, error) : status;
}

enum status model_folder_read(const struct model_folder *folder, const char *name, size_t max_size,
                              struct buffer *content, struct error *error) {
    char path[MODEL_FOLDER_PATH_SIZE];
    enum status status = print_path(path, error, "%s/%s", folder->path, name);
    if (status != STATUS_OK)
        return status;
    if (!folder->is_archive)
        return file_read(path, max_size, content, error);
    const struct zip_entry *entry = find_entry(folder, name);
    if (entry == NULL)
        return not_found(folder, name, error);
    if (entry->size > max_size)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%s holds %llu bytes, at most %zu are accepted", path,
                         (unsigned long long)entry->size, max_size);
    struct file_mapping mapping;
    status = zip_read(&folder->archive, entry, &mapping, error);
    if (status != STATUS_OK)
        return status;
    status = buffer_append(content, mapping.bytes.data, mapping.bytes.size, error);
    file_unmap(&mapping);
    return status;
}

static void add_name(const char *name, char (*names)[ZIP_NAME_SIZE], size_t capacity, size_t *count) {
    static const char end[] = ".onnx";
    size_t length = strlen(name);
    if (length < sizeof end || length >= ZIP_NAME_SIZE ||
        strcmp(name + length - (sizeof end - 1), end) != 0 || name[0] == '.')
        return;
    if (*count < capacity)
        memcpy(names[*count], name, length + 1);
    ++*count;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(left, right);
}

size_t model_folder_list_onnx(const struct model_folder *folder, const char *inner,
                              char (*names)[ZIP_NAME_SIZE], size_t capacity) {
    char path[MODEL_FOLDER_PATH_SIZE];
    size_t count = 0;
    if (folder->is_archive) {
        size_t length = strlen(folder->inside) + strlen(inner);
        if (print_path(path, NULL, "%s%s", folder->inside, inner) != STATUS_OK)
            return 0;
        for (size_t i = 0; i < folder->archive.count; i++) {
            const char *name = folder->archive.entries[i].name;
            if (strncmp(name, path, length) == 0 && strchr(name + length, '/') == NULL)
                add_name(name + length, names, capacity, &count);
        }
    } else {
        DIR *directory =
            print_path(path, NULL, "%s/%s", folder->path, inner) == STATUS_OK ? opendir(path) : NULL;
        for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
            add_name(entry->d_name, names, capacity, &count);
        if (directory != NULL)
            (void)closedir(directory);
    }
    qsort(names, count < capacity ? count : capacity, sizeof names[0], compare_names);
    return count;
}
