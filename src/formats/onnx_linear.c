#include "formats/onnx_meaning.h"

#include <string.h>

/* ---- constants ---- */

/* Leading axes of 1 are left out; anything else of more than two axes is no matrix (rows 0). */
struct onnx_matrix matrix_of_tensor(const struct onnx_tensor *tensor) {
    struct onnx_matrix matrix = {
        .values = tensor, .rows = 1, .columns = 1, .is_vector = tensor->dimensions < 2};
    uint32_t rank = tensor->dimensions;
    for (uint32_t i = 0; i + 2 < rank; i++) {
        if (tensor->shape[i] != 1)
            matrix.rows = 0;
    }
    if (rank >= 1)
        matrix.columns = tensor->shape[rank - 1];
    if (rank >= 2)
        matrix.rows *= tensor->shape[rank - 2];
    matrix.outputs = matrix.rows;
    return matrix;
}

uint64_t vector_size(const struct meaning *meaning) {
    if (meaning->kind != MEANING_CONSTANT || meaning->weight.rows != 1 || meaning->weight.transposed ||
        (meaning->weight.scale == NULL && !onnx_tensor_is_float(meaning->weight.values)))
        return 0;
    return meaning->weight.columns;
}

bool matrix_set_scale(struct onnx_matrix *matrix, const struct onnx_tensor *scale,
                      const struct onnx_tensor *zero, enum onnx_scale_axis axis) {
    uint64_t expected = axis == ONNX_SCALE_ROWS ? matrix->rows : matrix->columns;
    if (matrix->scale != NULL || !onnx_tensor_is_quantized(matrix->values) || !onnx_tensor_is_float(scale) ||
        (scale->elements != 1 && scale->elements != expected))
        return false;
    if (zero != NULL &&
        (zero->type != matrix->values->type || (zero->elements != 1 && zero->elements != scale->elements)))
        return false;
    matrix->scale = scale;
    matrix->zero = zero;
    matrix->scale_axis = scale->elements == 1 ? ONNX_SCALE_ALL : axis;
    return true;
}

/* The axis of a matrix that a scale of that shape is spread along. */
static enum onnx_scale_axis broadcast_axis(const struct onnx_matrix *matrix,
                                           const struct onnx_tensor *scale) {
    bool column = scale->dimensions == 2 && scale->shape[1] == 1 && scale->shape[0] == matrix->rows;
    return column ? ONNX_SCALE_ROWS : ONNX_SCALE_COLUMNS;
}

/* (stored - zero) * scale written out with Cast, Sub and Mul. */
bool fold_constants(const struct meaning *a, const struct meaning *b, struct meaning *result) {
    if (b->kind == MEANING_CONSTANT && b->is_cast && b->weight.scale == NULL) {
        const struct meaning *swap = a;
        a = b;
        b = swap;
    }
    if (a->kind != MEANING_CONSTANT || b->kind != MEANING_CONSTANT || !a->is_cast ||
        b->weight.scale != NULL || a->weight.transposed)
        return false;
    struct meaning folded = *a;
    if (!matrix_set_scale(&folded.weight, b->weight.values, NULL,
                          broadcast_axis(&a->weight, b->weight.values)))
        return false;
    *result = folded;
    return true;
}

/* ---- quantization ---- */

void rule_dynamic_quantize(struct recognition *recognition, const struct onnx_node *node,
                           struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    if (!meaning_is_activation(input) || !meaning_is_plain(input, input->kind))
        return;
    const enum meaning_kind kinds[] = {MEANING_QUANTIZED, MEANING_QUANTIZED_SCALE, MEANING_QUANTIZED_ZERO};
    for (uint32_t i = 0; i < 3; i++) {
        struct meaning output = meaning_new(kinds[i]);
        output.a = input->identity;
        output.layout = input->layout;
        if (i == 0)
            *result = output;
        else
            meaning_set_output(recognition, node, i, &output);
    }
}

/* What static quantization writes around activations. */
void rule_quantize(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    (void)recognition;
    (void)node;
    result->reason = "activations quantized with fixed scales are not supported; quantize_dynamic's are";
}

static const struct onnx_tensor *constant_input(const struct recognition *recognition,
                                                const struct onnx_node *node, uint32_t input) {
    if (!has_input(node, input))
        return NULL;
    const struct meaning *meaning = meaning_of(recognition, node, input);
    return meaning->kind == MEANING_CONSTANT && meaning->weight.scale == NULL ? meaning->weight.values : NULL;
}

void rule_dequantize(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    const struct onnx_tensor *scale = constant_input(recognition, node, 1);
    const struct onnx_tensor *zero = constant_input(recognition, node, 2);
    if (scale == NULL || (has_input(node, 2) && zero == NULL) ||
        onnx_attribute_integer(node, "block_size", 0) != 0)
        return;
    int64_t axis = onnx_attribute_integer(node, "axis", 1);
    struct meaning changed = *input;
    if (input->kind == MEANING_CONSTANT) {
        int64_t rank = input->weight.values->dimensions;
        axis = axis < 0 ? axis + rank : axis;
        enum onnx_scale_axis along = axis == rank - 1 ? ONNX_SCALE_COLUMNS : ONNX_SCALE_ROWS;
        if (!input->weight.transposed && matrix_set_scale(&changed.weight, scale, zero, along))
            *result = changed;
        return;
    }
    if (input->kind != MEANING_EMBEDDING)
        return;
    struct onnx_matrix *tables[] = {&changed.word, &changed.position, &changed.segment};
    for (int i = 0; i < 3; i++) {
        if (tables[i]->values != NULL &&
            (scale->elements != 1 || !matrix_set_scale(tables[i], scale, zero, ONNX_SCALE_ROWS)))
            return;
    }
    changed.identity = NO_MEANING;
    *result = changed;
}

/* A quantized constant as the second input of a product of integers. */
static bool quantized_weight(const struct recognition *recognition, const struct onnx_node *node,
                             uint32_t input, struct onnx_matrix *weight) {
    const struct meaning *meaning = meaning_of(recognition, node, input);
    if (meaning->kind != MEANING_CONSTANT || meaning->weight.scale != NULL || meaning->weight.transposed ||
        !onnx_tensor_is_quantized(meaning->weight.values) || meaning->weight.values->dimensions != 2)
        return false;
    *weight = meaning->weight;
    return true;
}

static bool same_activation(const struct meaning *a, enum meaning_kind kind, const struct meaning *b) {
    return a->kind == kind && a->a == b->a;
}

void rule_mat_mul_integer(struct recognition *recognition, const struct onnx_node *node,
                          struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    struct onnx_matrix weight;
    if (input->kind != MEANING_QUANTIZED || !quantized_weight(recognition, node, 1, &weight))
        return;
    if (has_input(node, 3) && (weight.zero = constant_input(recognition, node, 3)) == NULL)
        return;
    if (!has_input(node, 2) ||
        !same_activation(meaning_of(recognition, node, 2), MEANING_QUANTIZED_ZERO, input))
        return;
    *result = meaning_new(MEANING_INTEGER_PRODUCT);
    result->a = input->a;
    result->layout = input->layout;
    result->weight = weight;
}

/* What was quantized: plain, as was checked then, and in the layout it has by now. */
struct meaning quantized_activation(const struct recognition *recognition, const struct meaning *quantized) {
    struct meaning activation = *meaning_at(recognition, quantized->a);
    activation.scale = 1;
    activation.shift = 0;
    activation.layout = quantized->layout;
    return activation;
}

/* An activation's scale times a constant's, or a product of integers times both. */
static bool multiply_quantized(const struct recognition *recognition, const struct meaning *a,
                               const struct meaning *b, struct meaning *result) {
    if (a->kind == MEANING_QUANTIZED_SCALE && b->kind == MEANING_CONSTANT && b->weight.scale == NULL) {
        *result = meaning_new(MEANING_SCALE_PRODUCT);
        result->a = a->a;
        result->weight = b->weight;
        return true;
    }
    if (a->kind != MEANING_INTEGER_PRODUCT || b->kind != MEANING_SCALE_PRODUCT || a->a != b->a)
        return false;
    struct onnx_matrix weight = a->weight;
    const struct meaning input = quantized_activation(recognition, a);
    return matrix_set_scale(&weight, b->weight.values, a->weight.zero, ONNX_SCALE_COLUMNS) &&
           product_make(&input, &weight, result);
}

bool steps_multiply(struct recognition *recognition, const struct meaning *a, const struct meaning *b,
                    struct meaning *result) {
    return multiply_quantized(recognition, a, b, result) || multiply_quantized(recognition, b, a, result) ||
           fold_constants(a, b, result);
}

/* ---- products ---- */

/* weight as stored: [inputs][outputs]; its rows become the outputs. */
bool product_make(const struct meaning *a, const struct onnx_matrix *weight, struct meaning *result) {
    uint32_t last = a->layout.rank == 0 ? 0 : a->layout.rank - 1;
    struct onnx_matrix turned = *weight;
    turned.transposed = !turned.transposed;
    uint64_t inputs = turned.transposed ? turned.rows : turned.columns;
    turned.outputs = turned.transposed ? turned.columns : turned.rows;
    if (!meaning_is_plain(a, a->kind) || !meaning_is_activation(a) || a->layout.rank == 0 || inputs == 0 ||
        turned.values->dimensions != 2 || layout_features(&a->layout, last) != inputs ||
        turned.outputs > UINT32_MAX || turned.outputs == 0 ||
        (turned.scale == NULL && !onnx_tensor_is_float(turned.values)))
        return false;
    struct meaning product = meaning_new(MEANING_PRODUCT);
    product.a = a->identity;
    product.weight = turned;
    product.layout = a->layout;
    product.layout.axes[last] = (struct axis){1, {{ATOM_FEATURES, (uint32_t)turned.outputs}}};
    *result = product;
    return true;
}

bool product_add_bias(struct meaning *product, const struct meaning *bias) {
    if (!meaning_is_plain(product, MEANING_PRODUCT) || product->bias.values != NULL ||
        vector_size(bias) != product->weight.outputs)
        return false;
    product->bias = bias->weight;
    product->identity = NO_MEANING; /* a meaning of its own */
    return true;
}

void rule_mat_mul(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    if (b->kind == MEANING_CONSTANT)
        (void)product_make(a, &b->weight, result);
    else
        (void)attention_multiply(recognition, a, b, false, 1, result);
}

void rule_fused_mat_mul(struct recognition *recognition, const struct onnx_node *node,
                        struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    bool transpose_b = onnx_attribute_integer(node, "transB", 0) != 0;
    if (onnx_attribute_integer(node, "transA", 0) != 0 ||
        onnx_attribute_integer(node, "transBatchA", 0) != 0 ||
        onnx_attribute_integer(node, "transBatchB", 0) != 0)
        return;
    double factor = onnx_attribute_number(node, "alpha", 1);
    struct onnx_matrix weight = b->weight;
    weight.transposed = weight.transposed != transpose_b;
    if (b->kind != MEANING_CONSTANT)
        (void)attention_multiply(recognition, a, b, transpose_b, factor, result);
    else if (product_make(a, &weight, result))
        result->scale = factor;
}

void rule_gemm(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    if (b->kind != MEANING_CONSTANT || onnx_attribute_integer(node, "transA", 0) != 0 ||
        onnx_attribute_number(node, "alpha", 1) != 1 || onnx_attribute_number(node, "beta", 1) != 1)
        return;
    struct onnx_matrix weight = b->weight;
    struct meaning product;
    weight.transposed = weight.transposed != (onnx_attribute_integer(node, "transB", 0) != 0);
    if (!product_make(a, &weight, &product))
        return;
    if (!has_input(node, 2) || product_add_bias(&product, meaning_of(recognition, node, 2)))
        *result = product;
}

/* com.microsoft: a, b, a's scale, b's scale, a's zero point, b's zero point, bias. */
void rule_mat_mul_integer_to_float(struct recognition *recognition, const struct onnx_node *node,
                                   struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0);
    const struct onnx_tensor *scale = constant_input(recognition, node, 3);
    const struct onnx_tensor *zero = constant_input(recognition, node, 5);
    struct onnx_matrix weight;
    struct meaning product;
    if (a->kind != MEANING_QUANTIZED || !quantized_weight(recognition, node, 1, &weight) || scale == NULL ||
        !same_activation(meaning_of(recognition, node, 2), MEANING_QUANTIZED_SCALE, a) ||
        !has_input(node, 4) ||
        !same_activation(meaning_of(recognition, node, 4), MEANING_QUANTIZED_ZERO, a) ||
        (has_input(node, 5) && zero == NULL) || !matrix_set_scale(&weight, scale, zero, ONNX_SCALE_COLUMNS))
        return;
    const struct meaning input = quantized_activation(recognition, a);
    if (product_make(&input, &weight, &product) &&
        (!has_input(node, 6) || product_add_bias(&product, meaning_of(recognition, node, 6))))
        *result = product;
}

/* com.microsoft: a, b, b's scale, b's zero point, bias. */
void rule_dynamic_quantize_mat_mul(struct recognition *recognition, const struct onnx_node *node,
                                   struct meaning *result) {
    const struct onnx_tensor *scale = constant_input(recognition, node, 2);
    const struct onnx_tensor *zero = constant_input(recognition, node, 3);
    struct onnx_matrix weight;
    struct meaning product;
    if (!quantized_weight(recognition, node, 1, &weight) || scale == NULL ||
        (has_input(node, 3) && zero == NULL) || !matrix_set_scale(&weight, scale, zero, ONNX_SCALE_COLUMNS))
        return;
    if (product_make(meaning_of(recognition, node, 0), &weight, &product) &&
        (!has_input(node, 4) || product_add_bias(&product, meaning_of(recognition, node, 4))))
        *result = product;
}
