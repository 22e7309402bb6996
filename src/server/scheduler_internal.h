/* What the scheduler's files share. scheduler.c: the I/O thread's side, start and end; scheduler_jobs.c: a
 * job's way; scheduler_preparer.c and scheduler_worker.c: what its threads do. */
#ifndef RESCOLDO_SERVER_SCHEDULER_INTERNAL_H
#define RESCOLDO_SERVER_SCHEDULER_INTERNAL_H

#include "server/admission.h"
#include "server/forecast.h"
#include "server/scheduler.h"
#include "server/slice.h"

#include <pthread.h>

#define PREPARERS 2u

struct preparer {
    struct scheduler *scheduler;
    pthread_t thread;
    pthread_cond_t changed;
    bool heavy;
};

struct worker {
    struct scheduler *scheduler;
    pthread_t thread;
    struct session_set sessions; /* owned; empty for the first worker, whose are given */
    struct slice slice;
    uint64_t slice_began;       /* 0: it waits */
    uint64_t slice_nanoseconds; /* predicted */
};

struct scheduler {
    struct scheduler_options options;
    size_t lookahead;      /* tokens of a job that are prepared before they can run */
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t compute_changed;
    pthread_cond_t started_changed;
    struct job_list jobs; /* in order of submission */
    struct job_list finished;
    struct slice_order order;
    struct slice_histograms slices;
    struct forecast forecast;
    struct admission admission;
    struct preparer preparers[PREPARERS];
    struct worker *workers; /* [worker_count] */
    size_t worker_count, threads_created, threads_started;
    enum loading loading;
    struct error loading_error;
    bool stopping;
};

/* --- a job's way; all of it with the mutex held --- */

/* Is reading a body, or freeing what was made of it, work for the heavy preparation thread? */
bool job_body_is_heavy(const struct job *job);

/* Wakes the preparation thread that the job is for. */
void scheduler_wake_preparer(struct scheduler *scheduler, const struct job *job);

/* A preparation thread may have something to do for it. */
bool scheduler_wants_preparation(const struct scheduler *scheduler, const struct job *job);

/* Nothing more of the job is to be tokenized or computed than what a thread is at. */
void scheduler_end_work(struct job *job);

/* Moves a job on that no thread has and of which nothing more can run. */
void scheduler_settle(struct scheduler *scheduler, struct job *job);
void scheduler_fail(struct scheduler *scheduler, struct job *job, const struct api_error *error);

/* Its reply is written: hands it to the I/O thread. */
void scheduler_finish(struct scheduler *scheduler, struct job *job);

/* --- threads --- */

/* The main functions; the arguments are a struct preparer and a struct worker. */
void *scheduler_run_preparer(void *preparer);
void *scheduler_run_worker(void *worker);

/* Called by each thread first, with the mutex held. */
void scheduler_report_start(struct scheduler *scheduler);

/* True when the threads shall end. With the mutex held. */
bool scheduler_is_over(const struct scheduler *scheduler);

/* Puts the calling thread below the I/O thread. */
void scheduler_lower_priority(int niceness);

#endif
