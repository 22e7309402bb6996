#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTOR_PATH_SIZE 32
#define NAME_ATTEMPTS        100

/* The name by which linkat(2) finds a file without one, as open(2) describes under O_TMPFILE. */
static void descriptor_path(int descriptor, char path[DESCRIPTOR_PATH_SIZE]) {
    snprintf(path, DESCRIPTOR_PATH_SIZE, "/proc/self/fd/%d", descriptor);
}

static enum status directory_of(const char *path, char **directory, struct error *error) {
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    *directory = malloc(length + 1);
    if (*directory == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to write %s", path);
    memcpy(*directory, slash == NULL ? "." : path, length);
    (*directory)[length] = '\0';
    return STATUS_OK;
}

/* Sets descriptor to -1 where the file system has no O_TMPFILE, or where /proc is missing and the file could
 * not be given a name later. */
static enum status open_unnamed(struct file_writer *writer, struct error *error) {
    char *directory;
    enum status status = directory_of(writer->target, &directory, error);
    if (status != STATUS_OK)
        return status;
    writer->descriptor = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    free(directory);
    char path[DESCRIPTOR_PATH_SIZE];
    descriptor_path(writer->descriptor, path);
    if (writer->descriptor >= 0 && access(path, F_OK) != 0) {
        close(writer->descriptor);
        writer->descriptor = -1;
    }
    return STATUS_OK;
}

static enum status set_temporary_name(struct file_writer *writer, struct error *error) {
    static const char suffix[] = ".partial-XXXXXX";
    size_t length = strlen(writer->target);
    writer->temporary = malloc(length + sizeof suffix);
    if (writer->temporary == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to write %s", writer->target);
    memcpy(writer->temporary, writer->target, length);
    memcpy(writer->temporary + length, suffix, sizeof suffix);
    return STATUS_OK;
}

static void forget_temporary_name(struct file_writer *writer) {
    free(writer->temporary);
    writer->temporary = NULL;
}

static enum status open_named(struct file_writer *writer, struct error *error) {
    enum status status = set_temporary_name(writer, error);
    if (status != STATUS_OK)
        return status;
    writer->descriptor = mkostemp(writer->temporary, O_CLOEXEC);
    if (writer->descriptor < 0) {
        status = error_set_errno(error, errno, "cannot create %s", writer->target);
        forget_temporary_name(writer);
        return status;
    }
    /* mkostemp gives 0600; a file made in the usual way has what the umask leaves of 0666. */
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(writer->descriptor, 0666 & ~mask) != 0)
        return error_set_errno(error, errno, "cannot set the mode of %s", writer->temporary);
    return STATUS_OK;
}

static enum status check_target(const char *target, struct error *error) {
    struct stat information;
    if (target[0] == '\0')
        return error_set(error, STATUS_INVALID_ARGUMENT, "the name of the file to write is empty");
    if (stat(target, &information) != 0 || S_ISREG(information.st_mode))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT, "%s is %s, expected the name of a file to write", target,
                     S_ISDIR(information.st_mode) ? "a directory" : "not a regular file");
}

static enum status open_target(struct file_writer *writer, const char *target, struct error *error) {
    enum status status = check_target(target, error);
    if (status != STATUS_OK)
        return status;
    writer->target = strdup(target);
    if (writer->target == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to write %s", target);
    status = open_unnamed(writer, error);
    if (status == STATUS_OK && writer->descriptor < 0)
        status = open_named(writer, error);
    return status;
}

enum status file_writer_open(struct file_writer *writer, const char *target, struct error *error) {
    *writer = (struct file_writer){.descriptor = -1};
    enum status status = open_target(writer, target, error);
    if (status != STATUS_OK)
        file_writer_abort(writer);
    return status;
}

enum status file_writer_open_memory(struct file_writer *writer, const char *description,
                                    struct error *error) {
    *writer = (struct file_writer){.descriptor = memfd_create(description, MFD_CLOEXEC)};
    if (writer->descriptor < 0)
        return error_set_errno(error, errno, "cannot create a file in memory for %s", description);
    return STATUS_OK;
}

static const char *writer_name(const struct file_writer *writer) {
    return writer->target == NULL ? "a file in memory" : writer->target;
}

static enum status write_all_at(struct file_writer *writer, uint64_t position, const unsigned char *data,
                                size_t size, struct error *error) {
    while (size > 0) {
        ssize_t count = pwrite(writer->descriptor, data, size, (off_t)position);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return error_set_errno(error, count < 0 ? errno : EIO, "cannot write %s", writer_name(writer));
        data += count;
        size -= (size_t)count;
        position += (uint64_t)count;
    }
    return STATUS_OK;
}

enum status file_writer_write(struct file_writer *writer, const void *data, size_t size,
                              struct error *error) {
    enum status status = write_all_at(writer, writer->position, data, size, error);
    if (status == STATUS_OK)
        writer->position += size;
    return status;
}

static enum status require_written(const struct file_writer *writer, uint64_t position, size_t size,
                                   struct error *error) {
    if (position > writer->position || size > writer->position - position)
        return error_set(error, STATUS_INTERNAL, "bytes %llu to %llu of %s were never written",
                         (unsigned long long)position, (unsigned long long)(position + size),
                         writer_name(writer));
    return STATUS_OK;
}

enum status file_writer_write_at(struct file_writer *writer, uint64_t position, const void *data, size_t size,
                                 struct error *error) {
    enum status status = require_written(writer, position, size, error);
    return status == STATUS_OK ? write_all_at(writer, position, data, size, error) : status;
}

enum status file_writer_read_at(const struct file_writer *writer, uint64_t position, void *data, size_t size,
                                struct error *error) {
    enum status status = require_written(writer, position, size, error);
    unsigned char *target = data;
    while (status == STATUS_OK && size > 0) {
        ssize_t count = pread(writer->descriptor, target, size, (off_t)position);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return error_set_errno(error, count < 0 ? errno : EIO, "cannot read back %s",
                                   writer_name(writer));
        target += count;
        size -= (size_t)count;
        position += (uint64_t)count;
    }
    return status;
}

enum status file_writer_rewind(struct file_writer *writer, uint64_t position, struct error *error) {
    enum status status = require_written(writer, position, 0, error);
    if (status != STATUS_OK)
        return status;
    if (ftruncate(writer->descriptor, (off_t)position) != 0)
        return error_set_errno(error, errno, "cannot shorten %s", writer_name(writer));
    writer->position = position;
    return STATUS_OK;
}

enum status file_writer_map(const struct file_writer *writer, struct file_mapping *mapping,
                            struct error *error) {
    *mapping = (struct file_mapping){0};
    void *data = mmap(NULL, (size_t)writer->position, PROT_READ, MAP_SHARED, writer->descriptor, 0);
    if (data == MAP_FAILED)
        return error_set_errno(error, errno, "cannot map %s", writer_name(writer));
    mapping->bytes = bytes_of(data, (size_t)writer->position);
    return STATUS_OK;
}

static enum status sync_directory_of(const char *path, struct error *error) {
    char *directory;
    enum status status = directory_of(path, &directory, error);
    if (status != STATUS_OK)
        return status;
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (descriptor < 0)
        return error_set_errno(error, errno, "cannot open the directory of %s", path);
    int result = fsync(descriptor);
    int reason = errno;
    close(descriptor);
    /* Some file systems cannot sync a directory and say EINVAL; the rename is then as durable as they make
     * it. */
    if (result != 0 && reason != EINVAL)
        return error_set_errno(error, reason, "cannot sync the directory of %s", path);
    return STATUS_OK;
}

/* linkat refuses a name that is taken, as mkostemp does for the other kind of file. */
static enum status link_temporary(struct file_writer *writer, const char *source, struct error *error) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    enum status status = set_temporary_name(writer, error);
    if (status != STATUS_OK)
        return status;
    char *unique = writer->temporary + strlen(writer->temporary) - 6;
    uint64_t number = (uint64_t)getpid();
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++, number += 32749) {
        for (int i = 0; i < 6; i++)
            unique[i] = letters[number >> (5 * i) & 31];
        if (linkat(AT_FDCWD, source, AT_FDCWD, writer->temporary, AT_SYMLINK_FOLLOW) == 0)
            return STATUS_OK;
        if (errno != EEXIST)
            break;
    }
    status = error_set_errno(error, errno, "cannot name the file %s", writer->temporary);
    forget_temporary_name(writer);
    return status;
}

/* Gives a file without a name the target's name, or a temporary one where the target exists. */
static enum status link_unnamed(struct file_writer *writer, struct error *error) {
    char source[DESCRIPTOR_PATH_SIZE];
    descriptor_path(writer->descriptor, source);
    if (linkat(AT_FDCWD, source, AT_FDCWD, writer->target, AT_SYMLINK_FOLLOW) == 0)
        return STATUS_OK;
    if (errno != EEXIST)
        return error_set_errno(error, errno, "cannot name the file %s", writer->target);
    return link_temporary(writer, source, error);
}

static enum status commit(struct file_writer *writer, struct error *error) {
    if (writer->target == NULL)
        return error_set(error, STATUS_INTERNAL, "a file in memory cannot be committed");
    if (fsync(writer->descriptor) != 0)
        return error_set_errno(error, errno, "cannot finish writing %s", writer->target);
    if (writer->temporary == NULL) {
        enum status status = link_unnamed(writer, error);
        if (status != STATUS_OK)
            return status;
    }
    if (writer->temporary != NULL && rename(writer->temporary, writer->target) != 0)
        return error_set_errno(error, errno, "cannot rename %s to %s", writer->temporary, writer->target);
    forget_temporary_name(writer);
    return sync_directory_of(writer->target, error);
}

enum status file_writer_commit(struct file_writer *writer, struct error *error) {
    enum status status = commit(writer, error);
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
