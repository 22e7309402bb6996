#include "onnx_text.h"

#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST            128u /* nodes, tensors, inputs, attributes of one graph each */
#define WEIGHTS_NAME    "weights"
#define WEIGHTS_NUMBERS ((size_t)16 << 10)

/* Everything is kept until the file is packed, then freed at once. */
struct writer {
    Onnx__NodeProto *nodes[MOST];
    Onnx__TensorProto *tensors[MOST];
    Onnx__ValueInfoProto *inputs[MOST], *outputs[MOST];
    Onnx__GraphProto graph;
    void *pieces[64 * MOST];
    size_t piece_count;
};

static void *keep(struct writer *writer, size_t size) {
    assert_true(writer->piece_count < sizeof writer->pieces / sizeof writer->pieces[0]);
    void *piece = calloc(1, size);
    assert_non_null(piece);
    writer->pieces[writer->piece_count++] = piece;
    return piece;
}

static char *keep_text(struct writer *writer, const char *text, size_t length) {
    char *copy = keep(writer, length + 1);
    memcpy(copy, text, length);
    return copy;
}

/* The part of *rest up to one of the delimiters, without spaces around; *rest goes on behind it. */
static char *take_part(struct writer *writer, const char **rest, const char *delimiters) {
    size_t length = strcspn(*rest, delimiters), begin = strspn(*rest, " ");
    size_t end = length;
    while (end > begin && (*rest)[end - 1] == ' ')
        end--;
    char *part = keep_text(writer, *rest + (begin < end ? begin : end), begin < end ? end - begin : 0);
    *rest += length + ((*rest)[length] != '\0');
    return part;
}

/* ---- tensors ---- */

static Onnx__TensorProto *add_tensor(struct writer *writer, char *name, int32_t type, size_t dimensions) {
    assert_true(writer->graph.n_initializer < MOST);
    Onnx__TensorProto *tensor = keep(writer, sizeof *tensor);
    onnx__tensor_proto__init(tensor);
    tensor->name = name;
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->n_dims = dimensions;
    tensor->dims = keep(writer, sizeof(int64_t) * (dimensions + 1));
    writer->tensors[writer->graph.n_initializer++] = tensor;
    return tensor;
}

static void store_outside(struct writer *writer, Onnx__TensorProto *tensor, size_t element) {
    size_t size = element;
    for (size_t i = 0; i < tensor->n_dims; i++)
        size *= (size_t)tensor->dims[i];
    assert_true(size <= WEIGHTS_NUMBERS * sizeof(float));
    char length[32];
    snprintf(length, sizeof length, "%zu", size);
    const char *const texts[2][2] = {{"location", WEIGHTS_NAME}, {"length", length}};
    tensor->has_data_location = 1;
    tensor->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    tensor->external_data = keep(writer, 2 * sizeof(void *));
    for (int i = 0; i < 2; i++) {
        Onnx__StringStringEntryProto *entry = keep(writer, sizeof *entry);
        onnx__string_string_entry_proto__init(entry);
        entry->key = keep_text(writer, texts[i][0], strlen(texts[i][0]));
        entry->value = keep_text(writer, texts[i][1], strlen(texts[i][1]));
        tensor->external_data[tensor->n_external_data++] = entry;
    }
}

static void add_weight(struct writer *writer, char *name, const char *rest) {
    const char *shape = take_part(writer, &rest, " ");
    const char *type = take_part(writer, &rest, " ");
    bool is_float = type[0] == '\0' || strcmp(type, "float") == 0;
    const char *columns = strchr(shape, 'x');
    Onnx__TensorProto *tensor = add_tensor(writer, name,
                                           is_float                    ? ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
                                           : strcmp(type, "int8") == 0 ? ONNX__TENSOR_PROTO__DATA_TYPE__INT8
                                                                       : ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
                                           columns == NULL ? 1 : 2);
    tensor->dims[0] = strtol(shape, NULL, 10);
    if (columns != NULL)
        tensor->dims[1] = strtol(columns + 1, NULL, 10);
    store_outside(writer, tensor, is_float ? sizeof(float) : 1);
}

static void set_raw(struct writer *writer, Onnx__TensorProto *tensor, const void *data, size_t size) {
    tensor->has_raw_data = 1;
    tensor->raw_data.len = size;
    tensor->raw_data.data = keep(writer, size + 1);
    memcpy(tensor->raw_data.data, data, size);
}

static size_t read_integers(const char *text, char separator, int64_t values[MOST]) {
    size_t count = 0;
    for (const char *next = text; *next != '\0' && count < MOST;) {
        char *end;
        values[count++] = strtoll(next, &end, 10);
        assert_true(end != next && (*end == separator || *end == '\0'));
        next = end + (*end != '\0');
    }
    return count;
}

static void add_integers(struct writer *writer, char *name, const char *text, bool is_scalar) {
    int64_t values[MOST];
    size_t count = read_integers(text, ',', values);
    Onnx__TensorProto *tensor = add_tensor(writer, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, !is_scalar);
    if (!is_scalar)
        tensor->dims[0] = (int64_t)count;
    set_raw(writer, tensor, values, count * sizeof values[0]);
}

static void add_number(struct writer *writer, char *name, const char *text) {
    float value = strtof(text, NULL);
    Onnx__TensorProto *tensor = add_tensor(writer, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 0);
    set_raw(writer, tensor, &value, sizeof value);
}

/* ---- nodes ---- */

static void set_value(struct writer *writer, Onnx__AttributeProto *attribute, const char *text) {
    char *end;
    attribute->has_type = 1;
    if (strchr(text, ':') != NULL) {
        int64_t values[MOST];
        attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        attribute->n_ints = read_integers(text, ':', values);
        attribute->ints = keep(writer, attribute->n_ints * sizeof values[0]);
        memcpy(attribute->ints, values, attribute->n_ints * sizeof values[0]);
        return;
    }
    attribute->i = strtoll(text, &end, 10);
    attribute->has_i = *end == '\0';
    attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (attribute->has_i)
        return;
    attribute->f = strtof(text, &end);
    attribute->has_f = *end == '\0';
    attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (attribute->has_f)
        return;
    attribute->has_s = 1;
    attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    attribute->s.len = strlen(text);
    attribute->s.data = (uint8_t *)keep_text(writer, text, strlen(text));
}

static void add_attributes(struct writer *writer, Onnx__NodeProto *node, const char *text) {
    node->attribute = keep(writer, MOST * sizeof(void *));
    while (*text != '\0') {
        Onnx__AttributeProto *attribute = keep(writer, sizeof *attribute);
        onnx__attribute_proto__init(attribute);
        attribute->name = take_part(writer, &text, "=");
        set_value(writer, attribute, take_part(writer, &text, ","));
        node->attribute[node->n_attribute++] = attribute;
    }
}

static char **take_names(struct writer *writer, const char *text, size_t *count) {
    char **names = keep(writer, MOST * sizeof(char *));
    while (*text != '\0')
        names[(*count)++] = take_part(writer, &text, ",");
    return names;
}

/* OUTPUTS = Operator{ATTRIBUTES}(INPUTS) */
static void add_node(struct writer *writer, const char *line) {
    static const char microsoft[] = "microsoft.";
    assert_true(writer->graph.n_node < MOST);
    Onnx__NodeProto *node = keep(writer, sizeof *node);
    onnx__node_proto__init(node);
    node->output = take_names(writer, take_part(writer, &line, "="), &node->n_output);
    bool has_attributes = strchr(line, '{') != NULL;
    node->op_type = take_part(writer, &line, "{(");
    if (strncmp(node->op_type, microsoft, sizeof microsoft - 1) == 0) {
        node->op_type += sizeof microsoft - 1;
        node->domain = keep_text(writer, "com.microsoft", 13);
    }
    if (has_attributes) {
        add_attributes(writer, node, take_part(writer, &line, "}"));
        assert_true(*line++ == '(');
    }
    node->input = take_names(writer, take_part(writer, &line, ")"), &node->n_input);
    node->name = keep_text(writer, node->output[0], strlen(node->output[0]));
    writer->nodes[writer->graph.n_node++] = node;
}

static void add_value(struct writer *writer, Onnx__ValueInfoProto **values, size_t *count, char *name) {
    assert_true(*count < MOST);
    Onnx__ValueInfoProto *value = keep(writer, sizeof *value);
    onnx__value_info_proto__init(value);
    value->name = name;
    values[(*count)++] = value;
}

static void add_line(struct writer *writer, const char *line) {
    Onnx__GraphProto *graph = &writer->graph;
    if (strchr(line, '=') != NULL) {
        add_node(writer, line);
        return;
    }
    const char *what = take_part(writer, &line, " ");
    char *name = take_part(writer, &line, " ");
    if (strcmp(what, "input") == 0)
        add_value(writer, writer->inputs, &graph->n_input, name);
    else if (strcmp(what, "output") == 0)
        add_value(writer, writer->outputs, &graph->n_output, name);
    else if (strcmp(what, "weight") == 0 || strcmp(what, "vector") == 0)
        add_weight(writer, name, line);
    else if (strcmp(what, "integers") == 0 || strcmp(what, "integer") == 0)
        add_integers(writer, name, line, strcmp(what, "integer") == 0);
    else if (strcmp(what, "number") == 0)
        add_number(writer, name, line);
    else
        fail_msg("\"%s\" begins no line of a graph", what);
}

void onnx_text_write(const char *text, int64_t operator_set, struct buffer *file) {
    struct writer *writer = calloc(1, sizeof *writer);
    assert_non_null(writer);
    onnx__graph_proto__init(&writer->graph);
    while (*text != '\0') {
        const char *line = take_part(writer, &text, "\n");
        if (line[0] != '\0')
            add_line(writer, line);
    }
    writer->graph.node = writer->nodes;
    writer->graph.initializer = writer->tensors;
    writer->graph.input = writer->inputs;
    writer->graph.output = writer->outputs;
    Onnx__OperatorSetIdProto set = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *sets[] = {&set};
    set.has_version = 1;
    set.version = operator_set;
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    model.graph = &writer->graph;
    model.n_opset_import = 1;
    model.opset_import = sets;
    size_t size = onnx__model_proto__get_packed_size(&model);
    assert_int_equal(buffer_append_zeros(file, size, NULL), STATUS_OK);
    assert_int_equal(onnx__model_proto__pack(&model, file->data + file->size - size), size);
    for (size_t i = 0; i < writer->piece_count; i++)
        free(writer->pieces[i]);
    free(writer);
}

char *onnx_text_replace(const char *text, const char *from, const char *to) {
    const char *found = strstr(text, from);
    if (found == NULL || strstr(found + 1, from) != NULL)
        fail_msg("\"%s\" is not exactly once in the graph", from);
    size_t before = (size_t)(found - text), size = strlen(text) + strlen(to) + 1;
    char *result = calloc(1, size);
    assert_non_null(result);
    snprintf(result, size, "%.*s%s%s", (int)before, text, to, found + strlen(from));
    return result;
}

/* ---- the weights ---- */

static enum status open_companion(void *context, const char *name, struct bytes *content,
                                  struct error *error) {
    static float numbers[WEIGHTS_NUMBERS];
    (void)context;
    if (strcmp(name, WEIGHTS_NAME) != 0)
        return error_set(error, STATUS_NOT_FOUND, "there is no %s", name);
    for (size_t i = 0; numbers[WEIGHTS_NUMBERS - 1] == 0 && i < WEIGHTS_NUMBERS; i++)
        numbers[i] = (float)(i + 1) * 0x1p-14f;
    *content = bytes_of(numbers, sizeof numbers);
    return STATUS_OK;
}

const struct onnx_companions onnx_text_companions = {open_companion, NULL};

/* ---- a whole model ---- */

#define LINEAR(output, input, weight)                                                                        \
    output "_p = MatMul(" input ", " weight ")\n" output " = Add(" output "_p, " weight "_b)\n"

#define HEAD                                                                                                 \
    "first = Gather{axis=1}(state2, zero)\n"                                                                 \
    "pooler = Gemm{transB=1}(first, wp, wp_b)\n"                                                             \
    "pooled = Tanh(pooler)\n"                                                                                \
    "logits = Gemm{transB=1}(pooled, wc, wc_b)\n"                                                            \
    "output logits\n"

const char onnx_text_head[] = HEAD;

const char onnx_text_bert[] =
    "input ids\ninput mask\ninput segments\n"
    "weight words 40x64\nweight positions 5x64\nweight types 2x64\n"
    "vector norm0_w 64\nvector norm0_b 64\nvector norm1_w 64\nvector norm1_b 64\nvector norm2_w 64\n"
    "vector norm2_b 64\n"
    "weight wq 64x64\nvector wq_b 64\nweight wk 64x64\nvector wk_b 64\nweight wv 64x64\nvector wv_b 64\n"
    "weight wo 64x64\nvector wo_b 64\nweight wi 64x128\nvector wi_b 128\nweight wf 128x64\nvector wf_b 64\n"
    "weight wp 64x64\nvector wp_b 64\nweight wc 1x64\nvector wc_b 1\n"
    "integer zero 0\ninteger one 1\nintegers heads 0,0,2,32\nintegers joined 0,0,64\nintegers axes 1,2\n"
    "number unit 1\nnumber half 0.5\nnumber root2 1.41421356\nnumber root32 5.65685425\nnumber lowest -3e38\n"
    /* embeddings */
    "shape = Shape(ids)\n"
    "sequence = Gather(shape, one)\n"
    "range = Range(zero, sequence, one)\n"
    "words_x = Gather(words, ids)\n"
    "types_x = Gather(types, segments)\n"
    "positions_x = Gather(positions, range)\n"
    "sum_x = Add(words_x, types_x)\n"
    "embeddings = Add(sum_x, positions_x)\n"
    "state0 = LayerNormalization{axis=-1, epsilon=1e-12}(embeddings, norm0_w, norm0_b)\n"
    /* the mask: 0 where a token is kept */
    "mask_4 = Unsqueeze(mask, axes)\n"
    "mask_f = Cast{to=1}(mask_4)\n"
    "mask_i = Sub(unit, mask_f)\n"
    "mask_b = Mul(mask_i, lowest)\n"
    /* attention */
    LINEAR("q", "state0", "wq") LINEAR("k", "state0", "wk")
        LINEAR("v", "state0",
               "wv") "q_h = Reshape(q, heads)\nq_t = Transpose{perm=0:2:1:3}(q_h)\n"
                     "k_h = Reshape(k, heads)\nk_t = Transpose{perm=0:2:3:1}(k_h)\n"
                     "v_h = Reshape(v, heads)\nv_t = Transpose{perm=0:2:1:3}(v_h)\n"
                     "scores = MatMul(q_t, k_t)\n"
                     "scaled = Div(scores, root32)\n"
                     "masked = Add(scaled, mask_b)\n"
                     "probabilities = Softmax{axis=-1}(masked)\n"
                     "context = MatMul(probabilities, v_t)\n"
                     "context_t = Transpose{perm=0:2:1:3}(context)\n"
                     "context_r = Reshape(context_t, joined)\n" LINEAR(
                         "o", "context_r",
                         "wo") "sum1 = Add(o, state0)\n"
                               "state1 = LayerNormalization{axis=-1, epsilon=1e-12}(sum1, norm1_w, norm1_b)\n"
    /* feed-forward */
    LINEAR(
        "i", "state1",
        "wi") "gelu_s = Div(i, root2)\n"
              "gelu_e = Erf(gelu_s)\n"
              "gelu_1 = Add(gelu_e, unit)\n"
              "gelu_2 = Mul(i, gelu_1)\n"
              "gelu = Mul(gelu_2, half)\n" LINEAR(
                  "f", "gelu",
                  "wf") "sum2 = Add(f, state1)\n"
                        "state2 = LayerNormalization{axis=-1, epsilon=1e-12}(sum2, norm2_w, norm2_b)\n" HEAD;
