/* What has been computed before: the token ids of texts, and the scores of (query, passage, options). Bounded
 * in bytes; the least recently used goes first. Thread-safe.
 *
 * A key is the SHA-256 (FIPS 180-4) of everything that the result depends on. No two inputs with the same
 * SHA-256 are known, so an equal key is an equal input, also for a client that chooses its texts to find out;
 * a shorter or a faster hash would not promise that, and keeping the texts would take several times the
 * memory. */
#ifndef RESCOLDO_SERVER_CACHE_H
#define RESCOLDO_SERVER_CACHE_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum cache_kind {
    CACHE_SCORES,
    CACHE_TOKENS,
    CACHE_KINDS,
};

struct cache_key {
    unsigned char bytes[32];
};

struct cache;

/* max_bytes: of entries and their index. */
MUST_CHECK enum status cache_create(uint64_t max_bytes, struct cache **cache, struct error *error);
void cache_destroy(struct cache *cache);

/* Replaces what `value` holds by a copy of the entry's value. False when there is none (or no memory). */
bool cache_find(struct cache *cache, enum cache_kind kind, const struct cache_key *key, struct buffer *value);

/* Copies the value in; what is larger than an eighth of the cache is not kept. Without memory nothing is. */
void cache_keep(struct cache *cache, enum cache_kind kind, const struct cache_key *key, struct bytes value);

struct cache_statistics {
    uint64_t hits[CACHE_KINDS], misses[CACHE_KINDS];
    uint64_t bytes, entries, evictions;
};

/* All zero without a cache (NULL). */
struct cache_statistics cache_statistics(struct cache *cache);

#endif
