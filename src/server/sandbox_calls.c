#include "server/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* clang-format off */
#define CALL(name, reason)          {SCMP_SYS(name), #name, reason, NULL, 0, {{ANYTHING, 0, 0}}}
#define CALL_IF(name, reason, arguments, ...) {SCMP_SYS(name), #name, reason, arguments, 0, {__VA_ARGS__}}
#define REFUSE_IF(name, errno_value, reason, arguments, ...) \
    {SCMP_SYS(name), #name, reason, arguments, errno_value, {__VA_ARGS__}}

const struct sandbox_call sandbox_calls[] = {
    /* Connections. */
    CALL(accept4, "takes a connection from a listening socket"),
    CALL(close, "closes a connection"),
    CALL(epoll_ctl, "which sockets the event loop watches"),
    CALL(epoll_pwait, "waits for events"),
    CALL(epoll_wait, "waits for events, as older libuv does"),
    CALL(read, "receives; takes the wake-ups of the other threads"),
    CALL(write, "sends; wakes the event loop; writes the log"),
    CALL(writev, "sends a reply's head and body at once"),
    CALL(shutdown, "ends a reply before the connection is closed"),
    CALL_IF(setsockopt, "a reply goes out without waiting for the last one's acknowledgement",
            "level is IPPROTO_TCP, option TCP_NODELAY", {EQUAL, 1, IPPROTO_TCP}, {EQUAL, 2, TCP_NODELAY}),
    CALL_IF(fcntl, "a descriptor in reserve, given up to turn a connection away", "command is F_DUPFD_CLOEXEC",
            {EQUAL, 1, F_DUPFD_CLOEXEC}),
    CALL_IF(fcntl, "libuv asks for a socket's mode when it takes it over", "command is F_GETFL", {EQUAL, 1, F_GETFL}),
    CALL_IF(ioctl, "libuv makes a socket not block when it takes it over", "request is FIONBIO", {EQUAL, 1, FIONBIO}),
    CALL(sendto, "tells the service manager, on a socket connected at the start"),

    /* Memory. */
    CALL_IF(mmap, "memory for requests and replies", "anonymous, not executable", {HAS, 3, MAP_ANONYMOUS},
            {HAS_NOT, 2, PROT_EXEC}),
    CALL_IF(mprotect, "grows the heap of a thread", "not executable", {HAS_NOT, 2, PROT_EXEC}),
    CALL(munmap, "gives memory back"),
    CALL(mremap, "grows a large block of memory"),
    CALL(madvise, "gives memory back"),
    CALL(brk, "grows and shrinks the heap"),
    REFUSE_IF(openat, EPERM, "libc, about to give memory back, looks at vm.overcommit_memory; it goes on without",
              "flags are O_RDONLY and O_CLOEXEC alone", {EQUAL, 2, O_RDONLY | O_CLOEXEC}),
    REFUSE_IF(open, EPERM, "the same, where libc uses this call", "flags are O_RDONLY and O_CLOEXEC alone",
              {EQUAL, 1, O_RDONLY | O_CLOEXEC}),

    CALL(sysinfo, "libc's qsort asks how much memory the machine has"),

    /* Threads. */
    CALL(futex, "threads wait for one another"),
    CALL(rseq, "libc registers a thread, which may have started a moment before the seal"),
    CALL(set_robust_list, "the same"),
    CALL(sched_getaffinity, "libc counts processors to decide how many heaps it makes"),
    CALL(sched_yield, "lets another thread run"),
    CALL(gettid, "libc's own number of a thread"),
    CALL(getpid, "libc's own number of the process, before abort"),
    CALL_IF(tgkill, "abort after a failed assertion", "to this process", {OWN_PROCESS, 0, 0}),
    CALL(exit, "ends a thread"),
    CALL(exit_group, "ends the process"),

    /* Time. */
    CALL(clock_gettime, "the processor time of the I/O thread; all others where the kernel gives no faster way"),
    CALL(clock_getres, "libuv chooses its clock"),
    CALL(clock_nanosleep, "waits for a moment"),
    CALL(restart_syscall, "the kernel goes on with a wait that a signal interrupted"),

    /* Signals. */
    CALL(rt_sigprocmask, "libuv and libc hold signals back for a moment"),
    CALL(rt_sigreturn, "returns from a signal's handler"),
    CALL_IF(rt_sigaction, "forgets the handler at the end", "signal is SIGTERM", {EQUAL, 0, SIGTERM}),
    CALL_IF(rt_sigaction, "forgets the handler at the end", "signal is SIGINT", {EQUAL, 0, SIGINT}),
    CALL_IF(rt_sigaction, "abort after a failed assertion", "signal is SIGABRT", {EQUAL, 0, SIGABRT}),

    /* The rest. */
    CALL(getrandom, "libc's random numbers"),
    CALL(pread64, "reads /proc/self/stat, opened at the start, for the metrics"),
};
/* clang-format on */

const size_t sandbox_call_count = sizeof sandbox_calls / sizeof sandbox_calls[0];
