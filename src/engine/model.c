#include "engine/model.h"

#include "engine/model_metadata.h"
#include "formats/packed_program.h"

#include <stdlib.h>
#include <string.h>

/* An ember being opened: what all its models share. */
struct opening {
    struct ember ember;
    json_t *metadata; /* owned */
};

static enum status open_ember(struct opening *opening, struct bytes file, const struct model_options *options,
                              struct error *error) {
    *opening = (struct opening){0};
    if ((uintptr_t)file.data % EMBER_TENSOR_ALIGNMENT != 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "an ember in memory must lie on a multiple of %zu bytes", EMBER_TENSOR_ALIGNMENT);
    struct bytes bytes;
    enum status status = packed_program_find(file, &bytes, error);
    if (status == STATUS_OK)
        status = ember_open(&opening->ember, bytes, error);
    if (status == STATUS_OK && options != NULL && options->verify_checksums)
        status = ember_verify(&opening->ember, error);
    if (status == STATUS_OK)
        status = metadata_open(&opening->ember, &opening->metadata, error);
    return status;
}

static enum status open_model(const struct opening *opening, size_t number, struct model **model,
                              struct error *error) {
    *model = calloc(1, sizeof **model);
    if (*model == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to open a model");
    (*model)->ember = opening->ember;
    (*model)->metadata = json_incref(opening->metadata);
    (*model)->number = number;
    enum status status = model_read_metadata(*model, error);
    if (status != STATUS_OK) {
        model_close(*model);
        *model = NULL;
    }
    return status;
}

enum status model_open_bytes(struct bytes file, const char *name, const struct model_options *options,
                             struct model **model, struct error *error) {
    static const struct model_options standard = {0};
    struct opening opening;
    size_t number;
    *model = NULL;
    if (options == NULL)
        options = &standard;
    enum status status = open_ember(&opening, file, options, error);
    if (status == STATUS_OK)
        status = metadata_choose(opening.metadata, options->name, options->task, &number, error);
    if (status == STATUS_OK)
        status = open_model(&opening, number, model, error);
    json_decref(opening.metadata);
    return status == STATUS_OK ? status : error_add_context(error, status, "%s", name);
}

enum status model_open_mapping(struct file_mapping mapping, const char *name,
                               const struct model_options *options, struct model **model,
                               struct error *error) {
    enum status status = model_open_bytes(mapping.bytes, name, options, model, error);
    if (status == STATUS_OK)
        (*model)->mapping = mapping;
    return status;
}

enum status model_open(const char *path, const struct model_options *options, struct model **model,
                       struct error *error) {
    *model = NULL;
    struct file_mapping mapping;
    enum status status = file_map(path, &mapping, error);
    if (status != STATUS_OK)
        return status;
    status = model_open_mapping(mapping, path, options, model, error);
    if (status != STATUS_OK)
        file_unmap(&mapping);
    return status;
}

void model_close(struct model *model) {
    if (model == NULL)
        return;
    json_decref(model->metadata);
    free(model->layers);
    file_unmap(&model->mapping);
    free(model);
}

enum status model_list_open_bytes(struct bytes file, const char *name, const struct model_options *options,
                                  struct model_list *list, struct error *error) {
    struct opening opening;
    *list = (struct model_list){0};
    enum status status = open_ember(&opening, file, options, error);
    size_t count = metadata_model_count(opening.metadata);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = open_model(&opening, i, &list->models[i], error);
        if (status == STATUS_OK)
            list->count++;
    }
    json_decref(opening.metadata);
    if (status == STATUS_OK)
        return status;
    model_list_close(list);
    return error_add_context(error, status, "%s", name);
}

enum status model_list_open(const char *path, const struct model_options *options, struct model_list *list,
                            struct error *error) {
    struct file_mapping mapping;
    *list = (struct model_list){0};
    enum status status = file_map(path, &mapping, error);
    if (status != STATUS_OK)
        return status;
    status = model_list_open_bytes(mapping.bytes, path, options, list, error);
    if (status != STATUS_OK)
        file_unmap(&mapping);
    list->mapping = mapping;
    return status;
}

void model_list_close(struct model_list *list) {
    for (size_t i = 0; i < list->count; i++)
        model_close(list->models[i]);
    file_unmap(&list->mapping);
    *list = (struct model_list){0};
}

struct model *model_list_for_task(const struct model_list *list, enum model_task task) {
    for (size_t i = 0; i < list->count; i++) {
        if (metadata_suits(list->models[i]->kind, task))
            return list->models[i];
    }
    return list->models[0];
}

struct model *model_list_find(const struct model_list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->models[i]->name, name) == 0)
            return list->models[i];
    }
    return NULL;
}

enum status model_list_require(const struct model_list *list, const char *name, const struct model **model,
                               struct error *error) {
    size_t number;
    *model = model_list_find(list, name);
    return *model != NULL ? STATUS_OK
                          : metadata_choose(list->models[0]->metadata, name, MODEL_TASK_ANY, &number, error);
}
