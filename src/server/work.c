#include "engine/heads.h"
#include "server/dialect.h"

#include <stdlib.h>

const struct dialect *dialect_choose(const struct dialect *const *dialects, const struct service *service,
                                     const json_t *document) {
    while (dialects[1] != NULL && (*dialects)->speaks != NULL && !(*dialects)->speaks(service, document))
        dialects++;
    return *dialects;
}

enum api_error_form dialects_error_form(const struct dialect *const *dialects) {
    while (dialects[1] != NULL)
        dialects++;
    return (*dialects)->error_form;
}

static int no_memory(struct api_error *error) {
    return api_refuse(error, 500, "out_of_memory", "no memory for the request");
}

int work_allocate_texts(struct work *work, size_t count, struct api_error *error) {
    work->texts = calloc(count, sizeof *work->texts);
    if (work->texts == NULL)
        return no_memory(error);
    work->text_count = count;
    return 0;
}

static int rerank(struct session *session, struct work *work, struct api_error *error) {
    work->scores = calloc(work->text_count, sizeof *work->scores);
    work->order = calloc(work->text_count, sizeof *work->order);
    if (work->scores == NULL || work->order == NULL)
        return no_memory(error);
    struct error failure;
    if (session_rerank(session, work->query, work->texts, work->text_count, &work->options, work->scores,
                       &work->usage, &failure) != STATUS_OK)
        return api_refuse_failure(error, &failure);
    passage_order(work->scores, work->text_count, work->order);
    return 0;
}

static int embed(const struct model *model, struct session *session, struct work *work,
                 struct api_error *error) {
    if (model->kind != MODEL_EMBEDDER)
        return api_refuse(error, 400, "unsupported_model",
                          "%s is a cross-encoder: it scores pairs and has no embeddings; use a rerank path",
                          model->name);
    size_t count;
    if (!size_multiply(work->text_count, model->shape.hidden_size, &count))
        return no_memory(error);
    work->embeddings = calloc(count, sizeof *work->embeddings);
    work->infos = calloc(work->text_count, sizeof *work->infos);
    if (work->embeddings == NULL || work->infos == NULL)
        return no_memory(error);
    struct error failure;
    if (session_embed(session, work->texts, work->text_count, &work->options, work->embeddings, work->infos,
                      &work->usage, &failure) != STATUS_OK)
        return api_refuse_failure(error, &failure);
    for (size_t i = 0; i < work->text_count && work->normalize && !model->normalize; i++)
        normalize_l2(work->embeddings + i * model->shape.hidden_size, model->shape.hidden_size);
    return 0;
}

int work_compute(const struct service *service, const struct dialect *dialect, struct session *session,
                 struct work *work, struct api_error *error) {
    switch (dialect->kind) {
    case WORK_RERANK:
        return rerank(session, work, error);
    case WORK_EMBED:
        return embed(service->model, session, work, error);
    case WORK_OTHER:
        break;
    }
    return dialect->compute(service, work, error);
}

size_t work_truncated_texts(const struct work *work) {
    size_t truncated = 0;
    for (size_t i = 0; i < work->text_count; i++) {
        truncated += work->scores != NULL && work->scores[i].truncated ? 1 : 0;
        truncated += work->infos != NULL && work->infos[i].truncated ? 1 : 0;
    }
    return truncated;
}

void work_free(struct work *work) {
    free(work->texts);
    free(work->scores);
    free(work->order);
    free(work->embeddings);
    free(work->infos);
    for (size_t i = 0; i < work->text_count && work->token_embeddings != NULL; i++)
        free(work->token_embeddings[i]);
    free(work->token_embeddings);
    free(work->queries);
    buffer_free(&work->other);
    json_decref(work->made);
    json_decref(work->document);
    *work = (struct work){0};
}
