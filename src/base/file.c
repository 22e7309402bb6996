#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status open_for_reading(const char *path, int *descriptor, struct stat *information,
                                    struct error *error) {
    int opened = open(path, O_RDONLY | O_CLOEXEC);
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
    enum status status = open_for_reading(path, &descriptor, &information, error);
    if (status != STATUS_OK)
        return status;
    status = read_all(descriptor, path, max_size, buffer, error);
    close(descriptor);
    return status;
}

enum status file_map(const char *path, struct file_mapping *mapping, struct error *error) {
    *mapping = (struct file_mapping){0};
    int descriptor;
    struct stat information;
    enum status status = open_for_reading(path, &descriptor, &information, error);
    if (status != STATUS_OK)
        return status;
    if (!S_ISREG(information.st_mode) || information.st_size <= 0) {
        close(descriptor);
        return error_set(error, STATUS_INVALID_DATA, "%s is %s", path,
                         S_ISREG(information.st_mode) ? "empty" : "not a regular file");
    }
    void *data = mmap(NULL, (size_t)information.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    int reason = errno;
    close(descriptor);
    if (data == MAP_FAILED)
        return error_set_errno(error, reason, "cannot map %s", path);
    mapping->bytes = bytes_of(data, (size_t)information.st_size);
    return STATUS_OK;
}

void file_unmap(struct file_mapping *mapping) {
    if (mapping->bytes.data != NULL)
        (void)munmap((void *)(uintptr_t)mapping->bytes.data, mapping->bytes.size);
    *mapping = (struct file_mapping){0};
}

enum status file_writer_open(struct file_writer *writer, const char *target, struct error *error) {
    *writer = (struct file_writer){.descriptor = -1};
    static const char suffix[] = ".partial-XXXXXX";
    size_t length = strlen(target);
    writer->target = malloc(length + 1);
    writer->temporary = malloc(length + sizeof suffix);
    if (writer->target == NULL || writer->temporary == NULL) {
        file_writer_abort(writer);
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to write %s", target);
    }
    memcpy(writer->target, target, length + 1);
    memcpy(writer->temporary, target, length);
    memcpy(writer->temporary + length, suffix, sizeof suffix);
    writer->descriptor = mkostemp(writer->temporary, O_CLOEXEC);
    if (writer->descriptor < 0) {
        int reason = errno;
        free(writer->temporary);
        writer->temporary = NULL;
        file_writer_abort(writer);
        return error_set_errno(error, reason, "cannot create a file beside %s", target);
    }
    return STATUS_OK;
}

static enum status write_all_at(struct file_writer *writer, uint64_t position, const unsigned char *data,
                                size_t size, struct error *error) {
    while (size > 0) {
        ssize_t count = pwrite(writer->descriptor, data, size, (off_t)position);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return error_set_errno(error, count < 0 ? errno : EIO, "cannot write %s", writer->temporary);
        data += count;
        size -= (size_t)count;
        position += (uint64_t)count;
    }
    return STATUS_OK;
}

enum status file_writer_write(struct file_writer *writer, const void *data, size_t size, struct error *error) {
    enum status status = write_all_at(writer, writer->position, data, size, error);
    if (status == STATUS_OK)
        writer->position += size;
    return status;
}

enum status file_writer_write_at(struct file_writer *writer, uint64_t position, const void *data, size_t size,
                                 struct error *error) {
    if (position > writer->position || size > writer->position - position)
        return error_set(error, STATUS_INTERNAL, "bytes %llu to %llu of %s were never written",
                         (unsigned long long)position, (unsigned long long)(position + size), writer->target);
    return write_all_at(writer, position, data, size, error);
}

static enum status sync_directory_of(const char *path, struct error *error) {
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    char *directory = malloc(length + 1);
    if (directory == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to sync the directory of %s", path);
    memcpy(directory, slash == NULL ? "." : path, length);
    directory[length] = '\0';
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (descriptor < 0)
        return error_set_errno(error, errno, "cannot open the directory of %s", path);
    int result = fsync(descriptor);
    int reason = errno;
    close(descriptor);
    /* Some file systems cannot sync a directory and say EINVAL; the rename is then as durable as they make it. */
    if (result != 0 && reason != EINVAL)
        return error_set_errno(error, reason, "cannot sync the directory of %s", path);
    return STATUS_OK;
}

enum status file_writer_commit(struct file_writer *writer, struct error *error) {
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(writer->descriptor, 0666 & ~mask) != 0 || fsync(writer->descriptor) != 0) {
        int reason = errno;
        file_writer_abort(writer);
        return error_set_errno(error, reason, "cannot finish the file");
    }
    if (rename(writer->temporary, writer->target) != 0) {
        enum status status = error_set_errno(error, errno, "cannot rename %s to %s", writer->temporary,
                                             writer->target);
        file_writer_abort(writer);
        return status;
    }
    free(writer->temporary);
    writer->temporary = NULL;
    enum status status = sync_directory_of(writer->target, error);
    file_writer_abort(writer);
    return status;
}

void file_writer_abort(struct file_writer *writer) {
    if (writer->descriptor >= 0)
        close(writer->descriptor);
    if (writer->temporary != NULL)
        (void)unlink(writer->temporary);
    free(writer->temporary);
    free(writer->target);
    *writer = (struct file_writer){.descriptor = -1};
}
