/* What is done for a job beside computing: its body becomes work for the engine, its texts become sequences,
 * its results become a reply. Runs on the preparation threads, without the scheduler's lock.
 * False is failure, with the error set. */
#ifndef RESCOLDO_SERVER_PREPARATION_H
#define RESCOLDO_SERVER_PREPARATION_H

#include "server/forecast.h"
#include "server/job.h"

#include <stdbool.h>

/* Parses the body, chooses job->service among those of the server, reads the body and tokenizes the query;
 * frees the body. */
bool preparation_read(const struct service *service, struct job *job, struct api_error *error);

/* Estimated tokens of a job just read, from a copy of the scheduler's forecast; sets job->text_bytes. */
double preparation_estimate(const struct forecast *forecast, struct job *job);

/* Tokenizes texts into job->prepared until it holds so many tokens or none is left. */
bool preparation_tokenize(struct job *job, size_t enough_tokens, struct api_error *error);

/* Writes the reply, or job->error when the job has failed; frees all but the reply. */
void preparation_reply(struct job *job);

#endif
