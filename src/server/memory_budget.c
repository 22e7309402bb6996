#include "server/memory_budget.h"

#include <stddef.h>

bool memory_claim_add(struct memory_claim *claim, uint64_t bytes) {
    struct memory_budget *budget = claim->budget;
    if (budget == NULL)
        return true;
    uint64_t used = atomic_load(&budget->used);
    do {
        if (bytes > budget->maximum || used > budget->maximum - bytes)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->used, &used, used + bytes));
    claim->bytes += bytes;
    return true;
}

void memory_claim_release(struct memory_claim *claim) {
    if (claim->budget != NULL)
        atomic_fetch_sub(&claim->budget->used, claim->bytes);
    *claim = (struct memory_claim){0};
}
