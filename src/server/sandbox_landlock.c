#include "server/sandbox_landlock.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/landlock.h, whole: Debian 12's copy ends before networks and scopes. */
struct ruleset_attributes {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; /* ABI 4 */
    uint64_t scoped;             /* ABI 6 */
};

#define CREATE_RULESET_VERSION 1u
#define FS_RIGHTS_1            ((UINT64_C(1) << 13) - 1) /* execute to make_sym */
#define FS_RIGHT_REFER         (UINT64_C(1) << 13)       /* ABI 2 */
#define FS_RIGHT_TRUNCATE      (UINT64_C(1) << 14)       /* ABI 3 */
#define FS_RIGHT_IOCTL_DEVICE  (UINT64_C(1) << 15)       /* ABI 5 */
#define NET_RIGHTS             UINT64_C(3)               /* bind_tcp, connect_tcp */
#define SCOPES                 UINT64_C(3)               /* abstract_unix_socket, signal */

int sandbox_landlock_abi(int *reason) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);
    *reason = abi < 0 ? errno : 0;
    return abi < 0 ? 0 : (int)abi;
}

enum status sandbox_landlock_apply(int abi, struct error *error) {
    struct ruleset_attributes attributes = {.handled_access_fs = FS_RIGHTS_1};
    size_t size = offsetof(struct ruleset_attributes, handled_access_net);
    if (abi >= 2)
        attributes.handled_access_fs |= FS_RIGHT_REFER;
    if (abi >= 3)
        attributes.handled_access_fs |= FS_RIGHT_TRUNCATE;
    if (abi >= 5)
        attributes.handled_access_fs |= FS_RIGHT_IOCTL_DEVICE;
    if (abi >= 4) {
        attributes.handled_access_net = NET_RIGHTS;
        size = offsetof(struct ruleset_attributes, scoped);
    }
    if (abi >= 6) {
        attributes.scoped = SCOPES;
        size = sizeof attributes;
    }
    long ruleset = syscall(SYS_landlock_create_ruleset, &attributes, size, 0u);
    if (ruleset < 0)
        return error_set_errno(error, errno, "cannot make a Landlock ruleset");
    long failure = syscall(SYS_landlock_restrict_self, (int)ruleset, 0u);
    int reason = errno;
    close((int)ruleset);
    return failure == 0 ? STATUS_OK : error_set_errno(error, reason, "cannot apply the Landlock ruleset");
}
