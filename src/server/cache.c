#include "server/cache.h"

#include <pthread.h>
#include <stdlib.h>

#define MIN_BUCKETS      ((size_t)64)
#define BYTES_PER_BUCKET ((uint64_t)512)
#define LARGEST_SHARE    8u
/* What malloc adds to a piece, roughly. */
#define ALLOCATION_OVERHEAD ((uint64_t)16)

struct entry {
    struct entry *next_in_bucket;
    struct entry *newer, *older; /* by last use */
    struct cache_key key;
    uint32_t kind;
    uint32_t size;
    unsigned char value[]; /* [size] */
};

struct cache {
    pthread_mutex_t mutex; /* guards all below */
    uint64_t max_bytes;
    struct entry **buckets; /* [bucket_count], a power of two */
    size_t bucket_count;
    struct entry *newest, *oldest;
    struct cache_statistics statistics;
};

enum status cache_create(uint64_t max_bytes, struct cache **created, struct error *error) {
    struct cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the cache");
    cache->max_bytes = max_bytes;
    cache->bucket_count = MIN_BUCKETS;
    while (cache->bucket_count * BYTES_PER_BUCKET < max_bytes)
        cache->bucket_count *= 2;
    cache->buckets = calloc(cache->bucket_count, sizeof *cache->buckets);
    if (cache->buckets == NULL) {
        free(cache);
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a cache of %llu bytes",
                         (unsigned long long)max_bytes);
    }
    cache->statistics.bytes = cache->bucket_count * sizeof *cache->buckets;
    pthread_mutex_init(&cache->mutex, NULL);
    *created = cache;
    return STATUS_OK;
}

void cache_destroy(struct cache *cache) {
    if (cache == NULL)
        return;
    while (cache->newest != NULL) {
        struct entry *older = cache->newest->older;
        free(cache->newest);
        cache->newest = older;
    }
    free(cache->buckets);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

/* --- with the mutex held --- */

/* A cryptographic hash needs no further hashing. */
static struct entry **bucket_of(const struct cache *cache, const struct cache_key *key) {
    return &cache->buckets[load_u64le(key->bytes) & (cache->bucket_count - 1)];
}

static struct entry *look_up(const struct cache *cache, enum cache_kind kind, const struct cache_key *key) {
    struct entry *entry = *bucket_of(cache, key);
    while (entry != NULL && (entry->kind != kind || memcmp(&entry->key, key, sizeof *key) != 0))
        entry = entry->next_in_bucket;
    return entry;
}

static void unlink_use(struct cache *cache, struct entry *entry) {
    if (entry->newer == NULL)
        cache->newest = entry->older;
    else
        entry->newer->older = entry->older;
    if (entry->older == NULL)
        cache->oldest = entry->newer;
    else
        entry->older->newer = entry->newer;
}

static void link_newest(struct cache *cache, struct entry *entry) {
    entry->newer = NULL;
    entry->older = cache->newest;
    if (cache->newest == NULL)
        cache->oldest = entry;
    else
        cache->newest->newer = entry;
    cache->newest = entry;
}

static uint64_t bytes_of_entry(size_t value_size) {
    return sizeof(struct entry) + value_size + ALLOCATION_OVERHEAD;
}

static void evict(struct cache *cache, struct entry *entry) {
    struct entry **link = bucket_of(cache, &entry->key);
    while (*link != entry)
        link = &(*link)->next_in_bucket;
    *link = entry->next_in_bucket;
    unlink_use(cache, entry);
    cache->statistics.bytes -= bytes_of_entry(entry->size);
    cache->statistics.entries--;
    cache->statistics.evictions++;
    free(entry);
}

/* --- without --- */

bool cache_find(struct cache *cache, enum cache_kind kind, const struct cache_key *key,
                struct buffer *value) {
    value->size = 0;
    pthread_mutex_lock(&cache->mutex);
    struct entry *entry = look_up(cache, kind, key);
    bool found = entry != NULL && buffer_append(value, entry->value, entry->size, NULL) == STATUS_OK;
    if (found) {
        unlink_use(cache, entry);
        link_newest(cache, entry);
        cache->statistics.hits[kind]++;
    } else {
        cache->statistics.misses[kind]++;
    }
    pthread_mutex_unlock(&cache->mutex);
    return found;
}

void cache_keep(struct cache *cache, enum cache_kind kind, const struct cache_key *key, struct bytes value) {
    uint64_t bytes = bytes_of_entry(value.size);
    if (bytes > cache->max_bytes / LARGEST_SHARE)
        return;
    struct entry *entry = malloc(sizeof *entry + value.size);
    if (entry == NULL)
        return;
    entry->key = *key;
    entry->kind = kind;
    entry->size = (uint32_t)value.size;
    memcpy(entry->value, value.data, value.size);
    pthread_mutex_lock(&cache->mutex);
    struct entry *known = look_up(cache, kind, key);
    if (known != NULL) /* by another request in the meantime: the same */
        evict(cache, known);
    struct entry **bucket = bucket_of(cache, key);
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    link_newest(cache, entry);
    cache->statistics.bytes += bytes;
    cache->statistics.entries++;
    while (cache->statistics.bytes > cache->max_bytes && cache->oldest != entry)
        evict(cache, cache->oldest);
    pthread_mutex_unlock(&cache->mutex);
}

struct cache_statistics cache_statistics(struct cache *cache) {
    struct cache_statistics statistics = {0};
    if (cache == NULL)
        return statistics;
    pthread_mutex_lock(&cache->mutex);
    statistics = cache->statistics;
    pthread_mutex_unlock(&cache->mutex);
    return statistics;
}
