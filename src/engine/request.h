/* One rerank or embed call on its way through the engine, piece by piece, so that sequences of several
 * requests can share a batch:
 *
 *   request_begin    checks the options, tokenizes the query (once)
 *   request_prepare  tokenizes the next texts and puts their sequences into request->ready
 *   session_add      moves the oldest ready sequence into a session's batch, beside those of other requests
 *   session_run      runs the encoder over the batch
 *   session_deliver  hands each output to its request
 *
 * session_rerank and session_embed (engine/session.h) are this loop over one request; the server's scheduler
 * is the same loop over many. A score does not depend on which of them ran it. */
#ifndef RESCOLDO_ENGINE_REQUEST_H
#define RESCOLDO_ENGINE_REQUEST_H

#include "base/buffer.h"
#include "engine/sequence_queue.h"
#include "engine/session.h"
#include "tokenizer/windows.h"

enum request_kind {
    REQUEST_RERANK,
    REQUEST_EMBED,
};

/* What one text of a request took. */
struct request_text_usage {
    uint64_t tokens; /* of its sequences */
    bool query_truncated;
};

struct request;

/* What is known from earlier requests. Called while preparing, by that thread alone. */
struct request_memory {
    void *context;
    /* Rerank: fills score and usage when the passage's score is known. */
    bool (*find_score)(void *context, const struct request *request, size_t index,
                       struct passage_score *score, struct request_text_usage *usage);
    /* Fills tokens when those of the text are known; else it is told them. max_tokens as in struct
     * encode_options; with spans. */
    bool (*find_tokens)(void *context, struct bytes text, size_t max_tokens, struct tokens *tokens);
    void (*keep_tokens)(void *context, struct bytes text, size_t max_tokens, const struct tokens *tokens);
};

/* Everything is borrowed and must outlive the request's last use. */
struct request_input {
    enum request_kind kind;
    struct bytes query;        /* of REQUEST_RERANK */
    const struct bytes *texts; /* [text_count] */
    size_t text_count;
    const struct call_options *options; /* may be NULL */
    enum invalid_utf8 invalid_utf8;
    struct passage_score *scores;           /* results of REQUEST_RERANK: [text_count] */
    float *embeddings;                      /* results of REQUEST_EMBED: [text_count][hidden_size] */
    struct embedding_info *infos;           /* of REQUEST_EMBED: [text_count] */
    const struct request_memory *memory;    /* NULL: none */
    struct request_text_usage *text_usages; /* REQUEST_RERANK: [text_count], zeroed, or NULL */
};

/* The text being prepared: its sequences next..end are still to be made. */
struct request_text {
    size_t next, end;
    struct window before; /* in every sequence: tokens of the query, or an embedder's of the prompt */
    struct window part;   /* tokens of it: of its only sequence, or what the windows are of */
    bool windows;
    struct window_plan plan;
};

/* Zero it once, then begin as often as you like: memory is kept from call to call.
 *
 * Thread-safety: request_prepare writes ready, usage.tokenize_nanoseconds and .cached_tokens, and results of
 * texts of which no sequence is in ready yet; session_deliver writes the rest. So one thread may prepare into
 * a queue of its own while another delivers, as long as sequences change hands under a lock. */
struct request {
    const struct model *model;
    struct request_input input;
    struct call_options options;
    uint32_t max_length;
    struct tokens query, tokens; /* tokens: of the text being prepared */
    size_t prompt_count;    /* how many of the tokens, or of the query's, are a prompt's; they come first */
    struct buffer prompted; /* a text after its prompt */
    struct request_text text;
    size_t next_text;            /* the first text that is not tokenized yet */
    struct sequence_queue ready; /* prepared, not yet in a batch */
    struct sequence_queue
        *target;          /* where request_prepare puts them: &ready unless changed after the begin */
    float *query_vector;  /* an embedder's query, [hidden_size] */
    bool query_delivered; /* an embedder's passages may be delivered only after their query */
    struct call_usage usage;
    uint64_t delivered_sequences;
};

/* For a cross-encoder nothing is ready after this; for an embedder the query is. */
MUST_CHECK enum status request_begin(struct request *request, const struct model *model,
                                     const struct request_input *input, struct error *error);

/* Prepares until the target holds at least enough_tokens (and at most one sequence more), or nothing is left.
 * A message names the text by index. */
MUST_CHECK enum status request_prepare(struct request *request, size_t enough_tokens, struct error *error);

/* No text is left to be prepared. */
bool request_is_prepared(const struct request *request);

/* STATUS_CANCELLED or STATUS_DEADLINE_EXCEEDED when the options say that no more work shall be done. */
MUST_CHECK enum status request_check_time(const struct request *request, struct error *error);

/* Frees its memory; the input stays the caller's. */
void request_free(struct request *request);

/* --- a session's batch --- */

/* Tokens a batch may hold; no sequence is longer. */
size_t session_max_batch_tokens(const struct session *session);
size_t session_batch_tokens(const struct session *session);

/* Moves the oldest of request->ready into the batch; false when it does not fit. */
bool session_add(struct session *session, struct request *request);

/* Runs the encoder over the batch. */
MUST_CHECK enum status session_run(struct session *session, struct error *error);

/* Hands the outputs of the last run to their requests, in the order added, and empties the batch. */
void session_deliver(struct session *session);

/* Empties the batch. */
void session_discard(struct session *session);

/* --- between request.c, rerank.c and embed.c --- */

#define QUERY_INDEX SIZE_MAX /* the owner of an embedder's query */

/* Tokenizes, after the prompt, with spans in the text, and sets request->prompt_count. max_tokens as in
 * struct encode_options, of the text without the prompt. */
MUST_CHECK enum status request_encode(struct request *request, enum prompt prompt, struct bytes text,
                                      size_t max_tokens, struct tokens *tokens, struct error *error);

/* The `kept` tokens of `count` that stay when a text is cut in the direction of the options. */
struct window request_kept(const struct request *request, size_t count, size_t kept);

/* What an embedder reads of the `part` of tokens after a prompt of request->prompt_count tokens, in one
 * sequence. The prompt gives way only where it leaves the text no room. STATUS_LIMIT_EXCEEDED with
 * TRUNCATION_NONE when not everything fits. */
struct prompted_part {
    struct window prompt, part;
    bool truncated;
};
MUST_CHECK enum status request_cut_prompted(const struct request *request, struct window part,
                                            struct prompted_part *cut, struct error *error);

/* Appends [CLS] query [SEP] text [SEP] (a cross-encoder's pair) or [CLS] prompt text [SEP]. `before` is of
 * request->query, or of `tokens`, as the window is. */
MUST_CHECK enum status request_add_sequence(struct request *request, size_t index, struct window before,
                                            const struct tokens *tokens, struct window window,
                                            struct error *error);

/* Tokenizes the query; what an embedder makes of it becomes a sequence. */
MUST_CHECK enum status rerank_add_query(struct request *request, struct error *error);
/* Tokenizes a text into request->tokens and plans request->text. */
MUST_CHECK enum status rerank_plan_passage(struct request *request, size_t index, struct error *error);
MUST_CHECK enum status embed_plan_text(struct request *request, size_t index, struct error *error);

/* Takes the output of one sequence of `tokens` tokens. */
void rerank_take(struct request *request, const struct sequence_owner *owner, uint32_t tokens,
                 const float *output);
/* rows: those of its tokens, where the options ask for them. */
void embed_take(struct request *request, const struct sequence_owner *owner, uint32_t tokens,
                const float *output, const float *rows);

#endif
