#include "base/cpu_limit.h"

#include "base/control_group.h"

#include <sched.h>
#include <stdlib.h>

static bool read_number(const char *directory, const char *name, long long *number) {
    char text[64], *end;
    if (!control_group_read(directory, name, text, sizeof text))
        return false;
    *number = strtoll(text, &end, 10);
    return end != text;
}

static uint64_t whole_cpus(long long quota, long long period) {
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = quota / period;
    return cpus < 1 ? 1 : cpus > 65536 ? 65536 : (uint64_t)cpus;
}

/* cpu.max holds "QUOTA PERIOD" or "max PERIOD". */
static uint64_t quota_v2(const char *directory) {
    char text[64], *between, *end;
    if (!control_group_read(directory, "cpu.max", text, sizeof text))
        return 0;
    long long quota = strtoll(text, &between, 10);
    long long period = strtoll(between, &end, 10);
    return between == text || end == between ? 0 : whole_cpus(quota, period);
}

static uint64_t quota_v1(const char *directory) {
    long long quota, period;
    if (!read_number(directory, "cpu.cfs_quota_us", &quota) ||
        !read_number(directory, "cpu.cfs_period_us", &period))
        return 0;
    return whole_cpus(quota, period);
}

unsigned cpu_quota(const char *root) {
    return (unsigned)control_group_least(root, "cpu", quota_v1, quota_v2);
}

unsigned cpu_limit(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    unsigned affinity = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
    uint64_t limit = smaller_limit(cpu_quota(""), affinity);
    return limit == 0 ? 1 : (unsigned)limit;
}
