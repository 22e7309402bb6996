/* An ember appended to a program: one file that is both (rescoldo pack).
 *
 *   the program, an ELF file (elf(5)), up to program_size bytes
 *   zeros, up to a multiple of EMBER_PAGE_SIZE
 *   the ember
 *   trailer (32 bytes, little-endian): magic "\x89PACKED\n", program_size (8), size of the ember (8), XXH3-64
 * of these 24 bytes (8)
 *
 * The kernel maps of a program what its headers name, so that what is appended costs nothing when it is
 * executed. */
#ifndef RESCOLDO_FORMATS_PACKED_PROGRAM_H
#define RESCOLDO_FORMATS_PACKED_PROGRAM_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"

#include <stdbool.h>

#define PACKED_TRAILER_SIZE ((size_t)32)

/* The ember in a file that is one or is packed. A program without an ember, and one that was cut or
 * lengthened afterwards, gives STATUS_INVALID_DATA. */
MUST_CHECK enum status packed_program_find(struct bytes file, struct bytes *ember, struct error *error);

/* The program of a file, packed or not, without what is appended. */
MUST_CHECK enum status packed_program_strip(struct bytes file, struct bytes *program, struct error *error);

/* Is something appended to this program? Reads its first and last bytes alone. What cannot be read holds
 * nothing. */
bool packed_program_is(int descriptor);

/* Writes a program and an ember as one. The caller commits the file. */
MUST_CHECK enum status packed_program_write(struct bytes program, struct bytes ember,
                                            struct file_writer *file, struct error *error);

#endif
