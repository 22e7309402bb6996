/* What is recognised in an ONNX graph, and above all what is not: a graph that computes anything else than
 * the BERT that would be baked from it must be refused, and say where. */
#include "formats/onnx_bert.h"
#include "onnx_text.h"
#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

struct opened {
    struct buffer file;
    struct onnx onnx;
    struct onnx_bert bert;
    struct error error;
    enum status status;
};

static void open_text(struct opened *opened, const char *text, int64_t operator_set) {
    memset(opened, 0, sizeof *opened);
    onnx_text_write(text, operator_set, &opened->file);
    opened->status = onnx_open(&opened->onnx, buffer_bytes(&opened->file), "m.onnx", &onnx_text_companions,
                               &opened->error);
    if (opened->status == STATUS_OK)
        opened->status = onnx_bert_recognise(&opened->onnx, &opened->bert, &opened->error);
}

static void close_text(struct opened *opened) {
    onnx_bert_free(&opened->bert);
    onnx_close(&opened->onnx);
    buffer_free(&opened->file);
}

/* Replaces `from` in the model of onnx_text.h and opens it. */
static void open_changed(struct opened *opened, const char *from, const char *to) {
    char *text = onnx_text_replace(onnx_text_bert, from, to);
    open_text(opened, text, 17);
    free(text);
}

static void assert_refused(const char *from, const char *to, const char *part_of_message) {
    struct opened opened;
    open_changed(&opened, from, to);
    if (opened.status == STATUS_OK)
        fail_msg("accepted with \"%s\"", to);
    if (strstr(opened.error.message, part_of_message) == NULL ||
        strncmp(opened.error.message, "m.onnx: ", 8) != 0)
        fail_msg("with \"%s\": \"%s\" does not say \"%s\"", to, opened.error.message, part_of_message);
    close_text(&opened);
}

static void assert_accepted(const char *from, const char *to) {
    struct opened opened;
    open_changed(&opened, from, to);
    if (opened.status != STATUS_OK)
        fail_msg("with \"%s\": %s", to, opened.error.message);
    assert_int_equal(opened.bert.shape.layers, 1);
    assert_false(opened.bert.one_segment);
    close_text(&opened);
}

static float weight_at(const struct onnx_bert *bert, const char *name, size_t place) {
    const struct tensor_source source = onnx_bert_tensors(bert);
    struct source_tensor tensor;
    struct error error;
    float value;
    assert_true(source.find(source.reader, name, &tensor));
    if (source.read(source.reader, &tensor, place, 1, &value, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return value;
}

/* Element i of the file of weights. */
static float number(size_t i) {
    return (float)(i + 1) * 0x1p-14f;
}

static void assert_number(float actual, float expected) {
    if (actual != expected)
        fail_msg("%g, expected %g", (double)actual, (double)expected);
}

static void the_whole_model_is_found(void **state) {
    (void)state;
    struct opened opened;
    open_text(&opened, onnx_text_bert, 17);
    if (opened.status != STATUS_OK)
        fail_msg("%s", opened.error.message);
    const struct onnx_bert *bert = &opened.bert;
    assert_int_equal(bert->kind, MODEL_CROSS_ENCODER);
    assert_int_equal(bert->shape.layers, 1);
    assert_int_equal(bert->shape.hidden_size, 64);
    assert_int_equal(bert->shape.attention_heads, 2);
    assert_int_equal(bert->shape.intermediate_size, 128);
    assert_int_equal(bert->shape.vocabulary_size, 40);
    assert_int_equal(bert->shape.max_positions, 5);
    assert_int_equal(bert->shape.segment_types, 2);
    assert_false(bert->one_segment);
    /* MatMul's weights are stored [inputs][outputs], Gemm's with transB the other way. */
    assert_number(weight_at(bert, "encoder.layer.0.attention.self.query.weight", 3 * 64 + 5),
                  number(5 * 64 + 3));
    assert_number(weight_at(bert, "encoder.layer.0.output.dense.weight", 3 * 128 + 100),
                  number(100 * 64 + 3));
    assert_number(weight_at(bert, "pooler.dense.weight", 3 * 64 + 5), number(3 * 64 + 5));
    assert_number(weight_at(bert, "embeddings.word_embeddings.weight", 6 * 64 + 9), number(6 * 64 + 9));
    assert_number(weight_at(bert, "encoder.layer.0.intermediate.dense.bias", 127), number(127));
    close_text(&opened);
}

#define EMBEDDER(head) onnx_text_head, head "output vector\n"

static void every_way_to_pool_is_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *head;
        bool has_pooling, normalize;
        enum pooling pooling;
    } cases[] = {
        {"output state2\n", false, false, POOLING_MEAN},
        /* The deepest state is the last one, wherever it stands among the outputs. */
        {"output state0\noutput state1\noutput state2\n", false, false, POOLING_MEAN},
        {"output state2\noutput pooled\npooler = Gemm{transB=1}(first, wp, wp_b)\npooled = Tanh(pooler)\n"
         "first = Gather{axis=1}(state2, zero)\n",
         false, false, POOLING_MEAN},
        {"vector = Gather{axis=1}(state2, zero)\noutput vector\n", true, false, POOLING_CLS},
        {"vector = ReduceMean{axes=1:, keepdims=0}(state2)\noutput vector\n", true, false, POOLING_MEAN},
        {"m = Unsqueeze(mask, last)\nintegers last -1\ns = Shape(state2)\ne = Expand(m, s)\n"
         "x = Cast{to=1}(e)\nw = Mul(state2, x)\ntotal = ReduceSum{keepdims=0}(w, tokens)\n"
         "integers tokens 1\ncount = ReduceSum{keepdims=0}(x, tokens)\nleast = Clip(count, tiny)\n"
         "number tiny 1e-9\nmean = Div(total, least)\nlength = ReduceL2{axes=-1:, keepdims=1}(mean)\n"
         "far = Clip(length, tiny)\nvector = Div(mean, far)\noutput vector\n",
         true, true, POOLING_MEAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct opened opened;
        open_changed(&opened, onnx_text_head, cases[i].head);
        if (opened.status != STATUS_OK)
            fail_msg("with \"%s\": %s", cases[i].head, opened.error.message);
        assert_int_equal(opened.bert.kind, MODEL_EMBEDDER);
        assert_int_equal(opened.bert.shape.layers, 1);
        assert_int_equal(opened.bert.has_pooling, cases[i].has_pooling);
        assert_int_equal(opened.bert.normalize, cases[i].normalize);
        assert_int_equal(opened.bert.pooling, cases[i].pooling);
        close_text(&opened);
    }
}

static void another_way_to_pool_is_refused(void **state) {
    (void)state;
    /* The last token, the sum, one feature's count in place of the tokens', twice the length, half a vector.
     */
    assert_refused(EMBEDDER("vector = Gather{axis=1}(state2, minus)\ninteger minus -1\n"),
                   "Gather \"vector\"");
    assert_refused(EMBEDDER("vector = ReduceSum{axes=1:, keepdims=0}(state2)\n"), "vector");
    assert_refused(EMBEDDER("vector = ReduceMax{axes=1:, keepdims=0}(state2)\n"), "ReduceMax \"vector\"");
    assert_refused(EMBEDDER("m = Unsqueeze(mask, last)\nintegers last -1\ns = Shape(state2)\n"
                            "e = Expand(m, s)\nx = Cast{to=1}(e)\n"
                            "total = ReduceSum{axes=1:, keepdims=0}(state2)\n"
                            "count = ReduceSum{axes=2:, keepdims=0}(x)\nvector = Div(total, count)\n"),
                   "count");
    assert_refused(EMBEDDER("total = ReduceSum{axes=1:, keepdims=0}(state2)\n"
                            "count = ReduceSum{keepdims=0}(mask)\nvector = Div(total, count)\n"),
                   "count");
    assert_refused(EMBEDDER("mean = ReduceMean{axes=1:, keepdims=0}(state2)\n"
                            "length = ReduceL2{axes=-1:, keepdims=1}(mean)\ntwice = Mul(length, root2)\n"
                            "vector = Div(mean, twice)\n"),
                   "Div \"vector\"");
    assert_refused(EMBEDDER("mean = ReduceMean{axes=1:, keepdims=0}(state2)\nvector = Mul(mean, root2)\n"),
                   "vector");
    assert_refused(EMBEDDER("mean = ReduceMean{axes=1:, keepdims=0}(state2)\n"
                            "vector = Slice(mean, begin, end, last)\nintegers begin 0\nintegers end 32\n"
                            "integers last 1\n"),
                   "Slice \"vector\"");
    /* A sentence's embedding that is not understood beside the tokens' states that are. */
    assert_refused(EMBEDDER("output state2\nmean = ReduceMean{axes=1:, keepdims=0}(state2)\n"
                            "vector = Cos(mean)\n"),
                   "Cos \"vector\"");
    assert_refused(EMBEDDER("output state2\nmean = ReduceMean{axes=1:, keepdims=0}(state2)\n"
                            "vector = Gemm{transB=1}(mean, wp, wp_b)\n"),
                   "Gemm \"vector\"");
}

static void another_head_is_refused(void **state) {
    (void)state;
    assert_accepted("output logits", "chance = Sigmoid(logits)\noutput chance");
    assert_refused("weight wc 1x64\nvector wc_b 1\n", "weight wc 3x64\nvector wc_b 3\n",
                   "a classifier with 3 labels is not supported");
    assert_refused("logits = Gemm{transB=1}(pooled,", "logits = Gemm{transB=1}(first,", "Gemm \"logits\"");
    assert_refused("pooled = Tanh(pooler)", "pooled = Relu(pooler)", "Relu \"pooled\"");
    assert_refused("output logits", "chance = Sigmoid(logits)\ntwice = Mul(chance, root2)\noutput twice",
                   "Mul \"twice\"");
    assert_refused("output logits", "minus = Mul(logits, lowest)\noutput minus", "Mul \"minus\"");
    assert_refused("output logits", "chance = Softmax{axis=-1}(logits)\noutput chance", "Softmax \"chance\"");
    assert_refused("output logits", "output logits\nother = Cos(state2)\noutput other", "Cos \"other\"");
    assert_refused("pooler = Gemm{transB=1}(", "pooler = Gemm{transB=1, alpha=0.5}(", "Gemm \"pooler\"");
    assert_refused("pooler = Gemm{transB=1}(", "pooler = Gemm{transB=1, beta=0.5}(", "Gemm \"pooler\"");
    assert_refused("pooler = Gemm{transB=1}(", "pooler = Gemm{transB=1, transA=1}(", "Gemm \"pooler\"");
    assert_refused("first = Gather{axis=1}(state2, zero)", "first = Gather{axis=1}(state2, one)",
                   "Gather \"first\"");
}

static void other_embeddings_are_refused(void **state) {
    (void)state;
    /* The input that chooses segments is found behind what changes nothing, and behind anything else its
     * absence is not taken for a constant. */
    assert_accepted("types_x = Gather(types, segments)",
                    "same = Identity(segments)\ntypes_x = Gather(types, same)");
    assert_refused("types_x = Gather(types, segments)",
                   "other = Mul(segments, one)\ntypes_x = Gather(types, other)",
                   "the inputs \"segments\" and \"mask\" both choose no rows of a table");
    assert_refused("output logits", "input heat\ncool = Div(logits, heat)\noutput cool",
                   "the inputs \"mask\" and \"heat\" both choose no rows of a table");
    /* RoBERTa counts its positions from 2. */
    assert_refused("range = Range(zero, sequence, one)", "range = Range(one, sequence, one)", "range");
    assert_refused("positions_x = Gather(positions, range)",
                   "later = Add(range, one)\npositions_x = Gather(positions, later)", "later");
    assert_refused("embeddings = Add(sum_x, positions_x)", "embeddings = Identity(sum_x)",
                   "no sum of those of tokens and of positions");
    assert_refused("embeddings = Add(sum_x, positions_x)",
                   "twice = Add(sum_x, words_x)\nembeddings = Add(twice, positions_x)", "Add \"twice\"");
    assert_refused(
        "embeddings = Add(sum_x, positions_x)",
        "large = Mul(words_x, root2)\nsum_l = Add(large, types_x)\nembeddings = Add(sum_l, positions_x)",
        "Add \"sum_l\"");
    assert_refused("weight positions 5x64", "weight positions 5x32", "embeddings");
    assert_refused("words_x = Gather(words, ids)",
                   "words_i = Cast{to=7}(words)\nwords_x = Gather(words_i, ids)", "words_i");
    assert_refused("weight types 2x64", "weight types 17x64", "Add \"embeddings\"");
}

/* Without a mask beside it. */
static void an_input_is_no_constant(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"types_x = Gather(types, segments)", "other = Sub(one, segments)\ntypes_x = Gather(types, other)",
         "Gather \"types_x\""},
        {"types_x = Gather(types, segments)", "types_x = Gather(types, zero)\nother = Mul(segments, one)",
         NULL},
        {"output logits", "input heat\ncool = Div(logits, heat)\noutput cool", "Div \"cool\""},
        {"output logits", "input heat\ncool = Add(logits, heat)\noutput cool", "Add \"cool\""},
        {"sum2 = Add(f, state1)", "input gate\nopen = Mul(f, gate)\nsum2 = Add(open, state1)",
         "Mul \"open\""},
    };
    char *without =
        onnx_text_replace(onnx_text_bert, "mask_4 = Unsqueeze(mask, axes)", "mask_4 = Unsqueeze(unit, axes)");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct opened opened;
        char *text = onnx_text_replace(without, cases[i][0], cases[i][1]);
        open_text(&opened, text, 17);
        const char *message = opened.status == STATUS_OK ? "" : opened.error.message;
        if (opened.status != (cases[i][2] == NULL ? STATUS_OK : STATUS_UNSUPPORTED) ||
            (cases[i][2] != NULL && strstr(message, cases[i][2]) == NULL))
            fail_msg("with \"%s\": \"%s\"", cases[i][1], message);
        close_text(&opened);
        free(text);
    }
    free(without);
}

static void a_model_without_segments_has_one(void **state) {
    (void)state;
    struct opened opened;
    open_changed(&opened, "sum_x = Add(words_x, types_x)", "sum_x = Identity(words_x)");
    assert_int_equal(opened.status, STATUS_OK);
    assert_true(opened.bert.one_segment);
    assert_number(weight_at(&opened.bert, "embeddings.token_type_embeddings.weight", 64), 0);
    close_text(&opened);
    open_changed(&opened, "types_x = Gather(types, segments)", "types_x = Gather(types, one)");
    assert_int_equal(opened.status, STATUS_OK);
    assert_true(opened.bert.one_segment);
    assert_number(weight_at(&opened.bert, "embeddings.token_type_embeddings.weight", 3), number(67));
    assert_number(weight_at(&opened.bert, "embeddings.token_type_embeddings.weight", 67), number(67));
    close_text(&opened);
}

static void other_attention_is_refused(void **state) {
    (void)state;
    assert_refused("number root32 5.65685425", "number root32 8", "not divided by the square root");
    assert_refused("mask_b = Mul(mask_i, lowest)", "mask_b = Mul(mask_f, lowest)",
                   "changes the scores of tokens that the attention mask keeps");
    assert_refused("masked = Add(scaled, mask_b)",
                   "bias = Gather(causal, zero)\nweight causal 5x5\nmasked = Add(scaled, bias)", "masked");
    assert_refused("probabilities = Softmax{axis=-1}(masked)", "probabilities = Softmax{axis=1}(masked)",
                   "Softmax \"probabilities\"");
    assert_refused("probabilities = Softmax{axis=-1}(masked)",
                   "some = Softmax{axis=-1}(masked)\nprobabilities = Mul(some, half)", "context");
    assert_refused("k_t = Transpose{perm=0:2:3:1}(k_h)", "k_t = Transpose{perm=0:2:1:3}(k_h)",
                   "MatMul \"scores\"");
    assert_refused("context_r = Reshape(context_t, joined)", "context_r = Reshape(context, joined)",
                   "Reshape \"context_r\"");
    assert_refused("k_p = MatMul(state0, wk)", "k_p = MatMul(embeddings, wk)",
                   "must come from the layer's input");
    /* Rotary positions turn queries before they are multiplied. */
    assert_refused("scores = MatMul(q_t, k_t)", "turned = Cos(q_t)\nscores = MatMul(turned, k_t)",
                   "Cos \"turned\"");
    assert_refused("o_p = MatMul(context_r, wo)", "o_s = Mul(context_r, half)\no_p = MatMul(o_s, wo)",
                   "MatMul \"o_p\"");
    assert_refused("integers heads 0,0,2,32", "integers heads 0,0,32,2", "");
}

static void other_layers_are_refused(void **state) {
    (void)state;
    assert_refused("state1 = LayerNormalization{axis=-1, epsilon=1e-12}",
                   "state1 = LayerNormalization{axis=-1, epsilon=1e-5}", "its epsilon differs");
    assert_refused("state1 = LayerNormalization{axis=-1,", "state1 = LayerNormalization{axis=1,",
                   "LayerNormalization \"state1\"");
    assert_refused("state1 = LayerNormalization{axis=-1,",
                   "state1 = LayerNormalization{axis=9223372036854775807,", "LayerNormalization \"state1\"");
    assert_refused("gelu_e = Erf(gelu_s)", "gelu_e = Tanh(gelu_s)", "this activation is not supported");
    assert_refused("gelu = Mul(gelu_2, half)", "gelu = Relu(i)", "this activation is not supported");
    assert_refused("gelu = Mul(gelu_2, half)", "gelu = Gelu{approximate=tanh}(i)",
                   "GELU approximated by tanh");
    assert_refused("gelu = Mul(gelu_2, half)", "gelu = microsoft.FastGelu(i)", "GELU approximated by tanh");
    assert_refused("gelu = Mul(gelu_2, half)", "gelu = microsoft.QuickGelu(i)",
                   "this activation is not supported");
    assert_refused("gelu = Mul(gelu_2, half)", "silu = Sigmoid(i)\ngelu = Mul(i, silu)",
                   "this activation is not supported");
    assert_refused("gelu = Mul(gelu_2, half)", "gelu = Identity(gelu_2)", "f_p");
    assert_refused("gelu_s = Div(i, root2)", "gelu_s = Div(i, half)", "gelu_e");
    assert_refused("sum2 = Add(f, state1)", "sum2 = Add(f, state0)", "");
    assert_refused("sum2 = Add(f, state1)", "sum2 = Identity(f)", "LayerNormalization \"state2\"");
    assert_refused("sum1 = Add(o, state0)", "sum1 = Sub(state0, o)", "Sub \"sum1\"");
    assert_refused("vector wi_b 128", "vector wi_b 64", "Add \"i\"");
    /* A cast that rounds, and a Dropout that drops. */
    assert_refused("sum2 = Add(f, state1)", "whole = Cast{to=7}(f)\nsum2 = Add(whole, state1)",
                   "Cast \"whole\"");
    assert_accepted("sum2 = Add(f, state1)", "same = Cast{to=1}(f)\nsum2 = Add(same, state1)");
    assert_accepted("sum2 = Add(f, state1)", "same = Dropout(f, half)\nsum2 = Add(same, state1)");
    assert_refused("sum2 = Add(f, state1)", "less = Dropout(f, half, one)\nsum2 = Add(less, state1)",
                   "Dropout \"less\"");
}

#define STEPS(mean, deviation)                                                                               \
    "mean = ReduceMean{axes=-1:}(sum1)\n" mean "apart = Sub(sum1, mean_x)\n"                                 \
    "number two 2\nnumber tiny 1e-12\n"                                                                      \
    "square = Pow(apart, two)\nvariance = ReduceMean{axes=-1:}(square)\n" deviation                          \
    "ready = Div(apart, deviation)\nready_w = Mul(ready, norm1_w)\nstate1 = Add(ready_w, norm1_b)\n"
#define WHOLE "state1 = LayerNormalization{axis=-1, epsilon=1e-12}(sum1, norm1_w, norm1_b)\n"

static void normalization_in_steps(void **state) {
    (void)state;
    assert_accepted(WHOLE, STEPS("mean_x = Identity(mean)\n",
                                 "variance_e = Add(variance, tiny)\ndeviation = Sqrt(variance_e)\n"));
    assert_refused(WHOLE,
                   STEPS("mean_x = Mul(mean, two)\n",
                         "variance_e = Add(variance, tiny)\ndeviation = Sqrt(variance_e)\n"),
                   "Sub \"apart\"");
    /* Epsilon beside the root, or none. */
    assert_refused(WHOLE,
                   STEPS("mean_x = Identity(mean)\n", "root = Sqrt(variance)\ndeviation = Add(root, tiny)\n"),
                   "Div \"ready\"");
    assert_refused(WHOLE, STEPS("mean_x = Identity(mean)\n", "deviation = Sqrt(variance)\n"), "epsilon");
}

/* ---- quantized and fused ---- */

#define QUANTIZED_O(zero_point)                                                                              \
    "weight wq8 64x64 uint8\nvector o_scale 64\nvector o_zero 64 uint8\n"                                    \
    "c_q, c_s, c_z = DynamicQuantizeLinear(context_r)\n"                                                     \
    "o_i = MatMulInteger(c_q, wq8, " zero_point ", o_zero)\n"                                                \
    "o_f = Cast{to=1}(o_i)\nscale_p = Mul(c_s, o_scale)\no_p = Mul(o_f, scale_p)\n"

static void quantized_products_are_exact(void **state) {
    (void)state;
    struct opened opened;
    open_changed(&opened, "o_p = MatMul(context_r, wo)\n", QUANTIZED_O("c_z"));
    if (opened.status != STATUS_OK)
        fail_msg("%s", opened.error.message);
    assert_int_equal(opened.bert.quantized, 1);
    assert_int_equal(opened.bert.per_channel, 1);
    const unsigned char *bytes = opened.bert.weights[0].matrix.values->data.data;
    float expected = (float)(bytes[5 * 64 + 3] - bytes[3]) * number(3);
    assert_number(weight_at(&opened.bert, "encoder.layer.0.attention.output.dense.weight", 3 * 64 + 5),
                  expected);
    close_text(&opened);
    assert_refused("o_p = MatMul(context_r, wo)\n", QUANTIZED_O(""), "MatMulInteger \"o_i\"");
    assert_refused("o_p = MatMul(context_r, wo)\n",
                   "x_q, x_s, x_z = DynamicQuantizeLinear(state0)\n" QUANTIZED_O("x_z"),
                   "MatMulInteger \"o_i\"");
}

#define FUSED_ATTENTION(attributes, inputs)                                                                  \
    "weight packed 64x192\nvector packed_b 192\n"                                                            \
    "context_r = microsoft.Attention{num_heads=2" attributes "}(state0, packed, packed_b" inputs ")\n"
#define UNFUSED "context_r = Reshape(context_t, joined)\n"

static void fused_attention(void **state) {
    (void)state;
    struct opened opened;
    open_changed(&opened, UNFUSED, FUSED_ATTENTION("", ", mask"));
    if (opened.status != STATUS_OK)
        fail_msg("%s", opened.error.message);
    assert_number(weight_at(&opened.bert, "encoder.layer.0.attention.self.value.weight", 3 * 64 + 5),
                  number(5 * 192 + 128 + 3));
    assert_number(weight_at(&opened.bert, "encoder.layer.0.attention.self.key.bias", 7), number(71));
    close_text(&opened);
    static const char named[] = "com.microsoft.Attention \"context_r\"";
    assert_refused(UNFUSED, FUSED_ATTENTION(", unidirectional=1", ", mask"), named);
    assert_refused(UNFUSED, FUSED_ATTENTION(", do_rotary=1", ", mask"), named);
    assert_refused(UNFUSED, FUSED_ATTENTION(", scale=0.5", ", mask"), "square root of the head's size");
    assert_refused(UNFUSED, FUSED_ATTENTION(", qkv_hidden_sizes=64:64:64", ", mask"), named);
    assert_refused(UNFUSED, FUSED_ATTENTION("", ", mask_i"), "attention mask keeps");
    assert_refused(UNFUSED, FUSED_ATTENTION("", ", mask, state0"), named);
    assert_refused(UNFUSED, FUSED_ATTENTION("", ", mask, , words_x"), named);
}

static void the_operator_sets_change_what_a_default_is(void **state) {
    (void)state;
    struct opened opened;
    char *text = onnx_text_replace(onnx_text_bert, "Softmax{axis=-1}", "Softmax");
    open_text(&opened, text, 13);
    assert_int_equal(opened.status, STATUS_OK);
    close_text(&opened);
    open_text(&opened, text, 12);
    assert_int_equal(opened.status, STATUS_UNSUPPORTED);
    close_text(&opened);
    free(text);
}

static void sizes_beyond_any_bert_are_refused(void **state) {
    (void)state;
    struct opened opened;
    open_changed(&opened, "integers heads 0,0,2,32\n", "integers heads 0,0,1,64\n");
    assert_int_equal(opened.status, STATUS_UNSUPPORTED); /* the scores are scaled for heads of 32 */
    close_text(&opened);
    assert_refused("weight types 2x64", "weight types 2x32", "Add \"sum_x\"");
    assert_refused("weight wi 64x128\nvector wi_b 128\nweight wf 128x64",
                   "weight wi 64x96\nvector wi_b 96\nweight wf 96x64",
                   "intermediate size 96 is not supported");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_model_is_found),
        cmocka_unit_test(every_way_to_pool_is_told_apart),
        cmocka_unit_test(another_way_to_pool_is_refused),
        cmocka_unit_test(another_head_is_refused),
        cmocka_unit_test(other_embeddings_are_refused),
        cmocka_unit_test(an_input_is_no_constant),
        cmocka_unit_test(a_model_without_segments_has_one),
        cmocka_unit_test(other_attention_is_refused),
        cmocka_unit_test(other_layers_are_refused),
        cmocka_unit_test(normalization_in_steps),
        cmocka_unit_test(quantized_products_are_exact),
        cmocka_unit_test(fused_attention),
        cmocka_unit_test(the_operator_sets_change_what_a_default_is),
        cmocka_unit_test(sizes_beyond_any_bert_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
