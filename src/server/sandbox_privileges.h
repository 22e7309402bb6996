/* The layers that are single settings of the process: who it is, what it may become, its limits. */
#ifndef RESCOLDO_SERVER_SANDBOX_PRIVILEGES_H
#define RESCOLDO_SERVER_SANDBOX_PRIVILEGES_H

#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Of the calling thread and those it starts. Together, in this order; user and group as in
 * struct sandbox_options. */
MUST_CHECK enum status sandbox_forbid_new_privileges(struct error *error);
MUST_CHECK enum status sandbox_drop_privileges(uint32_t user, uint32_t group, struct error *error);

/* Of the process. No more threads can be started afterwards. */
MUST_CHECK enum status sandbox_set_limits(struct error *error);
MUST_CHECK enum status sandbox_forbid_dumps(struct error *error);
/* False where the kernel has no such setting. */
bool sandbox_forbid_executable_memory(void);

#endif
