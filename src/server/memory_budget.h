/* The memory of requests beside their bodies: the parsed JSON, the results, the reply until it is sent. What
 * a request will need at most follows from its values and texts; it claims that before it is parsed, so that
 * the sum of all is bounded (--memory-limit, limits.h). Thread-safe. */
#ifndef RESCOLDO_SERVER_MEMORY_BUDGET_H
#define RESCOLDO_SERVER_MEMORY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct memory_budget {
    uint64_t maximum;
    _Atomic uint64_t used;
};

/* What one request has claimed; zeroed: nothing. One thread at a time. */
struct memory_claim {
    struct memory_budget *budget; /* NULL: there is none to be kept */
    uint64_t bytes;
};

/* False when there is no room, and nothing is claimed. */
bool memory_claim_add(struct memory_claim *claim, uint64_t bytes);
void memory_claim_release(struct memory_claim *claim);

#endif
