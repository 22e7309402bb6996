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

int work_allocate_texts(struct work *work, size_t count, struct api_error *error) {
    work->texts = calloc(count, sizeof *work->texts);
    if (work->texts == NULL)
        return api_refuse_no_memory(error);
    work->text_count = count;
    return 0;
}

static int describe_rerank(struct work *work, struct request_input *input, struct api_error *error) {
    work->scores = calloc(work->text_count, sizeof *work->scores);
    work->order = calloc(work->text_count, sizeof *work->order);
    if (work->scores == NULL || work->order == NULL)
        return api_refuse_no_memory(error);
    input->kind = REQUEST_RERANK;
    input->query = work->query;
    input->scores = work->scores;
    return 0;
}

static int describe_embed(const struct model *model, struct work *work, struct request_input *input,
                          struct api_error *error) {
    if (model->kind != MODEL_EMBEDDER)
        return api_refuse(error, 400, "unsupported_model",
                          "%s is a cross-encoder: it scores pairs and has no embeddings; use a rerank path",
                          model->name);
    size_t count;
    if (!size_multiply(work->text_count, model->shape.hidden_size, &count))
        return api_refuse_no_memory(error);
    work->embeddings = calloc(count, sizeof *work->embeddings);
    work->infos = calloc(work->text_count, sizeof *work->infos);
    if (work->embeddings == NULL || work->infos == NULL)
        return api_refuse_no_memory(error);
    input->kind = REQUEST_EMBED;
    input->embeddings = work->embeddings;
    input->infos = work->infos;
    return 0;
}

int work_describe(const struct service *service, const struct dialect *dialect, struct work *work,
                  struct request_input *input, struct api_error *error) {
    *input = (struct request_input){
        .texts = work->texts, .text_count = work->text_count, .options = &work->options};
    if (dialect->kind == WORK_RERANK)
        return describe_rerank(work, input, error);
    return describe_embed(service->model, work, input, error);
}

/* Borrowed from the whole; each part's order is by its own indexes. */
static void share_results(const struct service *service, struct work *work) {
    size_t first = 0;
    for (size_t i = 0; i < work->part_count; i++) {
        struct work *part = &work->parts[i];
        part->usage = work->usage;
        if (work->scores != NULL) {
            part->scores = work->scores + first;
            part->order = work->order + first;
            passage_order(part->scores, part->text_count, part->order);
        }
        if (work->embeddings != NULL) {
            part->embeddings = work->embeddings + first * service->model->shape.hidden_size;
            part->infos = work->infos + first;
        }
        first += part->text_count;
    }
}

void work_finish(const struct service *service, const struct dialect *dialect, const struct call_usage *usage,
                 struct work *work) {
    size_t size = service->model->shape.hidden_size;
    bool normalize = work->normalize && !service->model->normalize && work->embeddings != NULL;
    work->usage = *usage;
    work->usage.tokens += usage->cached_tokens;
    if (dialect->kind == WORK_RERANK)
        passage_order(work->scores, work->text_count, work->order);
    for (size_t i = 0; i < work->text_count && normalize; i++)
        normalize_l2(work->embeddings + i * size, size);
    share_results(service, work);
}

size_t work_truncated_texts(const struct work *work) {
    size_t truncated = 0;
    for (size_t i = 0; i < work->text_count; i++) {
        truncated += work->scores != NULL && work->scores[i].truncated ? 1 : 0;
        truncated += work->infos != NULL && work->infos[i].truncated ? 1 : 0;
    }
    return truncated;
}

/* Its results are the whole's. */
static void free_part(struct work *part) {
    free(part->texts);
    free(part->queries);
    json_decref(part->made);
    json_decref(part->document);
}

void work_free(struct work *work) {
    for (size_t i = 0; i < work->part_count && work->parts != NULL; i++)
        free_part(&work->parts[i]);
    free(work->parts);
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
