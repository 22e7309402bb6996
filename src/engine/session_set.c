#include "engine/session_set.h"

static size_t largest_arena(const struct model_list *models, const struct session_options *options) {
    size_t largest = 0;
    for (size_t i = 0; i < models->count; i++) {
        size_t size = session_arena_size(models->models[i], options);
        largest = size > largest ? size : largest;
    }
    return largest;
}

enum status session_set_create(const struct model_list *models, uint32_t max_batch_tokens,
                               struct session_set *set, struct error *error) {
    *set = (struct session_set){0};
    const struct session_options options = {.max_batch_tokens = max_batch_tokens, .arena = &set->arena};
    enum status status = arena_create(&set->arena, largest_arena(models, &options), error);
    while (status == STATUS_OK && set->count < models->count) {
        status = session_create(models->models[set->count], &options, &set->sessions[set->count], error);
        if (status == STATUS_OK)
            set->count++;
    }
    if (status != STATUS_OK)
        session_set_destroy(set);
    return status;
}

void session_set_destroy(struct session_set *set) {
    for (size_t i = 0; i < set->count; i++)
        session_destroy(set->sessions[i]);
    arena_destroy(&set->arena);
    *set = (struct session_set){0};
}

size_t session_set_memory(const struct session_set *set) {
    size_t size = set->arena.size;
    for (size_t i = 0; i < set->count; i++)
        size += session_memory(set->sessions[i]);
    return size;
}
