#include "bake/weights.h"

#include "bake/tensor_writer.h"

#include <stdio.h>

/* One call of weights_write. */
struct weights_writer {
    const struct weights_request *request;
    struct tensor_writer tensors;
    const char *prefix; /* of the source's names: "" or "bert." */
};

static void add_part(struct linear_source *linear, const char *prefix, const char *source_name,
                     uint32_t outputs) {
    struct linear_part *part = &linear->parts[linear->count++];
    snprintf(part->weight, sizeof part->weight, "%s%s.weight", prefix, source_name);
    snprintf(part->bias, sizeof part->bias, "%s%s.bias", prefix, source_name);
    part->outputs = outputs;
    linear->outputs += outputs;
}

/* A linear layer published as one matrix. */
static enum status write_linear(struct weights_writer *writer, const char *name, const char *source_name,
                                uint32_t outputs, struct linear_source *linear, enum precision precision,
                                struct error *error) {
    add_part(linear, writer->prefix, source_name, outputs);
    return tensor_write_linear(&writer->tensors, name, precision, linear, error);
}

static enum status write_norm(struct weights_writer *writer, const char *name, const char *source_name,
                              struct error *error) {
    static const char *const suffixes[] = {"weight", "bias"};
    uint32_t hidden = writer->request->description->shape.hidden_size;
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < 2; i++) {
        char target[TENSOR_NAME_SIZE], source[TENSOR_NAME_SIZE];
        snprintf(target, sizeof target, "%s.%s", name, suffixes[i]);
        snprintf(source, sizeof source, "%s%s.%s", writer->prefix, source_name, suffixes[i]);
        status = tensor_write_rows(&writer->tensors, target, source, hidden, 0, error);
    }
    return status;
}

/* The table embeddings.KIND_embeddings of the source. */
static enum status write_table(struct weights_writer *writer, const char *name, const char *kind,
                               uint32_t rows, enum precision precision, struct error *error) {
    char source[TENSOR_NAME_SIZE];
    uint32_t hidden = writer->request->description->shape.hidden_size;
    snprintf(source, sizeof source, "%sembeddings.%s_embeddings.weight", writer->prefix, kind);
    return precision == PRECISION_INT8
               ? tensor_write_embedding_int8(&writer->tensors, name, source, rows, hidden, error)
               : tensor_write_rows(&writer->tensors, name, source, rows, hidden, error);
}

static enum status write_embeddings(struct weights_writer *writer, struct error *error) {
    const struct model_shape *shape = &writer->request->description->shape;
    enum status status = write_table(writer, "embeddings.word", "word", shape->vocabulary_size,
                                     writer->request->precision, error);
    if (status == STATUS_OK)
        status = write_table(writer, "embeddings.position", "position", shape->max_positions, PRECISION_F32,
                             error);
    if (status == STATUS_OK)
        status = write_table(writer, "embeddings.segment", "token_type", shape->segment_types, PRECISION_F32,
                             error);
    if (status == STATUS_OK)
        status = write_norm(writer, "embeddings.norm", "embeddings.LayerNorm", error);
    return status;
}

/* Names the ranges of a quantized layer's input. */
static void set_ranges(const struct weights_writer *writer, struct linear_source *linear, uint32_t layer,
                       enum encoder_site site) {
    if (writer->request->precision != PRECISION_INT8)
        return;
    linear->ranges = calibration_ranges(writer->request->calibration, layer, site);
    /* The columns of attention's output are alike. */
    linear->transformed = site != ENCODER_ATTENTION_OUTPUT_INPUT;
    linear->after_gelu = site == ENCODER_OUTPUT_INPUT;
}

static enum status write_query_key_value(struct weights_writer *writer, uint32_t layer, struct error *error) {
    static const char *const parts[TENSOR_MAX_LINEAR_PARTS] = {"query", "key", "value"};
    uint32_t hidden = writer->request->description->shape.hidden_size;
    struct linear_source linear = {.inputs = hidden};
    char name[TENSOR_NAME_SIZE / 2];
    for (int i = 0; i < TENSOR_MAX_LINEAR_PARTS; i++) {
        snprintf(name, sizeof name, "encoder.layer.%u.attention.self.%s", layer, parts[i]);
        add_part(&linear, writer->prefix, name, hidden);
    }
    set_ranges(writer, &linear, layer, ENCODER_QUERY_KEY_VALUE_INPUT);
    snprintf(name, sizeof name, "layers.%u.query_key_value", layer);
    return tensor_write_linear(&writer->tensors, name, writer->request->precision, &linear, error);
}

static enum status write_layer(struct weights_writer *writer, uint32_t layer, struct error *error) {
    const struct model_shape *shape = &writer->request->description->shape;
    const struct {
        const char *name, *source;
        uint32_t outputs, inputs; /* 0: a layer normalization */
        enum encoder_site site;
    } parts[] = {
        {"attention_output", "attention.output.dense", shape->hidden_size, shape->hidden_size,
         ENCODER_ATTENTION_OUTPUT_INPUT},
        {"attention_norm", "attention.output.LayerNorm", 0, 0, ENCODER_SITES},
        {"intermediate", "intermediate.dense", shape->intermediate_size, shape->hidden_size,
         ENCODER_INTERMEDIATE_INPUT},
        {"output", "output.dense", shape->hidden_size, shape->intermediate_size, ENCODER_OUTPUT_INPUT},
        {"output_norm", "output.LayerNorm", 0, 0, ENCODER_SITES},
    };
    enum status status = write_query_key_value(writer, layer, error);
    for (size_t i = 0; status == STATUS_OK && i < sizeof parts / sizeof parts[0]; i++) {
        char name[TENSOR_NAME_SIZE / 2], source[TENSOR_NAME_SIZE / 2];
        snprintf(name, sizeof name, "layers.%u.%s", layer, parts[i].name);
        snprintf(source, sizeof source, "encoder.layer.%u.%s", layer, parts[i].source);
        struct linear_source linear = {.inputs = parts[i].inputs};
        if (parts[i].outputs != 0)
            set_ranges(writer, &linear, layer, parts[i].site);
        status = parts[i].outputs == 0 ? write_norm(writer, name, source, error)
                                       : write_linear(writer, name, source, parts[i].outputs, &linear,
                                                      writer->request->precision, error);
    }
    return status;
}

/* The pooler stays float32: one row per pair passes through it, and nothing after it evens out an error. */
static enum status write_head(struct weights_writer *writer, struct error *error) {
    if (writer->request->description->kind != MODEL_CROSS_ENCODER)
        return STATUS_OK;
    uint32_t hidden = writer->request->description->shape.hidden_size;
    struct linear_source pooler = {.inputs = hidden};
    enum status status =
        write_linear(writer, "pooler", "pooler.dense", hidden, &pooler, PRECISION_F32, error);
    if (status == STATUS_OK)
        status =
            tensor_write_rows(&writer->tensors, "classifier.weight", "classifier.weight", 1, hidden, error);
    if (status == STATUS_OK)
        status = tensor_write_rows(&writer->tensors, "classifier.bias", "classifier.bias", 1, 0, error);
    return status;
}

static bool has_tensor(const struct weights_writer *writer, const char *name) {
    const struct tensor_source *source = writer->request->source;
    struct source_tensor tensor;
    return source->find(source->reader, name, &tensor);
}

/* The encoder alone is published without a prefix, below a head as "bert.". */
static enum status find_prefix(struct weights_writer *writer, struct error *error) {
    static const char *const prefixes[] = {"", "bert."};
    char name[TENSOR_NAME_SIZE];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", prefixes[i]);
        if (has_tensor(writer, name)) {
            writer->prefix = prefixes[i];
            return STATUS_OK;
        }
    }
    return error_set(
        error, STATUS_INVALID_DATA,
        "%s: neither tensor \"embeddings.word_embeddings.weight\" nor \"bert.embeddings...\" is there",
        writer->request->source->file_name);
}

/* A file with more layers than config.json says was made for another configuration. */
static enum status check_layer_count(const struct weights_writer *writer, struct error *error) {
    char name[TENSOR_NAME_SIZE];
    uint32_t layers = writer->request->description->shape.layers;
    snprintf(name, sizeof name, "%sencoder.layer.%u.output.dense.weight", writer->prefix, layers);
    if (!has_tensor(writer, name))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_DATA, "%s: tensor \"%s\" is there, but config.json says %u layers",
                     writer->request->source->file_name, name, layers);
}

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* Tensors the model will have: per linear layer 4 (int8, with a transform 6) or 2 (f32), per norm
 * 2. */
static uint32_t expected_tensors(const struct weights_request *request) {
    bool int8 = request->precision == PRECISION_INT8;
    uint32_t count = (int8 ? 6u : 5u) + request->description->shape.layers * (int8 ? 26u : 12u);
    count += request->description->kind == MODEL_CROSS_ENCODER ? 4u : 0u;
    return count + (request->golden != NULL ? 1u : 0u);
}

static enum status open_writer(struct weights_writer *writer, struct tensor_store *store,
                               struct error *error) {
    const struct weights_request *request = writer->request;
    const struct model_shape *shape = &request->description->shape;
    uint32_t widest = larger(shape->hidden_size, shape->intermediate_size);
    uint32_t longest =
        larger(larger(3 * shape->hidden_size, shape->intermediate_size), shape->vocabulary_size);
    enum status status = tensor_writer_open(&writer->tensors, request->source, store, request->progress,
                                            widest, longest, error);
    writer->tensors.expected = expected_tensors(request);
    return status;
}

static enum status write_all(struct weights_writer *writer, struct error *error) {
    const struct weights_request *request = writer->request;
    enum status status = find_prefix(writer, error);
    if (status == STATUS_OK)
        status = check_layer_count(writer, error);
    if (status == STATUS_OK)
        status = write_embeddings(writer, error);
    for (uint32_t i = 0; status == STATUS_OK && i < request->description->shape.layers; i++)
        status = write_layer(writer, i, error);
    if (status == STATUS_OK)
        status = write_head(writer, error);
    if (status == STATUS_OK && request->golden != NULL)
        status = tensor_write_values(&writer->tensors, "golden.outputs", request->golden,
                                     request->golden_rows, request->golden_columns, error);
    return status;
}

enum status weights_write(const struct weights_request *request, struct tensor_store *store,
                          struct weights_lists *lists, struct error *error) {
    *lists = (struct weights_lists){0};
    struct weights_writer writer = {.request = request};
    enum status status = open_writer(&writer, store, error);
    if (status == STATUS_OK)
        status = write_all(&writer, error);
    if (status == STATUS_OK) {
        lists->quantized_rows = writer.tensors.quantized_rows;
        lists->kept_rows = writer.tensors.kept_rows;
        lists->tensors = json_incref(writer.tensors.tensors);
        lists->quantization = json_incref(writer.tensors.quantization);
    }
    tensor_writer_close(&writer.tensors);
    return status;
}

void weights_lists_free(struct weights_lists *lists) {
    json_decref(lists->tensors);
    json_decref(lists->quantization);
    *lists = (struct weights_lists){0};
}
