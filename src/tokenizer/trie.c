#include "tokenizer/trie.h"

#define UNITS_PER_BLOCK 256u
#define MAX_ATTEMPTS    256u /* free units tried for a node's children before a new block is opened */
#define ROOT_NODE       UINT32_MAX

/* The keys first..last share their first `depth` bytes, which lead to `node`. */
struct pending {
    uint32_t node;
    uint32_t first, last;
    uint32_t depth;
};

/* The labels below a node, ascending, and where each one's keys begin. */
struct children {
    unsigned count;
    unsigned char labels[256];
    uint32_t starts[257];
};

static uint64_t *units_of(struct trie_builder *builder) {
    return (uint64_t *)(void *)builder->units.data;
}

static uint32_t unit_count(const struct trie_builder *builder) {
    return (uint32_t)(builder->units.size / sizeof(uint64_t));
}

static enum status add_block(struct trie_builder *builder, struct error *error) {
    uint32_t first = unit_count(builder);
    if (first + UNITS_PER_BLOCK > TRIE_BASE_MASK)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "the vocabulary needs more than %u trie units",
                         (unsigned)TRIE_BASE_MASK);
    enum status status = buffer_append_zeros(&builder->units, UNITS_PER_BLOCK * sizeof(uint64_t), error);
    if (status == STATUS_OK)
        status = buffer_append_zeros(&builder->bases, UNITS_PER_BLOCK, error);
    for (uint32_t unit = first; unit < first + UNITS_PER_BLOCK && status == STATUS_OK; unit++)
        status = buffer_append(&builder->free, &unit, sizeof unit, error);
    return status;
}

/* The first free unit at or after `unit`, or the number of units. Every path walked is made shorter. */
static uint32_t next_free(struct trie_builder *builder, uint32_t unit) {
    uint32_t *free_units = (uint32_t *)(void *)builder->free.data;
    uint32_t count = unit_count(builder);
    while (unit < count && free_units[unit] != unit) {
        uint32_t next = free_units[unit];
        if (next < count)
            free_units[unit] = free_units[next];
        unit = next;
    }
    return unit;
}

static void take(struct trie_builder *builder, uint32_t unit) {
    ((uint32_t *)(void *)builder->free.data)[unit] = unit + 1;
}

static bool fits(struct trie_builder *builder, uint32_t base, const struct children *children) {
    if (builder->bases.data[base] != 0)
        return false;
    const uint64_t *units = units_of(builder);
    for (unsigned i = 0; i < children->count; i++) {
        if ((units[base ^ children->labels[i]] & TRIE_TAKEN) != 0)
            return false;
    }
    return true;
}

static enum status find_base(struct trie_builder *builder, const struct children *children, uint32_t *base,
                             struct error *error) {
    uint32_t unit = next_free(builder, builder->first_tried);
    unsigned attempts = 0;
    for (; unit < unit_count(builder) && attempts < MAX_ATTEMPTS; attempts++) {
        *base = unit ^ children->labels[0];
        if (fits(builder, *base, children))
            return STATUS_OK;
        unit = next_free(builder, unit + 1);
    }
    uint32_t fresh = unit_count(builder);
    enum status status = add_block(builder, error);
    if (status != STATUS_OK)
        return status;
    if (attempts == MAX_ATTEMPTS && builder->first_tried + UNITS_PER_BLOCK <= fresh)
        builder->first_tried += UNITS_PER_BLOCK; /* so crowded a block is left as it is */
    *base = fresh;
    return STATUS_OK;
}

static void collect_children(const struct trie_key *keys, const struct pending *pending,
                             struct children *children) {
    children->count = 0;
    for (uint32_t i = pending->first; i < pending->last; i++) {
        if (keys[i].bytes.size == pending->depth)
            continue; /* only the first can end here: its value is already stored */
        unsigned char label = keys[i].bytes.data[pending->depth];
        if (children->count == 0 || children->labels[children->count - 1] != label) {
            children->labels[children->count] = label;
            children->starts[children->count++] = i;
        }
    }
    children->starts[children->count] = pending->last;
}

static enum status place_children(struct trie_builder *builder, const struct trie_key *keys,
                                  const struct pending *pending, const struct children *children,
                                  uint32_t base, struct error *error) {
    uint64_t *units = units_of(builder);
    builder->bases.data[base] = 1;
    if (pending->node != ROOT_NODE)
        units[pending->node] |= (uint64_t)base << TRIE_BASE_SHIFT;
    for (unsigned i = 0; i < children->count; i++) {
        uint32_t unit = base ^ children->labels[i];
        const struct trie_key *first = &keys[children->starts[i]];
        uint32_t depth = pending->depth + 1;
        units[unit] = TRIE_TAKEN | children->labels[i];
        take(builder, unit);
        if (first->bytes.size == depth)
            units[unit] |= (uint64_t)(first->value + 1) << TRIE_VALUE_SHIFT;
        struct pending next = {unit, children->starts[i], children->starts[i + 1], depth};
        enum status status = buffer_append(&builder->queue, &next, sizeof next, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status trie_builder_add(struct trie_builder *builder, const struct trie_key *keys, size_t count,
                             uint32_t *root, struct error *error) {
    *root = 0;
    enum status status = STATUS_OK;
    if (builder->units.size == 0) {
        status = add_block(builder, error);
        builder->first_tried = UNITS_PER_BLOCK;
    }
    if (status != STATUS_OK || count == 0)
        return status;
    if (count > UINT32_MAX - 1)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%zu keys are too many for a trie", count);
    struct pending start = {ROOT_NODE, 0, (uint32_t)count, 0};
    builder->queue.size = 0;
    status = buffer_append(&builder->queue, &start, sizeof start, error);
    while (status == STATUS_OK && builder->queue.size != 0) {
        /* Depth first, last child first: a key's nodes come to lie near each other. */
        struct pending pending;
        builder->queue.size -= sizeof pending;
        memcpy(&pending, builder->queue.data + builder->queue.size, sizeof pending);
        struct children children;
        collect_children(keys, &pending, &children);
        if (children.count == 0)
            continue;
        uint32_t base = 0;
        status = find_base(builder, &children, &base, error);
        if (status == STATUS_OK)
            status = place_children(builder, keys, &pending, &children, base, error);
        if (pending.node == ROOT_NODE)
            *root = base;
    }
    return status;
}

void trie_builder_free(struct trie_builder *builder) {
    buffer_free(&builder->units);
    buffer_free(&builder->bases);
    buffer_free(&builder->queue);
    buffer_free(&builder->free);
    *builder = (struct trie_builder){0};
}

int trie_key_compare(const void *left, const void *right) {
    const struct trie_key *a = left, *b = right;
    size_t shorter = a->bytes.size < b->bytes.size ? a->bytes.size : b->bytes.size;
    int order = shorter == 0 ? 0 : memcmp(a->bytes.data, b->bytes.data, shorter);
    if (order == 0)
        order = (a->bytes.size > b->bytes.size) - (a->bytes.size < b->bytes.size);
    return order != 0 ? order : (a->value > b->value) - (a->value < b->value);
}
