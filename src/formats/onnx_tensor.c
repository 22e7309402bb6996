#include "formats/onnx_tensor.h"

#include "formats/float_bits.h"
#include "formats/protobuf_wire.h"

#include <stdlib.h>
#include <string.h>

struct type_description {
    const char *name;
    uint32_t bytes;  /* of an element; 0: never a constant of ours */
    bool as_integer; /* may be given as a list of 32-bit numbers */
};

/* By number in onnx.proto, TensorProto.DataType. */
static const struct type_description types[] = {
    {"undefined", 0, false}, {"float", 4, false},  {"uint8", 1, true},      {"int8", 1, true},
    {"uint16", 2, true},     {"int16", 2, true},   {"int32", 4, true},      {"int64", 8, false},
    {"string", 0, false},    {"bool", 1, true},    {"float16", 2, true},    {"double", 8, false},
    {"uint32", 4, false},    {"uint64", 8, false}, {"complex64", 0, false}, {"complex128", 0, false},
    {"bfloat16", 2, true},
};

static const struct type_description *describe(int32_t type) {
    return type > 0 && (size_t)type < sizeof types / sizeof types[0] ? &types[type] : &types[0];
}

const char *onnx_type_name(int32_t type) {
    return describe(type)->name;
}

bool onnx_tensor_is_external(const Onnx__TensorProto *proto) {
    return proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

const char *onnx_tensor_external(const Onnx__TensorProto *proto, const char *key) {
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const Onnx__StringStringEntryProto *entry = proto->external_data[i];
        if (entry->key != NULL && strcmp(entry->key, key) == 0)
            return entry->value;
    }
    return NULL;
}

static enum status read_shape(struct onnx_tensor *tensor, const char *where, struct error *error) {
    const Onnx__TensorProto *proto = tensor->proto;
    if (proto->n_dims > ONNX_MAX_DIMENSIONS)
        return error_set(error, STATUS_INVALID_DATA, "%s has %zu dimensions, at most %u are accepted", where,
                         proto->n_dims, ONNX_MAX_DIMENSIONS);
    tensor->dimensions = (uint32_t)proto->n_dims;
    tensor->elements = 1;
    for (size_t i = 0; i < proto->n_dims; i++) {
        if (proto->dims[i] < 0)
            return error_set(error, STATUS_INVALID_DATA, "%s: dimension %zu is negative", where, i);
        tensor->shape[i] = (uint64_t)proto->dims[i];
        if (!size_multiply(tensor->elements, (size_t)tensor->shape[i], &tensor->elements))
            return error_set(error, STATUS_INVALID_DATA, "%s: its shape overflows", where);
    }
    return STATUS_OK;
}

static enum status wrong_size(const struct onnx_tensor *tensor, size_t found, size_t needed,
                              const char *where, struct error *error) {
    return error_set(error, STATUS_INVALID_DATA,
                     "%s holds %zu bytes, its shape and type (%s) need %zu: truncated or corrupt", where,
                     found, onnx_type_name(tensor->type), needed);
}

/* A list of varints as elements of `bytes` bytes each. */
static enum status decode_integers(struct onnx_tensor *tensor, struct bytes list, uint32_t bytes,
                                   const char *where, struct error *error) {
    /* Each number takes a byte at least, so that a huge shape is refused before memory is taken for it. */
    if (list.size < tensor->elements)
        return wrong_size(tensor, list.size, tensor->elements, where, error);
    unsigned char *decoded = malloc(tensor->elements * bytes + 1);
    if (decoded == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "%s: no memory for %zu numbers", where,
                         tensor->elements);
    tensor->owned_data = decoded;
    tensor->data = bytes_of(decoded, tensor->elements * bytes);
    for (size_t i = 0; i < tensor->elements; i++) {
        uint64_t value;
        if (!protobuf_varint(&list, &value))
            return error_set(error, STATUS_INVALID_DATA, "%s: its list of numbers ends after %zu of %zu",
                             where, i, tensor->elements);
        for (uint32_t b = 0; b < bytes; b++)
            *decoded++ = (unsigned char)(value >> (8 * b));
    }
    if (list.size != 0)
        return error_set(error, STATUS_INVALID_DATA, "%s: its list has more than %zu numbers", where,
                         tensor->elements);
    return STATUS_OK;
}

/* A decimal number of an external tensor; 0 where it is left out. */
static bool read_decimal(const char *text, size_t *value) {
    *value = 0;
    if (text == NULL)
        return true;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || !size_multiply(*value, 10, value) ||
            !size_add(*value, (size_t)(*c - '0'), value))
            return false;
    }
    return text[0] != '\0';
}

static enum status read_external(struct onnx_tensor *tensor, struct bytes external, size_t needed,
                                 const char *where, struct error *error) {
    const char *length_text = onnx_tensor_external(tensor->proto, "length");
    size_t offset, length;
    if (!read_decimal(onnx_tensor_external(tensor->proto, "offset"), &offset) ||
        !read_decimal(length_text, &length))
        return error_set(error, STATUS_INVALID_DATA, "%s: its external offset or length is not a number",
                         where);
    if (offset > external.size)
        return error_set(error, STATUS_INVALID_DATA, "%s begins at byte %zu of \"%.100s\", which has %zu",
                         where, offset, onnx_tensor_external(tensor->proto, "location"), external.size);
    if (length_text == NULL)
        length = external.size - offset;
    if (length != needed || length > external.size - offset)
        return wrong_size(tensor, length < external.size - offset ? length : external.size - offset, needed,
                          where, error);
    tensor->data = bytes_of(external.data + offset, length);
    return STATUS_OK;
}

static enum status read_contents(struct onnx_tensor *tensor, const struct onnx_contents *contents,
                                 const struct type_description *type, const char *where,
                                 struct error *error) {
    struct bytes data = contents->raw;
    size_t needed = tensor->elements * type->bytes;
    if (!contents->has_raw && type->as_integer && contents->has_integers32)
        return decode_integers(tensor, contents->integers32, type->bytes, where, error);
    if (!contents->has_raw && tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 &&
        contents->has_integers64)
        return decode_integers(tensor, contents->integers64, type->bytes, where, error);
    if (!contents->has_raw && tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        data = contents->floats;
    if (data.size != needed)
        return wrong_size(tensor, data.size, needed, where, error);
    tensor->data = data;
    return STATUS_OK;
}

enum status onnx_tensor_complete(struct onnx_tensor *tensor, const struct onnx_contents *contents,
                                 struct bytes external, const char *where, struct error *error) {
    tensor->type = tensor->proto->has_data_type ? tensor->proto->data_type : 0;
    tensor->name = tensor->proto->name == NULL ? "" : tensor->proto->name;
    const struct type_description *type = describe(tensor->type);
    if (type->bytes == 0)
        return error_set(error, STATUS_UNSUPPORTED, "%s has the type %s (%d), which is not supported", where,
                         type->name, (int)tensor->type);
    if (tensor->proto->segment != NULL)
        return error_set(error, STATUS_UNSUPPORTED, "%s is stored in segments, which is not supported",
                         where);
    enum status status = read_shape(tensor, where, error);
    size_t needed;
    if (status == STATUS_OK && !size_multiply(tensor->elements, type->bytes, &needed))
        return error_set(error, STATUS_INVALID_DATA, "%s: its shape overflows", where);
    if (status != STATUS_OK)
        return status;
    if (onnx_tensor_is_external(tensor->proto))
        return read_external(tensor, external, needed, where, error);
    return read_contents(tensor, contents, type, where, error);
}

int64_t onnx_tensor_integer(const struct onnx_tensor *tensor, size_t i) {
    const unsigned char *data = tensor->data.data;
    switch (tensor->type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
        return data[i];
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
        return data[i] < 128 ? data[i] : data[i] - 256;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
        return load_u16le(data + 2 * i);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
        return (int16_t)load_u16le(data + 2 * i);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        return (int32_t)load_u32le(data + 4 * i);
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        return load_u32le(data + 4 * i);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return (int64_t)load_u64le(data + 8 * i);
    default:
        return 0;
    }
}

double onnx_tensor_number(const struct onnx_tensor *tensor, size_t i) {
    const unsigned char *data = tensor->data.data;
    switch (tensor->type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        return (double)float_from_bits(load_u32le(data + 4 * i));
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        return (double)float_from_f16(load_u16le(data + 2 * i));
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        return (double)float_from_bf16(load_u16le(data + 2 * i));
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: {
        uint64_t bits = load_u64le(data + 8 * i);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    default:
        return (double)onnx_tensor_integer(tensor, i);
    }
}

bool onnx_tensor_is_float(const struct onnx_tensor *tensor) {
    return tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
           tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ||
           tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16 ||
           tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
}

bool onnx_tensor_is_integer(const struct onnx_tensor *tensor) {
    return !onnx_tensor_is_float(tensor) && tensor->type != ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
}

bool onnx_tensor_is_quantized(const struct onnx_tensor *tensor) {
    return tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 ||
           tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8;
}
