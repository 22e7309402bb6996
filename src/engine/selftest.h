/* Is this ember whole, and does it compute what its model computed in float32 when it was baked? Every ember
 * holds a few texts with those outputs ("golden" in docs/ember.md); the self-test runs them again. */
#ifndef RESCOLDO_ENGINE_SELFTEST_H
#define RESCOLDO_ENGINE_SELFTEST_H

#include "base/compiler.h"
#include "base/status.h"
#include "engine/model.h"
#include "kernels/kernels.h"

#include <stdbool.h>
#include <stdint.h>

struct session;

#define SELFTEST_MAX_ITEMS 64u

/* How far outputs may be from the float32 reference: |found - expected| / |expected| in the Euclidean norm,
 * over all outputs together. Sound int8 models measured lie between 0.01 and 0.08; one layer without its
 * compensation gives 0.6 to 1.4. Faults smaller than quantization are for the checksums and the kernels'
 * tests. */
#define SELFTEST_MAX_DEVIATION_INT8 0.25
#define SELFTEST_MAX_DEVIATION_F32  1e-4

struct selftest_report {
    uint32_t items;            /* texts or pairs that were run */
    uint32_t outputs;          /* numbers per item: 1 logit, or hidden_size */
    double deviation;          /* relative, as above */
    double limit;              /* what deviation must not exceed */
    double largest_difference; /* of two numbers, absolute */
    double
        lowest_cosine; /* of an embedder: between found and expected, the worst item; 1 for a cross-encoder */
    const char *kernels; /* the instruction set used */
    char model[128];     /* its name */
    /* KERNELS_ARITHMETIC at the bake; 0: not stated. */
    uint64_t arithmetic;
    /* Items with a digest of the outputs that were computed at the bake by this very arithmetic, and those of
     * them whose outputs have the same digest now. Every level gives the same bits, so they must all. */
    uint32_t digests, equal_digests;
    bool passed;
};

/* XXH3-64 of outputs, as they lie in memory: what an ember stores of each golden item's exact bits. */
uint64_t selftest_digest(const float *outputs, size_t count);

/* The golden items that a server runs before it says that it is ready: the shortest, which passes through
 * every layer. With 12 layers of hidden size 384 it takes 3 ms, most of it to bring the weights into memory.
 */
#define SELFTEST_START_ITEMS 1u

/* Runs the golden texts of an open model: all, or the `most` shortest when most is not 0. kernels may be
 * NULL: the best the CPU has. A deviation beyond the limit is not an error but report->passed == false; an
 * ember without golden outputs is STATUS_NOT_FOUND. */
MUST_CHECK enum status selftest_run(const struct model *model, const struct kernels *kernels, uint32_t most,
                                    struct selftest_report *report, struct error *error);

/* STATUS_INTERNAL with a message that says what differs, when the self-test did not pass. */
MUST_CHECK enum status selftest_require_passed(const struct selftest_report *report, struct error *error);

/* The check before a model is served, on the session that will serve it: the SELFTEST_START_ITEMS shortest
 * golden texts. STATUS_INTERNAL when they come out wrong, STATUS_NOT_FOUND when the ember holds none. */
MUST_CHECK enum status selftest_at_start(const struct model *model, struct session *session,
                                         struct error *error);

/* Runs every golden text of the model and writes the digests [capacity] of the outputs; *count is how many
 * there are. */
MUST_CHECK enum status selftest_digests(const struct model *model, uint64_t *digests, size_t capacity,
                                        size_t *count, struct error *error);

/* Runs one item (a pair for a cross-encoder, else passage alone) and writes its outputs, for those who have a
 * session already; used by the bake to make the golden outputs. */
MUST_CHECK enum status selftest_output(struct session *session, const struct model *model, struct bytes query,
                                       struct bytes passage, float *outputs, struct error *error);

#endif
