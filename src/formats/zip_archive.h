/* Reader of ZIP archives (APPNOTE.TXT, PKWARE) that are in memory, over minizip. Entries are read into
 * memory; nothing is ever written to a file. What an archive says about itself is checked before anything is
 * decompressed. */
#ifndef RESCOLDO_FORMATS_ZIP_ARCHIVE_H
#define RESCOLDO_FORMATS_ZIP_ARCHIVE_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define ZIP_MAX_ENTRIES   1000u
#define ZIP_NAME_SIZE     256u
#define ZIP_MAX_TOTAL     ((uint64_t)4 << 30) /* bytes of all entries, decompressed */
#define ZIP_MAX_EXPANSION 100u                /* of an entry of more than 1 MiB; weights do not reach 10 */

struct zip_entry {
    char name[ZIP_NAME_SIZE]; /* relative, without ".." and backslashes; folders are not listed */
    uint64_t size, compressed_size;
    uint64_t offset;          /* of its compressed bytes in the archive */
    uint64_t directory_place; /* minizip's */
    uint64_t directory_number;
};

struct zip_archive {
    const char *file_name; /* borrowed, for messages */
    struct bytes file;
    struct zip_entry *entries; /* owned, in the order of their offsets */
    size_t count;
};

/* Reads and checks the directory: names, sizes, the limits above, that no two entries share bytes. file must
 * outlive the archive. Messages name the file, the entry and the offset. Release with zip_close, after
 * failure too. */
MUST_CHECK enum status zip_open(struct zip_archive *archive, struct bytes file, const char *file_name,
                                struct error *error);
void zip_close(struct zip_archive *archive);

/* NULL when there is none of that name. */
const struct zip_entry *zip_find(const struct zip_archive *archive, const char *name);

/* Decompresses an entry to memory of its own and checks its CRC; release with file_unmap. An empty one is
 * refused. */
MUST_CHECK enum status zip_read(const struct zip_archive *archive, const struct zip_entry *entry,
                                struct file_mapping *content, struct error *error);

#endif
