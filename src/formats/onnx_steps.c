#include "formats/onnx_meaning.h"

#include <math.h>
#include <string.h>

#define SQRT_HALF 0.70710678118654752

const char reason_activation[] = "this activation is not supported; supported: GELU by erf";
const char reason_tanh_gelu[] = "GELU approximated by tanh is not supported; supported: GELU by erf";
const char reason_mask[] = "it changes the scores of tokens that the attention mask keeps";
const char reason_input[] =
    "an input of the graph decides here what a BERT's ids, segments, positions and mask do not decide";
const char reason_scale[] = "the scores are not divided by the square root of the head's size";

bool near(double a, double b) {
    return fabs(a - b) <= 1e-4 * fabs(b);
}

bool meaning_is_activation(const struct meaning *meaning) {
    return meaning->kind >= MEANING_EMBEDDING && meaning->kind != MEANING_UNKNOWN;
}

bool meaning_is_plain(const struct meaning *meaning, enum meaning_kind kind) {
    return meaning->kind == kind && near(meaning->scale, 1) && meaning->shift == 0;
}

static struct meaning step(enum meaning_kind kind, const struct meaning *of) {
    struct meaning result = meaning_new(kind);
    result.a = of->identity;
    result.layout = of->layout;
    return result;
}

/* ---- embeddings ---- */

bool embedding_gather(const struct meaning *table, const struct meaning *index, struct meaning *result) {
    struct meaning embedding = meaning_new(MEANING_EMBEDDING);
    struct onnx_matrix rows = table->weight;
    double row;
    bool is_table = rows.rows > 0 && rows.columns > 0 && rows.columns <= UINT32_MAX && !rows.transposed &&
                    rows.values->dimensions >= 2 &&
                    (onnx_tensor_is_float(rows.values) || onnx_tensor_is_quantized(rows.values));
    if (!is_table)
        return false;
    if (index->kind == MEANING_IDS) {
        embedding.word = rows;
    } else if (index->kind == MEANING_POSITIONS) {
        embedding.position = rows;
    } else if (index->kind == MEANING_SEGMENTS) {
        embedding.segment = rows;
    } else if (index->from_input) {
        result->reason = reason_input;
        return false;
    } else if (number_of(index, &row) && row >= 0 && row < (double)rows.rows) {
        rows.first = (uint64_t)row;
        rows.outputs = 1;
        embedding.segment = rows;
        embedding.segment_is_fixed = true;
    } else {
        return false;
    }
    embedding.layout = layout_of("BSF", (uint32_t)rows.columns);
    *result = embedding;
    return true;
}

static bool take_table(struct onnx_matrix *table, const struct onnx_matrix *other) {
    if (other->values == NULL)
        return true;
    if (table->values != NULL)
        return false;
    *table = *other;
    return true;
}

static bool embedding_add(const struct meaning *a, const struct meaning *b, struct meaning *result) {
    if (!meaning_is_plain(a, MEANING_EMBEDDING))
        return false;
    struct meaning sum = *a;
    uint32_t features = layout_features(&a->layout, a->layout.rank - 1);
    if (meaning_is_plain(b, MEANING_EMBEDDING)) {
        if (!take_table(&sum.word, &b->word) || !take_table(&sum.position, &b->position) ||
            !take_table(&sum.segment, &b->segment) ||
            layout_features(&b->layout, b->layout.rank - 1) != features)
            return false;
        sum.segment_is_fixed = a->segment_is_fixed || b->segment_is_fixed;
    } else if (vector_size(b) == features && sum.segment.values == NULL) {
        sum.segment = b->weight;
        sum.segment_is_fixed = true;
    } else {
        return false;
    }
    sum.identity = NO_MEANING;
    *result = sum;
    return true;
}

/* ---- sums ---- */

static bool same_layout(const struct layout *a, const struct layout *b) {
    return (layout_is(a, "BSF") && layout_is(b, "BSF")) || (layout_is(a, "TF") && layout_is(b, "TF"));
}

static bool residual_add(const struct meaning *a, const struct meaning *b, struct meaning *result) {
    if (!meaning_is_plain(a, MEANING_STATE) || !meaning_is_plain(b, MEANING_PRODUCT) ||
        !same_layout(&a->layout, &b->layout) ||
        layout_features(&a->layout, a->layout.rank - 1) != layout_features(&b->layout, b->layout.rank - 1))
        return false;
    *result = step(MEANING_SUM, a);
    result->b = b->identity;
    return true;
}

static bool bias_add(const struct meaning *a, const struct meaning *b, struct meaning *result) {
    struct meaning product = *a;
    if (!product_add_bias(&product, b))
        return false;
    *result = product;
    return true;
}

/* The last step of a layer normalization. */
static bool norm_add(const struct meaning *a, const struct meaning *b, struct meaning *result) {
    if (!meaning_is_plain(a, MEANING_NORMALIZED) || a->weight.values == NULL ||
        vector_size(b) != layout_features(&a->layout, a->layout.rank - 1))
        return false;
    *result = *a;
    result->kind = MEANING_STATE;
    result->identity = NO_MEANING;
    result->bias = b->weight;
    return true;
}

static bool number_add(const struct meaning *a, const struct meaning *b, double sign,
                       struct meaning *result) {
    double number;
    if ((!meaning_is_activation(a) && a->kind != MEANING_POSITIONS) || !number_of(b, &number))
        return false;
    if (a->kind == MEANING_SCORES && number != 0) {
        result->reason = reason_mask;
        return true;
    }
    if (b->from_input && a->kind != MEANING_SCORES) {
        result->reason = reason_input;
        return true;
    }
    if (a->kind == MEANING_POSITIONS && number != 0)
        return false;
    *result = *a;
    result->shift += sign * number;
    return true;
}

static bool add_ordered(const struct meaning *a, const struct meaning *b, struct meaning *result) {
    return bias_add(a, b, result) || residual_add(a, b, result) || norm_add(a, b, result) ||
           embedding_add(a, b, result) || number_add(a, b, 1, result);
}

void rule_add(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    (void)(fold_arithmetic('+', a, b, result) || add_ordered(a, b, result) || add_ordered(b, a, result));
}

void rule_sub(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    const struct onnx_tensor *zero = b->weight.values;
    if (fold_arithmetic('-', a, b, result))
        return;
    if (meaning_is_plain(b, MEANING_MEAN) && a->identity == b->a && a->scale == 1 && a->shift == 0)
        *result = step(MEANING_CENTERED, a);
    else if (a->kind == MEANING_CONSTANT && a->is_cast && b->kind == MEANING_CONSTANT &&
             b->weight.scale == NULL && zero->elements == 1 && onnx_tensor_number(zero, 0) == 0)
        *result = *a;
    else
        (void)number_add(a, b, -1, result);
}

/* ---- products of elements ---- */

static bool gelu_multiply(const struct meaning *a, const struct meaning *b, struct meaning *result) {
    if (b->kind != MEANING_ERF || a->kind != MEANING_PRODUCT || a->identity != b->a || a->shift != 0 ||
        !near(b->shift, b->scale))
        return false;
    /* a x (b + b erf(x / sqrt 2)) = 2 a b gelu(x) */
    *result = step(MEANING_GELU, a);
    result->scale = 2 * a->scale * b->scale;
    return true;
}

static bool norm_multiply(const struct meaning *a, const struct meaning *b, struct meaning *result) {
    if (!meaning_is_plain(a, MEANING_NORMALIZED) || a->weight.values != NULL ||
        vector_size(b) != layout_features(&a->layout, a->layout.rank - 1))
        return false;
    *result = *a;
    result->weight = b->weight;
    return true;
}

/* Of what an input of the graph decides, the mask may leave out tokens before they are pooled. */
static bool number_multiply(const struct meaning *a, double number, bool from_input, struct meaning *result) {
    if (!meaning_is_activation(a))
        return false;
    if (from_input && a->kind != MEANING_STATE) {
        result->reason = reason_input;
        return true;
    }
    *result = *a;
    result->scale *= number;
    result->shift *= number;
    return true;
}

static bool square(const struct meaning *input, struct meaning *result) {
    if (input->kind == MEANING_PRODUCT) {
        result->reason = reason_tanh_gelu;
        return true;
    }
    if (!meaning_is_plain(input, MEANING_CENTERED))
        return false;
    *result = step(MEANING_SQUARES, input);
    result->a = input->a;
    return true;
}

static bool multiply_ordered(const struct meaning *a, const struct meaning *b, struct meaning *result) {
    double number;
    return gelu_multiply(a, b, result) || norm_multiply(a, b, result) ||
           (number_of(b, &number) && number_multiply(a, number, b->from_input, result));
}

void rule_mul(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    if (node->input_count == 2 && node->inputs[0] == node->inputs[1] && square(a, result))
        return;
    (void)(fold_arithmetic('*', a, b, result) || steps_multiply(recognition, a, b, result) ||
           multiply_ordered(a, b, result) || multiply_ordered(b, a, result));
}

void rule_div(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    double number;
    if (fold_arithmetic('/', a, b, result))
        return;
    if (meaning_is_plain(a, MEANING_CENTERED) && meaning_is_plain(b, MEANING_DEVIATION) && a->a == b->a) {
        *result = step(MEANING_NORMALIZED, a);
        result->a = a->a;
        result->epsilon = b->epsilon;
    } else if (meaning_is_plain(a, MEANING_TOTAL) && meaning_is_plain(b, MEANING_COUNT)) {
        *result = step(MEANING_AVERAGE, a);
        result->a = a->a;
    } else if (meaning_is_plain(b, MEANING_LENGTH) && a->identity == b->a && a->scale == 1 && a->shift == 0) {
        *result = step(MEANING_UNIT, a);
    } else if (number_of(b, &number) && number != 0) {
        (void)number_multiply(a, 1 / number, b->from_input, result);
    }
}

void rule_pow(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *a = meaning_of(recognition, node, 0), *b = meaning_of(recognition, node, 1);
    double power;
    if (fold_arithmetic('^', a, b, result) || !number_of(b, &power))
        return;
    if (power == 2)
        (void)square(a, result);
    else if (power == 3 && a->kind == MEANING_PRODUCT)
        result->reason = reason_tanh_gelu;
}

void rule_sqrt(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    double number;
    if (number_of(input, &number) && number >= 0) {
        *result = meaning_uniform(sqrt(number));
    } else if (input->kind == MEANING_VARIANCE && input->scale == 1) {
        *result = step(MEANING_DEVIATION, input);
        result->a = input->a;
        result->epsilon = input->shift;
    }
}

void rule_reciprocal(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    double number;
    if (number_of(meaning_of(recognition, node, 0), &number) && number != 0)
        *result = meaning_uniform(1 / number);
}

/* ---- sums over an axis ---- */

/* Of a value of that many axes. */
static bool is_last_axis(int64_t axis, uint32_t rank) {
    return axis == -1 || axis == (int64_t)rank - 1;
}

/* The one axis that a node reduces; false where it reduces several, or all. */
static bool reduced_axis(const struct recognition *recognition, const struct onnx_node *node, uint32_t rank,
                         uint32_t *axis) {
    int64_t axes[LAYOUT_MAX_AXES];
    uint32_t count;
    if (rank == 0 || !axes_of(recognition, node, 1, axes, &count) || count != 1)
        return false;
    int64_t chosen = axes[0] < 0 ? axes[0] + rank : axes[0];
    *axis = (uint32_t)chosen;
    return chosen >= 0 && chosen < rank;
}

static void drop_axis(const struct onnx_node *node, uint32_t axis, struct layout *layout) {
    layout->axes[axis].count = 0;
    if (onnx_attribute_integer(node, "keepdims", 1) == 0)
        (void)layout_remove(layout, axis);
}

static void over_tokens(const struct onnx_node *node, const struct meaning *input, uint32_t axis,
                        enum meaning_kind kind, struct meaning *result) {
    if (!meaning_is_plain(input, MEANING_STATE) || !layout_is(&input->layout, "BSF") || axis != 1)
        return;
    *result = step(kind, input);
    drop_axis(node, axis, &result->layout);
}

void rule_reduce_mean(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    uint32_t axis;
    if (!reduced_axis(recognition, node, input->layout.rank, &axis))
        return;
    if (axis + 1 < input->layout.rank) {
        over_tokens(node, input, axis, MEANING_AVERAGE, result);
    } else if (onnx_attribute_integer(node, "keepdims", 1) == 0) {
        return;
    } else if (meaning_is_plain(input, MEANING_SUM) || meaning_is_plain(input, MEANING_EMBEDDING)) {
        *result = step(MEANING_MEAN, input);
    } else if (meaning_is_plain(input, MEANING_SQUARES)) {
        *result = step(MEANING_VARIANCE, input);
        result->a = input->a;
    }
}

/* Whether ones are summed over the tokens of a text alone; where their axes are not known any more, those are
 * the second. */
static bool sums_tokens(const struct recognition *recognition, const struct onnx_node *node,
                        const struct meaning *ones) {
    int64_t axes[LAYOUT_MAX_AXES];
    uint32_t count;
    const struct layout *layout = &ones->layout;
    if (!axes_of(recognition, node, 1, axes, &count) || count != 1)
        return false;
    if (layout->rank == 0)
        return axes[0] == 1;
    int64_t axis = axes[0] < 0 ? axes[0] + layout->rank : axes[0];
    return axis >= 0 && axis < layout->rank && layout->axes[axis].count == 1 &&
           layout->axes[axis].atoms[0].kind == ATOM_SEQUENCE;
}

void rule_reduce_sum(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    uint32_t axis;
    if (input->kind == MEANING_UNIFORM && input->shift == 1 && sums_tokens(recognition, node, input))
        *result = meaning_new(MEANING_COUNT);
    else if (reduced_axis(recognition, node, input->layout.rank, &axis))
        over_tokens(node, input, axis, MEANING_TOTAL, result);
}

static bool is_vector_of_text(const struct meaning *meaning) {
    return meaning_is_plain(meaning, MEANING_AVERAGE) || meaning_is_plain(meaning, MEANING_FIRST);
}

void rule_reduce_l2(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    uint32_t axis;
    if (is_vector_of_text(input) && reduced_axis(recognition, node, input->layout.rank, &axis) &&
        axis + 1 == input->layout.rank)
        *result = step(MEANING_LENGTH, input);
}

void rule_lp_normalization(struct recognition *recognition, const struct onnx_node *node,
                           struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    int64_t axis = onnx_attribute_integer(node, "axis", -1);
    if (is_vector_of_text(input) && onnx_attribute_integer(node, "p", 2) == 2 &&
        is_last_axis(axis, input->layout.rank))
        *result = step(MEANING_UNIT, input);
}

/* ---- normalization and activations ---- */

void rule_layer_normalization(struct recognition *recognition, const struct onnx_node *node,
                              struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    const struct meaning *weight = meaning_of(recognition, node, 1), *bias = meaning_of(recognition, node, 2);
    int64_t axis = onnx_attribute_integer(node, "axis", -1);
    bool fits = meaning_is_plain(input, MEANING_SUM) || meaning_is_plain(input, MEANING_EMBEDDING);
    if (!fits || input->layout.rank == 0 || !is_last_axis(axis, input->layout.rank))
        return;
    uint32_t features = layout_features(&input->layout, input->layout.rank - 1);
    if (features == 0 || vector_size(weight) != features ||
        (has_input(node, 2) && vector_size(bias) != features))
        return;
    *result = step(MEANING_STATE, input);
    result->weight = weight->weight;
    if (has_input(node, 2))
        result->bias = bias->weight;
    result->epsilon = onnx_attribute_number(node, "epsilon", 1e-5);
}

void rule_erf(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    if (input->kind == MEANING_PRODUCT && near(input->scale, SQRT_HALF) && input->shift == 0)
        *result = step(MEANING_ERF, input);
}

static void gelu(const struct meaning *input, struct meaning *result) {
    if (meaning_is_plain(input, MEANING_PRODUCT))
        *result = step(MEANING_GELU, input);
}

void rule_gelu(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const Onnx__AttributeProto *approximate = onnx_attribute(node, "approximate");
    if (approximate != NULL && approximate->has_s && approximate->s.len == 4 &&
        memcmp(approximate->s.data, "tanh", 4) == 0)
        result->reason = reason_tanh_gelu;
    else
        gelu(meaning_of(recognition, node, 0), result);
}

void rule_bias_gelu(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    struct meaning product = *meaning_of(recognition, node, 0);
    if (!product_add_bias(&product, meaning_of(recognition, node, 1)))
        return;
    product.identity = meaning_add(recognition, &product);
    gelu(&product, result);
}

void rule_fast_gelu(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    (void)recognition;
    (void)node;
    result->reason = reason_tanh_gelu;
}

/* Of a product that only an activation would follow. */
void rule_activation(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    if (meaning_of(recognition, node, 0)->kind == MEANING_PRODUCT)
        result->reason = reason_activation;
}

void rule_tanh(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    if (meaning_is_plain(input, MEANING_PRODUCT) && meaning_at(recognition, input->a)->kind == MEANING_FIRST)
        *result = step(MEANING_POOLED, input);
    else
        rule_activation(recognition, node, result);
}

void rule_sigmoid(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    if (meaning_is_plain(input, MEANING_PRODUCT) && meaning_at(recognition, input->a)->kind == MEANING_POOLED)
        *result = step(MEANING_LOGIT, input);
    else
        rule_activation(recognition, node, result);
}

/* ---- attention ---- */

/* The layout of heads [batch, heads, rows, columns], or batch and heads in one axis. */
static bool is_heads(const struct layout *layout, const char *rows_and_columns) {
    char whole[5] = "Bn", joined[4] = "X";
    memcpy(whole + 2, rows_and_columns, 3);
    memcpy(joined + 1, rows_and_columns, 3);
    return layout_is(layout, whole) || layout_is(layout, joined);
}

static struct dimension heads_of(const struct layout *layout) {
    struct dimension heads = dimension_of(1);
    for (uint32_t i = 0; i + 2 < layout->rank; i++)
        heads = dimension_multiply(heads, layout_dimension(layout, i));
    return heads;
}

static bool score(const struct meaning *queries, const struct meaning *keys, bool transposed, double factor,
                  struct meaning *result) {
    const struct layout *q = &queries->layout, *k = &keys->layout;
    if (queries->shift != 0 || keys->shift != 0 || !is_heads(q, "Sd") ||
        !is_heads(k, transposed ? "Sd" : "dS") || q->rank != k->rank)
        return false;
    struct dimension heads = heads_of(q);
    uint32_t size = (uint32_t)layout_dimension(q, q->rank - 1).factor;
    if (layout_dimension(k, transposed ? k->rank - 1 : k->rank - 2).factor != size ||
        heads_of(k).factor != heads.factor)
        return false;
    *result = step(MEANING_SCORES, queries);
    result->b = keys->identity;
    result->scale = queries->scale * keys->scale * factor;
    result->heads = (uint32_t)heads.factor;
    result->head_size = size;
    result->layout.axes[q->rank - 1] = q->axes[q->rank - 2];
    return true;
}

static bool weigh(const struct meaning *probabilities, const struct meaning *values, struct meaning *result) {
    const struct layout *p = &probabilities->layout, *v = &values->layout;
    if (!meaning_is_plain(probabilities, MEANING_PROBABILITIES) ||
        !meaning_is_plain(values, MEANING_PRODUCT) || !is_heads(v, "Sd") || p->rank != v->rank ||
        heads_of(v).factor != probabilities->heads ||
        layout_dimension(v, v->rank - 1).factor != probabilities->head_size)
        return false;
    *result = *probabilities;
    result->kind = MEANING_CONTEXT;
    result->identity = NO_MEANING;
    result->c = values->identity;
    result->layout.axes[p->rank - 1] = v->axes[v->rank - 1];
    return true;
}

bool attention_multiply(struct recognition *recognition, const struct meaning *a, const struct meaning *b,
                        bool transpose_b, double factor, struct meaning *result) {
    (void)recognition;
    if (a->kind == MEANING_PRODUCT && b->kind == MEANING_PRODUCT)
        return score(a, b, transpose_b, factor, result);
    return !transpose_b && factor == 1 && weigh(a, b, result);
}

void rule_softmax(struct recognition *recognition, const struct onnx_node *node, struct meaning *result) {
    const struct meaning *input = meaning_of(recognition, node, 0);
    /* Up to operator set 12 the axis' default was 1. */
    int64_t axis = onnx_attribute_integer(node, "axis", recognition->onnx->operator_set < 13 ? 1 : -1);
    if (input->kind != MEANING_SCORES || !is_last_axis(axis, input->layout.rank))
        return;
    if (!near(input->scale, 1 / sqrt((double)input->head_size))) {
        result->reason = reason_scale;
        return;
    }
    *result = *input;
    result->kind = MEANING_PROBABILITIES;
    result->identity = NO_MEANING;
    result->scale = 1;
    result->shift = 0;
}
