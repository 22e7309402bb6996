#include "api/api.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(RESCOLDO_EMBER_ALIGNMENT == EMBER_TENSOR_ALIGNMENT, "the public alignment is the format's");
static_assert((int)RESCOLDO_MODEL_CROSS_ENCODER == (int)MODEL_CROSS_ENCODER &&
                  (int)RESCOLDO_MODEL_EMBEDDER == (int)MODEL_EMBEDDER,
              "the public kinds are the engine's");
static_assert((int)RESCOLDO_PRECISION_INT8 == (int)PRECISION_INT8 &&
                  (int)RESCOLDO_PRECISION_F32 == (int)PRECISION_F32,
              "the public precisions are the engine's");

static_assert((int)RESCOLDO_TASK_ANY == (int)MODEL_TASK_ANY &&
                  (int)RESCOLDO_TASK_RERANK == (int)MODEL_TASK_RERANK &&
                  (int)RESCOLDO_TASK_EMBED == (int)MODEL_TASK_EMBED,
              "the public tasks are the engine's");

/* Where an ember comes from; one of the three. */
struct source {
    const char *path;
    struct bytes memory; /* path NULL */
    int descriptor;      /* path and memory.data NULL */
};

static enum status open_descriptor(int descriptor, const struct model_options *options, struct model **model,
                                   struct error *error) {
    char name[48];
    snprintf(name, sizeof name, "file descriptor %d", descriptor);
    struct file_mapping mapping;
    enum status status = file_map_descriptor(descriptor, name, &mapping, error);
    if (status != STATUS_OK)
        return status;
    status = model_open_mapping(mapping, name, options, model, error);
    if (status != STATUS_OK)
        file_unmap(&mapping);
    return status;
}

static enum status open_source(const struct source *source, const struct model_options *options,
                               struct model **model, struct error *error) {
    if (source->path != NULL)
        return model_open(source->path, options, model, error);
    if (source->memory.data != NULL)
        return model_open_bytes(source->memory, "ember in memory", options, model, error);
    return open_descriptor(source->descriptor, options, model, error);
}

static enum status open_model(const struct source *source, const struct rescoldo_model_options *given,
                              struct rescoldo_model **model, struct error *error) {
    struct rescoldo_model_options options;
    enum status status = api_copy_options(given, "struct rescoldo_model_options", sizeof options,
                                          sizeof options, &options, error);
    if (status == STATUS_OK)
        status = api_check_value(options.task, RESCOLDO_TASK_EMBED, "task", error);
    if (status != STATUS_OK)
        return status;
    struct rescoldo_model *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a model");
    const struct model_options engine_options = {
        .verify_checksums = options.verify_checksums != 0,
        .name = options.name,
        .task = (enum model_task)options.task,
    };
    status = open_source(source, &engine_options, &opened->model, error);
    if (status != STATUS_OK) {
        free(opened);
        return status;
    }
    *model = opened;
    return STATUS_OK;
}

/* missing: what of the caller's arguments is NULL, or NULL. */
static enum rescoldo_status open_checked(const struct source *source, const char *missing,
                                         const struct rescoldo_model_options *options,
                                         struct rescoldo_model **model, struct rescoldo_error *reported) {
    struct error error;
    enum status status;
    if (model != NULL)
        *model = NULL;
    if (missing != NULL || model == NULL)
        status = error_set(&error, STATUS_INVALID_ARGUMENT, "opening an ember: %s is NULL",
                           missing != NULL ? missing : "model");
    else
        status = open_model(source, options, model, &error);
    return api_report(status, &error, reported);
}

enum rescoldo_status rescoldo_model_open(const char *path, const struct rescoldo_model_options *options,
                                         struct rescoldo_model **model, struct rescoldo_error *reported) {
    const struct source source = {.path = path};
    return open_checked(&source, path == NULL ? "path" : NULL, options, model, reported);
}

enum rescoldo_status rescoldo_model_open_memory(const void *data, size_t size,
                                                const struct rescoldo_model_options *options,
                                                struct rescoldo_model **model,
                                                struct rescoldo_error *reported) {
    const struct source source = {.memory = bytes_of(data, size)};
    return open_checked(&source, data == NULL ? "data" : NULL, options, model, reported);
}

enum rescoldo_status rescoldo_model_open_descriptor(int descriptor,
                                                    const struct rescoldo_model_options *options,
                                                    struct rescoldo_model **model,
                                                    struct rescoldo_error *reported) {
    const struct source source = {.descriptor = descriptor};
    return open_checked(&source, NULL, options, model, reported);
}

void rescoldo_model_close(struct rescoldo_model *model) {
    if (model == NULL)
        return;
    model_close(model->model);
    free(model);
}

static enum status describe(const struct rescoldo_model *model, struct rescoldo_model_info *info,
                            struct error *error) {
    if (model == NULL || info == NULL)
        return error_set(error, STATUS_INVALID_ARGUMENT, "rescoldo_model_describe: model or info is NULL");
    enum status status = api_check_size(info->size, sizeof *info, "struct rescoldo_model_info", error);
    if (status != STATUS_OK)
        return status;
    /* What a newer header has beyond this is 0. */
    memset((unsigned char *)info + sizeof *info, 0, info->size - sizeof *info);
    *info = (struct rescoldo_model_info){
        .size = info->size,
        .name = model->model->name,
        .kind = (uint32_t)model->model->kind,
        .precision = (uint32_t)model->model->precision,
        .hidden_size = model->model->shape.hidden_size,
        .max_length = model->model->max_length,
        .vocabulary_size = model->model->shape.vocabulary_size,
    };
    return STATUS_OK;
}

enum rescoldo_status rescoldo_model_describe(const struct rescoldo_model *model,
                                             struct rescoldo_model_info *info,
                                             struct rescoldo_error *reported) {
    struct error error;
    return api_report(describe(model, info, &error), &error, reported);
}
