/* How much memory this process may use: the least limit of its control group and all above it (memory.max of
 * cgroup v2, memory.limit_in_bytes of v1; Linux's Documentation/admin-guide/cgroup-v2.rst and
 * cgroup-v1/memory.rst). */
#ifndef RESCOLDO_BASE_MEMORY_LIMIT_H
#define RESCOLDO_BASE_MEMORY_LIMIT_H

#include <stdint.h>

/* Bytes; 0: no limit. root: "" for this machine, or a directory with proc/self/cgroup and sys/fs/cgroup in
 * it. What cannot be read sets no limit. */
uint64_t memory_limit(const char *root);

#endif
