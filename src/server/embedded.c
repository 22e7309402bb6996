#include "server/embedded.h"

#define ZLIB_CONST /* the input is not written to */
#include <zlib.h>

#define GZIP_WINDOW_BITS (16 + MAX_WBITS) /* zlib.h, inflateInit2: 16 more stands for gzip's header */
#define GZIP_SIZE_FIELD  4u               /* ISIZE, the last field (RFC 1952, section 2.3.1) */

static size_t text_size(const unsigned char *document, size_t size) {
    const unsigned char *field = document + size - GZIP_SIZE_FIELD;
    return (size_t)field[0] | (size_t)field[1] << 8 | (size_t)field[2] << 16 | (size_t)field[3] << 24;
}

enum status embedded_document_append(const unsigned char *document, size_t size, struct buffer *text,
                                     struct error *error) {
    size_t room = text_size(document, size);
    enum status status = buffer_reserve(text, room, error);
    if (status != STATUS_OK)
        return status;
    z_stream stream = {.next_in = document,
                       .avail_in = (uInt)size,
                       .next_out = text->data + text->size,
                       .avail_out = (uInt)room};
    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to expand an embedded document");
    int outcome = inflate(&stream, Z_FINISH);
    (void)inflateEnd(&stream);
    if (outcome == Z_MEM_ERROR)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to expand an embedded document");
    if (outcome != Z_STREAM_END || stream.avail_out != 0)
        return error_set(error, STATUS_INTERNAL, "an embedded document is damaged");
    text->size += room;
    return STATUS_OK;
}
