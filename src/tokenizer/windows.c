#include "tokenizer/windows.h"

size_t query_kept(size_t query_count, size_t max_length) {
    size_t room = max_length - TOKENIZER_SPECIAL_PAIR;
    return query_count < room ? query_count : room / 2;
}

enum status plan_windows(size_t query_count, size_t passage_count, size_t max_length, size_t stride,
                         struct window_plan *plan, struct error *error) {
    if (max_length < WINDOWS_MIN_LENGTH)
        return error_set(error, STATUS_INVALID_ARGUMENT, "max_length is %zu, windows need at least %u",
                         max_length, WINDOWS_MIN_LENGTH);
    *plan = (struct window_plan){.query_kept = query_kept(query_count, max_length),
                                 .passage_count = passage_count,
                                 .stride = stride,
                                 .count = 1};
    plan->room = max_length - TOKENIZER_SPECIAL_PAIR - plan->query_kept;
    if (stride >= plan->room)
        plan->stride = plan->room / 2;
    if (passage_count > plan->room) {
        size_t step = plan->room - plan->stride;
        plan->count += (passage_count - plan->room + step - 1) / step;
    }
    return STATUS_OK;
}

struct window window_at(const struct window_plan *plan, size_t index) {
    size_t first = index * (plan->room - plan->stride);
    size_t left = plan->passage_count - first;
    return (struct window){first, first + (left < plan->room ? left : plan->room)};
}

struct token_span window_span(const struct tokens *passage, struct window window) {
    if (window.first == window.end)
        return (struct token_span){0};
    struct token_span span = passage->spans[window.first];
    /* Offsets never go backwards from token to token, but tokens may share a character. */
    span.byte_end = passage->spans[window.end - 1].byte_end;
    span.character_end = passage->spans[window.end - 1].character_end;
    return span;
}
