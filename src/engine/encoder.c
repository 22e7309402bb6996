#include "engine/encoder.h"

#include "base/arena.h"
#include "engine/heads.h"

#include <stdlib.h>
#include <string.h>

struct encoder {
    const struct model *model;
    const struct kernels *kernels;
    uint32_t max_batch_tokens;
    struct arena arena;
    bool shares_arena; /* which then belongs to someone else */

    /* [max_batch_tokens] rows each */
    float *residual; /* [hidden_size]: the layer's input, then its output */
    float *context;  /* [hidden_size]: attention's result */
    float *head;     /* [3 * head_size]: query, key and value of one head */
    void *scratch;

    /* int8 only */
    struct activations hidden;       /* the residual, quantized */
    struct activations gathered;     /* its rows of [CLS] tokens */
    struct activations attended;     /* the context, quantized; shares the memory of `intermediate` */
    struct activations intermediate; /* [intermediate_size] */

    /* float32 only */
    float *addend;           /* [hidden_size] */
    float *intermediate_f32; /* [intermediate_size] */
    struct encoder_observer observer;
};

/* Hands out the pieces of an arena, or, without one, only adds up their sizes: the two can never disagree. */
struct layout {
    struct arena *arena;
    size_t size;
};

static void *take(struct layout *layout, size_t count, size_t element_size) {
    size_t size = count * element_size;
    layout->size += arena_piece_size(size);
    return layout->arena != NULL ? arena_allocate(layout->arena, size) : NULL;
}

static struct activations take_activations(struct layout *layout, size_t rows, size_t columns) {
    return (struct activations){take(layout, rows * columns, 1), take(layout, rows, sizeof(float)), columns};
}

static void lay_out(struct encoder *encoder, struct layout *layout) {
    const struct model_shape *shape = &encoder->model->shape;
    size_t rows = encoder->max_batch_tokens;
    encoder->residual = take(layout, rows * shape->hidden_size, sizeof(float));
    encoder->context = take(layout, rows * shape->hidden_size, sizeof(float));
    encoder->head = take(layout, rows * 3 * shape->head_size, sizeof(float));
    encoder->scratch = take(layout, kernels_scratch_size(shape->intermediate_size), 1);
    if (encoder->model->precision == PRECISION_F32) {
        encoder->addend = take(layout, rows * shape->hidden_size, sizeof(float));
        encoder->intermediate_f32 = take(layout, rows * shape->intermediate_size, sizeof(float));
        return;
    }
    encoder->hidden = take_activations(layout, rows, shape->hidden_size);
    encoder->gathered = take_activations(layout, rows, shape->hidden_size);
    encoder->intermediate = take_activations(layout, rows, shape->intermediate_size);
    /* The context is used up before the intermediate activations are made. */
    encoder->attended = encoder->intermediate;
    if (shape->intermediate_size < shape->hidden_size)
        encoder->attended = take_activations(layout, rows, shape->hidden_size);
    encoder->attended.columns = shape->hidden_size;
}

size_t encoder_arena_size(const struct model *model, uint32_t max_batch_tokens) {
    struct encoder encoder = {.model = model, .max_batch_tokens = max_batch_tokens};
    struct layout measure = {0};
    lay_out(&encoder, &measure);
    return measure.size;
}

enum status encoder_create_in(const struct arena *shared, const struct model *model,
                              const struct kernels *kernels, uint32_t max_batch_tokens,
                              struct encoder **created, struct error *error) {
    *created = NULL;
    if (max_batch_tokens == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a batch needs room for at least one token");
    size_t size = encoder_arena_size(model, max_batch_tokens);
    if (shared != NULL && shared->size < size)
        return error_set(error, STATUS_INVALID_ARGUMENT, "an encoder needs %zu bytes of memory, not %zu",
                         size, shared->size);
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for an encoder");
    encoder->model = model;
    encoder->kernels = kernels;
    encoder->max_batch_tokens = max_batch_tokens;
    encoder->shares_arena = shared != NULL;
    enum status status = STATUS_OK;
    if (shared != NULL)
        encoder->arena = (struct arena){.base = shared->base, .size = shared->size};
    else
        status = arena_create(&encoder->arena, size, error);
    if (status != STATUS_OK) {
        free(encoder);
        return error_add_context(error, status, "an encoder for batches of %u tokens", max_batch_tokens);
    }
    lay_out(encoder, &(struct layout){.arena = &encoder->arena});
    *created = encoder;
    return STATUS_OK;
}

enum status encoder_create(const struct model *model, const struct kernels *kernels,
                           uint32_t max_batch_tokens, struct encoder **created, struct error *error) {
    return encoder_create_in(NULL, model, kernels, max_batch_tokens, created, error);
}

void encoder_destroy(struct encoder *encoder) {
    if (encoder == NULL)
        return;
    if (!encoder->shares_arena)
        arena_destroy(&encoder->arena);
    free(encoder);
}

size_t encoder_memory(const struct encoder *encoder) {
    return (encoder->shares_arena ? 0 : encoder->arena.size) + sizeof *encoder;
}

const struct kernels *encoder_kernels(const struct encoder *encoder) {
    return encoder->kernels;
}

void encoder_observe(struct encoder *encoder, const struct encoder_observer *observer) {
    encoder->observer = *observer;
}

static enum status check_sequences(const struct encoder *encoder, const struct sequence *sequences,
                                   size_t count, size_t *tokens, struct error *error) {
    const struct model_shape *shape = &encoder->model->shape;
    *tokens = 0;
    for (size_t s = 0; s < count; s++) {
        uint32_t length = sequences[s].count;
        if (length == 0 || length > shape->max_positions || length > KERNEL_MAX_SEQUENCE)
            return error_set(error, STATUS_INVALID_ARGUMENT, "sequence %zu has %u tokens, expected 1 to %u",
                             s, length, shape->max_positions);
        for (uint32_t t = 0; t < length; t++)
            if (sequences[s].ids[t] < 0 || (uint32_t)sequences[s].ids[t] >= shape->vocabulary_size)
                return error_set(error, STATUS_INVALID_ARGUMENT,
                                 "token %u of sequence %zu has id %d, the vocabulary has %u", t, s,
                                 sequences[s].ids[t], shape->vocabulary_size);
        *tokens += length;
    }
    if (*tokens > encoder->max_batch_tokens)
        return error_set(error, STATUS_INVALID_ARGUMENT, "%zu tokens in a batch for %u", *tokens,
                         encoder->max_batch_tokens);
    return STATUS_OK;
}

static struct normalization normalization_of(const struct encoder *encoder, const struct layer_norm *norm) {
    const struct model_shape *shape = &encoder->model->shape;
    return (struct normalization){norm->weight, norm->bias, shape->hidden_size, shape->layer_norm_epsilon};
}

static void embed(struct encoder *encoder, const struct sequence *sequences, size_t count) {
    struct normalization norm = normalization_of(encoder, &encoder->model->embedding_norm);
    float *row = encoder->residual;
    for (size_t s = 0; s < count; s++) {
        encoder->kernels->embed(&encoder->model->embeddings, &norm, sequences[s].ids, sequences[s].count,
                                sequences[s].first_segment, row);
        row += (size_t)sequences[s].count * norm.size;
    }
}

/* Moves the first row of each sequence to the front; rows hold `size` bytes. */
static void gather_first_rows(const void *from, void *to, size_t size, const struct sequence *sequences,
                              size_t count) {
    const unsigned char *source = from;
    unsigned char *target = to;
    for (size_t s = 0; s < count; s++) {
        memmove(target + s * size, source, size);
        source += sequences[s].count * size;
    }
}

/* What one layer works on. When only [CLS] counts (the last layer of a cross-encoder or of CLS pooling),
 * queries are the first rows alone, one per sequence; keys and values are always those of all tokens. */
struct layer_pass {
    const struct encoder_layer *layer;
    uint32_t index;
    const struct sequence *sequences;
    size_t sequence_count;
    size_t tokens;
    bool first_rows_only;
    size_t rows; /* queries: sequence_count or tokens */
};

typedef void (*attention_kernel)(const struct attention_head *head, void *scratch);

static void attend_sequences(struct encoder *encoder, const struct layer_pass *pass, uint32_t head_index,
                             attention_kernel attention) {
    const struct model_shape *shape = &encoder->model->shape;
    size_t width = 3 * (size_t)shape->head_size;
    struct attention_head head = {
        .query_stride = width,
        .key_stride = width,
        .head_size = shape->head_size,
        .context_stride = shape->hidden_size,
    };
    size_t token = 0;
    for (size_t s = 0; s < pass->sequence_count; s++) {
        size_t row = pass->first_rows_only ? s : token;
        head.tokens = pass->sequences[s].count;
        head.query_count = pass->first_rows_only ? 1 : head.tokens;
        head.query = encoder->head + row * width;
        head.key = encoder->head + token * width + shape->head_size;
        head.value = head.key + shape->head_size;
        head.context = encoder->context + row * shape->hidden_size + (size_t)head_index * shape->head_size;
        attention(&head, encoder->scratch);
        token += head.tokens;
    }
}

/* Head by head, so that a head's queries, keys and values stay in the second-level cache. */
static void attend_int8(struct encoder *encoder, const struct layer_pass *pass) {
    const struct kernels *kernels = encoder->kernels;
    const struct model_shape *shape = &encoder->model->shape;
    const struct linear *linear = &pass->layer->query_key_value;
    size_t panels = shape->head_size / KERNEL_PANEL_COLUMNS;
    size_t panels_per_part = shape->hidden_size / KERNEL_PANEL_COLUMNS;
    size_t width = 3 * (size_t)shape->head_size;
    const struct activations *queries = pass->first_rows_only ? &encoder->gathered : &encoder->hidden;
    for (uint32_t h = 0; h < shape->attention_heads; h++) {
        kernels->linear(linear, h * panels, panels, queries, pass->rows, encoder->head, width);
        for (size_t part = 1; part < 3; part++)
            kernels->linear(linear, part * panels_per_part + h * panels, panels, &encoder->hidden,
                            pass->tokens, encoder->head + part * shape->head_size, width);
        attend_sequences(encoder, pass, h, kernels->attention);
    }
}

static void run_layer_int8(struct encoder *encoder, const struct layer_pass *pass) {
    const struct kernels *kernels = encoder->kernels;
    const struct encoder_layer *layer = pass->layer;
    size_t hidden_size = encoder->model->shape.hidden_size;
    if (pass->first_rows_only) {
        gather_first_rows(encoder->hidden.values, encoder->gathered.values, hidden_size, pass->sequences,
                          pass->sequence_count);
        gather_first_rows(encoder->hidden.scales, encoder->gathered.scales, sizeof(float), pass->sequences,
                          pass->sequence_count);
        gather_first_rows(encoder->residual, encoder->residual, hidden_size * sizeof(float), pass->sequences,
                          pass->sequence_count);
    }
    attend_int8(encoder, pass);
    struct normalization norm = normalization_of(encoder, &layer->attention_norm);
    kernels->quantize(encoder->context, hidden_size, pass->rows, &layer->attention_output.transform,
                      &encoder->attended);
    kernels->linear_normalize(&layer->attention_output, 0, &encoder->attended, pass->rows, &norm,
                              encoder->residual, &layer->intermediate.transform, &encoder->hidden);
    kernels->linear_gelu(&layer->intermediate, &encoder->hidden, pass->rows, &layer->output.transform,
                         &encoder->intermediate, encoder->scratch);
    norm = normalization_of(encoder, &layer->output_norm);
    bool is_last = pass->index + 1 == encoder->model->shape.layers;
    kernels->linear_normalize(&layer->output, 1, &encoder->intermediate, pass->rows, &norm, encoder->residual,
                              is_last ? NULL : &layer[1].query_key_value.transform,
                              is_last ? NULL : &encoder->hidden);
}

static void linear_rows_f32(struct encoder *encoder, const struct linear *linear, const float *input,
                            size_t rows, float *out) {
    encoder->kernels->linear_f32(linear, 0, linear->outputs / KERNEL_PANEL_COLUMNS, input, linear->inputs,
                                 rows, out, linear->outputs);
}

static void attend_f32(struct encoder *encoder, const struct layer_pass *pass) {
    const struct model_shape *shape = &encoder->model->shape;
    const struct linear *linear = &pass->layer->query_key_value;
    size_t panels = shape->head_size / KERNEL_PANEL_COLUMNS;
    size_t panels_per_part = shape->hidden_size / KERNEL_PANEL_COLUMNS;
    size_t width = 3 * (size_t)shape->head_size;
    const float *queries = pass->first_rows_only ? encoder->addend : encoder->residual;
    for (uint32_t h = 0; h < shape->attention_heads; h++) {
        encoder->kernels->linear_f32(linear, h * panels, panels, queries, shape->hidden_size, pass->rows,
                                     encoder->head, width);
        for (size_t part = 1; part < 3; part++)
            encoder->kernels->linear_f32(linear, part * panels_per_part + h * panels, panels,
                                         encoder->residual, shape->hidden_size, pass->tokens,
                                         encoder->head + part * shape->head_size, width);
        attend_sequences(encoder, pass, h, encoder->kernels->attention_f32);
    }
}

static void show(const struct encoder *encoder, const struct layer_pass *pass, enum encoder_site site,
                 const float *rows, size_t count) {
    if (encoder->observer.observe != NULL)
        encoder->observer.observe(encoder->observer.context, pass->index, site, rows, count);
}

static void run_layer_f32(struct encoder *encoder, const struct layer_pass *pass) {
    const struct kernels *kernels = encoder->kernels;
    const struct encoder_layer *layer = pass->layer;
    size_t hidden_size = encoder->model->shape.hidden_size;
    size_t row_size = hidden_size * sizeof(float);
    show(encoder, pass, ENCODER_QUERY_KEY_VALUE_INPUT, encoder->residual, pass->tokens);
    if (pass->first_rows_only)
        gather_first_rows(encoder->residual, encoder->addend, row_size, pass->sequences,
                          pass->sequence_count);
    attend_f32(encoder, pass);
    if (pass->first_rows_only)
        memcpy(encoder->residual, encoder->addend, pass->rows * row_size);
    show(encoder, pass, ENCODER_ATTENTION_OUTPUT_INPUT, encoder->context, pass->rows);
    linear_rows_f32(encoder, &layer->attention_output, encoder->context, pass->rows, encoder->addend);
    struct normalization norm = normalization_of(encoder, &layer->attention_norm);
    kernels->normalize_f32(&norm, encoder->addend, pass->rows, encoder->residual);
    show(encoder, pass, ENCODER_INTERMEDIATE_INPUT, encoder->residual, pass->rows);
    linear_rows_f32(encoder, &layer->intermediate, encoder->residual, pass->rows, encoder->intermediate_f32);
    kernels->gelu_f32(encoder->intermediate_f32, pass->rows * layer->intermediate.outputs);
    show(encoder, pass, ENCODER_OUTPUT_INPUT, encoder->intermediate_f32, pass->rows);
    linear_rows_f32(encoder, &layer->output, encoder->intermediate_f32, pass->rows, encoder->addend);
    norm = normalization_of(encoder, &layer->output_norm);
    kernels->normalize_f32(&norm, encoder->addend, pass->rows, encoder->residual);
}

const float *encoder_rows(const struct encoder *encoder) {
    return encoder->residual;
}

/* Do all rows of the last layer count, or those of [CLS] alone? */
static bool needs_all_rows(const struct model *model, const struct sequence *sequences, size_t count) {
    if (model->kind != MODEL_EMBEDDER || model->pooling == POOLING_MEAN)
        return model->kind == MODEL_EMBEDDER;
    for (size_t s = 0; s < count; s++)
        if (sequences[s].all_rows)
            return true;
    return false;
}

static void write_outputs(struct encoder *encoder, const struct sequence *sequences, size_t count,
                          bool all_rows, float *outputs) {
    const struct model *model = encoder->model;
    size_t hidden_size = model->shape.hidden_size;
    if (model->kind == MODEL_CROSS_ENCODER) {
        linear_rows_f32(encoder, &model->pooler, encoder->residual, count, encoder->context);
        for (size_t s = 0; s < count; s++)
            outputs[s] = classify(encoder->context + s * hidden_size, model->classifier_weight,
                                  model->classifier_bias, hidden_size);
        return;
    }
    const float *rows = encoder->residual;
    for (size_t s = 0; s < count; s++) {
        size_t pooled_rows = model->pooling == POOLING_MEAN ? sequences[s].count : 1;
        pool_mean(rows, pooled_rows, hidden_size, outputs + s * hidden_size);
        if (model->normalize && !sequences[s].unnormalized)
            normalize_l2(outputs + s * hidden_size, hidden_size);
        rows += (all_rows ? sequences[s].count : 1) * hidden_size;
    }
}

enum status encoder_run(struct encoder *encoder, const struct sequence *sequences, size_t count,
                        float *outputs, struct error *error) {
    const struct model *model = encoder->model;
    size_t tokens;
    enum status status = check_sequences(encoder, sequences, count, &tokens, error);
    if (status != STATUS_OK)
        return status;
    bool all_rows = needs_all_rows(model, sequences, count);
    embed(encoder, sequences, count);
    if (model->precision == PRECISION_INT8)
        encoder->kernels->quantize(encoder->residual, model->shape.hidden_size, tokens,
                                   &model->layers[0].query_key_value.transform, &encoder->hidden);
    for (uint32_t l = 0; l < model->shape.layers; l++) {
        bool first_rows_only = !all_rows && l + 1 == model->shape.layers;
        struct layer_pass pass = {
            .layer = &model->layers[l],
            .index = l,
            .sequences = sequences,
            .sequence_count = count,
            .tokens = tokens,
            .first_rows_only = first_rows_only,
            .rows = first_rows_only ? count : tokens,
        };
        if (model->precision == PRECISION_INT8)
            run_layer_int8(encoder, &pass);
        else
            run_layer_f32(encoder, &pass);
    }
    write_outputs(encoder, sequences, count, all_rows, outputs);
    return STATUS_OK;
}
