/* Every dialect: what the router chooses from. */
#ifndef RESCOLDO_SERVER_DIALECTS_H
#define RESCOLDO_SERVER_DIALECTS_H

#include "server/dialect.h"

/* Cohere, Jina, vLLM, llama.cpp, infinity (api_rerank.c) */
extern const struct dialect dialect_rerank_v1, dialect_rerank_v2, dialect_rerank_bare;
extern const struct dialect dialect_rerank_voyage, dialect_rerank_mixedbread, dialect_rerank_pinecone;
extern const struct dialect dialect_rerank_tei;
extern const struct dialect dialect_rerank_elasticsearch;
extern const struct dialect dialect_rerank_flashrank, dialect_rerank_nvidia;

/* OpenAI, Voyage, Jina, Mixedbread, vLLM, infinity */
extern const struct dialect dialect_embeddings;
extern const struct dialect dialect_embed_cohere_v1, dialect_embed_cohere_v2;
extern const struct dialect dialect_embed_tei, dialect_embed_all, dialect_similarity;
extern const struct dialect dialect_predict, dialect_main_task;
extern const struct dialect dialect_tokenize, dialect_decode;
extern const struct dialect dialect_vertex_rerank, dialect_vertex_predict, dialect_vertex_embed;

#endif
