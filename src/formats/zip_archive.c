#include "formats/zip_archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unzip.h>

#define READ_CHUNK     ((size_t)1 << 20)
#define EXPANSION_BASE ((uint64_t)1 << 20) /* bytes that any entry may have decompressed */
#define FLAG_ENCRYPTED 1u
#define METHOD_STORED  0u
#define METHOD_DEFLATE 8u
#define END_SIZE       ((size_t)22) /* of the record that ends the archive, without its comment */
#define MOST_COMMENT   ((size_t)0xffff)

/* ---- the archive as a file of minizip ---- */

struct memory_file {
    struct bytes bytes;
    uint64_t position;
};

static voidpf memory_open(voidpf opaque, const void *name, int mode) {
    (void)name;
    return (mode & ZLIB_FILEFUNC_MODE_WRITE) != 0 ? NULL : opaque;
}

static uLong memory_read(voidpf opaque, voidpf stream, void *target, uLong size) {
    (void)stream;
    struct memory_file *file = opaque;
    uint64_t rest = file->bytes.size - file->position;
    size_t taken = size < rest ? (size_t)size : (size_t)rest;
    memcpy(target, file->bytes.data + file->position, taken);
    file->position += taken;
    return (uLong)taken;
}

static uLong memory_write(voidpf opaque, voidpf stream, const void *source, uLong size) {
    (void)opaque;
    (void)stream;
    (void)source;
    (void)size;
    return 0;
}

static ZPOS64_T memory_tell(voidpf opaque, voidpf stream) {
    (void)stream;
    return ((struct memory_file *)opaque)->position;
}

static long memory_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin) {
    (void)stream;
    struct memory_file *file = opaque;
    uint64_t base = origin == ZLIB_FILEFUNC_SEEK_SET   ? 0
                    : origin == ZLIB_FILEFUNC_SEEK_CUR ? file->position
                                                       : file->bytes.size;
    if (offset > file->bytes.size - base)
        return -1;
    file->position = base + offset;
    return 0;
}

static int memory_end(voidpf opaque, voidpf stream) {
    (void)opaque;
    (void)stream;
    return 0;
}

static unzFile open_reader(struct memory_file *file, struct bytes bytes) {
    *file = (struct memory_file){bytes, 0};
    zlib_filefunc64_def functions = {memory_open, memory_read, memory_write, memory_tell,
                                     memory_seek, memory_end,  memory_end,   file};
    return unzOpen2_64("", &functions);
}

/* ---- the directory ---- */

static enum status bad_entry(const struct zip_archive *archive, const char *name, const char *what,
                             struct error *error) {
    return error_set(error, STATUS_INVALID_DATA, "%s: entry \"%.100s\" %s", archive->file_name, name, what);
}

static bool is_inside(const char *name) {
    if (name[0] == '/' || name[0] == '\0' || strchr(name, '\\') != NULL ||
        (name[0] != '\0' && name[1] == ':'))
        return false;
    for (const char *part = name; part != NULL;) {
        size_t length = strcspn(part, "/");
        if ((length == 2 && memcmp(part, "..", 2) == 0) || (length == 0 && part[0] == '/'))
            return false;
        part = part[length] == '\0' ? NULL : part + length + 1;
    }
    return true;
}

static enum status check_entry(const struct zip_archive *archive, const unz_file_info64 *information,
                               const char *name, struct error *error) {
    if (information->size_filename >= ZIP_NAME_SIZE)
        return bad_entry(archive, name, "has a name longer than 255 bytes", error);
    if (strlen(name) != information->size_filename)
        return bad_entry(archive, name, "has a zero byte in its name", error);
    if (!is_inside(name))
        return bad_entry(archive, name, "has a name that leads out of the archive", error);
    if ((information->flag & FLAG_ENCRYPTED) != 0)
        return bad_entry(archive, name, "is encrypted", error);
    if (information->compression_method != METHOD_STORED && information->compression_method != METHOD_DEFLATE)
        return bad_entry(archive, name, "is compressed by another method than deflate", error);
    if (information->uncompressed_size > EXPANSION_BASE &&
        information->uncompressed_size / ZIP_MAX_EXPANSION > information->compressed_size)
        return bad_entry(archive, name, "expands more than a hundredfold", error);
    return STATUS_OK;
}

static bool is_folder(const char *name) {
    return name[strlen(name) - 1] == '/';
}

static enum status read_entry(struct zip_archive *archive, unzFile reader, uint64_t *total,
                              struct error *error) {
    unz_file_info64 information;
    char name[ZIP_NAME_SIZE + 1] = "";
    if (unzGetCurrentFileInfo64(reader, &information, name, sizeof name - 1, NULL, 0, NULL, 0) != UNZ_OK)
        return error_set(error, STATUS_INVALID_DATA, "%s: entry %zu of its directory is malformed",
                         archive->file_name, archive->count);
    enum status status = check_entry(archive, &information, name, error);
    if (status != STATUS_OK || is_folder(name))
        return status;
    *total += information.uncompressed_size;
    if (information.uncompressed_size > ZIP_MAX_TOTAL || *total > ZIP_MAX_TOTAL)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%s: decompressed it has more than %llu bytes",
                         archive->file_name, (unsigned long long)ZIP_MAX_TOTAL);
    unz64_file_pos place;
    if (unzGetFilePos64(reader, &place) != UNZ_OK || unzOpenCurrentFile(reader) != UNZ_OK)
        return bad_entry(archive, name, "does not lie where the directory says", error);
    struct zip_entry *entry = &archive->entries[archive->count++];
    *entry = (struct zip_entry){
        .size = information.uncompressed_size,
        .compressed_size = information.compressed_size,
        .offset = unzGetCurrentFileZStreamPos64(reader),
        .directory_place = place.pos_in_zip_directory,
        .directory_number = place.num_of_file,
    };
    memcpy(entry->name, name, sizeof entry->name);
    (void)unzCloseCurrentFile(reader);
    if (entry->offset > archive->file.size || entry->compressed_size > archive->file.size - entry->offset)
        return bad_entry(archive, name, "reaches beyond the end of the file: truncated", error);
    return STATUS_OK;
}

static int compare_offsets(const void *left, const void *right) {
    const struct zip_entry *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return strcmp(a->name, b->name);
}

static enum status check_overlaps(struct zip_archive *archive, struct error *error) {
    qsort(archive->entries, archive->count, sizeof *archive->entries, compare_offsets);
    for (size_t i = 0; i + 1 < archive->count; i++) {
        const struct zip_entry *entry = &archive->entries[i];
        if (entry[1].offset < entry->offset + entry->compressed_size)
            return error_set(error, STATUS_INVALID_DATA,
                             "%s: entry \"%.100s\" at byte %llu begins inside \"%.100s\"", archive->file_name,
                             entry[1].name, (unsigned long long)entry[1].offset, entry->name);
        for (size_t k = i + 1; k < archive->count; k++) {
            if (strcmp(archive->entries[k].name, entry->name) == 0)
                return bad_entry(archive, entry->name, "is there twice", error);
        }
    }
    return STATUS_OK;
}

static enum status read_directory(struct zip_archive *archive, unzFile reader, struct error *error) {
    unz_global_info64 information;
    uint64_t total = 0;
    if (unzGetGlobalInfo64(reader, &information) != UNZ_OK || information.number_entry > ZIP_MAX_ENTRIES)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%s has more than %u entries", archive->file_name,
                         ZIP_MAX_ENTRIES);
    archive->entries = calloc((size_t)information.number_entry + 1, sizeof *archive->entries);
    if (archive->entries == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the directory of %s",
                         archive->file_name);
    if (information.number_entry == 0)
        return error_set(error, STATUS_INVALID_DATA, "%s has no entries: empty, or truncated",
                         archive->file_name);
    int outcome = unzGoToFirstFile(reader);
    for (uint64_t i = 0; outcome == UNZ_OK && i < information.number_entry; i++) {
        enum status status = read_entry(archive, reader, &total, error);
        if (status != STATUS_OK)
            return status;
        outcome = unzGoToNextFile(reader);
    }
    if (outcome != UNZ_END_OF_LIST_OF_FILE)
        return error_set(error, STATUS_INVALID_DATA, "%s: its directory is malformed after %zu entries",
                         archive->file_name, archive->count);
    return check_overlaps(archive, error);
}

/* Whether the last record that ends an archive is there to its end: minizip takes what lacks for zeros. */
static bool end_is_whole(struct bytes file) {
    static const char signature[] = "PK\5\6";
    for (size_t rest = 4; rest <= file.size && rest <= END_SIZE + MOST_COMMENT; rest++) {
        if (memcmp(file.data + file.size - rest, signature, 4) == 0)
            return rest >= END_SIZE;
    }
    return false;
}

enum status zip_open(struct zip_archive *archive, struct bytes file, const char *file_name,
                     struct error *error) {
    *archive = (struct zip_archive){.file_name = file_name, .file = file};
    struct memory_file memory;
    unzFile reader = end_is_whole(file) ? open_reader(&memory, file) : NULL;
    if (reader == NULL)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: no directory at its end: truncated, or not a ZIP archive", file_name);
    enum status status = read_directory(archive, reader, error);
    (void)unzClose(reader);
    return status;
}

void zip_close(struct zip_archive *archive) {
    free(archive->entries);
    *archive = (struct zip_archive){0};
}

const struct zip_entry *zip_find(const struct zip_archive *archive, const char *name) {
    for (size_t i = 0; i < archive->count; i++) {
        if (strcmp(archive->entries[i].name, name) == 0)
            return &archive->entries[i];
    }
    return NULL;
}

/* ---- contents ---- */

static enum status decompress(const struct zip_archive *archive, const struct zip_entry *entry,
                              unzFile reader, unsigned char *target, struct error *error) {
    const unz64_file_pos place = {entry->directory_place, entry->directory_number};
    if (unzGoToFilePos64(reader, &place) != UNZ_OK || unzOpenCurrentFile(reader) != UNZ_OK)
        return bad_entry(archive, entry->name, "cannot be found again", error);
    uint64_t done = 0;
    int taken = 1;
    while (done < entry->size && taken > 0) {
        uint64_t rest = entry->size - done;
        taken = unzReadCurrentFile(reader, target + done, (unsigned)(rest < READ_CHUNK ? rest : READ_CHUNK));
        done += taken > 0 ? (uint64_t)taken : 0;
    }
    int outcome = unzCloseCurrentFile(reader);
    if (taken < 0 || done != entry->size)
        return error_set(
            error, STATUS_INVALID_DATA,
            "%s: entry \"%.100s\" (at byte %llu): its compressed bytes are malformed after %llu of %llu",
            archive->file_name, entry->name, (unsigned long long)entry->offset, (unsigned long long)done,
            (unsigned long long)entry->size);
    if (outcome != UNZ_OK)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: entry \"%.100s\" (at byte %llu): its CRC differs from the one in the archive",
                         archive->file_name, entry->name, (unsigned long long)entry->offset);
    return STATUS_OK;
}

enum status zip_read(const struct zip_archive *archive, const struct zip_entry *entry,
                     struct file_mapping *content, struct error *error) {
    struct memory_file memory;
    *content = (struct file_mapping){0};
    if (entry->size == 0)
        return bad_entry(archive, entry->name, "is empty", error);
    void *target =
        mmap(NULL, (size_t)entry->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (target == MAP_FAILED)
        return error_set(error, STATUS_OUT_OF_MEMORY, "%s: no memory for the %llu bytes of \"%.100s\"",
                         archive->file_name, (unsigned long long)entry->size, entry->name);
    unzFile reader = open_reader(&memory, archive->file);
    enum status status = reader == NULL ? bad_entry(archive, entry->name, "cannot be opened again", error)
                                        : decompress(archive, entry, reader, target, error);
    if (reader != NULL)
        (void)unzClose(reader);
    content->bytes = bytes_of(target, (size_t)entry->size);
    if (status != STATUS_OK)
        file_unmap(content);
    return status;
}
