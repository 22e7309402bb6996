/* What the replies of many dialects hold, written in one way. */
#ifndef RESCOLDO_SERVER_REPLY_FIELDS_H
#define RESCOLDO_SERVER_REPLY_FIELDS_H

#include "server/dialect.h"

/* usage: {prompt_tokens, total_tokens}. */
void reply_usage(const struct work *work, struct json_writer *writer);

/* Cohere's meta: {api_version: {version}, billed_units: {UNIT: count}, and what the caller writes before it
 * ends the object. */
void reply_begin_meta(const char *version, const char *unit, uint64_t count, struct json_writer *writer);

/* The members logit or cosine, tokens, truncated, characters_used, and windows where there are several. */
void reply_score_details(const struct service *service, const struct passage_score *score,
                         struct json_writer *writer);

/* An array of one JSON number per dimension, or one base64 string. */
void reply_embedding(const float *vector, size_t size, enum embedding_type type, struct json_writer *writer);

/* The members of an object of the request, but for one of that name (NULL: all); nothing of
 * another value. */
void reply_members(const json_t *object, const char *without, struct json_writer *writer);

/* The embedding of that text. */
const float *work_embedding(const struct service *service, const struct work *work, size_t index);

#endif
