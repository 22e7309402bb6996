/* The graph of an ONNX file: its nodes, its inputs and outputs, and the values between them. */
#include "formats/onnx_reader.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Field numbers of onnx.proto that are read before protobuf-c unpacks. */
#define GRAPH_NODE        1u
#define GRAPH_INITIALIZER 5u
#define GRAPH_INPUT       11u
#define GRAPH_OUTPUT      12u
#define GRAPH_SPARSE      15u
#define NODE_INPUT        1u
#define NODE_OUTPUT       2u

/* ---- values ---- */

static uint32_t *find_slot(const struct onnx *onnx, const char *name) {
    uint32_t mask = onnx->slot_count - 1;
    uint32_t i = (uint32_t)XXH3_64bits(name, strlen(name)) & mask;
    while (onnx->slots[i] != ONNX_NO_VALUE && strcmp(onnx->values[onnx->slots[i]].name, name) != 0)
        i = (i + 1) & mask;
    return &onnx->slots[i];
}

/* The value of that name, new where there was none. "" is an input left out. */
static enum status value_of(struct onnx *onnx, const char *name, uint32_t *value, struct error *error) {
    *value = ONNX_NO_VALUE;
    if (name == NULL || name[0] == '\0')
        return STATUS_OK;
    uint32_t *slot = find_slot(onnx, name);
    if (*slot == ONNX_NO_VALUE) {
        if (onnx->value_count == onnx->value_capacity)
            return error_set(error, STATUS_LIMIT_EXCEEDED, "%s: more than %u values", onnx->file_name,
                             onnx->value_capacity);
        onnx->values[onnx->value_count] = (struct onnx_value){.name = name, .node = ONNX_NO_NODE};
        *slot = onnx->value_count++;
    }
    *value = *slot;
    return STATUS_OK;
}

static enum status twice(const struct onnx *onnx, const char *name, struct error *error) {
    return error_set(error, STATUS_INVALID_DATA, "%s: the value \"%.100s\" is made twice", onnx->file_name,
                     name);
}

static enum status name_tensor(struct onnx *onnx, const char *name, const struct onnx_tensor *tensor,
                               struct error *error) {
    uint32_t value;
    enum status status = value_of(onnx, name, &value, error);
    if (status != STATUS_OK || value == ONNX_NO_VALUE)
        return status;
    if (onnx->values[value].tensor != NULL)
        return twice(onnx, name, error);
    onnx->values[value].tensor = tensor;
    return STATUS_OK;
}

/* ---- nodes ---- */

static enum status add_node(struct onnx *onnx, struct bytes message, struct error *error) {
    Onnx__NodeProto *proto = onnx__node_proto__unpack(&onnx->allocator, message.size, message.data);
    if (proto == NULL)
        return onnx_not_unpacked(onnx, "node", message.data, error);
    struct onnx_node *node = &onnx->nodes[onnx->node_count];
    *node = (struct onnx_node){
        .proto = proto,
        .operator_name = proto->op_type == NULL ? "" : proto->op_type,
        .domain = proto->domain == NULL || strcmp(proto->domain, "ai.onnx") == 0 ? "" : proto->domain,
        .position = onnx->node_count,
        .file_offset = onnx_offset(onnx, message.data),
    };
    onnx->node_count++;
    if (proto->n_input > ONNX_MAX_VALUES || proto->n_output > ONNX_MAX_VALUES)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%s: the node at byte %zu has too many inputs",
                         onnx->file_name, onnx_offset(onnx, message.data));
    node->input_count = (uint32_t)proto->n_input;
    node->output_count = (uint32_t)proto->n_output;
    return STATUS_OK;
}

static bool is_constant(const struct onnx_node *node) {
    return node->domain[0] == '\0' && strcmp(node->operator_name, "Constant") == 0;
}

/* Gives the inputs and outputs of every node their values. */
static enum status resolve_nodes(struct onnx *onnx, struct error *error) {
    size_t total = 1;
    for (uint32_t i = 0; i < onnx->node_count; i++)
        total += (size_t)onnx->nodes[i].input_count + onnx->nodes[i].output_count;
    onnx->references = calloc(total, sizeof *onnx->references);
    if (onnx->references == NULL)
        return onnx_out_of_memory(onnx, error);
    uint32_t *next = onnx->references;
    for (uint32_t i = 0; i < onnx->node_count; i++) {
        struct onnx_node *node = &onnx->nodes[i];
        node->inputs = next;
        node->outputs = next + node->input_count;
        next = node->outputs + node->output_count;
        for (uint32_t k = 0; k < node->input_count; k++) {
            enum status status = value_of(onnx, node->proto->input[k], &node->inputs[k], error);
            if (status != STATUS_OK)
                return status;
        }
        for (uint32_t k = 0; k < node->output_count; k++) {
            enum status status = value_of(onnx, node->proto->output[k], &node->outputs[k], error);
            if (status != STATUS_OK)
                return status;
            if (node->outputs[k] == ONNX_NO_VALUE)
                continue;
            struct onnx_value *value = &onnx->values[node->outputs[k]];
            if (value->node != ONNX_NO_NODE || value->is_input ||
                (value->tensor != NULL && !is_constant(node)))
                return twice(onnx, value->name, error);
            value->node = i;
        }
    }
    return STATUS_OK;
}

/* ---- the graph ---- */

struct graph_counts {
    size_t nodes, tensors, interface;
    size_t references; /* of nodes to values */
};

static enum status count_references(const struct onnx *onnx, struct bytes node, struct graph_counts *counts,
                                    struct error *error) {
    struct protobuf_cursor cursor = onnx_cursor(onnx, node);
    while (cursor.rest.size > 0) {
        struct protobuf_field field;
        enum status status = protobuf_next(&cursor, &field, error);
        if (status != STATUS_OK)
            return status;
        counts->references += field.number == NODE_INPUT || field.number == NODE_OUTPUT;
    }
    return STATUS_OK;
}

static enum status count_graph(struct onnx *onnx, struct bytes graph, struct graph_counts *counts,
                               struct error *error) {
    struct protobuf_cursor cursor = onnx_cursor(onnx, graph);
    while (cursor.rest.size > 0) {
        struct protobuf_field field;
        enum status status = protobuf_next(&cursor, &field, error);
        if (status != STATUS_OK)
            return status;
        counts->nodes += field.number == GRAPH_NODE;
        if (field.number == GRAPH_NODE && field.type == PROTOBUF_LENGTH)
            status = count_references(onnx, field.content, counts, error);
        if (status != STATUS_OK)
            return status;
        counts->tensors += field.number == GRAPH_INITIALIZER;
        counts->interface += field.number == GRAPH_INPUT || field.number == GRAPH_OUTPUT;
        if (field.number == GRAPH_SPARSE)
            return error_set(error, STATUS_UNSUPPORTED, "%s: sparse tensors (byte %zu) are not supported",
                             onnx->file_name, onnx_offset(onnx, field.whole.data));
    }
    if (counts->nodes > ONNX_MAX_NODES || counts->tensors > ONNX_MAX_VALUES ||
        counts->interface > ONNX_MAX_VALUES)
        return error_set(
            error, STATUS_LIMIT_EXCEEDED,
            "%s: the graph at byte %zu has %zu nodes and %zu tensors, at most %u and %u are accepted",
            onnx->file_name, onnx_offset(onnx, graph.data), counts->nodes, counts->tensors, ONNX_MAX_NODES,
            ONNX_MAX_VALUES);
    return STATUS_OK;
}

static enum status allocate_graph(struct onnx *onnx, const struct graph_counts *counts, struct error *error) {
    size_t values = counts->tensors + counts->interface + counts->references;
    onnx->value_capacity = values < ONNX_MAX_VALUES ? (uint32_t)values : ONNX_MAX_VALUES;
    for (onnx->slot_count = 2; onnx->slot_count < 2 * onnx->value_capacity;)
        onnx->slot_count *= 2;
    onnx->nodes = calloc(counts->nodes + 1, sizeof *onnx->nodes);
    /* A constant of each node at most. */
    onnx->tensors = calloc(counts->tensors + counts->nodes + 1, sizeof *onnx->tensors);
    onnx->values = calloc((size_t)onnx->value_capacity + 1, sizeof *onnx->values);
    onnx->slots = malloc(onnx->slot_count * sizeof *onnx->slots);
    onnx->interface = calloc(counts->interface + 1, sizeof *onnx->interface);
    onnx->graph_outputs = calloc(counts->interface + 1, sizeof *onnx->graph_outputs);
    if (onnx->nodes == NULL || onnx->tensors == NULL || onnx->values == NULL || onnx->slots == NULL ||
        onnx->interface == NULL || onnx->graph_outputs == NULL)
        return onnx_out_of_memory(onnx, error);
    memset(onnx->slots, 0xff, onnx->slot_count * sizeof *onnx->slots);
    return STATUS_OK;
}

static enum status add_interface(struct onnx *onnx, const struct protobuf_field *field, struct error *error) {
    Onnx__ValueInfoProto *info =
        onnx__value_info_proto__unpack(&onnx->allocator, field->content.size, field->content.data);
    if (info == NULL)
        return onnx_not_unpacked(onnx, "input or output", field->whole.data, error);
    onnx->interface[onnx->interface_count++] = info;
    uint32_t value;
    enum status status = value_of(onnx, info->name, &value, error);
    if (status != STATUS_OK || value == ONNX_NO_VALUE)
        return status;
    if (field->number == GRAPH_INPUT)
        onnx->values[value].is_input = true;
    else
        onnx->graph_outputs[onnx->graph_output_count++] = value;
    return STATUS_OK;
}

static enum status add_constant(struct onnx *onnx, const struct onnx_node *node, struct bytes message,
                                struct error *error) {
    enum status status = onnx_add_constant(onnx, node, message, error);
    if (status == STATUS_OK)
        status = name_tensor(onnx, node->proto->output[0], &onnx->tensors[onnx->tensor_count - 1], error);
    return status;
}

static enum status add_field(struct onnx *onnx, const struct protobuf_field *field, struct error *error) {
    enum status status = STATUS_OK;
    switch (field->number) {
    case GRAPH_NODE:
        status = add_node(onnx, field->content, error);
        if (status == STATUS_OK && is_constant(&onnx->nodes[onnx->node_count - 1]))
            status = add_constant(onnx, &onnx->nodes[onnx->node_count - 1], field->content, error);
        break;
    case GRAPH_INITIALIZER:
        status = onnx_add_tensor(onnx, field->content, error);
        if (status == STATUS_OK)
            status = name_tensor(onnx, onnx->tensors[onnx->tensor_count - 1].name,
                                 &onnx->tensors[onnx->tensor_count - 1], error);
        break;
    case GRAPH_INPUT:
    case GRAPH_OUTPUT:
        status = add_interface(onnx, field, error);
        break;
    default:
        break;
    }
    return status;
}

enum status onnx_read_graph(struct onnx *onnx, struct bytes graph, struct error *error) {
    struct graph_counts counts = {0};
    enum status status = count_graph(onnx, graph, &counts, error);
    if (status == STATUS_OK)
        status = allocate_graph(onnx, &counts, error);
    struct protobuf_cursor cursor = onnx_cursor(onnx, graph);
    while (status == STATUS_OK && cursor.rest.size > 0) {
        struct protobuf_field field;
        status = protobuf_next(&cursor, &field, error);
        bool is_message = field.type == PROTOBUF_LENGTH;
        if (status == STATUS_OK && is_message)
            status = add_field(onnx, &field, error);
    }
    return status == STATUS_OK ? resolve_nodes(onnx, error) : status;
}
