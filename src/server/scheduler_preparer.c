#include "base/clock.h"
#include "server/preparation.h"
#include "server/scheduler_internal.h"

#define PREPARATION_NICENESS 5

/* Replies first: they free memory and a client. Then the shortest. */
static struct job *next_preparation(const struct scheduler *scheduler, bool heavy) {
    struct job *best = NULL;
    for (struct job *job = scheduler->jobs.first; job != NULL; job = job->next) {
        if (job->heavy != heavy || !scheduler_wants_preparation(scheduler, job))
            continue;
        if (job->phase == JOB_REPLYING)
            return job;
        if (best == NULL || job_remaining_nanoseconds(job, &scheduler->forecast) <
                                job_remaining_nanoseconds(best, &scheduler->forecast))
            best = job;
    }
    return best;
}

/* What a step outside the lock found out. */
struct step {
    uint64_t began;
    bool good;
    struct api_error error; /* when not good */
};

static struct step prepare(const struct scheduler *scheduler, struct job *job, enum job_phase phase,
                           const struct forecast_ratio *of_texts) {
    struct step step = {.began = clock_nanoseconds(), .good = true};
    if (phase == JOB_REPLYING) {
        preparation_reply(job);
        return step;
    }
    if (phase == JOB_RECEIVED) {
        step.good = preparation_read(scheduler->options.service, job, &step.error);
        if (!step.good || job->dialect->kind == WORK_OTHER)
            return step;
        preparation_expect(of_texts, job);
    }
    step.good = preparation_tokenize(job, scheduler->lookahead, &step.error);
    return step;
}

static void learn(struct forecast *forecast, const struct job *job) {
    const struct expectation *expectation = &job->expectation;
    forecast_learn_body(forecast, job->body_size, job->prepared_tokens);
    if (preparation_is_telling(job))
        forecast_learn_texts(forecast, expectation->texts, expectation->text_bytes, job->prepared_tokens);
}

/* Takes over what a step has prepared; with the mutex held. */
static bool take_prepared(struct scheduler *scheduler, struct job *job, struct step *step) {
    const struct request *request = &job->request;
    struct error failure;
    job->model = (size_t)(job->service - job->service->all);
    job->work_bytes = job->claim.bytes;
    if (sequence_queue_move(&job->prepared, &job->request.ready, &failure) != STATUS_OK)
        return api_refuse_failure(&step->error, &failure) == 0;
    job->ready_tokens = sequence_queue_tokens(&request->ready);
    bool computes = job->dialect->kind != WORK_OTHER;
    if (!computes)
        job->started_at = step->began;
    bool all = !computes || request_is_prepared(request);
    job->unprepared_tokens = all ? 0 : preparation_tokens_left(job);
    job->phase = all ? JOB_PREPARED : JOB_PREPARING;
    if (all && computes)
        learn(&scheduler->forecast, job);
    return true;
}

static void prepare_job(struct scheduler *scheduler, struct job *job) {
    enum job_phase phase = job->phase;
    struct forecast_ratio of_texts = scheduler->forecast.of_texts;
    job->in_preparation = true;
    pthread_mutex_unlock(&scheduler->mutex);
    struct step step = prepare(scheduler, job, phase, &of_texts);
    pthread_mutex_lock(&scheduler->mutex);
    job->in_preparation = false;
    if (phase == JOB_REPLYING)
        scheduler_finish(scheduler, job);
    else if (job_is_ended(job)) /* in the meantime: by a slice, by its deadline, by its client */
        scheduler_settle(scheduler, job);
    else if (!step.good || !take_prepared(scheduler, job, &step))
        scheduler_fail(scheduler, job, &step.error);
    else
        scheduler_settle(scheduler, job);
    if (job->ready_tokens > 0)
        pthread_cond_broadcast(&scheduler->compute_changed);
}

void *scheduler_run_preparer(void *argument) {
    struct preparer *preparer = argument;
    struct scheduler *scheduler = preparer->scheduler;
    scheduler_lower_priority(PREPARATION_NICENESS);
    pthread_mutex_lock(&scheduler->mutex);
    scheduler_report_start(scheduler);
    while (!scheduler_is_over(scheduler)) {
        struct job *job = next_preparation(scheduler, preparer->heavy);
        if (job != NULL)
            prepare_job(scheduler, job);
        else
            pthread_cond_wait(&preparer->changed, &scheduler->mutex);
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return NULL;
}
