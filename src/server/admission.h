/* Is one more request taken, and if not, when will it be? Not thread-safe.
 *
 * The wait of a request is predicted as the scheduler orders work: what has less left than it goes first,
 * what has more does not hold it up. A refusal names the time at which there should be room for it, later by
 * the work of those who were refused before it and have not had the time to come back; so that clients who
 * obey come back one after the other and not all at once. */
#ifndef RESCOLDO_SERVER_ADMISSION_H
#define RESCOLDO_SERVER_ADMISSION_H

#include "server/forecast.h"
#include "server/job.h"
#include "server/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define ADMISSION_PROMISES ((size_t)256)

/* What a request asks for that has not been read. */
struct demand {
    double tokens;
    size_t model; /* its number, or FORECAST_ANY_MODEL */
};

/* To a refused client: come back then. */
struct promise {
    uint64_t due; /* clock_nanoseconds() */
    struct demand demand;
};

struct admission {
    struct promise promises[ADMISSION_PROMISES];
    size_t promise_count;
};

/* What the decision rests on. */
struct backlog {
    const struct job_list *jobs;
    const struct forecast *forecast;
    const struct limits *limits;
    size_t workers;
    uint64_t now; /* clock_nanoseconds() */
};

/* Memory that a request lacks until jobs that hold some are done. */
struct shortage {
    uint64_t body_bytes, work_bytes;
};

/* Predicted time until all jobs are done. */
uint64_t backlog_nanoseconds(const struct backlog *backlog);

/* Would the request be taken? One alone always is, however long it runs. */
bool admission_has_room(const struct backlog *backlog, const struct demand *demand);

/* For a refused request: milliseconds until it will be taken and until the jobs that are done then have freed
 * what it lacks. Remembers the promise. */
uint64_t admission_promise(struct admission *admission, const struct backlog *backlog,
                           const struct demand *demand, struct shortage shortage);

#endif
