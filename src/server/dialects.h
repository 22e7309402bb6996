/* Every dialect: what the router chooses from. */
#ifndef RESCOLDO_SERVER_DIALECTS_H
#define RESCOLDO_SERVER_DIALECTS_H

#include "server/dialect.h"

extern const struct dialect dialect_rerank;     /* Cohere v1 and v2, Jina, vLLM */
extern const struct dialect dialect_embeddings; /* OpenAI */

#endif
