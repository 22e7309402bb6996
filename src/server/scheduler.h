/* A bounded queue of jobs and the one thread that computes them. The I/O thread submits, cancels and
 * collects; the worker reads the body, tokenizes, runs the engine and writes the reply's JSON, so that the
 * I/O thread never does. */
#ifndef RESCOLDO_SERVER_SCHEDULER_H
#define RESCOLDO_SERVER_SCHEDULER_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/status.h"
#include "engine/session.h"
#include "server/dialect.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REQUEST_ID_SIZE 129u

struct job {
    /* Of the I/O thread. */
    void *owner; /* whom the reply is for; NULL when the client has gone */

    /* Set before submission, read by the worker. */
    const struct dialect *const *dialects; /* of the path, NULL-terminated */
    struct buffer body;                    /* freed by the worker as soon as it is read */
    size_t body_size;
    char request_id[REQUEST_ID_SIZE];
    uint64_t submitted_at, deadline_at; /* clock_nanoseconds() */

    atomic_bool cancel; /* set by the I/O thread, seen by the worker before each chunk */

    /* Set by the worker, read after scheduler_take_finished. */
    int http_status;
    const char *error_code; /* NULL on success */
    struct buffer reply;    /* the body, JSON; empty when there was no memory for it */
    uint64_t started_at, finished_at;
    size_t text_count, truncated_texts;
    struct call_usage usage;

    struct job *next; /* in the queue, or in the list of finished jobs */
};

void job_free(struct job *job);

struct scheduler;

struct scheduler_options {
    const struct service *service;
    struct session *session;      /* used by the worker alone; must outlive the scheduler */
    void (*wake)(void *argument); /* called by the worker when a job is finished */
    void *wake_argument;
};

MUST_CHECK enum status scheduler_start(const struct scheduler_options *options, struct scheduler **scheduler,
                                       struct error *error);

/* Would a job be taken now? Otherwise *retry_after_milliseconds says when to ask again,
 * by the measured time per byte of what is queued. */
bool scheduler_has_room(struct scheduler *scheduler, uint64_t *retry_after_milliseconds);

/* Queues the job, which then belongs to the scheduler until it is taken or cancelled. */
void scheduler_submit(struct scheduler *scheduler, struct job *job);

/* The finished jobs, oldest first, linked by next; NULL when there are none. The caller frees them. */
struct job *scheduler_take_finished(struct scheduler *scheduler);

/* True when the job was still queued: it is then the caller's again. False: it is running and will be
 * finished soon, with status 499. */
bool scheduler_cancel(struct scheduler *scheduler, struct job *job);

struct scheduler_load {
    uint64_t queued_requests;
    uint64_t running_requests;
    uint64_t predicted_nanoseconds; /* until all of them are done */
    bool stuck;                     /* the running job is long past its deadline: the worker hangs */
};

struct scheduler_load scheduler_load(struct scheduler *scheduler);

/* Waits for the worker to finish its queue, and ends it. Cancel first what shall not be waited for. */
void scheduler_stop(struct scheduler *scheduler);

#endif
