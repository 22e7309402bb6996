/* What the dialects of text-embeddings-inference share. Functions return 0, or -1 with the error set. */
#ifndef RESCOLDO_SERVER_TEI_FIELDS_H
#define RESCOLDO_SERVER_TEI_FIELDS_H

#include "server/dialect.h"

/* inputs, and the parameters beside them. */
int tei_read_inputs(const struct service *service, struct work *work, struct api_error *error);

/* prompt_name of an object, which may be NULL: there are no prompts. */
int tei_check_prompt(const json_t *parameters, struct api_error *error);

/* truncate, truncation_direction and prompt_name, of the body or of an object in it; parameters may be
 * NULL. */
int tei_read_parameters(struct work *work, const json_t *parameters, struct api_error *error);

#endif
