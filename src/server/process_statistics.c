#include "server/process_statistics.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int process_statistics_open(void) {
    return open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
}

void process_statistics_close(int descriptor) {
    if (descriptor >= 0)
        close(descriptor);
}

struct process_statistics process_statistics_read(int descriptor) {
    struct process_statistics statistics = {0};
    char text[1024];
    ssize_t size = descriptor < 0 ? -1 : pread(descriptor, text, sizeof text - 1, 0);
    long ticks = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    if (size <= 0 || ticks <= 0 || page <= 0)
        return statistics;
    text[size] = '\0';
    /* The second field is the program's name in brackets, which may hold spaces. Fields 14 and 15 are the
     * user and system time in ticks, 23 the virtual size in bytes, 24 the resident size in pages. */
    const char *rest = strrchr(text, ')');
    uint64_t user, system, virtual_bytes, resident_pages;
    if (rest == NULL || sscanf(rest + 1,
                               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                               " %*d %*d %*d %*d %*d %*d %*u %" SCNu64 " %" SCNu64,
                               &user, &system, &virtual_bytes, &resident_pages) != 4)
        return statistics;
    statistics.cpu_seconds = (double)(user + system) / (double)ticks;
    statistics.virtual_bytes = virtual_bytes;
    statistics.resident_bytes = resident_pages * (uint64_t)page;
    return statistics;
}
