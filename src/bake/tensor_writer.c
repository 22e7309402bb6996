#include "bake/tensor_writer.h"

#include "kernels/kernels.h"
#include "kernels/pack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_ROWS   KERNEL_PANEL_COLUMNS /* rows of a matrix handled at a time: one panel */
#define REPORT_EVERY 16                   /* tensors */

/* Sums for the relative error of one tensor: |W - W'| / |W| in the Frobenius norm, and the largest |w - w'|.
 */
struct quantization_error {
    double difference_squared, squared, largest;
};

static enum status out_of_memory(struct error *error) {
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to bake the weights");
}

enum status tensor_writer_open(struct tensor_writer *writer, const struct tensor_source *source,
                               struct tensor_store *store, const struct bake_progress *progress,
                               uint32_t widest, uint32_t longest, struct error *error) {
    *writer =
        (struct tensor_writer){.source = source, .store = store, .ember = store->ember, .progress = progress};
    writer->tensors = json_array();
    writer->quantization = json_array();
    writer->rows = calloc((size_t)BLOCK_ROWS * widest, sizeof *writer->rows);
    writer->restored = calloc((size_t)BLOCK_ROWS * widest, sizeof *writer->restored);
    writer->packed = calloc((size_t)BLOCK_ROWS * widest, sizeof(float));
    writer->scales = calloc(longest, sizeof *writer->scales);
    writer->compensation = calloc(longest, sizeof *writer->compensation);
    writer->largest = calloc(widest, sizeof *writer->largest);
    writer->bias_shift = calloc(longest, sizeof *writer->bias_shift);
    writer->balance.middle = calloc(widest, sizeof(float));
    writer->balance.stretch = calloc(widest, sizeof(float));
    if (writer->tensors == NULL || writer->quantization == NULL || writer->rows == NULL ||
        writer->restored == NULL || writer->packed == NULL || writer->scales == NULL ||
        writer->compensation == NULL || writer->largest == NULL || writer->bias_shift == NULL ||
        writer->balance.middle == NULL || writer->balance.stretch == NULL)
        return out_of_memory(error);
    return STATUS_OK;
}

void tensor_writer_close(struct tensor_writer *writer) {
    json_decref(writer->tensors);
    json_decref(writer->quantization);
    free(writer->rows);
    free(writer->restored);
    free(writer->packed);
    free(writer->scales);
    free(writer->compensation);
    free(writer->largest);
    free(writer->bias_shift);
    free(writer->balance.middle);
    free(writer->balance.stretch);
    *writer = (struct tensor_writer){0};
}

static enum status find_source(const struct tensor_writer *writer, const char *name, uint64_t rows,
                               uint64_t columns, struct source_tensor *tensor, struct error *error) {
    const struct tensor_source *source = writer->source;
    if (!source->find(source->reader, name, tensor))
        return error_set(error, STATUS_INVALID_DATA, "%s: tensor \"%s\" is missing", source->file_name, name);
    const struct source_tensor *found = tensor;
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

static enum status read_rows(const struct tensor_writer *writer, const struct source_tensor *tensor,
                             size_t first, size_t count, size_t columns, struct error *error) {
    return writer->source->read(writer->source->reader, tensor, first * columns, count * columns,
                                writer->rows, error);
}

/* Begins a tensor at the next aligned place; *offset is where. */
static enum status begin_tensor(struct tensor_writer *writer, uint64_t *offset, struct error *error) {
    enum status status = progress_check(writer->progress, error);
    if (status == STATUS_OK)
        status = tensor_store_begin(writer->store, offset, error);
    return status;
}

/* Lists the tensor begun at offset; columns 0 for a vector. */
static enum status end_tensor(struct tensor_writer *writer, const char *name, uint64_t offset,
                              const char *type, const char *layout, size_t rows, size_t columns,
                              struct error *error) {
    uint64_t size;
    enum status status = tensor_store_end(writer->store, &offset, &size, error);
    if (status != STATUS_OK)
        return status;
    json_t *shape = columns == 0 ? json_pack("[I]", (json_int_t)rows)
                                 : json_pack("[I, I]", (json_int_t)rows, (json_int_t)columns);
    json_t *entry = json_pack("{s:s, s:I, s:I, s:s, s:s, s:o}", "name", name, "offset", (json_int_t)offset,
                              "size", (json_int_t)size, "type", type, "layout", layout, "shape", shape);
    if (entry == NULL || json_array_append_new(writer->tensors, entry) != 0)
        return out_of_memory(error);
    if (++writer->written % REPORT_EVERY == 0)
        progress_report(writer->progress, "writing tensors", writer->written, writer->expected);
    return STATUS_OK;
}

static enum status write_vector(struct tensor_writer *writer, const char *name, const char *type,
                                const void *values, size_t count, struct error *error) {
    uint64_t offset;
    enum status status = begin_tensor(writer, &offset, error);
    if (status == STATUS_OK)
        status = ember_writer_write(writer->ember, values, count * sizeof(float), error);
    if (status == STATUS_OK)
        status = end_tensor(writer, name, offset, type, "rows", count, 0, error);
    return status;
}

enum status tensor_write_values(struct tensor_writer *writer, const char *name, const float *values,
                                size_t rows, size_t columns, struct error *error) {
    uint64_t offset;
    enum status status = begin_tensor(writer, &offset, error);
    if (status == STATUS_OK)
        status = ember_writer_write(writer->ember, values, rows * columns * sizeof(float), error);
    if (status == STATUS_OK)
        status = end_tensor(writer, name, offset, "f32", "rows", rows, columns, error);
    return status;
}

enum status tensor_write_rows(struct tensor_writer *writer, const char *name, const char *source_name,
                              size_t rows, size_t columns, struct error *error) {
    struct source_tensor tensor;
    uint64_t offset;
    enum status status = find_source(writer, source_name, rows, columns, &tensor, error);
    if (status == STATUS_OK)
        status = begin_tensor(writer, &offset, error);
    size_t width = columns == 0 ? 1 : columns;
    for (size_t first = 0; status == STATUS_OK && first < rows; first += BLOCK_ROWS) {
        size_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        status = read_rows(writer, &tensor, first, count, width, error);
        if (status == STATUS_OK)
            status = ember_writer_write(writer->ember, writer->rows, count * width * sizeof(float), error);
    }
    if (status == STATUS_OK)
        status = end_tensor(writer, name, offset, "f32", "rows", rows, columns, error);
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

static enum status list_error(struct tensor_writer *writer, const char *name,
                              const struct quantization_error *measured, struct error *error) {
    double relative = measured->squared > 0 ? sqrt(measured->difference_squared / measured->squared) : 0;
    json_t *entry = json_pack("{s:s, s:f, s:f}", "tensor", name, "relative_error", relative, "largest_error",
                              measured->largest);
    if (entry == NULL || json_array_append_new(writer->quantization, entry) != 0)
        return out_of_memory(error);
    return STATUS_OK;
}

/* Stretches a block of weights for the transformed input, and adds up what the input's middle contributes. */
static void stretch_block(struct tensor_writer *writer, uint32_t inputs, float *bias_shift) {
    const struct balance *balance = &writer->balance;
    for (uint32_t r = 0; r < BLOCK_ROWS; r++) {
        float *row = writer->rows + (size_t)r * inputs;
        double shift = 0;
        for (uint32_t k = 0; k < inputs; k++) {
            shift += (double)row[k] * (double)balance->middle[k];
            row[k] *= balance->stretch[k];
        }
        bias_shift[r] = (float)shift;
    }
}

/* Rounding the weights moves every output by (W - W') u; its mean over texts is known and goes into the bias
 * (Nagel et al. 2019, Data-Free Quantization, arXiv 1906.04721, section 4.2). Mean-pooled outputs would add
 * it up. */
static void correct_bias(const struct tensor_writer *writer, const struct linear_source *linear,
                         float *bias_shift) {
    const struct balance *balance = &writer->balance;
    for (uint32_t r = 0; r < BLOCK_ROWS; r++) {
        size_t row = (size_t)r * linear->inputs;
        double shift = 0;
        for (uint32_t k = 0; k < linear->inputs; k++) {
            double u = (linear->ranges->mean[k] - (double)balance->middle[k]) / (double)balance->stretch[k];
            shift += ((double)writer->rows[row + k] - (double)writer->restored[row + k]) * u;
        }
        bias_shift[r] += (float)shift;
    }
}

static void relax_block(const struct tensor_writer *writer, uint32_t inputs, float *rows) {
    for (size_t i = 0; i < (size_t)BLOCK_ROWS * inputs; i++)
        rows[i] /= writer->balance.stretch[i % inputs];
}

/* The scales of rows that were read: those of the source where they are exact for these rows, which a
 * transform of the layer's input changes. (Without it the scales of all symmetric layers would be exact, and
 * the outputs twice as far from float: docs/models.md.) */
static void choose_scales(struct tensor_writer *writer, const struct source_tensor *tensor, size_t first,
                          size_t count, size_t columns, bool keep, float *scales) {
    const struct tensor_source *source = writer->source;
    for (size_t r = 0; r < count; r++) {
        scales[r] = keep ? source->row_scale(source->reader, tensor, first + r) : 0;
        if (scales[r] > 0)
            writer->kept_rows++;
        else
            scales[r] = pack_symmetric_scale(writer->rows + r * columns, columns);
        writer->quantized_rows++;
    }
}

static enum status quantize_part(struct tensor_writer *writer, const struct linear_source *linear,
                                 uint32_t part, uint32_t first_output, struct quantization_error *measured,
                                 struct error *error) {
    struct source_tensor tensor;
    uint32_t inputs = linear->inputs, outputs = linear->parts[part].outputs;
    enum status status = find_source(writer, linear->parts[part].weight, outputs, inputs, &tensor, error);
    for (uint32_t first = 0; status == STATUS_OK && first < outputs; first += BLOCK_ROWS) {
        status = read_rows(writer, &tensor, first, BLOCK_ROWS, inputs, error);
        if (status != STATUS_OK)
            return status;
        uint32_t output = first_output + first;
        stretch_block(writer, inputs, writer->bias_shift + output);
        float *scales = writer->scales + output;
        choose_scales(writer, &tensor, first, BLOCK_ROWS, inputs, !linear->transformed, scales);
        pack_linear_int8_scaled(writer->rows, BLOCK_ROWS, inputs, scales, writer->packed,
                                writer->compensation + output);
        unpack_linear_int8(writer->packed, scales, BLOCK_ROWS, inputs, writer->restored);
        correct_bias(writer, linear, writer->bias_shift + output);
        relax_block(writer, inputs, writer->rows);
        relax_block(writer, inputs, writer->restored);
        measure_error(measured, writer->rows, writer->restored, (size_t)BLOCK_ROWS * inputs);
        status = ember_writer_write(writer->ember, writer->packed, (size_t)BLOCK_ROWS * inputs, error);
    }
    return status;
}

/* The largest magnitude of each input column over the outputs of all parts. */
static enum status find_largest(struct tensor_writer *writer, const struct linear_source *linear,
                                struct error *error) {
    memset(writer->largest, 0, linear->inputs * sizeof *writer->largest);
    enum status status = STATUS_OK;
    for (uint32_t part = 0; status == STATUS_OK && part < linear->count; part++) {
        struct source_tensor tensor;
        uint32_t outputs = linear->parts[part].outputs;
        status = find_source(writer, linear->parts[part].weight, outputs, linear->inputs, &tensor, error);
        for (uint32_t first = 0; status == STATUS_OK && first < outputs; first += BLOCK_ROWS) {
            status = read_rows(writer, &tensor, first, BLOCK_ROWS, linear->inputs, error);
            for (size_t i = 0; status == STATUS_OK && i < (size_t)BLOCK_ROWS * linear->inputs; i++)
                writer->largest[i % linear->inputs] =
                    fmaxf(writer->largest[i % linear->inputs], fabsf(writer->rows[i]));
        }
    }
    return status;
}

static enum status write_suffixed(struct tensor_writer *writer, const char *name, const char *suffix,
                                  const char *type, const void *values, size_t count, struct error *error) {
    char tensor_name[TENSOR_NAME_SIZE];
    snprintf(tensor_name, sizeof tensor_name, "%s.%s", name, suffix);
    return write_vector(writer, tensor_name, type, values, count, error);
}

/* Chooses the transform and writes it in the form that the kernels apply: u = x * scale + shift. */
static enum status write_transform(struct tensor_writer *writer, const char *name,
                                   const struct linear_source *linear, struct error *error) {
    struct balance *balance = &writer->balance;
    enum status status = find_largest(writer, linear, error);
    if (status != STATUS_OK)
        return status;
    balance_choose(linear->ranges, writer->largest, linear->after_gelu, balance);
    float *scale = writer->restored, *shift = writer->restored + linear->inputs;
    for (uint32_t k = 0; k < linear->inputs; k++) {
        scale[k] = 1 / balance->stretch[k];
        shift[k] = -balance->middle[k] / balance->stretch[k];
    }
    status = write_suffixed(writer, name, "input_scale", "f32", scale, linear->inputs, error);
    if (status == STATUS_OK)
        status = write_suffixed(writer, name, "input_shift", "f32", shift, linear->inputs, error);
    return status;
}

static enum status write_linear_int8(struct tensor_writer *writer, const char *name,
                                     const struct linear_source *linear, struct error *error) {
    char tensor_name[TENSOR_NAME_SIZE];
    snprintf(tensor_name, sizeof tensor_name, "%s.weight", name);
    struct quantization_error measured = {0};
    uint64_t offset;
    uint32_t first_output = 0;
    enum status status = STATUS_OK;
    if (linear->transformed)
        status = write_transform(writer, name, linear, error);
    else
        balance_none(linear->inputs, &writer->balance);
    if (status == STATUS_OK)
        status = begin_tensor(writer, &offset, error);
    for (uint32_t i = 0; status == STATUS_OK && i < linear->count; i++) {
        status = quantize_part(writer, linear, i, first_output, &measured, error);
        first_output += linear->parts[i].outputs;
    }
    if (status == STATUS_OK)
        status =
            end_tensor(writer, tensor_name, offset, "i8", "panels", linear->outputs, linear->inputs, error);
    if (status == STATUS_OK)
        status = list_error(writer, tensor_name, &measured, error);
    if (status == STATUS_OK)
        status = write_suffixed(writer, name, "scales", "f32", writer->scales, linear->outputs, error);
    if (status == STATUS_OK)
        status =
            write_suffixed(writer, name, "compensation", "i32", writer->compensation, linear->outputs, error);
    return status;
}

static enum status pack_part_f32(struct tensor_writer *writer, const struct linear_part *part,
                                 uint32_t inputs, struct error *error) {
    struct source_tensor tensor;
    enum status status = find_source(writer, part->weight, part->outputs, inputs, &tensor, error);
    for (uint32_t first = 0; status == STATUS_OK && first < part->outputs; first += BLOCK_ROWS) {
        status = read_rows(writer, &tensor, first, BLOCK_ROWS, inputs, error);
        if (status != STATUS_OK)
            return status;
        pack_linear_f32(writer->rows, BLOCK_ROWS, inputs, writer->packed);
        status = ember_writer_write(writer->ember, writer->packed,
                                    (size_t)BLOCK_ROWS * inputs * sizeof(float), error);
    }
    return status;
}

static enum status write_linear_f32(struct tensor_writer *writer, const char *name,
                                    const struct linear_source *linear, struct error *error) {
    char tensor_name[TENSOR_NAME_SIZE];
    snprintf(tensor_name, sizeof tensor_name, "%s.weight", name);
    uint64_t offset;
    enum status status = begin_tensor(writer, &offset, error);
    for (uint32_t i = 0; status == STATUS_OK && i < linear->count; i++)
        status = pack_part_f32(writer, &linear->parts[i], linear->inputs, error);
    if (status == STATUS_OK)
        status =
            end_tensor(writer, tensor_name, offset, "f32", "panels", linear->outputs, linear->inputs, error);
    return status;
}

static enum status write_bias(struct tensor_writer *writer, const char *name,
                              const struct linear_source *linear, const float *bias_shift,
                              struct error *error) {
    uint64_t offset;
    enum status status = begin_tensor(writer, &offset, error);
    for (uint32_t i = 0; status == STATUS_OK && i < linear->count; i++) {
        const struct linear_part *part = &linear->parts[i];
        struct source_tensor tensor;
        status = find_source(writer, part->bias, part->outputs, 0, &tensor, error);
        if (status == STATUS_OK)
            status = read_rows(writer, &tensor, 0, part->outputs, 1, error);
        for (uint32_t c = 0; status == STATUS_OK && bias_shift != NULL && c < part->outputs; c++)
            writer->rows[c] += *bias_shift++;
        if (status == STATUS_OK)
            status = ember_writer_write(writer->ember, writer->rows, part->outputs * sizeof(float), error);
    }
    char tensor_name[TENSOR_NAME_SIZE];
    snprintf(tensor_name, sizeof tensor_name, "%s.bias", name);
    if (status == STATUS_OK)
        status = end_tensor(writer, tensor_name, offset, "f32", "rows", linear->outputs, 0, error);
    return status;
}

enum status tensor_write_linear(struct tensor_writer *writer, const char *name, enum precision precision,
                                const struct linear_source *linear, struct error *error) {
    enum status status = precision == PRECISION_INT8 ? write_linear_int8(writer, name, linear, error)
                                                     : write_linear_f32(writer, name, linear, error);
    if (status == STATUS_OK)
        status =
            write_bias(writer, name, linear, precision == PRECISION_INT8 ? writer->bias_shift : NULL, error);
    return status;
}

static void restore_rows(struct tensor_writer *writer, size_t first, size_t count, size_t columns) {
    const int8_t *values = writer->packed;
    for (size_t i = 0; i < count * columns; i++)
        writer->restored[i] = (float)values[i] * writer->scales[first + i / columns];
}

enum status tensor_write_embedding_int8(struct tensor_writer *writer, const char *name,
                                        const char *source_name, size_t rows, size_t columns,
                                        struct error *error) {
    struct source_tensor tensor;
    struct quantization_error measured = {0};
    uint64_t offset;
    enum status status = find_source(writer, source_name, rows, columns, &tensor, error);
    if (status == STATUS_OK)
        status = begin_tensor(writer, &offset, error);
    for (size_t first = 0; status == STATUS_OK && first < rows; first += BLOCK_ROWS) {
        size_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        status = read_rows(writer, &tensor, first, count, columns, error);
        if (status != STATUS_OK)
            return status;
        choose_scales(writer, &tensor, first, count, columns, true, writer->scales + first);
        pack_embedding_int8_scaled(writer->rows, count, columns, writer->scales + first, writer->packed);
        restore_rows(writer, first, count, columns);
        measure_error(&measured, writer->rows, writer->restored, count * columns);
        status = ember_writer_write(writer->ember, writer->packed, count * columns, error);
    }
    if (status == STATUS_OK)
        status = end_tensor(writer, name, offset, "i8", "rows", rows, columns, error);
    if (status == STATUS_OK)
        status = list_error(writer, name, &measured, error);
    char scales_name[TENSOR_NAME_SIZE];
    snprintf(scales_name, sizeof scales_name, "%s.scales", name);
    if (status == STATUS_OK)
        status = write_vector(writer, scales_name, "f32", writer->scales, rows, error);
    return status;
}
