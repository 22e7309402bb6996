/* The wire form of Protocol Buffers (https://protobuf.dev/programming-guides/encoding/), as far as it must be
 * looked at before protobuf-c may: its unpacker says nothing about where bytes are malformed, recurses as
 * deep as the bytes ask for, and copies every string of bytes. */
#ifndef RESCOLDO_FORMATS_PROTOBUF_WIRE_H
#define RESCOLDO_FORMATS_PROTOBUF_WIRE_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <protobuf-c/protobuf-c.h>

#define PROTOBUF_MAX_DEPTH 24u /* of messages in one another; a BERT in ONNX needs six */

enum protobuf_wire_type {
    PROTOBUF_VARINT = 0,
    PROTOBUF_FIXED64 = 1,
    PROTOBUF_LENGTH = 2, /* strings, bytes, messages, packed lists */
    PROTOBUF_FIXED32 = 5,
};

struct protobuf_field {
    uint32_t number;
    enum protobuf_wire_type type;
    uint64_t value;       /* PROTOBUF_VARINT */
    struct bytes content; /* of the others; borrowed */
    struct bytes whole;   /* with its tag and length */
};

/* Where a reader of fields is. */
struct protobuf_cursor {
    const char *file_name; /* for messages */
    struct bytes file;     /* for offsets in messages */
    struct bytes rest;     /* of the message that is read */
};

/* Takes the next field off the cursor; only while rest is not empty. Malformed bytes: STATUS_INVALID_DATA
 * with the file and the offset. */
MUST_CHECK enum status protobuf_next(struct protobuf_cursor *cursor, struct protobuf_field *field,
                                     struct error *error);

/* The next varint of a packed list; false when the bytes end within it. */
bool protobuf_varint(struct bytes *rest, uint64_t *value);

/* Checks that message is well-formed down to its innermost message, not nested deeper than
 * PROTOBUF_MAX_DEPTH, and that no message which can be there once is there twice: protobuf-c would merge the
 * two, and copy what it has for each one more. descriptor and those below it: at most 64 fields each. */
MUST_CHECK enum status protobuf_check(const struct protobuf_cursor *message,
                                      const ProtobufCMessageDescriptor *descriptor, struct error *error);

#endif
