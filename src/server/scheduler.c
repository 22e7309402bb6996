#include "server/scheduler.h"

#include "base/clock.h"
#include "server/admission.h"
#include "server/forecast.h"
#include "server/preparation.h"
#include "server/slice.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STUCK_AFTER_NANOSECONDS ((uint64_t)60 * 1000000000)
#define PREPARATION_NICENESS    5
#define COMPUTE_NICENESS        10
#define MAX_NICENESS            19
#define WARM_UP_TOKENS          32u
#define WARM_UP_TEXTS           4u
#define LIGHT_BYTES             ((uint64_t)65536) /* of a body, and of a reply */
#define PREPARERS               2u
/* Tokens are prepared for so many slices of each worker. */
#define SLICES_AHEAD 2u

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
    uint64_t slice_began; /* 0: it waits */
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
    struct forecast forecast;
    struct admission admission;
    struct preparer preparers[PREPARERS];
    struct worker *workers; /* [worker_count] */
    size_t worker_count, threads_created, threads_started;
    bool stopping;
};

/* --- a job's way; all of it with the mutex held --- */

static void finish(struct scheduler *scheduler, struct job *job) {
    job->phase = JOB_FINISHED;
    job->finished_at = clock_nanoseconds();
    if (job->started_at == 0)
        job->started_at = job->finished_at;
    job_list_remove(&scheduler->jobs, job);
    job_list_append(&scheduler->finished, job);
    scheduler->options.wake(scheduler->options.wake_argument);
    if (scheduler->stopping && scheduler->jobs.first == NULL) {
        pthread_cond_broadcast(&scheduler->compute_changed);
        for (size_t i = 0; i < PREPARERS; i++)
            pthread_cond_signal(&scheduler->preparers[i].changed);
    }
}

static void wake_preparer(struct scheduler *scheduler, const struct job *job) {
    pthread_cond_signal(&scheduler->preparers[job->heavy ? 1 : 0].changed);
}

static bool reply_is_heavy(const struct job *job, const struct model *model) {
    const struct work *work = &job->work;
    uint64_t size = work->text_count * (uint64_t)256;
    if (work->embeddings != NULL)
        size += work->text_count * (uint64_t)model->shape.hidden_size * 12;
    if (work->return_documents)
        size += job->body_size;
    return size > LIGHT_BYTES;
}

/* A job that was cancelled while a thread had it. */
static void drop(struct scheduler *scheduler, struct job *job) {
    struct api_error error;
    if (api_refuse(&error, 499, "cancelled", "the client has gone") != 0) {
        job->http_status = error.status;
        job->error_code = error.code;
    }
    finish(scheduler, job);
}

/* Moves a job on that no thread has and of which nothing more can run. */
static void settle(struct scheduler *scheduler, struct job *job) {
    if (job->in_preparation || job->batches > 0 || job->phase >= JOB_REPLYING)
        return;
    if (atomic_load(&job->cancel)) {
        drop(scheduler, job);
        return;
    }
    if (!job->failed && (job->phase != JOB_PREPARED || job->ready_tokens > 0))
        return;
    job->phase = JOB_REPLYING;
    job->heavy = job->failed ? false : reply_is_heavy(job, job->service->model);
    wake_preparer(scheduler, job);
}

static void fail_job(struct scheduler *scheduler, struct job *job, const struct api_error *error) {
    job->error = *error;
    job->failed = true;
    job->unprepared_tokens = 0;
    job->ready_tokens = 0;
    settle(scheduler, job);
}

/* --- preparation --- */

static bool wants_preparation(const struct scheduler *scheduler, const struct job *job) {
    if (job->in_preparation)
        return false;
    return job->phase == JOB_RECEIVED || job->phase == JOB_REPLYING ||
           (job->phase == JOB_PREPARING && !job_is_ended(job) && job->ready_tokens < scheduler->lookahead);
}

/* Replies first: they free memory and a client. Then the shortest. */
static struct job *next_preparation(const struct scheduler *scheduler, bool heavy) {
    struct job *best = NULL;
    for (struct job *job = scheduler->jobs.first; job != NULL; job = job->next) {
        if (job->heavy != heavy || !wants_preparation(scheduler, job))
            continue;
        if (job->phase == JOB_REPLYING)
            return job;
        if (best == NULL || job_remaining_tokens(job) < job_remaining_tokens(best))
            best = job;
    }
    return best;
}

/* What a step outside the lock found out. */
struct step {
    bool good;
    struct api_error error; /* when not good */
    double estimate;
};

static struct step prepare(const struct scheduler *scheduler, struct job *job, enum job_phase phase,
                           const struct forecast *forecast) {
    const struct service *service = scheduler->options.service;
    struct step step = {.good = true};
    if (phase == JOB_REPLYING) {
        preparation_reply(job);
    } else if (phase == JOB_PREPARING) {
        step.good = preparation_tokenize(job, scheduler->lookahead, &step.error);
    } else {
        step.good = preparation_read(service, job, &step.error);
        if (step.good)
            step.estimate = preparation_estimate(forecast, job);
        if (step.good && job->dialect->kind != WORK_OTHER)
            step.good = preparation_tokenize(job, scheduler->lookahead, &step.error);
    }
    return step;
}

/* Takes over what a step has prepared; with the mutex held. */
static bool take_prepared(struct scheduler *scheduler, struct job *job, struct step *step) {
    const struct request *request = &job->request;
    struct error failure;
    if (job->phase == JOB_RECEIVED)
        job->estimated_tokens = step->estimate;
    if (sequence_queue_move(&job->prepared, &job->request.ready, &failure) != STATUS_OK)
        return api_refuse_failure(&step->error, &failure) == 0;
    job->ready_tokens = sequence_queue_tokens(&request->ready);
    bool all = job->dialect->kind == WORK_OTHER || request_is_prepared(request);
    double left = all ? 0 : (double)(request->input.text_count - request->next_text) + 0.5;
    job->unprepared_tokens = all ? 0 : job->estimated_tokens * left / (double)request->input.text_count;
    job->phase = all ? JOB_PREPARED : JOB_PREPARING;
    if (all && job->dialect->kind != WORK_OTHER)
        forecast_learn_request(&scheduler->forecast, job->body_size, job->text_bytes, job->prepared_tokens);
    return true;
}

static void prepare_job(struct scheduler *scheduler, struct job *job) {
    enum job_phase phase = job->phase;
    struct forecast forecast = scheduler->forecast;
    job->in_preparation = true;
    pthread_mutex_unlock(&scheduler->mutex);
    struct step step = prepare(scheduler, job, phase, &forecast);
    pthread_mutex_lock(&scheduler->mutex);
    job->in_preparation = false;
    if (phase == JOB_REPLYING) {
        finish(scheduler, job);
        return;
    }
    if (job->failed) { /* in the meantime, by a slice */
        settle(scheduler, job);
        return;
    }
    if (!step.good || !take_prepared(scheduler, job, &step)) {
        fail_job(scheduler, job, &step.error);
        return;
    }
    settle(scheduler, job);
    if (job->ready_tokens > 0)
        pthread_cond_broadcast(&scheduler->compute_changed);
}

static bool is_over(const struct scheduler *scheduler) {
    return scheduler->stopping && scheduler->jobs.first == NULL;
}

/* Below the I/O thread. Lowering one's own priority is always allowed (setpriority(2)). */
static void lower_priority(int niceness) {
    errno = 0;
    int current = getpriority(PRIO_PROCESS, 0);
    int lowered = errno == 0 ? current + niceness : niceness;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), lowered > MAX_NICENESS ? MAX_NICENESS : lowered);
}

/* With the mutex held. */
static void report_start(struct scheduler *scheduler) {
    scheduler->threads_started++;
    pthread_cond_signal(&scheduler->started_changed);
}

static void *run_preparer(void *argument) {
    struct preparer *preparer = argument;
    struct scheduler *scheduler = preparer->scheduler;
    lower_priority(PREPARATION_NICENESS);
    pthread_mutex_lock(&scheduler->mutex);
    report_start(scheduler);
    while (!is_over(scheduler)) {
        struct job *job = next_preparation(scheduler, preparer->heavy);
        if (job != NULL)
            prepare_job(scheduler, job);
        else
            pthread_cond_wait(&preparer->changed, &scheduler->mutex);
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return NULL;
}

/* --- computing --- */

/* Ends what has been cancelled or is too late before it could run. */
static void drop_late_jobs(struct scheduler *scheduler) {
    uint64_t now = clock_nanoseconds();
    struct job *next;
    for (struct job *job = scheduler->jobs.first; job != NULL; job = next) {
        next = job->next;
        struct api_error error;
        if (job->phase >= JOB_REPLYING || job->failed)
            continue;
        if (atomic_load(&job->cancel))
            settle(scheduler, job);
        else if (now >= job->deadline_at && api_refuse(&error, 504, "deadline_exceeded",
                                                       "the request took longer than its time limit") != 0)
            fail_job(scheduler, job, &error);
    }
}

/* Runs the slice; with the mutex held, which is released meanwhile. since: the end of the slice before, 0
 * when the worker has waited. */
static void run_slice(struct scheduler *scheduler, struct worker *worker, uint64_t since) {
    struct error failure;
    uint64_t tokens = session_batch_tokens(worker->slice.session);
    worker->slice_began = clock_nanoseconds();
    pthread_mutex_unlock(&scheduler->mutex);
    enum status status = session_run(worker->slice.session, &failure);
    pthread_mutex_lock(&scheduler->mutex);
    uint64_t began = since != 0 ? since : worker->slice_began;
    forecast_learn_slice(&scheduler->forecast, tokens, clock_nanoseconds() - began);
    worker->slice_began = 0;
    slice_end(&worker->slice, status == STATUS_OK);
    for (size_t i = 0; i < worker->slice.share_count; i++) {
        struct job *job = worker->slice.shares[i].job;
        struct api_error error;
        if (status != STATUS_OK && api_refuse_failure(&error, &failure) != 0)
            fail_job(scheduler, job, &error);
        else
            settle(scheduler, job);
    }
    /* An embedder's passages may have waited for their query in this slice. */
    pthread_cond_broadcast(&scheduler->compute_changed);
}

static void wake_preparers_of(struct scheduler *scheduler, const struct slice *slice) {
    for (size_t i = 0; i < slice->share_count; i++) {
        if (wants_preparation(scheduler, slice->shares[i].job))
            wake_preparer(scheduler, slice->shares[i].job);
    }
}

static void *run_worker(void *argument) {
    struct worker *worker = argument;
    struct scheduler *scheduler = worker->scheduler;
    uint64_t since = 0;
    lower_priority(COMPUTE_NICENESS);
    pthread_mutex_lock(&scheduler->mutex);
    report_start(scheduler);
    while (!is_over(scheduler)) {
        drop_late_jobs(scheduler);
        slice_fill(&worker->slice, &scheduler->order, &scheduler->jobs);
        if (worker->slice.share_count == 0) {
            since = 0;
            if (!is_over(scheduler))
                pthread_cond_wait(&scheduler->compute_changed, &scheduler->mutex);
            continue;
        }
        wake_preparers_of(scheduler, &worker->slice);
        run_slice(scheduler, worker, since);
        since = clock_nanoseconds();
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return NULL;
}

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

bool scheduler_has_room(struct scheduler *scheduler, uint64_t body_bytes) {
    pthread_mutex_lock(&scheduler->mutex);
    struct backlog backlog = backlog_of(scheduler);
    bool room = admission_has_room(&backlog, forecast_body_tokens(&scheduler->forecast, body_bytes));
    pthread_mutex_unlock(&scheduler->mutex);
    return room;
}

uint64_t scheduler_retry_milliseconds(struct scheduler *scheduler, uint64_t body_bytes,
                                      uint64_t bytes_to_free) {
    pthread_mutex_lock(&scheduler->mutex);
    struct backlog backlog = backlog_of(scheduler);
    double tokens = forecast_body_tokens(&scheduler->forecast, body_bytes);
    uint64_t milliseconds = admission_promise(&scheduler->admission, &backlog, tokens, bytes_to_free);
    pthread_mutex_unlock(&scheduler->mutex);
    return milliseconds;
}

void scheduler_submit(struct scheduler *scheduler, struct job *job) {
    pthread_mutex_lock(&scheduler->mutex);
    job->phase = JOB_RECEIVED;
    job->heavy = job->body_size > LIGHT_BYTES;
    job->unprepared_tokens = forecast_body_tokens(&scheduler->forecast, job->body_size);
    job_list_append(&scheduler->jobs, job);
    wake_preparer(scheduler, job);
    pthread_mutex_unlock(&scheduler->mutex);
}

struct job *scheduler_take_finished(struct scheduler *scheduler) {
    pthread_mutex_lock(&scheduler->mutex);
    struct job *finished = scheduler->finished.first;
    scheduler->finished = (struct job_list){0};
    pthread_mutex_unlock(&scheduler->mutex);
    return finished;
}

bool scheduler_cancel(struct scheduler *scheduler, struct job *job) {
    atomic_store(&job->cancel, true);
    pthread_mutex_lock(&scheduler->mutex);
    bool removed = !job->in_preparation && job->batches == 0 && job->phase != JOB_FINISHED;
    if (removed)
        job_list_remove(&scheduler->jobs, job);
    pthread_mutex_unlock(&scheduler->mutex);
    return removed;
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
        uint64_t began = scheduler->workers[i].slice_began;
        load.stuck |= began != 0 && backlog.now > began + STUCK_AFTER_NANOSECONDS;
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return load;
}

/* --- start and end --- */

/* The first slice, so that the first prediction rests on something. It is short, since a start waits for it;
 * the self-test before it has brought the weights into memory. */
static enum status warm_up(struct scheduler *scheduler, size_t number, struct error *error) {
    struct session *session = scheduler->options.sessions->sessions[number];
    const struct model *model = scheduler->options.service->all[number].model;
    static const char text[] = "the first slice of all, to see how long one takes ";
    char query[sizeof text * WARM_UP_TEXTS];
    struct passage_score score;
    struct call_usage usage;
    query[0] = '\0';
    for (size_t i = 0; i < WARM_UP_TEXTS; i++)
        strcat(query, text);
    uint32_t length = model->max_length < WARM_UP_TOKENS ? model->max_length : WARM_UP_TOKENS;
    const struct call_options options = {.max_length = length};
    struct bytes passage = bytes_of_string(query);
    enum status status = session_rerank(session, passage, &passage, 1, &options, &score, &usage, error);
    if (status == STATUS_OK)
        forecast_begin(&scheduler->forecast, usage.tokens, usage.compute_nanoseconds);
    return status;
}

/* Every model, the first one last: predictions rest on the newest measurement. */
static enum status warm_up_all(struct scheduler *scheduler, struct error *error) {
    enum status status = STATUS_OK;
    for (size_t i = scheduler->options.service->count; status == STATUS_OK && i > 0; i--)
        status = warm_up(scheduler, i - 1, error);
    return status;
}

static enum status create_sessions(struct scheduler *scheduler, struct error *error) {
    const struct session_set *first = scheduler->options.sessions;
    for (size_t i = 0; i < scheduler->worker_count; i++) {
        struct worker *worker = &scheduler->workers[i];
        worker->scheduler = scheduler;
        worker->slice.worker = i;
        worker->slice.sessions = i == 0 ? first : &worker->sessions;
        enum status status =
            i == 0 ? STATUS_OK : session_set_create(scheduler->options.models, &worker->sessions, error);
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
        status = start_thread(scheduler, &preparer->thread, run_preparer, preparer, error);
    }
    for (size_t i = 0; i < scheduler->worker_count && status == STATUS_OK; i++) {
        struct worker *worker = &scheduler->workers[i];
        status = start_thread(scheduler, &worker->thread, run_worker, worker, error);
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
    forecast_init(&scheduler->forecast);
    pthread_mutex_init(&scheduler->mutex, NULL);
    pthread_cond_init(&scheduler->compute_changed, NULL);
    pthread_cond_init(&scheduler->started_changed, NULL);
    for (size_t i = 0; i < PREPARERS; i++)
        pthread_cond_init(&scheduler->preparers[i].changed, NULL);
    enum status status = create_sessions(scheduler, error);
    if (status == STATUS_OK)
        status = warm_up_all(scheduler, error);
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
    for (size_t i = 0; i < scheduler->worker_count; i++) {
        session_set_destroy(&scheduler->workers[i].sessions);
    }
    for (size_t i = 0; i < PREPARERS; i++)
        pthread_cond_destroy(&scheduler->preparers[i].changed);
    pthread_cond_destroy(&scheduler->started_changed);
    pthread_cond_destroy(&scheduler->compute_changed);
    pthread_mutex_destroy(&scheduler->mutex);
    free(scheduler->workers);
    free(scheduler);
}
