/* Exact search in a corpus held in memory as vectors: every document is compared with the query. */
#ifndef RESCOLDO_CLI_RETRIEVAL_H
#define RESCOLDO_CLI_RETRIEVAL_H

#include "base/compiler.h"
#include "base/status.h"
#include "engine/model.h"
#include "engine/session.h"
#include "evaluation/trec.h"

/* Zero it; release with retrieval_free. */
struct retrieval {
    const struct trec_texts *corpus; /* borrowed */
    size_t hidden_size;
    float *embeddings;            /* [corpus->count][hidden_size] */
    float *query;                 /* [hidden_size] */
    struct passage_score *scores; /* [corpus->count], of the query at hand */
    size_t *order;                /* [corpus->count] */
};

/* Embeds the whole corpus; progress is told after each piece of it. */
MUST_CHECK enum status retrieval_embed(struct retrieval *retrieval, const struct model *model,
                                       struct session *session, const struct trec_texts *corpus,
                                       const struct call_options *options,
                                       void (*progress)(const char *what, size_t done, size_t total),
                                       struct error *error);

/* The `count` documents (at most those of the corpus) of largest cosine to the query; equal ones in the order
 * of the corpus. */
MUST_CHECK enum status retrieval_nearest(struct retrieval *retrieval, struct session *session,
                                         const struct trec_text *query, const struct call_options *options,
                                         struct trec_entry *entries, size_t count, struct error *error);

void retrieval_free(struct retrieval *retrieval);

#endif
