#include "formats/protobuf_wire.h"

#define TAG_TYPE_BITS 3
#define VARINT_BYTES  10
#define MOST_FIELDS   64 /* of a message */

static enum status malformed(const struct protobuf_cursor *cursor, const char *what, struct error *error) {
    return error_set(error, STATUS_INVALID_DATA, "%s: at byte %zu: %s", cursor->file_name,
                     (size_t)(cursor->rest.data - cursor->file.data), what);
}

static void skip(struct bytes *rest, size_t size) {
    rest->data += size;
    rest->size -= size;
}

bool protobuf_varint(struct bytes *rest, uint64_t *value) {
    *value = 0;
    for (size_t i = 0; i < VARINT_BYTES && i < rest->size; i++) {
        *value |= (uint64_t)(rest->data[i] & 0x7f) << (7 * i);
        if ((rest->data[i] & 0x80) == 0) {
            skip(rest, i + 1);
            return true;
        }
    }
    return false;
}

/* The bytes of a field's value; false for a wire type that is not one. */
static bool size_of_value(uint64_t type, struct bytes *rest, uint64_t *size, bool *truncated) {
    *truncated = false;
    switch (type) {
    case PROTOBUF_FIXED64:
        *size = 8;
        break;
    case PROTOBUF_FIXED32:
        *size = 4;
        break;
    case PROTOBUF_LENGTH:
        *truncated = !protobuf_varint(rest, size);
        break;
    default:
        return false;
    }
    *truncated = *truncated || *size > rest->size;
    return true;
}

enum status protobuf_next(struct protobuf_cursor *cursor, struct protobuf_field *field, struct error *error) {
    const unsigned char *begin = cursor->rest.data;
    struct bytes rest = cursor->rest;
    uint64_t tag, size;
    bool truncated;
    if (!protobuf_varint(&rest, &tag) || tag >> TAG_TYPE_BITS == 0 || tag >> TAG_TYPE_BITS > 0x1fffffff)
        return malformed(cursor, "no field of a Protocol Buffers message begins here", error);
    field->number = (uint32_t)(tag >> TAG_TYPE_BITS);
    field->type = (enum protobuf_wire_type)(tag & 7);
    field->content = (struct bytes){0};
    field->value = 0;
    if (field->type == PROTOBUF_VARINT) {
        if (!protobuf_varint(&rest, &field->value))
            return malformed(cursor, "a number is truncated", error);
    } else if (!size_of_value(tag & 7, &rest, &size, &truncated)) {
        return malformed(cursor, "a field of an unknown wire type", error);
    } else if (truncated) {
        return malformed(cursor, "a field is longer than the message that holds it: truncated or corrupt",
                         error);
    } else {
        field->content = bytes_of(rest.data, (size_t)size);
        skip(&rest, (size_t)size);
    }
    field->whole = bytes_of(begin, (size_t)(rest.data - begin));
    cursor->rest = rest;
    return STATUS_OK;
}

static enum status check(struct protobuf_cursor cursor, const ProtobufCMessageDescriptor *descriptor,
                         unsigned depth, struct error *error) {
    uint64_t once = 0; /* a bit for each field that was there and may not come again */
    if (depth > PROTOBUF_MAX_DEPTH)
        return malformed(&cursor, "messages are nested too deeply", error);
    while (cursor.rest.size > 0) {
        struct protobuf_field field;
        const struct protobuf_cursor before = cursor;
        enum status status = protobuf_next(&cursor, &field, error);
        if (status != STATUS_OK)
            return status;
        const ProtobufCFieldDescriptor *known =
            protobuf_c_message_descriptor_get_field(descriptor, field.number);
        if (known == NULL || known->type != PROTOBUF_C_TYPE_MESSAGE || field.type != PROTOBUF_LENGTH)
            continue;
        uint64_t bit = known->label == PROTOBUF_C_LABEL_REPEATED
                           ? 0
                           : (uint64_t)1 << (known - descriptor->fields) % MOST_FIELDS;
        if ((once & bit) != 0)
            return malformed(&before, "a part that a message has once is there twice", error);
        once |= bit;
        const struct protobuf_cursor inner = {cursor.file_name, cursor.file, field.content};
        status = check(inner, known->descriptor, depth + 1, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status protobuf_check(const struct protobuf_cursor *message,
                           const ProtobufCMessageDescriptor *descriptor, struct error *error) {
    return check(*message, descriptor, 0, error);
}
