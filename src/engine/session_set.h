/* One thread's sessions for all models of an ember: one of them runs at a time, so they share one arena, as
 * large as the largest needs. */
#ifndef RESCOLDO_ENGINE_SESSION_SET_H
#define RESCOLDO_ENGINE_SESSION_SET_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/status.h"
#include "engine/model.h"
#include "engine/session.h"

struct session_set {
    struct arena arena;                            /* owned */
    struct session *sessions[MODEL_MAX_PER_EMBER]; /* owned, [count], of the models in their order */
    size_t count;
};

/* max_batch_tokens as in struct session_options. The models must outlive the set. On failure nothing is left.
 */
MUST_CHECK enum status session_set_create(const struct model_list *models, uint32_t max_batch_tokens,
                                          struct session_set *set, struct error *error);
void session_set_destroy(struct session_set *set);

/* Bytes of working memory, weights not counted. */
size_t session_set_memory(const struct session_set *set);

#endif
