/* vocab.txt, one piece a line, with the settings of BertTokenizer in tokenizer_config.json and
 * special_tokens_map.json. */
#include "formats/json_reader.h"
#include "formats/model_description.h"
#include "formats/tokenizer_description.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

#include <stdlib.h>

#define VOCABULARY_NAME "vocab.txt"
#define CONFIG_NAME     "tokenizer_config.json"
#define MAP_NAME        "special_tokens_map.json"
#define ADDED_NAME      "added_tokens_decoder"
#define MOST_LINES      ((size_t)MODEL_MAX_VOCABULARY_SIZE + 1)

/* The special tokens BertTokenizer knows; the first three are needed. */
enum special_token {
    SPECIAL_UNKNOWN,
    SPECIAL_CLASSIFY,
    SPECIAL_SEPARATOR,
    SPECIAL_PADDING,
    SPECIAL_MASK,
    SPECIAL_COUNT
};

static const struct {
    const char *key, *text;
} special_tokens[SPECIAL_COUNT] = {
    {"unk_token", "[UNK]"}, {"cls_token", "[CLS]"},   {"sep_token", "[SEP]"},
    {"pad_token", "[PAD]"}, {"mask_token", "[MASK]"},
};

/* The next line without its end and without white space before it, as the reference reads it. */
static struct bytes next_line(struct bytes *rest) {
    const unsigned char *newline = memchr(rest->data, '\n', rest->size);
    struct bytes line = *rest;
    if (newline == NULL) {
        *rest = (struct bytes){0};
    } else {
        line.size = (size_t)(newline - rest->data);
        *rest = bytes_of(newline + 1, rest->size - line.size - 1);
    }
    while (line.size != 0) {
        struct utf8_character last = utf8_decode_before(line, line.size);
        if (!last.valid || (unicode_flags(last.point) & UNICODE_PATTERN_SPACE) == 0)
            break;
        line.size -= last.bytes;
    }
    return line;
}

static int compare_lines(const void *left, const void *right) {
    const struct bytes *a = left, *b = right;
    size_t shorter = a->size < b->size ? a->size : b->size;
    int order = shorter == 0 ? 0 : memcmp(a->data, b->data, shorter);
    if (order == 0)
        order = (a->size > b->size) - (a->size < b->size);
    /* Equal lines lie in one text: the one further down is the later. */
    return order != 0 ? order : (a->data > b->data) - (a->data < b->data);
}

/* Of equal lines the last has the piece, as in the reference: the others become holes. */
static enum status empty_repeated(struct bytes *lines, size_t count, struct error *error) {
    struct bytes *sorted = calloc(count + 1, sizeof *sorted);
    if (sorted == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, VOCABULARY_NAME ": no memory for %zu lines", count);
    memcpy(sorted, lines, count * sizeof *lines);
    qsort(sorted, count, sizeof *sorted, compare_lines);
    for (size_t i = 0; i < count; i++) {
        struct bytes *last = bsearch(&lines[i], sorted, count, sizeof *sorted, compare_lines);
        bool repeated = last != NULL && last + 1 < sorted + count && bytes_equal(last[0], last[1]);
        if (repeated)
            lines[i].size = 0;
    }
    free(sorted);
    return STATUS_OK;
}

static enum status read_lines(struct bytes vocabulary, struct bytes **lines, size_t *count,
                              struct error *error) {
    size_t most = 1;
    for (size_t i = 0; i < vocabulary.size; i++)
        most += vocabulary.data[i] == '\n';
    *count = 0;
    *lines = NULL;
    if (most > MOST_LINES)
        return error_set(error, STATUS_LIMIT_EXCEEDED,
                         VOCABULARY_NAME ": %zu lines, at most %zu are accepted", most, MOST_LINES);
    *lines = calloc(most, sizeof **lines);
    if (*lines == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, VOCABULARY_NAME ": no memory for %zu lines", most);
    while (vocabulary.size != 0)
        (*lines)[(*count)++] = next_line(&vocabulary);
    return empty_repeated(*lines, *count, error);
}

static enum status read_config(const json_t *config, struct tokenizer_settings *settings,
                               struct error *error) {
    static const char *const classes[] = {"BertTokenizer",       "BertTokenizerFast",
                                          "DistilBertTokenizer", "DistilBertTokenizerFast",
                                          "ElectraTokenizer",    "ElectraTokenizerFast"};
    const json_t *class = json_object_get(config, "tokenizer_class");
    bool known = class == NULL || json_is_null(class);
    for (size_t i = 0; i < sizeof classes / sizeof *classes && !known; i++)
        known = json_is_string(class) && strcmp(json_string_value(class), classes[i]) == 0;
    if (!known)
        return error_set(error, STATUS_UNSUPPORTED,
                         CONFIG_NAME ": tokenizer_class %.100s is not supported; supported: BertTokenizer, "
                                     "DistilBertTokenizer, ElectraTokenizer",
                         json_is_string(class) ? json_string_value(class) : "of another type than string");
    bool basic = true;
    enum status status = json_read_boolean(config, CONFIG_NAME, "do_lower_case", &settings->lowercase, error);
    if (status == STATUS_OK)
        status = json_read_boolean(config, CONFIG_NAME, "tokenize_chinese_chars",
                                   &settings->handle_chinese_characters, error);
    if (status == STATUS_OK)
        status = json_read_boolean(config, CONFIG_NAME, "do_basic_tokenize", &basic, error);
    if (status != STATUS_OK)
        return status;
    const json_t *never_split = json_object_get(config, "never_split");
    if (!basic || json_array_size(never_split) != 0)
        return error_set(error, STATUS_UNSUPPORTED, CONFIG_NAME ": %s is not supported",
                         basic ? "never_split" : "do_basic_tokenize false");
    return read_strip_accents(config, CONFIG_NAME, &settings->strip_accents, error);
}

/* A special token's text: a string, or an object with "content"; from the config, else the map, else BERT's.
 */
static enum status read_special(const json_t *config, const json_t *map, enum special_token which,
                                struct bytes *text, struct error *error) {
    const json_t *sources[] = {config, map};
    for (size_t i = 0; i < 2; i++) {
        const json_t *field = json_object_get(sources[i], special_tokens[which].key);
        if (json_is_object(field))
            field = json_object_get(field, "content");
        if (json_is_string(field)) {
            *text = bytes_of_string(json_string_value(field));
            return STATUS_OK;
        }
        if (field != NULL && !json_is_null(field))
            return error_set(error, STATUS_INVALID_DATA,
                             "%s: \"%s\" must be a string or an object with \"content\"",
                             i == 0 ? CONFIG_NAME : MAP_NAME, special_tokens[which].key);
    }
    *text = bytes_of_string(special_tokens[which].text);
    return STATUS_OK;
}

static enum status read_decoder_entry(struct description_builder *builder, const char *key,
                                      const json_t *object, struct error *error) {
    struct added_token token = {.normalized = true};
    char *end;
    unsigned long id = strtoul(key, &end, 10);
    if (*key < '0' || *key > '9' || *end != '\0' || id > INT32_MAX)
        return error_set(error, STATUS_INVALID_DATA,
                         CONFIG_NAME ": " ADDED_NAME " has the key \"%.64s\", expected an id", key);
    token.id = (uint32_t)id;
    enum status status = read_token_text_and_flags(object, CONFIG_NAME, false, &token, error);
    return status == STATUS_OK ? description_add_token(builder, &token, error) : status;
}

/* The added tokens: those of added_tokens_decoder where it is, and the special tokens it does not name. */
static enum status read_tokens(struct description_builder *builder, json_t *config, const json_t *map,
                               struct tokenizer_description *description, struct error *error) {
    uint32_t *const needed[] = {&description->unknown_id, &description->classify_id,
                                &description->separator_id};
    const char *key;
    json_t *object;
    enum status status = STATUS_OK;
    json_object_foreach(json_object_get(config, ADDED_NAME), key, object) {
        if (status == STATUS_OK)
            status = read_decoder_entry(builder, key, object, error);
    }
    size_t named = builder->added_count;
    for (unsigned which = 0; which < SPECIAL_COUNT && status == STATUS_OK; which++) {
        struct added_token token = {.special = true};
        status = read_special(config, map, (enum special_token)which, &token.content, error);
        if (status != STATUS_OK)
            return status;
        status = description_find(builder, token.content, &token.id, error);
        if (status != STATUS_OK && which > SPECIAL_SEPARATOR) {
            status = STATUS_OK; /* a vocabulary without [PAD] or [MASK] works as well */
            continue;
        }
        if (status == STATUS_OK && which <= SPECIAL_SEPARATOR)
            *needed[which] = token.id;
        bool is_named = false;
        for (size_t i = 0; i < named; i++)
            is_named = is_named || builder->files->added[i].id == token.id;
        if (status == STATUS_OK && !is_named)
            status = description_add_token(builder, &token, error);
    }
    return status;
}

static enum status read_all(struct bytes vocabulary, json_t *config, const json_t *map,
                            struct tokenizer_files *files, struct error *error) {
    struct description_builder builder = {0};
    struct tokenizer_settings *settings = &files->description.settings;
    *settings = (struct tokenizer_settings){.clean_text = true,
                                            .handle_chinese_characters = true,
                                            .lowercase = true,
                                            .max_characters_per_word = 100,
                                            .continuing_prefix = "##"};
    struct bytes *lines;
    size_t count;
    enum status status = read_config(config, settings, error);
    if (status != STATUS_OK)
        return status;
    status = read_lines(vocabulary, &lines, &count, error);
    if (status == STATUS_OK)
        status =
            description_start(&builder, files, VOCABULARY_NAME, count,
                              json_object_size(json_object_get(config, ADDED_NAME)) + SPECIAL_COUNT, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = description_set_piece(&builder, i, lines[i], error);
    free(lines);
    if (status == STATUS_OK)
        status = read_tokens(&builder, config, map, &files->description, error);
    if (status == STATUS_OK)
        description_finish(&builder);
    description_abandon(&builder);
    return status;
}

/* Published configurations hold numbers beyond 63 bits (model_max_length 1e30 in digits): all are read as
 * real. */
static enum status parse_config(struct bytes text, const char *name, json_t **root, struct error *error) {
    enum status status = json_parse(text, name, TOKENIZER_FILE_MAX_SIZE, JSON_NUMBERS_REAL, root, error);
    return status == STATUS_OK ? json_require_object(*root, name, error) : status;
}

enum status tokenizer_files_read_vocabulary(struct bytes vocabulary, struct bytes tokenizer_config,
                                            struct bytes special_tokens_map, struct tokenizer_files *files,
                                            struct error *error) {
    *files = (struct tokenizer_files){.source = VOCABULARY_NAME};
    json_t *config = NULL, *map = NULL;
    enum status status = STATUS_OK;
    if (tokenizer_config.size != 0)
        status = parse_config(tokenizer_config, CONFIG_NAME, &config, error);
    if (status == STATUS_OK && special_tokens_map.size != 0)
        status = parse_config(special_tokens_map, MAP_NAME, &map, error);
    if (status == STATUS_OK)
        status = read_all(vocabulary, config, map, files, error);
    if (status != STATUS_OK)
        tokenizer_files_free(files);
    json_decref(config);
    json_decref(map);
    return status;
}
