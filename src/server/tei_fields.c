#include "server/tei_fields.h"

#include "server/request_fields.h"

int tei_check_prompt(const json_t *parameters, struct api_error *error) {
    if (json_field(parameters, "prompt_name") != NULL)
        return api_refuse_field(error, "prompt_name",
                                "prompt_name is not available: the model has no prompts");
    return 0;
}

int tei_read_parameters(struct work *work, const json_t *parameters, struct api_error *error) {
    if (parameters != NULL && !json_is_object(parameters))
        return api_refuse_field(error, "parameters", "parameters is %s, expected an object",
                                json_type_name(parameters));
    if (tei_check_prompt(parameters, error) != 0)
        return -1;
    if (request_truncate(work, parameters, "truncate", error) != 0)
        return -1;
    return request_truncation_direction(work, parameters, error);
}

int tei_read_inputs(const struct service *service, struct work *work, struct api_error *error) {
    const struct text_rules rules = {
        .name = "inputs", .max_count = service->limits->max_inputs, .single = true, .token_ids = ""};
    if (request_texts(work, json_field(work->document, "inputs"), &rules, error) != 0)
        return -1;
    return tei_read_parameters(work, work->document, error);
}
