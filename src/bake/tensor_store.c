#include "bake/tensor_store.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define READ_SIZE ((size_t)64 << 10)

void tensor_store_next_model(struct tensor_store *store) {
    store->earlier = store->count;
    store->shared_bytes = 0;
}

enum status tensor_store_begin(struct tensor_store *store, uint64_t *offset, struct error *error) {
    enum status status = ember_writer_mark(store->ember, error);
    if (status == STATUS_OK)
        status = ember_writer_align(store->ember, error);
    *offset = ember_writer_position(store->ember);
    return status;
}

static enum status read_back(const struct tensor_store *store, uint64_t offset, void *data, size_t size,
                             struct error *error) {
    const struct ember_writer *ember = store->ember;
    return file_writer_read_at(ember->file, ember->section_start + offset, data, size, error);
}

static enum status hash_place(const struct tensor_store *store, struct tensor_place *place,
                              struct error *error) {
    unsigned char data[READ_SIZE];
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL || XXH3_64bits_reset(state) != XXH_OK) {
        (void)XXH3_freeState(state);
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to compare tensors");
    }
    enum status status = STATUS_OK;
    for (uint64_t done = 0; status == STATUS_OK && done < place->size; done += READ_SIZE) {
        size_t size = place->size - done < READ_SIZE ? (size_t)(place->size - done) : READ_SIZE;
        status = read_back(store, place->offset + done, data, size, error);
        if (status == STATUS_OK)
            (void)XXH3_64bits_update(state, data, size);
    }
    place->hash = XXH3_64bits_digest(state);
    (void)XXH3_freeState(state);
    return status;
}

static enum status compare_places(const struct tensor_store *store, const struct tensor_place *a,
                                  const struct tensor_place *b, bool *equal, struct error *error) {
    unsigned char left[READ_SIZE / 2], right[READ_SIZE / 2];
    *equal = a->size == b->size && a->hash == b->hash;
    enum status status = STATUS_OK;
    for (uint64_t done = 0; status == STATUS_OK && *equal && done < a->size; done += sizeof left) {
        size_t size = a->size - done < sizeof left ? (size_t)(a->size - done) : sizeof left;
        status = read_back(store, a->offset + done, left, size, error);
        if (status == STATUS_OK)
            status = read_back(store, b->offset + done, right, size, error);
        *equal = status == STATUS_OK && memcmp(left, right, size) == 0;
    }
    return status;
}

static enum status add_place(struct tensor_store *store, const struct tensor_place *place,
                             struct error *error) {
    if (store->count == store->capacity) {
        size_t capacity = store->capacity == 0 ? 256 : 2 * store->capacity;
        struct tensor_place *places = realloc(store->places, capacity * sizeof *places);
        if (places == NULL)
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to list tensors");
        store->places = places;
        store->capacity = capacity;
    }
    store->places[store->count++] = *place;
    return STATUS_OK;
}

enum status tensor_store_end(struct tensor_store *store, uint64_t *offset, uint64_t *size,
                             struct error *error) {
    struct tensor_place place = {.offset = *offset, .size = ember_writer_position(store->ember) - *offset};
    *size = place.size;
    if (!store->shared)
        return STATUS_OK;
    enum status status = hash_place(store, &place, error);
    for (size_t i = 0; status == STATUS_OK && i < store->earlier; i++) {
        bool equal;
        status = compare_places(store, &store->places[i], &place, &equal, error);
        if (status == STATUS_OK && equal) {
            *offset = store->places[i].offset;
            store->shared_bytes += place.size;
            return ember_writer_rewind(store->ember, error);
        }
    }
    return status == STATUS_OK ? add_place(store, &place, error) : status;
}

void tensor_store_free(struct tensor_store *store) {
    free(store->places);
    *store = (struct tensor_store){0};
}
