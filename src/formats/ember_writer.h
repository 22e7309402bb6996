/* Writes an ember section by section into a file_writer (formats/ember.h describes the bytes). Sections come
 * one after the other; their bytes are hashed as they pass, so that nothing is held in memory.
 *
 *   ember_writer_begin → (begin_section → write, align … → end_section)… → ember_writer_finish */
#ifndef RESCOLDO_FORMATS_EMBER_WRITER_H
#define RESCOLDO_FORMATS_EMBER_WRITER_H

#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"
#include "formats/ember.h"

struct ember_writer {
    struct file_writer *file; /* borrowed */
    uint32_t section_count;
    unsigned char table[EMBER_MAX_SECTIONS * EMBER_ENTRY_SIZE];
    uint64_t section_start; /* in the file; of the open section */
    void *hash_state;       /* owned; of the open section */
    uint32_t planned_sections;
    struct {
        uint64_t position, section_start;
        uint32_t section_count;
        void *hash_state; /* owned */
    } mark;
};

/* planned_sections: how many will be written, at most EMBER_MAX_SECTIONS. The file must be empty and outlive
 * the writer. */
MUST_CHECK enum status ember_writer_begin(struct ember_writer *writer, struct file_writer *file,
                                          uint32_t planned_sections, struct error *error);

/* name: 1 to EMBER_NAME_SIZE characters out of a-z 0-9 . - _ */
MUST_CHECK enum status ember_writer_begin_section(struct ember_writer *writer, const char *name,
                                                  struct error *error);
MUST_CHECK enum status ember_writer_write(struct ember_writer *writer, const void *data, size_t size,
                                          struct error *error);
/* Writes zeros up to the next multiple of EMBER_TENSOR_ALIGNMENT from the start of the section. */
MUST_CHECK enum status ember_writer_align(struct ember_writer *writer, struct error *error);
/* Bytes written to the open section. */
uint64_t ember_writer_position(const struct ember_writer *writer);
void ember_writer_end_section(struct ember_writer *writer);

/* Remembers this place, in a section or between two; one place at a time. */
MUST_CHECK enum status ember_writer_mark(struct ember_writer *writer, struct error *error);
/* Goes back to it, as if nothing had been written since; also after ember_writer_finish. */
MUST_CHECK enum status ember_writer_rewind(struct ember_writer *writer, struct error *error);

/* Writes the header and the table; the caller then commits the file. */
MUST_CHECK enum status ember_writer_finish(struct ember_writer *writer, struct error *error);

/* Frees the writer's memory, after success as after failure. A zeroed writer may be freed. */
void ember_writer_free(struct ember_writer *writer);

#endif
