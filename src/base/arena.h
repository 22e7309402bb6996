/* One block of memory, taken from the kernel once, handed out by moving a mark; freed as a whole. The engine
 * computes its arena's size beforehand, so that a forward pass never allocates. Not thread-safe. */
#ifndef RESCOLDO_BASE_ARENA_H
#define RESCOLDO_BASE_ARENA_H

#include "base/compiler.h"
#include "base/status.h"

#include <stddef.h>

#define ARENA_ALIGNMENT ((size_t)64) /* one cache line, one AVX-512 vector */

struct arena {
    unsigned char *base;
    size_t size;
    size_t used;
};

/* Zeroed memory of at least size bytes, in huge pages where the kernel gives them. */
MUST_CHECK enum status arena_create(struct arena *arena, size_t size, struct error *error);

/* A 64-byte aligned piece, or NULL when the arena is used up. */
void *arena_allocate(struct arena *arena, size_t size);

/* The bytes arena_allocate takes from the arena for a piece of this size. */
size_t arena_piece_size(size_t size);

void arena_destroy(struct arena *arena);

#endif
