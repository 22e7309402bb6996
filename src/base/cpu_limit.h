/* How many CPUs this process may use: what the scheduling affinity allows, and no more than the CPU quota of
 * its control group or of any above it (cpu.max of cgroup v2, cpu.cfs_quota_us of v1; Linux's
 * Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst). */
#ifndef RESCOLDO_BASE_CPU_LIMIT_H
#define RESCOLDO_BASE_CPU_LIMIT_H

/* Whole CPUs that the quota grants, at least 1; 0: no quota. root: "" for this machine, or a directory with
 * proc/self/cgroup and sys/fs/cgroup in it. What cannot be read sets no limit. */
unsigned cpu_quota(const char *root);

/* The smaller of the quota and the affinity, at least 1. */
unsigned cpu_limit(void);

#endif
