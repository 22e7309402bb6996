/* How the bake reports what it does and learns that it should stop. */
#ifndef RESCOLDO_BAKE_PROGRESS_H
#define RESCOLDO_BAKE_PROGRESS_H

#include "base/compiler.h"
#include "base/status.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct bake_progress {
    /* Called from time to time, from the thread that bakes; may be NULL. step is a phrase such as
     * "quantizing", done of total are its units (bytes or tensors); both 0 where the step has no measure. */
    void (*report)(void *user_data, const char *step, uint64_t done, uint64_t total);
    void *user_data;
    const atomic_bool *cancel; /* may be NULL */
};

static inline void progress_report(const struct bake_progress *progress, const char *step, uint64_t done,
                                   uint64_t total) {
    if (progress->report != NULL)
        progress->report(progress->user_data, step, done, total);
}

/* STATUS_CANCELLED once the caller's flag is set. */
MUST_CHECK static inline enum status progress_check(const struct bake_progress *progress,
                                                    struct error *error) {
    if (progress->cancel != NULL && atomic_load(progress->cancel))
        return error_set(error, STATUS_CANCELLED, "the bake was interrupted; nothing was written");
    return STATUS_OK;
}

#endif
