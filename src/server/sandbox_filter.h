/* The seccomp layer: sandbox_calls.h as a filter in the kernel (seccomp(2), by libseccomp). */
#ifndef RESCOLDO_SERVER_SANDBOX_FILTER_H
#define RESCOLDO_SERVER_SANDBOX_FILTER_H

#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>

/* Puts the filter on every thread of the process. name_violations: a forbidden call raises SIGSYS in the
 * thread that makes it, for sandbox_violation.h to name it and die; else the kernel kills the process. */
MUST_CHECK enum status sandbox_filter_apply(bool name_violations, struct error *error);

#endif
