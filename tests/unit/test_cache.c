/* The cache against a plain list: what is found is what was kept, memory is bounded, the least recently used
 * goes first. */
#include "random.h"
#include "server/cache.h"
#include "unit_test.h"

#include <string.h>

#define KEYS 200u

static struct cache_key key_of(size_t number) {
    struct cache_key key = {{0}};
    /* All in few buckets, to meet chains. */
    key.bytes[0] = (unsigned char)(number % 3);
    store_u64le(key.bytes + 8, number);
    return key;
}

static struct bytes value_of(size_t number, unsigned char *storage) {
    size_t size = 1 + number % 50;
    memset(storage, (int)(number & 255), size);
    return bytes_of(storage, size);
}

static void what_is_found_is_what_was_kept(void **state) {
    (void)state;
    struct cache *cache;
    assert_int_equal(cache_create(8192, &cache, NULL), STATUS_OK);
    struct random random = {1};
    struct buffer value = {0};
    unsigned char storage[64];
    uint64_t hits = 0, misses = 0;
    for (size_t turn = 0; turn < 20000; turn++) {
        size_t number = random_below(&random, KEYS);
        enum cache_kind kind = (enum cache_kind)random_below(&random, CACHE_KINDS);
        struct cache_key key = key_of(number);
        struct bytes expected = value_of(number + kind, storage);
        if (cache_find(cache, kind, &key, &value)) {
            assert_true(bytes_equal(buffer_bytes(&value), expected));
            hits++;
        } else {
            misses++;
            cache_keep(cache, kind, &key, expected);
            assert_true(cache_find(cache, kind, &key, &value));
            hits++;
        }
        assert_true(cache_statistics(cache).bytes <= 8192);
    }
    struct cache_statistics statistics = cache_statistics(cache);
    assert_true(statistics.hits[0] + statistics.hits[1] == hits);
    assert_true(statistics.misses[0] + statistics.misses[1] == misses);
    assert_true(statistics.evictions > 0 && statistics.entries > 0);
    buffer_free(&value);
    cache_destroy(cache);
}

static void the_least_recently_used_goes_first(void **state) {
    (void)state;
    struct cache *cache;
    assert_int_equal(cache_create(8192, &cache, NULL), STATUS_OK);
    struct buffer value = {0};
    unsigned char storage[64];
    struct cache_key first = key_of(0);
    for (size_t number = 0; cache_statistics(cache).evictions < 50; number++) {
        struct cache_key key = key_of(number);
        cache_keep(cache, CACHE_SCORES, &key, value_of(number, storage));
        assert_true(cache_find(cache, CACHE_SCORES, &first, &value));
        assert_true(cache_find(cache, CACHE_SCORES, &key, &value));
    }
    struct cache_key second = key_of(1);
    assert_false(cache_find(cache, CACHE_SCORES, &second, &value));
    /* Larger than its share: not kept, and nothing makes place for it. */
    unsigned char large[2048] = {0};
    uint64_t evictions = cache_statistics(cache).evictions;
    cache_keep(cache, CACHE_SCORES, &second, bytes_of(large, sizeof large));
    assert_false(cache_find(cache, CACHE_SCORES, &second, &value));
    assert_true(cache_statistics(cache).evictions == evictions);
    buffer_free(&value);
    cache_destroy(cache);
    cache_destroy(NULL);
    assert_true(cache_statistics(NULL).bytes == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_is_what_was_kept),
        cmocka_unit_test(the_least_recently_used_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
