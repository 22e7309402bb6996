#include "server/tei_fields.h"

#include "server/option_fields.h"
#include "server/request_fields.h"

int tei_read_inputs(const struct service *service, struct work *work, struct api_error *error) {
    const struct text_rules rules = {.name = "inputs",
                                     .max_count = service->limits->max_inputs,
                                     .single = true,
                                     .token_ids = "; /decode gives the text of this model's own ids"};
    return request_texts(work, json_field(work->document, "inputs"), &rules, error);
}

static int read_from(const struct service *service, struct work *work, const json_t *fields,
                     struct api_error *error) {
    static const char *const words[] = {"float", NULL};
    size_t chosen = 0;
    if (request_prompt_name(service, work, fields, error) != 0 ||
        read_normalization(work, fields, error) != 0 ||
        request_choice(fields, "encoding_format", words, &chosen, error) != 0)
        return -1;
    return read_truncation(service, work, fields, error);
}

int tei_read_parameters(const struct service *service, struct work *work, struct api_error *error) {
    const json_t *parameters = json_field(work->document, "parameters");
    if (parameters != NULL && !json_is_object(parameters))
        return api_refuse_field(error, "parameters", "parameters is %s, expected an object",
                                json_type_name(parameters));
    if (read_from(service, work, parameters, error) != 0)
        return -1;
    return read_from(service, work, work->document, error);
}
