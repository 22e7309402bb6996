/* Who violates the sandbox dies, and says by which call. */
#ifndef RESCOLDO_SERVER_SANDBOX_VIOLATION_H
#define RESCOLDO_SERVER_SANDBOX_VIOLATION_H

#include "base/compiler.h"
#include "base/status.h"

/* From here on SIGSYS writes one JSON line to standard error,
 *
 *   {"level":"error","event":"sandbox_violation","system_call":"openat","number":257,"thread":1234}
 *
 * and the process dies by that signal: with the signal held back while its handler runs, making the forbidden
 * call once more leaves the kernel nothing but to kill (force_sig_info in kernel/signal.c). */
MUST_CHECK enum status sandbox_name_violations(struct error *error);

#endif
