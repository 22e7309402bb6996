#include "api/api.h"

static enum status check_room(const struct rescoldo_session *session, size_t count, const float *embeddings,
                              size_t capacity, struct error *error) {
    size_t hidden_size = session->model->shape.hidden_size, needed;
    if (!size_multiply(count, hidden_size, &needed) || needed > capacity)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "capacity is %zu floats, expected at least %zu texts times %zu", capacity, count,
                         hidden_size);
    return embeddings != NULL || count == 0
               ? STATUS_OK
               : error_set(error, STATUS_INVALID_ARGUMENT, "rescoldo_embed: embeddings is NULL");
}

static enum status embed(struct rescoldo_session *session, const struct rescoldo_text *texts, size_t count,
                         const struct rescoldo_call_options *given, float *embeddings, size_t capacity,
                         struct rescoldo_embedding_info *infos, struct error *error) {
    if (session == NULL)
        return error_set(error, STATUS_INVALID_ARGUMENT, "rescoldo_embed: session is NULL");
    struct rescoldo_call_options copy;
    struct call_options options;
    enum status status = api_call_options(given, &copy, &options, error);
    if (status == STATUS_OK && options.windows)
        status =
            error_set(error, STATUS_INVALID_ARGUMENT, "RESCOLDO_TRUNCATION_WINDOWS is for rescoldo_rerank");
    if (status == STATUS_OK)
        status = check_room(session, count, embeddings, capacity, error);
    if (status == STATUS_OK)
        status = api_take_texts(session, texts, count, "text", error);
    if (status == STATUS_OK)
        status = session_embed(session->session, session->texts, count, &options, embeddings, session->infos,
                               NULL, error);
    for (size_t i = 0; i < count && status == STATUS_OK && infos != NULL; i++)
        infos[i] = (struct rescoldo_embedding_info){
            .tokens = session->infos[i].tokens,
            .truncated = session->infos[i].truncated,
            .character_end = session->infos[i].character_end,
        };
    return status;
}

enum rescoldo_status rescoldo_embed(struct rescoldo_session *session, const struct rescoldo_text *texts,
                                    size_t count, const struct rescoldo_call_options *options,
                                    float *embeddings, size_t capacity, struct rescoldo_embedding_info *infos,
                                    struct rescoldo_error *reported) {
    struct error error;
    return api_report(embed(session, texts, count, options, embeddings, capacity, infos, &error), &error,
                      reported);
}
