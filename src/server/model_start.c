#include "server/model_start.h"

#include "engine/selftest.h"

#include <string.h>

#define FIRST_TOKENS 12u
#define FIRST_TEXTS  2u

/* Short, since requests may be waiting for it. */
static enum status run_first_slice(const struct model *model, struct session *session,
                                   struct first_slice *first, struct error *error) {
    static const char text[] = "the first slice of all, to see how long one takes ";
    char query[sizeof text * FIRST_TEXTS];
    struct passage_score score;
    struct call_usage usage;
    query[0] = '\0';
    for (size_t i = 0; i < FIRST_TEXTS; i++)
        strcat(query, text);
    const struct call_options options = {.max_length = model->max_length < FIRST_TOKENS ? model->max_length
                                                                                        : FIRST_TOKENS};
    struct bytes passage = bytes_of_string(query);
    enum status status = session_rerank(session, passage, &passage, 1, &options, &score, &usage, error);
    if (status == STATUS_OK)
        *first = (struct first_slice){usage.tokens, usage.compute_nanoseconds};
    return status;
}

enum status model_start(const struct model *model, struct session *session, struct first_slice *first,
                        struct error *error) {
    enum status status = selftest_at_start(model, session, error);
    return status == STATUS_OK ? run_first_slice(model, session, first, error) : status;
}
