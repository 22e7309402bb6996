/* The system calls that a sealed server may make, each with its reason: the one list, from which the filter
 * is built and with which docs/sandbox.md is compared. */
#ifndef RESCOLDO_SERVER_SANDBOX_CALLS_H
#define RESCOLDO_SERVER_SANDBOX_CALLS_H

#include <stddef.h>
#include <stdint.h>

#define SANDBOX_MAX_CONDITIONS 3u

enum sandbox_comparison {
    ANYTHING = 0,
    EQUAL,       /* argument == value */
    HAS,         /* every bit of value is set in the argument */
    HAS_NOT,     /* no bit of value is set in the argument */
    OWN_PROCESS, /* argument == getpid() at the time of sealing */
};

struct sandbox_condition {
    enum sandbox_comparison comparison;
    unsigned argument; /* from 0 */
    uint64_t value;
};

struct sandbox_call {
    int number; /* negative where this machine has no such call (seccomp_syscall_resolve_name(3)) */
    const char *name;
    const char *reason;
    const char *arguments; /* the conditions in words, or NULL */
    int refused_with;      /* 0: permitted; else the call is not made and gives this errno */
    struct sandbox_condition conditions[SANDBOX_MAX_CONDITIONS]; /* all must hold */
};

extern const struct sandbox_call sandbox_calls[];
extern const size_t sandbox_call_count;

#endif
