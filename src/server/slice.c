#include "server/slice.h"

#include "base/clock.h"

/* The slice in which the oldest job goes first, if it had nothing of those before. */
#define OLDEST_EVERY 4u
/* How long a slice may take, and with it a small request wait, as far as sequences can be told apart. */
#define SLICE_NANOSECONDS 20e6
/* From so many tokens on a larger batch computes them 1 to 3 % faster: too little to hold up the jobs that
 * are in the slice for those of others. */
#define SLICE_ENOUGH_TOKENS ((size_t)128)

static struct session *session_of(const struct slice *slice, const struct job *job) {
    return slice->sessions->sessions[job->model];
}

static bool can_run(const struct job *job, const struct slice *slice, uint64_t number) {
    return job->ready_tokens > 0 && !job_is_ended(job) && job->visited_slice != number &&
           (!job->awaits_query || job->query_worker == slice->worker) &&
           (slice->session == NULL || slice->session == session_of(slice, job));
}

static struct job *oldest(const struct job_list *jobs, const struct slice *slice, uint64_t number) {
    struct job *job = jobs->first;
    while (job != NULL && !can_run(job, slice, number))
        job = job->next;
    return job;
}

/* Of equal ones the older. */
static struct job *shortest(const struct job_list *jobs, const struct slice *slice, uint64_t number,
                            const struct forecast *forecast) {
    struct job *best = NULL;
    for (struct job *job = jobs->first; job != NULL; job = job->next) {
        if (can_run(job, slice, number) && (best == NULL || job_remaining_nanoseconds(job, forecast) <
                                                                job_remaining_nanoseconds(best, forecast)))
            best = job;
    }
    return best;
}

/* An embedder's passages are compared with their query: until its vector is there, they may follow it in the
 * same batch only. */
static void note_query(struct job *job, const struct slice *slice) {
    const struct request *request = &job->request;
    if (request->input.kind == REQUEST_RERANK && request->model->kind == MODEL_EMBEDDER &&
        !request->query_delivered && !job->awaits_query) {
        job->awaits_query = true;
        job->query_worker = slice->worker;
    }
}

/* How far the batch is filled from a job's sequences, and its first sequence in any case. */
static size_t most_tokens(const struct slice *slice, const struct job *job, const struct forecast *forecast) {
    if (slice->share_count > 0)
        return SLICE_ENOUGH_TOKENS;
    double tokens = SLICE_NANOSECONDS / forecast_nanoseconds_per_token(forecast, job->model);
    if (tokens >= (double)session_max_batch_tokens(slice->session))
        return session_max_batch_tokens(slice->session);
    return tokens > (double)SLICE_ENOUGH_TOKENS ? (size_t)tokens : SLICE_ENOUGH_TOKENS;
}

static bool has_room(const struct slice *slice, const struct sequence_queue *ready, size_t most) {
    size_t tokens = session_batch_tokens(slice->session);
    return sequence_queue_count(ready) > 0 &&
           (tokens == 0 || tokens + sequence_queue_front(ready)->count <= most);
}

static void add(struct slice *slice, struct job *job, const struct forecast *forecast) {
    slice->session = session_of(slice, job);
    size_t before = session_batch_tokens(slice->session), most = most_tokens(slice, job, forecast);
    while (has_room(slice, &job->request.ready, most) && session_add(slice->session, &job->request))
        continue;
    uint64_t added = session_batch_tokens(slice->session) - before;
    if (added == 0)
        return;
    job->ready_tokens -= added;
    job->batched_tokens += added;
    job->batches++;
    if (job->started_at == 0)
        job->started_at = clock_nanoseconds();
    note_query(job, slice);
    slice->shares[slice->share_count++] = (struct slice_share){job, added};
}

static bool has_room_for_others(const struct slice *slice) {
    return slice->session == NULL || session_batch_tokens(slice->session) < SLICE_ENOUGH_TOKENS;
}

static bool has_share(const struct slice *slice, const struct job *job) {
    size_t i = 0;
    while (i < slice->share_count && slice->shares[i].job != job)
        i++;
    return i < slice->share_count;
}

void slice_fill(struct slice *slice, struct slice_order *order, const struct job_list *jobs,
                const struct forecast *forecast) {
    slice->session = NULL;
    slice->share_count = 0;
    uint64_t number = ++order->slices;
    const struct job *first = oldest(jobs, slice, number);
    struct job *job = order->without_oldest + 1 >= OLDEST_EVERY ? oldest(jobs, slice, number)
                                                                : shortest(jobs, slice, number, forecast);
    while (job != NULL && slice->share_count < SLICE_MAX_JOBS && has_room_for_others(slice)) {
        job->visited_slice = number;
        add(slice, job, forecast);
        job = shortest(jobs, slice, number, forecast);
    }
    order->without_oldest = first == NULL || has_share(slice, first) ? 0 : order->without_oldest + 1;
}

void slice_end(struct slice *slice, bool good) {
    if (good)
        session_deliver(slice->session);
    session_discard(slice->session);
    for (size_t i = 0; i < slice->share_count; i++) {
        struct job *job = slice->shares[i].job;
        job->batches--;
        job->batched_tokens -= slice->shares[i].tokens;
        job->awaits_query = job->awaits_query && !job->request.query_delivered;
    }
}
