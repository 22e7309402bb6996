#include "base/memory_limit.h"

#include "base/control_group.h"

#include <stdlib.h>

/* "No limit" is the word max in v2 and the largest multiple of a page in v1, beyond any memory. */
#define NO_MEMORY ((uint64_t)1 << 60)

static uint64_t read_limit(const char *directory, const char *name) {
    char text[64], *end;
    if (!control_group_read(directory, name, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return 0;
    uint64_t limit = strtoull(text, &end, 10);
    return end == text || limit >= NO_MEMORY ? 0 : limit;
}

static uint64_t limit_v1(const char *directory) {
    return read_limit(directory, "memory.limit_in_bytes");
}

static uint64_t limit_v2(const char *directory) {
    return read_limit(directory, "memory.max");
}

uint64_t memory_limit(const char *root) {
    return control_group_least(root, "memory", limit_v1, limit_v2);
}
