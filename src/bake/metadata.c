#include "bake/metadata.h"

#include "bake/golden.h"

#include <stdlib.h>
#include <string.h>

#define METADATA_FORMAT 1
#define METADATA_DIGITS 9 /* give a float32 back exactly (IEEE 754-2019, section 5.12.2) */

/* The builders below return a new reference, or NULL without memory; json_pack and json_object_set_new pass a
 * NULL on, so that one check at the end is enough. */

static json_t *describe_shape(const struct model_shape *shape) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "hidden_size",
                     (json_int_t)shape->hidden_size, "layers", (json_int_t)shape->layers, "attention_heads",
                     (json_int_t)shape->attention_heads, "head_size", (json_int_t)shape->head_size,
                     "intermediate_size", (json_int_t)shape->intermediate_size, "vocabulary_size",
                     (json_int_t)shape->vocabulary_size, "max_positions", (json_int_t)shape->max_positions,
                     "segment_types", (json_int_t)shape->segment_types, "layer_norm_epsilon",
                     (double)shape->layer_norm_epsilon);
}

static json_t *describe_sources(const struct source *source) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < source->file_count; i++) {
        const struct source_file *file = &source->files[i];
        json_t *entry = json_pack("{s:s, s:I, s:s}", "file", file->name, "size", (json_int_t)file->size,
                                  "sha256", file->sha256);
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *describe_golden(enum model_kind kind) {
    json_t *items = json_array();
    for (size_t i = 0; i < GOLDEN_TEXT_COUNT; i++) {
        const struct golden_text *text = &golden_texts[i];
        json_t *item = kind == MODEL_CROSS_ENCODER
                           ? json_pack("{s:s, s:s}", "query", text->query, "passage", text->passage)
                           : json_pack("{s:s}", "text", text->passage);
        if (json_array_append_new(items, item) != 0) {
            json_decref(items);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o}", "tensor", "golden.outputs", "items", items);
}

/* Sets a member; false without memory. */
static bool set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

static bool describe_output(json_t *entry, const struct model_description *description) {
    const struct model_prompts *prompts = &description->prompts;
    if (description->kind == MODEL_EMBEDDER && (prompts->query[0] != '\0' || prompts->passage[0] != '\0') &&
        !set(entry, "prompts", json_pack("{s:s, s:s}", "query", prompts->query, "passage", prompts->passage)))
        return false;
    if (description->kind == MODEL_EMBEDDER)
        return set(entry, "pooling", json_string(pooling_name(description->pooling))) &&
               set(entry, "normalize", json_boolean(description->normalize));
    bool done = set(entry, "activation", json_string("sigmoid"));
    if (done && description->label[0] != '\0')
        done = set(entry, "label", json_string(description->label));
    if (done && description->published_activation[0] != '\0')
        done = set(entry, "published_activation", json_string(description->published_activation));
    return done;
}

static bool describe_model(json_t *entry, const struct metadata_model *model) {
    const struct source *source = model->source;
    const struct model_description *description = &source->huggingface.description;
    bool done = set(entry, "name", json_string(source->name)) &&
                set(entry, "kind", json_string(model_kind_name(description->kind))) &&
                set(entry, "architecture", json_string(description->architecture)) &&
                set(entry, "precision", json_string(precision_name(model->precision))) &&
                set(entry, "shape", describe_shape(&description->shape)) &&
                set(entry, "max_length", json_integer(description->max_length)) &&
                describe_output(entry, description) && set(entry, "sources", describe_sources(source)) &&
                set(entry, "tokenizer_section", json_string(model->tokenizer_section)) &&
                set(entry, "weights_section", json_string(model->weights_section)) &&
                json_object_set(entry, "tensors", model->lists->tensors) == 0 &&
                json_object_set(entry, "quantization", model->lists->quantization) == 0;
    if (done && source->licence[0] != '\0')
        done = set(entry, "licence", json_string(source->licence));
    if (done && model->with_golden)
        done = set(entry, "golden", describe_golden(description->kind));
    return done;
}

enum status metadata_add_model(json_t *models, const struct metadata_model *model, struct error *error) {
    json_t *entry = json_object();
    if (describe_model(entry, model) && json_array_append(models, entry) == 0) {
        json_decref(entry);
        return STATUS_OK;
    }
    json_decref(entry);
    return error_set(error, STATUS_OUT_OF_MEMORY,
                     "the metadata of %s could not be built: no memory, or its name is not UTF-8",
                     model->source->name);
}

enum status metadata_write(json_t *models, struct buffer *text, struct error *error) {
    json_t *root = json_pack("{s:i, s:s, s:O}", "format", METADATA_FORMAT, "baker",
                             "rescoldo " RESCOLDO_VERSION, "models", models);
    char *printed =
        root == NULL ? NULL
                     : json_dumps(root, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(METADATA_DIGITS));
    json_decref(root);
    if (printed == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to print the metadata");
    enum status status = buffer_append(text, printed, strlen(printed), error);
    free(printed);
    return status;
}
