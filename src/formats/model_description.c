#include "formats/model_description.h"

#include "formats/json_reader.h"
#include "kernels/kernels.h"

#include <string.h>

#define HEAD_SIZE_MULTIPLE 32u /* one panel of columns per head (kernels/kernels.h) */

static const char *const kind_names[] = {
    [MODEL_CROSS_ENCODER] = "cross-encoder", [MODEL_EMBEDDER] = "embedder"};
static const char *const precision_names[] = {[PRECISION_INT8] = "int8", [PRECISION_F32] = "f32"};
static const char *const pooling_names[] = {[POOLING_MEAN] = "mean", [POOLING_CLS] = "cls"};

const char *model_kind_name(enum model_kind kind) {
    return kind_names[kind];
}

const char *precision_name(enum precision precision) {
    return precision_names[precision];
}

const char *pooling_name(enum pooling pooling) {
    return pooling_names[pooling];
}

/* The index of name among two names, or -1. */
static int find_name(const char *const names[2], const char *name) {
    for (int i = 0; i < 2; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

bool model_kind_from_name(const char *name, enum model_kind *kind) {
    int found = find_name(kind_names, name);
    if (found >= 0)
        *kind = (enum model_kind)found;
    return found >= 0;
}

bool precision_from_name(const char *name, enum precision *precision) {
    int found = find_name(precision_names, name);
    if (found >= 0)
        *precision = (enum precision)found;
    return found >= 0;
}

bool pooling_from_name(const char *name, enum pooling *pooling) {
    int found = find_name(pooling_names, name);
    if (found >= 0)
        *pooling = (enum pooling)found;
    return found >= 0;
}

enum status model_shape_read(const json_t *object, const char *where, const struct model_shape_names *names,
                             struct model_shape *shape, struct error *error) {
    const struct {
        const char *key;
        uint32_t maximum;
        uint32_t *value;
    } numbers[] = {
        {names->hidden_size, MODEL_MAX_HIDDEN_SIZE, &shape->hidden_size},
        {names->layers, MODEL_MAX_LAYERS, &shape->layers},
        {names->attention_heads, MODEL_MAX_HIDDEN_SIZE, &shape->attention_heads},
        {names->intermediate_size, MODEL_MAX_INTERMEDIATE_SIZE, &shape->intermediate_size},
        {names->vocabulary_size, MODEL_MAX_VOCABULARY_SIZE, &shape->vocabulary_size},
        {names->max_positions, MODEL_MAX_POSITIONS, &shape->max_positions},
        {names->segment_types, MODEL_MAX_SEGMENT_TYPES, &shape->segment_types},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof numbers / sizeof numbers[0]; i++)
        status =
            json_require_u32(object, where, numbers[i].key, 1, numbers[i].maximum, numbers[i].value, error);
    return status;
}

static enum status require_multiple(const char *where, const char *name, uint32_t value, uint32_t multiple,
                                    struct error *error) {
    if (value == 0 || value % multiple != 0)
        return error_set(error, STATUS_UNSUPPORTED, "%s: %s %u is not supported, expected a multiple of %u",
                         where, name, value, multiple);
    return STATUS_OK;
}

enum status model_shape_complete(struct model_shape *shape, enum model_kind kind, const char *where,
                                 struct error *error) {
    enum status status =
        require_multiple(where, "hidden size", shape->hidden_size, KERNEL_INPUT_MULTIPLE, error);
    if (status == STATUS_OK)
        status = require_multiple(where, "intermediate size", shape->intermediate_size, KERNEL_INPUT_MULTIPLE,
                                  error);
    if (status != STATUS_OK)
        return status;
    if (shape->hidden_size > MODEL_MAX_HIDDEN_SIZE ||
        shape->intermediate_size > MODEL_MAX_INTERMEDIATE_SIZE || shape->layers > MODEL_MAX_LAYERS)
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: a hidden size of %u, an intermediate size of %u and %u layers are not supported, "
            "expected at most %u, %u and %u",
            where, shape->hidden_size, shape->intermediate_size, shape->layers, MODEL_MAX_HIDDEN_SIZE,
            MODEL_MAX_INTERMEDIATE_SIZE, MODEL_MAX_LAYERS);
    if (shape->attention_heads == 0 || shape->hidden_size % shape->attention_heads != 0)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: hidden size %u cannot be divided among %u attention heads", where,
                         shape->hidden_size, shape->attention_heads);
    shape->head_size = shape->hidden_size / shape->attention_heads;
    status = require_multiple(where, "attention head size", shape->head_size, HEAD_SIZE_MULTIPLE, error);
    if (status != STATUS_OK)
        return status;
    if (shape->head_size > KERNEL_MAX_HEAD_SIZE)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: attention head size %u is not supported, expected at most %u", where,
                         shape->head_size, KERNEL_MAX_HEAD_SIZE);
    if (!(shape->layer_norm_epsilon > 0 && shape->layer_norm_epsilon < 1))
        return error_set(error, STATUS_INVALID_DATA, "%s: layer norm epsilon %g is not between 0 and 1",
                         where, (double)shape->layer_norm_epsilon);
    if (kind == MODEL_CROSS_ENCODER && shape->segment_types < 2)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: a cross-encoder with %u segment type is not supported, expected 2", where,
                         shape->segment_types);
    return STATUS_OK;
}

uint32_t model_longest_sequence(const struct model_shape *shape) {
    return shape->max_positions < KERNEL_MAX_SEQUENCE ? shape->max_positions : KERNEL_MAX_SEQUENCE;
}

enum status model_prompt_read(const json_t *object, const char *where, const char *key,
                              char prompt[MODEL_PROMPT_SIZE], struct error *error) {
    const char *text;
    if (!json_has(object, key))
        return STATUS_OK;
    enum status status = json_require_string(object, where, key, &text, error);
    if (status != STATUS_OK)
        return status;
    size_t size = strlen(text) + 1;
    if (size > MODEL_PROMPT_SIZE)
        return error_set(error, STATUS_LIMIT_EXCEEDED,
                         "%s: the prompt \"%s\" has %zu bytes, expected at most %u", where, key, size - 1,
                         MODEL_PROMPT_SIZE - 1);
    memcpy(prompt, text, size);
    return STATUS_OK;
}
