/* Inside of engine/session.h: what a session holds, and one call on its way through it. Sequences are added
 * one by one; a full batch runs and its outputs are handed on. */
#ifndef RESCOLDO_ENGINE_CALL_H
#define RESCOLDO_ENGINE_CALL_H

#include "engine/batch.h"
#include "engine/encoder.h"
#include "engine/session.h"
#include "tokenizer/windows.h"

/* Whose output a sequence of the batch is, and which part of the text it covers. */
struct sequence_owner {
    size_t index; /* in the caller's arrays */
    uint32_t character_start, character_end;
};

struct session {
    const struct model *model;
    struct encoder *encoder;
    struct batch batch;
    struct sequence_owner *owners; /* [sequences of a batch] */
    size_t output_size;            /* floats per sequence */
    float *outputs;                /* [sequences of a batch][output_size] */
    float *query_vector;           /* [output_size] */
    struct tokens query;
    struct tokens text;
    enum invalid_utf8 invalid_utf8;
};

struct call {
    struct session *session;
    const struct call_options *options;
    uint32_t max_length;
    struct call_usage usage;
    /* Takes one output [output_size] of a sequence of `tokens` tokens. */
    void (*take)(struct call *call, const struct sequence_owner *owner, uint32_t tokens, const float *output);
    void *target; /* of take */
};

/* Checks the options; shortest: the least max_length that makes sense. options may be NULL. */
MUST_CHECK enum status call_begin(struct call *call, struct session *session,
                                  const struct call_options *options, uint32_t shortest, struct error *error);

/* The `kept` tokens of `count` that stay when a text is cut in the direction of the options. */
struct window call_kept(const struct call *call, size_t count, size_t kept);

/* Tokenizes; tokens have spans. max_tokens as in struct encode_options. */
MUST_CHECK enum status call_encode(struct call *call, struct bytes text, size_t max_tokens,
                                   struct tokens *tokens, struct error *error);

/* Room for the ids of one more sequence; runs the batch first when it is full. */
MUST_CHECK enum status call_add(struct call *call, size_t count, size_t first_segment,
                                struct sequence_owner owner, int32_t **ids, struct error *error);

/* Runs what is left. */
MUST_CHECK enum status call_finish(struct call *call, struct error *error);

/* Puts the text's name and number before the message, unless the call was ended from outside. */
enum status call_error_at(enum status status, const char *what, size_t index, struct error *error);

#endif
