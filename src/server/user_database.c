/* Stands in for getpwuid_r in the static program (the linker's --wrap: ld(1)). libuv asks for a user's home
 * directory in uv_os_homedir, which rescoldo never calls, but which shares an object file with its event
 * loop; the real one would draw the name service switch of libc, and shared libraries at run time, into a
 * static binary. */
#include <errno.h>
#include <pwd.h>
#include <stddef.h>

int __wrap_getpwuid_r(uid_t user, struct passwd *entry, char *strings, size_t strings_size,
                      struct passwd **result);

int __wrap_getpwuid_r(uid_t user, struct passwd *entry, char *strings, size_t strings_size,
                      struct passwd **result) {
    (void)user;
    (void)entry;
    (void)strings;
    (void)strings_size;
    *result = NULL;
    return ENOSYS;
}
