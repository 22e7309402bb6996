#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* madvise(2) wants whole pages; no system of ours has larger ones. */
#define PAGE ((uintptr_t)65536)
/* What is smaller is freed in no time. */
#define SMALLEST_GIVEN_BACK ((size_t)1 << 20)

enum status buffer_reserve(struct buffer *buffer, size_t additional, struct error *error) {
    size_t needed;
    if (!size_add(buffer->size, additional, &needed))
        return error_set(error, STATUS_OUT_OF_MEMORY, "a buffer of %zu bytes cannot grow by %zu",
                         buffer->size, additional);
    if (needed <= buffer->capacity)
        return STATUS_OK;
    size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    unsigned char *data = realloc(buffer->data, capacity);
    if (data == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a buffer of %zu bytes", capacity);
    buffer->data = data;
    buffer->capacity = capacity;
    return STATUS_OK;
}

enum status buffer_append(struct buffer *buffer, const void *data, size_t size, struct error *error) {
    enum status status = buffer_reserve(buffer, size, error);
    if (status != STATUS_OK)
        return status;
    if (size != 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return STATUS_OK;
}

enum status buffer_append_zeros(struct buffer *buffer, size_t size, struct error *error) {
    enum status status = buffer_reserve(buffer, size, error);
    if (status != STATUS_OK)
        return status;
    if (size != 0)
        memset(buffer->data + buffer->size, 0, size);
    buffer->size += size;
    return STATUS_OK;
}

enum status buffer_append_format(struct buffer *buffer, struct error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return error_set(error, STATUS_INTERNAL, "a format string could not be printed");
    /* One byte more than the text: vsnprintf always writes a NUL, which is not counted in size. */
    enum status status = buffer_reserve(buffer, (size_t)length + 1, error);
    if (status != STATUS_OK)
        return status;
    va_start(arguments, format);
    vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
    return STATUS_OK;
}

void buffer_give_back(const struct buffer *buffer, size_t begin, size_t end) {
    if (buffer->capacity < SMALLEST_GIVEN_BACK)
        return;
    uintptr_t data = (uintptr_t)buffer->data, first = data + begin, last = data + end;
    first -= first % PAGE;
    if (first < data)
        first += PAGE;
    last -= last % PAGE;
    /* A hint: where it fails, the memory is freed later. */
    if (first < last)
        (void)madvise(buffer->data + (first - data), last - first, MADV_DONTNEED);
}

void buffer_free(struct buffer *buffer) {
    free(buffer->data);
    *buffer = (struct buffer){0};
}
