#include "base/cpu_limit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOUNT "/sys/fs/cgroup"

/* The file's first bytes as a string; false when it cannot be read. */
static bool read_text(const char *path, char *text, size_t size) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = descriptor < 0 ? -1 : read(descriptor, text, size - 1);
    if (descriptor >= 0)
        close(descriptor);
    text[count > 0 ? count : 0] = '\0';
    return count > 0;
}

static bool read_number(const char *directory, const char *name, long long *number) {
    char path[4096], text[64], *end;
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path ||
        !read_text(path, text, sizeof text))
        return false;
    *number = strtoll(text, &end, 10);
    return end != text;
}

static unsigned whole_cpus(long long quota, long long period) {
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = quota / period;
    return cpus < 1 ? 1 : cpus > 65536 ? 65536 : (unsigned)cpus;
}

/* cpu.max holds "QUOTA PERIOD" or "max PERIOD". */
static unsigned quota_v2(const char *directory) {
    char path[4096], text[64];
    long long quota, period;
    if (snprintf(path, sizeof path, "%s/cpu.max", directory) >= (int)sizeof path ||
        !read_text(path, text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2)
        return 0;
    return whole_cpus(quota, period);
}

static unsigned quota_v1(const char *directory) {
    long long quota, period;
    if (!read_number(directory, "cpu.cfs_quota_us", &quota) ||
        !read_number(directory, "cpu.cfs_period_us", &period))
        return 0;
    return whole_cpus(quota, period);
}

static unsigned smaller_limit(unsigned a, unsigned b) {
    if (a == 0 || b == 0)
        return a == 0 ? b : a;
    return a < b ? a : b;
}

/* The least quota of the group and all above it, up to the mount. Inside a container the group's path is
 * often that of the host and its directory is not there; the container's own group is then the mount. */
static unsigned quota_upwards(const char *root, const char *mount, const char *group,
                              unsigned (*quota_of)(const char *directory)) {
    char directory[2048];
    int mount_length = snprintf(directory, sizeof directory, "%s" MOUNT "%s", root, mount);
    if (mount_length < 0 || (size_t)mount_length >= sizeof directory ||
        (size_t)mount_length + strlen(group) >= sizeof directory)
        return 0;
    strcpy(directory + mount_length, group);
    unsigned limit = 0;
    for (;;) {
        limit = smaller_limit(limit, quota_of(directory));
        char *slash = strrchr(directory + mount_length, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

/* Does the list of controllers, "cpu,cpuacct", name cpu? */
static bool names_cpu(const char *controllers, size_t length) {
    while (length >= 3) {
        size_t name = strcspn(controllers, ",:");
        if (name == 3 && memcmp(controllers, "cpu", 3) == 0)
            return true;
        size_t step = name + 1 < length ? name + 1 : length;
        controllers += step;
        length -= step;
    }
    return false;
}

/* A line "ID:CONTROLLERS:PATH"; no controllers are those of v2. */
static unsigned quota_of_line(const char *root, const char *line) {
    const char *controllers = strchr(line, ':');
    const char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL)
        return 0;
    size_t length = (size_t)(path - controllers - 1);
    if (length == 0) /* where v1 and v2 are both mounted, v2 is in "unified" and has no cpu controller */
        return quota_upwards(root, "", path + 1, quota_v2);
    if (!names_cpu(controllers + 1, length))
        return 0;
    char mount[256];
    snprintf(mount, sizeof mount, "/%.*s", (int)(length < 200 ? length : 200), controllers + 1);
    return smaller_limit(quota_upwards(root, mount, path + 1, quota_v1),
                         quota_upwards(root, "/cpu", path + 1, quota_v1));
}

unsigned cpu_quota(const char *root) {
    char path[4096], text[8192], *rest = text;
    if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path ||
        !read_text(path, text, sizeof text))
        return 0;
    unsigned limit = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
        limit = smaller_limit(limit, quota_of_line(root, line));
    return limit;
}

unsigned cpu_limit(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    unsigned affinity = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
    unsigned limit = smaller_limit(cpu_quota(""), affinity);
    return limit == 0 ? 1 : limit;
}
