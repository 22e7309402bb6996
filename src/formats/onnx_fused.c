/* Operators of ONNX Runtime, as its ContribOperators.md defines their inputs. */
#include "formats/onnx_meaning.h"

#include <math.h>
#include <string.h>

/* Gemm and the activation after it, which in BERT is the pooler's. */
void rule_fused_gemm(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const Onnx__AttributeProto *activation = onnx_attribute(node, "activation");
    struct meaning product = meaning_new(MEANING_UNKNOWN);
    rule_gemm(recognition, node, &product);
    if (product.kind != MEANING_PRODUCT || activation == NULL || !activation->has_s)
        return;
    if (activation->s.len != 4 || memcmp(activation->s.data, "Tanh", 4) != 0 ||
        meaning_at(recognition, product.a)->kind != MEANING_FIRST) {
        result->reason = reason_activation;
        return;
    }
    *result = meaning_new(MEANING_POOLED);
    result->a = meaning_add(recognition, &product);
    result->layout = product.layout;
}

/* Whether a mask keeps every token of a text without padding: absent, ones, or lengths. */
static bool keeps_all(const struct recognition *recognition, const struct onnx_node *node, uint32_t input) {
    if (!has_input(node, input))
        return true;
    const struct meaning *mask = meaning_of(recognition, node, input);
    return mask->kind == MEANING_COUNT || (mask->kind == MEANING_UNIFORM && mask->shift == 1);
}

static bool adds_nothing(const struct recognition *recognition, const struct onnx_node *node,
                         uint32_t input) {
    double number;
    return !has_input(node, input) ||
           (number_of(meaning_of(recognition, node, input), &number) && number == 0);
}

/* The attention of three products over [batch, sequence, features]. */
static bool attend(const struct onnx_node *node, const struct meaning *queries, const struct meaning *keys,
                   const struct meaning *values, struct meaning *result) {
    int64_t heads = onnx_attribute_integer(node, "num_heads", 0);
    uint64_t size = queries->weight.outputs;
    double scale = onnx_attribute_number(node, "scale", 0);
    if (heads <= 0 || heads > INT32_MAX || size % (uint64_t)heads != 0 || keys->weight.outputs != size ||
        values->weight.outputs != size || onnx_attribute_integer(node, "unidirectional", 0) != 0 ||
        onnx_attribute_integer(node, "do_rotary", 0) != 0)
        return false;
    struct meaning context = meaning_new(MEANING_CONTEXT);
    context.a = queries->identity;
    context.b = keys->identity;
    context.c = values->identity;
    context.heads = (uint32_t)heads;
    context.head_size = (uint32_t)(size / (uint64_t)heads);
    context.layout = queries->layout;
    if (scale != 0 && !near(scale, 1 / sqrt((double)context.head_size))) {
        result->reason = reason_scale;
        return false;
    }
    *result = context;
    return true;
}

/* Columns [part * size, (part + 1) * size) of a bias of all three. */
static struct onnx_matrix bias_part(const struct onnx_matrix *bias, uint32_t part, uint64_t size) {
    struct onnx_matrix cut = *bias;
    cut.first = part * size;
    cut.outputs = size;
    return cut;
}

/* weight [inputs][3 * size], bias [3 * size] or NULL. */
static void attend_packed(struct recognition *recognition, const struct onnx_node *node,
                          const struct meaning *input, const struct onnx_matrix *weight,
                          const struct meaning *bias, struct meaning *result) {
    struct meaning whole, parts[3];
    if (!layout_is(&input->layout, "BSF") || !product_make(input, weight, &whole) ||
        whole.weight.outputs % 3 != 0 || onnx_attribute(node, "qkv_hidden_sizes") != NULL ||
        (bias != NULL && vector_size(bias) != whole.weight.outputs))
        return;
    uint64_t size = whole.weight.outputs / 3;
    for (uint32_t i = 0; i < 3; i++) {
        parts[i] = whole;
        parts[i].weight.first = i * size;
        parts[i].weight.outputs = size;
        if (bias != NULL)
            parts[i].bias = bias_part(&bias->weight, i, size);
        parts[i].layout = layout_of("BSF", (uint32_t)size);
        parts[i].identity = meaning_add(recognition, &parts[i]);
    }
    (void)attend(node, &parts[0], &parts[1], &parts[2], result);
}

/* input, weights, bias, mask_index, past, attention_bias */
void rule_attention(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *weight = meaning_of(recognition, node, 1);
    if (weight->kind != MEANING_CONSTANT || has_input(node, 4) || !adds_nothing(recognition, node, 5))
        return;
    if (!keeps_all(recognition, node, 3)) {
        result->reason = reason_mask;
        return;
    }
    attend_packed(recognition, node, meaning_of(recognition, node, 0), &weight->weight,
                  has_input(node, 2) ? meaning_of(recognition, node, 2) : NULL, result);
}

/* input, weight, bias, input_scale, weight_scale, mask_index, input_zero_point, weight_zero_point, past */
void rule_quantized_attention(struct recognition *recognition, const struct onnx_node *node,
                              struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0),
                         *weight = meaning_of(recognition, node, 1);
    const struct meaning *scale = meaning_of(recognition, node, 4), *zero = meaning_of(recognition, node, 7);
    const struct meaning *input_scale = meaning_of(recognition, node, 3);
    if (input->kind != MEANING_QUANTIZED || weight->kind != MEANING_CONSTANT ||
        scale->kind != MEANING_CONSTANT || input_scale->kind != MEANING_QUANTIZED_SCALE ||
        input_scale->a != input->a || has_input(node, 8) ||
        (has_input(node, 7) && zero->kind != MEANING_CONSTANT))
        return;
    if (!keeps_all(recognition, node, 5)) {
        result->reason = reason_mask;
        return;
    }
    struct onnx_matrix matrix = weight->weight;
    if (!matrix_set_scale(&matrix, scale->weight.values, has_input(node, 7) ? zero->weight.values : NULL,
                          ONNX_SCALE_COLUMNS))
        return;
    const struct meaning state = quantized_activation(recognition, input);
    attend_packed(recognition, node, &state, &matrix,
                  has_input(node, 2) ? meaning_of(recognition, node, 2) : NULL, result);
}

/* query, key, value, bias, key_padding_mask, attention_bias, past_key, past_value */
void rule_multi_head_attention(struct recognition *recognition, const struct onnx_node *node,
                               struct meaning *result) {
    struct meaning parts[3];
    const struct meaning *bias = meaning_of(recognition, node, 3);
    if (has_input(node, 6) || has_input(node, 7) || !adds_nothing(recognition, node, 5))
        return;
    if (!keeps_all(recognition, node, 4)) {
        result->reason = reason_mask;
        return;
    }
    for (uint32_t i = 0; i < 3; i++) {
        parts[i] = *meaning_of(recognition, node, i);
        if (!meaning_is_plain(&parts[i], MEANING_PRODUCT) || !layout_is(&parts[i].layout, "BSF"))
            return;
        if (!has_input(node, 3))
            continue;
        if (parts[i].bias.values != NULL || vector_size(bias) != 3 * parts[0].weight.outputs ||
            parts[i].weight.outputs != parts[0].weight.outputs)
            return;
        parts[i].bias = bias_part(&bias->weight, i, parts[0].weight.outputs);
        parts[i].identity = meaning_add(recognition, &parts[i]);
    }
    (void)attend(node, &parts[0], &parts[1], &parts[2], result);
}

/* input, skip, gamma, beta, bias */
void rule_skip_layer_normalization(struct recognition *recognition, const struct onnx_node *node,
                                   struct meaning *result) {
    const struct meaning *first = meaning_of(recognition, node, 0),
                         *second = meaning_of(recognition, node, 1);
    const struct meaning *weight = meaning_of(recognition, node, 2), *bias = meaning_of(recognition, node, 3);
    const struct meaning *state = first->kind == MEANING_STATE ? first : second;
    struct meaning product = *(first->kind == MEANING_STATE ? second : first);
    if (has_input(node, 4)) {
        if (!product_add_bias(&product, meaning_of(recognition, node, 4)))
            return;
        product.identity = meaning_add(recognition, &product);
    }
    uint32_t features = state->layout.rank == 0 ? 0 : layout_features(&state->layout, state->layout.rank - 1);
    if (!meaning_is_plain(state, MEANING_STATE) || !meaning_is_plain(&product, MEANING_PRODUCT) ||
        product.weight.outputs != features || vector_size(weight) != features ||
        (has_input(node, 3) && vector_size(bias) != features))
        return;
    struct meaning sum = meaning_new(MEANING_SUM);
    sum.a = state->identity;
    sum.b = product.identity;
    sum.layout = state->layout;
    *result = meaning_new(MEANING_STATE);
    result->a = meaning_add(recognition, &sum);
    result->layout = state->layout;
    result->weight = weight->weight;
    if (has_input(node, 3))
        result->bias = bias->weight;
    result->epsilon = onnx_attribute_number(node, "epsilon", 1e-12);
}

static bool add_table(struct onnx_matrix *table, const struct meaning *constant) {
    if (constant->kind != MEANING_CONSTANT || constant->weight.rows == 0 ||
        constant->weight.values->dimensions != 2 || constant->weight.transposed)
        return false;
    *table = constant->weight;
    return true;
}

/* word, position, segment at inputs 2, 3, 4; what normalizes at 5 and 6; the mask at `mask`. */
static bool embed(struct recognition *recognition, const struct onnx_node *node,
                  const struct meaning constants[5], uint32_t mask, struct meaning *result) {
    struct meaning embedding = meaning_new(MEANING_EMBEDDING);
    bool has_segments = has_input(node, 4);
    if (meaning_of(recognition, node, 0)->kind != MEANING_IDS || !add_table(&embedding.word, &constants[0]) ||
        !add_table(&embedding.position, &constants[1]) ||
        (has_segments && (!add_table(&embedding.segment, &constants[2]) ||
                          meaning_of(recognition, node, 1)->kind != MEANING_SEGMENTS)) ||
        !keeps_all(recognition, node, mask))
        return false;
    uint64_t features = embedding.word.columns;
    if (features == 0 || features > UINT32_MAX || embedding.position.columns != features ||
        (has_segments && embedding.segment.columns != features) || vector_size(&constants[3]) != features ||
        vector_size(&constants[4]) != features)
        return false;
    embedding.layout = layout_of("BSF", (uint32_t)features);
    struct meaning state = meaning_new(MEANING_STATE);
    state.layout = embedding.layout;
    state.a = meaning_add(recognition, &embedding);
    state.weight = constants[3].weight;
    state.bias = constants[4].weight;
    state.epsilon = onnx_attribute_number(node, "epsilon", 1e-12);
    *result = state;
    const struct meaning count = meaning_new(MEANING_COUNT);
    meaning_set_output(recognition, node, 1, &count);
    return true;
}

/* input_ids, segment_ids, word, position, segment, gamma, beta, mask, position_ids */
void rule_embed_layer_normalization(struct recognition *recognition, const struct onnx_node *node,
                                    struct meaning *result) {
    struct meaning constants[5];
    for (uint32_t i = 0; i < 5; i++)
        constants[i] = *meaning_of(recognition, node, 2 + i);
    if (has_input(node, 8) && meaning_of(recognition, node, 8)->kind != MEANING_POSITIONS)
        return;
    (void)embed(recognition, node, constants, 7, result);
}

/* input_ids, segment_ids, five quantized constants, mask, their five scales, their five zero points */
void rule_quantized_embed_layer_normalization(struct recognition *recognition, const struct onnx_node *node,
                                              struct meaning *result) {
    struct meaning constants[5];
    for (uint32_t i = 0; i < 5; i++) {
        constants[i] = *meaning_of(recognition, node, 2 + i);
        const struct meaning *scale = meaning_of(recognition, node, 8 + i);
        const struct meaning *zero = meaning_of(recognition, node, 13 + i);
        if (!has_input(node, 2 + i))
            continue;
        if (constants[i].kind != MEANING_CONSTANT || scale->kind != MEANING_CONSTANT ||
            scale->weight.values->elements != 1 || zero->kind != MEANING_CONSTANT ||
            !matrix_set_scale(&constants[i].weight, scale->weight.values, zero->weight.values,
                              ONNX_SCALE_ROWS))
            return;
    }
    (void)embed(recognition, node, constants, 7, result);
}
