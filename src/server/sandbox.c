#include "server/sandbox.h"

#include "server/sandbox_filter.h"
#include "server/sandbox_landlock.h"
#include "server/sandbox_privileges.h"
#include "server/sandbox_violation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LANDLOCK_ABI_NETWORK 4
#define LANDLOCK_ABI_SCOPE   6

const char *const sandbox_mode_names[] = {"on", "strict", "off", NULL};

const char *const sandbox_layer_names[SANDBOX_LAYERS] = {
    [SANDBOX_USER] = "user",
    [SANDBOX_CAPABILITIES] = "capabilities",
    [SANDBOX_NO_NEW_PRIVILEGES] = "no_new_privileges",
    [SANDBOX_LANDLOCK_FILES] = "landlock_files",
    [SANDBOX_LANDLOCK_NETWORK] = "landlock_network",
    [SANDBOX_LANDLOCK_SCOPE] = "landlock_scope",
    [SANDBOX_LIMITS] = "limits",
    [SANDBOX_NOT_DUMPABLE] = "not_dumpable",
    [SANDBOX_NO_EXECUTABLE_MEMORY] = "no_executable_memory",
    [SANDBOX_SECCOMP] = "seccomp",
};

#ifdef RESCOLDO_SANITIZER
static const char *const sanitizer = RESCOLDO_SANITIZER;
#else
static const char *const sanitizer = NULL;
#endif

enum sandbox_mode sandbox_default_mode(void) {
    return sanitizer == NULL ? SANDBOX_ON : SANDBOX_OFF;
}

static enum status enclose_in_landlock(struct sandbox_report *report, struct error *error) {
    int reason;
    int abi = sandbox_landlock_abi(&reason);
    if (abi == 0 && report->mode == SANDBOX_STRICT)
        return error_set(error, STATUS_UNSUPPORTED,
                         "the kernel has no Landlock (%s), which --sandbox strict demands; --sandbox on does "
                         "without",
                         strerror(reason));
    if (abi == 0)
        return STATUS_OK;
    enum status status = sandbox_landlock_apply(abi, error);
    if (status != STATUS_OK)
        return status;
    report->landlock_abi = abi;
    report->applied[SANDBOX_LANDLOCK_FILES] = true;
    report->applied[SANDBOX_LANDLOCK_NETWORK] = abi >= LANDLOCK_ABI_NETWORK;
    report->applied[SANDBOX_LANDLOCK_SCOPE] = abi >= LANDLOCK_ABI_SCOPE;
    return STATUS_OK;
}

enum status sandbox_enclose(const struct sandbox_options *options, struct sandbox_report *report,
                            struct error *error) {
    *report = (struct sandbox_report){.mode = options->mode, .user = (uint32_t)geteuid()};
    bool changes_user = options->user != SANDBOX_KEEP_USER;
    if (options->mode == SANDBOX_OFF && !changes_user)
        return STATUS_OK;
    if (options->mode != SANDBOX_OFF && sanitizer != NULL)
        return error_set(error, STATUS_UNSUPPORTED,
                         "this build is instrumented (%s) and can only be run with --sandbox off", sanitizer);
    enum status status = sandbox_forbid_new_privileges(error);
    if (status == STATUS_OK)
        status = sandbox_drop_privileges(options->user, options->group, error);
    if (status != STATUS_OK)
        return error_add_context(error, status, "sandbox");
    report->user = (uint32_t)geteuid();
    report->applied[SANDBOX_NO_NEW_PRIVILEGES] = report->applied[SANDBOX_CAPABILITIES] = true;
    report->applied[SANDBOX_USER] = changes_user;
    if (options->mode != SANDBOX_OFF)
        status = enclose_in_landlock(report, error);
    return status == STATUS_OK ? status : error_add_context(error, status, "sandbox");
}

static enum status seal(struct sandbox_report *report, struct error *error) {
    enum status status = sandbox_set_limits(error);
    if (status == STATUS_OK)
        status = sandbox_forbid_dumps(error);
    if (status == STATUS_OK && report->mode == SANDBOX_ON)
        status = sandbox_name_violations(error);
    if (status != STATUS_OK)
        return status;
    report->applied[SANDBOX_LIMITS] = report->applied[SANDBOX_NOT_DUMPABLE] = true;
    report->applied[SANDBOX_NO_EXECUTABLE_MEMORY] = sandbox_forbid_executable_memory();
    status = sandbox_filter_apply(report->mode == SANDBOX_ON, error);
    report->applied[SANDBOX_SECCOMP] = status == STATUS_OK;
    return status;
}

enum status sandbox_seal(struct sandbox_report *report, struct error *error) {
    if (report->mode == SANDBOX_OFF)
        return STATUS_OK;
    enum status status = seal(report, error);
    return status == STATUS_OK ? status : error_add_context(error, status, "sandbox");
}

void sandbox_write(const struct sandbox_report *report, struct json_writer *writer) {
    json_begin_object(writer);
    json_key(writer, "mode");
    json_text_of_string(writer, sandbox_mode_names[report->mode]);
    for (size_t i = 0; i < SANDBOX_LAYERS; i++) {
        json_key(writer, sandbox_layer_names[i]);
        json_bool(writer, report->applied[i]);
    }
    json_key(writer, "landlock_abi");
    json_unsigned(writer, (uint64_t)report->landlock_abi);
    json_key(writer, "user_id");
    json_unsigned(writer, report->user);
    json_end_object(writer);
}

const char *sandbox_warning(const struct sandbox_report *report) {
    if (report->mode == SANDBOX_OFF)
        return sanitizer == NULL
                   ? "the sandbox is off"
                   : "the sandbox is off: this build is instrumented by a sanitizer, whose runtime "
                     "makes system calls that are not permitted";
    if (report->user == 0)
        return "the server runs as root, though without capabilities; --user gives it another user";
    if (!report->applied[SANDBOX_LANDLOCK_FILES])
        return "this kernel has no Landlock; seccomp alone guards the file system and the network";
    return NULL;
}
