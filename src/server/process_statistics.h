/* What the kernel counts for this process (proc(5), /proc/PID/stat), through a descriptor opened at start. */
#ifndef RESCOLDO_SERVER_PROCESS_STATISTICS_H
#define RESCOLDO_SERVER_PROCESS_STATISTICS_H

#include <stdint.h>

struct process_statistics {
    uint64_t resident_bytes, virtual_bytes;
    double cpu_seconds;
};

/* A descriptor to read from, or -1 where /proc is not there. */
int process_statistics_open(void);
void process_statistics_close(int descriptor);

/* All zero when the descriptor is -1 or can't be read. */
struct process_statistics process_statistics_read(int descriptor);

#endif
