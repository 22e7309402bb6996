#include "engine/model_metadata.h"

#include "formats/json_reader.h"

#include <stdio.h>
#include <stdlib.h>

#define TENSOR_NAME_SIZE 128

/* The tensors of one model, as the metadata lists them. */
struct tensor_table {
    const json_t *entries;
    struct bytes weights; /* the section they lie in */
    size_t next;          /* where the search begins: embers list tensors in the order in which we ask */
};

/* What a tensor must be to be used: [rows][columns] elements, or [rows] when columns is 0. */
struct tensor_form {
    const char *type; /* "i8", "i32", "f32" */
    size_t element_size;
    const char *layout; /* "rows": row-major; "panels": as struct linear describes */
    size_t rows, columns;
};

static struct tensor_form form_of(const char *type, const char *layout, size_t rows, size_t columns) {
    return (struct tensor_form){type, strcmp(type, "i8") == 0 ? 1 : 4, layout, rows, columns};
}

const json_t *model_entry(const struct model *model) {
    return json_array_get(json_object_get(model->metadata, "models"), model->number);
}

static const json_t *find_entry(struct tensor_table *table, const char *name) {
    size_t count = json_array_size(table->entries);
    for (size_t step = 0; step < count; step++) {
        size_t i = (table->next + step) % count;
        const json_t *entry = json_array_get(table->entries, i);
        const char *entry_name = json_string_value(json_object_get(entry, "name"));
        if (entry_name != NULL && strcmp(entry_name, name) == 0) {
            table->next = i + 1;
            return entry;
        }
    }
    return NULL;
}

static enum status require_text(const json_t *entry, const char *where, const char *key, const char *expected,
                                struct error *error) {
    const char *found;
    enum status status = json_require_string(entry, where, key, &found, error);
    if (status == STATUS_OK && strcmp(found, expected) != 0)
        return error_set(error, STATUS_INVALID_DATA, "%s: %s is \"%.40s\", expected \"%s\"", where, key,
                         found, expected);
    return status;
}

static enum status check_shape(const json_t *entry, const char *where, const struct tensor_form *form,
                               struct error *error) {
    json_t *shape;
    enum status status = json_require_member(entry, where, "shape", JSON_ARRAY, &shape, error);
    if (status != STATUS_OK)
        return status;
    uint64_t rows = 0, columns = 0;
    size_t dimensions = form->columns == 0 ? 1 : 2;
    bool equal = json_array_size(shape) == dimensions &&
                 json_number_as_unsigned(json_array_get(shape, 0), &rows) && rows == form->rows;
    if (equal && dimensions == 2)
        equal = json_number_as_unsigned(json_array_get(shape, 1), &columns) && columns == form->columns;
    if (equal)
        return STATUS_OK;
    if (dimensions == 1)
        return error_set(error, STATUS_INVALID_DATA, "%s: its shape is not [%zu] as the model's numbers ask",
                         where, form->rows);
    return error_set(error, STATUS_INVALID_DATA, "%s: its shape is not [%zu, %zu] as the model's numbers ask",
                     where, form->rows, form->columns);
}

static enum status check_place(const json_t *entry, const char *where, const struct tensor_form *form,
                               struct bytes weights, uint64_t *offset, struct error *error) {
    uint64_t size;
    enum status status = json_require_unsigned(entry, where, "offset", 0, weights.size, offset, error);
    if (status == STATUS_OK)
        status = json_require_unsigned(entry, where, "size", 1, weights.size, &size, error);
    if (status != STATUS_OK)
        return status;
    /* Cannot wrap: shapes are bounded by MODEL_MAX_... */
    size_t expected = form->rows * (form->columns == 0 ? 1 : form->columns) * form->element_size;
    if (size != expected)
        return error_set(error, STATUS_INVALID_DATA, "%s has %llu bytes, its shape needs %zu", where,
                         (unsigned long long)size, expected);
    if (*offset % EMBER_TENSOR_ALIGNMENT != 0 || size > weights.size - *offset)
        return error_set(
            error, STATUS_INVALID_DATA,
            "%s (%llu bytes at byte %llu of its section) is not aligned to %zu or does not fit the %zu "
            "bytes of the section",
            where, (unsigned long long)size, (unsigned long long)*offset, EMBER_TENSOR_ALIGNMENT,
            weights.size);
    return STATUS_OK;
}

static enum status find_tensor(struct tensor_table *table, const char *name, struct tensor_form form,
                               const void **data, struct error *error) {
    char where[TENSOR_NAME_SIZE + 16];
    snprintf(where, sizeof where, "tensor \"%s\"", name);
    const json_t *entry = find_entry(table, name);
    if (entry == NULL)
        return error_set(error, STATUS_NOT_FOUND, "%s is missing from the metadata", where);
    uint64_t offset = 0;
    enum status status = require_text(entry, where, "type", form.type, error);
    if (status == STATUS_OK)
        status = require_text(entry, where, "layout", form.layout, error);
    if (status == STATUS_OK)
        status = check_shape(entry, where, &form, error);
    if (status == STATUS_OK)
        status = check_place(entry, where, &form, table->weights, &offset, error);
    if (status == STATUS_OK)
        *data = table->weights.data + offset;
    return status;
}

/* find_tensor of "PREFIX.SUFFIX" holding float32 rows. */
static enum status find_rows_f32(struct tensor_table *table, const char *prefix, const char *suffix,
                                 size_t rows, size_t columns, const float **data, struct error *error) {
    char name[TENSOR_NAME_SIZE];
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    const void *found = NULL;
    enum status status = find_tensor(table, name, form_of("f32", "rows", rows, columns), &found, error);
    *data = found;
    return status;
}

static enum status read_linear_int8(struct tensor_table *table, const char *prefix, struct linear *linear,
                                    struct error *error) {
    char name[TENSOR_NAME_SIZE];
    const void *panels = NULL, *compensation = NULL;
    snprintf(name, sizeof name, "%s.weight", prefix);
    enum status status =
        find_tensor(table, name, form_of("i8", "panels", linear->outputs, linear->inputs), &panels, error);
    if (status == STATUS_OK)
        status = find_rows_f32(table, prefix, "scales", linear->outputs, 0, &linear->scales, error);
    snprintf(name, sizeof name, "%s.compensation", prefix);
    if (status == STATUS_OK)
        status = find_tensor(table, name, form_of("i32", "rows", linear->outputs, 0), &compensation, error);
    linear->panels = panels;
    linear->compensation = compensation;
    return status;
}

static enum status read_linear(struct tensor_table *table, const char *prefix, enum precision precision,
                               uint32_t outputs, uint32_t inputs, struct linear *linear,
                               struct error *error) {
    *linear = (struct linear){.outputs = outputs, .inputs = inputs};
    enum status status;
    if (precision == PRECISION_INT8) {
        status = read_linear_int8(table, prefix, linear, error);
    } else {
        char name[TENSOR_NAME_SIZE];
        const void *panels = NULL;
        snprintf(name, sizeof name, "%s.weight", prefix);
        status = find_tensor(table, name, form_of("f32", "panels", outputs, inputs), &panels, error);
        linear->panels_f32 = panels;
    }
    if (status == STATUS_OK)
        status = find_rows_f32(table, prefix, "bias", outputs, 0, &linear->bias, error);
    return status;
}

static enum status read_norm(struct tensor_table *table, const char *prefix, uint32_t size,
                             struct layer_norm *norm, struct error *error) {
    enum status status = find_rows_f32(table, prefix, "weight", size, 0, &norm->weight, error);
    if (status == STATUS_OK)
        status = find_rows_f32(table, prefix, "bias", size, 0, &norm->bias, error);
    return status;
}

static enum status read_word_embeddings(struct tensor_table *table, struct model *model,
                                        struct error *error) {
    const struct model_shape *shape = &model->shape;
    struct embedding_tables *embeddings = &model->embeddings;
    if (model->precision == PRECISION_F32)
        return find_rows_f32(table, "embeddings", "word", shape->vocabulary_size, shape->hidden_size,
                             &embeddings->word_f32, error);
    const void *word = NULL;
    enum status status =
        find_tensor(table, "embeddings.word",
                    form_of("i8", "rows", shape->vocabulary_size, shape->hidden_size), &word, error);
    embeddings->word = word;
    if (status == STATUS_OK)
        status = find_rows_f32(table, "embeddings.word", "scales", shape->vocabulary_size, 0,
                               &embeddings->word_scales, error);
    return status;
}

static enum status read_embeddings(struct tensor_table *table, struct model *model, struct error *error) {
    const struct model_shape *shape = &model->shape;
    enum status status = read_word_embeddings(table, model, error);
    if (status == STATUS_OK)
        status = find_rows_f32(table, "embeddings", "position", shape->max_positions, shape->hidden_size,
                               &model->embeddings.position, error);
    if (status == STATUS_OK)
        status = find_rows_f32(table, "embeddings", "segment", shape->segment_types, shape->hidden_size,
                               &model->embeddings.segment, error);
    if (status == STATUS_OK)
        status = read_norm(table, "embeddings.norm", shape->hidden_size, &model->embedding_norm, error);
    return status;
}

/* The transform of a quantized layer's input; attention's output has none. */
static enum status read_transform(struct tensor_table *table, const char *prefix, struct linear *linear,
                                  struct error *error) {
    enum status status =
        find_rows_f32(table, prefix, "input_scale", linear->inputs, 0, &linear->transform.scale, error);
    if (status == STATUS_OK)
        status =
            find_rows_f32(table, prefix, "input_shift", linear->inputs, 0, &linear->transform.shift, error);
    return status;
}

static enum status read_layer(struct tensor_table *table, const struct model *model, uint32_t number,
                              struct encoder_layer *layer, struct error *error) {
    uint32_t hidden = model->shape.hidden_size, intermediate = model->shape.intermediate_size;
    const struct {
        const char *name;
        uint32_t outputs, inputs;
        struct linear *linear;
        bool transformed;
    } linears[] = {
        {"query_key_value", 3 * hidden, hidden, &layer->query_key_value, true},
        {"attention_output", hidden, hidden, &layer->attention_output, false},
        {"intermediate", intermediate, hidden, &layer->intermediate, true},
        {"output", hidden, intermediate, &layer->output, true},
    };
    char prefix[TENSOR_NAME_SIZE / 2];
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof linears / sizeof linears[0]; i++) {
        snprintf(prefix, sizeof prefix, "layers.%u.%s", number, linears[i].name);
        status = read_linear(table, prefix, model->precision, linears[i].outputs, linears[i].inputs,
                             linears[i].linear, error);
        if (status == STATUS_OK && linears[i].transformed && model->precision == PRECISION_INT8)
            status = read_transform(table, prefix, linears[i].linear, error);
    }
    snprintf(prefix, sizeof prefix, "layers.%u.attention_norm", number);
    if (status == STATUS_OK)
        status = read_norm(table, prefix, hidden, &layer->attention_norm, error);
    snprintf(prefix, sizeof prefix, "layers.%u.output_norm", number);
    if (status == STATUS_OK)
        status = read_norm(table, prefix, hidden, &layer->output_norm, error);
    return status;
}

static enum status read_head(struct tensor_table *table, struct model *model, struct error *error) {
    if (model->kind != MODEL_CROSS_ENCODER)
        return STATUS_OK;
    uint32_t hidden = model->shape.hidden_size;
    const float *bias = NULL;
    enum status status = read_linear(table, "pooler", PRECISION_F32, hidden, hidden, &model->pooler, error);
    if (status == STATUS_OK)
        status = find_rows_f32(table, "classifier", "weight", 1, hidden, &model->classifier_weight, error);
    if (status == STATUS_OK)
        status = find_rows_f32(table, "classifier", "bias", 1, 0, &bias, error);
    if (status == STATUS_OK)
        model->classifier_bias = bias[0];
    return status;
}

/* The section that the entry names under key. */
static enum status find_section(const struct model *model, const json_t *entry, const char *key,
                                struct bytes *section, struct error *error) {
    const char *name;
    enum status status = json_require_string(entry, "metadata", key, &name, error);
    if (status == STATUS_OK)
        status = ember_find(&model->ember, name, section, error);
    return status;
}

static enum status open_tensor_table(const struct model *model, struct tensor_table *table,
                                     struct error *error) {
    const json_t *entry = model_entry(model);
    json_t *entries;
    *table = (struct tensor_table){0};
    enum status status = find_section(model, entry, "weights_section", &table->weights, error);
    if (status == STATUS_OK)
        status = json_require_member(entry, "metadata", "tensors", JSON_ARRAY, &entries, error);
    if (status == STATUS_OK)
        table->entries = entries;
    return status;
}

static enum status read_tensors(struct model *model, struct error *error) {
    struct tensor_table table;
    enum status status = open_tensor_table(model, &table, error);
    if (status != STATUS_OK)
        return status;
    model->layers = calloc(model->shape.layers, sizeof *model->layers);
    if (model->layers == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %u layers", model->shape.layers);
    status = read_embeddings(&table, model, error);
    for (uint32_t i = 0; status == STATUS_OK && i < model->shape.layers; i++)
        status = read_layer(&table, model, i, &model->layers[i], error);
    if (status == STATUS_OK)
        status = read_head(&table, model, error);
    return status;
}

enum status model_find_rows_f32(const struct model *model, const char *name, size_t rows, size_t columns,
                                const float **data, struct error *error) {
    struct tensor_table table;
    const void *found = NULL;
    enum status status = open_tensor_table(model, &table, error);
    if (status == STATUS_OK)
        status = find_tensor(&table, name, form_of("f32", "rows", rows, columns), &found, error);
    *data = found;
    return status;
}

static enum status read_shape(const json_t *entry, enum model_kind kind, struct model_shape *shape,
                              struct error *error) {
    static const char where[] = "metadata: shape";
    static const struct model_shape_names names = {"hidden_size",       "layers",          "attention_heads",
                                                   "intermediate_size", "vocabulary_size", "max_positions",
                                                   "segment_types"};
    json_t *object;
    enum status status = json_require_member(entry, "metadata", "shape", JSON_OBJECT, &object, error);
    if (status == STATUS_OK)
        status = model_shape_read(object, where, &names, shape, error);
    double epsilon = 0;
    if (status == STATUS_OK)
        status = json_require_number(object, where, "layer_norm_epsilon", &epsilon, error);
    shape->layer_norm_epsilon = (float)epsilon;
    if (status == STATUS_OK)
        status = model_shape_complete(shape, kind, where, error);
    return status;
}

static enum status unsupported_name(const char *key, const char *found, struct error *error) {
    return error_set(error, STATUS_UNSUPPORTED, "metadata: %s \"%.40s\" is not supported", key, found);
}

static enum status read_prompts(const json_t *entry, struct model_prompts *prompts, struct error *error) {
    static const char where[] = "metadata: prompts";
    json_t *object;
    if (!json_has(entry, "prompts"))
        return STATUS_OK;
    enum status status = json_require_member(entry, "metadata", "prompts", JSON_OBJECT, &object, error);
    if (status == STATUS_OK)
        status = model_prompt_read(object, where, "query", prompts->query, error);
    if (status == STATUS_OK)
        status = model_prompt_read(object, where, "passage", prompts->passage, error);
    return status;
}

static enum status read_pooling(const json_t *entry, struct model *model, struct error *error) {
    const char *pooling;
    enum status status = json_require_string(entry, "metadata", "pooling", &pooling, error);
    if (status != STATUS_OK)
        return status;
    if (!pooling_from_name(pooling, &model->pooling))
        return unsupported_name("pooling", pooling, error);
    status = json_require_boolean(entry, "metadata", "normalize", &model->normalize, error);
    return status == STATUS_OK ? read_prompts(entry, &model->prompts, error) : status;
}

static enum status read_identity(const json_t *entry, struct model *model, struct error *error) {
    const char *name, *kind, *precision;
    enum status status = json_require_string(entry, "metadata", "name", &name, error);
    if (status == STATUS_OK)
        status = json_require_string(entry, "metadata", "kind", &kind, error);
    if (status == STATUS_OK)
        status = json_require_string(entry, "metadata", "precision", &precision, error);
    if (status != STATUS_OK)
        return status;
    if (strlen(name) == 0 || strlen(name) >= sizeof model->name)
        return error_set(error, STATUS_INVALID_DATA, "metadata: name has %zu bytes, expected 1 to %zu",
                         strlen(name), sizeof model->name - 1);
    memcpy(model->name, name, strlen(name) + 1);
    if (!model_kind_from_name(kind, &model->kind))
        return unsupported_name("kind", kind, error);
    if (!precision_from_name(precision, &model->precision))
        return unsupported_name("precision", precision, error);
    return model->kind == MODEL_EMBEDDER ? read_pooling(entry, model, error) : STATUS_OK;
}

static enum status read_tokenizer(struct model *model, const json_t *entry, struct error *error) {
    struct bytes section;
    enum status status = find_section(model, entry, "tokenizer_section", &section, error);
    if (status == STATUS_OK)
        status = tokenizer_open(&model->tokenizer, section, error);
    if (status != STATUS_OK)
        return status;
    if (model->tokenizer.vocabulary_size > model->shape.vocabulary_size)
        return error_set(error, STATUS_INVALID_DATA,
                         "the tokenizer has ids up to %u, the word embeddings only %u rows",
                         model->tokenizer.vocabulary_size - 1, model->shape.vocabulary_size);
    return STATUS_OK;
}

static enum status read_model(struct model *model, const json_t *entry, struct error *error) {
    enum status status = read_identity(entry, model, error);
    if (status == STATUS_OK)
        status = read_shape(entry, model->kind, &model->shape, error);
    if (status == STATUS_OK)
        status = json_require_u32(entry, "metadata", "max_length", TOKENIZER_SPECIAL_PAIR,
                                  model_longest_sequence(&model->shape), &model->max_length, error);
    if (status == STATUS_OK)
        status = read_tokenizer(model, entry, error);
    if (status == STATUS_OK)
        status = read_tensors(model, error);
    return status;
}

enum status model_read_metadata(struct model *model, struct error *error) {
    return read_model(model, model_entry(model), error);
}

static const char *name_of(const json_t *models, size_t number) {
    const char *name = json_string_value(json_object_get(json_array_get(models, number), "name"));
    return name != NULL ? name : "";
}

/* Each model's own members are checked when it is opened. */
static enum status check_models(const json_t *models, struct error *error) {
    size_t count = json_array_size(models);
    if (count == 0)
        return error_set(error, STATUS_INVALID_DATA, "metadata: there are no models");
    if (count > MODEL_MAX_PER_EMBER)
        return error_set(error, STATUS_INVALID_DATA, "metadata: there are %zu models, expected at most %u",
                         count, MODEL_MAX_PER_EMBER);
    for (size_t i = 0; i < count; i++) {
        for (size_t earlier = 0; earlier < i; earlier++) {
            if (strcmp(name_of(models, i), name_of(models, earlier)) == 0)
                return error_set(error, STATUS_INVALID_DATA, "metadata: two models are named \"%.127s\"",
                                 name_of(models, i));
        }
    }
    return STATUS_OK;
}

enum status metadata_open(const struct ember *ember, json_t **metadata, struct error *error) {
    struct bytes section;
    *metadata = NULL;
    enum status status = ember_find(ember, "metadata", &section, error);
    if (status == STATUS_OK)
        status = json_parse(section, "metadata", METADATA_MAX_SIZE, JSON_NUMBERS_EXACT, metadata, error);
    uint32_t format;
    if (status == STATUS_OK)
        status = json_require_u32(*metadata, "metadata", "format", 1, UINT32_MAX, &format, error);
    if (status != STATUS_OK)
        return status;
    if (format != METADATA_FORMAT)
        return error_set(error, STATUS_UNSUPPORTED, "metadata format %u is not supported, expected %u",
                         format, METADATA_FORMAT);
    json_t *models;
    status = json_require_member(*metadata, "metadata", "models", JSON_ARRAY, &models, error);
    return status == STATUS_OK ? check_models(models, error) : status;
}

size_t metadata_model_count(const json_t *metadata) {
    return json_array_size(json_object_get(metadata, "models"));
}

bool metadata_suits(enum model_kind kind, enum model_task task) {
    return task == MODEL_TASK_ANY || (task == MODEL_TASK_RERANK) == (kind == MODEL_CROSS_ENCODER);
}

static enum status unknown_name(const json_t *models, const char *name, struct error *error) {
    char there[256] = "";
    for (size_t i = 0; i < json_array_size(models); i++) {
        size_t used = strlen(there);
        snprintf(there + used, sizeof there - used, "%s%s", i == 0 ? "" : ", ", name_of(models, i));
    }
    return error_set(error, STATUS_NOT_FOUND, "the ember has no model \"%.127s\"; there is %s", name, there);
}

enum status metadata_choose(const json_t *metadata, const char *name, enum model_task task, size_t *number,
                            struct error *error) {
    const json_t *models = json_object_get(metadata, "models");
    *number = 0;
    for (size_t i = 0; i < json_array_size(models); i++) {
        enum model_kind kind = MODEL_CROSS_ENCODER;
        const char *kind_name = json_string_value(json_object_get(json_array_get(models, i), "kind"));
        bool found = name != NULL ? strcmp(name_of(models, i), name) == 0
                                  : kind_name != NULL && model_kind_from_name(kind_name, &kind) &&
                                        metadata_suits(kind, task);
        if (found) {
            *number = i;
            return STATUS_OK;
        }
    }
    return name == NULL ? STATUS_OK : unknown_name(models, name, error);
}
