#include "formats/onnx_meaning.h"

#include "formats/onnx_recognise.h"

#include <stdlib.h>
#include <string.h>

#define MOST_TABLE_STEPS  4u /* nodes between a table as stored and its use */
#define MOST_SEGMENT_ROWS 16u

static const char microsoft[] = "com.microsoft";

static const struct {
    const char *operator_name, *domain;
    node_rule *rule;
} rules[] = {
    {"Add", "", rule_add},
    {"And", "", rule_and},
    {"Attention", microsoft, rule_attention},
    {"BiasGelu", microsoft, rule_bias_gelu},
    {"Cast", "", rule_cast},
    {"Clip", "", rule_minimum},
    {"Concat", "", rule_concat},
    {"ConstantOfShape", "", rule_constant_of_shape},
    {"DequantizeLinear", "", rule_dequantize},
    {"DequantizeLinear", microsoft, rule_dequantize},
    {"Div", "", rule_div},
    {"Dropout", "", rule_dropout},
    {"DynamicQuantizeLinear", "", rule_dynamic_quantize},
    {"DynamicQuantizeMatMul", microsoft, rule_dynamic_quantize_mat_mul},
    {"Elu", "", rule_activation},
    {"EmbedLayerNormalization", microsoft, rule_embed_layer_normalization},
    {"Equal", "", rule_comparison},
    {"Erf", "", rule_erf},
    {"Expand", "", rule_expand},
    {"FastGelu", microsoft, rule_fast_gelu},
    {"Flatten", "", rule_flatten},
    {"FusedGemm", microsoft, rule_fused_gemm},
    {"FusedMatMul", microsoft, rule_fused_mat_mul},
    {"Gather", "", rule_gather},
    {"GatherND", "", rule_gather_nd},
    {"Gelu", "", rule_gelu},
    {"Gelu", microsoft, rule_gelu},
    {"Gemm", "", rule_gemm},
    {"Greater", "", rule_comparison},
    {"GreaterOrEqual", "", rule_comparison},
    {"HardSwish", "", rule_activation},
    {"Identity", "", rule_identity},
    {"IsNaN", "", rule_is_nan},
    {"LayerNormalization", "", rule_layer_normalization},
    {"LeakyRelu", "", rule_activation},
    {"Less", "", rule_comparison},
    {"LessOrEqual", "", rule_comparison},
    {"LpNormalization", "", rule_lp_normalization},
    {"MatMul", "", rule_mat_mul},
    {"MatMulInteger", "", rule_mat_mul_integer},
    {"MatMulIntegerToFloat", microsoft, rule_mat_mul_integer_to_float},
    {"Max", "", rule_minimum},
    {"Min", "", rule_minimum},
    {"Mul", "", rule_mul},
    {"MultiHeadAttention", microsoft, rule_multi_head_attention},
    {"Not", "", rule_not},
    {"Or", "", rule_and},
    {"Pow", "", rule_pow},
    {"QAttention", microsoft, rule_quantized_attention},
    {"QEmbedLayerNormalization", microsoft, rule_quantized_embed_layer_normalization},
    {"QuantizeLinear", "", rule_quantize},
    {"QuantizeLinear", microsoft, rule_quantize},
    {"QuickGelu", microsoft, rule_activation},
    {"Range", "", rule_range},
    {"Reciprocal", "", rule_reciprocal},
    {"ReduceL2", "", rule_reduce_l2},
    {"ReduceMean", "", rule_reduce_mean},
    {"ReduceSum", "", rule_reduce_sum},
    {"Relu", "", rule_activation},
    {"Reshape", "", rule_reshape},
    {"Shape", "", rule_shape},
    {"Sigmoid", "", rule_sigmoid},
    {"SkipLayerNormalization", microsoft, rule_skip_layer_normalization},
    {"Slice", "", rule_slice},
    {"Softmax", "", rule_softmax},
    {"Softplus", "", rule_activation},
    {"Sqrt", "", rule_sqrt},
    {"Squeeze", "", rule_squeeze},
    {"Sub", "", rule_sub},
    {"Tanh", "", rule_tanh},
    {"Transpose", "", rule_transpose},
    {"Unsqueeze", "", rule_unsqueeze},
    {"Where", "", rule_where},
};

const struct meaning *meaning_of(const struct recognition *recognition, const struct onnx_node *node,
                                 uint32_t input) {
    static const struct meaning absent = {
        .kind = MEANING_UNKNOWN, .identity = NO_MEANING, .culprit = NO_MEANING};
    return has_input(node, input) ? &recognition->meanings[node->inputs[input]] : &absent;
}

const struct meaning *meaning_at(const struct recognition *recognition, uint32_t identity) {
    static const struct meaning none = {
        .kind = MEANING_UNKNOWN, .identity = NO_MEANING, .culprit = NO_MEANING};
    return identity < recognition->count ? &recognition->meanings[identity] : &none;
}

uint32_t meaning_add(struct recognition *recognition, const struct meaning *meaning) {
    /* Room for those of every node was made beforehand. */
    if (recognition->count == recognition->capacity)
        return NO_MEANING;
    uint32_t identity = recognition->count++;
    recognition->meanings[identity] = *meaning;
    recognition->meanings[identity].identity = identity;
    return identity;
}

void meaning_set_output(struct recognition *recognition, const struct onnx_node *node, uint32_t output,
                        const struct meaning *meaning) {
    if (output >= node->output_count || node->outputs[output] == ONNX_NO_VALUE)
        return;
    struct meaning *target = &recognition->meanings[node->outputs[output]];
    *target = *meaning;
    if (target->identity == NO_MEANING)
        target->identity = node->outputs[output];
}

/* ---- inputs of the graph ---- */

/* The rows of the table that a value is, or is made from. */
static uint64_t table_rows(const struct onnx *onnx, uint32_t value) {
    for (uint32_t i = 0; i < MOST_TABLE_STEPS && value != ONNX_NO_VALUE; i++) {
        const struct onnx_value *table = &onnx->values[value];
        if (table->tensor != NULL)
            return table->tensor->dimensions == 2 ? table->tensor->shape[0] : 0;
        if (table->node >= onnx->node_count || onnx->nodes[table->node].input_count == 0)
            return 0;
        value = onnx->nodes[table->node].inputs[0];
    }
    return 0;
}

/* An input before what leaves it as it is. */
static uint32_t before_copies(const struct onnx *onnx, uint32_t value) {
    for (uint32_t i = 0; i < MOST_TABLE_STEPS && value != ONNX_NO_VALUE; i++) {
        uint32_t node = onnx->values[value].node;
        if (node >= onnx->node_count || onnx->nodes[node].input_count != 1 ||
            (strcmp(onnx->nodes[node].operator_name, "Cast") != 0 &&
             strcmp(onnx->nodes[node].operator_name, "Identity") != 0))
            break;
        value = onnx->nodes[node].inputs[0];
    }
    return value;
}

static void set_index(struct recognition *recognition, uint32_t value, enum meaning_kind kind) {
    value = before_copies(recognition->onnx, value);
    if (value == ONNX_NO_VALUE || !recognition->onnx->values[value].is_input ||
        recognition->onnx->values[value].tensor != NULL)
        return;
    struct meaning *meaning = &recognition->meanings[value];
    *meaning = meaning_new(kind);
    meaning->identity = value;
    meaning->layout = layout_of("BS", 0);
}

/* Which input is what: the one that chooses rows of the largest table holds the tokens' ids, of a table of a
 * few rows the segments, of another the positions; what chooses no rows is the mask. */
static void read_inputs(struct recognition *recognition) {
    const struct onnx *onnx = recognition->onnx;
    uint64_t most = 0;
    for (uint32_t i = 0; i < onnx->value_count; i++) {
        if (!onnx->values[i].is_input || onnx->values[i].tensor != NULL)
            continue;
        recognition->meanings[i] = meaning_uniform(1);
        recognition->meanings[i].identity = i;
        recognition->meanings[i].layout = layout_of("BS", 0);
        recognition->meanings[i].from_input = true;
    }
    for (uint32_t i = 0; i < onnx->node_count; i++) {
        const struct onnx_node *node = &onnx->nodes[i];
        if (strcmp(node->operator_name, "Gather") == 0 && node->input_count == 2) {
            uint64_t rows = table_rows(onnx, node->inputs[0]);
            most = rows > most ? rows : most;
        }
    }
    for (uint32_t i = 0; i < onnx->node_count; i++) {
        const struct onnx_node *node = &onnx->nodes[i];
        bool embeds = strcmp(node->domain, microsoft) == 0 &&
                      strstr(node->operator_name, "EmbedLayerNormalization") != NULL;
        if (embeds && node->input_count > 1) {
            set_index(recognition, node->inputs[0], MEANING_IDS);
            set_index(recognition, node->inputs[1], MEANING_SEGMENTS);
            if (node->operator_name[0] == 'E' && node->input_count > 8)
                set_index(recognition, node->inputs[8], MEANING_POSITIONS);
        }
        if (strcmp(node->operator_name, "Gather") != 0 || node->input_count != 2)
            continue;
        uint64_t rows = table_rows(onnx, node->inputs[0]);
        if (rows > 0)
            set_index(recognition, node->inputs[1],
                      rows == most                ? MEANING_IDS
                      : rows <= MOST_SEGMENT_ROWS ? MEANING_SEGMENTS
                                                  : MEANING_POSITIONS);
    }
}

/* Only one input may be the mask: of two, such as a mask of its own for pooling, we know neither. */
static enum status check_masks(const struct recognition *recognition, struct error *error) {
    const struct onnx *onnx = recognition->onnx;
    uint32_t mask = ONNX_NO_VALUE;
    for (uint32_t i = 0; i < onnx->node_count; i++) {
        const struct onnx_node *node = &onnx->nodes[i];
        for (uint32_t k = 0; k < node->input_count && strcmp(node->operator_name, "Shape") != 0; k++) {
            uint32_t value = node->inputs[k];
            if (value == ONNX_NO_VALUE || value == mask || !recognition->meanings[value].from_input)
                continue;
            if (mask != ONNX_NO_VALUE)
                return error_set(
                    error, STATUS_UNSUPPORTED,
                    "%s: the inputs \"%.80s\" and \"%.80s\" both choose no rows of a table; only an "
                    "attention mask is expected to",
                    onnx->file_name, onnx->values[mask].name, onnx->values[value].name);
            mask = value;
        }
    }
    return STATUS_OK;
}

/* ---- nodes ---- */

static node_rule *find_rule(const struct onnx_node *node) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].operator_name, node->operator_name) == 0 &&
            strcmp(rules[i].domain, node->domain) == 0)
            return rules[i].rule;
    }
    return NULL;
}

/* What is not understood because an input was not is that input's fault. */
static void blame(const struct recognition *recognition, const struct onnx_node *node, uint32_t number,
                  struct meaning *result) {
    result->culprit = number;
    result->identity = NO_MEANING;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const struct meaning *input = meaning_of(recognition, node, i);
        if (has_input(node, i) && input->kind == MEANING_UNKNOWN && input->culprit != NO_MEANING) {
            result->culprit = input->culprit;
            result->reason = input->reason;
            return;
        }
    }
}

static bool reads_mask(const struct recognition *recognition, const struct onnx_node *node) {
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (meaning_of(recognition, node, i)->from_input)
            return true;
    }
    return false;
}

static void read_node(struct recognition *recognition, uint32_t number) {
    const struct onnx_node *node = &recognition->onnx->nodes[number];
    if (strcmp(node->operator_name, "Constant") == 0 && node->domain[0] == '\0')
        return;
    struct meaning unknown = {.kind = MEANING_UNKNOWN, .identity = NO_MEANING, .culprit = number};
    for (uint32_t i = 0; i < node->output_count; i++)
        meaning_set_output(recognition, node, i, &unknown);
    node_rule *rule = find_rule(node);
    struct meaning result = unknown;
    if (rule != NULL)
        rule(recognition, node, &result);
    if (result.kind == MEANING_UNKNOWN)
        blame(recognition, node, number, &result);
    result.from_input = result.kind == MEANING_UNIFORM && reads_mask(recognition, node);
    meaning_set_output(recognition, node, 0, &result);
}

enum status recognition_read(struct recognition *recognition, const struct onnx *onnx, struct error *error) {
    /* A fused attention adds three. */
    *recognition = (struct recognition){.onnx = onnx, .count = onnx->value_count};
    recognition->capacity = onnx->value_count + 4 * onnx->node_count + 1;
    recognition->meanings = calloc(recognition->capacity, sizeof *recognition->meanings);
    if (recognition->meanings == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to recognise the graph of %s",
                         onnx->file_name);
    for (uint32_t i = 0; i < onnx->value_count; i++) {
        struct meaning *meaning = &recognition->meanings[i];
        *meaning = meaning_new(MEANING_UNKNOWN);
        meaning->culprit = NO_MEANING;
        if (onnx->values[i].tensor == NULL)
            continue;
        meaning->kind = MEANING_CONSTANT;
        meaning->weight = matrix_of_tensor(onnx->values[i].tensor);
    }
    read_inputs(recognition);
    enum status status = check_masks(recognition, error);
    for (uint32_t i = 0; status == STATUS_OK && i < onnx->node_count; i++)
        read_node(recognition, i);
    return status;
}

void recognition_free(struct recognition *recognition) {
    free(recognition->meanings);
    *recognition = (struct recognition){0};
}
