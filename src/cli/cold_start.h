/* rescoldo bench --cold-start: from exec to ready and to the first right score, of servers started one after
 * the other. */
#ifndef RESCOLDO_CLI_COLD_START_H
#define RESCOLDO_CLI_COLD_START_H

#include "base/compiler.h"
#include "base/status.h"
#include "cli/opened_model.h"

#include <stdbool.h>
#include <stdint.h>

#define COLD_START_MOST_RUNS 10000

/* Each run starts `rescoldo serve` from this program's own file on a free port of 127.0.0.1, waits until it
 * is ready, asks it for one score, and compares that with the engine's own to the bit. `runs` times with the
 * model in the page cache, then as often with its pages dropped before each start, where the system lets them
 * be dropped. Prints the results. */
MUST_CHECK enum status cold_start_measure(const struct model_argument *model_argument, uint64_t runs,
                                          bool json, struct error *error);

#endif
