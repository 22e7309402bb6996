/* The server's sandbox: once everything is open, the process gives up what it will not need. docs/sandbox.md
 * has the layers, their order and every permitted system call.
 *
 *   open files, bind sockets → sandbox_enclose → start threads → sandbox_seal → load the models, serve
 *
 * What holds for one thread only (the user, capabilities, no_new_privs, Landlock: capabilities(7),
 * landlock(7)) is set before the first thread is started, so that all inherit it; the rest once all run. */
#ifndef RESCOLDO_SERVER_SANDBOX_H
#define RESCOLDO_SERVER_SANDBOX_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/json_writer.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum sandbox_mode {
    SANDBOX_ON,     /* seccomp or no start; Landlock where the kernel has it; a violation names its call */
    SANDBOX_STRICT, /* seccomp and Landlock or no start; a violation kills without a word (KILL_PROCESS) */
    SANDBOX_OFF,
};

/* "on", "strict", "off", NULL: in the order of the modes. */
extern const char *const sandbox_mode_names[];

/* On; off in a build that is instrumented by a sanitizer, whose runtime needs calls that are not permitted.
 */
enum sandbox_mode sandbox_default_mode(void);

enum sandbox_layer {
    SANDBOX_USER,              /* a user was named, and the process became it for good */
    SANDBOX_CAPABILITIES,      /* none left, not even in the bounding set */
    SANDBOX_NO_NEW_PRIVILEGES, /* PR_SET_NO_NEW_PRIVS */
    SANDBOX_LANDLOCK_FILES,    /* no way to any file by its name */
    SANDBOX_LANDLOCK_NETWORK,  /* no TCP bind or connect; ABI 4 */
    SANDBOX_LANDLOCK_SCOPE,    /* no signal and no abstract socket beyond the process; ABI 6 */
    SANDBOX_LIMITS,            /* no core file, no process or thread more, no descriptor more than needed */
    SANDBOX_NOT_DUMPABLE,      /* no core dump, no ptrace, no /proc/PID/mem by the same user */
    SANDBOX_NO_EXECUTABLE_MEMORY, /* PR_SET_MDWE: no page becomes executable; Linux 6.3 */
    SANDBOX_SECCOMP,              /* the permitted system calls alone */
    SANDBOX_LAYERS,
};

/* As in /info and the label of rescoldo_sandbox_state: "landlock_files". */
extern const char *const sandbox_layer_names[SANDBOX_LAYERS];

#define SANDBOX_KEEP_USER UINT32_MAX

struct sandbox_options {
    enum sandbox_mode mode;
    uint32_t user, group; /* to become; SANDBOX_KEEP_USER: stay who we are */
};

struct sandbox_report {
    enum sandbox_mode mode;
    bool applied[SANDBOX_LAYERS];
    int landlock_abi; /* landlock(7); 0: the kernel has none */
    uint32_t user;    /* who the process is now */
};

/* The layers of a single thread; call before any other thread exists, with files and sockets open. */
MUST_CHECK enum status sandbox_enclose(const struct sandbox_options *options, struct sandbox_report *report,
                                       struct error *error);

/* The rest, for all threads. From here on a system call that is not permitted ends the process by SIGSYS. On
 * failure the process is partly sealed and should end. */
MUST_CHECK enum status sandbox_seal(struct sandbox_report *report, struct error *error);

/* The report as a JSON object. */
void sandbox_write(const struct sandbox_report *report, struct json_writer *writer);

/* What an operator should know: NULL, or a sentence (static) about a layer that could be had and is not. */
const char *sandbox_warning(const struct sandbox_report *report);

#endif
