#include "formats/onnx.h"

#include "formats/protobuf_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Field numbers of onnx.proto that are read before protobuf-c unpacks. */
#define MODEL_GRAPH       7u
#define GRAPH_NODE        1u
#define GRAPH_INITIALIZER 5u
#define GRAPH_INPUT       11u
#define GRAPH_OUTPUT      12u
#define GRAPH_SPARSE      15u
#define NODE_ATTRIBUTE    5u
#define ATTRIBUTE_TENSOR  5u
#define TENSOR_FLOATS     4u
#define TENSOR_INTEGERS32 5u
#define TENSOR_INTEGERS64 7u
#define TENSOR_RAW        9u

#define UNPACKED_BASE ((size_t)32 << 20) /* bytes that protobuf-c may take beyond the size of the file */
#define NO_NODE       UINT32_MAX

/* ---- memory of protobuf-c, counted ---- */

/* In front of each piece, so that freeing can count. */
union piece_header {
    size_t size;
    max_align_t alignment;
};

static void *allocate_piece(void *context, size_t size) {
    struct onnx_memory *memory = context;
    size_t total;
    if (!size_add(size, sizeof(union piece_header), &total) || total > memory->limit - memory->used)
        return NULL;
    union piece_header *piece = malloc(total);
    if (piece == NULL)
        return NULL;
    piece->size = total;
    memory->used += total;
    return piece + 1;
}

static void free_piece(void *context, void *pointer) {
    if (pointer == NULL)
        return;
    struct onnx_memory *memory = context;
    union piece_header *piece = (union piece_header *)pointer - 1;
    memory->used -= piece->size;
    free(piece);
}

static size_t offset_of(const struct onnx *onnx, const unsigned char *place) {
    return (size_t)(place - onnx->file.data);
}

static enum status out_of_memory(const struct onnx *onnx, struct error *error) {
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the graph of %s", onnx->file_name);
}

static enum status not_unpacked(const struct onnx *onnx, const char *what, const unsigned char *place,
                                struct error *error) {
    return error_set(error, STATUS_INVALID_DATA,
                     "%s: the %s at byte %zu is malformed, or the graph needs more than %zu MB",
                     onnx->file_name, what, offset_of(onnx, place), onnx->memory.limit >> 20);
}

/* Finds the fields of a message of a known kind. */
static struct protobuf_cursor cursor_at(const struct onnx *onnx, struct bytes message) {
    return (struct protobuf_cursor){onnx->file_name, onnx->file, message};
}

/* ---- tensors ---- */

/* Where a list must be in one piece, as every writer has it. */
static bool take_list(const struct protobuf_field *field, struct bytes *list, bool *has) {
    if (field->type != PROTOBUF_LENGTH || *has)
        return false;
    *list = field->content;
    *has = true;
    return true;
}

/* Divides a tensor's fields into its contents, which stay where they are, and the rest. */
static enum status divide_tensor(struct onnx *onnx, struct bytes message, struct onnx_contents *contents,
                                 struct buffer *rest, struct error *error) {
    struct protobuf_cursor cursor = cursor_at(onnx, message);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && cursor.rest.size > 0) {
        struct protobuf_field field;
        status = protobuf_next(&cursor, &field, error);
        if (status != STATUS_OK)
            return status;
        bool taken = true;
        if (field.number == TENSOR_RAW)
            taken = take_list(&field, &contents->raw, &contents->has_raw);
        else if (field.number == TENSOR_FLOATS)
            taken = take_list(&field, &contents->floats, &contents->has_floats);
        else if (field.number == TENSOR_INTEGERS32)
            taken = take_list(&field, &contents->integers32, &contents->has_integers32);
        else if (field.number == TENSOR_INTEGERS64)
            taken = take_list(&field, &contents->integers64, &contents->has_integers64);
        else
            status = buffer_append(rest, field.whole.data, field.whole.size, error);
        if (!taken)
            return error_set(error, STATUS_INVALID_DATA,
                             "%s: the contents of the tensor at byte %zu are not in one piece (byte %zu)",
                             onnx->file_name, offset_of(onnx, message.data),
                             offset_of(onnx, field.whole.data));
    }
    return status;
}

/* A name that stays inside the folder of the model. */
static bool is_plain_name(const char *name) {
    if (name == NULL || name[0] == '\0' || name[0] == '/' || strchr(name, '\\') != NULL)
        return false;
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += part[0] == '/';
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 2 && memcmp(part, "..", 2) == 0))
            return false;
    }
    return true;
}

static enum status open_external(const struct onnx *onnx, const struct onnx_tensor *tensor, const char *where,
                                 struct bytes *content, struct error *error) {
    if (!onnx_tensor_is_external(tensor->proto))
        return STATUS_OK;
    const char *location = onnx_tensor_external(tensor->proto, "location");
    if (!is_plain_name(location))
        return error_set(error, STATUS_INVALID_DATA,
                         "%s is stored in \"%.100s\", which is not a file inside the model's folder", where,
                         location == NULL ? "" : location);
    if (onnx->companions.open == NULL)
        return error_set(error, STATUS_UNSUPPORTED, "%s is stored in another file, \"%.100s\"", where,
                         location);
    enum status status = onnx->companions.open(onnx->companions.context, location, content, error);
    return status == STATUS_OK ? status : error_add_context(error, status, "%s", where);
}

static enum status add_tensor(struct onnx *onnx, struct bytes message, struct error *error) {
    struct onnx_tensor *tensor = &onnx->tensors[onnx->tensor_count];
    struct onnx_contents contents = {0};
    struct buffer rest = {0};
    *tensor = (struct onnx_tensor){.file_offset = offset_of(onnx, message.data)};
    enum status status = divide_tensor(onnx, message, &contents, &rest, error);
    if (status == STATUS_OK) {
        tensor->proto = onnx__tensor_proto__unpack(&onnx->allocator, rest.size, rest.data);
        if (tensor->proto == NULL)
            status = not_unpacked(onnx, "tensor", message.data, error);
        else
            onnx->tensor_count++;
    }
    buffer_free(&rest);
    if (status != STATUS_OK)
        return status;
    char where[256];
    struct bytes external = {0};
    snprintf(where, sizeof where, "%s: tensor \"%.80s\" (at byte %zu)", onnx->file_name,
             tensor->proto->name == NULL ? "" : tensor->proto->name, offset_of(onnx, message.data));
    status = open_external(onnx, tensor, where, &external, error);
    if (status == STATUS_OK)
        status = onnx_tensor_complete(tensor, &contents, external, where, error);
    return status;
}

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
        if (onnx->value_count == ONNX_MAX_VALUES)
            return error_set(error, STATUS_LIMIT_EXCEEDED, "%s: more than %u values", onnx->file_name,
                             ONNX_MAX_VALUES);
        onnx->values[onnx->value_count] = (struct onnx_value){.name = name, .node = NO_NODE};
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
        return not_unpacked(onnx, "node", message.data, error);
    struct onnx_node *node = &onnx->nodes[onnx->node_count];
    *node = (struct onnx_node){
        .proto = proto,
        .operator_name = proto->op_type == NULL ? "" : proto->op_type,
        .domain = proto->domain == NULL || strcmp(proto->domain, "ai.onnx") == 0 ? "" : proto->domain,
        .position = onnx->node_count,
        .file_offset = offset_of(onnx, message.data),
    };
    onnx->node_count++;
    if (proto->n_input > ONNX_MAX_VALUES || proto->n_output > ONNX_MAX_VALUES)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%s: the node at byte %zu has too many inputs",
                         onnx->file_name, offset_of(onnx, message.data));
    node->input_count = (uint32_t)proto->n_input;
    node->output_count = (uint32_t)proto->n_output;
    return STATUS_OK;
}

static bool is_constant(const struct onnx_node *node) {
    return node->domain[0] == '\0' && strcmp(node->operator_name, "Constant") == 0;
}

/* The tensor inside a node's attribute "value", as bytes. */
static enum status find_constant(struct onnx *onnx, struct bytes message, struct bytes *tensor,
                                 struct error *error) {
    const uint32_t path[] = {NODE_ATTRIBUTE, ATTRIBUTE_TENSOR};
    *tensor = message;
    for (size_t i = 0; i < 2; i++) {
        struct protobuf_cursor cursor = cursor_at(onnx, *tensor);
        *tensor = (struct bytes){0};
        while (cursor.rest.size > 0) {
            struct protobuf_field field;
            enum status status = protobuf_next(&cursor, &field, error);
            if (status != STATUS_OK)
                return status;
            if (field.number == path[i] && field.type == PROTOBUF_LENGTH)
                *tensor = field.content;
        }
    }
    return STATUS_OK;
}

/* A constant that is given as numbers instead of as a tensor. */
static enum status add_number_constant(struct onnx *onnx, const struct onnx_node *node, struct error *error) {
    const Onnx__AttributeProto *attribute = node->proto->attribute[0];
    const char *name = attribute->name == NULL ? "" : attribute->name;
    bool one_integer = strcmp(name, "value_int") == 0, integers = strcmp(name, "value_ints") == 0;
    bool one_number = strcmp(name, "value_float") == 0, numbers = strcmp(name, "value_floats") == 0;
    if (!one_integer && !integers && !one_number && !numbers)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: the Constant at byte %zu has the attribute \"%.60s\", which is not supported",
                         onnx->file_name, (size_t)node->file_offset, name);
    struct onnx_tensor *tensor = &onnx->tensors[onnx->tensor_count++];
    *tensor = (struct onnx_tensor){.name = "", .file_offset = node->file_offset};
    bool whole = one_integer || integers;
    size_t count = one_integer || one_number ? 1 : integers ? attribute->n_ints : attribute->n_floats;
    size_t bytes = whole ? sizeof(int64_t) : sizeof(float);
    unsigned char *data = calloc(count + 1, bytes);
    if (data == NULL)
        return out_of_memory(onnx, error);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        float number = one_number ? attribute->f : numbers ? attribute->floats[i] : 0;
        memcpy(&bits, &number, sizeof bits);
        if (whole)
            store_u64le(data + 8 * i, (uint64_t)(one_integer ? attribute->i : attribute->ints[i]));
        else
            store_u32le(data + 4 * i, bits);
    }
    tensor->type = whole ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64 : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->dimensions = one_integer || one_number ? 0 : 1;
    tensor->shape[0] = count;
    tensor->elements = count;
    tensor->owned_data = data;
    tensor->data = bytes_of(data, count * bytes);
    return STATUS_OK;
}

static enum status add_constant(struct onnx *onnx, const struct onnx_node *node, struct bytes message,
                                struct error *error) {
    const Onnx__NodeProto *proto = node->proto;
    if (proto->n_attribute != 1 || proto->n_output != 1)
        return error_set(error, STATUS_INVALID_DATA, "%s: the Constant at byte %zu has not one value",
                         onnx->file_name, (size_t)node->file_offset);
    enum status status;
    if (proto->attribute[0]->t != NULL) {
        struct bytes tensor;
        status = find_constant(onnx, message, &tensor, error);
        if (status == STATUS_OK)
            status = add_tensor(onnx, tensor, error);
    } else {
        status = add_number_constant(onnx, node, error);
    }
    if (status == STATUS_OK)
        status = name_tensor(onnx, proto->output[0], &onnx->tensors[onnx->tensor_count - 1], error);
    return status;
}

/* ---- the graph ---- */

struct graph_counts {
    size_t nodes, tensors, interface;
};

static enum status count_graph(struct onnx *onnx, struct bytes graph, struct graph_counts *counts,
                               struct error *error) {
    struct protobuf_cursor cursor = cursor_at(onnx, graph);
    while (cursor.rest.size > 0) {
        struct protobuf_field field;
        enum status status = protobuf_next(&cursor, &field, error);
        if (status != STATUS_OK)
            return status;
        counts->nodes += field.number == GRAPH_NODE;
        counts->tensors += field.number == GRAPH_INITIALIZER;
        counts->interface += field.number == GRAPH_INPUT || field.number == GRAPH_OUTPUT;
        if (field.number == GRAPH_SPARSE)
            return error_set(error, STATUS_UNSUPPORTED, "%s: sparse tensors (byte %zu) are not supported",
                             onnx->file_name, offset_of(onnx, field.whole.data));
    }
    if (counts->nodes > ONNX_MAX_NODES || counts->tensors > ONNX_MAX_VALUES ||
        counts->interface > ONNX_MAX_VALUES)
        return error_set(
            error, STATUS_LIMIT_EXCEEDED,
            "%s: the graph at byte %zu has %zu nodes and %zu tensors, at most %u and %u are accepted",
            onnx->file_name, offset_of(onnx, graph.data), counts->nodes, counts->tensors, ONNX_MAX_NODES,
            ONNX_MAX_VALUES);
    return STATUS_OK;
}

static enum status allocate_graph(struct onnx *onnx, const struct graph_counts *counts, struct error *error) {
    onnx->slot_count = 2 * ONNX_MAX_VALUES;
    onnx->nodes = calloc(counts->nodes + 1, sizeof *onnx->nodes);
    /* A constant of each node at most. */
    onnx->tensors = calloc(counts->tensors + counts->nodes + 1, sizeof *onnx->tensors);
    onnx->values = calloc(ONNX_MAX_VALUES, sizeof *onnx->values);
    onnx->slots = malloc(onnx->slot_count * sizeof *onnx->slots);
    onnx->interface = calloc(counts->interface + 1, sizeof *onnx->interface);
    onnx->graph_outputs = calloc(counts->interface + 1, sizeof *onnx->graph_outputs);
    if (onnx->nodes == NULL || onnx->tensors == NULL || onnx->values == NULL || onnx->slots == NULL ||
        onnx->interface == NULL || onnx->graph_outputs == NULL)
        return out_of_memory(onnx, error);
    memset(onnx->slots, 0xff, onnx->slot_count * sizeof *onnx->slots);
    return STATUS_OK;
}

static enum status add_interface(struct onnx *onnx, const struct protobuf_field *field, struct error *error) {
    Onnx__ValueInfoProto *info =
        onnx__value_info_proto__unpack(&onnx->allocator, field->content.size, field->content.data);
    if (info == NULL)
        return not_unpacked(onnx, "input or output", field->whole.data, error);
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

static enum status add_field(struct onnx *onnx, const struct protobuf_field *field, struct error *error) {
    enum status status = STATUS_OK;
    switch (field->number) {
    case GRAPH_NODE:
        status = add_node(onnx, field->content, error);
        if (status == STATUS_OK && is_constant(&onnx->nodes[onnx->node_count - 1]))
            status = add_constant(onnx, &onnx->nodes[onnx->node_count - 1], field->content, error);
        break;
    case GRAPH_INITIALIZER:
        status = add_tensor(onnx, field->content, error);
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

static enum status read_graph(struct onnx *onnx, struct bytes graph, struct error *error) {
    struct graph_counts counts = {0};
    enum status status = count_graph(onnx, graph, &counts, error);
    if (status == STATUS_OK)
        status = allocate_graph(onnx, &counts, error);
    struct protobuf_cursor cursor = cursor_at(onnx, graph);
    while (status == STATUS_OK && cursor.rest.size > 0) {
        struct protobuf_field field;
        status = protobuf_next(&cursor, &field, error);
        bool is_message = field.type == PROTOBUF_LENGTH;
        if (status == STATUS_OK && is_message)
            status = add_field(onnx, &field, error);
    }
    return status;
}

/* Gives the inputs and outputs of every node their values. */
static enum status resolve_nodes(struct onnx *onnx, struct error *error) {
    size_t total = 1;
    for (uint32_t i = 0; i < onnx->node_count; i++)
        total += (size_t)onnx->nodes[i].input_count + onnx->nodes[i].output_count;
    onnx->references = calloc(total, sizeof *onnx->references);
    if (onnx->references == NULL)
        return out_of_memory(onnx, error);
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
            if (value->node != NO_NODE || value->is_input || (value->tensor != NULL && !is_constant(node)))
                return twice(onnx, value->name, error);
            value->node = i;
        }
    }
    return STATUS_OK;
}

/* ---- the order of computation (Kahn 1962) ---- */

struct sorting {
    uint32_t *waiting; /* [nodes] inputs that are not made yet */
    uint32_t *first;   /* [values] the first reader in the list below */
    uint32_t *next;    /* [references] */
    uint32_t *reader;  /* [references] */
    uint32_t *order;   /* [nodes] */
    uint32_t reader_count, ordered;
};

static void count_waiting(const struct onnx *onnx, struct sorting *sorting) {
    for (uint32_t i = 0; i < onnx->node_count; i++) {
        const struct onnx_node *node = &onnx->nodes[i];
        for (uint32_t k = 0; k < node->input_count; k++) {
            uint32_t value = node->inputs[k];
            if (value == ONNX_NO_VALUE || onnx->values[value].node == NO_NODE)
                continue;
            sorting->waiting[i]++;
            sorting->reader[sorting->reader_count] = i;
            sorting->next[sorting->reader_count] = sorting->first[value];
            sorting->first[value] = sorting->reader_count++;
        }
        if (sorting->waiting[i] == 0)
            sorting->order[sorting->ordered++] = i;
    }
}

static void order_nodes(const struct onnx *onnx, struct sorting *sorting) {
    for (uint32_t done = 0; done < sorting->ordered; done++) {
        const struct onnx_node *node = &onnx->nodes[sorting->order[done]];
        for (uint32_t k = 0; k < node->output_count; k++) {
            if (node->outputs[k] == ONNX_NO_VALUE)
                continue;
            for (uint32_t r = sorting->first[node->outputs[k]]; r != UINT32_MAX; r = sorting->next[r]) {
                if (--sorting->waiting[sorting->reader[r]] == 0)
                    sorting->order[sorting->ordered++] = sorting->reader[r];
            }
        }
    }
}

static enum status cyclic(const struct onnx *onnx, const struct sorting *sorting, struct error *error) {
    uint32_t i = 0;
    while (sorting->waiting[i] == 0)
        i++;
    const struct onnx_node *node = &onnx->nodes[i];
    return error_set(error, STATUS_INVALID_DATA,
                     "%s: the node %s \"%.80s\" (number %u, at byte %zu) lies on a cycle or reads from one",
                     onnx->file_name, node->operator_name, node->proto->name == NULL ? "" : node->proto->name,
                     i, (size_t)node->file_offset);
}

/* Puts the nodes in the order found, and the values' nodes with them. */
static enum status apply_order(struct onnx *onnx, const struct sorting *sorting, struct error *error) {
    struct onnx_node *nodes = calloc((size_t)onnx->node_count + 1, sizeof *nodes);
    if (nodes == NULL)
        return out_of_memory(onnx, error);
    for (uint32_t i = 0; i < onnx->node_count; i++)
        nodes[i] = onnx->nodes[sorting->order[i]];
    free(onnx->nodes);
    onnx->nodes = nodes;
    for (uint32_t i = 0; i < onnx->node_count; i++) {
        for (uint32_t k = 0; k < nodes[i].output_count; k++) {
            if (nodes[i].outputs[k] != ONNX_NO_VALUE)
                onnx->values[nodes[i].outputs[k]].node = i;
        }
    }
    return STATUS_OK;
}

static enum status sort_nodes(struct onnx *onnx, struct error *error) {
    size_t references = 1;
    for (uint32_t i = 0; i < onnx->node_count; i++)
        references += onnx->nodes[i].input_count;
    struct sorting sorting = {
        .waiting = calloc((size_t)onnx->node_count + 1, sizeof(uint32_t)),
        .first = malloc(((size_t)onnx->value_count + 1) * sizeof(uint32_t)),
        .next = calloc(references, sizeof(uint32_t)),
        .reader = calloc(references, sizeof(uint32_t)),
        .order = calloc((size_t)onnx->node_count + 1, sizeof(uint32_t)),
    };
    enum status status = STATUS_OK;
    if (sorting.waiting == NULL || sorting.first == NULL || sorting.next == NULL || sorting.reader == NULL ||
        sorting.order == NULL) {
        status = out_of_memory(onnx, error);
    } else {
        memset(sorting.first, 0xff, ((size_t)onnx->value_count + 1) * sizeof(uint32_t));
        count_waiting(onnx, &sorting);
        order_nodes(onnx, &sorting);
        status = sorting.ordered < onnx->node_count ? cyclic(onnx, &sorting, error)
                                                    : apply_order(onnx, &sorting, error);
    }
    free(sorting.waiting);
    free(sorting.first);
    free(sorting.next);
    free(sorting.reader);
    free(sorting.order);
    return status;
}

/* ---- the file ---- */

/* What the model says about itself, without its graph. */
static enum status read_header(struct onnx *onnx, struct bytes rest, struct error *error) {
    Onnx__ModelProto *model = onnx__model_proto__unpack(&onnx->allocator, rest.size, rest.data);
    if (model == NULL)
        return not_unpacked(onnx, "model", onnx->file.data, error);
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *set = model->opset_import[i];
        if (set->domain == NULL || set->domain[0] == '\0' || strcmp(set->domain, "ai.onnx") == 0)
            onnx->operator_set = set->version;
    }
    snprintf(onnx->producer, sizeof onnx->producer, "%s%s%s",
             model->producer_name == NULL ? "" : model->producer_name,
             model->producer_version == NULL || model->producer_version[0] == '\0' ? "" : " ",
             model->producer_version == NULL ? "" : model->producer_version);
    size_t functions = model->n_functions;
    onnx__model_proto__free_unpacked(model, &onnx->allocator);
    if (functions > 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: a graph with functions of its own is not supported; export without them",
                         onnx->file_name);
    return STATUS_OK;
}

static enum status read_model(struct onnx *onnx, struct bytes *graph, struct error *error) {
    struct protobuf_cursor cursor = cursor_at(onnx, onnx->file);
    struct buffer rest = {0};
    enum status status = protobuf_check(&cursor, &onnx__model_proto__descriptor, error);
    while (status == STATUS_OK && cursor.rest.size > 0) {
        struct protobuf_field field;
        status = protobuf_next(&cursor, &field, error);
        if (status != STATUS_OK)
            break;
        if (field.number != MODEL_GRAPH)
            status = buffer_append(&rest, field.whole.data, field.whole.size, error);
        else if (field.type != PROTOBUF_LENGTH || graph->data != NULL)
            status = error_set(error, STATUS_INVALID_DATA, "%s: at byte %zu: a second graph, or none",
                               onnx->file_name, offset_of(onnx, field.whole.data));
        else
            *graph = field.content;
    }
    if (status == STATUS_OK && graph->data == NULL)
        status =
            error_set(error, STATUS_INVALID_DATA, "%s holds no graph: not an ONNX model", onnx->file_name);
    if (status == STATUS_OK)
        status = read_header(onnx, buffer_bytes(&rest), error);
    buffer_free(&rest);
    return status;
}

enum status onnx_open(struct onnx *onnx, struct bytes file, const char *file_name,
                      const struct onnx_companions *companions, struct error *error) {
    *onnx = (struct onnx){.file_name = file_name, .file = file};
    if (companions != NULL)
        onnx->companions = *companions;
    onnx->memory.limit = UNPACKED_BASE + file.size;
    onnx->allocator = (ProtobufCAllocator){allocate_piece, free_piece, &onnx->memory};
    struct bytes graph = {0};
    enum status status = read_model(onnx, &graph, error);
    if (status == STATUS_OK)
        status = read_graph(onnx, graph, error);
    if (status == STATUS_OK)
        status = resolve_nodes(onnx, error);
    if (status == STATUS_OK)
        status = sort_nodes(onnx, error);
    return status;
}

void onnx_close(struct onnx *onnx) {
    for (uint32_t i = 0; i < onnx->node_count; i++)
        onnx__node_proto__free_unpacked(onnx->nodes[i].proto, &onnx->allocator);
    for (uint32_t i = 0; i < onnx->tensor_count; i++) {
        free(onnx->tensors[i].owned_data);
        if (onnx->tensors[i].proto != NULL)
            onnx__tensor_proto__free_unpacked(onnx->tensors[i].proto, &onnx->allocator);
    }
    for (uint32_t i = 0; i < onnx->interface_count; i++)
        onnx__value_info_proto__free_unpacked(onnx->interface[i], &onnx->allocator);
    free(onnx->nodes);
    free(onnx->tensors);
    free(onnx->values);
    free(onnx->slots);
    free(onnx->interface);
    free(onnx->graph_outputs);
    free(onnx->references);
    *onnx = (struct onnx){0};
}

const Onnx__AttributeProto *onnx_attribute(const struct onnx_node *node, const char *name) {
    for (size_t i = 0; i < node->proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = node->proto->attribute[i];
        if (attribute->name != NULL && strcmp(attribute->name, name) == 0)
            return attribute;
    }
    return NULL;
}

int64_t onnx_attribute_integer(const struct onnx_node *node, const char *name, int64_t otherwise) {
    const Onnx__AttributeProto *attribute = onnx_attribute(node, name);
    return attribute != NULL && attribute->has_i ? attribute->i : otherwise;
}

double onnx_attribute_number(const struct onnx_node *node, const char *name, double otherwise) {
    const Onnx__AttributeProto *attribute = onnx_attribute(node, name);
    return attribute != NULL && attribute->has_f ? (double)attribute->f : otherwise;
}
