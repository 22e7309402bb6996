/* The reader of ONNX files: every form of a constant, and bytes that nobody wrote. */
#include "formats/onnx.h"
#include "formats/onnx_bert.h"
#include "onnx_text.h"
#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

/* ---- messages of Protocol Buffers ---- */

static void append(struct buffer *target, const void *data, size_t size) {
    assert_int_equal(buffer_append(target, data, size, NULL), STATUS_OK);
}

static void append_varint(struct buffer *target, uint64_t value) {
    do {
        unsigned char byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        append(target, &byte, 1);
        value >>= 7;
    } while (value != 0);
}

static void append_number(struct buffer *target, uint32_t field, uint64_t value) {
    append_varint(target, field << 3);
    append_varint(target, value);
}

static void append_bytes(struct buffer *target, uint32_t field, const void *data, size_t size) {
    append_varint(target, field << 3 | 2);
    append_varint(target, size);
    append(target, data, size);
}

static void append_text(struct buffer *target, uint32_t field, const char *text) {
    append_bytes(target, field, text, strlen(text));
}

/* Field numbers of onnx.proto. */
enum {
    MODEL_GRAPH = 7,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    NODE_OUTPUT = 2,
    NODE_OPERATOR = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_INTEGER = 3,
    ATTRIBUTE_TENSOR = 5,
    ATTRIBUTE_GRAPH = 6,
    ATTRIBUTE_NUMBERS = 7,
    ATTRIBUTE_INTEGERS = 8,
    TENSOR_DIMENSIONS = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOATS = 4,
    TENSOR_INTEGERS32 = 5,
    TENSOR_INTEGERS64 = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
};

/* Appends a TensorProto of a vector named t; its contents in the field given. */
static void append_tensor(struct buffer *target, uint64_t size, int32_t type, uint32_t field,
                          struct bytes contents) {
    append_number(target, TENSOR_DIMENSIONS, size);
    append_number(target, TENSOR_TYPE, (uint64_t)type);
    append_text(target, TENSOR_NAME, "t");
    append_bytes(target, field, contents.data, contents.size);
}

/* A Constant node "c" whose one attribute is given. */
static void append_constant(struct buffer *graph, struct bytes attribute) {
    struct buffer node = {0};
    append_text(&node, NODE_OUTPUT, "c");
    append_text(&node, NODE_OPERATOR, "Constant");
    append_bytes(&node, NODE_ATTRIBUTE, attribute.data, attribute.size);
    append_bytes(graph, GRAPH_NODE, node.data, node.size);
    buffer_free(&node);
}

struct opened {
    struct buffer file;
    struct onnx onnx;
    struct error error;
    enum status status;
};

/* Takes over the graph. */
static void open_graph(struct opened *opened, struct buffer *graph) {
    memset(opened, 0, sizeof *opened);
    append_bytes(&opened->file, MODEL_GRAPH, graph->data, graph->size);
    buffer_free(graph);
    opened->status = onnx_open(&opened->onnx, buffer_bytes(&opened->file), "m.onnx", NULL, &opened->error);
}

static void close_graph(struct opened *opened) {
    onnx_close(&opened->onnx);
    buffer_free(&opened->file);
}

static void assert_refused(struct opened *opened, const char *part_of_message) {
    assert_int_not_equal(opened->status, STATUS_OK);
    if (strstr(opened->error.message, part_of_message) == NULL ||
        strncmp(opened->error.message, "m.onnx: ", 8) != 0)
        fail_msg("\"%s\" does not say \"%s\"", opened->error.message, part_of_message);
    close_graph(opened);
}

/* ---- constants ---- */

static void every_form_of_a_tensor_is_read(void **state) {
    (void)state;
    static const unsigned char varints[] = {0x05, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    static const unsigned char floats[] = {0, 0, 0xa0, 0x40, 0, 0, 0x80, 0xbf};
    static const struct {
        int32_t type;
        uint32_t field;
        struct bytes contents;
    } cases[] = {
        {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, TENSOR_RAW, {floats, 8}},
        {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, TENSOR_FLOATS, {floats, 8}},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, TENSOR_INTEGERS32, {varints, sizeof varints}},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, TENSOR_INTEGERS32, {varints, sizeof varints}},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, TENSOR_INTEGERS64, {varints, sizeof varints}},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, TENSOR_RAW, {(const unsigned char *)"\x05\xff", 2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer tensor = {0}, graph = {0};
        struct opened opened;
        append_tensor(&tensor, 2, cases[i].type, cases[i].field, cases[i].contents);
        append_bytes(&graph, GRAPH_INITIALIZER, tensor.data, tensor.size);
        open_graph(&opened, &graph);
        assert_int_equal(opened.status, STATUS_OK);
        assert_int_equal(opened.onnx.tensor_count, 1);
        assert_true(onnx_tensor_number(&opened.onnx.tensors[0], 0) == 5);
        assert_true(onnx_tensor_number(&opened.onnx.tensors[0], 1) == -1);
        close_graph(&opened);
        buffer_free(&tensor);
    }
}

static void every_form_of_a_constant_is_read(void **state) {
    (void)state;
    static const float numbers[] = {5, -1};
    for (int form = 0; form < 4; form++) {
        struct buffer attribute = {0}, tensor = {0}, graph = {0};
        struct opened opened;
        append_text(&attribute, ATTRIBUTE_NAME,
                    (const char *[]){"value", "value_int", "value_ints", "value_floats"}[form]);
        append_tensor(&tensor, 2, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, TENSOR_RAW,
                      bytes_of(numbers, sizeof numbers));
        if (form == 0) {
            append_bytes(&attribute, ATTRIBUTE_TENSOR, tensor.data, tensor.size);
        } else if (form == 1) {
            append_number(&attribute, ATTRIBUTE_INTEGER, 5);
        } else if (form == 2) {
            append_number(&attribute, ATTRIBUTE_INTEGERS, 5);
            append_number(&attribute, ATTRIBUTE_INTEGERS, UINT64_MAX);
        } else {
            append_bytes(&attribute, ATTRIBUTE_NUMBERS, numbers, sizeof numbers);
        }
        append_constant(&graph, buffer_bytes(&attribute));
        open_graph(&opened, &graph);
        assert_int_equal(opened.status, STATUS_OK);
        const struct onnx_tensor *value = opened.onnx.values[opened.onnx.nodes[0].outputs[0]].tensor;
        assert_int_equal(value->elements, form == 1 ? 1 : 2);
        assert_true(onnx_tensor_number(value, 0) == 5);
        assert_true(form == 1 || onnx_tensor_number(value, 1) == -1);
        close_graph(&opened);
        buffer_free(&attribute);
        buffer_free(&tensor);
    }
}

static void tensors_that_lie_are_refused(void **state) {
    (void)state;
    static const struct {
        uint64_t size;
        int32_t type;
        uint32_t field;
        size_t bytes;
        const char *message;
    } cases[] = {
        {3, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, TENSOR_RAW, 8,
         "holds 8 bytes, its shape and type (float) need 12"},
        {2, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, TENSOR_RAW, 8, "need 16"},
        {(uint64_t)1 << 62, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, TENSOR_RAW, 8, "its shape overflows"},
        {(uint64_t)1 << 62, ONNX__TENSOR_PROTO__DATA_TYPE__INT8, TENSOR_INTEGERS32, 8, "holds 8 bytes"},
        {UINT64_MAX, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, TENSOR_RAW, 8, "dimension 0 is negative"},
        {8, ONNX__TENSOR_PROTO__DATA_TYPE__STRING, TENSOR_RAW, 8, "has the type string"},
        {8, 99, TENSOR_RAW, 8, "has the type undefined (99)"},
        {7, ONNX__TENSOR_PROTO__DATA_TYPE__INT32, TENSOR_INTEGERS32, 8, "its list has more than 7 numbers"},
        {2, ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, TENSOR_FLOATS, 8, "need 16"},
    };
    static const unsigned char zeros[8];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer tensor = {0}, graph = {0};
        struct opened opened;
        append_tensor(&tensor, cases[i].size, cases[i].type, cases[i].field, bytes_of(zeros, cases[i].bytes));
        append_bytes(&graph, GRAPH_INITIALIZER, tensor.data, tensor.size);
        open_graph(&opened, &graph);
        assert_refused(&opened, cases[i].message);
        buffer_free(&tensor);
    }
}

static void the_contents_of_a_tensor_are_in_one_piece(void **state) {
    (void)state;
    static const unsigned char zeros[8];
    struct buffer tensor = {0}, graph = {0};
    struct opened opened;
    append_tensor(&tensor, 4, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, TENSOR_RAW, bytes_of(zeros, 8));
    append_bytes(&tensor, TENSOR_RAW, zeros, 8);
    append_bytes(&graph, GRAPH_INITIALIZER, tensor.data, tensor.size);
    open_graph(&opened, &graph);
    assert_refused(&opened, "are not in one piece");
    buffer_free(&tensor);
}

/* ---- what would take forever, or all memory ---- */

/* protobuf-c merges what is there twice, and copies all that it has each time. */
static void a_message_that_comes_again_is_refused(void **state) {
    (void)state;
    struct buffer attribute = {0}, graph = {0}, tensor = {0};
    struct opened opened;
    append_text(&attribute, ATTRIBUTE_NAME, "value");
    append_number(&tensor, TENSOR_DIMENSIONS, 1);
    for (int i = 0; i < 200000; i++)
        append_bytes(&attribute, ATTRIBUTE_TENSOR, tensor.data, tensor.size);
    append_constant(&graph, buffer_bytes(&attribute));
    open_graph(&opened, &graph);
    assert_refused(&opened, "a part that a message has once is there twice");
    buffer_free(&attribute);
    buffer_free(&tensor);
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    struct buffer inner = {0};
    struct opened opened;
    for (int i = 0; i < 300; i++) {
        const uint32_t fields[] = {ATTRIBUTE_GRAPH, NODE_ATTRIBUTE, GRAPH_NODE};
        struct buffer outer = {0};
        append_bytes(&outer, fields[i % 3], inner.data, inner.size);
        buffer_free(&inner);
        inner = outer;
    }
    open_graph(&opened, &inner);
    assert_refused(&opened, "messages are nested too deeply");
}

static void many_nodes_and_inputs_are_refused(void **state) {
    (void)state;
    struct buffer graph = {0}, node = {0};
    struct opened opened;
    for (uint32_t i = 0; i <= ONNX_MAX_NODES; i++)
        append_bytes(&graph, GRAPH_NODE, NULL, 0);
    open_graph(&opened, &graph);
    assert_refused(&opened, "nodes and");
    for (uint32_t i = 0; i <= ONNX_MAX_VALUES; i++)
        append_text(&node, NODE_OUTPUT, "");
    append_bytes(&graph, GRAPH_NODE, node.data, node.size);
    open_graph(&opened, &graph);
    assert_refused(&opened, "has too many inputs");
    buffer_free(&node);
}

static void assert_text_refused(const char *text, const char *part_of_message) {
    struct opened opened = {0};
    onnx_text_write(text, 17, &opened.file);
    opened.status =
        onnx_open(&opened.onnx, buffer_bytes(&opened.file), "m.onnx", &onnx_text_companions, &opened.error);
    assert_refused(&opened, part_of_message);
}

static void graphs_without_an_order_are_refused(void **state) {
    (void)state;
    assert_text_refused("a = Add(b, x)\nb = Add(a, x)\noutput b", "lies on a cycle or reads from one");
    assert_text_refused("a = Add(a, a)\noutput a", "the node Add \"a\" (number 0, at byte");
    assert_text_refused("a = Add(x, x)\na = Sub(x, x)", "the value \"a\" is made twice");
    assert_text_refused("input a\na = Sub(x, x)", "the value \"a\" is made twice");
    assert_text_refused("number a 1\nnumber a 2", "the value \"a\" is made twice");
    assert_text_refused("number a 1\na = Sub(x, x)", "the value \"a\" is made twice");
}

/* ---- damage ---- */

/* Opens the bytes out of a copy of their own, recognises the graph and reads of every weight the last
 * element. */
static enum status read_all(struct bytes file, struct error *error) {
    unsigned char *copy = malloc(file.size + 1);
    assert_non_null(copy);
    memcpy(copy + 1, file.data, file.size);
    struct onnx onnx;
    struct onnx_bert bert = {0};
    enum status status =
        onnx_open(&onnx, bytes_of(copy + 1, file.size), "m.onnx", &onnx_text_companions, error);
    if (status == STATUS_OK)
        status = onnx_bert_recognise(&onnx, &bert, error);
    for (uint32_t i = 0; status == STATUS_OK && i < bert.weight_count; i++) {
        const struct tensor_source source = onnx_bert_tensors(&bert);
        const struct onnx_weight *weight = &bert.weights[i];
        struct source_tensor tensor;
        float value;
        size_t last = (size_t)(weight->rows * (weight->columns == 0 ? 1 : weight->columns)) - 1;
        if (source.find(source.reader, weight->name, &tensor))
            (void)source.read(source.reader, &tensor, last, 1, &value, error);
    }
    onnx_bert_free(&bert);
    onnx_close(&onnx);
    free(copy);
    return status;
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    struct buffer file = {0};
    struct error error;
    onnx_text_write(onnx_text_bert, 17, &file);
    assert_int_equal(read_all(buffer_bytes(&file), &error), STATUS_OK);
    for (size_t size = 0; size < file.size; size++) {
        /* The operator set comes last: without it the defaults of the first one hold. */
        enum status status = read_all(bytes_of(file.data, size), &error);
        if (status == STATUS_OK)
            assert_true(size > file.size - 16);
        else
            assert_non_null(strstr(error.message, "m.onnx"));
    }
    buffer_free(&file);
}

/* Any byte changed to anything is a BERT still, or an error that names the file. */
static void no_changed_byte_does_harm(void **state) {
    (void)state;
    static const unsigned char changes[] = {0x01, 0x80, 0xff};
    struct buffer file = {0};
    struct error error;
    onnx_text_write(onnx_text_bert, 17, &file);
    for (size_t place = 0; place < file.size; place++) {
        unsigned char change = changes[place % sizeof changes];
        file.data[place] ^= change;
        if (read_all(buffer_bytes(&file), &error) != STATUS_OK)
            assert_non_null(strstr(error.message, "m.onnx"));
        file.data[place] ^= change;
    }
    buffer_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_tensor_is_read),
        cmocka_unit_test(every_form_of_a_constant_is_read),
        cmocka_unit_test(tensors_that_lie_are_refused),
        cmocka_unit_test(the_contents_of_a_tensor_are_in_one_piece),
        cmocka_unit_test(a_message_that_comes_again_is_refused),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(many_nodes_and_inputs_are_refused),
        cmocka_unit_test(graphs_without_an_order_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(no_changed_byte_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
