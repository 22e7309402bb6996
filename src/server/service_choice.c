#include "server/service_choice.h"

#include <string.h>

const struct service *service_named(const struct service *services, const json_t *document) {
    const char *name = json_string_value(json_object_get(document, "model"));
    for (size_t i = 0; name != NULL && i < services->count; i++) {
        if (strcmp(services->all[i].model->name, name) == 0)
            return &services->all[i];
    }
    return NULL;
}

const struct service *service_of_kind(const struct service *services, enum model_kind kind) {
    for (size_t i = 0; i < services->count; i++) {
        if (services->all[i].model->kind == kind)
            return &services->all[i];
    }
    return NULL;
}

static size_t count_of_kind(const struct service *services, enum model_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < services->count; i++)
        count += services->all[i].model->kind == kind ? 1 : 0;
    return count;
}

static enum model_kind kind_for(enum work_kind work) {
    return work == WORK_EMBED ? MODEL_EMBEDDER : MODEL_CROSS_ENCODER;
}

const struct service *service_expected(const struct service *services,
                                       const struct dialect *const *dialects) {
    if (services->count == 1)
        return services;
    enum work_kind work = (*dialects)->kind;
    for (; *dialects != NULL; dialects++) {
        if ((*dialects)->kind != work)
            return NULL;
    }
    if (work == WORK_OTHER || count_of_kind(services, kind_for(work)) != 1)
        return NULL;
    return service_of_kind(services, kind_for(work));
}

static int refuse(const struct service *named, const struct service *better, struct api_error *error) {
    if (better->model->kind == MODEL_EMBEDDER)
        return api_refuse(error, 400, "unsupported_model",
                          "%s is a cross-encoder: it scores pairs and has no embeddings; for embeddings send "
                          "\"model\": \"%s\" or leave \"model\" out, or use a rerank path",
                          named->model->name, better->model->name);
    return api_refuse(error, 400, "unsupported_model",
                      "%s is an embedder; to rerank by the cross-encoder send \"model\": \"%s\" or leave "
                      "\"model\" out, or use an embeddings path and compare the vectors",
                      named->model->name, better->model->name);
}

int service_choose(const struct service *services, const struct dialect *dialect, const json_t *document,
                   const struct service **chosen, struct api_error *error) {
    const struct service *named = service_named(services, document);
    *chosen = named != NULL ? named : services;
    if (dialect->kind == WORK_OTHER)
        return 0;
    enum model_kind kind = kind_for(dialect->kind);
    const struct service *suiting = service_of_kind(services, kind);
    if (suiting == NULL || (named != NULL && named->model->kind == kind))
        return 0;
    if (named != NULL)
        return refuse(named, suiting, error);
    *chosen = suiting;
    return 0;
}
