/* ZIP archives for tests, written by hand (APPNOTE.TXT, PKWARE), so that each of their fields can be made to
 * lie. */
#ifndef RESCOLDO_TESTS_ZIP_WRITER_H
#define RESCOLDO_TESTS_ZIP_WRITER_H

#include "base/buffer.h"

#include <stdbool.h>

struct zip_member {
    const char *name;
    struct bytes content;
    bool deflated;
    size_t name_size; /* 0: strlen(name) */
    /* Added to what is true, in both headers but for the offset, which the directory alone has. */
    uint32_t more_size, more_compressed, more_checksum, more_offset, flags, method;
};

/* Appends the archive of count members. Failures are assertions of the test that calls. */
void zip_write(const struct zip_member *members, size_t count, struct buffer *file);

#endif
