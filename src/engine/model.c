#include "engine/model.h"

#include "engine/model_metadata.h"

#include <stdlib.h>

static enum status open_bytes(struct model *model, struct bytes file, const struct model_options *options,
                              struct error *error) {
    if ((uintptr_t)file.data % EMBER_TENSOR_ALIGNMENT != 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "an ember in memory must lie on a multiple of %zu bytes", EMBER_TENSOR_ALIGNMENT);
    enum status status = ember_open(&model->ember, file, error);
    if (status == STATUS_OK && options != NULL && options->verify_checksums)
        status = ember_verify(&model->ember, error);
    if (status == STATUS_OK)
        status = model_read_metadata(model, error);
    return status;
}

enum status model_open_bytes(struct bytes file, const char *name, const struct model_options *options,
                             struct model **model, struct error *error) {
    *model = NULL;
    struct model *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to open %s", name);
    enum status status = open_bytes(opened, file, options, error);
    if (status != STATUS_OK) {
        model_close(opened);
        return error_add_context(error, status, "%s", name);
    }
    *model = opened;
    return STATUS_OK;
}

enum status model_open(const char *path, const struct model_options *options, struct model **model,
                       struct error *error) {
    *model = NULL;
    struct file_mapping mapping;
    enum status status = file_map(path, &mapping, error);
    if (status != STATUS_OK)
        return status;
    status = model_open_bytes(mapping.bytes, path, options, model, error);
    if (status != STATUS_OK) {
        file_unmap(&mapping);
        return status;
    }
    (*model)->mapping = mapping;
    return STATUS_OK;
}

void model_close(struct model *model) {
    if (model == NULL)
        return;
    json_decref(model->metadata);
    free(model->layers);
    file_unmap(&model->mapping);
    free(model);
}
