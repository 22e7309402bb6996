#include "engine/session.h"

#include "base/clock.h"
#include "engine/batch.h"
#include "engine/request.h"

#include <stdlib.h>
#include <string.h>

/* Whose output a sequence of the batch is. */
struct batch_owner {
    struct request *request;
    struct sequence_owner owner;
};

struct session {
    const struct model *model;
    struct encoder *encoder;
    struct batch batch;
    struct batch_owner *owners; /* [sequences of a batch] */
    size_t output_size;         /* floats per sequence */
    float *outputs;             /* [sequences of a batch][output_size] */
    uint64_t run_nanoseconds;   /* of the last run */
    struct request request;     /* of session_rerank and session_embed */
    enum invalid_utf8 invalid_utf8;
};

static uint32_t batch_tokens_of(const struct model *model, const struct session_options *options) {
    uint32_t tokens = options != NULL && options->max_batch_tokens != 0 ? options->max_batch_tokens
                                                                        : SESSION_DEFAULT_BATCH_TOKENS;
    return tokens < model->max_length ? model->max_length : tokens;
}

size_t session_arena_size(const struct model *model, const struct session_options *options) {
    return encoder_arena_size(model, batch_tokens_of(model, options));
}

enum status session_create(const struct model *model, const struct session_options *options,
                           struct session **created, struct error *error) {
    *created = NULL;
    uint32_t batch_tokens = batch_tokens_of(model, options);
    const struct kernels *kernels =
        options != NULL && options->kernels != NULL ? options->kernels : kernels_select();
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a session");
    session->model = model;
    session->invalid_utf8 = options != NULL ? options->invalid_utf8 : INVALID_UTF8_REFUSE;
    session->output_size = model->kind == MODEL_EMBEDDER ? model->shape.hidden_size : 1;
    enum status status = encoder_create_in(options != NULL ? options->arena : NULL, model, kernels,
                                           batch_tokens, &session->encoder, error);
    if (status == STATUS_OK)
        status = batch_create(&session->batch, batch_tokens, error);
    if (status == STATUS_OK) {
        session->outputs =
            calloc(batch_tokens / BATCH_MIN_SEQUENCE + 1, session->output_size * sizeof(float));
        session->owners = calloc(batch_tokens / BATCH_MIN_SEQUENCE + 1, sizeof *session->owners);
        if (session->outputs == NULL || session->owners == NULL)
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
    free(session->owners);
    request_free(&session->request);
    free(session);
}

size_t session_memory(const struct session *session) {
    size_t sequences = session->batch.max_tokens / BATCH_MIN_SEQUENCE + 1;
    return encoder_memory(session->encoder) + session->batch.max_tokens * sizeof(int32_t) +
           sequences *
               (sizeof(struct sequence) + sizeof(struct batch_owner) + session->output_size * sizeof(float)) +
           sizeof *session;
}

const struct kernels *session_kernels(const struct session *session) {
    return encoder_kernels(session->encoder);
}

/* --- a batch of several requests --- */

size_t session_max_batch_tokens(const struct session *session) {
    return session->batch.max_tokens;
}

size_t session_batch_tokens(const struct session *session) {
    return session->batch.tokens;
}

bool session_add(struct session *session, struct request *request) {
    const struct queued_sequence *sequence = sequence_queue_front(&request->ready);
    int32_t *ids = batch_add(&session->batch, sequence->count, sequence->first_segment);
    if (ids == NULL)
        return false;
    memcpy(ids, sequence_queue_front_ids(&request->ready), sequence->count * sizeof *ids);
    struct sequence *added = &session->batch.sequences[session->batch.count - 1];
    added->unnormalized = request->options.unnormalized;
    added->all_rows = request->options.token_embeddings != NULL;
    session->owners[session->batch.count - 1] = (struct batch_owner){request, sequence->owner};
    sequence_queue_pop(&request->ready);
    return true;
}

enum status session_run(struct session *session, struct error *error) {
    uint64_t start = clock_nanoseconds();
    enum status status = encoder_run(session->encoder, session->batch.sequences, session->batch.count,
                                     session->outputs, error);
    session->run_nanoseconds = clock_nanoseconds() - start;
    return status;
}

/* The time of a batch is shared among its sequences by their tokens. */
static uint64_t share_of_time(const struct session *session, uint32_t tokens) {
    return session->run_nanoseconds * tokens / session->batch.tokens;
}

void session_deliver(struct session *session) {
    const float *rows = encoder_rows(session->encoder);
    for (size_t i = 0; i < session->batch.count; i++) {
        struct request *request = session->owners[i].request;
        uint32_t tokens = session->batch.sequences[i].count;
        const float *output = session->outputs + i * session->output_size;
        request->usage.tokens += tokens;
        request->usage.compute_nanoseconds += share_of_time(session, tokens);
        request->delivered_sequences++;
        if (request->input.kind == REQUEST_RERANK)
            rerank_take(request, &session->owners[i].owner, tokens, output);
        else
            embed_take(request, &session->owners[i].owner, tokens, output, rows);
        rows += (size_t)tokens * session->model->shape.hidden_size;
    }
    batch_clear(&session->batch);
}

void session_discard(struct session *session) {
    batch_clear(&session->batch);
}

/* --- one request alone --- */

static enum status run_next_batch(struct session *session, struct error *error) {
    struct request *request = &session->request;
    enum status status = request_prepare(request, session->batch.max_tokens, error);
    if (status == STATUS_OK)
        status = request_check_time(request, error);
    if (status != STATUS_OK)
        return status;
    batch_clear(&session->batch);
    while (sequence_queue_count(&request->ready) > 0 && session_add(session, request))
        continue;
    if (session->batch.count == 0)
        return STATUS_OK;
    status = session_run(session, error);
    if (status == STATUS_OK)
        session_deliver(session);
    return status;
}

static enum status run_request(struct session *session, struct request_input *input, struct call_usage *usage,
                               struct error *error) {
    struct request *request = &session->request;
    input->invalid_utf8 = session->invalid_utf8;
    enum status status = request_begin(request, session->model, input, error);
    while (status == STATUS_OK &&
           (!request_is_prepared(request) || sequence_queue_count(&request->ready) > 0))
        status = run_next_batch(session, error);
    if (usage != NULL)
        *usage = request->usage;
    return status;
}

enum status session_rerank(struct session *session, struct bytes query, const struct bytes *passages,
                           size_t passage_count, const struct call_options *options,
                           struct passage_score *scores, struct call_usage *usage, struct error *error) {
    struct request_input input = {
        .kind = REQUEST_RERANK,
        .query = query,
        .texts = passages,
        .text_count = passage_count,
        .options = options,
        .scores = scores,
    };
    return run_request(session, &input, usage, error);
}

enum status session_embed(struct session *session, const struct bytes *texts, size_t text_count,
                          const struct call_options *options, float *embeddings, struct embedding_info *infos,
                          struct call_usage *usage, struct error *error) {
    struct request_input input = {
        .kind = REQUEST_EMBED,
        .texts = texts,
        .text_count = text_count,
        .options = options,
        .embeddings = embeddings,
        .infos = infos,
    };
    return run_request(session, &input, usage, error);
}
