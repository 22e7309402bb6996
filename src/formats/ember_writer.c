#include "formats/ember_writer.h"

#include <string.h>
#include <xxhash.h>

static const unsigned char zeros[EMBER_PAGE_SIZE];

static enum status pad_file(struct ember_writer *writer, size_t alignment, struct error *error) {
    size_t excess = (size_t)(writer->file->position % alignment);
    if (excess == 0)
        return STATUS_OK;
    return file_writer_write(writer->file, zeros, alignment - excess, error);
}

enum status ember_writer_begin(struct ember_writer *writer, struct file_writer *file,
                               uint32_t planned_sections, struct error *error) {
    *writer = (struct ember_writer){.file = file, .planned_sections = planned_sections};
    if (planned_sections == 0 || planned_sections > EMBER_MAX_SECTIONS || file->position != 0)
        return error_set(error, STATUS_INTERNAL, "an ember of %u sections cannot be begun at byte %llu",
                         planned_sections, (unsigned long long)file->position);
    writer->hash_state = XXH3_createState();
    if (writer->hash_state == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to write an ember");
    /* Room for the header and the table, which are known only at the end. */
    enum status status = file_writer_write(file, zeros, EMBER_HEADER_SIZE, error);
    for (uint32_t i = 0; status == STATUS_OK && i < planned_sections; i++)
        status = file_writer_write(file, zeros, EMBER_ENTRY_SIZE, error);
    return status;
}

enum status ember_writer_begin_section(struct ember_writer *writer, const char *name, struct error *error) {
    size_t length = strlen(name);
    if (writer->section_count == writer->planned_sections || length == 0 || length > EMBER_NAME_SIZE)
        return error_set(error, STATUS_INTERNAL, "section \"%s\" cannot be added: %u of %u are written", name,
                         writer->section_count, writer->planned_sections);
    enum status status = pad_file(writer, EMBER_PAGE_SIZE, error);
    if (status != STATUS_OK)
        return status;
    writer->section_start = writer->file->position;
    unsigned char *entry = writer->table + writer->section_count * EMBER_ENTRY_SIZE;
    memset(entry, 0, EMBER_ENTRY_SIZE);
    memcpy(entry, name, length);
    if (XXH3_64bits_reset(writer->hash_state) != XXH_OK)
        return error_set(error, STATUS_INTERNAL, "the checksum of section \"%s\" could not be begun", name);
    return STATUS_OK;
}

enum status ember_writer_write(struct ember_writer *writer, const void *data, size_t size,
                               struct error *error) {
    enum status status = file_writer_write(writer->file, data, size, error);
    if (status == STATUS_OK && XXH3_64bits_update(writer->hash_state, data, size) != XXH_OK)
        return error_set(error, STATUS_INTERNAL, "the checksum of a section could not be computed");
    return status;
}

uint64_t ember_writer_position(const struct ember_writer *writer) {
    return writer->file->position - writer->section_start;
}

enum status ember_writer_align(struct ember_writer *writer, struct error *error) {
    size_t excess = (size_t)(ember_writer_position(writer) % EMBER_TENSOR_ALIGNMENT);
    if (excess == 0)
        return STATUS_OK;
    return ember_writer_write(writer, zeros, EMBER_TENSOR_ALIGNMENT - excess, error);
}

void ember_writer_end_section(struct ember_writer *writer) {
    unsigned char *entry = writer->table + writer->section_count * EMBER_ENTRY_SIZE;
    store_u64le(entry + 32, writer->section_start);
    store_u64le(entry + 40, ember_writer_position(writer));
    store_u64le(entry + 48, XXH3_64bits_digest(writer->hash_state));
    writer->section_count++;
}

enum status ember_writer_mark(struct ember_writer *writer, struct error *error) {
    if (writer->mark.hash_state == NULL)
        writer->mark.hash_state = XXH3_createState();
    if (writer->mark.hash_state == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to write an ember");
    XXH3_copyState(writer->mark.hash_state, writer->hash_state);
    writer->mark.position = writer->file->position;
    writer->mark.section_start = writer->section_start;
    writer->mark.section_count = writer->section_count;
    return STATUS_OK;
}

enum status ember_writer_rewind(struct ember_writer *writer, struct error *error) {
    if (writer->mark.hash_state == NULL || writer->mark.position > writer->file->position)
        return error_set(error, STATUS_INTERNAL, "an ember's writer has no mark to go back to");
    XXH3_copyState(writer->hash_state, writer->mark.hash_state);
    writer->section_start = writer->mark.section_start;
    writer->section_count = writer->mark.section_count;
    return file_writer_rewind(writer->file, writer->mark.position, error);
}

enum status ember_writer_finish(struct ember_writer *writer, struct error *error) {
    if (writer->section_count != writer->planned_sections)
        return error_set(error, STATUS_INTERNAL, "an ember of %u sections has only %u",
                         writer->planned_sections, writer->section_count);
    size_t table_size = writer->section_count * EMBER_ENTRY_SIZE;
    unsigned char header[EMBER_HEADER_SIZE] = {0};
    memcpy(header, ember_magic, sizeof ember_magic);
    store_u32le(header + 8, EMBER_VERSION);
    store_u32le(header + 12, writer->section_count);
    store_u64le(header + 16, writer->file->position);
    store_u64le(header + 24, XXH3_64bits(writer->table, table_size));
    enum status status = file_writer_write_at(writer->file, 0, header, sizeof header, error);
    if (status == STATUS_OK)
        status = file_writer_write_at(writer->file, EMBER_HEADER_SIZE, writer->table, table_size, error);
    return status;
}

void ember_writer_free(struct ember_writer *writer) {
    if (writer->hash_state != NULL)
        (void)XXH3_freeState(writer->hash_state);
    if (writer->mark.hash_state != NULL)
        (void)XXH3_freeState(writer->mark.hash_state);
    *writer = (struct ember_writer){0};
}
