/* A request's way to the cache (cache.h): it is asked for each text before the text is tokenized, and told
 * each result. Used by the preparation thread that has the job. */
#ifndef RESCOLDO_SERVER_RECALL_H
#define RESCOLDO_SERVER_RECALL_H

#include "engine/request.h"
#include "server/cache.h"

#include <sha2.h>

struct recall {
    struct cache *cache;
    uint64_t model;                    /* its number */
    struct request_memory memory;      /* for struct request_input */
    bool with_scores;                  /* keys of scores can be made */
    SHA2_CTX query;                    /* has seen the options and the query */
    bool *known;                       /* [text_count]: scores that came from the cache */
    struct request_text_usage *usages; /* [text_count] */
    size_t text_count;
    struct buffer value;
};

/* For the request that input describes, to the model of this number; sets input->memory. Does nothing without
 * a cache, or without memory for it. */
void recall_begin(struct recall *recall, struct cache *cache, uint64_t model, struct request_input *input);

/* Keeps the scores of a request that has been computed. */
void recall_keep_scores(struct recall *recall, const struct request *request);

void recall_free(struct recall *recall);

#endif
