/* Reads every byte that an opened model points to, so that the sanitizer sees a view that leaves the file. */
#ifndef RESCOLDO_FUZZ_READ_MODEL_H
#define RESCOLDO_FUZZ_READ_MODEL_H

#include "engine/model.h"

static inline void read_bytes(const void *data, size_t size) {
    const volatile unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        (void)bytes[i];
}

static inline void read_linear(const struct linear *linear) {
    size_t count = (size_t)linear->inputs * linear->outputs;
    if (linear->panels != NULL) {
        read_bytes(linear->panels, count);
        read_bytes(linear->scales, linear->outputs * sizeof(float));
        read_bytes(linear->compensation, linear->outputs * sizeof(int32_t));
    } else {
        read_bytes(linear->panels_f32, count * sizeof(float));
    }
    read_bytes(linear->bias, linear->outputs * sizeof(float));
}

static inline void read_model(const struct model *model) {
    const struct model_shape *shape = &model->shape;
    size_t row = shape->hidden_size * sizeof(float);
    if (model->embeddings.word != NULL) {
        read_bytes(model->embeddings.word, (size_t)shape->vocabulary_size * shape->hidden_size);
        read_bytes(model->embeddings.word_scales, shape->vocabulary_size * sizeof(float));
    } else {
        read_bytes(model->embeddings.word_f32, shape->vocabulary_size * row);
    }
    read_bytes(model->embeddings.position, shape->max_positions * row);
    read_bytes(model->embeddings.segment, shape->segment_types * row);
    for (uint32_t i = 0; i < shape->layers; i++) {
        read_linear(&model->layers[i].query_key_value);
        read_linear(&model->layers[i].attention_output);
        read_linear(&model->layers[i].intermediate);
        read_linear(&model->layers[i].output);
        read_bytes(model->layers[i].attention_norm.weight, row);
        read_bytes(model->layers[i].output_norm.bias, row);
    }
    if (model->kind == MODEL_CROSS_ENCODER) {
        read_linear(&model->pooler);
        read_bytes(model->classifier_weight, row);
    }
}

static inline void read_models(const struct model_list *list) {
    for (size_t i = 0; i < list->count; i++)
        read_model(list->models[i]);
}

#endif
