#include "server/admission.h"

/* Jobs are put in order up to this many; the rest counts as average. */
#define MAX_SORTED ((size_t)256)
/* Predictions are a little off; who comes a little late gets in, who comes a little early does not. */
#define MARGIN 1.1
/* Both sides are estimates: a job with up to so many times the tokens of a request counts as going before it.
 */
#define AHEAD                  2.0
#define MIN_RETRY_MILLISECONDS ((uint64_t)50)
#define UNKNOWN_BYTES_WAIT     1e9 /* nanoseconds: for bodies that are still being read */
#define NANOSECONDS_PER_SECOND 1e9
/* In nanoseconds; what is longer might not fit its type. */
#define LONGEST_WAIT 1e16

struct entry {
    double nanoseconds;
    struct shortage frees;
};

/* Nanoseconds are of one worker, until shared among all. */
struct summary {
    size_t jobs, waiting; /* waiting: beyond one for each worker */
    double tokens;        /* left, of all jobs */
    double nanoseconds;   /* for them */
    double ahead;         /* of those for the jobs that go before the request */
};

/* Of one worker. */
static double nanoseconds_of(const struct backlog *backlog, const struct demand *demand) {
    return demand->tokens * forecast_nanoseconds_per_token(backlog->forecast, demand->model);
}

static double shared(const struct backlog *backlog, double nanoseconds) {
    return nanoseconds / (double)backlog->workers;
}

static uint64_t bounded(double nanoseconds) {
    return nanoseconds < LONGEST_WAIT ? (uint64_t)nanoseconds : (uint64_t)LONGEST_WAIT;
}

static struct summary summarize(const struct backlog *backlog, const struct demand *demand) {
    struct summary summary = {0};
    double most = AHEAD * nanoseconds_of(backlog, demand);
    for (const struct job *job = backlog->jobs->first; job != NULL; job = job->next) {
        double nanoseconds = job_remaining_nanoseconds(job, backlog->forecast);
        summary.jobs++;
        summary.tokens += job_remaining_tokens(job);
        summary.nanoseconds += nanoseconds;
        summary.ahead += nanoseconds <= most ? nanoseconds : 0;
    }
    summary.waiting = summary.jobs > backlog->workers ? summary.jobs - backlog->workers : 0;
    return summary;
}

uint64_t backlog_nanoseconds(const struct backlog *backlog) {
    const struct demand none = {0};
    return bounded(shared(backlog, summarize(backlog, &none).nanoseconds));
}

bool admission_has_room(const struct backlog *backlog, const struct demand *demand) {
    const struct limits *limits = backlog->limits;
    struct summary summary = summarize(backlog, demand);
    if (summary.jobs == 0)
        return true;
    return summary.waiting < limits->max_queued_requests &&
           summary.tokens + demand->tokens <= (double)limits->max_queued_tokens &&
           shared(backlog, summary.ahead) < (double)limits->max_queue_seconds * NANOSECONDS_PER_SECOND;
}

/* The first jobs by what is left of them. By insertion: there are few, and qsort of the C library asks the
 * system how much memory it has, which a sealed process may not. */
static size_t sort_jobs(const struct backlog *backlog, struct entry entries[MAX_SORTED]) {
    size_t count = 0;
    for (const struct job *job = backlog->jobs->first; job != NULL && count < MAX_SORTED; job = job->next) {
        struct entry entry = {job_remaining_nanoseconds(job, backlog->forecast),
                              {job->body_size, job->work_bytes}};
        size_t place = count++;
        for (; place > 0 && entries[place - 1].nanoseconds > entry.nanoseconds; place--)
            entries[place] = entries[place - 1];
        entries[place] = entry;
    }
    return count;
}

static bool covers(const struct shortage *freed, const struct shortage *shortage) {
    return freed->body_bytes >= shortage->body_bytes && freed->work_bytes >= shortage->work_bytes;
}

/* One worker's time until so many jobs are done and have freed what is lacking; negative when all of them are
 * not enough for that. */
static double nanoseconds_until(const struct backlog *backlog, const struct summary *summary, size_t jobs,
                                const struct shortage *shortage) {
    struct entry entries[MAX_SORTED];
    size_t count = sort_jobs(backlog, entries);
    double nanoseconds = 0;
    struct shortage freed = {0};
    size_t done = 0;
    for (; done < count && (done < jobs || !covers(&freed, shortage)); done++) {
        nanoseconds += entries[done].nanoseconds;
        freed.body_bytes += entries[done].frees.body_bytes;
        freed.work_bytes += entries[done].frees.work_bytes;
    }
    if (!covers(&freed, shortage))
        return -1;
    if (done < jobs && summary->jobs > 0)
        nanoseconds += (double)(jobs - done) * summary->nanoseconds / (double)summary->jobs;
    return nanoseconds;
}

/* Forgets the promises whose time has come. */
static void forget(struct admission *admission, uint64_t now) {
    size_t kept = 0;
    for (size_t i = 0; i < admission->promise_count; i++) {
        if (admission->promises[i].due > now)
            admission->promises[kept++] = admission->promises[i];
    }
    admission->promise_count = kept;
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

/* What the first promises hold; nanoseconds are of one worker. */
struct promised {
    double tokens, nanoseconds;
};

static struct promised add_promises(const struct admission *admission, const struct backlog *backlog,
                                    size_t count) {
    struct promised promised = {0};
    for (size_t i = 0; i < count; i++) {
        promised.tokens += admission->promises[i].demand.tokens;
        promised.nanoseconds += nanoseconds_of(backlog, &admission->promises[i].demand);
    }
    return promised;
}

/* One worker's time until the tokens left and promised are so few that the request's fit beside them. One
 * that is larger than the whole queue may be gets in when it is empty. */
static double nanoseconds_of_excess(const struct backlog *backlog, const struct summary *summary,
                                    double tokens) {
    double excess = summary->tokens + tokens - (double)backlog->limits->max_queued_tokens;
    if (excess >= summary->tokens)
        return summary->nanoseconds;
    return excess > 0 ? summary->nanoseconds * excess / summary->tokens : 0;
}

uint64_t admission_promise(struct admission *admission, const struct backlog *backlog,
                           const struct demand *demand, struct shortage shortage) {
    const struct limits *limits = backlog->limits;
    struct summary summary = summarize(backlog, demand);
    forget(admission, backlog->now);
    /* At most one more turn of the queue is kept free for the promised: not all of them obey. */
    size_t turn = (size_t)limits->max_queued_requests + backlog->workers;
    size_t count = admission->promise_count < turn ? admission->promise_count : turn;
    size_t most = (size_t)limits->max_queued_requests;
    size_t jobs = summary.waiting + count >= most ? summary.waiting + count - most + 1 : 0;
    double until = nanoseconds_until(backlog, &summary, jobs, &shortage);
    double wait =
        until < 0 ? shared(backlog, summary.nanoseconds) + UNKNOWN_BYTES_WAIT : shared(backlog, until);
    struct promised promised = add_promises(admission, backlog, count);
    double allowed = (double)limits->max_queue_seconds * NANOSECONDS_PER_SECOND;
    wait = larger(wait, shared(backlog, summary.ahead + promised.nanoseconds) - allowed);
    double excess = nanoseconds_of_excess(backlog, &summary, promised.tokens + demand->tokens);
    wait = larger(wait, shared(backlog, excess));
    uint64_t milliseconds = bounded(wait * MARGIN) / 1000000 + MIN_RETRY_MILLISECONDS;
    if (admission->promise_count < ADMISSION_PROMISES)
        admission->promises[admission->promise_count++] =
            (struct promise){backlog->now + milliseconds * 1000000, *demand};
    return milliseconds;
}
