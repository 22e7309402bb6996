/* Stands in for functions of libc in the static program (the linker's --wrap: ld(1)). libuv reads /proc with
 * scanf in uv_cpu_info and its like, and asks pathconf, which reads the mount table with it, in
 * uv_fs_realpath; rescoldo never calls those, but they share object files with its event loop. The real ones
 * would draw in 110 KB of number formats. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int __wrap_fscanf(FILE *stream, const char *format, ...);
int __wrap_sscanf(const char *text, const char *format, ...);
long __wrap_pathconf(const char *path, int name);

int __wrap_fscanf(FILE *stream, const char *format, ...) {
    (void)stream;
    (void)format;
    return EOF;
}

int __wrap_sscanf(const char *text, const char *format, ...) {
    (void)text;
    (void)format;
    return EOF;
}

long __wrap_pathconf(const char *path, int name) {
    (void)path;
    (void)name;
    errno = ENOSYS;
    return -1;
}
