/* One slice of compute: the next sequences of the jobs whose turn it is, in one batch of a session.
 * scheduler.h says whose turn it is and why. All of it under the scheduler's lock. */
#ifndef RESCOLDO_SERVER_SLICE_H
#define RESCOLDO_SERVER_SLICE_H

#include "engine/request.h"
#include "engine/session_set.h"
#include "server/job.h"

/* Jobs in one slice; more would only make the choosing longer. */
#define SLICE_MAX_JOBS ((size_t)64)

/* A job with sequences in the batch. */
struct slice_share {
    struct job *job;
    uint64_t tokens;
};

/* Of one worker. */
struct slice {
    const struct session_set *sessions; /* not owned; of the services, in their order */
    struct session *session;            /* the one of them that runs; NULL: no job has been chosen yet */
    size_t worker;
    struct slice_share shares[SLICE_MAX_JOBS]; /* [share_count] */
    size_t share_count;
};

/* Of all workers together. */
struct slice_order {
    uint64_t slices;         /* begun so far */
    unsigned without_oldest; /* slices since the oldest job had its last share */
};

/* Chooses a session and fills its batch from the jobs of its model; they are in order of submission.
 * share_count is 0 when there is nothing to run. */
void slice_fill(struct slice *slice, struct slice_order *order, const struct job_list *jobs,
                const struct forecast *forecast);

/* After the run: hands the outputs to the jobs (or throws them away after a failure), whose batches it no
 * longer is. The shares stay for the caller to go through. */
void slice_end(struct slice *slice, bool good);

#endif
