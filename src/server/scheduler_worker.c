#include "base/clock.h"
#include "server/model_start.h"
#include "server/scheduler_internal.h"

#define COMPUTE_NICENESS 10

/* Ends what is too late before it could run. */
static void drop_late_jobs(struct scheduler *scheduler) {
    uint64_t now = clock_nanoseconds();
    for (struct job *job = scheduler->jobs.first; job != NULL; job = job->next) {
        struct api_error error;
        if (now >= job->deadline_at && job->phase < JOB_REPLYING && !job_is_ended(job) &&
            api_refuse(&error, 504, "deadline_exceeded", "the request took longer than its time limit") != 0)
            scheduler_fail(scheduler, job, &error);
    }
}

static void count_slice(struct slice_histograms *histograms, const struct slice *slice, uint64_t tokens,
                        uint64_t nanoseconds) {
    histogram_add_slice_tokens(&histograms->tokens, tokens);
    histogram_add_size(&histograms->requests, slice->share_count);
    histogram_add(&histograms->duration, nanoseconds);
}

/* Hands the slice's outputs over and moves its jobs on; with the mutex held. */
static void settle_shares(struct scheduler *scheduler, struct slice *slice, enum status status,
                          const struct error *failure) {
    slice_end(slice, status == STATUS_OK);
    for (size_t i = 0; i < slice->share_count; i++) {
        struct job *job = slice->shares[i].job;
        struct api_error error;
        if (status != STATUS_OK && api_refuse_failure(&error, failure) != 0)
            scheduler_fail(scheduler, job, &error);
        else
            scheduler_settle(scheduler, job);
    }
}

/* Runs the slice; with the mutex held, which is released meanwhile. since: the end of the slice before, 0
 * when the worker has waited. Returns the end of this one. */
static uint64_t run_slice(struct scheduler *scheduler, struct worker *worker, uint64_t since) {
    struct error failure;
    struct slice *slice = &worker->slice;
    uint64_t tokens = session_batch_tokens(slice->session);
    size_t model = slice->shares[0].job->model;
    double predicted = (double)tokens * forecast_nanoseconds_per_token(&scheduler->forecast, model);
    worker->slice_nanoseconds = (uint64_t)predicted;
    worker->slice_began = clock_nanoseconds();
    pthread_mutex_unlock(&scheduler->mutex);
    enum status status = session_run(slice->session, &failure);
    pthread_mutex_lock(&scheduler->mutex);
    uint64_t now = clock_nanoseconds();
    forecast_learn_slice(&scheduler->forecast, model, tokens,
                         now - (since != 0 ? since : worker->slice_began));
    count_slice(&scheduler->slices, slice, tokens, now - worker->slice_began);
    worker->slice_began = 0;
    settle_shares(scheduler, slice, status, &failure);
    /* An embedder's passages may have waited for their query in this slice. */
    pthread_cond_broadcast(&scheduler->compute_changed);
    return now;
}

static void wake_preparers_of(struct scheduler *scheduler, const struct slice *slice) {
    for (size_t i = 0; i < slice->share_count; i++) {
        if (scheduler_wants_preparation(scheduler, slice->shares[i].job))
            scheduler_wake_preparer(scheduler, slice->shares[i].job);
    }
}

/* With the mutex held, which is released meanwhile. */
static void load_models(struct scheduler *scheduler, const struct worker *worker) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < scheduler->options.models->count && status == STATUS_OK; i++) {
        struct first_slice first;
        pthread_mutex_unlock(&scheduler->mutex);
        status = model_start(scheduler->options.models->models[i], worker->slice.sessions->sessions[i],
                             &first, &scheduler->loading_error);
        pthread_mutex_lock(&scheduler->mutex);
        if (status == STATUS_OK)
            forecast_begin(&scheduler->forecast, i, first.tokens, first.nanoseconds);
    }
    scheduler->loading = status == STATUS_OK ? LOADING_DONE : LOADING_FAILED;
    pthread_cond_broadcast(&scheduler->compute_changed);
    scheduler->options.wake(scheduler->options.wake_argument);
}

void *scheduler_run_worker(void *argument) {
    struct worker *worker = argument;
    struct scheduler *scheduler = worker->scheduler;
    uint64_t since = 0;
    scheduler_lower_priority(COMPUTE_NICENESS);
    pthread_mutex_lock(&scheduler->mutex);
    scheduler_report_start(scheduler);
    if (worker == scheduler->workers)
        load_models(scheduler, worker);
    while (!scheduler_is_over(scheduler)) {
        drop_late_jobs(scheduler);
        if (scheduler->loading == LOADING_DONE)
            slice_fill(&worker->slice, &scheduler->order, &scheduler->jobs, &scheduler->forecast);
        if (worker->slice.share_count == 0) {
            since = 0;
            if (!scheduler_is_over(scheduler))
                pthread_cond_wait(&scheduler->compute_changed, &scheduler->mutex);
            continue;
        }
        wake_preparers_of(scheduler, &worker->slice);
        since = run_slice(scheduler, worker, since);
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return NULL;
}
