#include "base/clock.h"
#include "server/scheduler_internal.h"

#define LIGHT_BYTES ((uint64_t)65536) /* of a body, and of a reply */

bool job_body_is_heavy(const struct job *job) {
    return job->body_size > LIGHT_BYTES;
}

static bool reply_is_heavy(const struct job *job) {
    const struct work *work = &job->work;
    uint64_t size = work->text_count * (uint64_t)256;
    if (work->embeddings != NULL)
        size += work->text_count * (uint64_t)job->service->model->shape.hidden_size * 12;
    if (work->return_documents)
        size += job->body_size;
    return size > LIGHT_BYTES;
}

void scheduler_wake_preparer(struct scheduler *scheduler, const struct job *job) {
    pthread_cond_signal(&scheduler->preparers[job->heavy ? 1 : 0].changed);
}

bool scheduler_wants_preparation(const struct scheduler *scheduler, const struct job *job) {
    if (job->in_preparation)
        return false;
    return job->phase == JOB_RECEIVED || job->phase == JOB_REPLYING ||
           (job->phase == JOB_PREPARING && !job_is_ended(job) && job->ready_tokens < scheduler->lookahead);
}

void scheduler_end_work(struct job *job) {
    job->unprepared_tokens = 0;
    job->ready_tokens = 0;
}

void scheduler_settle(struct scheduler *scheduler, struct job *job) {
    if (job->in_preparation || job->batches > 0 || job->phase >= JOB_REPLYING)
        return;
    bool ended = job_is_ended(job);
    if (!ended && (job->phase != JOB_PREPARED || job->ready_tokens > 0))
        return;
    job->phase = JOB_REPLYING;
    job->heavy = ended ? job_body_is_heavy(job) : reply_is_heavy(job);
    scheduler_wake_preparer(scheduler, job);
}

void scheduler_fail(struct scheduler *scheduler, struct job *job, const struct api_error *error) {
    job->error = *error;
    job->failed = true;
    scheduler_end_work(job);
    scheduler_settle(scheduler, job);
}

void scheduler_finish(struct scheduler *scheduler, struct job *job) {
    job->phase = JOB_FINISHED;
    job->finished_at = clock_nanoseconds();
    if (job->started_at == 0)
        job->started_at = job->finished_at;
    job_list_remove(&scheduler->jobs, job);
    job_list_append(&scheduler->finished, job);
    scheduler->options.wake(scheduler->options.wake_argument);
    if (!scheduler_is_over(scheduler))
        return;
    pthread_cond_broadcast(&scheduler->compute_changed);
    for (size_t i = 0; i < PREPARERS; i++)
        pthread_cond_signal(&scheduler->preparers[i].changed);
}
