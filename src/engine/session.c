#include "engine/session.h"

#include "engine/call.h"

#include <stdlib.h>

enum status session_create(const struct model *model, const struct session_options *options,
                           struct session **created, struct error *error) {
    *created = NULL;
    uint32_t batch_tokens = options != NULL && options->max_batch_tokens != 0 ? options->max_batch_tokens
                                                                              : SESSION_DEFAULT_BATCH_TOKENS;
    if (batch_tokens < model->max_length)
        batch_tokens = model->max_length;
    const struct kernels *kernels =
        options != NULL && options->kernels != NULL ? options->kernels : kernels_select();
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a session");
    session->model = model;
    session->invalid_utf8 = options != NULL ? options->invalid_utf8 : INVALID_UTF8_REFUSE;
    session->output_size = model->kind == MODEL_EMBEDDER ? model->shape.hidden_size : 1;
    enum status status = encoder_create(model, kernels, batch_tokens, &session->encoder, error);
    if (status == STATUS_OK)
        status = batch_create(&session->batch, batch_tokens, error);
    if (status == STATUS_OK) {
        session->outputs =
            calloc(batch_tokens / BATCH_MIN_SEQUENCE + 1, session->output_size * sizeof(float));
        session->query_vector = calloc(session->output_size, sizeof(float));
        session->owners = calloc(batch_tokens / BATCH_MIN_SEQUENCE + 1, sizeof *session->owners);
        if (session->outputs == NULL || session->query_vector == NULL || session->owners == NULL)
            status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the outputs of a session");
    }
    if (status != STATUS_OK) {
        session_destroy(session);
        return status;
    }
    *created = session;
    return STATUS_OK;
}

void session_destroy(struct session *session) {
    if (session == NULL)
        return;
    encoder_destroy(session->encoder);
    batch_destroy(&session->batch);
    free(session->outputs);
    free(session->query_vector);
    free(session->owners);
    tokens_free(&session->query);
    tokens_free(&session->text);
    free(session);
}

size_t session_memory(const struct session *session) {
    size_t sequences = session->batch.max_tokens / BATCH_MIN_SEQUENCE + 1;
    return encoder_memory(session->encoder) + session->batch.max_tokens * sizeof(int32_t) +
           sequences * (sizeof(struct sequence) + sizeof(struct sequence_owner) +
                        session->output_size * sizeof(float)) +
           sizeof *session;
}

const struct kernels *session_kernels(const struct session *session) {
    return encoder_kernels(session->encoder);
}
