#include "server/sandbox_filter.h"

#include "server/sandbox_calls.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <unistd.h>

/* Of an int, which comes in the lower half of a register; what is in the upper half is not defined. */
static struct scmp_arg_cmp equal_int(unsigned argument, uint32_t value) {
    return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value);
}

static struct scmp_arg_cmp comparison_of(const struct sandbox_condition *condition) {
    switch (condition->comparison) {
    case HAS:
        return SCMP_CMP64(condition->argument, SCMP_CMP_MASKED_EQ, condition->value, condition->value);
    case HAS_NOT:
        return SCMP_CMP64(condition->argument, SCMP_CMP_MASKED_EQ, condition->value, 0);
    case OWN_PROCESS:
        return equal_int(condition->argument, (uint32_t)getpid());
    case EQUAL:
    case ANYTHING:
        break;
    }
    return equal_int(condition->argument, (uint32_t)condition->value);
}

static int add_call(scmp_filter_ctx filter, const struct sandbox_call *call) {
    struct scmp_arg_cmp comparisons[SANDBOX_MAX_CONDITIONS];
    unsigned count = 0;
    for (size_t i = 0; i < SANDBOX_MAX_CONDITIONS && call->conditions[i].comparison != ANYTHING; i++)
        comparisons[count++] = comparison_of(&call->conditions[i]);
    uint32_t action = call->refused_with == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint16_t)call->refused_with);
    return seccomp_rule_add_array(filter, action, call->number, count, comparisons);
}

static int set_attributes(scmp_filter_ctx filter) {
    static const struct {
        enum scmp_filter_attr name;
        uint32_t value;
    } attributes[] = {
        /* Calls by another machine's conventions (x32, int 0x80) would be read as other calls. */
        {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS},
        {SCMP_FLTATR_CTL_NNP, 1},
        {SCMP_FLTATR_CTL_TSYNC, 1},
        /* Kernels before 5.16 would turn off speculative loads for a filtered process, which slows computing.
         * That guards against code which is not trusted, and there is none here. */
        {SCMP_FLTATR_CTL_SSB, 1},
        /* A binary tree instead of a list: the last call is as quick as the first. */
        {SCMP_FLTATR_CTL_OPTIMIZE, 2},
        {SCMP_FLTATR_API_SYSRAWRC, 1},
    };
    int failure = 0;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0] && failure == 0; i++)
        failure = seccomp_attr_set(filter, attributes[i].name, attributes[i].value);
    return failure;
}

enum status sandbox_filter_apply(bool name_violations, struct error *error) {
    scmp_filter_ctx filter = seccomp_init(name_violations ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the seccomp filter");
    int failure = set_attributes(filter);
    for (size_t i = 0; i < sandbox_call_count && failure == 0; i++) {
        if (sandbox_calls[i].number >= 0)
            failure = add_call(filter, &sandbox_calls[i]);
        if (failure != 0) {
            seccomp_release(filter);
            return error_set_errno(error, -failure, "cannot add %s to the seccomp filter",
                                   sandbox_calls[i].name);
        }
    }
    if (failure == 0)
        failure = seccomp_load(filter);
    seccomp_release(filter);
    if (failure == 0)
        return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED,
                     "the kernel does not take a seccomp filter (%s); --sandbox off starts without a sandbox",
                     strerror(failure < 0 ? -failure : failure));
}
