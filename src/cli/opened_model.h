/* A model opened for one session of the command line. */
#ifndef RESCOLDO_CLI_OPENED_MODEL_H
#define RESCOLDO_CLI_OPENED_MODEL_H

#include "base/compiler.h"
#include "base/status.h"
#include "engine/model.h"
#include "engine/session.h"

struct opened_model {
    struct model *model;
    struct session *session;
};

/* On failure nothing is left open. */
MUST_CHECK enum status opened_model_create(const char *path, struct opened_model *opened,
                                           struct error *error);
void opened_model_close(struct opened_model *opened);

/* STATUS_INVALID_ARGUMENT when --max-length (0: not given) is more than the model allows. */
MUST_CHECK enum status opened_model_check_length(const struct opened_model *opened, uint64_t max_length,
                                                 struct error *error);

/* What the raw score of this kind of model is called in results: "logit" or "cosine". */
const char *raw_score_name(enum model_kind kind);

#endif
