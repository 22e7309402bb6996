#include "zip_writer.h"

#include "unit_test.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LOCAL_SIZE     30u
#define DIRECTORY_SIZE 46u
#define END_SIZE       22u
#define DEFLATED       8u

/* What both headers say of a member. */
struct written {
    uint32_t offset, checksum, size, compressed_size;
};

static void append(struct buffer *file, const void *data, size_t size) {
    assert_int_equal(buffer_append(file, data, size, NULL), STATUS_OK);
}

static void store_u16(unsigned char *target, uint32_t value) {
    target[0] = (unsigned char)value;
    target[1] = (unsigned char)(value >> 8);
}

static void deflate_to(struct buffer *file, struct bytes content) {
    unsigned char chunk[4096];
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)content.data;
    stream.avail_in = (uInt)content.size;
    int outcome = Z_OK;
    while (outcome == Z_OK) {
        stream.next_out = chunk;
        stream.avail_out = sizeof chunk;
        outcome = deflate(&stream, Z_FINISH);
        append(file, chunk, sizeof chunk - stream.avail_out);
    }
    assert_int_equal(outcome, Z_STREAM_END);
    assert_int_equal(deflateEnd(&stream), Z_OK);
}

static size_t name_size(const struct zip_member *member) {
    return member->name_size == 0 ? strlen(member->name) : member->name_size;
}

/* The fields from the version to the length of the name, which both headers have. */
static void fill(const struct zip_member *member, const struct written *written, unsigned char *fields) {
    store_u16(fields, 20);
    store_u16(fields + 2, member->flags);
    store_u16(fields + 4, (member->deflated ? DEFLATED : 0) + member->method);
    store_u32le(fields + 10, written->checksum + member->more_checksum);
    store_u32le(fields + 14, written->compressed_size + member->more_compressed);
    store_u32le(fields + 18, written->size + member->more_size);
    store_u16(fields + 22, (uint32_t)name_size(member));
}

static void write_member(const struct zip_member *member, struct written *written, struct buffer *file) {
    unsigned char header[LOCAL_SIZE] = "PK\3\4";
    written->offset = (uint32_t)file->size;
    append(file, header, sizeof header);
    append(file, member->name, name_size(member));
    size_t begin = file->size;
    if (member->deflated)
        deflate_to(file, member->content);
    else
        append(file, member->content.data, member->content.size);
    written->checksum = (uint32_t)crc32(0, member->content.data, (uInt)member->content.size);
    written->size = (uint32_t)member->content.size;
    written->compressed_size = (uint32_t)(file->size - begin);
    fill(member, written, file->data + written->offset + 4);
}

static void write_directory(const struct zip_member *member, const struct written *written,
                            struct buffer *file) {
    unsigned char header[DIRECTORY_SIZE] = "PK\1\2";
    store_u16(header + 4, 20);
    fill(member, written, header + 6);
    store_u32le(header + 42, written->offset + member->more_offset);
    append(file, header, sizeof header);
    append(file, member->name, name_size(member));
}

void zip_write(const struct zip_member *members, size_t count, struct buffer *file) {
    struct written *written = calloc(count + 1, sizeof *written);
    assert_non_null(written);
    for (size_t i = 0; i < count; i++)
        write_member(&members[i], &written[i], file);
    size_t directory = file->size;
    for (size_t i = 0; i < count; i++)
        write_directory(&members[i], &written[i], file);
    unsigned char end[END_SIZE] = "PK\5\6";
    store_u16(end + 8, (uint32_t)count);
    store_u16(end + 10, (uint32_t)count);
    store_u32le(end + 12, (uint32_t)(file->size - directory));
    store_u32le(end + 16, (uint32_t)directory);
    append(file, end, sizeof end);
    free(written);
}
