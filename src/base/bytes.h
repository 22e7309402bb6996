/* Views of bytes, little-endian loads, and size arithmetic that cannot wrap. All functions are pure. */
#ifndef RESCOLDO_BASE_BYTES_H
#define RESCOLDO_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of bytes; not NUL-terminated, may contain NUL. data may be NULL when size is 0. */
struct bytes {
    const unsigned char *data;
    size_t size;
};

static inline struct bytes bytes_of(const void *data, size_t size) {
    return (struct bytes){data, size};
}

/* The bytes of a C string without its NUL. */
static inline struct bytes bytes_of_string(const char *string) {
    return (struct bytes){(const unsigned char *)string, strlen(string)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline uint16_t load_u16le(const void *source) {
    const unsigned char *p = source;
    return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

static inline uint32_t load_u32le(const void *source) {
    const unsigned char *p = source;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t load_u64le(const void *source) {
    const unsigned char *p = source;
    return (uint64_t)load_u32le(p) | (uint64_t)load_u32le(p + 4) << 32;
}

static inline void store_u32le(void *target, uint32_t value) {
    unsigned char *p = target;
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> (8 * i));
}

static inline void store_u64le(void *target, uint64_t value) {
    unsigned char *p = target;
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(value >> (8 * i));
}

/* False when the result does not fit a size_t; *result is then untouched. */
static inline bool size_multiply(size_t a, size_t b, size_t *result) {
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *result = a * b;
    return true;
}

static inline bool size_add(size_t a, size_t b, size_t *result) {
    if (a > SIZE_MAX - b)
        return false;
    *result = a + b;
    return true;
}

/* The next multiple of alignment (a power of two); value must leave room for it. */
static inline size_t size_align_up(size_t value, size_t alignment) {
    return (value + alignment - 1) & ~(alignment - 1);
}

#endif
