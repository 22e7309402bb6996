#include "formats/huggingface.h"

#include "formats/json_reader.h"
#include "formats/sentence_transformers.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void copy_text(char *target, size_t size, const char *text) {
    snprintf(target, size, "%s", text);
}

static enum status read_architecture(const json_t *config, const char *where,
                                     struct model_description *description, struct error *error) {
    json_t *names;
    enum status status = json_require_member(config, where, "architectures", JSON_ARRAY, &names, error);
    if (status != STATUS_OK)
        return status;
    const char *name = json_string_value(json_array_get(names, 0));
    if (json_array_size(names) != 1 || name == NULL)
        return error_set(error, STATUS_INVALID_DATA, "%s: \"architectures\" does not hold one name", where);
    if (strcmp(name, "BertModel") == 0)
        description->kind = MODEL_EMBEDDER;
    else if (strcmp(name, "BertForSequenceClassification") == 0)
        description->kind = MODEL_CROSS_ENCODER;
    else
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: architecture %.80s is not supported; supported: BertModel (embedder), "
                         "BertForSequenceClassification with one label (cross-encoder)",
                         where, name);
    copy_text(description->architecture, sizeof description->architecture, name);
    return STATUS_OK;
}

/* A setting that, where it is given, must have the one value we compute with. */
static enum status require_setting(const json_t *config, const char *where, const char *key,
                                   const char *supported, struct error *error) {
    if (!json_has(config, key))
        return STATUS_OK;
    const char *value;
    enum status status = json_require_string(config, where, key, &value, error);
    if (status == STATUS_OK && strcmp(value, supported) != 0)
        return error_set(error, STATUS_UNSUPPORTED, "%s: %s \"%.80s\" is not supported; supported: \"%s\"",
                         where, key, value, supported);
    return status;
}

static enum status refuse_setting(const json_t *config, const char *where, const char *key,
                                  struct error *error) {
    const json_t *value = json_object_get(config, key);
    bool absent = value == NULL || json_is_null(value) || json_is_false(value) ||
                  (json_is_object(value) && json_object_size(value) == 0);
    if (absent)
        return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED, "%s: a model with \"%s\" is not supported", where, key);
}

static enum status check_settings(const json_t *config, const char *where, struct error *error) {
    /* The absent value of each is the supported one in transformers' BertConfig. auto_map names code of the
     * model's own that computes it, whatever architecture it calls itself. */
    const struct {
        const char *key, *supported;
    } settings[] = {{"model_type", "bert"}, {"hidden_act", "gelu"}, {"position_embedding_type", "absolute"}};
    static const char *const refused[] = {"is_decoder",   "add_cross_attention", "is_encoder_decoder",
                                          "pruned_heads", "quantization_config", "auto_map"};
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(settings); i++)
        status = require_setting(config, where, settings[i].key, settings[i].supported, error);
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(refused); i++)
        status = refuse_setting(config, where, refused[i], error);
    return status;
}

static enum status read_shape(const json_t *config, const char *where, struct model_description *description,
                              struct error *error) {
    struct model_shape *shape = &description->shape;
    static const struct model_shape_names names = {
        "hidden_size", "num_hidden_layers",       "num_attention_heads", "intermediate_size",
        "vocab_size",  "max_position_embeddings", "type_vocab_size"};
    enum status status = model_shape_read(config, where, &names, shape, error);
    double epsilon = 1e-12; /* the default of transformers' BertConfig */
    if (status == STATUS_OK && json_has(config, "layer_norm_eps"))
        status = json_require_number(config, where, "layer_norm_eps", &epsilon, error);
    shape->layer_norm_epsilon = (float)epsilon;
    if (status == STATUS_OK)
        status = model_shape_complete(shape, description->kind, where, error);
    return status;
}

/* id2label has one entry per output; the weights' own shape is checked when they are read. */
static enum status read_label(const json_t *config, const char *where, struct model_description *description,
                              struct error *error) {
    if (description->kind != MODEL_CROSS_ENCODER)
        return STATUS_OK;
    const json_t *labels = json_object_get(config, "id2label");
    uint64_t count = json_object_size(labels);
    if (!json_is_object(labels) && json_has(config, "num_labels")) {
        enum status status = json_require_unsigned(config, where, "num_labels", 0, UINT32_MAX, &count, error);
        if (status != STATUS_OK)
            return status;
    } else if (!json_is_object(labels)) {
        return STATUS_OK;
    }
    if (count != 1)
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: a classifier with %llu labels is not supported, expected one (a relevance score)", where,
            (unsigned long long)count);
    const char *label = json_string_value(json_object_get(labels, "0"));
    if (label != NULL)
        copy_text(description->label, sizeof description->label, label);
    return STATUS_OK;
}

/* Where sentence-transformers keeps the activation its CrossEncoder applies: up to version 3, and from 4 on.
 */
static void read_activation(const json_t *config, struct model_description *description) {
    const char *activation =
        json_string_value(json_object_get(config, "sbert_ce_default_activation_function"));
    if (activation == NULL)
        activation = json_string_value(
            json_object_get(json_object_get(config, "sentence_transformers"), "activation_fn"));
    if (activation != NULL)
        copy_text(description->published_activation, sizeof description->published_activation, activation);
}

static enum status read_config(const json_t *config, const char *where, struct model_description *description,
                               struct error *error) {
    enum status status = json_require_object(config, where, error);
    if (status == STATUS_OK)
        status = read_architecture(config, where, description, error);
    if (status == STATUS_OK)
        status = check_settings(config, where, error);
    if (status == STATUS_OK)
        status = read_shape(config, where, description, error);
    if (status == STATUS_OK)
        status = read_label(config, where, description, error);
    if (status == STATUS_OK && description->kind == MODEL_CROSS_ENCODER)
        read_activation(config, description);
    return status;
}

enum status huggingface_read_config(struct bytes text, const char *where,
                                    struct model_description *description, struct error *error) {
    *description = (struct model_description){0};
    json_t *config;
    enum status status =
        json_parse(text, where, HUGGINGFACE_MAX_CONFIG_SIZE, JSON_NUMBERS_REAL, &config, error);
    if (status == STATUS_OK)
        status = read_config(config, where, description, error);
    json_decref(config);
    return status;
}

/* The longest sequence: what the settings ask for, within what positions and kernels allow. */
static enum status settle_max_length(struct huggingface_model *model, uint64_t wanted, const char *source,
                                     struct error *error) {
    struct model_description *description = &model->description;
    uint32_t longest = model_longest_sequence(&description->shape);
    if (wanted < TOKENIZER_SPECIAL_PAIR || longest < TOKENIZER_SPECIAL_PAIR)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: a maximum length of %llu tokens leaves no room for text", source,
                         (unsigned long long)wanted);
    description->max_length = wanted < longest ? (uint32_t)wanted : longest;
    if (wanted > longest)
        huggingface_add_note(model, "maximum length lowered from %llu (%s) to %u tokens",
                             (unsigned long long)wanted, source, longest);
    return STATUS_OK;
}

static enum status read_max_length(const struct model_folder *folder, struct huggingface_model *model,
                                   const struct sentence_transformers_settings *settings,
                                   struct error *error) {
    uint64_t positions = model->description.shape.max_positions;
    if (model->description.kind == MODEL_EMBEDDER && settings->max_length != 0)
        return settle_max_length(model, settings->max_length, "max_seq_length of sentence_bert_config.json",
                                 error);
    json_t *config;
    enum status status = huggingface_read_json(model, folder, model->transformer_folder,
                                               "tokenizer_config.json", true, &config, error);
    uint64_t stated;
    /* Tokenizers without a limit say 1e30, which is no count. */
    bool has_limit =
        json_number_as_unsigned(json_object_get(config, "model_max_length"), &stated) && stated <= positions;
    json_decref(config);
    if (status != STATUS_OK)
        return status;
    if (has_limit)
        return settle_max_length(model, stated, "model_max_length of tokenizer_config.json", error);
    return settle_max_length(model, positions, "the number of position embeddings", error);
}

static enum status read_main_config(const struct model_folder *folder, struct huggingface_model *model,
                                    struct error *error) {
    json_t *config;
    char where[HUGGINGFACE_WHERE_SIZE];
    enum status status =
        huggingface_read_json(model, folder, model->transformer_folder, "config.json", false, &config, error);
    snprintf(where, sizeof where, "%s/%sconfig.json", folder->path, model->transformer_folder);
    if (status == STATUS_OK)
        status = read_config(config, where, &model->description, error);
    json_decref(config);
    return status;
}

/* What config.json does not say; it is in model->description already. */
static enum status read_rest(const struct model_folder *folder, struct huggingface_model *model,
                             struct sentence_transformers_settings *settings, struct error *error) {
    enum status status = STATUS_OK;
    if (model->description.kind == MODEL_EMBEDDER)
        status = sentence_transformers_read_embedder(folder, model, settings, error);
    if (status == STATUS_OK)
        status = read_max_length(folder, model, settings, error);
    return status;
}

enum status huggingface_read_folder(const struct model_folder *folder, struct huggingface_model *model,
                                    struct error *error) {
    *model = (struct huggingface_model){0};
    struct sentence_transformers_settings settings;
    enum status status = sentence_transformers_read_modules(folder, model, &settings, error);
    if (status == STATUS_OK)
        status = read_main_config(folder, model, error);
    if (status == STATUS_OK)
        status = read_rest(folder, model, &settings, error);
    return status;
}

enum status huggingface_read_without_config(const struct model_folder *folder,
                                            const struct model_description *description,
                                            struct huggingface_model *model, struct error *error) {
    *model = (struct huggingface_model){.description = *description};
    struct sentence_transformers_settings settings;
    enum status status = sentence_transformers_read_modules(folder, model, &settings, error);
    if (status == STATUS_OK)
        status = read_rest(folder, model, &settings, error);
    return status;
}

enum status huggingface_read(const char *directory, struct huggingface_model *model, struct error *error) {
    struct model_folder folder;
    enum status status = model_folder_open_directory(&folder, directory, error);
    if (status == STATUS_OK)
        status = huggingface_read_folder(&folder, model, error);
    model_folder_close(&folder);
    return status;
}
