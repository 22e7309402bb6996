/* Files: read whole, map, replace atomically. Paths are NUL-terminated. Messages name the path. */
#ifndef RESCOLDO_BASE_FILE_H
#define RESCOLDO_BASE_FILE_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

/* Appends the whole file to buffer; STATUS_LIMIT_EXCEEDED when it holds more than max_size bytes. "-" is not
 * special here. A directory is refused by name. */
MUST_CHECK enum status file_read(const char *path, size_t max_size, struct buffer *buffer,
                                 struct error *error);

struct file_mapping {
    struct bytes bytes; /* read-only, private to this process */
};

/* Maps a regular file read-only. An empty file or a directory is refused. The file may be deleted afterwards,
 * but whoever truncates it in place gives the reader SIGBUS: replace files by rename. */
MUST_CHECK enum status file_map(const char *path, struct file_mapping *mapping, struct error *error);
/* The same for an open descriptor, which stays the caller's; name is for messages. */
MUST_CHECK enum status file_map_descriptor(int descriptor, const char *name, struct file_mapping *mapping,
                                           struct error *error);
void file_unmap(struct file_mapping *mapping);

/* Writes a file that appears whole or not at all.
 *
 * The bytes go to a file without a name (O_TMPFILE, open(2)), so that a process killed at any moment leaves
 * nothing behind; commit syncs it and gives it its name: at once where there was no file, else by a temporary
 * name and rename(2), with nothing between the two but these calls. Where the file system has no O_TMPFILE,
 * the bytes go to TARGET.partial-XXXXXX beside the target, which abort removes. */
struct file_writer {
    int descriptor;
    char *target;    /* NULL: memory only */
    char *temporary; /* NULL: the file has no name yet */
    uint64_t position;
};

/* An existing target that is not a regular file is refused. */
MUST_CHECK enum status file_writer_open(struct file_writer *writer, const char *target, struct error *error);
/* A file in memory (memfd_create(2)) that cannot be committed; description appears in /proc only. */
MUST_CHECK enum status file_writer_open_memory(struct file_writer *writer, const char *description,
                                               struct error *error);
MUST_CHECK enum status file_writer_write(struct file_writer *writer, const void *data, size_t size,
                                         struct error *error);
/* Overwrites bytes already written. */
MUST_CHECK enum status file_writer_write_at(struct file_writer *writer, uint64_t position, const void *data,
                                            size_t size, struct error *error);
/* Reads bytes already written. */
MUST_CHECK enum status file_writer_read_at(const struct file_writer *writer, uint64_t position, void *data,
                                           size_t size, struct error *error);
/* Forgets what was written from position on. */
MUST_CHECK enum status file_writer_rewind(struct file_writer *writer, uint64_t position, struct error *error);
/* Maps what was written so far, read-only; the mapping outlives the writer. */
MUST_CHECK enum status file_writer_map(const struct file_writer *writer, struct file_mapping *mapping,
                                       struct error *error);
MUST_CHECK enum status file_writer_commit(struct file_writer *writer, struct error *error);
/* Leaves nothing of an uncommitted file; harmless after a commit. */
void file_writer_abort(struct file_writer *writer);

#endif
