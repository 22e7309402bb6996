/* The fields of a body that say how its texts are read and scored, under the names that every dialect has for
 * them: a client may send any of them on any path, and none that changes a result is passed over. Every
 * function returns 0, or -1 with the error set; a field that is absent or null changes nothing. fields is the
 * body, or an object in it that may be NULL. */
#ifndef RESCOLDO_SERVER_OPTION_FIELDS_H
#define RESCOLDO_SERVER_OPTION_FIELDS_H

#include "server/dialect.h"

/* What becomes of a text that is too long: truncate (a boolean, or Cohere's and NVIDIA's "NONE", "END",
 * "START"), truncation (a boolean), truncation_direction and truncation_side ("left", "right"),
 * truncate_prompt_tokens (the length of a sequence with its special tokens; -1: the model's). */
int read_truncation(const struct service *service, struct work *work, const json_t *fields,
                    struct api_error *error);

/* Of the body of a rerank request: the truncation, max_tokens_per_doc and max_doc_length, max_chunks_per_doc
 * and overlap_tokens, and whether scores are the model's own: raw_scores, use_activation, activation. */
int read_rerank_options(const struct service *service, struct work *work, struct api_error *error);

/* max_tokens: so many tokens of each text are embedded. */
int read_max_tokens(const struct service *service, struct work *work, struct api_error *error);

/* Whether vectors get the length 1: normalize, normalized, use_activation, and embd_normalize (2 or -1). */
int read_normalization(struct work *work, const json_t *fields, struct api_error *error);

/* Refuses what would change the results and cannot be had here, such as an instruction to the model; nothing
 * is refused that asks for what happens anyway. */
int refuse_unavailable(enum work_kind kind, const json_t *fields, struct api_error *error);

#endif
