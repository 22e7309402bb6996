/* The pages about the server itself, answered by the I/O thread at once whatever the compute workers do. */
#ifndef RESCOLDO_SERVER_API_STATUS_H
#define RESCOLDO_SERVER_API_STATUS_H

#include "server/reply.h"
#include "server/state.h"

void page_livez(struct server_state *state, struct reply *reply);  /* 503 only when a worker hangs */
void page_readyz(struct server_state *state, struct reply *reply); /* 503 while loading or draining */
void page_health(struct server_state *state, struct reply *reply); /* as readyz, in the form clients poll */
/* OpenAPI 3.1: what docs/api.md says, for programs. */
void page_openapi(struct server_state *state, struct reply *reply);
void page_info(struct server_state *state, struct reply *reply);
void page_metrics(struct server_state *state, struct reply *reply);
void page_models(struct server_state *state, struct reply *reply);

#endif
