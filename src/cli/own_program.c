#include "cli/own_program.h"

#include "formats/packed_program.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <unistd.h>

static int open_own_program(const char **path) {
    *path = "/proc/self/exe";
    int descriptor = open(*path, O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0)
        return descriptor;
    /* getauxval(3): the kernel left the name there, in memory that stays. */
    *path = (const char *)getauxval(AT_EXECFN);
    return *path == NULL ? -1 : open(*path, O_RDONLY | O_CLOEXEC);
}

const char *own_program_path(void) {
    const char *path;
    int descriptor = open_own_program(&path);
    if (descriptor < 0)
        return NULL;
    close(descriptor);
    return path;
}

const char *own_program_packed(void) {
    const char *path;
    int descriptor = open_own_program(&path);
    bool packed = descriptor >= 0 && packed_program_is(descriptor);
    if (descriptor >= 0)
        close(descriptor);
    return packed ? path : NULL;
}
