#include "memory_model.h"

#include "kernels/pack.h"
#include "unit_test.h"

#include <math.h>
#include <stdlib.h>

struct builder {
    struct memory_model *built;
    struct random random;
};

static void *take(struct builder *builder, size_t size) {
    struct memory_model *built = builder->built;
    void *piece = NULL;
    assert_int_equal(posix_memalign(&piece, 64, size), 0);
    built->pieces = realloc(built->pieces, (built->piece_count + 1) * sizeof *built->pieces);
    assert_non_null(built->pieces);
    built->pieces[built->piece_count++] = piece;
    return piece;
}

static float *values(struct builder *builder, size_t count, float centre, float spread) {
    float *made = take(builder, count * sizeof *made);
    random_units(&builder->random, made, count, centre, spread);
    return made;
}

enum input_kind {
    INPUT_PLAIN,
    INPUT_TRANSFORMED,
    INPUT_OF_GELU,
};

/* u = x * scale + shift, so that W x + b = (W / scale) u + (b - (W / scale) shift): in place. */
static struct input_transform transform(struct builder *builder, enum input_kind kind, uint32_t inputs,
                                        uint32_t outputs, float *weights, float *bias) {
    struct input_transform made = {0};
    if (kind == INPUT_PLAIN)
        return made;
    float *scale = values(builder, inputs, 1, 0.25f), *shift = values(builder, inputs, 0, 0.1f);
    for (size_t k = 0; k < inputs && kind == INPUT_OF_GELU; k++)
        shift[k] = KERNEL_GELU_OFFSET * scale[k];
    for (size_t n = 0; n < outputs; n++) {
        for (size_t k = 0; k < inputs; k++) {
            weights[n * inputs + k] /= scale[k];
            bias[n] -= weights[n * inputs + k] * shift[k];
        }
    }
    made.scale = scale;
    made.shift = shift;
    return made;
}

static struct linear linear(struct builder *builder, uint32_t inputs, uint32_t outputs,
                            enum precision precision, enum input_kind kind) {
    size_t size = (size_t)inputs * outputs;
    float *weights = values(builder, size, 0, 1.7f / sqrtf((float)inputs));
    float *bias = values(builder, outputs, 0, 0.1f);
    struct linear made = {.inputs = inputs, .outputs = outputs, .bias = bias};
    if (precision == PRECISION_F32) {
        float *panels = take(builder, size * sizeof *panels);
        pack_linear_f32(weights, outputs, inputs, panels);
        made.panels_f32 = panels;
        return made;
    }
    /* The stream goes on as in a float32 model, so that the other weights are the same. */
    struct random others = builder->random;
    made.transform = transform(builder, kind, inputs, outputs, weights, bias);
    builder->random = others;
    int8_t *panels = take(builder, size);
    float *scales = take(builder, outputs * sizeof *scales);
    int32_t *compensation = take(builder, outputs * sizeof *compensation);
    pack_linear_int8(weights, outputs, inputs, panels, scales, compensation);
    made.panels = panels;
    made.scales = scales;
    made.compensation = compensation;
    return made;
}

static struct layer_norm layer_norm(struct builder *builder) {
    uint32_t size = builder->built->model.shape.hidden_size;
    struct layer_norm norm;
    norm.weight = values(builder, size, 1, 0.3f);
    norm.bias = values(builder, size, 0, 0.2f);
    return norm;
}

static void build_embeddings(struct builder *builder) {
    struct model *model = &builder->built->model;
    size_t hidden_size = model->shape.hidden_size;
    const float *word = values(builder, MEMORY_MODEL_VOCABULARY * hidden_size, 0, 1);
    model->embeddings.position = values(builder, MEMORY_MODEL_POSITIONS * hidden_size, 0, 0.2f);
    model->embeddings.segment = values(builder, 2 * hidden_size, 0, 0.2f);
    model->embedding_norm = layer_norm(builder);
    if (model->precision == PRECISION_F32) {
        model->embeddings.word_f32 = word;
        return;
    }
    int8_t *bytes = take(builder, MEMORY_MODEL_VOCABULARY * hidden_size);
    float *scales = take(builder, MEMORY_MODEL_VOCABULARY * sizeof *scales);
    pack_embedding_int8(word, MEMORY_MODEL_VOCABULARY, hidden_size, bytes, scales);
    model->embeddings.word = bytes;
    model->embeddings.word_scales = scales;
}

static void build_layer(struct builder *builder, struct encoder_layer *layer) {
    const struct model *model = &builder->built->model;
    uint32_t hidden_size = model->shape.hidden_size, intermediate_size = model->shape.intermediate_size;
    layer->query_key_value =
        linear(builder, hidden_size, 3 * hidden_size, model->precision, INPUT_TRANSFORMED);
    layer->attention_output = linear(builder, hidden_size, hidden_size, model->precision, INPUT_PLAIN);
    layer->attention_norm = layer_norm(builder);
    layer->intermediate =
        linear(builder, hidden_size, intermediate_size, model->precision, INPUT_TRANSFORMED);
    layer->output = linear(builder, intermediate_size, hidden_size, model->precision, INPUT_OF_GELU);
    layer->output_norm = layer_norm(builder);
}

struct memory_model memory_model_create(uint64_t seed, const struct memory_model_options *options) {
    struct memory_model built = {0};
    struct builder builder = {&built, {seed}};
    struct model *model = &built.model;
    model->kind = options->kind;
    model->precision = options->precision;
    model->pooling = options->pooling;
    model->normalize = options->normalize;
    model->max_length = MEMORY_MODEL_POSITIONS;
    model->shape = (struct model_shape){
        .hidden_size = options->heads * options->head_size,
        .layers = options->layers,
        .attention_heads = options->heads,
        .head_size = options->head_size,
        .intermediate_size = options->intermediate_size,
        .vocabulary_size = MEMORY_MODEL_VOCABULARY,
        .max_positions = MEMORY_MODEL_POSITIONS,
        .segment_types = 2,
        .layer_norm_epsilon = 1e-12f,
    };
    build_embeddings(&builder);
    model->layers = take(&builder, options->layers * sizeof *model->layers);
    for (uint32_t l = 0; l < options->layers; l++)
        build_layer(&builder, &model->layers[l]);
    model->pooler =
        linear(&builder, model->shape.hidden_size, model->shape.hidden_size, PRECISION_F32, INPUT_PLAIN);
    model->classifier_weight = values(&builder, model->shape.hidden_size, 0, 0.5f);
    model->classifier_bias = 0.25f;
    return built;
}

void memory_model_destroy(struct memory_model *built) {
    for (size_t i = 0; i < built->piece_count; i++)
        free(built->pieces[i]);
    free(built->pieces);
}
