/* A growable run of bytes that it owns. A zeroed struct is an empty buffer; release with buffer_free. */
#ifndef RESCOLDO_BASE_BUFFER_H
#define RESCOLDO_BASE_BUFFER_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

struct buffer {
    unsigned char *data;
    size_t size;
    size_t capacity;
};

/* Each append leaves the buffer as it was when it fails (STATUS_OUT_OF_MEMORY). */
MUST_CHECK enum status buffer_reserve(struct buffer *buffer, size_t additional, struct error *error);
MUST_CHECK enum status buffer_append(struct buffer *buffer, const void *data, size_t size,
                                     struct error *error);
MUST_CHECK enum status buffer_append_zeros(struct buffer *buffer, size_t size, struct error *error);
MUST_CHECK enum status buffer_append_format(struct buffer *buffer, struct error *error, const char *format,
                                            ...) PRINTF_LIKE(3, 4);

static inline struct bytes buffer_bytes(const struct buffer *buffer) {
    return bytes_of(buffer->data, buffer->size);
}

/* The bytes before `end` are not needed any more, those before `begin` have been given back already: returns
 * their memory to the system page by page, so that freeing a large buffer later takes no time. */
void buffer_give_back(const struct buffer *buffer, size_t begin, size_t end);

/* Frees the bytes and makes the buffer empty again. */
void buffer_free(struct buffer *buffer);

#endif
