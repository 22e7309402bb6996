#include "server/request_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

bool has_field(const json_t *document, const char *name) {
    return json_object_get(document, name) != NULL;
}

static const char *type_or_missing(const json_t *value) {
    return value == NULL ? "missing" : json_type_name(value);
}

int request_query(struct work *work, const json_t *value, const char *name, struct api_error *error) {
    if (!json_is_string(value))
        return api_refuse_field(error, name, "%s is %s, expected a string", name, type_or_missing(value));
    work->query = json_string_bytes(value);
    if (work->query.size == 0)
        return api_refuse_field(error, name, "%s is empty", name);
    return 0;
}

int request_query_object(struct work *work, const json_t *value, const char *name, struct api_error *error) {
    char param[48];
    if (!json_is_object(value))
        return api_refuse_field(error, name, "%s is %s, expected an object with \"text\"", name,
                                type_or_missing(value));
    snprintf(param, sizeof param, "%s.text", name);
    return request_query(work, json_field(value, "text"), param, error);
}

/* --- texts --- */

static int read_text(const json_t *item, size_t index, const struct text_rules *rules, struct bytes *text,
                     struct api_error *error) {
    char param[64];
    const json_t *value = item;
    snprintf(param, sizeof param, "%s[%zu]", rules->name, index);
    if (rules->token_ids != NULL && (json_is_number(item) || json_is_array(item)))
        return api_refuse_field(error, rules->name, "%s holds token ids, expected text%s", rules->name,
                                rules->token_ids);
    if (rules->objects && json_is_object(item)) {
        value = json_object_get(item, "text");
        snprintf(param, sizeof param, "%s[%zu].text", rules->name, index);
    }
    if (!json_is_string(value))
        return api_refuse_field(error, param, "%s is %s, expected a string%s", param, type_or_missing(value),
                                rules->objects && value == item ? " or an object with \"text\"" : "");
    *text = json_string_bytes(value);
    return 0;
}

static int check_texts(struct work *work, const json_t *value, const struct text_rules *rules,
                       struct api_error *error) {
    if (!json_is_array(value))
        return api_refuse_field(error, rules->name, "%s is %s, expected %san array of strings", rules->name,
                                type_or_missing(value), rules->single ? "a string or " : "");
    size_t count = json_array_size(value);
    if (count == 0)
        return api_refuse_field(error, rules->name, "%s is empty, expected at least one text", rules->name);
    if (count > rules->max_count)
        return api_refuse_field(error, rules->name, "%s holds %zu texts, at most %" PRIu64 " are accepted",
                                rules->name, count, rules->max_count);
    return work_allocate_texts(work, count, error);
}

int request_texts(struct work *work, const json_t *value, const struct text_rules *rules,
                  struct api_error *error) {
    if (rules->single && json_is_string(value)) {
        if (work_allocate_texts(work, 1, error) != 0)
            return -1;
        work->texts[0] = json_string_bytes(value);
        return 0;
    }
    if (check_texts(work, value, rules, error) != 0)
        return -1;
    for (size_t i = 0; i < work->text_count; i++) {
        if (read_text(json_array_get(value, i), i, rules, &work->texts[i], error) != 0)
            return -1;
    }
    return 0;
}

static int append_field(const json_t *item, const char *field, const char *param, struct buffer *joined,
                        struct api_error *error) {
    const json_t *value = json_field(item, field);
    if (!json_is_string(value))
        return api_refuse_field(error, param, "%s.%s is %s, expected a string, as rank_fields names it",
                                param, field, type_or_missing(value));
    struct bytes text = json_string_bytes(value);
    if ((joined->size > 0 && buffer_append(joined, "\n", 1, NULL) != STATUS_OK) ||
        buffer_append(joined, text.data, text.size, NULL) != STATUS_OK)
        return api_refuse_no_memory(error);
    return 0;
}

static int join_fields(struct work *work, const json_t *item, const json_t *fields, const char *param,
                       struct bytes *text, struct api_error *error) {
    struct buffer joined = {0};
    int outcome = 0;
    for (size_t i = 0; i < json_array_size(fields) && outcome == 0; i++)
        outcome = append_field(item, json_string_value(json_array_get(fields, i)), param, &joined, error);
    if (outcome == 0) {
        json_t *string = json_stringn_nocheck(joined.size > 0 ? (const char *)joined.data : "", joined.size);
        if (string == NULL || json_array_append_new(work->made, string) != 0)
            outcome = api_refuse_no_memory(error);
        else
            *text = json_string_bytes(string);
    }
    buffer_free(&joined);
    return outcome;
}

static int check_field_names(const json_t *fields, struct api_error *error) {
    bool names = json_is_array(fields) && json_array_size(fields) > 0;
    for (size_t i = 0; names && i < json_array_size(fields); i++)
        names = json_is_string(json_array_get(fields, i));
    if (!names)
        return api_refuse_field(error, "rank_fields", "rank_fields is not an array of names of fields");
    return 0;
}

int request_joined_texts(struct work *work, const json_t *value, const json_t *fields,
                         const struct text_rules *rules, struct api_error *error) {
    if (check_field_names(fields, error) != 0 || check_texts(work, value, rules, error) != 0)
        return -1;
    work->made = json_array();
    if (work->made == NULL)
        return api_refuse_no_memory(error);
    for (size_t i = 0; i < work->text_count; i++) {
        char param[48];
        const json_t *item = json_array_get(value, i);
        snprintf(param, sizeof param, "%s[%zu]", rules->name, i);
        int outcome = json_is_object(item) ? join_fields(work, item, fields, param, &work->texts[i], error)
                                           : read_text(item, i, rules, &work->texts[i], error);
        if (outcome != 0)
            return -1;
    }
    return 0;
}

/* --- the rest --- */

int request_top(struct work *work, const char *name, struct api_error *error) {
    const char *other = strcmp(name, "top_n") == 0 ? "top_k" : "top_n";
    uint64_t top = work->text_count;
    if (json_field_positive(work->document, other, &top, error) != 0 ||
        json_field_positive(work->document, name, &top, error) != 0)
        return -1;
    work->top_n = top < work->text_count ? (size_t)top : work->text_count;
    return 0;
}

int request_choice(const json_t *document, const char *name, const char *const *words, size_t *chosen,
                   struct api_error *error) {
    const json_t *field = json_field(document, name);
    if (field == NULL)
        return 0;
    char expected[128];
    size_t used = 0;
    for (size_t i = 0; words[i] != NULL; i++) {
        if (json_is_string(field) && strcasecmp(json_string_value(field), words[i]) == 0 &&
            json_string_length(field) == strlen(words[i])) {
            *chosen = i;
            return 0;
        }
        int written = snprintf(expected + used, sizeof expected - used, "%s\"%s\"",
                               i == 0                 ? ""
                               : words[i + 1] == NULL ? " or "
                                                      : ", ",
                               words[i]);
        used += written > 0 && (size_t)written < sizeof expected - used ? (size_t)written : 0;
    }
    return api_refuse_field(error, name, "%s is %s, expected %s", name,
                            json_is_string(field) ? "another word" : json_type_name(field), expected);
}

int request_dimensions(const struct service *service, const struct work *work, const char *name,
                       struct api_error *error) {
    const struct model *model = service->model;
    uint64_t dimensions = 0;
    if (json_field_count(work->document, name, &dimensions, error) != 0)
        return -1;
    if (dimensions != 0 && dimensions != model->shape.hidden_size)
        return api_refuse_field(error, name, "%s %" PRIu64 " is not available: %s gives vectors of %" PRIu32,
                                name, dimensions, model->name, model->shape.hidden_size);
    return 0;
}

enum prompt request_prompt_of_word(struct bytes word) {
    static const struct {
        const char *word;
        enum prompt prompt;
    } roles[] = {
        {"query", PROMPT_QUERY},
        {"search_query", PROMPT_QUERY},
        {"retrieval.query", PROMPT_QUERY},
        {"document", PROMPT_PASSAGE},
        {"passage", PROMPT_PASSAGE},
        {"search_document", PROMPT_PASSAGE},
        {"retrieval.passage", PROMPT_PASSAGE},
    };
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (bytes_equal(word, bytes_of_string(roles[i].word)))
            return roles[i].prompt;
    }
    return PROMPT_NONE;
}

/* As text-embeddings-inference, which refuses a name that the model has no prompt of. */
int request_prompt_name(const struct service *service, struct work *work, const json_t *fields,
                        struct api_error *error) {
    const struct model_prompts *prompts = &service->model->prompts;
    bool query = prompts->query[0] != '\0', passage = prompts->passage[0] != '\0';
    struct bytes name;
    if (json_field_string(fields, "prompt_name", &name, error) != 0)
        return -1;
    if (name.data == NULL)
        return 0;
    enum prompt prompt = request_prompt_of_word(name);
    if ((prompt != PROMPT_QUERY || !query) && (prompt != PROMPT_PASSAGE || !passage))
        return api_refuse_field(error, "prompt_name", "prompt_name: %s has no prompt \"%.*s\"; it has %s%s%s",
                                service->model->name, (int)(name.size < 64 ? name.size : 64),
                                (const char *)name.data, query ? "query" : "", query && passage ? ", " : "",
                                passage ? "document"
                                : query ? ""
                                        : "none");
    work->options.prompt = prompt;
    return 0;
}

int request_prompt(const struct service *service, struct work *work, struct api_error *error) {
    static const char *const names[] = {"input_type", "task"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct bytes word;
        if (json_field_string(work->document, names[i], &word, error) != 0)
            return -1;
        if (word.data != NULL)
            work->options.prompt = request_prompt_of_word(word);
    }
    return request_prompt_name(service, work, work->document, error);
}
