/* Stands in for functions of libc in the static program (the linker's --wrap: ld(1)) that share object files
 * with what is needed, and are never called:
 *  - scanf's, 110 KB of number formats: libuv reads /proc with it in uv_cpu_info and its like, and asks
 *    pathconf, which reads the mount table with it, in uv_fs_realpath;
 *  - printf to streams of wide characters, 28 KB: libc's messages go to such where stderr is one;
 *  - ttyname_r, 10 KB with the string functions that it alone needs, for terminals as streams of libuv. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include <wchar.h>

int __wrap_fscanf(FILE *stream, const char *format, ...);
int __wrap_sscanf(const char *text, const char *format, ...);
long __wrap_pathconf(const char *path, int name);
int __wrap___vfwprintf_internal(FILE *stream, const wchar_t *format, va_list arguments, unsigned mode);
int __wrap_ttyname_r(int descriptor, char *name, size_t size);

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

int __wrap___vfwprintf_internal(FILE *stream, const wchar_t *format, va_list arguments, unsigned mode) {
    (void)stream;
    (void)format;
    (void)arguments;
    (void)mode;
    return -1;
}

int __wrap_ttyname_r(int descriptor, char *name, size_t size) {
    (void)descriptor;
    (void)name;
    (void)size;
    return ENOSYS;
}
