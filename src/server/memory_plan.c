#include "server/memory_plan.h"

#include "server/connection.h"

#include <stdlib.h>
#include <string.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

/* The program's own pages, libc's bookkeeping, the logs' rings. */
#define PROGRAM_BYTES (4 * MIB)
/* The touched part of a thread's stack, and what its heap keeps of freed memory. */
#define THREAD_BYTES (512 * KIB)
/* Beside the compute workers: I/O, two of preparation, two logs. */
#define OTHER_THREADS 5
/* A body in flight as it came, its texts in the parsed JSON, and what a reply echoes of them. */
#define BODY_COPIES ((uint64_t)3)
/* A head grows in a buffer that doubles. */
#define HEAD_COPIES ((uint64_t)2)
/* With less than this a server could answer no request worth having. */
#define LEAST_BODIES ((uint64_t)64 * KIB)
#define LEAST_WORK   (1 * MIB)

static uint64_t connection_bytes(const struct limits *limits) {
    return sizeof(struct connection) + KIB + HEAD_COPIES * limits->max_head_bytes;
}

static void add_up(struct memory_plan *plan, const struct limits *limits) {
    plan->connections = limits->max_connections * connection_bytes(limits);
    plan->bodies = BODY_COPIES * limits->max_body_bytes_in_flight;
    plan->work = limits->max_work_bytes_in_flight;
    plan->cache = limits->cache_bytes;
    plan->total = plan->program + plan->model + plan->sessions + plan->cache + plan->connections +
                  plan->bodies + plan->work;
}

static uint64_t standard_of(const char *name) {
    for (size_t i = 0; i < limit_description_count; i++) {
        if (strcmp(limit_descriptions[i].name, name) == 0)
            return limit_descriptions[i].standard;
    }
    return 0;
}

/* Lowers a limit, unless it was given, to what fits the part of memory; never below least. */
static void lower(uint64_t *limit, const char *name, uint64_t room, uint64_t least) {
    uint64_t fitting = room < least ? least : room;
    if (*limit == standard_of(name) && *limit > fitting)
        *limit = fitting;
}

/* Of what is left beside the program, the model and the sessions, a quarter is for connections, a quarter for
 * bodies and half for the rest of requests. */
static void lower_limits(const struct memory_plan *plan, struct limits *limits) {
    uint64_t fixed = plan->program + plan->model + plan->sessions + plan->cache;
    uint64_t spare = plan->limit > fixed ? plan->limit - fixed : 0;
    lower(&limits->max_connections, "max_connections", spare / 4 / connection_bytes(limits), 1);
    lower(&limits->max_body_bytes_in_flight, "max_body_bytes_in_flight", spare / 4 / BODY_COPIES,
          LEAST_BODIES);
    lower(&limits->max_work_bytes_in_flight, "max_work_bytes_in_flight", spare / 2, LEAST_WORK);
    lower(&limits->max_body_bytes, "max_body_bytes", limits->max_body_bytes_in_flight, 1);
}

static double mebibytes(uint64_t bytes) {
    return (double)bytes / (double)MIB;
}

static enum status refuse(const struct memory_plan *plan, size_t workers, const struct limits *limits,
                          struct error *error) {
    return error_set(error, STATUS_LIMIT_EXCEEDED,
                     "%.1f MiB do not fit the %.1f MiB of %s: program %.1f + model %.1f + sessions (%zu) "
                     "%.1f + cache %.1f + %llu connections %.1f + %llu copies of %.1f MiB of bodies "
                     "in flight %.1f + their parsed JSON and results %.1f",
                     mebibytes(plan->total), mebibytes(plan->limit), plan->source, mebibytes(plan->program),
                     mebibytes(plan->model), workers, mebibytes(plan->sessions), mebibytes(plan->cache),
                     (unsigned long long)limits->max_connections, mebibytes(plan->connections),
                     (unsigned long long)BODY_COPIES, mebibytes(limits->max_body_bytes_in_flight),
                     mebibytes(plan->bodies), mebibytes(plan->work));
}

enum status memory_plan_fit(struct memory_plan *plan, size_t workers, struct limits *limits,
                            struct error *error) {
    plan->program = PROGRAM_BYTES + (workers + OTHER_THREADS) * THREAD_BYTES;
    add_up(plan, limits);
    if (plan->limit == 0 || plan->total <= plan->limit)
        return STATUS_OK;
    lower_limits(plan, limits);
    plan->lowered = true;
    add_up(plan, limits);
    return plan->total <= plan->limit ? STATUS_OK : refuse(plan, workers, limits, error);
}

static void member(struct json_writer *writer, const char *name, uint64_t value) {
    json_key(writer, name);
    json_unsigned(writer, value);
}

void memory_plan_write(const struct memory_plan *plan, struct json_writer *writer) {
    json_begin_object(writer);
    json_key(writer, "limit_bytes");
    if (plan->limit == 0)
        json_null_value(writer);
    else
        json_unsigned(writer, plan->limit);
    json_key(writer, "limit_source");
    json_text_of_string(writer, plan->source);
    member(writer, "program_bytes", plan->program);
    member(writer, "model_bytes", plan->model);
    member(writer, "sessions_bytes", plan->sessions);
    member(writer, "cache_bytes", plan->cache);
    member(writer, "connections_bytes", plan->connections);
    member(writer, "bodies_bytes", plan->bodies);
    member(writer, "work_bytes", plan->work);
    member(writer, "total_bytes", plan->total);
    json_key(writer, "limits_lowered");
    json_bool(writer, plan->lowered);
    json_end_object(writer);
}

bool memory_size_parse(const char *text, uint64_t *bytes) {
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    *bytes = 0;
    if (strcmp(text, "none") == 0)
        return true;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 15)
        return false;
    uint64_t number = strtoull(text, NULL, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].name) == 0 && number > 0 &&
            number <= UINT64_MAX >> (units[i].shift + 1)) {
            *bytes = number << units[i].shift;
            return true;
        }
    }
    return false;
}
