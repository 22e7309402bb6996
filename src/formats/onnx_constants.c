/* The constant tensors of an ONNX file: initializers, and the values of Constant nodes. */
#include "formats/onnx_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Field numbers of onnx.proto that are read before protobuf-c unpacks. */
#define NODE_ATTRIBUTE    5u
#define ATTRIBUTE_TENSOR  5u
#define TENSOR_FLOATS     4u
#define TENSOR_INTEGERS32 5u
#define TENSOR_INTEGERS64 7u
#define TENSOR_RAW        9u

/* ---- initializers ---- */

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
    struct protobuf_cursor cursor = onnx_cursor(onnx, message);
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
                             onnx->file_name, onnx_offset(onnx, message.data),
                             onnx_offset(onnx, field.whole.data));
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

enum status onnx_add_tensor(struct onnx *onnx, struct bytes message, struct error *error) {
    struct onnx_tensor *tensor = &onnx->tensors[onnx->tensor_count];
    struct onnx_contents contents = {0};
    struct buffer rest = {0};
    *tensor = (struct onnx_tensor){.file_offset = onnx_offset(onnx, message.data)};
    enum status status = divide_tensor(onnx, message, &contents, &rest, error);
    if (status == STATUS_OK) {
        tensor->proto = onnx__tensor_proto__unpack(&onnx->allocator, rest.size, rest.data);
        if (tensor->proto == NULL)
            status = onnx_not_unpacked(onnx, "tensor", message.data, error);
        else
            onnx->tensor_count++;
    }
    buffer_free(&rest);
    if (status != STATUS_OK)
        return status;
    char where[256];
    struct bytes external = {0};
    snprintf(where, sizeof where, "%s: tensor \"%.80s\" (at byte %zu)", onnx->file_name,
             tensor->proto->name == NULL ? "" : tensor->proto->name, onnx_offset(onnx, message.data));
    status = open_external(onnx, tensor, where, &external, error);
    if (status == STATUS_OK)
        status = onnx_tensor_complete(tensor, &contents, external, where, error);
    return status;
}

/* ---- Constant nodes ---- */

/* The tensor inside a node's attribute "value", as bytes. */
static enum status find_constant(struct onnx *onnx, struct bytes message, struct bytes *tensor,
                                 struct error *error) {
    const uint32_t path[] = {NODE_ATTRIBUTE, ATTRIBUTE_TENSOR};
    *tensor = message;
    for (size_t i = 0; i < 2; i++) {
        struct protobuf_cursor cursor = onnx_cursor(onnx, *tensor);
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
        return onnx_out_of_memory(onnx, error);
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

enum status onnx_add_constant(struct onnx *onnx, const struct onnx_node *node, struct bytes message,
                              struct error *error) {
    const Onnx__NodeProto *proto = node->proto;
    if (proto->n_attribute != 1 || proto->n_output != 1)
        return error_set(error, STATUS_INVALID_DATA, "%s: the Constant at byte %zu has not one value",
                         onnx->file_name, (size_t)node->file_offset);
    enum status status;
    const char *name = proto->attribute[0]->name;
    if (name != NULL && strcmp(name, "value") == 0 && proto->attribute[0]->t != NULL) {
        struct bytes tensor;
        status = find_constant(onnx, message, &tensor, error);
        if (status == STATUS_OK)
            status = onnx_add_tensor(onnx, tensor, error);
    } else {
        status = add_number_constant(onnx, node, error);
    }
    return status;
}
