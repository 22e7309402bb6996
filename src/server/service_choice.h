/* Which model of the server a request is for: the one that its body names in "model", else the one that suits
 * the task. A name that none of them has is not an error, since clients send the names of other services. */
#ifndef RESCOLDO_SERVER_SERVICE_CHOICE_H
#define RESCOLDO_SERVER_SERVICE_CHOICE_H

#include "server/dialect.h"

/* The service whose model the body names, or NULL. */
const struct service *service_named(const struct service *services, const json_t *document);

/* The service for a body of that dialect; 0, or -1 with the error set when the model it names is for another
 * task while one that suits is there: the message says what to send instead. */
int service_choose(const struct service *services, const struct dialect *dialect, const json_t *document,
                   const struct service **chosen, struct api_error *error);

/* The one that a request on a path of these dialects is for, as far as the path tells; NULL: one of several.
 */
const struct service *service_expected(const struct service *services, const struct dialect *const *dialects);

/* The first cross-encoder or embedder, or NULL. */
const struct service *service_of_kind(const struct service *services, enum model_kind kind);

#endif
