/* Stands in for libc's user database in the static program (the linker's --wrap: ld(1)). libuv asks it in
 * uv_os_homedir and uv_os_get_group, which rescoldo never calls, but which share an object file with its
 * event loop; the real functions would draw the name service switch of libc, and shared libraries at run
 * time, into a static binary. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

int __wrap_getpwuid_r(uid_t user, struct passwd *entry, char *strings, size_t strings_size,
                      struct passwd **result);
int __wrap_getgrgid_r(gid_t group, struct group *entry, char *strings, size_t strings_size,
                      struct group **result);

int __wrap_getpwuid_r(uid_t user, struct passwd *entry, char *strings, size_t strings_size,
                      struct passwd **result) {
    (void)user;
    (void)entry;
    (void)strings;
    (void)strings_size;
    *result = NULL;
    return ENOSYS;
}

int __wrap_getgrgid_r(gid_t group, struct group *entry, char *strings, size_t strings_size,
                      struct group **result) {
    (void)group;
    (void)entry;
    (void)strings;
    (void)strings_size;
    *result = NULL;
    return ENOSYS;
}
