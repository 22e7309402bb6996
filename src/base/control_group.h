/* Reads a limit of this process's control group (cgroups(7)): the least one of the group and of all above it.
 */
#ifndef RESCOLDO_BASE_CONTROL_GROUP_H
#define RESCOLDO_BASE_CONTROL_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The limit that a group's directory sets; 0: none. */
typedef uint64_t control_group_limit(const char *directory);

/* controller: as /proc/self/cgroup names it, "cpu". root: "" for this machine, or a directory with
 * proc/self/cgroup and sys/fs/cgroup in it. What cannot be read sets no limit. 0: none. */
uint64_t control_group_least(const char *root, const char *controller, control_group_limit *of_v1,
                             control_group_limit *of_v2);

/* The first bytes of DIRECTORY/NAME as a string; false when it cannot be read. */
bool control_group_read(const char *directory, const char *name, char *text, size_t size);

/* The smaller limit, where 0 is none. */
uint64_t smaller_limit(uint64_t a, uint64_t b);

#endif
