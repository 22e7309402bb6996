/* Stands in for two functions of libc in the static program (the linker's --wrap: ld(1)). libuv reads /proc
 * with them in uv_cpu_info and its like, which rescoldo never calls, but which share an object file with its
 * event loop; the real ones would draw in 80 KB of number formats. */
#include <stdio.h>

int __wrap_fscanf(FILE *stream, const char *format, ...);
int __wrap_sscanf(const char *text, const char *format, ...);

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
