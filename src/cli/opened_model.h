/* A model opened for one session of the command line. */
#ifndef RESCOLDO_CLI_OPENED_MODEL_H
#define RESCOLDO_CLI_OPENED_MODEL_H

#include "base/compiler.h"
#include "base/status.h"
#include "engine/model.h"
#include "engine/session.h"

/* Which model a command uses. */
struct model_argument {
    const char *path; /* of the ember */
    const char *name; /* in it; NULL: the first that suits the task */
};

/* The two entries of an option table that fill a struct model_argument. */
#define MODEL_OPTIONS(model_argument)                                                                        \
    {.name = "model",                                                                                        \
     .argument = "FILE.ember",                                                                               \
     .help = "the ember to use",                                                                             \
     .required = true,                                                                                       \
     .text = &(model_argument)->path},                                                                       \
    {                                                                                                        \
        .name = "model-name", .argument = "NAME",                                                            \
        .help = "which model of an ember that holds several; default: the first that suits the command",     \
        .text = &(model_argument)->name                                                                      \
    }

struct opened_model {
    struct model *model;
    struct session *session;
};

MUST_CHECK enum status model_argument_open(const struct model_argument *argument, enum model_task task,
                                           struct model **model, struct error *error);

/* On failure nothing is left open. */
MUST_CHECK enum status opened_model_create(const struct model_argument *argument, enum model_task task,
                                           struct opened_model *opened, struct error *error);
void opened_model_close(struct opened_model *opened);

/* STATUS_INVALID_ARGUMENT when --max-length (0: not given) is more than the model allows. */
MUST_CHECK enum status opened_model_check_length(const struct opened_model *opened, uint64_t max_length,
                                                 struct error *error);

/* What the raw score of this kind of model is called in results: "logit" or "cosine". */
const char *raw_score_name(enum model_kind kind);

#endif
