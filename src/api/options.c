#include "api/api.h"
#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum status api_check_size(size_t size, size_t oldest_size, const char *name, struct error *error) {
    return size >= oldest_size && size <= API_MAX_SIZE
               ? STATUS_OK
               : error_set(error, STATUS_INVALID_ARGUMENT,
                           "size of %s is %zu, expected its sizeof, which is at least %zu", name, size,
                           oldest_size);
}

enum status api_copy_options(const void *given, const char *name, size_t oldest_size, size_t known_size,
                             void *copy, struct error *error) {
    memset(copy, 0, known_size);
    if (given == NULL)
        return STATUS_OK;
    size_t size;
    memcpy(&size, given, sizeof size);
    enum status status = api_check_size(size, oldest_size, name, error);
    if (status != STATUS_OK)
        return status;
    const unsigned char *bytes = given;
    for (size_t i = known_size; i < size; i++)
        if (bytes[i] != 0)
            return error_set(error, STATUS_UNSUPPORTED,
                             "%s sets a member at byte %zu; rescoldo %s has only %zu bytes of it", name, i,
                             rescoldo_version(), known_size);
    memcpy(copy, given, size < known_size ? size : known_size);
    return STATUS_OK;
}

enum status api_check_value(uint32_t value, uint32_t last, const char *name, struct error *error) {
    return value <= last ? STATUS_OK
                         : error_set(error, STATUS_INVALID_ARGUMENT, "%s is %u, expected 0 to %u", name,
                                     (unsigned)value, (unsigned)last);
}

static_assert((int)RESCOLDO_PROMPT_NONE == (int)PROMPT_NONE &&
                  (int)RESCOLDO_PROMPT_QUERY == (int)PROMPT_QUERY &&
                  (int)RESCOLDO_PROMPT_PASSAGE == (int)PROMPT_PASSAGE,
              "the public prompts are the engine's");

enum status api_call_options(const struct rescoldo_call_options *given, struct rescoldo_call_options *copy,
                             struct call_options *options, struct error *error) {
    static const enum truncation truncations[] = {
        [RESCOLDO_TRUNCATION_LONGEST_FIRST] = TRUNCATION_LONGEST_FIRST,
        [RESCOLDO_TRUNCATION_ONLY_PASSAGE] = TRUNCATION_ONLY_SECOND,
        [RESCOLDO_TRUNCATION_NONE] = TRUNCATION_NONE,
        [RESCOLDO_TRUNCATION_WINDOWS] = TRUNCATION_LONGEST_FIRST,
    };
    enum status status = api_copy_options(given, "struct rescoldo_call_options",
                                          offsetof(struct rescoldo_call_options, truncation_direction),
                                          sizeof *copy, copy, error);
    if (status == STATUS_OK)
        status = api_check_value(copy->truncation, RESCOLDO_TRUNCATION_WINDOWS, "truncation", error);
    if (status == STATUS_OK)
        status = api_check_value(copy->order, RESCOLDO_ORDER_GIVEN, "order", error);
    if (status == STATUS_OK)
        status = api_check_value(copy->truncation_direction, RESCOLDO_TRUNCATION_LEFT, "truncation_direction",
                                 error);
    if (status == STATUS_OK)
        status = api_check_value(copy->prompt, RESCOLDO_PROMPT_PASSAGE, "prompt", error);
    if (status != STATUS_OK)
        return status;
    *options = (struct call_options){
        .max_length = copy->max_length,
        .truncation = truncations[copy->truncation],
        .truncation_direction =
            copy->truncation_direction == RESCOLDO_TRUNCATION_LEFT ? TRUNCATION_LEFT : TRUNCATION_RIGHT,
        .prompt = (enum prompt)copy->prompt,
        .max_passage_tokens = copy->max_passage_tokens,
        .max_windows = copy->max_windows,
        .windows = copy->truncation == RESCOLDO_TRUNCATION_WINDOWS,
        .window_stride = copy->window_stride,
        .cancel = api_cancel(copy->cancel),
        .deadline_nanoseconds = copy->deadline_nanoseconds,
    };
    return STATUS_OK;
}

const atomic_bool *api_cancel(const struct rescoldo_cancel_flag *flag) {
    return flag != NULL ? &flag->set : NULL;
}

struct rescoldo_cancel_flag *rescoldo_cancel_flag_create(void) {
    struct rescoldo_cancel_flag *flag = malloc(sizeof *flag);
    if (flag != NULL)
        atomic_init(&flag->set, false);
    return flag;
}

void rescoldo_cancel_flag_destroy(struct rescoldo_cancel_flag *flag) {
    free(flag);
}

void rescoldo_cancel_flag_set(struct rescoldo_cancel_flag *flag) {
    if (flag != NULL)
        atomic_store(&flag->set, true);
}

void rescoldo_cancel_flag_clear(struct rescoldo_cancel_flag *flag) {
    if (flag != NULL)
        atomic_store(&flag->set, false);
}

int rescoldo_cancel_flag_is_set(const struct rescoldo_cancel_flag *flag) {
    return flag != NULL && atomic_load(&flag->set);
}

uint64_t rescoldo_clock_nanoseconds(void) {
    return clock_nanoseconds();
}
