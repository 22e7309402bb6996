/* One thread's way to use a model: tokenize, pack, run the encoder, score. A session owns all working memory;
 * its size follows from max_batch_tokens and is taken once. One thread at a time may use a session; any
 * number of sessions may share a model. Equal inputs give equal bits in every session, whatever else is in
 * the batch. */
#ifndef RESCOLDO_ENGINE_SESSION_H
#define RESCOLDO_ENGINE_SESSION_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "engine/model.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SESSION_DEFAULT_BATCH_TOKENS 512u

struct session;
struct arena;

struct session_options {
    uint32_t max_batch_tokens;     /* 0: the default; at least the model's max_length is used */
    const struct kernels *kernels; /* NULL: the best the CPU offers (kernels_select) */
    enum invalid_utf8 invalid_utf8;
    /* Working memory shared with sessions that never run at the same time, at least session_arena_size of
     * each; it must outlive the session. NULL: memory of its own. */
    const struct arena *arena;
};

size_t session_arena_size(const struct model *model, const struct session_options *options);

/* options may be NULL. The model must outlive the session. */
MUST_CHECK enum status session_create(const struct model *model, const struct session_options *options,
                                      struct session **session, struct error *error);
void session_destroy(struct session *session);

/* Bytes of working memory the session holds, weights and a shared arena not counted. */
size_t session_memory(const struct session *session);
const struct kernels *session_kernels(const struct session *session);

/* Which end of a text that is cut gives way; as truncation_direction of Hugging Face's tokenizers, for both
 * texts of a pair. */
enum truncation_direction {
    TRUNCATION_RIGHT = 0, /* the start is kept */
    TRUNCATION_LEFT = 1,  /* the end is kept */
};

/* Which of the model's prompts is read before a text. It counts towards the text's tokens, and not in
 * character_start and character_end; it stands before every window of a text, and before what is kept of a
 * text that is cut. A model without that prompt reads the text as it is. */
enum prompt {
    PROMPT_NONE = 0,
    PROMPT_QUERY = 1,
    PROMPT_PASSAGE = 2,
};

/* How the texts of one call are read, and its limits; all optional (zero means none). */
struct call_options {
    uint32_t max_length;        /* tokens a sequence may have, at most the model's; 0: the model's */
    enum truncation truncation; /* of pairs; single texts are cut (or refused by TRUNCATION_NONE) */
    enum truncation_direction truncation_direction;
    /* Embed. An embedder that reranks reads the query after the one prompt and the passages after the other,
     * always. */
    enum prompt prompt;
    /* Rerank: a passage is cut to so many tokens of its own before anything else, which counts as truncated;
     * 0: not. */
    uint32_t max_passage_tokens;
    /* Rerank: a passage too long for one sequence is scored as overlapping windows, each with the whole
     * query, and the best score counts (tokenizer/windows.h). Nothing of a passage is left out then, but for
     * max_passage_tokens and max_windows; truncation is not looked at. */
    bool windows;
    uint32_t window_stride; /* tokens that a window shares with the one before it */
    /* At most so many windows of a passage are scored, the first ones (the last ones with TRUNCATION_LEFT);
     * leaving some out counts as truncated. 0: all. */
    uint32_t max_windows;
    /* Rerank with a cross-encoder: a query for each passage, [passage_count], in place of the one query. */
    const struct bytes *queries;
    /* Embed, when not NULL: [text_count]; each becomes the last layer's rows of that text's tokens,
     * [tokens][hidden_size], which the caller frees, also after an error. */
    float **token_embeddings;
    /* Embed: the vectors as pooled, also where the model says to normalize them. */
    bool unnormalized;
    const atomic_bool *cancel;     /* looked at before each chunk: STATUS_CANCELLED */
    uint64_t deadline_nanoseconds; /* clock_nanoseconds() after which the next chunk is not begun */
};

struct passage_score {
    float relevance_score; /* sigmoid(logit) of a cross-encoder, (1 + cosine) / 2 of an embedder */
    float raw;             /* the logit, or the cosine */
    uint32_t tokens;       /* of the sequence that gave the score, special tokens included */
    bool truncated;        /* tokens of the query or the passage were left out */
    uint32_t windows;      /* sequences scored for this passage: 1, or more with call_options.windows */
    /* What the score rests on, in code points of the passage: all of it unless truncated or in windows. */
    uint32_t character_start, character_end;
};

/* What a whole call took, for logs, metrics and usage counts. */
struct call_usage {
    uint64_t tokens;        /* of all sequences, special tokens included */
    uint64_t cached_tokens; /* of those whose output was known already (request_memory) */
    uint64_t tokenize_nanoseconds;
    uint64_t compute_nanoseconds;
    bool query_truncated;
};

/* Scores every passage against the query, in the order given (sort with passage_order). The query is
 * tokenized once. An error names the passage by index. usage may be NULL. */
MUST_CHECK enum status session_rerank(struct session *session, struct bytes query,
                                      const struct bytes *passages, size_t passage_count,
                                      const struct call_options *options, struct passage_score *scores,
                                      struct call_usage *usage, struct error *error);

/* order[0..count) becomes the indexes of scores by raw score descending, equal scores by index ascending. */
void passage_order(const struct passage_score *scores, size_t count, size_t *order);

struct embedding_info {
    uint32_t tokens;
    bool truncated;
    uint32_t character_start, character_end; /* what was read, in code points of the text */
};

/* Embeds texts into embeddings [text_count][hidden_size]; only an embedder (STATUS_UNSUPPORTED otherwise). */
MUST_CHECK enum status session_embed(struct session *session, const struct bytes *texts, size_t text_count,
                                     const struct call_options *options, float *embeddings,
                                     struct embedding_info *infos, struct call_usage *usage,
                                     struct error *error);

#endif
