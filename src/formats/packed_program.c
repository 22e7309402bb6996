#include "formats/packed_program.h"

#include "formats/ember.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static const unsigned char trailer_magic[8] = {0x89, 'P', 'A', 'C', 'K', 'E', 'D', '\n'};

#define CHECKED_SIZE (PACKED_TRAILER_SIZE - sizeof(uint64_t))

static bool is_elf(struct bytes file) {
    return file.size >= SELFMAG && memcmp(file.data, ELFMAG, SELFMAG) == 0;
}

/* Where the program ends: the linker puts the section headers last. 0: not a 64-bit ELF file. */
static uint64_t elf_end(struct bytes head) {
    Elf64_Ehdr header;
    if (head.size < sizeof header || !is_elf(head) || head.data[EI_CLASS] != ELFCLASS64)
        return 0;
    memcpy(&header, head.data, sizeof header);
    uint64_t headers = (uint64_t)header.e_shnum * header.e_shentsize;
    return header.e_shoff > UINT64_MAX / 2 ? 0 : header.e_shoff + headers;
}

static void write_trailer(unsigned char trailer[PACKED_TRAILER_SIZE], uint64_t program_size,
                          uint64_t ember_size) {
    memcpy(trailer, trailer_magic, sizeof trailer_magic);
    store_u64le(trailer + 8, program_size);
    store_u64le(trailer + 16, ember_size);
    store_u64le(trailer + CHECKED_SIZE, XXH3_64bits(trailer, CHECKED_SIZE));
}

/* What follows the program, without the trailer; the sizes must add up to the file's. */
static enum status find_appended(struct bytes file, uint64_t end, struct bytes *ember, struct error *error) {
    size_t start = size_align_up((size_t)end, EMBER_PAGE_SIZE);
    if (start + PACKED_TRAILER_SIZE > file.size)
        return error_set(error, STATUS_INVALID_DATA,
                         "the packed program is truncated: %zu bytes, of which %llu are the program",
                         file.size, (unsigned long long)end);
    size_t size = file.size - start - PACKED_TRAILER_SIZE;
    unsigned char expected[PACKED_TRAILER_SIZE];
    write_trailer(expected, end, size);
    *ember = bytes_of(file.data + start, size);
    if (memcmp(expected, file.data + file.size - PACKED_TRAILER_SIZE, PACKED_TRAILER_SIZE) == 0)
        return STATUS_OK;
    /* The ember itself knows best what is missing: its header, its table or a section. */
    struct ember opened;
    *ember = bytes_of(file.data + start, file.size - start);
    enum status status = ember_open(&opened, *ember, error);
    if (status != STATUS_OK)
        return error_add_context(error, status, "the packed program has no valid trailer");
    return error_set(error, STATUS_INVALID_DATA,
                     "the trailer of the packed program, %zu bytes at its end, is missing or altered",
                     PACKED_TRAILER_SIZE);
}

enum status packed_program_find(struct bytes file, struct bytes *ember, struct error *error) {
    *ember = file;
    if (!is_elf(file))
        return STATUS_OK;
    uint64_t end = elf_end(file);
    if (end == 0 || end > file.size)
        return error_set(error, STATUS_INVALID_DATA, "a program that is truncated or not for 64 bits");
    if (end == file.size)
        return error_set(error, STATUS_INVALID_DATA,
                         "a program without a model, expected an ember; 'rescoldo pack' appends one");
    return find_appended(file, end, ember, error);
}

enum status packed_program_strip(struct bytes file, struct bytes *program, struct error *error) {
    uint64_t end = elf_end(file);
    if (end == 0 || end > file.size)
        return error_set(error, STATUS_INVALID_DATA, "not a whole program");
    *program = bytes_of(file.data, (size_t)end);
    return STATUS_OK;
}

bool packed_program_is(int descriptor) {
    unsigned char head[sizeof(Elf64_Ehdr)];
    struct stat information;
    if (fstat(descriptor, &information) != 0 ||
        pread(descriptor, head, sizeof head, 0) != (ssize_t)sizeof head)
        return false;
    uint64_t end = elf_end(bytes_of(head, sizeof head));
    return end != 0 && (uint64_t)information.st_size > end;
}

enum status packed_program_write(struct bytes program, struct bytes ember, struct file_writer *file,
                                 struct error *error) {
    static const unsigned char zeros[4096] = {0};
    _Static_assert(sizeof zeros == EMBER_PAGE_SIZE, "a page of zeros");
    size_t padding = size_align_up(program.size, EMBER_PAGE_SIZE) - program.size;
    unsigned char trailer[PACKED_TRAILER_SIZE];
    write_trailer(trailer, program.size, ember.size);
    enum status status = file_writer_write(file, program.data, program.size, error);
    if (status == STATUS_OK)
        status = file_writer_write(file, zeros, padding, error);
    if (status == STATUS_OK)
        status = file_writer_write(file, ember.data, ember.size, error);
    return status == STATUS_OK ? file_writer_write(file, trailer, sizeof trailer, error) : status;
}
