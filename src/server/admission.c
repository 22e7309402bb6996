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

struct entry {
    double tokens;
    uint64_t body_bytes;
};

struct summary {
    size_t jobs, waiting; /* waiting: beyond one for each worker */
    double tokens;        /* left, of all jobs */
    double ahead;         /* of those that go before the request */
};

static double nanoseconds(const struct backlog *backlog, double tokens) {
    return tokens * backlog->forecast->nanoseconds_per_token / (double)backlog->workers;
}

static struct summary summarize(const struct backlog *backlog, double tokens) {
    struct summary summary = {0};
    for (const struct job *job = backlog->jobs->first; job != NULL; job = job->next) {
        double remaining = job_remaining_tokens(job);
        summary.jobs++;
        summary.tokens += remaining;
        summary.ahead += remaining <= AHEAD * tokens ? remaining : 0;
    }
    summary.waiting = summary.jobs > backlog->workers ? summary.jobs - backlog->workers : 0;
    return summary;
}

uint64_t backlog_nanoseconds(const struct backlog *backlog) {
    return (uint64_t)nanoseconds(backlog, summarize(backlog, 0).tokens);
}

bool admission_has_room(const struct backlog *backlog, double tokens) {
    const struct limits *limits = backlog->limits;
    struct summary summary = summarize(backlog, tokens);
    if (summary.jobs == 0)
        return true;
    return summary.waiting < limits->max_queued_requests &&
           summary.tokens + tokens <= (double)limits->max_queued_tokens &&
           nanoseconds(backlog, summary.ahead) < (double)limits->max_queue_seconds * NANOSECONDS_PER_SECOND;
}

/* The first jobs by what is left of them. By insertion: there are few, and qsort of the C library asks the
 * system how much memory it has, which a sealed process may not. */
static size_t sort_jobs(const struct job_list *jobs, struct entry entries[MAX_SORTED]) {
    size_t count = 0;
    for (const struct job *job = jobs->first; job != NULL && count < MAX_SORTED; job = job->next) {
        struct entry entry = {job_remaining_tokens(job), job->body_size};
        size_t place = count++;
        for (; place > 0 && entries[place - 1].tokens > entry.tokens; place--)
            entries[place] = entries[place - 1];
        entries[place] = entry;
    }
    return count;
}

/* Tokens to be computed until so many jobs are done and their bodies have freed so many bytes; negative when
 * all of them are not enough to free the bytes. */
static double tokens_until(const struct backlog *backlog, const struct summary *summary, size_t jobs,
                           uint64_t bytes) {
    struct entry entries[MAX_SORTED];
    size_t count = sort_jobs(backlog->jobs, entries);
    double tokens = 0;
    uint64_t freed = 0;
    size_t done = 0;
    for (; done < count && (done < jobs || freed < bytes); done++) {
        tokens += entries[done].tokens;
        freed += entries[done].body_bytes;
    }
    if (freed < bytes)
        return -1;
    if (done < jobs && summary->jobs > 0)
        tokens += (double)(jobs - done) * summary->tokens / (double)summary->jobs;
    return tokens;
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

/* At most one more turn of the queue is kept free for the promised: not all of them obey. */
static double promised_tokens(const struct admission *admission, size_t count) {
    double tokens = 0;
    for (size_t i = 0; i < count; i++)
        tokens += admission->promises[i].tokens;
    return tokens;
}

uint64_t admission_promise(struct admission *admission, const struct backlog *backlog, double tokens,
                           uint64_t bytes_to_free) {
    const struct limits *limits = backlog->limits;
    struct summary summary = summarize(backlog, tokens);
    forget(admission, backlog->now);
    size_t turn = (size_t)limits->max_queued_requests + backlog->workers;
    size_t promised = admission->promise_count < turn ? admission->promise_count : turn;
    size_t most = (size_t)limits->max_queued_requests;
    size_t jobs = summary.waiting + promised >= most ? summary.waiting + promised - most + 1 : 0;
    double until = tokens_until(backlog, &summary, jobs, bytes_to_free);
    double wait =
        until < 0 ? nanoseconds(backlog, summary.tokens) + UNKNOWN_BYTES_WAIT : nanoseconds(backlog, until);
    double ahead = promised_tokens(admission, promised);
    double allowed = (double)limits->max_queue_seconds * NANOSECONDS_PER_SECOND;
    wait = larger(wait, nanoseconds(backlog, summary.ahead + ahead) - allowed);
    double excess = summary.tokens + ahead + tokens - (double)limits->max_queued_tokens;
    /* A request larger than the whole queue may be gets in when it is empty. */
    wait = larger(wait, nanoseconds(backlog, excess < summary.tokens ? excess : summary.tokens));
    uint64_t milliseconds = (uint64_t)(wait * MARGIN / 1e6) + MIN_RETRY_MILLISECONDS;
    if (admission->promise_count < ADMISSION_PROMISES)
        admission->promises[admission->promise_count++] =
            (struct promise){backlog->now + milliseconds * 1000000, tokens};
    return milliseconds;
}
