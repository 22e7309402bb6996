#include "api/api.h"

static struct rescoldo_result result_of(const struct passage_score *score, size_t index) {
    return (struct rescoldo_result){
        .index = index,
        .relevance_score = score->relevance_score,
        .raw_score = score->raw,
        .tokens = score->tokens,
        .truncated = score->truncated,
        .windows = score->windows,
        .character_start = score->character_start,
        .character_end = score->character_end,
    };
}

static enum status rerank(struct rescoldo_session *session, struct rescoldo_text query,
                          const struct rescoldo_text *passages, size_t count,
                          const struct rescoldo_call_options *given, struct rescoldo_result *results,
                          struct error *error) {
    if (session == NULL || (results == NULL && count != 0))
        return error_set(error, STATUS_INVALID_ARGUMENT, "rescoldo_rerank: session or results is NULL");
    struct rescoldo_call_options copy;
    struct call_options options;
    enum status status = api_call_options(given, &copy, &options, error);
    if (status != STATUS_OK)
        return status;
    struct bytes query_bytes;
    status = api_take_text(query, &query_bytes, error);
    if (status != STATUS_OK)
        return error_add_context(error, status, "query");
    status = api_take_texts(session, passages, count, "passage", error);
    if (status == STATUS_OK)
        status = session_rerank(session->session, query_bytes, session->texts, count, &options,
                                session->scores, NULL, error);
    if (status != STATUS_OK)
        return status;
    if (copy.order == RESCOLDO_ORDER_BEST_FIRST)
        passage_order(session->scores, count, session->order);
    for (size_t i = 0; i < count; i++) {
        size_t index = copy.order == RESCOLDO_ORDER_BEST_FIRST ? session->order[i] : i;
        results[i] = result_of(&session->scores[index], index);
    }
    return STATUS_OK;
}

enum rescoldo_status rescoldo_rerank(struct rescoldo_session *session, struct rescoldo_text query,
                                     const struct rescoldo_text *passages, size_t count,
                                     const struct rescoldo_call_options *options,
                                     struct rescoldo_result *results, struct rescoldo_error *reported) {
    struct error error;
    return api_report(rerank(session, query, passages, count, options, results, &error), &error, reported);
}
