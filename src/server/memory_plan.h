/* What the server takes at most, part by part, and whether that fits the memory it is given.
 * docs/operations.md explains each part. */
#ifndef RESCOLDO_SERVER_MEMORY_PLAN_H
#define RESCOLDO_SERVER_MEMORY_PLAN_H

#include "base/compiler.h"
#include "base/json_writer.h"
#include "base/status.h"
#include "server/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_plan {
    uint64_t limit;     /* bytes; 0: none */
    const char *source; /* of the limit: "--memory-limit", "the control group", "none" */
    uint64_t program, model, sessions, cache, connections, bodies, work, total;
    bool lowered; /* limits that were not given are lower than their defaults, so that all fits */
};

/* From plan's limit, source, model and sessions (of all workers): fills the rest. Limits that have their
 * defaults are lowered where that makes it fit; STATUS_LIMIT_EXCEEDED, with the arithmetic, when it can't. */
MUST_CHECK enum status memory_plan_fit(struct memory_plan *plan, size_t workers, struct limits *limits,
                                       struct error *error);

/* The plan as a JSON object. */
void memory_plan_write(const struct memory_plan *plan, struct json_writer *writer);

/* "64MiB", "67108864", "1GiB", "none" (0); false when it is none of these. */
bool memory_size_parse(const char *text, uint64_t *bytes);

#endif
