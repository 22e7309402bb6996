#include "server/sandbox_privileges.h"

#include "server/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/prctl.h of Linux 6.3. */
#define SET_MDWE              65
#define MDWE_REFUSE_EXEC_GAIN 1UL

enum status sandbox_forbid_new_privileges(struct error *error) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0)
        return error_set_errno(error, errno, "cannot set no_new_privs");
    return STATUS_OK;
}

/* Without CAP_SETPCAP the set can't be changed; it then matters only to a program that is executed with
 * capabilities of its file, which no_new_privs prevents. */
static enum status drop_bounding_set(struct error *error) {
    for (unsigned long capability = 0;; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0UL, 0UL, 0UL) == 0)
            continue;
        if (errno == EINVAL || errno == EPERM)
            return STATUS_OK; /* past the last */
        return error_set_errno(error, errno, "cannot drop capability %lu", capability);
    }
}

static enum status become(uint32_t user, uint32_t group, struct error *error) {
    if (geteuid() != 0) {
        if (getuid() == user && geteuid() == user && getgid() == group && getegid() == group)
            return STATUS_OK;
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "only root can become user %u:%u, and this is user %u:%u", user, group,
                         (unsigned)geteuid(), (unsigned)getegid());
    }
    if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0)
        return error_set_errno(error, errno, "cannot become user %u:%u", user, group);
    if (user != 0 && setresuid(0, 0, 0) == 0)
        return error_set(error, STATUS_INTERNAL, "the process can still become root");
    return STATUS_OK;
}

static enum status drop_capabilities(struct error *error) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    if (prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) != 0 && errno != EINVAL)
        return error_set_errno(error, errno, "cannot clear the ambient capabilities");
    if (syscall(SYS_capset, &header, none) != 0)
        return error_set_errno(error, errno, "cannot drop the capabilities");
    return STATUS_OK;
}

enum status sandbox_drop_privileges(uint32_t user, uint32_t group, struct error *error) {
    enum status status = drop_bounding_set(error); /* needs a capability, so it is first */
    if (status == STATUS_OK && user != SANDBOX_KEEP_USER)
        status = become(user, group, error);
    if (status == STATUS_OK)
        status = drop_capabilities(error);
    return status;
}

static enum status set_limit(unsigned resource, rlim_t value, const char *name, struct error *error) {
    const struct rlimit limit = {value, value};
    return setrlimit(resource, &limit) == 0
               ? STATUS_OK
               : error_set_errno(error, errno, "cannot set the limit of %s", name);
}

enum status sandbox_set_limits(struct error *error) {
    struct rlimit descriptors;
    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return error_set_errno(error, errno, "cannot read the limit of open files");
    /* Not RLIMIT_FSIZE: the log may be a regular file. */
    enum status status = set_limit(RLIMIT_NOFILE, descriptors.rlim_cur, "open files", error);
    if (status == STATUS_OK)
        status = set_limit(RLIMIT_CORE, 0, "core files", error);
    if (status == STATUS_OK)
        status = set_limit(RLIMIT_NPROC, 0, "processes", error);
    return status;
}

enum status sandbox_forbid_dumps(struct error *error) {
    if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) != 0)
        return error_set_errno(error, errno, "cannot make the process not dumpable");
    return STATUS_OK;
}

bool sandbox_forbid_executable_memory(void) {
    return prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0UL, 0UL, 0UL) == 0;
}
