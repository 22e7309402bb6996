/* The meaning of each value of a graph in the terms of BERT, built node by node in the order of computation.
 * A part of formats/onnx_bert.h, not used elsewhere.
 *
 * The attention mask is taken to be all ones, as it is for a text without padding: what is computed from it
 * is then one number in all elements (UNIFORM), and a mask that would change the scores nevertheless is
 * noticed. Such a number may choose what attention and pooling see, and nothing else. */
#ifndef RESCOLDO_FORMATS_ONNX_MEANING_H
#define RESCOLDO_FORMATS_ONNX_MEANING_H

#include "formats/onnx_bert.h"
#include "formats/onnx_layout.h"

#define NO_MEANING UINT32_MAX

enum meaning_kind {
    MEANING_UNKNOWN = 0,
    MEANING_CONSTANT, /* weight: a tensor of the file */
    MEANING_INTEGERS, /* shape arithmetic */
    MEANING_UNIFORM,  /* shift in all elements */
    /* indices of tokens, segments and positions */
    MEANING_IDS,
    MEANING_SEGMENTS,
    MEANING_POSITIONS,
    MEANING_INDICES, /* whole numbers from 0 on, of something else */
    /* the three outputs of DynamicQuantizeLinear of a */
    MEANING_QUANTIZED,
    MEANING_QUANTIZED_SCALE,
    MEANING_QUANTIZED_ZERO,
    MEANING_SCALE_PRODUCT,   /* a's scale times weight's, a constant */
    MEANING_INTEGER_PRODUCT, /* a times weight, both quantized */
    MEANING_EMBEDDING,       /* the sum of rows of the tables word, position, segment */
    MEANING_PRODUCT,         /* a times weight, plus bias where bias.values is set */
    MEANING_SUM,             /* a (a state) + b (a product) */
    /* the steps of a layer normalization of a */
    MEANING_MEAN,
    MEANING_CENTERED,
    MEANING_SQUARES,
    MEANING_VARIANCE,
    MEANING_DEVIATION,
    MEANING_NORMALIZED, /* with weight where it is multiplied already */
    MEANING_STATE,      /* the layer normalization of a (an embedding or a sum): weight, bias, epsilon */
    MEANING_ERF,        /* erf(a / sqrt(2)) */
    MEANING_GELU,       /* of a */
    /* attention of the queries a, the keys b and the values c, all products */
    MEANING_SCORES,
    MEANING_PROBABILITIES,
    MEANING_CONTEXT,
    MEANING_FIRST,   /* the rows of a state (a) at the first token */
    MEANING_POOLED,  /* tanh of a product (a) of FIRST */
    MEANING_LOGIT,   /* sigmoid of a product (a) of POOLED */
    MEANING_TOTAL,   /* the sum of a state's (a) rows over the tokens */
    MEANING_COUNT,   /* of the tokens */
    MEANING_AVERAGE, /* the mean of a state's (a) rows over the tokens */
    MEANING_LENGTH,  /* the L2 norm of a (FIRST or AVERAGE) */
    MEANING_UNIT,    /* a divided by its L2 norm */
};

/* What stands in the graph is scale * (what kind says) + shift. */
struct meaning {
    enum meaning_kind kind;
    uint32_t identity; /* of what kind says, whatever its scale and layout */
    uint32_t a, b, c;  /* identities */
    double scale, shift, epsilon;
    uint32_t heads, head_size;
    struct layout layout;
    struct onnx_matrix weight, bias;
    struct onnx_matrix word, position, segment;
    struct integers integers;
    bool segment_is_fixed; /* segment is one row, added whatever the segment */
    bool is_cast;          /* a constant of integers that was made floats */
    bool from_input;       /* UNIFORM: made from an input of the graph, the mask, and not a constant */
    uint32_t culprit;      /* UNKNOWN: the node that is not understood */
    const char *reason;    /* of it, NULL: none but that */
};

struct recognition {
    const struct onnx *onnx;
    struct meaning *meanings; /* of values, then of parts of fused nodes */
    uint32_t count, capacity;
    struct onnx_bert *bert;
};

/* What a rule makes of a node: its first output, and by rule_output the others. Nothing: not understood. */
typedef void node_rule(struct recognition *recognition, const struct onnx_node *node, struct meaning *result);

/* Of an input, a meaning of kind UNKNOWN without a culprit where it is left out. */
const struct meaning *meaning_of(const struct recognition *recognition, const struct onnx_node *node,
                                 uint32_t input);
static inline bool has_input(const struct onnx_node *node, uint32_t input) {
    return input < node->input_count && node->inputs[input] != ONNX_NO_VALUE;
}
/* By identity. */
const struct meaning *meaning_at(const struct recognition *recognition, uint32_t identity);
/* Adds a meaning that no value of the graph has; returns its identity. */
uint32_t meaning_add(struct recognition *recognition, const struct meaning *meaning);
void meaning_set_output(struct recognition *recognition, const struct onnx_node *node, uint32_t output,
                        const struct meaning *meaning);

static inline struct meaning meaning_new(enum meaning_kind kind) {
    return (struct meaning){
        .kind = kind, .identity = NO_MEANING, .a = NO_MEANING, .b = NO_MEANING, .c = NO_MEANING, .scale = 1};
}
static inline struct meaning meaning_uniform(double number) {
    struct meaning meaning = meaning_new(MEANING_UNIFORM);
    meaning.shift = number;
    return meaning;
}
/* An activation: what a scale and a layout make sense for. */
bool meaning_is_activation(const struct meaning *meaning);
/* Of that kind, neither scaled nor shifted. */
bool meaning_is_plain(const struct meaning *meaning, enum meaning_kind kind);
bool near(double a, double b);
static inline bool meaning_is_index(const struct meaning *meaning) {
    return meaning->kind == MEANING_POSITIONS || meaning->kind == MEANING_INDICES;
}

/* Reasons. */
extern const char reason_activation[], reason_tanh_gelu[], reason_mask[], reason_scale[], reason_input[];

/* ---- onnx_fold.c: numbers ---- */
bool number_of(const struct meaning *meaning, double *number);
bool integers_of(const struct meaning *meaning, struct integers *integers);
bool is_integer_list(const struct meaning *meaning, int64_t *list, uint32_t *count, uint32_t capacity);
bool fold_arithmetic(char operation, const struct meaning *a, const struct meaning *b,
                     struct meaning *result);
node_rule rule_constant_of_shape, rule_comparison, rule_where, rule_not, rule_and, rule_is_nan, rule_identity,
    rule_dropout, rule_cast, rule_minimum;

/* ---- onnx_shape.c: shapes and layouts ---- */
/* The axes of a node: its attribute "axes", or its input; count 0 where neither is there. */
bool axes_of(const struct recognition *recognition, const struct onnx_node *node, uint32_t input,
             int64_t *axes, uint32_t *count);
void part_of(int64_t start, int64_t end, uint32_t count, uint32_t *first, uint32_t *last);
node_rule rule_shape, rule_concat, rule_range, rule_expand, rule_unsqueeze, rule_squeeze, rule_reshape,
    rule_flatten, rule_transpose;

/* ---- onnx_choose.c: parts of values ---- */
node_rule rule_slice, rule_gather, rule_gather_nd;

/* ---- onnx_linear.c: constants, quantization and products ---- */
struct onnx_matrix matrix_of_tensor(const struct onnx_tensor *tensor);
/* The size of the last axis where meaning is a constant vector (leading axes of 1 allowed); 0 otherwise. */
uint64_t vector_size(const struct meaning *meaning);
bool matrix_set_scale(struct onnx_matrix *matrix, const struct onnx_tensor *scale,
                      const struct onnx_tensor *zero, enum onnx_scale_axis axis);
/* a times a constant; false where shapes do not fit. */
bool product_make(const struct meaning *a, const struct onnx_matrix *weight, struct meaning *result);
struct meaning quantized_activation(const struct recognition *recognition, const struct meaning *quantized);
bool product_add_bias(struct meaning *product, const struct meaning *bias);
bool fold_constants(const struct meaning *a, const struct meaning *b, struct meaning *result);
node_rule rule_dynamic_quantize, rule_mat_mul_integer, rule_dequantize, rule_gemm, rule_mat_mul,
    rule_fused_mat_mul, rule_mat_mul_integer_to_float, rule_dynamic_quantize_mat_mul, rule_quantize;

/* ---- onnx_steps.c: what a layer is made of ---- */
bool steps_multiply(struct recognition *recognition, const struct meaning *a, const struct meaning *b,
                    struct meaning *result);
bool embedding_gather(const struct meaning *table, const struct meaning *index, struct meaning *result);
bool attention_multiply(struct recognition *recognition, const struct meaning *a, const struct meaning *b,
                        bool transpose_b, double factor, struct meaning *result);
node_rule rule_add, rule_sub, rule_mul, rule_div, rule_pow, rule_sqrt, rule_reduce_mean, rule_reduce_sum,
    rule_reduce_l2, rule_lp_normalization, rule_layer_normalization, rule_erf, rule_gelu, rule_tanh,
    rule_sigmoid, rule_softmax, rule_activation, rule_fast_gelu, rule_bias_gelu, rule_reciprocal;

/* ---- onnx_fused.c: operators of ONNX Runtime (domain com.microsoft) ---- */
node_rule rule_fused_gemm, rule_attention, rule_quantized_attention, rule_multi_head_attention,
    rule_skip_layer_normalization, rule_embed_layer_normalization, rule_quantized_embed_layer_normalization;

#endif
