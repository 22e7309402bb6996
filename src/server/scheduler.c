#include "server/scheduler.h"

#include "base/clock.h"
#include "server/scheduler_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A worker hangs when its slice has taken a minute longer than so many times what was predicted. */
#define STUCK_AFTER_NANOSECONDS ((uint64_t)60 * 1000000000)
#define STUCK_TIMES             10
#define MAX_NICENESS            19
/* Tokens are prepared for so many slices of each worker. */
#define SLICES_AHEAD 2u
/* To a client that is refused while nobody knows yet how long a token takes. */
#define RETRY_WHILE_LOADING_MILLISECONDS 1000

/* --- the I/O thread's side --- */

static struct backlog backlog_of(const struct scheduler *scheduler) {
    return (struct backlog){
        .jobs = &scheduler->jobs,
        .forecast = &scheduler->forecast,
        .limits = scheduler->options.service->limits,
        .workers = scheduler->worker_count,
        .now = clock_nanoseconds(),
    };
}

static struct demand demand_of(const struct scheduler *scheduler, const struct expected_request *request) {
    return (struct demand){forecast_body_tokens(&scheduler->forecast, request->body_bytes), request->model};
}

bool scheduler_has_room(struct scheduler *scheduler, const struct expected_request *request) {
    pthread_mutex_lock(&scheduler->mutex);
    struct backlog backlog = backlog_of(scheduler);
    struct demand demand = demand_of(scheduler, request);
    bool room = admission_has_room(&backlog, &demand);
    pthread_mutex_unlock(&scheduler->mutex);
    return room;
}

uint64_t scheduler_retry_milliseconds(struct scheduler *scheduler, const struct expected_request *request,
                                      struct shortage shortage) {
    pthread_mutex_lock(&scheduler->mutex);
    struct backlog backlog = backlog_of(scheduler);
    struct demand demand = demand_of(scheduler, request);
    uint64_t milliseconds = admission_promise(&scheduler->admission, &backlog, &demand, shortage);
    if (scheduler->loading != LOADING_DONE && milliseconds < RETRY_WHILE_LOADING_MILLISECONDS)
        milliseconds = RETRY_WHILE_LOADING_MILLISECONDS;
    pthread_mutex_unlock(&scheduler->mutex);
    return milliseconds;
}

enum loading scheduler_loading(struct scheduler *scheduler, struct error *error) {
    pthread_mutex_lock(&scheduler->mutex);
    enum loading loading = scheduler->loading;
    if (loading == LOADING_FAILED)
        *error = scheduler->loading_error;
    pthread_mutex_unlock(&scheduler->mutex);
    return loading;
}

void scheduler_submit(struct scheduler *scheduler, struct job *job) {
    pthread_mutex_lock(&scheduler->mutex);
    job->phase = JOB_RECEIVED;
    job->heavy = job_body_is_heavy(job);
    job->unprepared_tokens = forecast_body_tokens(&scheduler->forecast, job->body_size);
    job_list_append(&scheduler->jobs, job);
    scheduler_wake_preparer(scheduler, job);
    pthread_mutex_unlock(&scheduler->mutex);
}

struct job *scheduler_take_finished(struct scheduler *scheduler) {
    pthread_mutex_lock(&scheduler->mutex);
    struct job *finished = scheduler->finished.first;
    scheduler->finished = (struct job_list){0};
    pthread_mutex_unlock(&scheduler->mutex);
    return finished;
}

void scheduler_cancel(struct scheduler *scheduler, struct job *job) {
    atomic_store(&job->cancel, true);
    pthread_mutex_lock(&scheduler->mutex);
    scheduler_end_work(job);
    scheduler_settle(scheduler, job);
    pthread_mutex_unlock(&scheduler->mutex);
}

struct scheduler_load scheduler_load(struct scheduler *scheduler) {
    struct scheduler_load load = {.workers = scheduler->worker_count};
    pthread_mutex_lock(&scheduler->mutex);
    struct backlog backlog = backlog_of(scheduler);
    double tokens = 0;
    for (const struct job *job = scheduler->jobs.first; job != NULL; job = job->next) {
        load.queued_requests += job->started_at == 0 ? 1 : 0;
        load.running_requests += job->started_at == 0 ? 0 : 1;
        tokens += job_remaining_tokens(job);
    }
    load.queued_tokens = (uint64_t)tokens;
    load.predicted_nanoseconds = backlog_nanoseconds(&backlog);
    for (size_t i = 0; i < scheduler->worker_count; i++) {
        const struct worker *worker = &scheduler->workers[i];
        uint64_t allowed = STUCK_AFTER_NANOSECONDS + STUCK_TIMES * worker->slice_nanoseconds;
        load.stuck |= worker->slice_began != 0 && backlog.now > worker->slice_began + allowed;
    }
    load.slices = scheduler->slices;
    pthread_mutex_unlock(&scheduler->mutex);
    return load;
}

/* --- what threads share --- */

bool scheduler_is_over(const struct scheduler *scheduler) {
    return scheduler->stopping && scheduler->jobs.first == NULL;
}

/* Lowering one's own priority is always allowed (setpriority(2)). */
void scheduler_lower_priority(int niceness) {
    errno = 0;
    int current = getpriority(PRIO_PROCESS, 0);
    int lowered = errno == 0 ? current + niceness : niceness;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), lowered > MAX_NICENESS ? MAX_NICENESS : lowered);
}

void scheduler_report_start(struct scheduler *scheduler) {
    scheduler->threads_started++;
    pthread_cond_signal(&scheduler->started_changed);
}

/* --- start and end --- */

static enum status create_sessions(struct scheduler *scheduler, struct error *error) {
    const struct session_set *first = scheduler->options.sessions;
    uint32_t max_batch_tokens = (uint32_t)scheduler->options.service->limits->max_batch_tokens;
    for (size_t i = 0; i < scheduler->worker_count; i++) {
        struct worker *worker = &scheduler->workers[i];
        worker->scheduler = scheduler;
        worker->slice.worker = i;
        worker->slice.sessions = i == 0 ? first : &worker->sessions;
        enum status status = i == 0 ? STATUS_OK
                                    : session_set_create(scheduler->options.models, max_batch_tokens,
                                                         &worker->sessions, error);
        if (status != STATUS_OK)
            return status;
    }
    size_t slice = 0;
    for (size_t i = 0; i < first->count; i++) {
        size_t tokens = session_max_batch_tokens(first->sessions[i]);
        slice = tokens > slice ? tokens : slice;
    }
    scheduler->lookahead = SLICES_AHEAD * slice * scheduler->worker_count;
    return STATUS_OK;
}

static enum status start_thread(struct scheduler *scheduler, pthread_t *thread, void *(*run)(void *),
                                void *argument, struct error *error) {
    int failure = pthread_create(thread, NULL, run, argument);
    if (failure != 0)
        return error_set_errno(error, failure, "cannot start a thread");
    scheduler->threads_created++;
    return STATUS_OK;
}

static enum status start_threads(struct scheduler *scheduler, struct error *error) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < PREPARERS && status == STATUS_OK; i++) {
        struct preparer *preparer = &scheduler->preparers[i];
        preparer->scheduler = scheduler;
        preparer->heavy = i > 0;
        status = start_thread(scheduler, &preparer->thread, scheduler_run_preparer, preparer, error);
    }
    for (size_t i = 0; i < scheduler->worker_count && status == STATUS_OK; i++) {
        struct worker *worker = &scheduler->workers[i];
        status = start_thread(scheduler, &worker->thread, scheduler_run_worker, worker, error);
    }
    /* Whoever seals the process after this needs to allow nothing that threads do only once. */
    pthread_mutex_lock(&scheduler->mutex);
    while (scheduler->threads_started < scheduler->threads_created)
        pthread_cond_wait(&scheduler->started_changed, &scheduler->mutex);
    pthread_mutex_unlock(&scheduler->mutex);
    return status;
}

enum status scheduler_start(const struct scheduler_options *options, struct scheduler **created,
                            struct error *error) {
    struct scheduler *scheduler = calloc(1, sizeof *scheduler);
    size_t workers = options->workers;
    if (scheduler != NULL)
        scheduler->workers = calloc(workers, sizeof *scheduler->workers);
    if (scheduler == NULL || scheduler->workers == NULL) {
        free(scheduler);
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the scheduler");
    }
    scheduler->options = *options;
    scheduler->worker_count = workers;
    forecast_init(&scheduler->forecast, options->service->count);
    pthread_mutex_init(&scheduler->mutex, NULL);
    pthread_cond_init(&scheduler->compute_changed, NULL);
    pthread_cond_init(&scheduler->started_changed, NULL);
    for (size_t i = 0; i < PREPARERS; i++)
        pthread_cond_init(&scheduler->preparers[i].changed, NULL);
    enum status status = create_sessions(scheduler, error);
    if (status == STATUS_OK)
        status = start_threads(scheduler, error);
    if (status != STATUS_OK) {
        scheduler_stop(scheduler);
        return status;
    }
    *created = scheduler;
    return STATUS_OK;
}

static void join_threads(struct scheduler *scheduler) {
    pthread_mutex_lock(&scheduler->mutex);
    scheduler->stopping = true;
    pthread_cond_broadcast(&scheduler->compute_changed);
    for (size_t i = 0; i < PREPARERS; i++)
        pthread_cond_signal(&scheduler->preparers[i].changed);
    pthread_mutex_unlock(&scheduler->mutex);
    for (size_t i = 0; i < scheduler->threads_created; i++)
        pthread_join(
            i < PREPARERS ? scheduler->preparers[i].thread : scheduler->workers[i - PREPARERS].thread, NULL);
}

void scheduler_stop(struct scheduler *scheduler) {
    if (scheduler == NULL)
        return;
    join_threads(scheduler);
    struct job *job = scheduler->finished.first;
    while (job != NULL) {
        struct job *next = job->next;
        job_free(job);
        job = next;
    }
    for (size_t i = 0; i < scheduler->worker_count; i++)
        session_set_destroy(&scheduler->workers[i].sessions);
    for (size_t i = 0; i < PREPARERS; i++)
        pthread_cond_destroy(&scheduler->preparers[i].changed);
    pthread_cond_destroy(&scheduler->started_changed);
    pthread_cond_destroy(&scheduler->compute_changed);
    pthread_mutex_destroy(&scheduler->mutex);
    free(scheduler->workers);
    free(scheduler);
}
