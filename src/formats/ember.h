/* The ember: one file with everything a model needs to answer, laid out so that opening is mmap and checks.
 *
 * All integers little-endian. The file is a header, a table of sections, and the sections, each on a page.
 *
 *   offset  size  header (64 bytes)
 *   0       8     magic: 0x89 'E' 'M' 'B' 'E' 'R' '\r' '\n' (a text-mode copy breaks it, as with PNG)
 *   8       4     format version, EMBER_VERSION
 *   12      4     number of sections, 1 to EMBER_MAX_SECTIONS
 *   16      8     size of the file in bytes
 *   24      8     XXH3-64 of the section table
 *   32      32    zero
 *
 *   offset  size  entry of the section table, which follows the header (64 bytes each)
 *   0       32    name: lower-case ASCII, padded with NUL, unique
 *   32      8     offset in the file, a multiple of EMBER_PAGE_SIZE
 *   40      8     size in bytes
 *   48      8     XXH3-64 of the section's bytes
 *   56      8     zero
 *
 * Sections: "metadata" (JSON, docs/ember.md), "tokenizer" (tokenizer/tokenizer.h), "weights" (tensors, each
 * on a multiple of EMBER_TENSOR_ALIGNMENT bytes from the start of the section). The metadata names, for each
 * model, the sections it uses and every tensor's place, element type, layout and shape. */
#ifndef RESCOLDO_FORMATS_EMBER_H
#define RESCOLDO_FORMATS_EMBER_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#define EMBER_VERSION          1u
#define EMBER_PAGE_SIZE        ((size_t)4096)
#define EMBER_TENSOR_ALIGNMENT ((size_t)64)
#define EMBER_MAX_SECTIONS     64u
#define EMBER_NAME_SIZE        32u
#define EMBER_HEADER_SIZE      ((size_t)64)
#define EMBER_ENTRY_SIZE       ((size_t)64)

extern const unsigned char ember_magic[8];

struct ember_section {
    char name[EMBER_NAME_SIZE + 1]; /* NUL-terminated */
    struct bytes bytes;             /* borrowed from the file */
    uint64_t offset;
    uint64_t checksum; /* XXH3-64 as the table states it */
};

struct ember {
    struct bytes file;
    uint32_t section_count;
    struct ember_section sections[EMBER_MAX_SECTIONS];
};

/* Checks the header and the table (magic, version, size, checksum of the table, every offset and length, no
 * overlap, unique names) and fills the views. Never reads a section's bytes, allocates nothing. A truncated
 * or altered file gives STATUS_INVALID_DATA and names the section or header field. */
MUST_CHECK enum status ember_open(struct ember *ember, struct bytes file, struct error *error);

/* The section of that name; STATUS_NOT_FOUND names it. */
MUST_CHECK enum status ember_find(const struct ember *ember, const char *name, struct bytes *section,
                                  struct error *error);

/* Compares every section's checksum with its bytes; STATUS_INVALID_DATA names the first that differs. */
MUST_CHECK enum status ember_verify(const struct ember *ember, struct error *error);

#endif
