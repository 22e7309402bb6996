/* librescoldo: reranking and embedding on the CPU.
 *
 * Open an ember (the file `rescoldo bake` and rescoldo_bake write) once, make one session per thread, and
 * call:
 *
 *     struct rescoldo_error error;
 *     struct rescoldo_model *model;
 *     struct rescoldo_session *session;
 *     if (rescoldo_model_open("model.ember", NULL, &model, &error) != RESCOLDO_STATUS_OK)
 *         fail(error.message);
 *     if (rescoldo_session_create(model, NULL, &session, &error) != RESCOLDO_STATUS_OK)
 *         fail(error.message);
 *     if (rescoldo_rerank(session, query, passages, count, NULL, results, &error) != RESCOLDO_STATUS_OK)
 *         fail(error.message);
 *     rescoldo_session_destroy(session);
 *     rescoldo_model_close(model);
 *
 * Whole programs are in examples/c; docs/c-api.md says how to build against the library.
 *
 * Behaviour
 *   The library prints nothing, installs no signal handler, starts no thread and keeps no state of its own
 *   outside the objects below. It reads one environment variable, RESCOLDO_DISABLE_ISA, when a session is
 *   created (docs/engine.md), so setenv(3) may not run beside rescoldo_session_create.
 *   Equal inputs give equal bits, whatever else is in the call, in which session and on which thread.
 *
 * Errors
 *   A function that can fail returns an enum rescoldo_status, RESCOLDO_STATUS_OK (0) for success, and fills
 *   the caller's struct rescoldo_error, which may be NULL. On success the error is left as it was. A NULL
 *   pointer where one is required is RESCOLDO_STATUS_INVALID_ARGUMENT, not a crash. A session whose call
 *   failed may be used for the next.
 *
 * Thread-safety
 *   A model is read-only: any number of threads and sessions may share it. A session belongs to one thread at
 *   a time (another may take it over, with the usual synchronization). A cancel flag may be set and cleared
 *   by any thread at any time. Every other function may be called by any thread on distinct objects.
 *
 * Text
 *   UTF-8 with its size in bytes; no terminating NUL is needed, and a NUL inside is a character like another.
 *   Texts are read during the call only.
 *
 * How this interface may grow
 *   Structures that begin with `size` are sized by the caller: set size to sizeof the structure and every
 *   member you do not use to 0, which is always the default:
 *
 *       struct rescoldo_call_options options = {sizeof options};
 *
 *   New members are added at the end, and 0 will mean what the library did before. A program compiled with an
 *   older header passes a smaller size: members it does not know are taken as 0 (or not written, where the
 *   library fills the structure). A program compiled with a newer header than the library passes a larger
 *   size: RESCOLDO_STATUS_UNSUPPORTED if it sets a member that the library does not know.
 *   The other structures keep their size; new members come out of `reserved`, which the library sets to 0.
 *   Enumerations may gain values: treat an unknown status as a failure.
 *   Only names that begin with rescoldo_ and RESCOLDO_ are taken. C99 and C++ can include this file. */
#ifndef RESCOLDO_H
#define RESCOLDO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version ---- */

#define RESCOLDO_VERSION_MAJOR  0
#define RESCOLDO_VERSION_MINOR  1
#define RESCOLDO_VERSION_PATCH  0
#define RESCOLDO_VERSION_STRING "0.1.0"

/* The version of the library that is linked, such as "0.1.0"; the macros above are that of this header. */
const char *rescoldo_version(void);

/* ---- Errors ---- */

enum rescoldo_status {
    RESCOLDO_STATUS_OK = 0,
    RESCOLDO_STATUS_INVALID_ARGUMENT = 1,  /* the call cannot be met as asked */
    RESCOLDO_STATUS_INVALID_DATA = 2,      /* the ember or a text is malformed */
    RESCOLDO_STATUS_UNSUPPORTED = 3,       /* well-formed, but this library or model does not have it */
    RESCOLDO_STATUS_NOT_FOUND = 4,         /* the file, or a part of it, is absent */
    RESCOLDO_STATUS_LIMIT_EXCEEDED = 5,    /* larger than a stated limit */
    RESCOLDO_STATUS_OUT_OF_MEMORY = 6,     /* an allocation failed */
    RESCOLDO_STATUS_INPUT_OUTPUT = 7,      /* a system call failed; the message carries its reason */
    RESCOLDO_STATUS_CANCELLED = 8,         /* the cancel flag was set */
    RESCOLDO_STATUS_DEADLINE_EXCEEDED = 9, /* the deadline passed */
    RESCOLDO_STATUS_INTERNAL = 10          /* a bug of rescoldo: please report it */
};

/* Owned by the caller; nothing in it needs to be freed. */
struct rescoldo_error {
    enum rescoldo_status status;
    char
        message[512]; /* UTF-8, NUL-terminated: what was expected, what was found and where; fit for a user */
};

/* A name for logs, such as "invalid_data"; "unknown" for a value this library does not have. Never NULL. */
const char *rescoldo_status_name(enum rescoldo_status status);

/* ---- Model ---- */

/* An opened ember. */
struct rescoldo_model;

/* What a model is wanted for. */
enum rescoldo_task {
    RESCOLDO_TASK_ANY = 0,    /* the first model */
    RESCOLDO_TASK_RERANK = 1, /* the first cross-encoder, else the first model, which reranks by cosine */
    RESCOLDO_TASK_EMBED = 2   /* the first embedder, else the first model, which cannot embed */
};

struct rescoldo_model_options {
    size_t size;               /* sizeof(struct rescoldo_model_options) */
    uint32_t verify_checksums; /* not 0: read the whole ember and compare its checksums, besides the checks
                                * of structure that are always made */
    uint32_t task;    /* enum rescoldo_task: which model, where the ember holds several and no name is
                       * given */
    const char *name; /* of the model, NUL-terminated; NULL: the one that suits the task */
};

/* Opens the ember at path, maps it into memory and checks its structure. Processes that open the same file
 * share its pages. The file may be deleted or replaced by rename afterwards; truncating it in place kills the
 * process that reads it (SIGBUS). options may be NULL. *model is NULL on failure; else close it. Models of
 * one ember that are opened one after the other share their pages too.
 * Errors: NOT_FOUND (also when no model has options->name: the message lists those that are there),
 * INPUT_OUTPUT, INVALID_DATA, UNSUPPORTED, OUT_OF_MEMORY; the message names the path and the part of the
 * file.
 */
enum rescoldo_status rescoldo_model_open(const char *path, const struct rescoldo_model_options *options,
                                         struct rescoldo_model **model, struct rescoldo_error *error);

/* What the address of an ember in memory must be a multiple of. */
#define RESCOLDO_EMBER_ALIGNMENT 64

/* The same over a whole ember of `size` bytes at data, which is not copied: it must stay unchanged until the
 * model is closed. INVALID_ARGUMENT when data is not aligned to RESCOLDO_EMBER_ALIGNMENT. */
enum rescoldo_status rescoldo_model_open_memory(const void *data, size_t size,
                                                const struct rescoldo_model_options *options,
                                                struct rescoldo_model **model, struct rescoldo_error *error);

/* The same from an open descriptor of a regular file, which is mapped from its start whatever the
 * descriptor's position. The descriptor stays the caller's and may be closed at once. For a process that may
 * not open files (a sandbox), or a file without a name (memfd_create(2), whose pages every holder shares).
 * Errors: as for rescoldo_model_open, INPUT_OUTPUT when it is no descriptor; the message says
 * "file descriptor N". */
enum rescoldo_status rescoldo_model_open_descriptor(int descriptor,
                                                    const struct rescoldo_model_options *options,
                                                    struct rescoldo_model **model,
                                                    struct rescoldo_error *error);

/* Frees the model; its sessions must have been destroyed. NULL is allowed. */
void rescoldo_model_close(struct rescoldo_model *model);

enum rescoldo_model_kind {
    RESCOLDO_MODEL_CROSS_ENCODER = 0, /* reads query and passage together; reranks */
    RESCOLDO_MODEL_EMBEDDER = 1       /* turns a text into a vector; embeds, and reranks by cosine */
};

enum rescoldo_precision { RESCOLDO_PRECISION_INT8 = 0, RESCOLDO_PRECISION_F32 = 1 };

struct rescoldo_model_info {
    size_t size;              /* in: sizeof(struct rescoldo_model_info) */
    const char *name;         /* NUL-terminated, owned by the model */
    uint32_t kind;            /* enum rescoldo_model_kind */
    uint32_t precision;       /* enum rescoldo_precision, of the weights */
    uint32_t hidden_size;     /* floats of an embedding */
    uint32_t max_length;      /* tokens a sequence may have, [CLS] and [SEP] included */
    uint32_t vocabulary_size; /* token ids are below it */
    uint32_t reserved;        /* 0 */
};

/* Describes the model: fills *info up to info->size. Errors: INVALID_ARGUMENT. */
enum rescoldo_status rescoldo_model_describe(const struct rescoldo_model *model,
                                             struct rescoldo_model_info *info, struct rescoldo_error *error);

/* ---- Session ---- */

/* One thread's working memory for one model. */
struct rescoldo_session;

enum rescoldo_invalid_utf8 {
    RESCOLDO_INVALID_UTF8_REFUSE = 0, /* INVALID_DATA; the message gives the byte offset */
    RESCOLDO_INVALID_UTF8_REPLACE = 1 /* each maximal invalid run becomes U+FFFD */
};

struct rescoldo_session_options {
    size_t size; /* sizeof(struct rescoldo_session_options) */
    uint32_t
        max_batch_tokens;  /* tokens run through the model at once, at least the model's max_length is
                            * used; 0: 512. Working memory is in proportion; results do not depend on it */
    uint32_t invalid_utf8; /* enum rescoldo_invalid_utf8 */
};

/* Takes the working memory of the forward pass, so that no call has to. What a call needs beside it (some 100
 * bytes per passage or text, and the tokens of the longest) grows to the largest call and is kept. options
 * may be NULL. *session is NULL on failure; else destroy it before closing the model.
 * Errors: OUT_OF_MEMORY, INVALID_ARGUMENT. */
enum rescoldo_status rescoldo_session_create(const struct rescoldo_model *model,
                                             const struct rescoldo_session_options *options,
                                             struct rescoldo_session **session, struct rescoldo_error *error);

/* No call may be running in it. NULL is allowed. */
void rescoldo_session_destroy(struct rescoldo_session *session);

/* ---- Limits of a call ---- */

/* Ends calls from outside: name it in the options of any number of calls, and set it from anywhere. */
struct rescoldo_cancel_flag;

/* A flag that is not set; NULL when memory is short. Destroy it after the last call that names it. */
struct rescoldo_cancel_flag *rescoldo_cancel_flag_create(void);
void rescoldo_cancel_flag_destroy(struct rescoldo_cancel_flag *flag);

/* Calls that name the flag end with RESCOLDO_STATUS_CANCELLED before their next batch, until it is cleared.
 * All three may be called from a signal handler too. */
void rescoldo_cancel_flag_set(struct rescoldo_cancel_flag *flag);
void rescoldo_cancel_flag_clear(struct rescoldo_cancel_flag *flag);
int rescoldo_cancel_flag_is_set(const struct rescoldo_cancel_flag *flag); /* 0 or 1; 0 for NULL */

/* The clock of deadlines: monotonic, nanoseconds since an arbitrary start. */
uint64_t rescoldo_clock_nanoseconds(void);

/* What happens to a query and a passage that are together longer than max_length. */
enum rescoldo_truncation {
    RESCOLDO_TRUNCATION_LONGEST_FIRST = 0, /* the longer of the two gives way, token by token */
    RESCOLDO_TRUNCATION_ONLY_PASSAGE = 1,  /* the passage is cut (and the query to half of the room, when it
                                            * leaves the passage none) */
    RESCOLDO_TRUNCATION_NONE = 2,          /* LIMIT_EXCEEDED */
    RESCOLDO_TRUNCATION_WINDOWS = 3        /* rerank only: a long passage is scored as overlapping windows,
                                            * each with the whole query, and the best score counts */
};

/* Which end of a text that is cut gives way; of both texts of a pair. */
enum rescoldo_truncation_direction {
    RESCOLDO_TRUNCATION_RIGHT = 0, /* the start is kept */
    RESCOLDO_TRUNCATION_LEFT = 1   /* the end is kept */
};

/* Which of the model's prompts (of an E5 model, say) is read before a text. It counts towards the tokens of
 * the sequence (and not of max_passage_tokens), and stands before each window of a text and before what is
 * kept of a text that is cut. A model without that prompt reads the text as it is. */
enum rescoldo_prompt { RESCOLDO_PROMPT_NONE = 0, RESCOLDO_PROMPT_QUERY = 1, RESCOLDO_PROMPT_PASSAGE = 2 };

enum rescoldo_order {
    RESCOLDO_ORDER_BEST_FIRST = 0, /* by score descending, equal scores in the order given */
    RESCOLDO_ORDER_GIVEN = 1       /* results[i] is that of passages[i] */
};

/* Of rerank, embed and tokenize; what a function has no use for is not looked at unless it says so. */
struct rescoldo_call_options {
    size_t size;            /* sizeof(struct rescoldo_call_options) */
    uint32_t max_length;    /* tokens a sequence may have, special tokens included: 3 to the model's
                             * max_length; 0: the model's */
    uint32_t truncation;    /* enum rescoldo_truncation; a single text is cut at its end unless NONE */
    uint32_t window_stride; /* TRUNCATION_WINDOWS: tokens a window shares with the one before it */
    uint32_t order;         /* rerank: enum rescoldo_order */
    const struct rescoldo_cancel_flag *cancel; /* NULL: none. Looked at before each batch */
    uint64_t deadline_nanoseconds;             /* of rescoldo_clock_nanoseconds; after it no batch is begun
                                                * (DEADLINE_EXCEEDED). 0: none */
    uint32_t truncation_direction;             /* enum rescoldo_truncation_direction */
    uint32_t max_passage_tokens; /* rerank: a passage is cut to so many tokens of its own before anything
                                  * else, which counts as truncated; 0: not */
    uint32_t max_windows;        /* TRUNCATION_WINDOWS: at most so many of a passage are scored, the first
                                  * (with TRUNCATION_LEFT the last) ones; 0: all */
    uint32_t prompt; /* embed: enum rescoldo_prompt. An embedder that reranks reads both prompts, always */
};

/* ---- Calls ---- */

/* A borrowed text: UTF-8, size in bytes. data may be NULL when size is 0. */
struct rescoldo_text {
    const char *data;
    size_t size;
};

struct rescoldo_result {
    size_t index;          /* of the passage in the caller's array */
    float relevance_score; /* 0 to 1: 1 / (1 + exp(-logit)) of a cross-encoder, (1 + cosine) / 2 of an
                              embedder */
    float raw_score;       /* the logit of a cross-encoder, the cosine of an embedder */
    uint32_t tokens;       /* of the sequence that gave the score, special tokens included */
    uint32_t truncated;    /* 1: tokens of the query or the passage were left out, else 0 */
    uint32_t windows;      /* sequences scored for this passage: 1, or more with TRUNCATION_WINDOWS */
    uint32_t character_start, character_end; /* the part of the passage the score rests on, in code points */
    uint32_t reserved[3];                    /* 0 */
};

/* Scores passages[count] against the query and writes results[count], which the caller owns. The query is
 * tokenized once. count may be 0. options may be NULL. On failure nothing is written to results.
 * Errors: INVALID_ARGUMENT, INVALID_DATA (a text is not UTF-8), LIMIT_EXCEEDED, CANCELLED, DEADLINE_EXCEEDED,
 * OUT_OF_MEMORY; the message names the passage by index. */
enum rescoldo_status rescoldo_rerank(struct rescoldo_session *session, struct rescoldo_text query,
                                     const struct rescoldo_text *passages, size_t count,
                                     const struct rescoldo_call_options *options,
                                     struct rescoldo_result *results, struct rescoldo_error *error);

struct rescoldo_embedding_info {
    uint32_t tokens;        /* of the text's sequence, special tokens included */
    uint32_t truncated;     /* 1: the end of the text was left out, else 0 */
    uint32_t character_end; /* code points of the text that were read */
    uint32_t reserved;      /* 0 */
};

/* Embeds texts[count] into embeddings, float32 [count][hidden_size], row by row; capacity is the number of
 * floats there is room for, at least count * hidden_size (INVALID_ARGUMENT otherwise). infos[count] may be
 * NULL. count may be 0. options may be NULL; TRUNCATION_WINDOWS is INVALID_ARGUMENT. On failure the content
 * of embeddings is unspecified and infos is untouched.
 * Errors: UNSUPPORTED (the model is a cross-encoder), and as for rescoldo_rerank. */
enum rescoldo_status rescoldo_embed(struct rescoldo_session *session, const struct rescoldo_text *texts,
                                    size_t count, const struct rescoldo_call_options *options,
                                    float *embeddings, size_t capacity, struct rescoldo_embedding_info *infos,
                                    struct rescoldo_error *error);

struct rescoldo_tokens {
    int32_t *ids;       /* in: room for capacity ids, owned by the caller; filled with [0..count) */
    int32_t *type_ids;  /* in: the same for segment ids (0: [CLS] text [SEP], 1: pair [SEP]), or NULL */
    size_t capacity;    /* in: the model's max_length always suffices */
    size_t count;       /* out: tokens, special tokens included */
    uint32_t truncated; /* out: 1 when tokens were left out, else 0 */
    uint32_t reserved;  /* out: 0 */
};

/* Tokenizes text as the model reads it: [CLS] text [SEP], or with a pair (which may be NULL)
 * [CLS] text [SEP] pair [SEP], as a cross-encoder reads query and passage. options may be NULL;
 * TRUNCATION_WINDOWS is INVALID_ARGUMENT; max_passage_tokens, prompt, cancel and deadline are
 * not looked at.
 * Errors: INVALID_DATA (not UTF-8); LIMIT_EXCEEDED with TRUNCATION_NONE, or when capacity is less than the
 * tokens: tokens->count then says how many there are (else it is 0); OUT_OF_MEMORY, INVALID_ARGUMENT. */
enum rescoldo_status rescoldo_tokenize(struct rescoldo_session *session, struct rescoldo_text text,
                                       const struct rescoldo_text *pair,
                                       const struct rescoldo_call_options *options,
                                       struct rescoldo_tokens *tokens, struct rescoldo_error *error);

/* ---- Bake ---- */

/* A model that shares the ember with others. */
struct rescoldo_bake_model {
    const char *source;   /* as source of rescoldo_bake */
    const char *name;     /* as name of the options */
    uint64_t reserved[2]; /* 0 */
};

struct rescoldo_bake_options {
    size_t size;        /* sizeof(struct rescoldo_bake_options) */
    const char *name;   /* of the model in the ember, NUL-terminated; NULL: the known name of these weights,
                         * else the directory's */
    uint32_t precision; /* enum rescoldo_precision */
    uint32_t reserved;  /* 0 */
    /* Called from time to time by the thread that bakes; NULL: none. step is a phrase such as "quantizing",
     * done of total are its units, both 0 where the step has no measure. Anything but 0 ends the bake
     * (CANCELLED). */
    int (*progress)(void *user_data, const char *step, uint64_t done, uint64_t total);
    void *user_data;                           /* of progress */
    const struct rescoldo_cancel_flag *cancel; /* NULL: none. Looked at where progress is reported */
    uint64_t deadline_nanoseconds;             /* of rescoldo_clock_nanoseconds; 0: none */
    /* Models that go into the ember after the one at source: [more_model_count], or NULL. An ember holds 8 at
     * most, under different names; what they have in common is stored once. */
    const struct rescoldo_bake_model *more_models;
    size_t more_model_count;
    /* What the embedders of the ember read before a query and before a passage, such as "query: ", UTF-8,
     * NUL-terminated; NULL: what each model's files say, "": nothing. */
    const char *query_prompt, *passage_prompt;
};

/* Bakes the published model at source (a Hugging Face directory, or what else `rescoldo bake --model` takes)
 * to the ember at output: checks, quantizes, packs, writes, and tests what was written against the model in
 * float32. output appears whole or not at all, and replaces a file there at once; models opened from that one
 * stay as they are. Takes seconds and about twice the memory of the largest model's published weights.
 * options may be NULL. Errors: INVALID_ARGUMENT (also for two models of one name), NOT_FOUND, INPUT_OUTPUT,
 * INVALID_DATA, UNSUPPORTED, LIMIT_EXCEEDED, OUT_OF_MEMORY, CANCELLED, DEADLINE_EXCEEDED; INTERNAL when the
 * written ember fails its self-test. */
enum rescoldo_status rescoldo_bake(const char *source, const char *output,
                                   const struct rescoldo_bake_options *options, struct rescoldo_error *error);

#ifdef __cplusplus
}
#endif

#endif
