/* What the server computes, and in which order.
 *
 * Jobs come from the I/O thread. Two preparation threads (one for large bodies and replies, one for the rest)
 * parse, tokenize and write; compute workers, each with a session of its own, run slices: batches without
 * padding of what takes about 20 ms, never more than SESSION_DEFAULT_BATCH_TOKENS tokens (one sequence where
 * that alone is longer), of several jobs where one has only a few tokens (slice.c).
 *
 * Order: shortest remaining work first, by predicted time, since models differ in speed (Schrage 1968: no
 * other order has a shorter mean time in the system), equal ones in order of arrival. So a request of one
 * passage waits for the slice that runs, and not for the thousand passages behind it; and of equal requests
 * each is finished before the next begins, which sharing the time among them would not do. What it would
 * starve, a large request under a steady stream of small ones, is kept going: when the oldest job has had
 * nothing of three slices, the fourth begins with it, so that it gets at least a quarter of the time. Every
 * job is the oldest one at last.
 *
 * Texts are tokenized only a few slices ahead, which bounds the memory of a request whatever its size. Cancel
 * and deadline are looked at before each slice.
 *
 * Priority: preparation threads run at nice +5, compute workers at nice +10 (on Linux a thread has its own),
 * so that on one CPU the I/O thread is served at once. */
#ifndef RESCOLDO_SERVER_SCHEDULER_H
#define RESCOLDO_SERVER_SCHEDULER_H

#include "base/compiler.h"
#include "base/status.h"
#include "engine/session_set.h"
#include "server/admission.h"
#include "server/job.h"
#include "server/metrics.h"

#include <stdbool.h>
#include <stdint.h>

struct scheduler;

struct scheduler_options {
    const struct service *service;      /* the first of all */
    const struct model_list *models;    /* of all services, in their order */
    const struct session_set *sessions; /* of the first worker alone; must outlive the scheduler */
    size_t workers;                     /* at least one */
    void (*wake)(void *argument); /* called by any thread when a job is finished or the models are loaded */
    void *wake_argument;
};

/* Returns when all threads run. Jobs are taken from then on; the first worker loads the models before any is
 * computed (model_start.h). */
MUST_CHECK enum status scheduler_start(const struct scheduler_options *options, struct scheduler **scheduler,
                                       struct error *error);

enum loading {
    LOADING_NOW,
    LOADING_DONE,
    LOADING_FAILED, /* for good: nothing will be computed */
};

/* error is set when it is LOADING_FAILED. */
enum loading scheduler_loading(struct scheduler *scheduler, struct error *error);

/* A request that has not been read. */
struct expected_request {
    uint64_t body_bytes;
    size_t model; /* its number, or FORECAST_ANY_MODEL when its path does not tell */
};

/* Would the request be taken now? */
bool scheduler_has_room(struct scheduler *scheduler, const struct expected_request *request);

/* For one that is not: the time after which it will be. */
uint64_t scheduler_retry_milliseconds(struct scheduler *scheduler, const struct expected_request *request,
                                      struct shortage shortage);

/* Queues the job, which then belongs to the scheduler until it is taken. */
void scheduler_submit(struct scheduler *scheduler, struct job *job);

/* The finished jobs, oldest first, linked by next; NULL when there are none. The caller frees them. */
struct job *scheduler_take_finished(struct scheduler *scheduler);

/* Does no more for the job than what a thread is at. It will be finished soon, by a preparation thread, since
 * it may take long to free; with status 499 unless its reply was being written already. */
void scheduler_cancel(struct scheduler *scheduler, struct job *job);

struct scheduler_load {
    uint64_t queued_requests;       /* of which nothing has been computed */
    uint64_t running_requests;      /* the others */
    uint64_t queued_tokens;         /* to be computed, estimated where not yet tokenized */
    uint64_t predicted_nanoseconds; /* until all of them are done */
    size_t workers;
    bool stuck; /* a slice runs much too long: the worker hangs */
    struct slice_histograms slices;
};

struct scheduler_load scheduler_load(struct scheduler *scheduler);

/* Waits for all jobs to be finished, and ends the threads. Cancel first what shall not be waited for. */
void scheduler_stop(struct scheduler *scheduler);

#endif
