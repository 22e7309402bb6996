#include "server/sandbox_violation.h"

#include "server/system_call_names.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A shell's exit status of a process killed by SIGSYS. */
#define EXIT_KILLED (128 + SIGSYS)

struct line {
    char text[256];
    size_t size;
};

static void add(struct line *line, const char *text) {
    while (*text != '\0' && line->size < sizeof line->text)
        line->text[line->size++] = *text++;
}

static void add_number(struct line *line, unsigned long number) {
    char digits[24];
    size_t first = sizeof digits - 1;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(line, digits + first);
}

/* Only what is safe in a signal's handler, and permitted by the filter. */
static void name_and_die(int signal_number, siginfo_t *information, void *context) {
    (void)signal_number;
    (void)context;
    struct line line = {.size = 0};
    add(&line, "{\"level\":\"error\",\"event\":\"sandbox_violation\",\"system_call\":\"");
    add(&line, system_call_name(information->si_syscall));
    add(&line, "\",\"number\":");
    add_number(&line, (unsigned long)(unsigned)information->si_syscall);
    add(&line, ",\"thread\":");
    add_number(&line, (unsigned long)syscall(SYS_gettid));
    add(&line, "}\n");
    ssize_t written = write(STDERR_FILENO, line.text, line.size);
    (void)written; /* there is nobody else to tell */
    (void)syscall(SYS_ptrace, 0L, 0L, 0L, 0L);
    _exit(EXIT_KILLED);
}

enum status sandbox_name_violations(struct error *error) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = name_and_die;
    sigfillset(&action.sa_mask);
    if (sigaction(SIGSYS, &action, NULL) != 0)
        return error_set_errno(error, errno, "cannot handle SIGSYS");
    return STATUS_OK;
}
