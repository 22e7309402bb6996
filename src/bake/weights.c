#include "bake/weights.h"

#include "kernels/kernels.h"
#include "kernels/pack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE    128
#define BLOCK_ROWS   KERNEL_PANEL_COLUMNS /* rows of a matrix handled at a time: one panel */
#define MAX_PARTS    3                    /* of a linear layer: query, key, value */
#define REPORT_EVERY 16                   /* tensors */

/* One call of weights_write. */
struct baker {
    const struct weights_request *request;
    struct ember_writer *writer;
    struct weights_lists *lists;
    const char *prefix; /* of the source's names: "" or "bert." */
    uint32_t tensors_written, tensors_expected;

    /* One block of rows, sized for the widest matrix, and the vectors of the longest layer. */
    float *rows;     /* [BLOCK_ROWS][widest] as published */
    float *restored; /* [BLOCK_ROWS][widest] as the quantized values stand for */
    void *packed;    /* room for [BLOCK_ROWS][widest] floats */
    float *scales;   /* [longest] */
    int32_t *compensation;
};

/* Sums for the relative error of one tensor: |W - W'| / |W| in the Frobenius norm, and the largest |w - w'|.
 */
struct quantization_error {
    double difference_squared, squared, largest;
};

/* One published matrix with its bias, and the place of its outputs in the layer that is written. */
struct part {
    char weight[NAME_SIZE], bias[NAME_SIZE];
    uint32_t outputs;
};

struct layer_parts {
    struct part parts[MAX_PARTS];
    uint32_t count;
    uint32_t outputs; /* of all parts */
    uint32_t inputs;
};

static enum status out_of_memory(struct error *error) {
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to bake the weights");
}

static enum status find_source(const struct baker *baker, const char *name, uint64_t rows, uint64_t columns,
                               const struct safetensor **tensor, struct error *error) {
    const struct safetensors *source = baker->request->source;
    *tensor = safetensors_find(source, name);
    if (*tensor == NULL)
        return error_set(error, STATUS_INVALID_DATA, "%s: tensor \"%s\" is missing", source->file_name, name);
    const struct safetensor *found = *tensor;
    bool matches = columns == 0
                       ? found->dimensions == 1 && found->shape[0] == rows
                       : found->dimensions == 2 && found->shape[0] == rows && found->shape[1] == columns;
    if (matches)
        return STATUS_OK;
    char shape[SAFETENSORS_MAX_DIMENSIONS * 24] = "";
    for (uint32_t i = 0; i < found->dimensions; i++) {
        size_t used = strlen(shape);
        snprintf(shape + used, sizeof shape - used, "%s%llu", i == 0 ? "" : ", ",
                 (unsigned long long)found->shape[i]);
    }
    char expected[64];
    if (columns == 0)
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)rows);
    else
        snprintf(expected, sizeof expected, "%llu, %llu", (unsigned long long)rows,
                 (unsigned long long)columns);
    return error_set(error, STATUS_INVALID_DATA,
                     "%s: tensor \"%s\" (at byte %llu) has the shape [%s], config.json asks for [%s]",
                     source->file_name, name, (unsigned long long)found->file_offset, shape, expected);
}

static enum status read_rows(const struct baker *baker, const struct safetensor *tensor, size_t first,
                             size_t count, size_t columns, struct error *error) {
    return safetensor_read_f32(baker->request->source, tensor, first * columns, count * columns, baker->rows,
                               error);
}

/* Begins a tensor at the next aligned place; *offset is where. */
static enum status begin_tensor(struct baker *baker, uint64_t *offset, struct error *error) {
    enum status status = progress_check(baker->request->progress, error);
    if (status == STATUS_OK)
        status = ember_writer_align(baker->writer, error);
    *offset = ember_writer_position(baker->writer);
    return status;
}

/* Lists the tensor begun at offset; columns 0 for a vector. */
static enum status end_tensor(struct baker *baker, const char *name, uint64_t offset, const char *type,
                              const char *layout, size_t rows, size_t columns, struct error *error) {
    json_t *shape = columns == 0 ? json_pack("[I]", (json_int_t)rows)
                                 : json_pack("[I, I]", (json_int_t)rows, (json_int_t)columns);
    uint64_t size = ember_writer_position(baker->writer) - offset;
    json_t *entry = json_pack("{s:s, s:I, s:I, s:s, s:s, s:o}", "name", name, "offset", (json_int_t)offset,
                              "size", (json_int_t)size, "type", type, "layout", layout, "shape", shape);
    if (entry == NULL || json_array_append_new(baker->lists->tensors, entry) != 0)
        return out_of_memory(error);
    if (++baker->tensors_written % REPORT_EVERY == 0)
        progress_report(baker->request->progress, "writing tensors", baker->tensors_written,
                        baker->tensors_expected);
    return STATUS_OK;
}

static enum status write_vector(struct baker *baker, const char *name, const char *type, const void *values,
                                size_t count, struct error *error) {
    uint64_t offset;
    enum status status = begin_tensor(baker, &offset, error);
    if (status == STATUS_OK)
        status = ember_writer_write(baker->writer, values, count * sizeof(float), error);
    if (status == STATUS_OK)
        status = end_tensor(baker, name, offset, type, "rows", count, 0, error);
    return status;
}

/* Copies a matrix [rows][columns], or a vector when columns is 0, as float32 rows. */
static enum status copy_rows(struct baker *baker, const char *name, const char *source_name, size_t rows,
                             size_t columns, struct error *error) {
    const struct safetensor *tensor;
    uint64_t offset;
    enum status status = find_source(baker, source_name, rows, columns, &tensor, error);
    if (status == STATUS_OK)
        status = begin_tensor(baker, &offset, error);
    size_t width = columns == 0 ? 1 : columns;
    for (size_t first = 0; status == STATUS_OK && first < rows; first += BLOCK_ROWS) {
        size_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        status = read_rows(baker, tensor, first, count, width, error);
        if (status == STATUS_OK)
            status = ember_writer_write(baker->writer, baker->rows, count * width * sizeof(float), error);
    }
    if (status == STATUS_OK)
        status = end_tensor(baker, name, offset, "f32", "rows", rows, columns, error);
    return status;
}

static void measure_error(struct quantization_error *measured, const float *exact, const float *restored,
                          size_t count) {
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)exact[i] - (double)restored[i]);
        measured->difference_squared += difference * difference;
        measured->squared += (double)exact[i] * (double)exact[i];
        measured->largest = fmax(measured->largest, difference);
    }
}

static enum status list_error(struct baker *baker, const char *name,
                              const struct quantization_error *measured, struct error *error) {
    double relative = measured->squared > 0 ? sqrt(measured->difference_squared / measured->squared) : 0;
    json_t *entry = json_pack("{s:s, s:f, s:f}", "tensor", name, "relative_error", relative, "largest_error",
                              measured->largest);
    if (entry == NULL || json_array_append_new(baker->lists->quantization, entry) != 0)
        return out_of_memory(error);
    return STATUS_OK;
}

static enum status quantize_part(struct baker *baker, const struct part *part, uint32_t inputs,
                                 uint32_t first_output, struct quantization_error *measured,
                                 struct error *error) {
    const struct safetensor *tensor;
    enum status status = find_source(baker, part->weight, part->outputs, inputs, &tensor, error);
    for (uint32_t first = 0; status == STATUS_OK && first < part->outputs; first += BLOCK_ROWS) {
        status = read_rows(baker, tensor, first, BLOCK_ROWS, inputs, error);
        if (status != STATUS_OK)
            return status;
        float *scales = baker->scales + first_output + first;
        pack_linear_int8(baker->rows, BLOCK_ROWS, inputs, baker->packed, scales,
                         baker->compensation + first_output + first);
        unpack_linear_int8(baker->packed, scales, BLOCK_ROWS, inputs, baker->restored);
        measure_error(measured, baker->rows, baker->restored, (size_t)BLOCK_ROWS * inputs);
        status = ember_writer_write(baker->writer, baker->packed, (size_t)BLOCK_ROWS * inputs, error);
    }
    return status;
}

static enum status write_linear_int8(struct baker *baker, const char *name, const struct layer_parts *layer,
                                     struct error *error) {
    char tensor_name[NAME_SIZE];
    snprintf(tensor_name, sizeof tensor_name, "%s.weight", name);
    struct quantization_error measured = {0};
    uint64_t offset;
    uint32_t first_output = 0;
    enum status status = begin_tensor(baker, &offset, error);
    for (uint32_t i = 0; status == STATUS_OK && i < layer->count; i++) {
        status = quantize_part(baker, &layer->parts[i], layer->inputs, first_output, &measured, error);
        first_output += layer->parts[i].outputs;
    }
    if (status == STATUS_OK)
        status = end_tensor(baker, tensor_name, offset, "i8", "panels", layer->outputs, layer->inputs, error);
    if (status == STATUS_OK)
        status = list_error(baker, tensor_name, &measured, error);
    snprintf(tensor_name, sizeof tensor_name, "%s.scales", name);
    if (status == STATUS_OK)
        status = write_vector(baker, tensor_name, "f32", baker->scales, layer->outputs, error);
    snprintf(tensor_name, sizeof tensor_name, "%s.compensation", name);
    if (status == STATUS_OK)
        status = write_vector(baker, tensor_name, "i32", baker->compensation, layer->outputs, error);
    return status;
}

static enum status pack_part_f32(struct baker *baker, const struct part *part, uint32_t inputs,
                                 struct error *error) {
    const struct safetensor *tensor;
    enum status status = find_source(baker, part->weight, part->outputs, inputs, &tensor, error);
    for (uint32_t first = 0; status == STATUS_OK && first < part->outputs; first += BLOCK_ROWS) {
        status = read_rows(baker, tensor, first, BLOCK_ROWS, inputs, error);
        if (status != STATUS_OK)
            return status;
        pack_linear_f32(baker->rows, BLOCK_ROWS, inputs, baker->packed);
        status = ember_writer_write(baker->writer, baker->packed, (size_t)BLOCK_ROWS * inputs * sizeof(float),
                                    error);
    }
    return status;
}

static enum status write_linear_f32(struct baker *baker, const char *name, const struct layer_parts *layer,
                                    struct error *error) {
    char tensor_name[NAME_SIZE];
    snprintf(tensor_name, sizeof tensor_name, "%s.weight", name);
    uint64_t offset;
    enum status status = begin_tensor(baker, &offset, error);
    for (uint32_t i = 0; status == STATUS_OK && i < layer->count; i++)
        status = pack_part_f32(baker, &layer->parts[i], layer->inputs, error);
    if (status == STATUS_OK)
        status =
            end_tensor(baker, tensor_name, offset, "f32", "panels", layer->outputs, layer->inputs, error);
    return status;
}

static enum status write_bias(struct baker *baker, const char *name, const struct layer_parts *layer,
                              struct error *error) {
    uint64_t offset;
    enum status status = begin_tensor(baker, &offset, error);
    for (uint32_t i = 0; status == STATUS_OK && i < layer->count; i++) {
        const struct part *part = &layer->parts[i];
        const struct safetensor *tensor;
        status = find_source(baker, part->bias, part->outputs, 0, &tensor, error);
        if (status == STATUS_OK)
            status = read_rows(baker, tensor, 0, part->outputs, 1, error);
        if (status == STATUS_OK)
            status = ember_writer_write(baker->writer, baker->rows, part->outputs * sizeof(float), error);
    }
    char tensor_name[NAME_SIZE];
    snprintf(tensor_name, sizeof tensor_name, "%s.bias", name);
    if (status == STATUS_OK)
        status = end_tensor(baker, tensor_name, offset, "f32", "rows", layer->outputs, 0, error);
    return status;
}

static enum status write_linear(struct baker *baker, const char *name, enum precision precision,
                                const struct layer_parts *layer, struct error *error) {
    enum status status = precision == PRECISION_INT8 ? write_linear_int8(baker, name, layer, error)
                                                     : write_linear_f32(baker, name, layer, error);
    if (status == STATUS_OK)
        status = write_bias(baker, name, layer, error);
    return status;
}

static void add_part(struct layer_parts *layer, const struct baker *baker, const char *source_name,
                     uint32_t outputs) {
    struct part *part = &layer->parts[layer->count++];
    snprintf(part->weight, sizeof part->weight, "%s%s.weight", baker->prefix, source_name);
    snprintf(part->bias, sizeof part->bias, "%s%s.bias", baker->prefix, source_name);
    part->outputs = outputs;
    layer->outputs += outputs;
}

static enum status write_norm(struct baker *baker, const char *name, const char *source_name,
                              struct error *error) {
    static const char *const suffixes[] = {"weight", "bias"};
    uint32_t hidden = baker->request->description->shape.hidden_size;
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < 2; i++) {
        char target[NAME_SIZE], source[NAME_SIZE];
        snprintf(target, sizeof target, "%s.%s", name, suffixes[i]);
        snprintf(source, sizeof source, "%s%s.%s", baker->prefix, source_name, suffixes[i]);
        status = copy_rows(baker, target, source, hidden, 0, error);
    }
    return status;
}

static void restore_rows(struct baker *baker, size_t first, size_t count, size_t columns) {
    const int8_t *values = baker->packed;
    for (size_t i = 0; i < count * columns; i++)
        baker->restored[i] = (float)values[i] * baker->scales[first + i / columns];
}

static enum status quantize_embedding(struct baker *baker, const char *name, const char *source_name,
                                      size_t rows, size_t columns, struct error *error) {
    const struct safetensor *tensor;
    struct quantization_error measured = {0};
    uint64_t offset;
    enum status status = find_source(baker, source_name, rows, columns, &tensor, error);
    if (status == STATUS_OK)
        status = begin_tensor(baker, &offset, error);
    for (size_t first = 0; status == STATUS_OK && first < rows; first += BLOCK_ROWS) {
        size_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        status = read_rows(baker, tensor, first, count, columns, error);
        if (status != STATUS_OK)
            return status;
        pack_embedding_int8(baker->rows, count, columns, baker->packed, baker->scales + first);
        restore_rows(baker, first, count, columns);
        measure_error(&measured, baker->rows, baker->restored, count * columns);
        status = ember_writer_write(baker->writer, baker->packed, count * columns, error);
    }
    if (status == STATUS_OK)
        status = end_tensor(baker, name, offset, "i8", "rows", rows, columns, error);
    if (status == STATUS_OK)
        status = list_error(baker, name, &measured, error);
    char scales_name[NAME_SIZE];
    snprintf(scales_name, sizeof scales_name, "%s.scales", name);
    if (status == STATUS_OK)
        status = write_vector(baker, scales_name, "f32", baker->scales, rows, error);
    return status;
}

static enum status write_embeddings(struct baker *baker, struct error *error) {
    const struct model_shape *shape = &baker->request->description->shape;
    char source[NAME_SIZE];
    snprintf(source, sizeof source, "%sembeddings.word_embeddings.weight", baker->prefix);
    enum status status =
        baker->request->precision == PRECISION_INT8
            ? quantize_embedding(baker, "embeddings.word", source, shape->vocabulary_size, shape->hidden_size,
                                 error)
            : copy_rows(baker, "embeddings.word", source, shape->vocabulary_size, shape->hidden_size, error);
    snprintf(source, sizeof source, "%sembeddings.position_embeddings.weight", baker->prefix);
    if (status == STATUS_OK)
        status =
            copy_rows(baker, "embeddings.position", source, shape->max_positions, shape->hidden_size, error);
    snprintf(source, sizeof source, "%sembeddings.token_type_embeddings.weight", baker->prefix);
    if (status == STATUS_OK)
        status =
            copy_rows(baker, "embeddings.segment", source, shape->segment_types, shape->hidden_size, error);
    if (status == STATUS_OK)
        status = write_norm(baker, "embeddings.norm", "embeddings.LayerNorm", error);
    return status;
}

static enum status write_layer(struct baker *baker, uint32_t number, struct error *error) {
    static const char *const attention_parts[] = {"query", "key", "value"};
    const struct model_shape *shape = &baker->request->description->shape;
    uint32_t hidden = shape->hidden_size, intermediate = shape->intermediate_size;
    const struct {
        const char *name, *source;
        uint32_t outputs, inputs;
        const char *norm, *norm_source; /* that follows the linear layer, or NULL */
    } linears[] = {
        {"query_key_value", "attention.self", 3 * hidden, hidden, NULL, NULL},
        {"attention_output", "attention.output.dense", hidden, hidden, "attention_norm",
         "attention.output.LayerNorm"},
        {"intermediate", "intermediate.dense", intermediate, hidden, NULL, NULL},
        {"output", "output.dense", hidden, intermediate, "output_norm", "output.LayerNorm"},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof linears / sizeof linears[0]; i++) {
        struct layer_parts layer = {.inputs = linears[i].inputs};
        char name[NAME_SIZE / 2], source[NAME_SIZE / 2];
        for (size_t part = 0; i == 0 && part < MAX_PARTS; part++) {
            snprintf(source, sizeof source, "encoder.layer.%u.%s.%s", number, linears[i].source,
                     attention_parts[part]);
            add_part(&layer, baker, source, hidden);
        }
        snprintf(source, sizeof source, "encoder.layer.%u.%s", number, linears[i].source);
        if (i != 0)
            add_part(&layer, baker, source, linears[i].outputs);
        snprintf(name, sizeof name, "layers.%u.%s", number, linears[i].name);
        status = write_linear(baker, name, baker->request->precision, &layer, error);
        if (status != STATUS_OK || linears[i].norm == NULL)
            continue;
        snprintf(name, sizeof name, "layers.%u.%s", number, linears[i].norm);
        snprintf(source, sizeof source, "encoder.layer.%u.%s", number, linears[i].norm_source);
        status = write_norm(baker, name, source, error);
    }
    return status;
}

static enum status write_head(struct baker *baker, struct error *error) {
    if (baker->request->description->kind != MODEL_CROSS_ENCODER)
        return STATUS_OK;
    uint32_t hidden = baker->request->description->shape.hidden_size;
    struct layer_parts pooler = {.inputs = hidden};
    add_part(&pooler, baker, "pooler.dense", hidden);
    enum status status = write_linear(baker, "pooler", PRECISION_F32, &pooler, error);
    if (status == STATUS_OK)
        status = copy_rows(baker, "classifier.weight", "classifier.weight", 1, hidden, error);
    if (status == STATUS_OK)
        status = copy_rows(baker, "classifier.bias", "classifier.bias", 1, 0, error);
    return status;
}

static enum status write_golden(struct baker *baker, struct error *error) {
    const struct weights_request *request = baker->request;
    if (request->golden == NULL)
        return STATUS_OK;
    uint64_t offset;
    enum status status = begin_tensor(baker, &offset, error);
    if (status == STATUS_OK)
        status = ember_writer_write(baker->writer, request->golden,
                                    request->golden_rows * request->golden_columns * sizeof(float), error);
    if (status == STATUS_OK)
        status = end_tensor(baker, "golden.outputs", offset, "f32", "rows", request->golden_rows,
                            request->golden_columns, error);
    return status;
}

/* The encoder alone is published without a prefix, below a head as "bert.". */
static enum status find_prefix(struct baker *baker, struct error *error) {
    static const char *const prefixes[] = {"", "bert."};
    char name[NAME_SIZE];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", prefixes[i]);
        if (safetensors_find(baker->request->source, name) != NULL) {
            baker->prefix = prefixes[i];
            return STATUS_OK;
        }
    }
    return error_set(
        error, STATUS_INVALID_DATA,
        "%s: neither tensor \"embeddings.word_embeddings.weight\" nor \"bert.embeddings...\" is there",
        baker->request->source->file_name);
}

/* A file with more layers than config.json says was made for another configuration. */
static enum status check_layer_count(const struct baker *baker, struct error *error) {
    char name[NAME_SIZE];
    uint32_t layers = baker->request->description->shape.layers;
    snprintf(name, sizeof name, "%sencoder.layer.%u.output.dense.weight", baker->prefix, layers);
    if (safetensors_find(baker->request->source, name) == NULL)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_DATA, "%s: tensor \"%s\" is there, but config.json says %u layers",
                     baker->request->source->file_name, name, layers);
}

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static enum status allocate_scratch(struct baker *baker, struct error *error) {
    const struct model_shape *shape = &baker->request->description->shape;
    uint32_t widest = larger(shape->hidden_size, shape->intermediate_size);
    uint32_t longest =
        larger(larger(3 * shape->hidden_size, shape->intermediate_size), shape->vocabulary_size);
    baker->rows = calloc((size_t)BLOCK_ROWS * widest, sizeof *baker->rows);
    baker->restored = calloc((size_t)BLOCK_ROWS * widest, sizeof *baker->restored);
    baker->packed = calloc((size_t)BLOCK_ROWS * widest, sizeof(float));
    baker->scales = calloc(longest, sizeof *baker->scales);
    baker->compensation = calloc(longest, sizeof *baker->compensation);
    baker->lists->tensors = json_array();
    baker->lists->quantization = json_array();
    if (baker->rows == NULL || baker->restored == NULL || baker->packed == NULL || baker->scales == NULL ||
        baker->compensation == NULL || baker->lists->tensors == NULL || baker->lists->quantization == NULL)
        return out_of_memory(error);
    return STATUS_OK;
}

static enum status write_all(struct baker *baker, struct error *error) {
    uint32_t layers = baker->request->description->shape.layers;
    enum status status = find_prefix(baker, error);
    if (status == STATUS_OK)
        status = check_layer_count(baker, error);
    if (status == STATUS_OK)
        status = write_embeddings(baker, error);
    for (uint32_t i = 0; status == STATUS_OK && i < layers; i++)
        status = write_layer(baker, i, error);
    if (status == STATUS_OK)
        status = write_head(baker, error);
    if (status == STATUS_OK)
        status = write_golden(baker, error);
    return status;
}

/* Tensors the model will have: per linear layer 4 (int8) or 2 (f32), per norm 2. */
static uint32_t expected_tensors(const struct weights_request *request) {
    bool int8 = request->precision == PRECISION_INT8;
    uint32_t count = (int8 ? 6u : 5u) + request->description->shape.layers * (int8 ? 20u : 12u);
    count += request->description->kind == MODEL_CROSS_ENCODER ? 4u : 0u;
    return count + (request->golden != NULL ? 1u : 0u);
}

enum status weights_write(const struct weights_request *request, struct ember_writer *writer,
                          struct weights_lists *lists, struct error *error) {
    *lists = (struct weights_lists){0};
    struct baker baker = {
        .request = request, .writer = writer, .lists = lists, .tensors_expected = expected_tensors(request)};
    enum status status = allocate_scratch(&baker, error);
    if (status == STATUS_OK)
        status = write_all(&baker, error);
    free(baker.rows);
    free(baker.restored);
    free(baker.packed);
    free(baker.scales);
    free(baker.compensation);
    if (status == STATUS_OK)
        return status;
    json_decref(lists->tensors);
    json_decref(lists->quantization);
    *lists = (struct weights_lists){0};
    return status;
}
