/* What the dialects of text-embeddings-inference share. Functions return 0, or -1 with the error set. */
#ifndef RESCOLDO_SERVER_TEI_FIELDS_H
#define RESCOLDO_SERVER_TEI_FIELDS_H

#include "server/dialect.h"

/* inputs: text or texts. */
int tei_read_inputs(const struct service *service, struct work *work, struct api_error *error);

/* The parameters of an embed request: what option_fields.h knows, and prompt_name. They stand in the body, or
 * in its member parameters, which the body's own go before. */
int tei_read_parameters(const struct service *service, struct work *work, struct api_error *error);

#endif
