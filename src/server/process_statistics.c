#include "server/process_statistics.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int process_statistics_open(void) {
    return open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
}

void process_statistics_close(int descriptor) {
    if (descriptor >= 0)
        close(descriptor);
}

/* The field of that number, in the text from the end of the second field on. */
static bool read_field(const char *rest, int number, uint64_t *value) {
    for (int field = 2; field < number && rest != NULL; field++) {
        rest = strchr(rest, ' ');
        rest = rest == NULL ? NULL : rest + 1;
    }
    if (rest == NULL || *rest < '0' || *rest > '9')
        return false;
    *value = strtoull(rest, NULL, 10);
    return true;
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
    if (rest == NULL || !read_field(rest, 14, &user) || !read_field(rest, 15, &system) ||
        !read_field(rest, 23, &virtual_bytes) || !read_field(rest, 24, &resident_pages))
        return statistics;
    statistics.cpu_seconds = (double)(user + system) / (double)ticks;
    statistics.virtual_bytes = virtual_bytes;
    statistics.resident_bytes = resident_pages * (uint64_t)page;
    return statistics;
}
