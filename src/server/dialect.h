/* What a dialect of the HTTP interface is: how it reads a request body into work for the engine, and how it
 * writes the results. A dialect is one file api_NAME.c and its place in the router; what dialects share is in
 * request_fields.h and reply_fields.h, and the work between is the same for all (work.c). All functions run
 * on the preparation threads, never on the I/O thread or a compute worker. */
#ifndef RESCOLDO_SERVER_DIALECT_H
#define RESCOLDO_SERVER_DIALECT_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/json_writer.h"
#include "engine/request.h"
#include "server/api_error.h"
#include "server/limits.h"

#include <jansson.h>
#include <stdbool.h>

struct cache;

enum work_kind {
    WORK_RERANK,
    WORK_EMBED,
    WORK_OTHER, /* without the encoder (tokenize, decode): the dialect's compute does it */
};

/* What a request is answered from: one of the models that the server has; constant while it runs. */
struct service {
    const struct model *model;
    const struct limits *limits;
    const struct service *all; /* [count], those of all models in the ember's order, this one among them */
    size_t count;
    struct cache *cache; /* of results, or NULL */
};

/* Forms of an embedding in a reply; a set of them, as bits. */
enum embedding_type {
    EMBEDDING_FLOAT = 1u << 0,
    EMBEDDING_BASE64 = 1u << 1, /* little-endian float32 */
    EMBEDDING_INT8 = 1u << 2,
    EMBEDDING_UINT8 = 1u << 3,
    EMBEDDING_BINARY = 1u << 4, /* a bit per dimension, in bytes of -128 to 127 */
    EMBEDDING_UBINARY = 1u << 5,
};

/* One request's work: filled by a dialect's read, computed by the scheduler, written by its write. */
struct work {
    json_t *document;      /* owned; texts are borrowed from it */
    json_t *made;          /* owned: an array of texts that were joined from several of its fields, or NULL */
    struct bytes query;    /* of WORK_RERANK */
    struct bytes *texts;   /* owned, [text_count]: passages, or texts to embed */
    struct bytes *queries; /* owned, [text_count]: options.queries, or NULL */
    size_t text_count;
    struct call_options options; /* filled by the dialect; cancel and deadline are set by the scheduler */

    /* Of a request that holds several: what each asks for, with its part of the results once they are there.
     * Their texts, one after another, are the texts; owned, [part_count], or NULL. */
    struct work *parts;
    size_t part_count;

    /* What the reply shall look like. */
    size_t top_n; /* at most text_count */
    bool return_documents;
    bool documents_as_strings;
    bool raw_scores;
    bool single;              /* one text that was not in an array */
    bool normalize;           /* every embedding, even when the model does not */
    unsigned embedding_types; /* enum embedding_type; 0: the dialect's standard */

    /* Results, owned. */
    struct passage_score *scores; /* WORK_RERANK: [text_count] */
    size_t *order;                /* WORK_RERANK: [text_count], best first */
    float *embeddings;            /* WORK_EMBED: [text_count][hidden_size] */
    struct embedding_info *infos; /* WORK_EMBED: [text_count] */
    float **token_embeddings;     /* options.token_embeddings, [text_count], or NULL */
    struct buffer other;          /* WORK_OTHER: what compute leaves for write */
    struct call_usage usage;
};

struct dialect {
    const char *name;
    enum work_kind kind;
    enum api_error_form error_form;
    /* Is this body (an object) of this dialect? Asked where several share a path; NULL: it always is. */
    bool (*speaks)(const struct service *service, const json_t *document);
    /* From work->document; 0, or -1 with the error set. */
    int (*read)(const struct service *service, struct work *work, struct api_error *error);
    /* Of WORK_OTHER: does the work, beside the compute workers and without a session; 0, or -1 with the error
     * set. What needs the encoder is WORK_RERANK or WORK_EMBED, with what remains done by write: the batches
     * of those are shared among requests. */
    int (*compute)(const struct service *service, struct work *work, struct api_error *error);
    void (*write)(const struct service *service, const struct work *work, const char *request_id,
                  struct json_writer *writer);
};

/* The first of the dialects of a path, NULL-terminated, that speaks like the body; the last when none
 * does. */
const struct dialect *dialect_choose(const struct dialect *const *dialects, const struct service *service,
                                     const json_t *document);

/* The form of an error that is known before the body: that of the last. */
enum api_error_form dialects_error_form(const struct dialect *const *dialects);

/* Room for work->texts; 0, or -1 with the error set. */
int work_allocate_texts(struct work *work, size_t count, struct api_error *error);

/* Makes room for the results and says what the engine shall do (not of WORK_OTHER); 0, or -1 with the error
 * set. input borrows from work. */
int work_describe(const struct service *service, const struct dialect *dialect, struct work *work,
                  struct request_input *input, struct api_error *error);

/* What remains when the engine has done it. */
void work_finish(const struct service *service, const struct dialect *dialect, const struct call_usage *usage,
                 struct work *work);

/* How many of the texts were cut. */
size_t work_truncated_texts(const struct work *work);

void work_free(struct work *work);

#endif
