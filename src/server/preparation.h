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

/* Sets the job's expectation, once it has been read. */
void preparation_expect(const struct forecast_ratio *of_texts, struct job *job);

/* Tokenizes texts into job->prepared until it holds so many tokens or none is left. */
bool preparation_tokenize(struct job *job, size_t enough_tokens, struct api_error *error);

/* Estimated tokens of the texts that are not tokenized yet. */
double preparation_tokens_left(const struct job *job);

/* Do the texts of a job that is all tokenized tell how many tokens a text of their size has? Not when texts
 * were cut, or their results known already. */
bool preparation_is_telling(const struct job *job);

/* Writes the reply, or job->error when the job has failed; frees all but the reply. */
void preparation_reply(struct job *job);

#endif
