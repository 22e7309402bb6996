/* What a dialect of the HTTP interface is: how it reads a request body into work for the engine, and how it
 * writes the results. A dialect is one file api_NAME.c and a line in the router; the work between is the same
 * for all (work.c). Both functions run on the compute worker, never on the I/O thread. */
#ifndef RESCOLDO_SERVER_DIALECT_H
#define RESCOLDO_SERVER_DIALECT_H

#include "base/bytes.h"
#include "base/json_writer.h"
#include "engine/session.h"
#include "server/api_error.h"
#include "server/limits.h"

#include <jansson.h>
#include <stdbool.h>

enum work_kind {
    WORK_RERANK,
    WORK_EMBED,
};

/* What every request is answered from; constant while the server runs. */
struct service {
    const struct model *model;
    const struct limits *limits;
};

/* One request's work: filled by a dialect's read, computed by work_compute, written by its write. */
struct work {
    json_t *document;    /* owned; every text is borrowed from it */
    struct bytes query;  /* of WORK_RERANK */
    struct bytes *texts; /* owned, [text_count]: passages, or texts to embed */
    size_t text_count;
    struct call_options options; /* filled by the dialect; cancel and deadline are set by the scheduler */

    /* What the reply shall look like. */
    size_t top_n; /* at most text_count */
    bool return_documents;
    bool documents_as_strings;
    bool raw_scores;
    bool base64;

    /* Results, owned. */
    struct passage_score *scores; /* WORK_RERANK: [text_count] */
    size_t *order;                /* WORK_RERANK: [text_count], best first */
    float *embeddings;            /* WORK_EMBED: [text_count][hidden_size] */
    struct embedding_info *infos; /* WORK_EMBED: [text_count] */
    struct call_usage usage;
};

struct dialect {
    const char *name;
    enum work_kind kind;
    /* From work->document; 0, or -1 with the error set. */
    int (*read)(const struct service *service, struct work *work, struct api_error *error);
    void (*write)(const struct service *service, const struct work *work, const char *request_id,
                  struct json_writer *writer);
};

extern const struct dialect dialect_rerank;     /* Cohere v1 and v2, Jina, vLLM */
extern const struct dialect dialect_embeddings; /* OpenAI */

/* Room for work->texts; 0, or -1 with the error set. */
int work_allocate_texts(struct work *work, size_t count, struct api_error *error);

/* Runs the engine over work; 0, or -1 with the error set. */
int work_compute(const struct service *service, enum work_kind kind, struct session *session,
                 struct work *work, struct api_error *error);

void work_free(struct work *work);

#endif
