#include "formats/safetensors.h"

#include "formats/float_bits.h"
#include "formats/json_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE_BYTES ((size_t)8)

struct type_description {
    const char *name;
    size_t bits;
    enum safetensor_type type;
};

/* The types of the `safetensors` library, version 0.6 (tensor.rs, enum Dtype). */
static const struct type_description types[] = {
    {"F32", 32, SAFETENSOR_F32},      {"F16", 16, SAFETENSOR_F16},      {"BF16", 16, SAFETENSOR_BF16},
    {"BOOL", 8, SAFETENSOR_OTHER},    {"U8", 8, SAFETENSOR_OTHER},      {"I8", 8, SAFETENSOR_OTHER},
    {"F8_E5M2", 8, SAFETENSOR_OTHER}, {"F8_E4M3", 8, SAFETENSOR_OTHER}, {"F8_E8M0", 8, SAFETENSOR_OTHER},
    {"I16", 16, SAFETENSOR_OTHER},    {"U16", 16, SAFETENSOR_OTHER},    {"I32", 32, SAFETENSOR_OTHER},
    {"U32", 32, SAFETENSOR_OTHER},    {"I64", 64, SAFETENSOR_OTHER},    {"U64", 64, SAFETENSOR_OTHER},
    {"F64", 64, SAFETENSOR_OTHER},    {"C64", 64, SAFETENSOR_OTHER},    {"F4", 4, SAFETENSOR_OTHER},
    {"F6_E2M3", 6, SAFETENSOR_OTHER}, {"F6_E3M2", 6, SAFETENSOR_OTHER},
};

static const struct type_description *find_type(const char *name) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    }
    return NULL;
}

/* "FILE: tensor "NAME"", the beginning of every message about a tensor. */
struct place {
    char text[256];
};

static struct place tensor_place(const struct safetensors *reader, const char *name) {
    struct place place;
    int written = snprintf(place.text, sizeof place.text, "%s: tensor \"%.100s\"", reader->file_name, name);
    if (written < 0)
        place.text[0] = '\0';
    return place;
}

static enum status read_shape(const json_t *entry, const char *where, struct safetensor *tensor, size_t bits,
                              struct error *error) {
    json_t *shape;
    enum status status = json_require_member(entry, where, "shape", JSON_ARRAY, &shape, error);
    if (status != STATUS_OK)
        return status;
    size_t dimensions = json_array_size(shape);
    if (dimensions > SAFETENSORS_MAX_DIMENSIONS)
        return error_set(error, STATUS_INVALID_DATA, "%s has %zu dimensions, at most %u are accepted", where,
                         dimensions, SAFETENSORS_MAX_DIMENSIONS);
    tensor->dimensions = (uint32_t)dimensions;
    tensor->elements = 1;
    for (size_t i = 0; i < dimensions; i++) {
        if (!json_number_as_unsigned(json_array_get(shape, i), &tensor->shape[i]))
            return error_set(error, STATUS_INVALID_DATA, "%s: dimension %zu of the shape is not a count",
                             where, i);
        if (!size_multiply(tensor->elements, (size_t)tensor->shape[i], &tensor->elements))
            return error_set(error, STATUS_INVALID_DATA, "%s: its shape overflows", where);
    }
    size_t total_bits;
    if (!size_multiply(tensor->elements, bits, &total_bits) || total_bits % 8 != 0)
        return error_set(error, STATUS_INVALID_DATA, "%s: its shape overflows", where);
    tensor->data.size = total_bits / 8;
    return STATUS_OK;
}

/* data_offsets are relative to the end of the header and must enclose exactly the bytes that the shape needs.
 */
static enum status read_offsets(const json_t *entry, const char *where, struct bytes data,
                                uint64_t data_start, struct safetensor *tensor, struct error *error) {
    json_t *offsets;
    enum status status = json_require_member(entry, where, "data_offsets", JSON_ARRAY, &offsets, error);
    if (status != STATUS_OK)
        return status;
    uint64_t begin, end;
    if (json_array_size(offsets) != 2 || !json_number_as_unsigned(json_array_get(offsets, 0), &begin) ||
        !json_number_as_unsigned(json_array_get(offsets, 1), &end))
        return error_set(error, STATUS_INVALID_DATA, "%s: data_offsets are not two offsets", where);
    if (begin > end || end > data.size)
        return error_set(
            error, STATUS_INVALID_DATA,
            "%s: data_offsets [%llu, %llu] (from byte %llu of the file) do not lie in its %zu bytes of "
            "data: the file is truncated or corrupt",
            where, (unsigned long long)begin, (unsigned long long)end, (unsigned long long)data_start,
            data.size);
    if (end - begin != tensor->data.size)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: data_offsets [%llu, %llu] hold %llu bytes, its shape needs %zu", where,
                         (unsigned long long)begin, (unsigned long long)end,
                         (unsigned long long)(end - begin), tensor->data.size);
    tensor->data.data = data.data + begin;
    tensor->file_offset = data_start + begin;
    return STATUS_OK;
}

static enum status read_entry(const struct safetensors *reader, const char *name, const json_t *entry,
                              struct bytes data, uint64_t data_start, struct safetensor *tensor,
                              struct error *error) {
    struct place place = tensor_place(reader, name);
    *tensor = (struct safetensor){.name = name};
    enum status status = json_require_string(entry, place.text, "dtype", &tensor->type_name, error);
    if (status != STATUS_OK)
        return status;
    const struct type_description *type = find_type(tensor->type_name);
    if (type == NULL)
        return error_set(error, STATUS_INVALID_DATA, "%s has the unknown type \"%.40s\"", place.text,
                         tensor->type_name);
    tensor->type = type->type;
    status = read_shape(entry, place.text, tensor, type->bits, error);
    if (status == STATUS_OK)
        status = read_offsets(entry, place.text, data, data_start, tensor, error);
    return status;
}

static int compare_offsets(const void *left, const void *right) {
    const struct safetensor *a = left, *b = right;
    if (a->file_offset != b->file_offset)
        return a->file_offset < b->file_offset ? -1 : 1;
    if (a->data.size != b->data.size)
        return a->data.size < b->data.size ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The tensors, in order of offset, must follow one another from the first byte of the data to the last. */
static enum status check_tiling(const struct safetensors *reader, uint64_t data_start, uint64_t data_end,
                                struct error *error) {
    uint64_t expected = data_start;
    for (size_t i = 0; i < reader->count; i++) {
        const struct safetensor *tensor = &reader->tensors[i];
        if (tensor->file_offset != expected) {
            struct place place = tensor_place(reader, tensor->name);
            return error_set(error, STATUS_INVALID_DATA, "%s begins at byte %llu of the file, %s byte %llu",
                             place.text, (unsigned long long)tensor->file_offset,
                             tensor->file_offset < expected ? "inside the tensor before it, which ends at"
                                                            : "leaving a hole after",
                             (unsigned long long)expected);
        }
        expected += tensor->data.size;
    }
    if (expected != data_end)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: the tensors end at byte %llu, the file at byte %llu", reader->file_name,
                         (unsigned long long)expected, (unsigned long long)data_end);
    return STATUS_OK;
}

static enum status read_tensors(struct safetensors *reader, struct bytes file, uint64_t data_start,
                                struct error *error) {
    reader->tensors = calloc(json_object_size(reader->header) + 1, sizeof *reader->tensors);
    if (reader->tensors == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the tensors of %s", reader->file_name);
    struct bytes data = bytes_of(file.data + data_start, file.size - (size_t)data_start);
    const char *name;
    json_t *entry;
    json_object_foreach(reader->header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        enum status status =
            read_entry(reader, name, entry, data, data_start, &reader->tensors[reader->count], error);
        if (status != STATUS_OK)
            return status;
        reader->count++;
    }
    qsort(reader->tensors, reader->count, sizeof *reader->tensors, compare_offsets);
    return check_tiling(reader, data_start, file.size, error);
}

enum status safetensors_open(struct safetensors *reader, struct bytes file, const char *file_name,
                             struct error *error) {
    *reader = (struct safetensors){.file_name = file_name};
    if (file.size < HEADER_SIZE_BYTES)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s is truncated: %zu bytes, a safetensors file begins with a size of %zu",
                         file_name, file.size, HEADER_SIZE_BYTES);
    uint64_t header_size = load_u64le(file.data);
    if (header_size > file.size - HEADER_SIZE_BYTES)
        return error_set(
            error, STATUS_INVALID_DATA,
            "%s: bytes 0 to 8 announce a header of %llu bytes, the file has only %zu more: truncated, "
            "or not a safetensors file",
            file_name, (unsigned long long)header_size, file.size - HEADER_SIZE_BYTES);
    char where[256];
    if (snprintf(where, sizeof where, "%s: the header (from byte 8)", file_name) < 0)
        return error_set(error, STATUS_INTERNAL, "a file name could not be printed");
    enum status status = json_parse(bytes_of(file.data + HEADER_SIZE_BYTES, (size_t)header_size), where,
                                    SAFETENSORS_MAX_HEADER, JSON_NUMBERS_EXACT, &reader->header, error);
    if (status == STATUS_OK)
        status = json_require_object(reader->header, where, error);
    if (status == STATUS_OK)
        status = read_tensors(reader, file, HEADER_SIZE_BYTES + header_size, error);
    if (status != STATUS_OK)
        safetensors_close(reader);
    return status;
}

void safetensors_close(struct safetensors *reader) {
    free(reader->tensors);
    json_decref(reader->header);
    *reader = (struct safetensors){0};
}

const struct safetensor *safetensors_find(const struct safetensors *reader, const char *name) {
    for (size_t i = 0; i < reader->count; i++) {
        if (strcmp(reader->tensors[i].name, name) == 0)
            return &reader->tensors[i];
    }
    return NULL;
}

static float element_as_float(const struct safetensor *tensor, size_t i) {
    switch (tensor->type) {
    case SAFETENSOR_F32:
        return float_from_bits(load_u32le(tensor->data.data + 4 * i));
    case SAFETENSOR_F16:
        return float_from_f16(load_u16le(tensor->data.data + 2 * i));
    case SAFETENSOR_BF16:
        return float_from_bf16(load_u16le(tensor->data.data + 2 * i));
    case SAFETENSOR_OTHER:
        break;
    }
    return NAN;
}

enum status safetensor_read_f32(const struct safetensors *reader, const struct safetensor *tensor,
                                size_t first, size_t count, float *values, struct error *error) {
    struct place place = tensor_place(reader, tensor->name);
    if (tensor->type == SAFETENSOR_OTHER)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s has the type %s, which is not supported; supported: F32, F16, BF16", place.text,
                         tensor->type_name);
    if (first > tensor->elements || count > tensor->elements - first)
        return error_set(error, STATUS_INTERNAL, "%s has %zu elements, %zu from %zu were asked for",
                         place.text, tensor->elements, count, first);
    for (size_t i = 0; i < count; i++) {
        values[i] = element_as_float(tensor, first + i);
        if (!isfinite(values[i])) {
            size_t element_size = tensor->type == SAFETENSOR_F32 ? 4 : 2;
            return error_set(error, STATUS_INVALID_DATA,
                             "%s: element %zu (at byte %llu) is not a finite number", place.text, first + i,
                             (unsigned long long)(tensor->file_offset + (first + i) * element_size));
        }
    }
    return STATUS_OK;
}
