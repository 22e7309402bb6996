#include "formats/ember.h"

#include <string.h>
#include <xxhash.h>

const unsigned char ember_magic[8] = {0x89, 'E', 'M', 'B', 'E', 'R', '\r', '\n'};

static bool all_zero(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool is_name_character(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/* A name is one to EMBER_NAME_SIZE characters, the rest of its field NUL. */
static bool is_valid_name(const unsigned char field[EMBER_NAME_SIZE]) {
    size_t length = 0;
    while (length < EMBER_NAME_SIZE && is_name_character(field[length]))
        length++;
    return length > 0 && all_zero(field + length, EMBER_NAME_SIZE - length);
}

static enum status check_header(struct ember *ember, struct error *error) {
    struct bytes file = ember->file;
    if (file.size < sizeof ember_magic || memcmp(file.data, ember_magic, sizeof ember_magic) != 0)
        return error_set(error, STATUS_INVALID_DATA,
                         "not an ember: the first bytes are not its magic number");
    if (file.size < EMBER_HEADER_SIZE)
        return error_set(error, STATUS_INVALID_DATA, "truncated: %zu bytes, the header alone has %zu",
                         file.size, EMBER_HEADER_SIZE);
    uint32_t version = load_u32le(file.data + 8);
    if (version != EMBER_VERSION)
        return error_set(error, STATUS_UNSUPPORTED, "ember format version %u is not supported, expected %u",
                         version, EMBER_VERSION);
    ember->section_count = load_u32le(file.data + 12);
    if (ember->section_count == 0 || ember->section_count > EMBER_MAX_SECTIONS)
        return error_set(error, STATUS_INVALID_DATA, "the header counts %u sections, expected 1 to %u",
                         ember->section_count, EMBER_MAX_SECTIONS);
    uint64_t size = load_u64le(file.data + 16);
    if (size != file.size)
        return error_set(error, STATUS_INVALID_DATA, "%s: the header says %llu bytes, the file has %zu",
                         size > file.size ? "truncated" : "bytes were appended", (unsigned long long)size,
                         file.size);
    if (!all_zero(file.data + 32, 32))
        return error_set(error, STATUS_INVALID_DATA, "the reserved bytes of the header are not zero");
    size_t table_size = ember->section_count * EMBER_ENTRY_SIZE;
    if (table_size > file.size - EMBER_HEADER_SIZE)
        return error_set(error, STATUS_INVALID_DATA,
                         "truncated: the table of %u sections does not fit %zu bytes", ember->section_count,
                         file.size);
    if (XXH3_64bits(file.data + EMBER_HEADER_SIZE, table_size) != load_u64le(file.data + 24))
        return error_set(error, STATUS_INVALID_DATA, "the section table does not match its checksum");
    return STATUS_OK;
}

static enum status read_entry(struct ember *ember, uint32_t number, struct error *error) {
    const unsigned char *entry = ember->file.data + EMBER_HEADER_SIZE + number * EMBER_ENTRY_SIZE;
    if (!is_valid_name(entry))
        return error_set(error, STATUS_INVALID_DATA, "section %u has no valid name", number);
    struct ember_section *section = &ember->sections[number];
    memcpy(section->name, entry, EMBER_NAME_SIZE);
    section->name[EMBER_NAME_SIZE] = '\0';
    uint64_t offset = load_u64le(entry + 32), size = load_u64le(entry + 40);
    size_t table_end = EMBER_HEADER_SIZE + ember->section_count * EMBER_ENTRY_SIZE;
    if (offset % EMBER_PAGE_SIZE != 0 || offset < table_end)
        return error_set(error, STATUS_INVALID_DATA,
                         "section \"%s\" begins at byte %llu, expected a multiple of %zu after the table",
                         section->name, (unsigned long long)offset, EMBER_PAGE_SIZE);
    if (offset > ember->file.size || size > ember->file.size - offset)
        return error_set(error, STATUS_INVALID_DATA,
                         "section \"%s\" (%llu bytes at byte %llu) does not fit the file of %zu bytes",
                         section->name, (unsigned long long)size, (unsigned long long)offset,
                         ember->file.size);
    if (!all_zero(entry + 56, 8))
        return error_set(error, STATUS_INVALID_DATA, "the reserved bytes of section \"%s\" are not zero",
                         section->name);
    section->offset = offset;
    section->checksum = load_u64le(entry + 48);
    section->bytes = bytes_of(ember->file.data + offset, (size_t)size);
    return STATUS_OK;
}

static enum status check_against_earlier(const struct ember *ember, uint32_t number, struct error *error) {
    const struct ember_section *section = &ember->sections[number];
    for (uint32_t i = 0; i < number; i++) {
        const struct ember_section *earlier = &ember->sections[i];
        if (strcmp(section->name, earlier->name) == 0)
            return error_set(error, STATUS_INVALID_DATA, "two sections are named \"%s\"", section->name);
        if (section->offset < earlier->offset + earlier->bytes.size &&
            earlier->offset < section->offset + section->bytes.size)
            return error_set(error, STATUS_INVALID_DATA, "sections \"%s\" and \"%s\" overlap", earlier->name,
                             section->name);
    }
    return STATUS_OK;
}

enum status ember_open(struct ember *ember, struct bytes file, struct error *error) {
    *ember = (struct ember){.file = file};
    enum status status = check_header(ember, error);
    for (uint32_t i = 0; status == STATUS_OK && i < ember->section_count; i++) {
        status = read_entry(ember, i, error);
        if (status == STATUS_OK)
            status = check_against_earlier(ember, i, error);
    }
    return status;
}

enum status ember_find(const struct ember *ember, const char *name, struct bytes *section,
                       struct error *error) {
    for (uint32_t i = 0; i < ember->section_count; i++) {
        if (strcmp(ember->sections[i].name, name) == 0) {
            *section = ember->sections[i].bytes;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_NOT_FOUND, "the ember has no section \"%s\"", name);
}

enum status ember_verify(const struct ember *ember, struct error *error) {
    for (uint32_t i = 0; i < ember->section_count; i++) {
        const struct ember_section *section = &ember->sections[i];
        uint64_t found = XXH3_64bits(section->bytes.data, section->bytes.size);
        if (found != section->checksum)
            return error_set(
                error, STATUS_INVALID_DATA,
                "section \"%s\" (%zu bytes at byte %llu) is altered: checksum %016llx, expected %016llx",
                section->name, section->bytes.size, (unsigned long long)section->offset,
                (unsigned long long)found, (unsigned long long)section->checksum);
    }
    return STATUS_OK;
}
