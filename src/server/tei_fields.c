#include "server/tei_fields.h"

#include "server/request_fields.h"

int tei_check_prompt(const json_t *parameters, struct api_error *error) {
    if (json_field(parameters, "prompt_name") != NULL)
        return api_refuse_field(error, "prompt_name", "prompt_name is not available here; /embed takes it");
    return 0;
}

static int read_truncation(struct work *work, const json_t *parameters, struct api_error *error) {
    if (request_truncate(work, parameters, "truncate", error) != 0)
        return -1;
    return request_truncation_direction(work, parameters, error);
}

int tei_read_parameters(struct work *work, const json_t *parameters, struct api_error *error) {
    if (parameters != NULL && !json_is_object(parameters))
        return api_refuse_field(error, "parameters", "parameters is %s, expected an object",
                                json_type_name(parameters));
    if (tei_check_prompt(parameters, error) != 0)
        return -1;
    return read_truncation(work, parameters, error);
}

/* As text-embeddings-inference, which refuses a name that the model has no prompt of. */
static int read_prompt_name(const struct service *service, struct work *work, struct api_error *error) {
    const struct model_prompts *prompts = &service->model->prompts;
    struct bytes name;
    if (json_field_string(work->document, "prompt_name", &name, error) != 0)
        return -1;
    if (name.data == NULL)
        return 0;
    work->options.prompt = request_prompt_of_word(name);
    if (work->options.prompt == PROMPT_QUERY && prompts->query[0] != '\0')
        return 0;
    if (work->options.prompt == PROMPT_PASSAGE && prompts->passage[0] != '\0')
        return 0;
    return api_refuse_field(error, "prompt_name", "prompt_name: %s has no prompt \"%.*s\"; it has %s%s%s",
                            service->model->name, (int)(name.size < 64 ? name.size : 64),
                            (const char *)name.data, prompts->query[0] != '\0' ? "query" : "",
                            prompts->query[0] != '\0' && prompts->passage[0] != '\0' ? ", " : "",
                            prompts->passage[0] != '\0' ? "document"
                            : prompts->query[0] == '\0' ? "none"
                                                        : "");
}

int tei_read_inputs(const struct service *service, struct work *work, struct api_error *error) {
    const struct text_rules rules = {
        .name = "inputs", .max_count = service->limits->max_inputs, .single = true, .token_ids = ""};
    if (request_texts(work, json_field(work->document, "inputs"), &rules, error) != 0)
        return -1;
    if (read_prompt_name(service, work, error) != 0)
        return -1;
    return read_truncation(work, work->document, error);
}
