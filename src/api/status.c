#include "api/api.h"

#include <assert.h>
#include <string.h>

#ifndef RESCOLDO_VERSION
#error "RESCOLDO_VERSION is set by the Makefile"
#endif

#define SAME_STATUS(name)                                                                                    \
    static_assert((int)RESCOLDO_STATUS_##name == (int)STATUS_##name,                                         \
                  "the public status values are the engine's")
SAME_STATUS(OK);
SAME_STATUS(INVALID_ARGUMENT);
SAME_STATUS(INVALID_DATA);
SAME_STATUS(UNSUPPORTED);
SAME_STATUS(NOT_FOUND);
SAME_STATUS(LIMIT_EXCEEDED);
SAME_STATUS(OUT_OF_MEMORY);
SAME_STATUS(INPUT_OUTPUT);
SAME_STATUS(CANCELLED);
SAME_STATUS(DEADLINE_EXCEEDED);
SAME_STATUS(INTERNAL);

static_assert(sizeof((struct rescoldo_error *)0)->message == sizeof((struct error *)0)->message,
              "a message fits the caller's error");

const char *rescoldo_version(void) {
    return RESCOLDO_VERSION;
}

const char *rescoldo_status_name(enum rescoldo_status status) {
    return status_name((enum status)status);
}

enum rescoldo_status api_report(enum status status, const struct error *error,
                                struct rescoldo_error *reported) {
    if (status != STATUS_OK && reported != NULL) {
        reported->status = (enum rescoldo_status)status;
        memcpy(reported->message, error->message, sizeof reported->message);
    }
    return (enum rescoldo_status)status;
}
