/* tokenizer.json, the format of Hugging Face `tokenizers`, as far as BERT's tokenizer uses it. */
#include "formats/tokenizer_description.h"

static enum status unsupported(const char *name, const char *part, const json_t *object,
                               const char *supported, struct error *error) {
    const json_t *type = json_is_object(object) ? json_object_get(object, "type") : NULL;
    const char *found = json_is_string(type)   ? json_string_value(type)
                        : json_is_null(object) ? "null"
                        : object == NULL       ? "missing"
                                               : "without a type";
    return error_set(error, STATUS_UNSUPPORTED, "%s: %s %.100s is not supported; supported: %s", name, part,
                     found, supported);
}

static bool has_type(const json_t *object, const char *wanted) {
    const char *type = json_string_value(json_object_get(object, "type"));
    return type != NULL && strcmp(type, wanted) == 0;
}

static enum status read_normalizer(const json_t *root, const char *name, struct tokenizer_settings *settings,
                                   struct error *error) {
    const json_t *normalizer = json_object_get(root, "normalizer");
    if (json_is_null(normalizer)) {
        settings->strip_accents = STRIP_ACCENTS_NO; /* text is taken as it is */
        return STATUS_OK;
    }
    if (!has_type(normalizer, "BertNormalizer"))
        return unsupported(name, "the normalizer", normalizer, "BertNormalizer, null", error);
    enum status status = json_require_boolean(normalizer, name, "clean_text", &settings->clean_text, error);
    if (status == STATUS_OK)
        status = json_require_boolean(normalizer, name, "handle_chinese_chars",
                                      &settings->handle_chinese_characters, error);
    if (status == STATUS_OK)
        status = json_require_boolean(normalizer, name, "lowercase", &settings->lowercase, error);
    if (status == STATUS_OK)
        status = read_strip_accents(normalizer, name, &settings->strip_accents, error);
    return status;
}

static enum status read_model_settings(const json_t *model, const char *name,
                                       struct tokenizer_settings *settings, struct error *error) {
    const char *prefix = "";
    enum status status = json_require_u32(model, name, "max_input_chars_per_word", 0, UINT32_MAX,
                                          &settings->max_characters_per_word, error);
    if (status == STATUS_OK)
        status = json_require_string(model, name, "continuing_subword_prefix", &prefix, error);
    if (status != STATUS_OK)
        return status;
    size_t size = strlen(prefix);
    if (size >= sizeof settings->continuing_prefix)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: a continuing_subword_prefix of %zu bytes is not supported; at most %zu", name,
                         size, sizeof settings->continuing_prefix - 1);
    memcpy(settings->continuing_prefix, prefix, size);
    return STATUS_OK;
}

/* One more than the largest id; refuses ids so far apart that they cannot be meant. */
static enum status count_pieces(json_t *vocabulary, const char *name, size_t *count, struct error *error) {
    json_int_t most = 2 * (json_int_t)json_object_size(vocabulary) + 1024;
    const char *piece;
    json_t *id;
    json_int_t largest = -1;
    json_object_foreach(vocabulary, piece, id) {
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > most)
            return error_set(error, STATUS_INVALID_DATA,
                             "%s: the id of \"%.64s\" in model.vocab must be a whole number from 0 to %lld",
                             name, piece, (long long)most);
        if (json_integer_value(id) > largest)
            largest = json_integer_value(id);
    }
    *count = (size_t)(largest + 1);
    return STATUS_OK;
}

static enum status read_pieces(struct description_builder *builder, json_t *vocabulary, struct error *error) {
    const char *piece;
    json_t *id;
    json_object_foreach(vocabulary, piece, id) {
        size_t place = (size_t)json_integer_value(id);
        if (builder->pieces[place].size != 0)
            return error_set(error, STATUS_INVALID_DATA,
                             "%s: two pieces in model.vocab have the id %zu, one is \"%.64s\"", builder->name,
                             place, piece);
        enum status status = description_set_piece(builder, place, bytes_of_string(piece), error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status read_added_token(struct description_builder *builder, const json_t *object,
                                    struct error *error) {
    struct added_token token = {0};
    enum status status = read_token_text_and_flags(object, builder->name, true, &token, error);
    if (status == STATUS_OK)
        status = json_require_u32(object, builder->name, "id", 0, INT32_MAX, &token.id, error);
    if (status == STATUS_OK)
        status = description_add_token(builder, &token, error);
    return status == STATUS_OK ? status : error_add_context(error, status, "an entry of added_tokens");
}

static enum status read_added_tokens(struct description_builder *builder, const json_t *added,
                                     struct error *error) {
    size_t place;
    const json_t *object;
    enum status status = STATUS_OK;
    json_array_foreach(added, place, object) {
        if (status == STATUS_OK)
            status = read_added_token(builder, object, error);
    }
    return status;
}

/* The id a TemplateProcessing step writes: the one id of its entry in special_tokens. */
static enum status read_template_id(const json_t *processor, const char *name, const char *token,
                                    uint32_t *id, struct error *error) {
    const json_t *entry = json_object_get(json_object_get(processor, "special_tokens"), token);
    const json_t *ids = json_object_get(entry, "ids");
    const json_t *only = json_array_get(ids, 0);
    if (json_array_size(ids) != 1 || !json_is_integer(only) || json_integer_value(only) < 0 ||
        json_integer_value(only) > INT32_MAX)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: post_processor.special_tokens must give \"%.64s\" exactly one id", name, token);
    *id = (uint32_t)json_integer_value(only);
    return STATUS_OK;
}

/* Whether a step of a template is {"kind": {"id": value, "type_id": segment}}; value NULL accepts any text.
 */
static const char *template_step(const json_t *step, const char *kind, json_int_t segment) {
    const json_t *inner = json_object_get(step, kind);
    const json_t *type = json_object_get(inner, "type_id");
    if (!json_is_integer(type) || json_integer_value(type) != segment)
        return NULL;
    return json_string_value(json_object_get(inner, "id"));
}

static bool is_step(const json_t *step, const char *kind, const char *value, json_int_t segment) {
    const char *found = template_step(step, kind, segment);
    return found != NULL && strcmp(found, value) == 0;
}

/* [CLS] A [SEP] and [CLS] A [SEP] B [SEP] with segments 0 0 0 1 1, and nothing else. */
static enum status read_template(const json_t *processor, const char *name,
                                 struct tokenizer_description *description, struct error *error) {
    const json_t *single = json_object_get(processor, "single"), *pair = json_object_get(processor, "pair");
    const char *classify = template_step(json_array_get(single, 0), "SpecialToken", 0);
    const char *separator = template_step(json_array_get(single, 2), "SpecialToken", 0);
    bool expected = classify != NULL && separator != NULL && json_array_size(single) == 3 &&
                    json_array_size(pair) == 5 && is_step(json_array_get(single, 1), "Sequence", "A", 0) &&
                    is_step(json_array_get(pair, 0), "SpecialToken", classify, 0) &&
                    is_step(json_array_get(pair, 1), "Sequence", "A", 0) &&
                    is_step(json_array_get(pair, 2), "SpecialToken", separator, 0) &&
                    is_step(json_array_get(pair, 3), "Sequence", "B", 1) &&
                    is_step(json_array_get(pair, 4), "SpecialToken", separator, 1);
    if (!expected)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: this post_processor template is not supported; supported: [CLS] A [SEP] and "
                         "[CLS] A [SEP] B [SEP] with type ids 0 and 1",
                         name);
    enum status status = read_template_id(processor, name, classify, &description->classify_id, error);
    if (status == STATUS_OK)
        status = read_template_id(processor, name, separator, &description->separator_id, error);
    return status;
}

/* BertProcessing's "cls" and "sep" are pairs of text and id. */
static enum status read_processing_id(const json_t *processor, const char *name, const char *key,
                                      uint32_t *id, struct error *error) {
    const json_t *number = json_array_get(json_object_get(processor, key), 1);
    if (!json_is_integer(number) || json_integer_value(number) < 0 || json_integer_value(number) > INT32_MAX)
        return error_set(error, STATUS_INVALID_DATA, "%s: post_processor.%s must be [token, id]", name, key);
    *id = (uint32_t)json_integer_value(number);
    return STATUS_OK;
}

static enum status read_post_processor(const json_t *root, const char *name,
                                       struct tokenizer_description *description, struct error *error) {
    const json_t *processor = json_object_get(root, "post_processor");
    if (has_type(processor, "TemplateProcessing"))
        return read_template(processor, name, description, error);
    if (!has_type(processor, "BertProcessing"))
        return unsupported(name, "the post_processor", processor, "TemplateProcessing, BertProcessing",
                           error);
    enum status status = read_processing_id(processor, name, "cls", &description->classify_id, error);
    if (status == STATUS_OK)
        status = read_processing_id(processor, name, "sep", &description->separator_id, error);
    return status;
}

static enum status read_model(struct description_builder *builder, const json_t *root,
                              struct tokenizer_files *files, const char *name, struct error *error) {
    const json_t *model = json_object_get(root, "model");
    if (!has_type(model, "WordPiece"))
        return unsupported(name, "the model", model, "WordPiece", error);
    json_t *vocabulary = json_object_get(model, "vocab");
    const json_t *added = json_object_get(root, "added_tokens");
    if (!json_is_object(vocabulary))
        return error_set(error, STATUS_INVALID_DATA, "%s: \"model.vocab\" must be an object", name);
    if (added != NULL && !json_is_array(added))
        return error_set(error, STATUS_INVALID_DATA, "%s: \"added_tokens\" must be an array", name);
    size_t count = 0;
    const char *unknown = "";
    enum status status = read_model_settings(model, name, &files->description.settings, error);
    if (status == STATUS_OK)
        status = count_pieces(vocabulary, name, &count, error);
    if (status == STATUS_OK)
        status = description_start(builder, files, name, count, json_array_size(added), error);
    if (status == STATUS_OK)
        status = read_pieces(builder, vocabulary, error);
    if (status == STATUS_OK)
        status = read_added_tokens(builder, added, error);
    if (status == STATUS_OK)
        status = json_require_string(model, name, "unk_token", &unknown, error);
    if (status == STATUS_OK)
        status = description_find(builder, bytes_of_string(unknown), &files->description.unknown_id, error);
    return status;
}

enum status tokenizer_files_read_json(struct bytes json, const char *name, struct tokenizer_files *files,
                                      struct error *error) {
    *files = (struct tokenizer_files){.source = "tokenizer.json"};
    struct description_builder builder = {0};
    json_t *root;
    enum status status = json_parse(json, name, TOKENIZER_FILE_MAX_SIZE, JSON_NUMBERS_EXACT, &root, error);
    if (status != STATUS_OK)
        return status;
    status = read_normalizer(root, name, &files->description.settings, error);
    const json_t *pre_tokenizer = json_object_get(root, "pre_tokenizer");
    if (status == STATUS_OK && !has_type(pre_tokenizer, "BertPreTokenizer"))
        status = unsupported(name, "the pre_tokenizer", pre_tokenizer, "BertPreTokenizer", error);
    if (status == STATUS_OK)
        status = read_model(&builder, root, files, name, error);
    if (status == STATUS_OK)
        status = read_post_processor(root, name, &files->description, error);
    if (status == STATUS_OK)
        description_finish(&builder);
    else
        tokenizer_files_free(files);
    description_abandon(&builder);
    json_decref(root);
    return status;
}
