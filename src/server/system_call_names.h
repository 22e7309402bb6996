/* The names of this machine's system calls, as the compiler's asm/unistd.h has them. */
#ifndef RESCOLDO_SERVER_SYSTEM_CALL_NAMES_H
#define RESCOLDO_SERVER_SYSTEM_CALL_NAMES_H

/* "openat", or "unknown". Safe in a signal's handler. */
const char *system_call_name(int number);

/* -1 when there is none of that name. */
int system_call_number(const char *name);

#endif
