#include "api/api.h"

#include <stdlib.h>

static enum status create(const struct rescoldo_model *model, const struct rescoldo_session_options *given,
                          struct rescoldo_session **session, struct error *error) {
    if (model == NULL)
        return error_set(error, STATUS_INVALID_ARGUMENT, "rescoldo_session_create: model is NULL");
    struct rescoldo_session_options options;
    enum status status = api_copy_options(given, "struct rescoldo_session_options", sizeof options,
                                          sizeof options, &options, error);
    if (status == STATUS_OK)
        status = api_check_value(options.invalid_utf8, RESCOLDO_INVALID_UTF8_REPLACE, "invalid_utf8", error);
    if (status != STATUS_OK)
        return status;
    struct rescoldo_session *created = calloc(1, sizeof *created);
    if (created == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a session");
    created->model = model->model;
    created->invalid_utf8 =
        options.invalid_utf8 == RESCOLDO_INVALID_UTF8_REPLACE ? INVALID_UTF8_REPLACE : INVALID_UTF8_REFUSE;
    const struct session_options engine_options = {
        .max_batch_tokens = options.max_batch_tokens,
        .invalid_utf8 = created->invalid_utf8,
    };
    status = session_create(model->model, &engine_options, &created->session, error);
    if (status != STATUS_OK) {
        rescoldo_session_destroy(created);
        return status;
    }
    *session = created;
    return STATUS_OK;
}

enum rescoldo_status rescoldo_session_create(const struct rescoldo_model *model,
                                             const struct rescoldo_session_options *options,
                                             struct rescoldo_session **session,
                                             struct rescoldo_error *reported) {
    struct error error;
    enum status status;
    if (session == NULL) {
        status = error_set(&error, STATUS_INVALID_ARGUMENT, "rescoldo_session_create: session is NULL");
    } else {
        *session = NULL;
        status = create(model, options, session, &error);
    }
    return api_report(status, &error, reported);
}

static void free_arrays(struct rescoldo_session *session) {
    free(session->texts);
    free(session->scores);
    free(session->order);
    free(session->infos);
    session->texts = NULL;
    session->scores = NULL;
    session->order = NULL;
    session->infos = NULL;
    session->capacity = 0;
}

void rescoldo_session_destroy(struct rescoldo_session *session) {
    if (session == NULL)
        return;
    session_destroy(session->session);
    free_arrays(session);
    tokens_free(&session->text);
    tokens_free(&session->pair);
    free(session);
}

static enum status grow(struct rescoldo_session *session, size_t count, struct error *error) {
    if (count <= session->capacity)
        return STATUS_OK;
    free_arrays(session);
    session->texts = calloc(count, sizeof *session->texts);
    session->scores = calloc(count, sizeof *session->scores);
    session->order = calloc(count, sizeof *session->order);
    session->infos = calloc(count, sizeof *session->infos);
    if (session->texts == NULL || session->scores == NULL || session->order == NULL ||
        session->infos == NULL) {
        free_arrays(session);
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a call with %zu texts", count);
    }
    session->capacity = count;
    return STATUS_OK;
}

enum status api_take_text(struct rescoldo_text text, struct bytes *taken, struct error *error) {
    if (text.data == NULL && text.size != 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "data is NULL and size is %zu", text.size);
    *taken = bytes_of(text.data, text.size);
    return STATUS_OK;
}

enum status api_take_texts(struct rescoldo_session *session, const struct rescoldo_text *texts, size_t count,
                           const char *what, struct error *error) {
    if (texts == NULL && count != 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "%ss is NULL and count is %zu", what, count);
    enum status status = grow(session, count, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = api_take_text(texts[i], &session->texts[i], error);
        if (status != STATUS_OK)
            (void)error_add_context(error, status, "%s %zu", what, i);
    }
    return status;
}
