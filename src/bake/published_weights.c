#include "bake/published_weights.h"

#include <stdio.h>
#include <string.h>

#define MOST_LISTED    4u
#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static enum status set_name(struct published_weights *weights, const char *inner, const char *name,
                            struct error *error) {
    int length = snprintf(weights->name, sizeof weights->name, "%s%s", inner, name);
    int path_length =
        snprintf(weights->path, sizeof weights->path, "%s/%s%s", weights->folder->path, inner, name);
    if (length < 0 || path_length < 0 || (size_t)length >= sizeof weights->name ||
        (size_t)path_length >= sizeof weights->path)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the path %.200s/%s%s is too long",
                         weights->folder->path, inner, name);
    return STATUS_OK;
}

static bool try_name(struct published_weights *weights, const char *inner, const char *name) {
    return set_name(weights, inner, name, NULL) == STATUS_OK &&
           model_folder_has(weights->folder, weights->name);
}

static enum status explain_missing(const struct published_weights *weights, const char *inner,
                                   struct error *error) {
    static const char *const others[] = {"model.safetensors.index.json", "pytorch_model.bin", "tf_model.h5",
                                         "flax_model.msgpack"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        char name[HUGGINGFACE_NAME_SIZE];
        int length = snprintf(name, sizeof name, "%s%s", inner, others[i]);
        if (length > 0 && (size_t)length < sizeof name && model_folder_has(weights->folder, name))
            return error_set(error, STATUS_UNSUPPORTED,
                             "%s holds %s, which is not supported; supported: model.safetensors, model.onnx",
                             weights->folder->path, others[i]);
    }
    return error_set(error, STATUS_NOT_FOUND, "%s has no %smodel.safetensors and no ONNX file",
                     weights->folder->path, inner);
}

/* The only ONNX file in a folder; several are for the user to choose from. */
static enum status only_onnx(struct published_weights *weights, const char *inner, bool *found,
                             struct error *error) {
    char names[MOST_LISTED][ZIP_NAME_SIZE];
    size_t count = model_folder_list_onnx(weights->folder, inner, names, MOST_LISTED);
    *found = count == 1;
    if (count <= 1)
        return count == 0 ? STATUS_OK : set_name(weights, inner, names[0], error);
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "%s holds %zu ONNX files (%s%.80s, %s%.80s%s) and no model.onnx: name one of them",
                     weights->folder->path, count, inner, names[0], inner, names[1],
                     count > 2 ? ", ..." : "");
}

enum status published_weights_choose(struct published_weights *weights, const struct model_folder *folder,
                                     const char *inner, const char *wanted, struct error *error) {
    weights->folder = folder;
    if (wanted[0] != '\0')
        return set_name(weights, "", wanted, error);
    static const char *const names[] = {"model.safetensors", "model.onnx", "onnx/model.onnx"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (try_name(weights, inner, names[i]))
            return STATUS_OK;
    }
    char below[HUGGINGFACE_NAME_SIZE];
    bool found = false;
    enum status status = only_onnx(weights, inner, &found, error);
    if (status == STATUS_OK && !found && snprintf(below, sizeof below, "%sonnx/", inner) < (int)sizeof below)
        status = only_onnx(weights, below, &found, error);
    if (status == STATUS_OK && !found)
        status = explain_missing(weights, inner, error);
    return status;
}

/* Maps each companion once. */
static enum status open_companion(void *context, const char *name, struct bytes *content,
                                  struct error *error) {
    struct published_weights *weights = context;
    char relative[HUGGINGFACE_NAME_SIZE];
    const char *slash = strrchr(weights->name, '/');
    int length = snprintf(relative, sizeof relative, "%.*s%s",
                          slash == NULL ? 0 : (int)(slash - weights->name) + 1, weights->name, name);
    if (length < 0 || (size_t)length >= sizeof relative)
        return error_set(error, STATUS_INVALID_DATA, "the name of its file is too long: \"%.100s\"", name);
    for (uint32_t i = 0; i < weights->companion_count; i++) {
        *content = weights->companions[i].mapping.bytes;
        if (strcmp(weights->companions[i].name, relative) == 0)
            return STATUS_OK;
    }
    if (weights->companion_count == WEIGHTS_MAX_COMPANIONS)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "more than %d files of external tensors",
                         WEIGHTS_MAX_COMPANIONS);
    struct weights_companion *companion = &weights->companions[weights->companion_count];
    enum status status = model_folder_map(weights->folder, relative, &companion->mapping, error);
    if (status != STATUS_OK)
        return status;
    memcpy(companion->name, relative, (size_t)length + 1);
    weights->companion_count++;
    *content = companion->mapping.bytes;
    return STATUS_OK;
}

enum status published_weights_open(struct published_weights *weights, struct error *error) {
    enum status status = model_folder_map(weights->folder, weights->name, &weights->mapping, error);
    if (status != STATUS_OK)
        return status;
    weights->is_onnx = ends_with(weights->name, ".onnx");
    if (!weights->is_onnx) {
        status = safetensors_open(&weights->safetensors, weights->mapping.bytes, weights->path, error);
        weights->tensors = safetensors_tensors(&weights->safetensors);
        return status;
    }
    const struct onnx_companions companions = {open_companion, weights};
    status = onnx_open(&weights->onnx, weights->mapping.bytes, weights->path, &companions, error);
    if (status == STATUS_OK)
        status = onnx_bert_recognise(&weights->onnx, &weights->bert, error);
    if (status == STATUS_OK)
        weights->tensors = onnx_bert_tensors(&weights->bert);
    return status;
}

void published_weights_close(struct published_weights *weights) {
    safetensors_close(&weights->safetensors);
    onnx_bert_free(&weights->bert);
    onnx_close(&weights->onnx);
    for (uint32_t i = 0; i < weights->companion_count; i++)
        file_unmap(&weights->companions[i].mapping);
    file_unmap(&weights->mapping);
    *weights = (struct published_weights){0};
}

uint64_t published_weights_size(const struct published_weights *weights) {
    uint64_t size = weights->mapping.bytes.size;
    for (uint32_t i = 0; i < weights->companion_count; i++)
        size += weights->companions[i].mapping.bytes.size;
    return size;
}
