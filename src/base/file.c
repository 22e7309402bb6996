#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* flags: O_NONBLOCK for a file that must be a regular one, so that a pipe without a writer is refused and not
 * waited for. */
static enum status open_for_reading(const char *path, int flags, int *descriptor, struct stat *information,
                                    struct error *error) {
    if (path[0] == '\0')
        return error_set(error, STATUS_INVALID_ARGUMENT, "the name of the file to read is empty");
    int opened = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (opened < 0)
        return error_set_errno(error, errno, "cannot open %s", path);
    if (fstat(opened, information) != 0) {
        int reason = errno;
        close(opened);
        return error_set_errno(error, reason, "cannot stat %s", path);
    }
    if (S_ISDIR(information->st_mode)) {
        close(opened);
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s is a directory, expected a file", path);
    }
    *descriptor = opened;
    return STATUS_OK;
}

static enum status read_all(int descriptor, const char *path, size_t max_size, struct buffer *buffer,
                            struct error *error) {
    size_t start = buffer->size;
    for (;;) {
        enum status status = buffer_reserve(buffer, 65536, error);
        if (status != STATUS_OK)
            return status;
        ssize_t count = read(descriptor, buffer->data + buffer->size, buffer->capacity - buffer->size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_set_errno(error, errno, "cannot read %s", path);
        if (count == 0)
            return STATUS_OK;
        buffer->size += (size_t)count;
        if (buffer->size - start > max_size)
            return error_set(error, STATUS_LIMIT_EXCEEDED, "%s holds more than %zu bytes", path, max_size);
    }
}

enum status file_read(const char *path, size_t max_size, struct buffer *buffer, struct error *error) {
    int descriptor;
    struct stat information;
    enum status status = open_for_reading(path, 0, &descriptor, &information, error);
    if (status != STATUS_OK)
        return status;
    status = read_all(descriptor, path, max_size, buffer, error);
    close(descriptor);
    return status;
}

static enum status map_file(int descriptor, const struct stat *information, const char *name,
                            struct file_mapping *mapping, struct error *error) {
    if (!S_ISREG(information->st_mode) || information->st_size <= 0)
        return error_set(error, STATUS_INVALID_DATA, "%s is %s", name,
                         S_ISREG(information->st_mode) ? "empty" : "not a regular file");
    void *data = mmap(NULL, (size_t)information->st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED)
        return error_set_errno(error, errno, "cannot map %s", name);
    mapping->bytes = bytes_of(data, (size_t)information->st_size);
    return STATUS_OK;
}

enum status file_map(const char *path, struct file_mapping *mapping, struct error *error) {
    *mapping = (struct file_mapping){0};
    int descriptor;
    struct stat information;
    enum status status = open_for_reading(path, O_NONBLOCK, &descriptor, &information, error);
    if (status != STATUS_OK)
        return status;
    status = map_file(descriptor, &information, path, mapping, error);
    close(descriptor);
    return status;
}

enum status file_map_descriptor(int descriptor, const char *name, struct file_mapping *mapping,
                                struct error *error) {
    *mapping = (struct file_mapping){0};
    struct stat information;
    if (fstat(descriptor, &information) != 0)
        return error_set_errno(error, errno, "cannot stat %s", name);
    return map_file(descriptor, &information, name, mapping, error);
}

void file_unmap(struct file_mapping *mapping) {
    if (mapping->bytes.data != NULL)
        (void)munmap((void *)(uintptr_t)mapping->bytes.data, mapping->bytes.size);
    *mapping = (struct file_mapping){0};
}
