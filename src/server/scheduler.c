#include "server/scheduler.h"

#include "base/clock.h"
#include "server/json_body.h"

#include <pthread.h>
#include <stdlib.h>

#define STUCK_AFTER_NANOSECONDS ((uint64_t)30 * 1000000000)
#define MEASUREMENTS            ((size_t)9)
#define MIN_RETRY_MILLISECONDS  ((uint64_t)100)

struct scheduler {
    struct scheduler_options options;
    pthread_t worker;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    struct job *first, *last; /* the queue */
    struct job *running;
    struct job *finished_first, *finished_last;
    uint64_t queued_requests;
    uint64_t queued_bytes;
    uint64_t running_bytes, running_since;
    double measured[MEASUREMENTS]; /* nanoseconds per byte of the last finished jobs */
    size_t measured_count;
    double nanoseconds_per_byte; /* their median, which one job on a stalled machine does not move; 0 before
                                    the first */
    uint64_t running_deadline;
    bool stopping;
};

void job_free(struct job *job) {
    if (job == NULL)
        return;
    buffer_free(&job->body);
    buffer_free(&job->reply);
    free(job);
}

/* --- the worker --- */

/* *dialect is set as soon as the body tells it. */
static int compute(const struct scheduler *scheduler, struct job *job, struct work *work,
                   const struct dialect **dialect, struct api_error *error) {
    const struct service *service = scheduler->options.service;
    struct bytes body = buffer_bytes(&job->body);
    if (atomic_load(&job->cancel))
        return api_refuse(error, 499, "cancelled", "the client has gone");
    if (clock_nanoseconds() >= job->deadline_at)
        return api_refuse(error, 504, "deadline_exceeded", "the request waited longer than its time limit");
    if (json_body_parse(body, service->limits, &work->document, error) != 0)
        return -1;
    buffer_free(&job->body);
    *dialect = dialect_choose(job->dialects, service, work->document);
    if ((*dialect)->read(service, work, error) != 0)
        return -1;
    work->options.cancel = &job->cancel;
    work->options.deadline_nanoseconds = job->deadline_at;
    return work_compute(service, *dialect, scheduler->options.session, work, error);
}

static void fail(struct job *job, const struct api_error *error) {
    job->http_status = error->status;
    job->error_code = error->code;
    job->reply.size = 0;
    if (api_error_write(error, &job->reply) != STATUS_OK)
        buffer_free(&job->reply);
}

static void run(const struct scheduler *scheduler, struct job *job) {
    struct work work = {0};
    struct api_error error;
    const struct dialect *dialect = NULL;
    if (compute(scheduler, job, &work, &dialect, &error) == 0) {
        struct json_writer writer = json_writer_to(&job->reply);
        dialect->write(scheduler->options.service, &work, job->request_id, &writer);
        job->http_status = 200;
        job->text_count = work.text_count;
        job->usage = work.usage;
        job->truncated_texts = work_truncated_texts(&work);
        struct error failure;
        if (json_writer_finish(&writer, &failure) != STATUS_OK && api_refuse_failure(&error, &failure) != 0)
            fail(job, &error);
    } else {
        api_error_set_form(&error,
                           dialect != NULL ? dialect->error_form : dialects_error_form(job->dialects));
        fail(job, &error);
    }
    work_free(&work);
    buffer_free(&job->body);
}

static struct job *next_job(struct scheduler *scheduler) {
    pthread_mutex_lock(&scheduler->mutex);
    while (scheduler->first == NULL && !scheduler->stopping)
        pthread_cond_wait(&scheduler->changed, &scheduler->mutex);
    struct job *job = scheduler->first;
    if (job != NULL) {
        scheduler->first = job->next;
        if (scheduler->first == NULL)
            scheduler->last = NULL;
        job->next = NULL;
        scheduler->queued_requests--;
        scheduler->queued_bytes -= job->body_size;
        scheduler->running = job;
        scheduler->running_bytes = job->body_size;
        scheduler->running_since = clock_nanoseconds();
        scheduler->running_deadline = job->deadline_at;
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return job;
}

/* With the mutex held. */
static void measure(struct scheduler *scheduler, double nanoseconds_per_byte) {
    scheduler->measured[scheduler->measured_count++ % MEASUREMENTS] = nanoseconds_per_byte;
    size_t count = scheduler->measured_count < MEASUREMENTS ? scheduler->measured_count : MEASUREMENTS;
    double sorted[MEASUREMENTS];
    for (size_t i = 0; i < count; i++) {
        size_t place = i;
        for (; place > 0 && sorted[place - 1] > scheduler->measured[i]; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = scheduler->measured[i];
    }
    scheduler->nanoseconds_per_byte = sorted[count / 2];
}

static void finish(struct scheduler *scheduler, struct job *job) {
    pthread_mutex_lock(&scheduler->mutex);
    scheduler->running = NULL;
    scheduler->running_bytes = 0;
    if (job->http_status == 200 && job->body_size > 0)
        measure(scheduler, (double)(job->finished_at - job->started_at) / (double)job->body_size);
    if (scheduler->finished_last == NULL)
        scheduler->finished_first = job;
    else
        scheduler->finished_last->next = job;
    scheduler->finished_last = job;
    pthread_mutex_unlock(&scheduler->mutex);
}

static void *work_through_queue(void *argument) {
    struct scheduler *scheduler = argument;
    for (;;) {
        struct job *job = next_job(scheduler);
        if (job == NULL)
            return NULL;
        job->started_at = clock_nanoseconds();
        run(scheduler, job);
        job->finished_at = clock_nanoseconds();
        finish(scheduler, job);
        scheduler->options.wake(scheduler->options.wake_argument);
    }
}

/* --- the I/O thread's side --- */

enum status scheduler_start(const struct scheduler_options *options, struct scheduler **scheduler,
                            struct error *error) {
    struct scheduler *made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the scheduler");
    made->options = *options;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->changed, NULL);
    int failure = pthread_create(&made->worker, NULL, work_through_queue, made);
    if (failure != 0) {
        free(made);
        return error_set_errno(error, failure, "cannot start the compute thread");
    }
    *scheduler = made;
    return STATUS_OK;
}

/* With the mutex held. A running job that has outlasted its prediction (or has none, being the first) is a
 * measurement already: the time per byte is at least what it shows, and it may take as long again. */
static uint64_t predicted_nanoseconds(const struct scheduler *scheduler) {
    double per_byte = scheduler->nanoseconds_per_byte;
    double remaining = 0;
    if (scheduler->running != NULL) {
        double bytes = scheduler->running_bytes > 0 ? (double)scheduler->running_bytes : 1;
        double elapsed = (double)(clock_nanoseconds() - scheduler->running_since);
        double predicted = per_byte * bytes;
        remaining = predicted > elapsed ? predicted - elapsed : elapsed;
        per_byte = predicted > elapsed ? per_byte : elapsed / bytes;
    }
    return (uint64_t)(per_byte * (double)scheduler->queued_bytes + remaining);
}

bool scheduler_has_room(struct scheduler *scheduler, uint64_t *retry_after_milliseconds) {
    const struct limits *limits = scheduler->options.service->limits;
    pthread_mutex_lock(&scheduler->mutex);
    uint64_t waiting = predicted_nanoseconds(scheduler);
    /* One request alone is always taken, however long it is predicted to run. */
    bool idle = scheduler->running == NULL && scheduler->first == NULL;
    bool room = scheduler->queued_requests < limits->max_queued_requests &&
                (idle || waiting < limits->max_queue_seconds * 1000000000);
    pthread_mutex_unlock(&scheduler->mutex);
    /* By then half of the queue is done, so that not all who were refused find it full again. */
    uint64_t milliseconds = waiting / 2 / 1000000;
    *retry_after_milliseconds = milliseconds < MIN_RETRY_MILLISECONDS ? MIN_RETRY_MILLISECONDS : milliseconds;
    return room;
}

void scheduler_submit(struct scheduler *scheduler, struct job *job) {
    pthread_mutex_lock(&scheduler->mutex);
    job->next = NULL;
    if (scheduler->last == NULL)
        scheduler->first = job;
    else
        scheduler->last->next = job;
    scheduler->last = job;
    scheduler->queued_requests++;
    scheduler->queued_bytes += job->body_size;
    pthread_cond_signal(&scheduler->changed);
    pthread_mutex_unlock(&scheduler->mutex);
}

struct job *scheduler_take_finished(struct scheduler *scheduler) {
    pthread_mutex_lock(&scheduler->mutex);
    struct job *finished = scheduler->finished_first;
    scheduler->finished_first = scheduler->finished_last = NULL;
    pthread_mutex_unlock(&scheduler->mutex);
    return finished;
}

/* With the mutex held. */
static bool remove_queued(struct scheduler *scheduler, const struct job *job) {
    struct job *previous = NULL;
    struct job *entry = scheduler->first;
    while (entry != NULL && entry != job) {
        previous = entry;
        entry = entry->next;
    }
    if (entry == NULL)
        return false;
    if (previous == NULL)
        scheduler->first = entry->next;
    else
        previous->next = entry->next;
    if (scheduler->last == entry)
        scheduler->last = previous;
    entry->next = NULL;
    scheduler->queued_requests--;
    scheduler->queued_bytes -= entry->body_size;
    return true;
}

bool scheduler_cancel(struct scheduler *scheduler, struct job *job) {
    atomic_store(&job->cancel, true);
    pthread_mutex_lock(&scheduler->mutex);
    bool removed = remove_queued(scheduler, job);
    pthread_mutex_unlock(&scheduler->mutex);
    return removed;
}

struct scheduler_load scheduler_load(struct scheduler *scheduler) {
    pthread_mutex_lock(&scheduler->mutex);
    struct scheduler_load load = {
        .queued_requests = scheduler->queued_requests,
        .running_requests = scheduler->running == NULL ? 0 : 1,
        .predicted_nanoseconds = predicted_nanoseconds(scheduler),
        .stuck = scheduler->running != NULL &&
                 clock_nanoseconds() > scheduler->running_deadline + STUCK_AFTER_NANOSECONDS,
    };
    pthread_mutex_unlock(&scheduler->mutex);
    return load;
}

void scheduler_stop(struct scheduler *scheduler) {
    if (scheduler == NULL)
        return;
    pthread_mutex_lock(&scheduler->mutex);
    scheduler->stopping = true;
    pthread_cond_signal(&scheduler->changed);
    pthread_mutex_unlock(&scheduler->mutex);
    pthread_join(scheduler->worker, NULL);
    struct job *job = scheduler->finished_first;
    while (job != NULL) {
        struct job *next = job->next;
        job_free(job);
        job = next;
    }
    pthread_cond_destroy(&scheduler->changed);
    pthread_mutex_destroy(&scheduler->mutex);
    free(scheduler);
}
