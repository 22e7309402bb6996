/* Inside of include/rescoldo.h: what its opaque types hold, and how its values become the engine's. */
#ifndef RESCOLDO_API_API_H
#define RESCOLDO_API_API_H

#include "base/status.h"
#include "engine/session.h"
#include "rescoldo.h"

#include <stdatomic.h>

struct rescoldo_model {
    struct model *model;
};

struct rescoldo_cancel_flag {
    atomic_bool set;
};

struct rescoldo_session {
    const struct model *model;
    struct session *session;
    enum invalid_utf8 invalid_utf8;
    /* Of the largest call so far. */
    size_t capacity;
    struct bytes *texts;          /* [capacity] */
    struct passage_score *scores; /* [capacity] */
    size_t *order;                /* [capacity] */
    struct embedding_info *infos; /* [capacity] */
    struct tokens text, pair;     /* of tokenize */
};

/* Hands the engine's error to the caller, whose error may be NULL. Returns the status. */
enum rescoldo_status api_report(enum status status, const struct error *error,
                                struct rescoldo_error *reported);

/* No structure that begins with its size will grow beyond this: a larger one was never set. */
#define API_MAX_SIZE 4096u

/* STATUS_INVALID_ARGUMENT when size is none that a structure of that name, of oldest_size in its first form,
 * can have. */
MUST_CHECK enum status api_check_size(size_t size, size_t oldest_size, const char *name, struct error *error);

/* Copies a structure that begins with its size from the caller: what the caller's header did not have is 0,
 * and what this library does not have must be 0 (STATUS_UNSUPPORTED). given NULL: all 0. name is for
 * messages, oldest_size that of the structure's first form, known_size that of *copy. */
MUST_CHECK enum status api_copy_options(const void *given, const char *name, size_t oldest_size,
                                        size_t known_size, void *copy, struct error *error);

/* STATUS_INVALID_ARGUMENT when value, of an enumeration whose values are 0 to last, is none of them. */
MUST_CHECK enum status api_check_value(uint32_t value, uint32_t last, const char *name, struct error *error);

/* What the engine looks at; NULL for NULL. */
const atomic_bool *api_cancel(const struct rescoldo_cancel_flag *flag);

/* Checks and translates the options of a call. */
MUST_CHECK enum status api_call_options(const struct rescoldo_call_options *given,
                                        struct rescoldo_call_options *copy, struct call_options *options,
                                        struct error *error);

/* The caller's texts as the engine reads them, in session->texts, with room for as many results. what names
 * one of them in messages. */
MUST_CHECK enum status api_take_texts(struct rescoldo_session *session, const struct rescoldo_text *texts,
                                      size_t count, const char *what, struct error *error);

MUST_CHECK enum status api_take_text(struct rescoldo_text text, struct bytes *taken, struct error *error);

#endif
