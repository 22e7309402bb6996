/* Stands in for functions inside libseccomp in the static program (the linker's --wrap: ld(1)). Theirs carry
 * the names of every machine's system calls, 60 to 100 KB, to translate rules from one machine to another; a
 * filter here is for the machine that it runs on, whose names the program has. The library itself asks for
 * the number of "seccomp". */
#include "server/system_call_names.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>

int __wrap_syscall_resolve_name(const char *name, int machine);
const char *__wrap_syscall_resolve_num(int number, int machine);
const void *__wrap_syscall_iterate(unsigned place);
/* From version 2.6 on: since which kernel there is the call, asked when a filter is made for a known kernel.
 */
int __wrap_syscall_resolve_name_kver(const char *name, int kernels);
int __wrap_syscall_resolve_num_kver(int number, int machine, int kernels);
/* Prints a filter. */
int __wrap_gen_pfc_generate(const void *filter, int descriptor);

int __wrap_syscall_resolve_name(const char *name, int machine) {
    (void)machine;
    int number = system_call_number(name);
    return number < 0 ? __NR_SCMP_ERROR : number;
}

const char *__wrap_syscall_resolve_num(int number, int machine) {
    (void)machine;
    const char *name = system_call_name(number);
    return system_call_number(name) == number ? name : NULL;
}

const void *__wrap_syscall_iterate(unsigned place) {
    (void)place;
    return NULL;
}

int __wrap_syscall_resolve_name_kver(const char *name, int kernels) {
    (void)name;
    (void)kernels;
    return 0;
}

int __wrap_syscall_resolve_num_kver(int number, int machine, int kernels) {
    (void)number;
    (void)machine;
    (void)kernels;
    return 0;
}

int __wrap_gen_pfc_generate(const void *filter, int descriptor) {
    (void)filter;
    (void)descriptor;
    return -ENOSYS;
}
