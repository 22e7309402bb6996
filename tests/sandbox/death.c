/* Death tests of the sandbox: every case makes one forbidden call inside a process that is sealed exactly as
 * the server is, on the thread that sealed it and on one that ran before, and sees it die by SIGSYS or get
 * the errno that docs/sandbox.md promises.
 *
 *   sandbox-death            runs them all, each in a process of its own; exit status 0 when all are as
 * promised sandbox-death NAME...    only these sandbox-death --calls    prints the permitted calls, as in
 * docs/sandbox.md
 *
 * Static, reads no file, writes to standard output alone: it runs in a container beside the server's binary.
 */
#include "server/sandbox.h"
#include "server/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What was opened before sealing, as a server has it. */
static struct {
    int tcp;  /* a socket that is not connected */
    int file; /* a regular file: this program */
    void *page;
    struct sockaddr_in address;
} opened;

/* Each makes its call and returns what syscall(2) does. */
typedef long (*attempt)(void);

#define ATTEMPT(name, ...)                                                                                   \
    static long try_##name(void) {                                                                           \
        return (long)(__VA_ARGS__);                                                                          \
    }

#define CALL0(number)             syscall(number, 0L, 0L, 0L, 0L, 0L, 0L)
#define MAP(protection, flags, d) (mmap(NULL, 4096, protection, flags, d, 0) == MAP_FAILED ? -1L : 0L)
#define ANONYMOUS                 (MAP_PRIVATE | MAP_ANONYMOUS)

/* The network. */
ATTEMPT(socket, socket(AF_INET, SOCK_STREAM, 0))
ATTEMPT(socket_unix, socket(AF_UNIX, SOCK_DGRAM, 0))
ATTEMPT(socket_netlink, socket(AF_NETLINK, SOCK_RAW, 0))
ATTEMPT(socketpair, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0, 0}))
ATTEMPT(connect, connect(opened.tcp, (const struct sockaddr *)&opened.address, sizeof opened.address))
ATTEMPT(bind, bind(opened.tcp, (const struct sockaddr *)&opened.address, sizeof opened.address))
ATTEMPT(listen, listen(opened.tcp, 1))
ATTEMPT(accept,
        syscall(SYS_accept4, -1, NULL, NULL, SOCK_CLOEXEC) < 0 && errno == EBADF ? CALL0(SYS_accept) : 0)
ATTEMPT(getpeername, getpeername(opened.tcp, (struct sockaddr *)&opened.address, &(socklen_t){0}))
ATTEMPT(recvfrom, recv(opened.tcp, opened.page, 1, 0))
ATTEMPT(sendmsg, sendmsg(opened.tcp, &(const struct msghdr){0}, 0))
ATTEMPT(sendmmsg, CALL0(SYS_sendmmsg))
ATTEMPT(recvmmsg, CALL0(SYS_recvmmsg))
ATTEMPT(setsockopt, setsockopt(opened.tcp, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)))
ATTEMPT(setsockopt_fastopen,
        setsockopt(opened.tcp, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){1}, sizeof(int)))

/* Files. */
ATTEMPT(openat_for_writing, openat(AT_FDCWD, "/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600))
ATTEMPT(openat, openat(AT_FDCWD, "/", O_RDONLY))
ATTEMPT(openat_as_libc_does, openat(AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC))
ATTEMPT(openat2, CALL0(SYS_openat2))
#ifdef SYS_open
ATTEMPT(open, syscall(SYS_open, "/", O_RDONLY, 0))
ATTEMPT(creat, syscall(SYS_creat, "/x", 0600))
ATTEMPT(unlink, syscall(SYS_unlink, "/x"))
ATTEMPT(stat, syscall(SYS_stat, "/", opened.page))
ATTEMPT(fork, syscall(SYS_fork))
ATTEMPT(vfork, syscall(SYS_vfork))
#endif
ATTEMPT(unlinkat, unlinkat(AT_FDCWD, "/x", 0))
ATTEMPT(mkdirat, mkdirat(AT_FDCWD, "/x", 0700))
ATTEMPT(linkat, linkat(AT_FDCWD, "/x", AT_FDCWD, "/y", 0))
ATTEMPT(symlinkat, symlinkat("/x", AT_FDCWD, "/y"))
ATTEMPT(renameat2, CALL0(SYS_renameat2))
ATTEMPT(fchmodat, fchmodat(AT_FDCWD, "/x", 0777, 0))
ATTEMPT(newfstatat, CALL0(SYS_newfstatat))
ATTEMPT(statx, CALL0(SYS_statx))
ATTEMPT(getdents64, syscall(SYS_getdents64, opened.file, opened.page, 4096))
ATTEMPT(chdir, chdir("/"))
ATTEMPT(chroot, chroot("/"))
ATTEMPT(mount, CALL0(SYS_mount))
ATTEMPT(open_by_handle_at, CALL0(SYS_open_by_handle_at))
ATTEMPT(memfd_create, syscall(SYS_memfd_create, "x", 0))
ATTEMPT(pipe2, pipe2((int[2]){0, 0}, 0))
ATTEMPT(dup, dup(opened.tcp))
ATTEMPT(dup3, dup3(opened.tcp, 100, 0))
ATTEMPT(fcntl_setfl, fcntl(opened.tcp, F_SETFL, O_ASYNC))
ATTEMPT(ftruncate, ftruncate(opened.file, 0))
ATTEMPT(pwrite64, pwrite(opened.file, "x", 1, 0))
ATTEMPT(sendfile, CALL0(SYS_sendfile))
ATTEMPT(splice, CALL0(SYS_splice))
ATTEMPT(ioctl_tiocsti, ioctl(STDIN_FILENO, TIOCSTI, "x"))
ATTEMPT(ioctl_fioasync, ioctl(opened.tcp, FIOASYNC, &(int){1}))

/* Programs and processes. */
ATTEMPT(execve, execve("/proc/self/exe", (char *[]){"x", "--calls", NULL}, (char *[]){NULL}))
ATTEMPT(execveat,
        syscall(SYS_execveat, opened.file, "", (char *[]){"x", NULL}, (char *[]){NULL}, AT_EMPTY_PATH))
ATTEMPT(clone, syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L))
ATTEMPT(clone3, CALL0(SYS_clone3))
static void *nothing(void *argument) {
    return argument;
}
ATTEMPT(pthread_create, pthread_create(&(pthread_t){0}, NULL, nothing, NULL))
ATTEMPT(wait4, CALL0(SYS_wait4))
ATTEMPT(kill_parent, kill(getppid(), 0))
ATTEMPT(kill_self, kill(getpid(), 0))
ATTEMPT(tgkill_parent, syscall(SYS_tgkill, 1, 1, 0))
ATTEMPT(tkill, syscall(SYS_tkill, 1, 0))
ATTEMPT(rt_sigqueueinfo, CALL0(SYS_rt_sigqueueinfo))
ATTEMPT(pidfd_open, CALL0(SYS_pidfd_open))
ATTEMPT(ptrace, CALL0(SYS_ptrace))
ATTEMPT(process_vm_readv, CALL0(SYS_process_vm_readv))
ATTEMPT(process_vm_writev, CALL0(SYS_process_vm_writev))
ATTEMPT(sigaction_sigsys, signal(SIGSYS, SIG_IGN) == SIG_ERR ? -1L : 0L)
ATTEMPT(sched_setaffinity, CALL0(SYS_sched_setaffinity))
ATTEMPT(setpriority, setpriority(PRIO_PROCESS, 0, 5))

/* Memory. */
ATTEMPT(mmap_executable, MAP(PROT_READ | PROT_WRITE | PROT_EXEC, ANONYMOUS, -1))
ATTEMPT(mmap_file, MAP(PROT_READ, MAP_PRIVATE, opened.file))
ATTEMPT(mmap_file_executable, MAP(PROT_READ | PROT_EXEC, MAP_PRIVATE, opened.file))
ATTEMPT(mprotect_executable, mprotect(opened.page, 4096, PROT_READ | PROT_EXEC))
ATTEMPT(pkey_mprotect, syscall(SYS_pkey_mprotect, opened.page, 4096, PROT_READ | PROT_EXEC, -1))
ATTEMPT(remap_file_pages, CALL0(SYS_remap_file_pages))
ATTEMPT(shmget, CALL0(SYS_shmget))
ATTEMPT(mlockall, mlockall(MCL_FUTURE))
ATTEMPT(userfaultfd, CALL0(SYS_userfaultfd))

/* The kernel's larger doors. */
ATTEMPT(io_uring_setup, CALL0(SYS_io_uring_setup))
ATTEMPT(io_uring_enter, CALL0(SYS_io_uring_enter))
ATTEMPT(bpf, CALL0(SYS_bpf))
ATTEMPT(perf_event_open, CALL0(SYS_perf_event_open))
ATTEMPT(keyctl, CALL0(SYS_keyctl))
ATTEMPT(add_key, CALL0(SYS_add_key))
ATTEMPT(unshare, unshare(CLONE_NEWUSER))
ATTEMPT(setns, setns(opened.file, 0))
ATTEMPT(pivot_root, CALL0(SYS_pivot_root))
ATTEMPT(init_module, CALL0(SYS_init_module))
ATTEMPT(kexec_load, CALL0(SYS_kexec_load))
ATTEMPT(reboot, CALL0(SYS_reboot))
ATTEMPT(syslog, CALL0(SYS_syslog))
ATTEMPT(quotactl, CALL0(SYS_quotactl))
ATTEMPT(fanotify_init, CALL0(SYS_fanotify_init))
ATTEMPT(inotify_init1, CALL0(SYS_inotify_init1))
ATTEMPT(personality, CALL0(SYS_personality))

/* Undoing the sandbox. */
ATTEMPT(prctl, prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL))
ATTEMPT(seccomp, CALL0(SYS_seccomp))
ATTEMPT(setrlimit, prlimit(0, RLIMIT_NPROC, &(const struct rlimit){100, 100}, NULL))
ATTEMPT(setuid, syscall(SYS_setuid, 0))
ATTEMPT(setresuid, syscall(SYS_setresuid, 0, 0, 0))
ATTEMPT(setgroups, CALL0(SYS_setgroups))
ATTEMPT(capset, CALL0(SYS_capset))
ATTEMPT(landlock_create_ruleset, CALL0(SYS_landlock_create_ruleset))

/* Other conventions of calling, under which the same numbers mean other calls. */
#ifdef __x86_64__
ATTEMPT(x32_getpid, syscall(0x40000000L + SYS_getpid))
ATTEMPT(x32_openat, syscall(0x40000000L + SYS_openat, AT_FDCWD, "/", O_RDONLY))
static long try_int_80(void) {
    long result = 20; /* getpid of i386 */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
    return result;
}
#endif

/* libc makes several calls, and holds signals back meanwhile, so that the kernel kills without a report. */
static const char any_call[] = "";

static const struct death_case {
    const char *name;
    attempt make;
    const char *call; /* which a report names; NULL: none is made, the kernel kills at once */
    int errno_value;  /* 0: dies */
    int other_signal; /* by which it may die too */
} cases[] = {
#define DEATH(name)                                                                                          \
    { #name, try_##name, #name, 0, 0 }
#define DEATH_OF(name, call)                                                                                 \
    { #name, try_##name, #call, 0, 0 }
#define ERRNO_OF(name, value)                                                                                \
    { #name, try_##name, NULL, value, 0 }
    DEATH(socket),
    DEATH_OF(socket_unix, socket),
    DEATH_OF(socket_netlink, socket),
    DEATH(socketpair),
    DEATH(connect),
    DEATH(bind),
    DEATH(listen),
    DEATH(accept),
    DEATH(getpeername),
    DEATH(recvfrom),
    DEATH(sendmsg),
    DEATH(sendmmsg),
    DEATH(recvmmsg),
    DEATH(setsockopt),
    DEATH_OF(setsockopt_fastopen, setsockopt),
    DEATH_OF(openat_for_writing, openat),
    DEATH(openat),
    ERRNO_OF(openat_as_libc_does, EPERM),
    DEATH(openat2),
#ifdef SYS_open
    DEATH(open),
    DEATH(creat),
    DEATH(unlink),
    DEATH(stat),
    DEATH(fork),
    DEATH(vfork),
#endif
    DEATH(unlinkat),
    DEATH(mkdirat),
    DEATH(linkat),
    DEATH(symlinkat),
    DEATH(renameat2),
    DEATH(fchmodat),
    DEATH(newfstatat),
    DEATH(statx),
    DEATH(getdents64),
    DEATH(chdir),
    DEATH(chroot),
    DEATH(mount),
    DEATH(open_by_handle_at),
    DEATH(memfd_create),
    DEATH(pipe2),
    DEATH(dup),
    DEATH(dup3),
    DEATH_OF(fcntl_setfl, fcntl),
    DEATH(ftruncate),
    DEATH(pwrite64),
    DEATH(sendfile),
    DEATH(splice),
    DEATH_OF(ioctl_tiocsti, ioctl),
    DEATH_OF(ioctl_fioasync, ioctl),
    DEATH(execve),
    DEATH(execveat),
    DEATH(clone),
    DEATH(clone3),
    {"pthread_create", try_pthread_create, any_call, 0, 0},
    DEATH(wait4),
    DEATH_OF(kill_parent, getppid),
    DEATH_OF(kill_self, kill),
    DEATH_OF(tgkill_parent, tgkill),
    DEATH(tkill),
    DEATH(rt_sigqueueinfo),
    DEATH(pidfd_open),
    DEATH(ptrace),
    DEATH(process_vm_readv),
    DEATH(process_vm_writev),
    DEATH_OF(sigaction_sigsys, rt_sigaction),
    DEATH(sched_setaffinity),
    DEATH(setpriority),
    DEATH_OF(mmap_executable, mmap),
    DEATH_OF(mmap_file, mmap),
    DEATH_OF(mmap_file_executable, mmap),
    DEATH_OF(mprotect_executable, mprotect),
    DEATH(pkey_mprotect),
    DEATH(remap_file_pages),
    DEATH(shmget),
    DEATH(mlockall),
    DEATH(userfaultfd),
    DEATH(io_uring_setup),
    DEATH(io_uring_enter),
    DEATH(bpf),
    DEATH(perf_event_open),
    DEATH(keyctl),
    DEATH(add_key),
    DEATH(unshare),
    DEATH(setns),
    DEATH(pivot_root),
    DEATH(init_module),
    DEATH(kexec_load),
    DEATH(reboot),
    DEATH(syslog),
    DEATH(quotactl),
    DEATH(fanotify_init),
    DEATH(inotify_init1),
    DEATH(personality),
    DEATH(prctl),
    DEATH(seccomp),
    DEATH_OF(setrlimit, prlimit64),
    DEATH(setuid),
    DEATH(setresuid),
    DEATH(setgroups),
    DEATH(capset),
    DEATH(landlock_create_ruleset),
#ifdef __x86_64__
    {"x32_getpid", try_x32_getpid, NULL, 0, 0},
    {"x32_openat", try_x32_openat, NULL, 0, 0},
    {"int_80", try_int_80, NULL, 0, SIGSEGV}, /* where the kernel has no i386 */
#endif
};

#define CASE_COUNT      (sizeof cases / sizeof cases[0])
#define SURVIVED        97 /* exit status: the call returned something else than the promised errno */
#define AS_PROMISED     98
#define NOT_SEALED      99
#define SECONDS_AT_MOST 20 /* a test that hangs is ended by SIGALRM */

/* --- one case --- */

struct helper {
    const struct death_case *tried;
    pthread_mutex_t mutex; /* held until the process is sealed */
};

static int make_attempt(const struct death_case *tried) {
    errno = 0;
    long result = tried->make();
    return result == -1 && tried->errno_value != 0 && errno == tried->errno_value ? AS_PROMISED : SURVIVED;
}

static void *attempt_on_thread(void *argument) {
    struct helper *helper = argument;
    pthread_mutex_lock(&helper->mutex);
    _exit(make_attempt(helper->tried));
}

static void open_before(void) {
    opened.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    opened.file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    opened.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);
    opened.address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void run_case(const struct death_case *tried, enum sandbox_mode mode, bool on_thread) {
    const struct sandbox_options options = {mode, SANDBOX_KEEP_USER, SANDBOX_KEEP_USER};
    struct sandbox_report report;
    struct error error;
    struct helper helper = {.tried = tried, .mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    alarm(SECONDS_AT_MOST);
    open_before();
    if (sandbox_enclose(&options, &report, &error) != STATUS_OK) {
        dprintf(STDERR_FILENO, "%s\n", error.message);
        _exit(NOT_SEALED);
    }
    pthread_mutex_lock(&helper.mutex);
    if (on_thread && pthread_create(&thread, NULL, attempt_on_thread, &helper) != 0)
        _exit(NOT_SEALED);
    if (sandbox_seal(&report, &error) != STATUS_OK) {
        dprintf(STDERR_FILENO, "%s\n", error.message);
        _exit(NOT_SEALED);
    }
    if (!on_thread)
        _exit(make_attempt(tried));
    pthread_mutex_unlock(&helper.mutex);
    for (;;)
        sched_yield();
}

/* --- the judge --- */

static bool is_expected(const struct death_case *tried, enum sandbox_mode mode, int status,
                        const char *said) {
    if (tried->errno_value != 0)
        return WIFEXITED(status) && WEXITSTATUS(status) == AS_PROMISED;
    if (!WIFSIGNALED(status))
        return false;
    if (WTERMSIG(status) != SIGSYS)
        return tried->other_signal != 0 && WTERMSIG(status) == tried->other_signal;
    if (tried->call == any_call)
        return true;
    if (mode == SANDBOX_STRICT || tried->call == NULL)
        return said[0] == '\0';
    char expected[96];
    snprintf(expected, sizeof expected, "\"event\":\"sandbox_violation\",\"system_call\":\"%s\",",
             tried->call);
    return strstr(said, expected) != NULL;
}

static bool judge(const struct death_case *tried, enum sandbox_mode mode, bool on_thread) {
    int ends[2];
    char said[512];
    size_t size = 0;
    int status = 0;
    fflush(stdout);
    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        run_case(tried, mode, on_thread);
    }
    close(ends[1]);
    for (ssize_t count = 1;
         child > 0 && count > 0 && size<sizeof said - 1; size += count> 0 ? (size_t)count : 0)
        count = read(ends[0], said + size, sizeof said - 1 - size);
    said[size] = '\0';
    close(ends[0]);
    bool good = child > 0 && waitpid(child, &status, 0) == child && is_expected(tried, mode, status, said);
    const char *where = on_thread ? "another thread" : "the sealing thread";
    if (good && tried->errno_value == 0)
        printf("ok   %s, %s, %s: killed by %s\n", tried->name, sandbox_mode_names[mode], where,
               strsignal(WTERMSIG(status)));
    else if (good)
        printf("ok   %s, %s, %s: %s\n", tried->name, sandbox_mode_names[mode], where,
               strerror(tried->errno_value));
    else
        printf("FAIL %s, %s, %s: status 0x%04x, it said \"%s\"\n", tried->name, sandbox_mode_names[mode],
               where, (unsigned)status, said);
    return good;
}

static void print_calls(void) {
    for (size_t i = 0; i < sandbox_call_count; i++) {
        const struct sandbox_call *call = &sandbox_calls[i];
        printf("| `%s` | %s%s%s | %s |\n", call->name,
               call->refused_with == 0 ? "" : strerror(call->refused_with),
               call->refused_with == 0 ? "" : " if ", call->arguments == NULL ? "" : call->arguments,
               call->reason);
    }
}

static bool is_wanted(const struct death_case *tried, int count, char **names) {
    bool wanted = count == 0;
    for (int i = 0; i < count; i++)
        wanted |= strcmp(names[i], tried->name) == 0;
    return wanted;
}

int main(int argc, char **argv) {
    size_t passed = 0, failed = 0;
    if (argc == 2 && strcmp(argv[1], "--calls") == 0) {
        print_calls();
        return fflush(stdout) == 0 ? 0 : 1;
    }
    for (size_t i = 0; i < CASE_COUNT; i++) {
        if (!is_wanted(&cases[i], argc - 1, argv + 1))
            continue;
        for (int variant = 0; variant < 3; variant++) {
            bool good = judge(&cases[i], variant == 2 ? SANDBOX_STRICT : SANDBOX_ON, variant == 1);
            passed += good ? 1 : 0;
            failed += good ? 0 : 1;
        }
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return fflush(stdout) == 0 && failed == 0 && passed > 0 ? 0 : 1;
}
