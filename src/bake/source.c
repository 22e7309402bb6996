#include "bake/source.h"

#include "formats/tokenizer_files.h"
#include "tokenizer/utf8.h"

#include <errno.h>
#include <math.h>
#include <sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HASH_CHUNK    ((size_t)8 << 20)  /* bytes between two reports */
#define MAX_SIDE_FILE ((size_t)64 << 20) /* of a configuration or tokenizer file */
#define MAX_README    ((size_t)1 << 20)

static enum status print_path(char path[HUGGINGFACE_PATH_SIZE], struct error *error, const char *format, ...)
    PRINTF_LIKE(3, 4);

static enum status print_path(char path[HUGGINGFACE_PATH_SIZE], struct error *error, const char *format,
                              ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(path, HUGGINGFACE_PATH_SIZE, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= HUGGINGFACE_PATH_SIZE)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a path is longer than %d bytes: %.200s",
                         HUGGINGFACE_PATH_SIZE - 1, path);
    return STATUS_OK;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* The models of a hub keep their ONNX files in a folder "onnx" beside the other files. */
static bool move_above_onnx(struct model_folder *folder, char weights[HUGGINGFACE_NAME_SIZE]) {
    if (model_folder_has(folder, "tokenizer.json") || model_folder_has(folder, "vocab.txt") ||
        strlen(weights) + sizeof "onnx/" > HUGGINGFACE_NAME_SIZE)
        return false;
    char name[HUGGINGFACE_NAME_SIZE];
    size_t length = strlen(folder->path);
    snprintf(name, sizeof name, "onnx/%.120s", weights);
    if (strcmp(folder->path, "onnx") == 0)
        memcpy(folder->path, ".", 2);
    else if (length > 5 && strcmp(folder->path + length - 5, "/onnx") == 0)
        folder->path[length - 5] = '\0';
    else
        return false;
    memcpy(weights, name, sizeof name);
    return true;
}

/* The folder of the path given, and the weights file where the path names it. */
static enum status open_folder(struct source *source, const char *path, char weights[HUGGINGFACE_NAME_SIZE],
                               struct error *error) {
    struct stat information;
    weights[0] = '\0';
    if (stat(path, &information) != 0)
        return error_set_errno(error, errno, "cannot open the model %s", path);
    if (S_ISDIR(information.st_mode))
        return model_folder_open_directory(&source->folder, path, error);
    if (ends_with(path, ".zip"))
        return model_folder_open_archive(&source->folder, path, error);
    if (!ends_with(path, ".safetensors") && !ends_with(path, ".onnx"))
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s is not supported; supported: a Hugging Face model directory, the model.safetensors or "
            "ONNX file inside one, or a .zip of one",
            path);
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char directory[HUGGINGFACE_PATH_SIZE] = ".";
    enum status status = STATUS_OK;
    if (strlen(name) >= HUGGINGFACE_NAME_SIZE)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the name %.200s is too long", name);
    memcpy(weights, name, strlen(name) + 1);
    if (slash != NULL)
        status = print_path(directory, error, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    if (status == STATUS_OK)
        status = model_folder_open_directory(&source->folder, directory, error);
    if (status == STATUS_OK)
        (void)move_above_onnx(&source->folder, weights);
    return status;
}

static void finish_hash(SHA2_CTX *state, char hex[SHA256_HEX_SIZE]) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256Final(digest, state);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static enum status add_file(struct source *source, const char *name, struct bytes bytes,
                            const struct bake_progress *progress, struct error *error) {
    if (source->file_count == SOURCE_MAX_FILES || strlen(name) >= sizeof source->files[0].name)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%s: too many source files, or too long a name", name);
    struct source_file *file = &source->files[source->file_count++];
    memcpy(file->name, name, strlen(name) + 1);
    file->size = bytes.size;
    SHA2_CTX state;
    SHA256Init(&state);
    for (size_t done = 0; done < bytes.size; done += HASH_CHUNK) {
        enum status status = progress_check(progress, error);
        if (status != STATUS_OK)
            return status;
        SHA256Update(&state, bytes.data + done,
                     bytes.size - done < HASH_CHUNK ? bytes.size - done : HASH_CHUNK);
        if (bytes.size > HASH_CHUNK)
            progress_report(progress, "hashing the weights", done, bytes.size);
    }
    finish_hash(&state, file->sha256);
    return STATUS_OK;
}

static bool is_listed(const struct source *source, const char *name) {
    for (uint32_t i = 0; i < source->file_count; i++) {
        if (strcmp(source->files[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Lists a small file by its name in the directory, once; an absent one only when it is optional. */
static enum status add_side_file(struct source *source, const char *folder, const char *name, bool optional,
                                 const struct bake_progress *progress, struct error *error) {
    char relative[HUGGINGFACE_PATH_SIZE];
    struct buffer content = {0};
    enum status status = print_path(relative, error, "%s%s", folder, name);
    if (status == STATUS_OK && is_listed(source, relative))
        return STATUS_OK;
    if (status == STATUS_OK)
        status = model_folder_read(&source->folder, relative, MAX_SIDE_FILE, &content, error);
    if (status == STATUS_OK)
        status = add_file(source, relative, buffer_bytes(&content), progress, error);
    else if (status == STATUS_NOT_FOUND && optional)
        status = STATUS_OK;
    buffer_free(&content);
    return status;
}

static void add_note(struct source *source, const char *format, ...) PRINTF_LIKE(2, 3);

static void add_note(struct source *source, const char *format, ...) {
    if (source->note_count == SOURCE_MAX_NOTES)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(source->notes[source->note_count++], sizeof source->notes[0], format, arguments);
    va_end(arguments);
}

static enum status check_tokenizer(struct source *source, const struct tokenizer_description *tokenizer,
                                   struct error *error) {
    const struct model_shape *shape = &source->huggingface.description.shape;
    uint32_t largest = tokenizer->piece_count == 0 ? 0 : tokenizer->piece_count - 1;
    for (uint32_t i = 0; i < tokenizer->added_token_count; i++) {
        if (tokenizer->added_tokens[i].id > largest)
            largest = tokenizer->added_tokens[i].id;
    }
    if (largest >= shape->vocabulary_size)
        return error_set(error, STATUS_INVALID_DATA,
                         "%s: the tokenizer has ids up to %u, but the model has a vocab_size of %u",
                         source->folder.path, largest, shape->vocabulary_size);
    /* Some models are published so; a vocabulary whose download broke off looks the same. */
    if (largest + 1 < shape->vocabulary_size)
        add_note(source, "the vocabulary has %u pieces, word embeddings %u rows", largest + 1,
                 shape->vocabulary_size);
    if (source->huggingface.lowercase_first && !tokenizer->settings.lowercase)
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: do_lower_case in sentence_bert_config.json before a tokenizer that keeps case is not "
            "supported",
            source->folder.path);
    return STATUS_OK;
}

static enum status read_tokenizer(struct source *source, const struct bake_progress *progress,
                                  struct error *error) {
    const char *folder = source->huggingface.transformer_folder;
    struct tokenizer_files files = {0};
    enum status status = tokenizer_files_read_folder(&source->folder, folder, &files, error);
    if (status != STATUS_OK)
        return status;
    status = check_tokenizer(source, &files.description, error);
    if (status == STATUS_OK)
        status = tokenizer_compile(&files.description, &source->tokenizer_section, error);
    if (status == STATUS_OK)
        status = add_side_file(source, folder, files.source, false, progress, error);
    if (status == STATUS_OK && strcmp(files.source, "vocab.txt") == 0) {
        status = add_side_file(source, folder, "tokenizer_config.json", true, progress, error);
        if (status == STATUS_OK)
            status = add_side_file(source, folder, "special_tokens_map.json", true, progress, error);
    }
    tokenizer_files_free(&files);
    return status;
}

static bool is_licence_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '+';
}

/* "license: NAME" in the YAML front matter of a model card (README.md between two lines "---"). */
static void find_licence(const char *card, char licence[SOURCE_LICENCE_SIZE]) {
    static const char key[] = "license: ";
    if (strncmp(card, "---\n", 4) != 0)
        return;
    const char *end = strstr(card + 4, "\n---");
    for (const char *line = card + 3; line != NULL && end != NULL && line < end;
         line = strchr(line + 1, '\n')) {
        if (strncmp(line + 1, key, sizeof key - 1) != 0)
            continue;
        const char *value = line + sizeof key;
        size_t length = 0;
        while (length + 1 < SOURCE_LICENCE_SIZE && is_licence_character(value[length]))
            length++;
        memcpy(licence, value, length);
        licence[length] = '\0';
        return;
    }
}

static enum status read_licence(struct source *source, const struct bake_progress *progress,
                                struct error *error) {
    if (source->known != NULL) {
        snprintf(source->licence, sizeof source->licence, "%s", source->known->licence);
        return STATUS_OK;
    }
    struct buffer card = {0};
    enum status status = model_folder_read(&source->folder, "README.md", MAX_README, &card, error);
    if (status == STATUS_OK)
        status = buffer_append(&card, "", 1, error);
    if (status == STATUS_OK)
        find_licence((const char *)card.data, source->licence);
    buffer_free(&card);
    if (status == STATUS_NOT_FOUND || source->licence[0] == '\0')
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    return add_side_file(source, "", "README.md", false, progress, error);
}

static enum status choose_name(struct source *source, const char *name, struct error *error) {
    char *resolved = NULL;
    if (name == NULL && source->known != NULL)
        name = source->known->name;
    if (name == NULL) {
        /* An archive has the name that it is given by; what it may be a link to has any. */
        resolved =
            source->folder.is_archive ? strdup(source->folder.path) : realpath(source->folder.path, NULL);
        if (resolved == NULL)
            return error_set_errno(error, errno, "cannot resolve %s", source->folder.path);
        if (source->folder.is_archive)
            resolved[strlen(resolved) - strlen(".zip")] = '\0';
        const char *slash = strrchr(resolved, '/');
        name = slash == NULL ? resolved : slash + 1;
    }
    size_t length = strlen(name);
    enum status status = STATUS_OK;
    if (length == 0 || length >= sizeof source->name)
        status = error_set(error, STATUS_INVALID_ARGUMENT,
                           "the model's name \"%.140s\" has %zu bytes, expected 1 to %zu", name, length,
                           sizeof source->name - 1);
    else if (utf8_find_invalid(bytes_of_string(name)) < length)
        status = error_set(error, STATUS_INVALID_ARGUMENT, "the model's name is not UTF-8: give it another");
    else
        memcpy(source->name, name, length + 1);
    free(resolved);
    return status;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const struct source_file *)left)->name, ((const struct source_file *)right)->name);
}

static enum status add_weights_file(struct source *source, const struct bake_progress *progress,
                                    struct error *error) {
    const struct published_weights *weights = &source->weights;
    enum status status = add_file(source, weights->name, weights->mapping.bytes, progress, error);
    if (status == STATUS_OK)
        source->known = known_model_find(source->files[source->file_count - 1].sha256);
    for (uint32_t i = 0; status == STATUS_OK && i < weights->companion_count; i++)
        status = add_file(source, weights->companions[i].name, weights->companions[i].mapping.bytes, progress,
                          error);
    if (status == STATUS_OK && source->folder.is_archive) {
        const char *slash = strrchr(source->folder.path, '/');
        status = add_file(source, slash == NULL ? source->folder.path : slash + 1,
                          source->folder.archive_file.bytes, progress, error);
    }
    return status;
}

/* ---- what the graph of an ONNX file says ---- */

static void describe_graph(const struct onnx_bert *bert, struct model_description *description) {
    *description = (struct model_description){
        .kind = bert->kind, .shape = bert->shape, .pooling = bert->pooling, .normalize = bert->normalize};
    snprintf(description->architecture, sizeof description->architecture, "%s",
             bert->kind == MODEL_EMBEDDER ? "BertModel" : "BertForSequenceClassification");
}

static enum status compare_number(const struct source *source, const char *key, double configured,
                                  double found, struct error *error) {
    if (configured == found || (configured != 0 && fabs(found / configured - 1) < 1e-4))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_DATA, "%s: the graph has a %s of %g, config.json says %g",
                     source->weights.path, key, found, configured);
}

/* config.json and the graph must speak of the same model. */
static enum status compare_graph(const struct source *source, struct error *error) {
    const struct model_description *description = &source->huggingface.description;
    const struct model_shape *configured = &description->shape, *found = &source->weights.bert.shape;
    if (description->kind != source->weights.bert.kind)
        return error_set(error, STATUS_INVALID_DATA, "%s: the graph is that of a %s, config.json says %s",
                         source->weights.path, model_kind_name(source->weights.bert.kind),
                         description->architecture);
    const struct {
        const char *key;
        double configured, found;
    } numbers[] = {
        {"hidden_size", configured->hidden_size, found->hidden_size},
        {"num_hidden_layers", configured->layers, found->layers},
        {"num_attention_heads", configured->attention_heads, found->attention_heads},
        {"intermediate_size", configured->intermediate_size, found->intermediate_size},
        {"vocab_size", configured->vocabulary_size, found->vocabulary_size},
        {"max_position_embeddings", configured->max_positions, found->max_positions},
        {"layer_norm_eps", (double)configured->layer_norm_epsilon, (double)found->layer_norm_epsilon},
        {"type_vocab_size", source->weights.bert.one_segment ? 0 : configured->segment_types,
         source->weights.bert.one_segment ? 0 : found->segment_types},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof numbers / sizeof numbers[0]; i++)
        status = compare_number(source, numbers[i].key, numbers[i].configured, numbers[i].found, error);
    return status;
}

static enum status settle_graph(struct source *source, bool configured, struct error *error) {
    const struct onnx_bert *bert = &source->weights.bert;
    struct model_description *description = &source->huggingface.description;
    enum status status = configured ? compare_graph(source, error) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    description->shape.segment_types = bert->shape.segment_types;
    char text[160];
    onnx_bert_describe(bert, text, sizeof text);
    add_note(source, "%s: %s", source->weights.name, text);
    if (!configured)
        add_note(source, "there is no config.json: kind and shape are the graph's");
    if (bert->one_segment)
        add_note(source, "the graph has one segment: a query and a passage are not told apart by it");
    if (bert->has_pooling) {
        description->pooling = bert->pooling;
        description->normalize = description->normalize || bert->normalize;
        add_note(source, "pooling (%s%s) is the graph's", pooling_name(bert->pooling),
                 bert->normalize ? ", normalized" : "");
    }
    return STATUS_OK;
}

/* Reads the configuration, and the weights, which may have to stand in for it. */
static enum status read_model(struct source *source, const char *wanted, struct error *error) {
    struct huggingface_model *huggingface = &source->huggingface;
    char config[HUGGINGFACE_NAME_SIZE + 16];
    enum status status = huggingface_read_folder(&source->folder, huggingface, error);
    snprintf(config, sizeof config, "%sconfig.json", huggingface->transformer_folder);
    bool configured = model_folder_has(&source->folder, config);
    if (status != STATUS_OK && configured)
        return status;
    struct error missing = {0};
    if (error != NULL && status != STATUS_OK)
        missing = *error;
    status = published_weights_choose(&source->weights, &source->folder, huggingface->transformer_folder,
                                      wanted, error);
    if (status != STATUS_OK && (status != STATUS_NOT_FOUND || configured))
        return status;
    if (status != STATUS_OK || (!configured && !ends_with(source->weights.name, ".onnx"))) {
        if (error != NULL)
            *error = missing;
        return STATUS_NOT_FOUND;
    }
    status = published_weights_open(&source->weights, error);
    if (status != STATUS_OK)
        return status;
    if (!configured) {
        struct model_description description;
        describe_graph(&source->weights.bert, &description);
        status = huggingface_read_without_config(&source->folder, &description, huggingface, error);
    }
    if (status == STATUS_OK && source->weights.is_onnx)
        status = settle_graph(source, configured, error);
    return status;
}

enum status source_open(struct source *source, const char *path, const char *name,
                        const struct bake_progress *progress, struct error *error) {
    *source = (struct source){0};
    struct huggingface_model *huggingface = &source->huggingface;
    char weights[HUGGINGFACE_NAME_SIZE];
    enum status status = open_folder(source, path, weights, error);
    if (status == STATUS_OK)
        status = read_model(source, weights, error);
    for (uint32_t i = 0; status == STATUS_OK && i < huggingface->file_count; i++)
        status = add_side_file(source, "", huggingface->files[i], false, progress, error);
    if (status == STATUS_OK)
        status = read_tokenizer(source, progress, error);
    if (status == STATUS_OK)
        status = add_weights_file(source, progress, error);
    if (status == STATUS_OK)
        status = read_licence(source, progress, error);
    if (status == STATUS_OK)
        status = choose_name(source, name, error);
    qsort(source->files, source->file_count, sizeof source->files[0], compare_names);
    return status;
}

void source_close(struct source *source) {
    published_weights_close(&source->weights);
    model_folder_close(&source->folder);
    buffer_free(&source->tokenizer_section);
    *source = (struct source){0};
}
