#include "server/job.h"

#include <stdlib.h>

void job_free(struct job *job) {
    if (job == NULL)
        return;
    buffer_free(&job->body);
    buffer_free(&job->reply);
    work_free(&job->work);
    request_free(&job->request);
    recall_free(&job->recall);
    sequence_queue_free(&job->prepared);
    memory_claim_release(&job->claim);
    free(job);
}

void job_list_append(struct job_list *list, struct job *job) {
    job->previous = list->last;
    job->next = NULL;
    if (list->last == NULL)
        list->first = job;
    else
        list->last->next = job;
    list->last = job;
}

void job_list_remove(struct job_list *list, struct job *job) {
    if (job->previous == NULL)
        list->first = job->next;
    else
        job->previous->next = job->next;
    if (job->next == NULL)
        list->last = job->previous;
    else
        job->next->previous = job->previous;
    job->previous = job->next = NULL;
}

bool job_is_ended(const struct job *job) {
    return job->failed || atomic_load(&job->cancel);
}

double job_remaining_tokens(const struct job *job) {
    return job->unprepared_tokens + (double)(job->ready_tokens + job->batched_tokens);
}

double job_remaining_nanoseconds(const struct job *job, const struct forecast *forecast) {
    return job_remaining_tokens(job) * forecast_nanoseconds_per_token(forecast, job->model);
}
