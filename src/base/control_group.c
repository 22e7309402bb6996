#include "base/control_group.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOUNT "/sys/fs/cgroup"

bool control_group_read(const char *directory, const char *name, char *text, size_t size) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return false;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = descriptor < 0 ? -1 : read(descriptor, text, size - 1);
    if (descriptor >= 0)
        close(descriptor);
    text[count > 0 ? count : 0] = '\0';
    return count > 0;
}

uint64_t smaller_limit(uint64_t a, uint64_t b) {
    if (a == 0 || b == 0)
        return a == 0 ? b : a;
    return a < b ? a : b;
}

/* The least limit of the group and all above it, up to the mount. Inside a container the group's path is
 * often that of the host and its directory is not there; the container's own group is then the mount. */
static uint64_t least_upwards(const char *root, const char *mount, const char *group,
                              control_group_limit *limit_of) {
    char directory[2048];
    int mount_length = snprintf(directory, sizeof directory, "%s" MOUNT "%s", root, mount);
    if (mount_length < 0 || (size_t)mount_length >= sizeof directory ||
        (size_t)mount_length + strlen(group) >= sizeof directory)
        return 0;
    strcpy(directory + mount_length, group);
    uint64_t limit = 0;
    for (;;) {
        limit = smaller_limit(limit, limit_of(directory));
        char *slash = strrchr(directory + mount_length, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

/* Is the controller in the list, "cpu,cpuacct"? */
static bool is_named(const char *controller, const char *list, size_t length) {
    size_t wanted = strlen(controller);
    while (length >= wanted) {
        size_t name = strcspn(list, ",:");
        if (name == wanted && memcmp(list, controller, wanted) == 0)
            return true;
        size_t step = name + 1 < length ? name + 1 : length;
        list += step;
        length -= step;
    }
    return false;
}

/* A line "ID:CONTROLLERS:PATH"; no controllers are those of v2. */
static uint64_t least_of_line(const char *root, const char *controller, const char *line,
                              control_group_limit *of_v1, control_group_limit *of_v2) {
    const char *controllers = strchr(line, ':');
    const char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL)
        return 0;
    size_t length = (size_t)(path - controllers - 1);
    if (length == 0) /* where v1 and v2 are both mounted, v2 is in "unified" and has no such controller */
        return least_upwards(root, "", path + 1, of_v2);
    if (!is_named(controller, controllers + 1, length))
        return 0;
    char mount[256], alone[64];
    snprintf(mount, sizeof mount, "/%.*s", (int)(length < 200 ? length : 200), controllers + 1);
    snprintf(alone, sizeof alone, "/%s", controller);
    return smaller_limit(least_upwards(root, mount, path + 1, of_v1),
                         least_upwards(root, alone, path + 1, of_v1));
}

uint64_t control_group_least(const char *root, const char *controller, control_group_limit *of_v1,
                             control_group_limit *of_v2) {
    char directory[2048], text[8192], *rest = text;
    if (snprintf(directory, sizeof directory, "%s/proc/self", root) >= (int)sizeof directory ||
        !control_group_read(directory, "cgroup", text, sizeof text))
        return 0;
    uint64_t limit = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
        limit = smaller_limit(limit, least_of_line(root, controller, line, of_v1, of_v2));
    return limit;
}
