#include "tokenizer/tokenizer.h"

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* The reference's rule: not one token after the other, but in three steps. */
static void keep_longest_first(size_t shorter, size_t longer, size_t room, size_t *shorter_kept,
                               size_t *longer_kept) {
    longer = shorter > room ? shorter : larger(shorter, room - shorter);
    if (shorter + longer > room) {
        shorter = room / 2;
        longer = room - shorter;
    }
    *shorter_kept = shorter;
    *longer_kept = longer;
}

/* One side alone gives way; it must keep at least one token, unless there is no room for any. */
static enum status keep_other(size_t count, size_t other_count, size_t room, size_t *kept,
                              struct error *error) {
    if (other_count >= room && room != 0)
        return error_set(error, STATUS_LIMIT_EXCEEDED,
                         "the other text's %zu tokens leave no room for a text of %zu in %zu", other_count,
                         count, room);
    *kept = room - other_count;
    return STATUS_OK;
}

enum status truncate_pair(size_t first_count, size_t second_count, size_t max_length,
                          enum truncation truncation, size_t *first_kept, size_t *second_kept,
                          struct error *error) {
    if (max_length < TOKENIZER_SPECIAL_PAIR)
        return error_set(error, STATUS_INVALID_ARGUMENT, "max_length is %zu, a pair needs at least %u",
                         max_length, TOKENIZER_SPECIAL_PAIR);
    size_t room = max_length - TOKENIZER_SPECIAL_PAIR;
    *first_kept = first_count;
    *second_kept = second_count;
    if (first_count <= room && second_count <= room - first_count)
        return STATUS_OK;
    if (truncation == TRUNCATION_NONE)
        return error_set(error, STATUS_LIMIT_EXCEEDED,
                         "%zu and %zu tokens with %u special tokens are more than max_length %zu",
                         first_count, second_count, TOKENIZER_SPECIAL_PAIR, max_length);
    if (room == 0) {
        *first_kept = *second_kept = 0;
        return STATUS_OK;
    }
    if (truncation == TRUNCATION_ONLY_FIRST)
        return keep_other(first_count, second_count, room, first_kept, error);
    if (truncation == TRUNCATION_ONLY_SECOND)
        return keep_other(second_count, first_count, room, second_kept, error);
    if (first_count <= second_count)
        keep_longest_first(first_count, second_count, room, first_kept, second_kept);
    else
        keep_longest_first(second_count, first_count, room, second_kept, first_kept);
    return STATUS_OK;
}

size_t pair_max_tokens(size_t first_count, size_t max_length) {
    size_t room = max_length < TOKENIZER_SPECIAL_PAIR ? 0 : max_length - TOKENIZER_SPECIAL_PAIR;
    /* Which of two texts is the longer matters also when neither fits; how much longer does not. */
    return larger(room, first_count) + 1;
}

static size_t copy_ids(const int32_t *source, size_t count, int32_t *target) {
    if (count != 0)
        memcpy(target, source, count * sizeof *source);
    return count;
}

size_t build_prompted(const struct tokenizer *tokenizer, const int32_t *prompt, size_t prompt_count,
                      const int32_t *first, size_t first_count, int32_t *ids) {
    size_t written = 0;
    ids[written++] = (int32_t)tokenizer->classify_id;
    written += copy_ids(prompt, prompt_count, ids + written);
    written += copy_ids(first, first_count, ids + written);
    ids[written++] = (int32_t)tokenizer->separator_id;
    return written;
}

size_t build_single(const struct tokenizer *tokenizer, const int32_t *first, size_t first_count,
                    int32_t *ids) {
    return build_prompted(tokenizer, NULL, 0, first, first_count, ids);
}

size_t build_pair(const struct tokenizer *tokenizer, const int32_t *first, size_t first_count,
                  const int32_t *second, size_t second_count, int32_t *ids) {
    size_t written = build_single(tokenizer, first, first_count, ids);
    written += copy_ids(second, second_count, ids + written);
    ids[written++] = (int32_t)tokenizer->separator_id;
    return written;
}
