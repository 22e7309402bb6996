#include "formats/onnx_bert.h"

#include "formats/onnx_recognise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHTS_OF_LAYER 16u
#define WEIGHTS_AROUND   9u /* embeddings and head */

/* The states of the graph, the last layer first; [count - 1] is that of the embeddings. */
struct layer_states {
    uint32_t identities[2 * MODEL_MAX_LAYERS + 1];
    uint32_t count;
};

/* ---- messages ---- */

static enum status refuse_node(const struct onnx *onnx, uint32_t number, const char *reason,
                               struct error *error) {
    if (number >= onnx->node_count)
        return error_set(error, STATUS_UNSUPPORTED, "%s: its graph is not a BERT's: %s", onnx->file_name,
                         reason);
    const struct onnx_node *node = &onnx->nodes[number];
    return error_set(
        error, STATUS_UNSUPPORTED,
        "%s: node %u (at byte %llu), %s%s%.60s \"%.120s\", is not understood as a part of BERT%s%s",
        onnx->file_name, node->position, (unsigned long long)node->file_offset, node->domain,
        node->domain[0] == '\0' ? "" : ".", node->operator_name,
        node->proto->name == NULL ? "" : node->proto->name, reason == NULL ? "" : ": ",
        reason == NULL ? "" : reason);
}

/* The node that makes a meaning. */
static uint32_t maker(const struct recognition *recognition, uint32_t identity) {
    return identity < recognition->onnx->value_count ? recognition->onnx->values[identity].node : UINT32_MAX;
}

static enum status refuse(const struct recognition *recognition, uint32_t identity, const char *reason,
                          struct error *error) {
    return refuse_node(recognition->onnx, maker(recognition, identity), reason, error);
}

/* ---- weights ---- */

static void add_weight(struct onnx_bert *bert, const char *name, const struct onnx_matrix *matrix,
                       uint64_t rows, uint64_t columns) {
    struct onnx_weight *weight = &bert->weights[bert->weight_count++];
    snprintf(weight->name, sizeof weight->name, "%s", name);
    weight->matrix = *matrix;
    weight->rows = rows;
    weight->columns = columns;
    if (columns == 0 || matrix->values == NULL)
        return;
    bert->quantized += matrix->scale != NULL;
    bert->floats += matrix->scale == NULL;
    bert->per_channel += matrix->scale != NULL && matrix->scale_axis != ONNX_SCALE_ALL;
}

static void add_linear(struct onnx_bert *bert, const char *name, const struct meaning *product) {
    char whole[ONNX_WEIGHT_NAME_SIZE];
    const struct onnx_matrix *weight = &product->weight;
    snprintf(whole, sizeof whole, "%.80s.weight", name);
    add_weight(bert, whole, weight, weight->outputs, weight->transposed ? weight->rows : weight->columns);
    snprintf(whole, sizeof whole, "%.80s.bias", name);
    add_weight(bert, whole, &product->bias, weight->outputs, 0);
}

static void add_norm(struct onnx_bert *bert, const char *name, const struct meaning *state) {
    char whole[ONNX_WEIGHT_NAME_SIZE];
    snprintf(whole, sizeof whole, "%.80s.weight", name);
    add_weight(bert, whole, &state->weight, bert->shape.hidden_size, 0);
    snprintf(whole, sizeof whole, "%.80s.bias", name);
    add_weight(bert, whole, &state->bias, bert->shape.hidden_size, 0);
}

/* ---- from the last state back to the embeddings ---- */

/* A state's sum, which is checked to be one. */
static const struct meaning *sum_of(const struct recognition *recognition, uint32_t state) {
    return meaning_at(recognition, meaning_at(recognition, state)->a);
}

static enum status find_states(const struct recognition *recognition, uint32_t last,
                               struct layer_states *states, struct error *error) {
    *states = (struct layer_states){0};
    for (uint32_t state = last;;) {
        if (meaning_at(recognition, state)->kind != MEANING_STATE)
            return refuse(recognition, state, "a layer normalization is expected here", error);
        if (states->count == 2 * MODEL_MAX_LAYERS + 1)
            return error_set(error, STATUS_LIMIT_EXCEEDED, "%s: more than %u layers",
                             recognition->onnx->file_name, MODEL_MAX_LAYERS);
        states->identities[states->count++] = state;
        const struct meaning *inner = sum_of(recognition, state);
        if (inner->kind == MEANING_EMBEDDING)
            break;
        if (inner->kind != MEANING_SUM)
            return refuse(recognition, state, "it normalizes neither embeddings nor a sum", error);
        state = inner->a;
    }
    if (states->count < 3 || states->count % 2 == 0)
        return refuse(recognition, last,
                      "an even number of layer normalizations after the embeddings is expected", error);
    return STATUS_OK;
}

static enum status take_size(const struct recognition *recognition, uint32_t identity, uint32_t *expected,
                             uint64_t found, const char *what, struct error *error) {
    if (*expected == 0 && found > 0 && found <= UINT32_MAX)
        *expected = (uint32_t)found;
    if (found == *expected)
        return STATUS_OK;
    char reason[128];
    snprintf(reason, sizeof reason, "%s is %llu here, %u elsewhere", what, (unsigned long long)found,
             *expected);
    return refuse(recognition, identity, reason, error);
}

static enum status take_epsilon(const struct recognition *recognition, uint32_t state, struct onnx_bert *bert,
                                struct error *error) {
    double epsilon = meaning_at(recognition, state)->epsilon;
    if (bert->shape.layer_norm_epsilon == 0)
        bert->shape.layer_norm_epsilon = (float)epsilon;
    if (epsilon > 0 && near(epsilon, (double)bert->shape.layer_norm_epsilon))
        return STATUS_OK;
    return refuse(recognition, state, "its epsilon differs from the other normalizations'", error);
}

static enum status read_attention(const struct recognition *recognition, uint32_t state, uint32_t input,
                                  uint32_t layer, struct onnx_bert *bert, struct error *error) {
    static const char *const parts[] = {"query", "key", "value"};
    const struct meaning *sum = sum_of(recognition, state);
    const struct meaning *output = meaning_at(recognition, sum->b);
    const struct meaning *context = meaning_at(recognition, output->a);
    if (output->kind != MEANING_PRODUCT || context->kind != MEANING_CONTEXT)
        return refuse(recognition, sum->b, "the output of an attention is expected here", error);
    enum status status = take_size(recognition, output->a, &bert->shape.attention_heads, context->heads,
                                   "the number of heads", error);
    const uint32_t identities[] = {context->a, context->b, context->c};
    char name[ONNX_WEIGHT_NAME_SIZE];
    for (uint32_t i = 0; status == STATUS_OK && i < 3; i++) {
        const struct meaning *product = meaning_at(recognition, identities[i]);
        if (product->kind != MEANING_PRODUCT || product->a != input)
            return refuse(recognition, identities[i],
                          "queries, keys and values must come from the layer's input", error);
        status = take_size(recognition, identities[i], &bert->shape.hidden_size, product->weight.outputs,
                           "the hidden size", error);
        snprintf(name, sizeof name, "encoder.layer.%u.attention.self.%s", layer, parts[i]);
        add_linear(bert, name, product);
    }
    if (status == STATUS_OK)
        status = take_size(recognition, sum->b, &bert->shape.hidden_size, output->weight.outputs,
                           "the hidden size", error);
    snprintf(name, sizeof name, "encoder.layer.%u.attention.output.dense", layer);
    add_linear(bert, name, output);
    snprintf(name, sizeof name, "encoder.layer.%u.attention.output.LayerNorm", layer);
    add_norm(bert, name, meaning_at(recognition, state));
    return status;
}

static enum status read_feed_forward(const struct recognition *recognition, uint32_t state, uint32_t input,
                                     uint32_t layer, struct onnx_bert *bert, struct error *error) {
    const struct meaning *sum = sum_of(recognition, state);
    const struct meaning *output = meaning_at(recognition, sum->b);
    const struct meaning *gelu = meaning_at(recognition, output->a);
    const struct meaning *intermediate = meaning_at(recognition, gelu->a);
    if (output->kind != MEANING_PRODUCT || gelu->kind != MEANING_GELU ||
        intermediate->kind != MEANING_PRODUCT || intermediate->a != input)
        return refuse(recognition, sum->b,
                      "a product of GELU of a product of the layer's state is expected here", error);
    /* The product took GELU as it was; a scale of its own was refused there. */
    enum status status = take_size(recognition, gelu->a, &bert->shape.intermediate_size,
                                   intermediate->weight.outputs, "the intermediate size", error);
    if (status == STATUS_OK)
        status = take_size(recognition, sum->b, &bert->shape.hidden_size, output->weight.outputs,
                           "the hidden size", error);
    char name[ONNX_WEIGHT_NAME_SIZE];
    snprintf(name, sizeof name, "encoder.layer.%u.intermediate.dense", layer);
    add_linear(bert, name, intermediate);
    snprintf(name, sizeof name, "encoder.layer.%u.output.dense", layer);
    add_linear(bert, name, output);
    snprintf(name, sizeof name, "encoder.layer.%u.output.LayerNorm", layer);
    add_norm(bert, name, meaning_at(recognition, state));
    return status;
}

/* A table as float or dequantized; one that the graph uses as bare integers is none. */
static enum status check_table(const struct recognition *recognition, uint32_t state,
                               const struct onnx_matrix *table, struct error *error) {
    if (table->values == NULL || table->scale != NULL || onnx_tensor_is_float(table->values))
        return STATUS_OK;
    return refuse(recognition, state, "an embedding table of integers without a scale", error);
}

static enum status read_embeddings(const struct recognition *recognition, uint32_t state,
                                   struct onnx_bert *bert, struct error *error) {
    const struct meaning *embedding = sum_of(recognition, state);
    struct model_shape *shape = &bert->shape;
    if (embedding->word.values == NULL || embedding->position.values == NULL)
        return refuse(recognition, meaning_at(recognition, state)->a,
                      "the embeddings are no sum of those of tokens and of positions", error);
    const struct onnx_matrix *segment = &embedding->segment;
    bert->one_segment = segment->values == NULL || embedding->segment_is_fixed;
    shape->segment_types = bert->one_segment ? 2 : (uint32_t)segment->rows;
    if (embedding->word.rows > MODEL_MAX_VOCABULARY_SIZE || embedding->position.rows > MODEL_MAX_POSITIONS ||
        (!bert->one_segment && segment->rows > MODEL_MAX_SEGMENT_TYPES))
        return refuse(recognition, state, "its embedding tables are larger than any BERT's", error);
    shape->vocabulary_size = (uint32_t)embedding->word.rows;
    shape->max_positions = (uint32_t)embedding->position.rows;
    enum status status =
        take_size(recognition, state, &shape->hidden_size, embedding->word.columns, "the hidden size", error);
    if (status == STATUS_OK)
        status = take_size(recognition, state, &shape->hidden_size, embedding->position.columns,
                           "the hidden size", error);
    if (status == STATUS_OK && segment->values != NULL)
        status =
            take_size(recognition, state, &shape->hidden_size, segment->columns, "the hidden size", error);
    const struct onnx_matrix *tables[] = {&embedding->word, &embedding->position, segment};
    for (int i = 0; status == STATUS_OK && i < 3; i++)
        status = check_table(recognition, state, tables[i], error);
    uint32_t hidden = shape->hidden_size;
    add_weight(bert, "embeddings.word_embeddings.weight", &embedding->word, shape->vocabulary_size, hidden);
    add_weight(bert, "embeddings.position_embeddings.weight", &embedding->position, shape->max_positions,
               hidden);
    add_weight(bert, "embeddings.token_type_embeddings.weight", segment, shape->segment_types, hidden);
    bert->weights[bert->weight_count - 1].repeated = bert->one_segment;
    add_norm(bert, "embeddings.LayerNorm", meaning_at(recognition, state));
    return status;
}

static enum status read_layers(const struct recognition *recognition, uint32_t last, struct onnx_bert *bert,
                               struct error *error) {
    struct layer_states states;
    enum status status = find_states(recognition, last, &states, error);
    if (status != STATUS_OK)
        return status;
    bert->shape.layers = (states.count - 1) / 2;
    bert->weights =
        calloc((size_t)bert->shape.layers * WEIGHTS_OF_LAYER + WEIGHTS_AROUND, sizeof *bert->weights);
    if (bert->weights == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the weights of %s",
                         recognition->onnx->file_name);
    for (uint32_t i = 0; status == STATUS_OK && i < states.count; i++)
        status = take_epsilon(recognition, states.identities[i], bert, error);
    if (status == STATUS_OK)
        status = read_embeddings(recognition, states.identities[states.count - 1], bert, error);
    for (uint32_t layer = 0; status == STATUS_OK && layer < bert->shape.layers; layer++) {
        uint32_t input = states.identities[states.count - 1 - 2 * layer];
        uint32_t middle = states.identities[states.count - 2 - 2 * layer];
        status = read_attention(recognition, middle, input, layer, bert, error);
        if (status == STATUS_OK)
            status = read_feed_forward(recognition, states.identities[states.count - 3 - 2 * layer], middle,
                                       layer, bert, error);
    }
    return status;
}

/* ---- the output ---- */

/* How much an output says: a logit more than a vector, a vector more than rows of tokens. 0: none of these.
 */
static int rank_output(const struct recognition *recognition, const struct meaning *output) {
    if (meaning_is_plain(output, MEANING_LOGIT))
        return 3;
    if (output->kind == MEANING_PRODUCT && meaning_is_plain(output, MEANING_PRODUCT) &&
        meaning_at(recognition, output->a)->kind == MEANING_POOLED)
        return 3;
    if (output->kind == MEANING_UNIT || output->kind == MEANING_AVERAGE || output->kind == MEANING_FIRST)
        return meaning_is_plain(output, output->kind) ? 2 : 0;
    return meaning_is_plain(output, MEANING_STATE) ? 1 : 0;
}

static enum status read_classifier(const struct recognition *recognition, const struct meaning *output,
                                   uint32_t *last, struct onnx_bert *bert, struct error *error) {
    const struct meaning *classifier =
        output->kind == MEANING_LOGIT ? meaning_at(recognition, output->a) : output;
    const struct meaning *pooler = meaning_at(recognition, meaning_at(recognition, classifier->a)->a);
    const struct meaning *first = meaning_at(recognition, pooler->a);
    if (classifier->weight.outputs != 1)
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: a classifier with %llu labels is not supported, expected one (a relevance score)",
            recognition->onnx->file_name, (unsigned long long)classifier->weight.outputs);
    *last = first->a;
    bert->kind = MODEL_CROSS_ENCODER;
    enum status status = read_layers(recognition, *last, bert, error);
    if (status == STATUS_OK)
        status = take_size(recognition, classifier->a, &bert->shape.hidden_size, pooler->weight.outputs,
                           "the hidden size", error);
    if (status != STATUS_OK)
        return status;
    add_linear(bert, "pooler.dense", pooler);
    add_linear(bert, "classifier", classifier);
    return STATUS_OK;
}

static enum status read_embedder(const struct recognition *recognition, uint32_t identity,
                                 struct onnx_bert *bert, struct error *error) {
    const struct meaning *output = meaning_at(recognition, identity);
    bert->kind = MODEL_EMBEDDER;
    bert->has_pooling = output->kind != MEANING_STATE;
    bert->normalize = output->kind == MEANING_UNIT;
    if (output->kind == MEANING_UNIT)
        output = meaning_at(recognition, output->a);
    bert->pooling = output->kind == MEANING_FIRST ? POOLING_CLS : POOLING_MEAN;
    return read_layers(recognition, output->kind == MEANING_STATE ? output->identity : output->a, bert,
                       error);
}

/* The layer normalizations below a state: the more, the later it is. */
static uint32_t depth_of(const struct recognition *recognition, const struct meaning *state) {
    uint32_t depth = 0;
    while (state->kind == MEANING_STATE && depth <= 2 * MODEL_MAX_LAYERS + 1) {
        state = meaning_at(recognition, meaning_at(recognition, state->a)->a);
        depth++;
    }
    return depth;
}

static bool says_more(const struct recognition *recognition, const struct meaning *output,
                      const struct meaning *best) {
    int rank = rank_output(recognition, output),
        best_rank = best == NULL ? 0 : rank_output(recognition, best);
    if (rank != best_rank || rank != 1)
        return rank > best_rank;
    return depth_of(recognition, output) > depth_of(recognition, best);
}

/* What may stand beside the output that is taken, as it says less: the pooler's output, attention's
 * probabilities, the mask. */
static bool is_left_out(const struct meaning *output) {
    return meaning_is_plain(output, MEANING_POOLED) || output->kind == MEANING_PROBABILITIES ||
           output->kind == MEANING_UNIFORM;
}

static enum status refuse_output(const struct recognition *recognition, uint32_t value, struct error *error) {
    static const char reason[] =
        "it makes an output that is neither a logit (a product of the pooler's tanh), a "
        "vector of a text nor a last hidden state";
    const struct meaning *output = &recognition->meanings[value];
    if (output->kind != MEANING_UNKNOWN)
        return refuse(recognition, value, reason, error);
    return refuse_node(recognition->onnx, output->culprit,
                       output->reason == NULL && output->culprit == NO_MEANING
                           ? "an output that nothing makes"
                           : output->reason,
                       error);
}

/* Every output must be understood: one that is not might be what the model is for. */
static enum status choose_output(const struct recognition *recognition, const struct meaning **best,
                                 struct error *error) {
    const struct onnx *onnx = recognition->onnx;
    *best = NULL;
    for (uint32_t i = 0; i < onnx->graph_output_count; i++) {
        const struct meaning *output = &recognition->meanings[onnx->graph_outputs[i]];
        if (rank_output(recognition, output) == 0 && !is_left_out(output))
            return refuse_output(recognition, onnx->graph_outputs[i], error);
        if (says_more(recognition, output, *best))
            *best = output;
    }
    if (*best == NULL)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: none of its %u outputs is a logit, a vector of a text or the last hidden state",
                         onnx->file_name, onnx->graph_output_count);
    return STATUS_OK;
}

static enum status read_output(const struct recognition *recognition, struct onnx_bert *bert,
                               struct error *error) {
    const struct meaning *best;
    uint32_t last;
    enum status status = choose_output(recognition, &best, error);
    if (status != STATUS_OK)
        return status;
    if (rank_output(recognition, best) == 3)
        return read_classifier(recognition, best, &last, bert, error);
    return read_embedder(recognition, best->identity, bert, error);
}

enum status onnx_bert_recognise(const struct onnx *onnx, struct onnx_bert *bert, struct error *error) {
    *bert = (struct onnx_bert){.onnx = onnx};
    struct recognition recognition;
    enum status status = recognition_read(&recognition, onnx, error);
    if (status == STATUS_OK)
        status = read_output(&recognition, bert, error);
    recognition_free(&recognition);
    for (uint32_t i = 0; i < onnx->node_count; i++)
        bert->fused += strcmp(onnx->nodes[i].domain, "com.microsoft") == 0;
    if (status == STATUS_OK)
        status = model_shape_complete(&bert->shape, bert->kind, onnx->file_name, error);
    return status;
}

void onnx_bert_free(struct onnx_bert *bert) {
    free(bert->weights);
    *bert = (struct onnx_bert){0};
}

/* ---- tensors ---- */

static bool find(const void *reader, const char *name, struct source_tensor *tensor) {
    const struct onnx_bert *bert = reader;
    for (uint32_t i = 0; i < bert->weight_count; i++) {
        const struct onnx_weight *weight = &bert->weights[i];
        if (strcmp(weight->name, name) != 0)
            continue;
        *tensor = (struct source_tensor){
            .name = weight->name,
            .dimensions = weight->columns == 0 ? 1 : 2,
            .shape = {weight->rows, weight->columns},
            .file_offset = weight->matrix.values == NULL ? 0 : weight->matrix.values->file_offset,
            .tensor = weight,
        };
        return true;
    }
    return false;
}

struct place {
    uint64_t row, column; /* as stored */
};

/* Where an element of the matrix as it is used is stored. */
static struct place place_of(const struct onnx_weight *weight, uint64_t row, uint64_t column) {
    const struct onnx_matrix *matrix = &weight->matrix;
    row = weight->repeated ? 0 : row;
    if (weight->columns == 0)
        return (struct place){0, matrix->is_vector || matrix->rows == 1 ? matrix->first + row : row};
    return matrix->transposed ? (struct place){column, matrix->first + row}
                              : (struct place){matrix->first + row, column};
}

static size_t scale_index(const struct onnx_matrix *matrix, struct place place) {
    return (size_t)(matrix->scale_axis == ONNX_SCALE_ROWS      ? place.row
                    : matrix->scale_axis == ONNX_SCALE_COLUMNS ? place.column
                                                               : 0);
}

static int64_t distance_from_zero(const struct onnx_matrix *matrix, struct place place) {
    int64_t value = onnx_tensor_integer(matrix->values, (size_t)(place.row * matrix->columns + place.column));
    if (matrix->zero == NULL)
        return value;
    return value -
           onnx_tensor_integer(matrix->zero, matrix->zero->elements == 1 ? 0 : scale_index(matrix, place));
}

static double element(const struct onnx_weight *weight, struct place place) {
    const struct onnx_matrix *matrix = &weight->matrix;
    if (matrix->scale == NULL)
        return onnx_tensor_number(matrix->values, (size_t)(place.row * matrix->columns + place.column));
    /* As DequantizeLinear computes it, in float32. */
    float scale = (float)onnx_tensor_number(matrix->scale, scale_index(matrix, place));
    return (double)((float)distance_from_zero(matrix, place) * scale);
}

static enum status read(const void *reader, const struct source_tensor *tensor, size_t first, size_t count,
                        float *values, struct error *error) {
    const struct onnx_bert *bert = reader;
    const struct onnx_weight *weight = tensor->tensor;
    size_t columns = weight->columns == 0 ? 1 : (size_t)weight->columns;
    if (first > weight->rows * columns || count > weight->rows * columns - first)
        return error_set(error, STATUS_INTERNAL, "%s: \"%s\" has %zu elements, %zu from %zu were asked for",
                         bert->onnx->file_name, weight->name, (size_t)weight->rows * columns, count, first);
    for (size_t i = 0; i < count; i++) {
        struct place place = place_of(weight, (first + i) / columns, (first + i) % columns);
        values[i] = weight->matrix.values == NULL ? 0 : (float)element(weight, place);
        if (!isfinite(values[i]))
            return error_set(error, STATUS_INVALID_DATA,
                             "%s: tensor \"%s\" (at byte %llu) has the value %f at row %zu, column %zu",
                             bert->onnx->file_name, weight->matrix.values->name,
                             (unsigned long long)weight->matrix.values->file_offset, (double)values[i],
                             (size_t)place.row, (size_t)place.column);
    }
    return STATUS_OK;
}

static float row_scale(const void *reader, const struct source_tensor *tensor, size_t row) {
    (void)reader;
    const struct onnx_weight *weight = tensor->tensor;
    const struct onnx_matrix *matrix = &weight->matrix;
    enum onnx_scale_axis along = matrix->transposed ? ONNX_SCALE_COLUMNS : ONNX_SCALE_ROWS;
    if (matrix->values == NULL || matrix->scale == NULL || weight->columns == 0 ||
        (matrix->scale_axis != ONNX_SCALE_ALL && matrix->scale_axis != along))
        return 0;
    for (uint64_t column = 0; column < weight->columns; column++) {
        int64_t distance = distance_from_zero(matrix, place_of(weight, row, column));
        if (distance < -127 || distance > 127)
            return 0;
    }
    return (float)onnx_tensor_number(matrix->scale, scale_index(matrix, place_of(weight, row, 0)));
}

struct tensor_source onnx_bert_tensors(const struct onnx_bert *bert) {
    return (struct tensor_source){bert->onnx->file_name, bert, find, read, row_scale};
}

void onnx_bert_describe(const struct onnx_bert *bert, char *text, size_t size) {
    char weights[96] = "float weights";
    if (bert->quantized > 0)
        snprintf(weights, sizeof weights, "%u matrices quantized (%u per channel), %u in float",
                 bert->quantized, bert->per_channel, bert->floats);
    snprintf(text, size, "graph: %u layers, hidden size %u, %u heads, %s%s", bert->shape.layers,
             bert->shape.hidden_size, bert->shape.attention_heads, weights,
             bert->fused > 0 ? ", fused by ONNX Runtime" : "");
}
