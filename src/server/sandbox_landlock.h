/* The Landlock layer (landlock(7)): every right over files, TCP and other processes is claimed, and no
 * exception is made. By system calls of our own: libc has none. */
#ifndef RESCOLDO_SERVER_SANDBOX_LANDLOCK_H
#define RESCOLDO_SERVER_SANDBOX_LANDLOCK_H

#include "base/compiler.h"
#include "base/status.h"

/* The version of the kernel's Landlock, or 0 where it has none or it is turned off; *reason is then an
 * errno. */
int sandbox_landlock_abi(int *reason);

/* For the calling thread and those it starts; needs no_new_privs. */
MUST_CHECK enum status sandbox_landlock_apply(int abi, struct error *error);

#endif
