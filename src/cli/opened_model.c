#include "cli/opened_model.h"

enum status model_argument_open(const struct model_argument *argument, enum model_task task,
                                struct model **model, struct error *error) {
    const struct model_options options = {.name = argument->name, .task = task};
    return model_open(argument->path, &options, model, error);
}

enum status opened_model_create(const struct model_argument *argument, enum model_task task,
                                struct opened_model *opened, struct error *error) {
    *opened = (struct opened_model){0};
    enum status status = model_argument_open(argument, task, &opened->model, error);
    if (status == STATUS_OK)
        status = session_create(opened->model, NULL, &opened->session, error);
    if (status != STATUS_OK)
        opened_model_close(opened);
    return status;
}

void opened_model_close(struct opened_model *opened) {
    session_destroy(opened->session);
    model_close(opened->model);
    *opened = (struct opened_model){0};
}

enum status opened_model_check_length(const struct opened_model *opened, uint64_t max_length,
                                      struct error *error) {
    if (max_length > opened->model->max_length)
        return error_set(error, STATUS_INVALID_ARGUMENT, "--max-length is %llu, the model allows at most %u",
                         (unsigned long long)max_length, opened->model->max_length);
    return STATUS_OK;
}

const char *raw_score_name(enum model_kind kind) {
    return kind == MODEL_EMBEDDER ? "cosine" : "logit";
}
