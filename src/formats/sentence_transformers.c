#include "formats/sentence_transformers.h"

#include "formats/json_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

void huggingface_add_note(struct huggingface_model *model, const char *format, ...) {
    if (model->note_count == HUGGINGFACE_MAX_NOTES)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(model->notes[model->note_count++], sizeof model->notes[0], format, arguments);
    va_end(arguments);
}

enum status huggingface_read_json(struct huggingface_model *model, const struct model_folder *folder,
                                  const char *inner, const char *name, bool optional, json_t **value,
                                  struct error *error) {
    *value = NULL;
    char path[HUGGINGFACE_WHERE_SIZE], file[HUGGINGFACE_NAME_SIZE];
    int length = snprintf(file, sizeof file, "%s%s", inner, name);
    if (length < 0 || (size_t)length >= sizeof file)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the path %s/%s%s is too long", folder->path, inner,
                         name);
    snprintf(path, sizeof path, "%s/%s", folder->path, file);
    struct buffer content = {0};
    enum status status = model_folder_read(folder, file, HUGGINGFACE_MAX_CONFIG_SIZE, &content, error);
    if (status == STATUS_OK)
        status = json_parse(buffer_bytes(&content), path, HUGGINGFACE_MAX_CONFIG_SIZE, JSON_NUMBERS_REAL,
                            value, error);
    else if (status == STATUS_NOT_FOUND && optional)
        return STATUS_OK;
    buffer_free(&content);
    if (status != STATUS_OK)
        return status;
    if (model->file_count == HUGGINGFACE_MAX_FILES) {
        json_decref(*value);
        *value = NULL;
        return error_set(error, STATUS_INTERNAL, "no room to note that %s was read", path);
    }
    memcpy(model->files[model->file_count++], file, (size_t)length + 1);
    return STATUS_OK;
}

/* A module's folder: one plain name inside the directory, or "" for the directory itself. */
static enum status read_folder(const json_t *module, const char *where, char folder[HUGGINGFACE_NAME_SIZE],
                               struct error *error) {
    const char *path;
    enum status status = json_require_string(module, where, "path", &path, error);
    if (status != STATUS_OK)
        return status;
    if (path[0] == '.' || strchr(path, '/') != NULL || strlen(path) > HUGGINGFACE_NAME_SIZE / 2)
        return error_set(error, STATUS_INVALID_DATA, "%s: the path \"%.100s\" is not a plain folder name",
                         where, path);
    snprintf(folder, HUGGINGFACE_NAME_SIZE, "%s%s", path, path[0] == '\0' ? "" : "/");
    return STATUS_OK;
}

/* The class of a type such as "sentence_transformers.models.Pooling". */
static const char *class_of(const char *type) {
    const char *dot = strrchr(type, '.');
    return dot == NULL ? type : dot + 1;
}

static enum status read_module(const json_t *module, size_t position, const char *where,
                               struct huggingface_model *model,
                               struct sentence_transformers_settings *settings, struct error *error) {
    const char *type;
    enum status status = json_require_string(module, where, "type", &type, error);
    if (status != STATUS_OK)
        return status;
    if (strcmp(class_of(type), "Transformer") == 0 && position == 0)
        return read_folder(module, where, model->transformer_folder, error);
    if (strcmp(class_of(type), "Pooling") == 0 && position == 1) {
        settings->has_pooling = true;
        return read_folder(module, where, settings->pooling_folder, error);
    }
    if (strcmp(class_of(type), "Normalize") == 0 && position == 2) {
        settings->normalize = true;
        return STATUS_OK;
    }
    if (settings->unsupported_module[0] == '\0')
        snprintf(settings->unsupported_module, sizeof settings->unsupported_module, "%s", type);
    return STATUS_OK;
}

enum status sentence_transformers_read_modules(const struct model_folder *folder,
                                               struct huggingface_model *model,
                                               struct sentence_transformers_settings *settings,
                                               struct error *error) {
    *settings = (struct sentence_transformers_settings){0};
    json_t *modules;
    enum status status = huggingface_read_json(model, folder, "", "modules.json", true, &modules, error);
    if (status != STATUS_OK || modules == NULL)
        return status;
    settings->has_modules = true;
    char where[HUGGINGFACE_WHERE_SIZE];
    snprintf(where, sizeof where, "%s/modules.json", folder->path);
    if (!json_is_array(modules))
        status = error_set(error, STATUS_INVALID_DATA, "%s is not a list of modules", where);
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(modules); i++)
        status = read_module(json_array_get(modules, i), i, where, model, settings, error);
    json_decref(modules);
    return status;
}

/* The pooling modes of sentence-transformers' models/Pooling.py, each a boolean of its config.json; exactly
 * one may be set, as several are concatenated. */
static const struct {
    const char *key, *name;
} pooling_modes[] = {
    {"pooling_mode_mean_tokens", "mean"},
    {"pooling_mode_cls_token", "cls"},
    {"pooling_mode_max_tokens", "max"},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
    {"pooling_mode_weightedmean_tokens", "weightedmean"},
    {"pooling_mode_lasttoken", "lasttoken"},
};

static enum status find_pooling_mode(const json_t *config, const char *where, const char **name,
                                     struct error *error) {
    *name = json_string_value(json_object_get(config, "pooling_mode"));
    if (*name != NULL)
        return STATUS_OK;
    for (size_t i = 0; i < COUNT_OF(pooling_modes); i++) {
        if (!json_is_true(json_object_get(config, pooling_modes[i].key)))
            continue;
        if (*name != NULL)
            return error_set(error, STATUS_UNSUPPORTED, "%s: pooling by %s and %s at once is not supported",
                             where, *name, pooling_modes[i].name);
        *name = pooling_modes[i].name;
    }
    if (*name == NULL)
        return error_set(error, STATUS_INVALID_DATA, "%s sets no pooling mode", where);
    return STATUS_OK;
}

static enum status read_pooling_config(const json_t *config, const char *where,
                                       struct model_description *description, struct error *error) {
    const char *name;
    enum status status = json_require_object(config, where, error);
    if (status == STATUS_OK)
        status = find_pooling_mode(config, where, &name, error);
    if (status != STATUS_OK)
        return status;
    if (!pooling_from_name(name, &description->pooling))
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: pooling \"%.40s\" is not supported; supported: mean, cls", where, name);
    bool include_prompt = true;
    status = json_read_boolean(config, where, "include_prompt", &include_prompt, error);
    if (status == STATUS_OK && !include_prompt)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: pooling that leaves out the prompt (include_prompt false) is not supported",
                         where);
    uint32_t size = description->shape.hidden_size;
    if (status == STATUS_OK && json_has(config, "word_embedding_dimension"))
        status = json_require_u32(config, where, "word_embedding_dimension", size, size, &size, error);
    return status;
}

static enum status read_pooling(const struct model_folder *folder, struct huggingface_model *model,
                                const struct sentence_transformers_settings *settings, struct error *error) {
    json_t *config;
    char where[HUGGINGFACE_WHERE_SIZE];
    snprintf(where, sizeof where, "%s/%sconfig.json", folder->path, settings->pooling_folder);
    enum status status =
        huggingface_read_json(model, folder, settings->pooling_folder, "config.json", false, &config, error);
    if (status == STATUS_OK)
        status = read_pooling_config(config, where, &model->description, error);
    json_decref(config);
    return status;
}

static enum status read_sentence_bert_config(const struct model_folder *folder,
                                             struct huggingface_model *model,
                                             struct sentence_transformers_settings *settings,
                                             struct error *error) {
    json_t *config;
    char where[HUGGINGFACE_WHERE_SIZE];
    snprintf(where, sizeof where, "%s/%ssentence_bert_config.json", folder->path, model->transformer_folder);
    enum status status = huggingface_read_json(model, folder, model->transformer_folder,
                                               "sentence_bert_config.json", true, &config, error);
    if (status != STATUS_OK || config == NULL)
        return status;
    status = json_require_object(config, where, error);
    if (status == STATUS_OK && json_has(config, "max_seq_length"))
        status = json_require_unsigned(config, where, "max_seq_length", 1, UINT32_MAX, &settings->max_length,
                                       error);
    if (status == STATUS_OK && json_has(config, "do_lower_case"))
        status = json_require_boolean(config, where, "do_lower_case", &model->lowercase_first, error);
    json_decref(config);
    return status;
}

/* The names that published models give the two; the first is that of sentence-transformers 5. */
static enum status read_prompts(const struct model_folder *folder, struct huggingface_model *model,
                                struct error *error) {
    static const char *const passage_names[] = {"document", "passage"};
    struct model_prompts *prompts = &model->description.prompts;
    json_t *config;
    char where[HUGGINGFACE_WHERE_SIZE];
    snprintf(where, sizeof where, "%s/config_sentence_transformers.json: prompts", folder->path);
    enum status status =
        huggingface_read_json(model, folder, "", "config_sentence_transformers.json", true, &config, error);
    const json_t *named = json_object_get(config, "prompts");
    if (status == STATUS_OK && json_is_object(named))
        status = model_prompt_read(named, where, "query", prompts->query, error);
    for (size_t i = 0; status == STATUS_OK && json_is_object(named) && i < COUNT_OF(passage_names); i++) {
        if (prompts->passage[0] == '\0')
            status = model_prompt_read(named, where, passage_names[i], prompts->passage, error);
    }
    const char *chosen = json_string_value(json_object_get(config, "default_prompt_name"));
    if (status == STATUS_OK && chosen != NULL)
        huggingface_add_note(
            model, "default_prompt_name \"%.40s\": no prompt is read unless a request asks for it", chosen);
    json_decref(config);
    return status;
}

enum status sentence_transformers_read_embedder(const struct model_folder *folder,
                                                struct huggingface_model *model,
                                                struct sentence_transformers_settings *settings,
                                                struct error *error) {
    if (settings->unsupported_module[0] != '\0')
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s/modules.json: module %s is not supported in its place; supported: Transformer, then "
            "Pooling, then Normalize",
            folder->path, settings->unsupported_module);
    model->description.normalize = settings->normalize;
    enum status status = read_sentence_bert_config(folder, model, settings, error);
    if (status == STATUS_OK)
        status = read_prompts(folder, model, error);
    if (status != STATUS_OK)
        return status;
    if (settings->has_pooling)
        return read_pooling(folder, model, settings, error);
    /* As sentence-transformers does for a directory without modules. */
    model->description.pooling = POOLING_MEAN;
    huggingface_add_note(model, "%s: mean pooling is assumed",
                         settings->has_modules ? "modules.json has no Pooling" : "there is no modules.json");
    return STATUS_OK;
}
