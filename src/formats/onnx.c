#include "formats/onnx.h"

#include "formats/onnx_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_GRAPH   7u                 /* field number of onnx.proto */
#define UNPACKED_BASE ((size_t)32 << 20) /* bytes that protobuf-c may take beyond the size of the file */

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

/* ---- what the parts of the reader share ---- */

size_t onnx_offset(const struct onnx *onnx, const unsigned char *place) {
    return (size_t)(place - onnx->file.data);
}

/* Finds the fields of a message of a known kind. */
struct protobuf_cursor onnx_cursor(const struct onnx *onnx, struct bytes message) {
    return (struct protobuf_cursor){onnx->file_name, onnx->file, message};
}

enum status onnx_out_of_memory(const struct onnx *onnx, struct error *error) {
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the graph of %s", onnx->file_name);
}

enum status onnx_not_unpacked(const struct onnx *onnx, const char *what, const unsigned char *place,
                              struct error *error) {
    return error_set(error, STATUS_INVALID_DATA,
                     "%s: the %s at byte %zu is malformed, or the graph needs more than %zu MB",
                     onnx->file_name, what, onnx_offset(onnx, place), onnx->memory.limit >> 20);
}

/* ---- the file ---- */

/* What the model says about itself, without its graph. */
static enum status read_header(struct onnx *onnx, struct bytes rest, struct error *error) {
    Onnx__ModelProto *model = onnx__model_proto__unpack(&onnx->allocator, rest.size, rest.data);
    if (model == NULL)
        return onnx_not_unpacked(onnx, "model", onnx->file.data, error);
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
    struct protobuf_cursor cursor = onnx_cursor(onnx, onnx->file);
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
                               onnx->file_name, onnx_offset(onnx, field.whole.data));
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
        status = onnx_read_graph(onnx, graph, error);
    if (status == STATUS_OK)
        status = onnx_sort_nodes(onnx, error);
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
