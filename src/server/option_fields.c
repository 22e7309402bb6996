#include "server/option_fields.h"

#include "server/request_fields.h"

/* --- truncation --- */

static void set_truncation(struct work *work, bool truncate) {
    work->options.truncation = truncate ? TRUNCATION_LONGEST_FIRST : TRUNCATION_NONE;
}

static int read_truncate(struct work *work, const json_t *fields, struct api_error *error) {
    static const char *const words[] = {"NONE", "END", "START", NULL};
    const json_t *field = json_field(fields, "truncate");
    if (json_is_boolean(field))
        set_truncation(work, json_is_true(field));
    if (field == NULL || json_is_boolean(field))
        return 0;
    if (!json_is_string(field))
        return api_refuse_field(error, "truncate",
                                "truncate is %s, expected true, false, \"NONE\", \"END\" or \"START\"",
                                json_type_name(field));
    size_t chosen = 0;
    if (request_choice(fields, "truncate", words, &chosen, error) != 0)
        return -1;
    set_truncation(work, chosen != 0);
    work->options.truncation_direction = chosen == 2 ? TRUNCATION_LEFT : TRUNCATION_RIGHT;
    return 0;
}

static int read_direction(struct work *work, const json_t *fields, const char *name,
                          struct api_error *error) {
    static const char *const words[] = {"right", "left", NULL};
    size_t chosen = work->options.truncation_direction == TRUNCATION_LEFT ? 1 : 0;
    if (request_choice(fields, name, words, &chosen, error) != 0)
        return -1;
    work->options.truncation_direction = chosen == 1 ? TRUNCATION_LEFT : TRUNCATION_RIGHT;
    return 0;
}

static void set_max_length(const struct service *service, struct work *work, uint64_t most) {
    work->options.max_length = most < service->model->max_length ? (uint32_t)most : 0;
}

static int read_prompt_tokens(const struct service *service, struct work *work, const json_t *fields,
                              struct api_error *error) {
    const json_t *field = json_field(fields, "truncate_prompt_tokens");
    if (field == NULL || (json_is_integer(field) && json_integer_value(field) == -1))
        return 0;
    if (!json_is_integer(field) || json_integer_value(field) < (json_int_t)TOKENIZER_SPECIAL_PAIR)
        return api_refuse_field(error, "truncate_prompt_tokens",
                                "truncate_prompt_tokens is not -1 or an integer of at least %u",
                                TOKENIZER_SPECIAL_PAIR);
    set_max_length(service, work, (uint64_t)json_integer_value(field));
    return 0;
}

int read_truncation(const struct service *service, struct work *work, const json_t *fields,
                    struct api_error *error) {
    bool truncation = work->options.truncation != TRUNCATION_NONE;
    if (json_field_boolean(fields, "truncation", &truncation, error) != 0)
        return -1;
    set_truncation(work, truncation);
    if (read_truncate(work, fields, error) != 0 ||
        read_direction(work, fields, "truncation_side", error) != 0 ||
        read_direction(work, fields, "truncation_direction", error) != 0)
        return -1;
    return read_prompt_tokens(service, work, fields, error);
}

/* --- rerank --- */

static uint32_t at_most_32_bits(uint64_t value) {
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static int read_document_limits(struct work *work, struct api_error *error) {
    uint64_t tokens = 0, chunks = 0, overlap = 0;
    if (json_field_positive(work->document, "max_doc_length", &tokens, error) != 0 ||
        json_field_positive(work->document, "max_tokens_per_doc", &tokens, error) != 0 ||
        json_field_positive(work->document, "max_chunks_per_doc", &chunks, error) != 0 ||
        json_field_count(work->document, "overlap_tokens", &overlap, error) != 0)
        return -1;
    work->options.max_passage_tokens = at_most_32_bits(tokens);
    work->options.windows = chunks > 0;
    work->options.max_windows = at_most_32_bits(chunks);
    work->options.window_stride = at_most_32_bits(overlap);
    return 0;
}

static int read_score_form(struct work *work, struct api_error *error) {
    bool activated = true;
    if (json_field_boolean(work->document, "raw_scores", &work->raw_scores, error) != 0 ||
        json_field_boolean(work->document, "activation", &activated, error) != 0 ||
        json_field_boolean(work->document, "use_activation", &activated, error) != 0)
        return -1;
    work->raw_scores = work->raw_scores || !activated;
    return 0;
}

int read_rerank_options(const struct service *service, struct work *work, struct api_error *error) {
    if (read_truncation(service, work, work->document, error) != 0 || read_document_limits(work, error) != 0)
        return -1;
    return read_score_form(work, error);
}

/* --- embed --- */

int read_max_tokens(const struct service *service, struct work *work, struct api_error *error) {
    uint64_t tokens = 0;
    if (json_field_positive(work->document, "max_tokens", &tokens, error) != 0)
        return -1;
    if (tokens > 0 && tokens < service->model->max_length)
        set_max_length(service, work, tokens + TOKENIZER_SPECIAL_SINGLE);
    return 0;
}

int read_normalization(struct work *work, const json_t *fields, struct api_error *error) {
    static const char *const names[] = {"use_activation", "normalized", "normalize"};
    const json_t *kind = json_field(fields, "embd_normalize");
    json_int_t number = json_integer_value(kind);
    if (kind != NULL && (!json_is_integer(kind) || (number != 2 && number != -1)))
        return api_refuse_field(error, "embd_normalize",
                                "embd_normalize is not 2 (to length 1) or -1 (not at all)");
    bool asked = kind != NULL, normalize = number == 2;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (json_field_boolean(fields, names[i], &normalize, error) != 0)
            return -1;
        asked = asked || json_field(fields, names[i]) != NULL;
    }
    if (asked) {
        work->normalize = normalize;
        work->options.unnormalized = !normalize;
    }
    return 0;
}

/* --- what cannot be had --- */

enum harmless {
    HARMLESS_NOTHING, /* but null */
    HARMLESS_EMPTY,   /* an empty string */
    HARMLESS_FALSE,
    HARMLESS_TRUE,
};

static bool is_harmless(const json_t *value, enum harmless harmless) {
    switch (harmless) {
    case HARMLESS_NOTHING:
        return value == NULL;
    case HARMLESS_EMPTY:
        return value == NULL || (json_is_string(value) && json_string_length(value) == 0);
    case HARMLESS_FALSE:
        return value == NULL || json_is_false(value);
    case HARMLESS_TRUE:
        return value == NULL || json_is_true(value);
    }
    return false;
}

int refuse_unavailable(enum work_kind kind, const json_t *fields, struct api_error *error) {
    static const struct {
        const char *name;
        bool rerank, embed;
        enum harmless harmless;
        const char *why;
    } rules[] = {
        {"instruction", true, true, HARMLESS_EMPTY, "no model here reads instructions"},
        {"prompt", true, true, HARMLESS_EMPTY, "put it before each text"},
        {"prompt_name", true, false, HARMLESS_NOTHING, "the model's own prompts are read when it reranks"},
        {"chat_template", true, true, HARMLESS_EMPTY, "no model here has a chat template"},
        {"rewrite_query", true, false, HARMLESS_FALSE, "queries are read as they are"},
        {"return_embeddings", true, false, HARMLESS_FALSE, "an embeddings path gives them"},
        {"max_query_length", true, false, HARMLESS_NOTHING,
         "a query is cut only where a sequence is too long"},
        {"max_tokens_per_query", true, false, HARMLESS_NOTHING,
         "a query is cut only where a sequence is too long"},
        {"late_chunking", false, true, HARMLESS_FALSE, "each text is embedded by itself"},
        {"add_special_tokens", true, true, HARMLESS_TRUE, "the models here were trained with them"},
    };
    if (kind == WORK_OTHER)
        return 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        bool asked = kind == WORK_RERANK ? rules[i].rerank : rules[i].embed;
        if (asked && !is_harmless(json_field(fields, rules[i].name), rules[i].harmless))
            return api_refuse_field(error, rules[i].name, "%s is not available: %s; leave it out",
                                    rules[i].name, rules[i].why);
    }
    return 0;
}
