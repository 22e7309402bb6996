/* One request on its way through the scheduler:
 *
 *   received --(parse, read, tokenize the query)--> preparing --(all texts tokenized)--> prepared
 *   preparing and prepared: slices of its sequences run on the compute workers
 *   --(all outputs delivered, or a failure)--> replying --(reply written)--> finished
 *
 * Parsing, tokenizing and writing run on the preparation threads, slices on the compute workers. */
#ifndef RESCOLDO_SERVER_JOB_H
#define RESCOLDO_SERVER_JOB_H

#include "base/buffer.h"
#include "engine/request.h"
#include "server/dialect.h"
#include "server/forecast.h"
#include "server/memory_budget.h"
#include "server/recall.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REQUEST_ID_SIZE 129u

enum job_phase {
    JOB_RECEIVED,
    JOB_PREPARING,
    JOB_PREPARED,
    JOB_REPLYING,
    JOB_FINISHED,
};

/* What its tokens were expected to be, which what they turned out to be so far corrects. */
struct expectation {
    struct forecast_ratio of_texts; /* at the time when it was read */
    double tokens;                  /* of all texts */
    double prepared;                /* of what has been tokenized so far */
    double whole;                   /* of the texts before the one of the number `texts` */
    size_t texts;
    uint64_t text_bytes; /* of the texts, each with its query */
};

struct job {
    /* Of the I/O thread. */
    void *owner; /* whom the reply is for; NULL when the client has gone */

    /* Set before submission. */
    const struct dialect *const *dialects; /* of the path, NULL-terminated */
    struct buffer body;                    /* freed as soon as it is read */
    size_t body_size;
    struct memory_claim claim; /* with a budget; grows while the body is read, goes on with the reply */
    char request_id[REQUEST_ID_SIZE];
    uint64_t submitted_at, deadline_at; /* clock_nanoseconds() */

    atomic_bool cancel; /* set by the I/O thread; nothing more is done for the job */

    /* Under the scheduler's lock. */
    enum job_phase phase;
    bool heavy;             /* reading or writing it takes long: work of the heavy preparation thread */
    bool failed;            /* no more slices */
    struct api_error error; /* why */
    bool in_preparation;    /* a preparation thread has it */
    bool awaits_query;      /* an embedder's query is in a batch of query_worker; the passages wait for it */
    size_t query_worker;
    unsigned batches;       /* that hold sequences of it */
    uint64_t visited_slice; /* the last slice it was considered for */
    size_t model;        /* its number; until the body is read as expected, and perhaps FORECAST_ANY_MODEL */
    uint64_t work_bytes; /* of memory claimed, beside the body */
    double unprepared_tokens;    /* estimated: of texts (or of the body) that are not tokenized yet */
    uint64_t ready_tokens;       /* of request.ready */
    uint64_t batched_tokens;     /* in batches */
    struct job *previous, *next; /* in order of submission; next also links finished jobs */

    /* Of the preparation thread that has the job; request's outputs are delivered under the lock. */
    const struct dialect *dialect; /* known once the body is read */
    const struct service *service; /* likewise */
    struct work work;
    struct request request;
    struct recall recall;           /* what is known from earlier requests */
    struct sequence_queue prepared; /* on its way to request.ready */
    uint64_t prepared_tokens;       /* so far */
    struct expectation expectation;
    uint64_t refused_bytes; /* of memory, that there was no room for */

    /* Read after scheduler_take_finished. */
    int http_status;
    const char *error_code; /* NULL on success */
    struct buffer reply;    /* the body, JSON; empty when there was no memory for it */
    /* started: its first sequence went into a batch, or its work without the encoder began; 0: neither. */
    uint64_t started_at, finished_at;
    size_t text_count, truncated_texts;
    struct call_usage usage;
};

void job_free(struct job *job);

struct job_list {
    struct job *first, *last;
};

void job_list_append(struct job_list *list, struct job *job);
void job_list_remove(struct job_list *list, struct job *job);

/* Nothing more of it is to be tokenized or computed: it has failed, or its client has left. */
bool job_is_ended(const struct job *job);

/* Tokens still to be computed, those in batches included. */
double job_remaining_tokens(const struct job *job);

/* One worker's time for them, estimated. */
double job_remaining_nanoseconds(const struct job *job, const struct forecast *forecast);

#endif
