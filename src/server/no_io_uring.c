/* Stands before libc's syscall in the static program (the linker's --wrap: ld(1)). From version 1.45 on libuv
 * hands some of its work to an io_uring(7), for which it has no setting. A ring can do whatever the system
 * calls can, and no seccomp filter sees it; so there is none, as on a kernel that lacks it, and libuv makes
 * system calls. */
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_ARGUMENTS 6

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...) {
    if (number == SYS_io_uring_setup) {
        errno = ENOSYS;
        return -1;
    }
    /* How many there are is known to the kernel alone; libc's own syscall takes all six too. */
    long given[MAX_ARGUMENTS];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < MAX_ARGUMENTS; i++)
        given[i] = va_arg(arguments, long);
    va_end(arguments);
    return __real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
