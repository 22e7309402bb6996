#include "engine/call.h"

#include "base/clock.h"

enum status call_begin(struct call *call, struct session *session, const struct call_options *options,
                       uint32_t shortest, struct error *error) {
    static const struct call_options none = {0};
    call->session = session;
    call->options = options != NULL ? options : &none;
    call->max_length = session->model->max_length;
    if (call->options->max_length != 0) {
        if (call->options->max_length > session->model->max_length || call->options->max_length < shortest)
            return error_set(error, STATUS_INVALID_ARGUMENT, "max_length is %u, expected %u to %u",
                             call->options->max_length, shortest, session->model->max_length);
        call->max_length = call->options->max_length;
    }
    batch_clear(&session->batch);
    return STATUS_OK;
}

struct window call_kept(const struct call *call, size_t count, size_t kept) {
    size_t first = call->options->truncation_direction == TRUNCATION_LEFT ? count - kept : 0;
    return (struct window){first, first + kept};
}

static enum status check_time(const struct call_options *options, struct error *error) {
    if (options->cancel != NULL && atomic_load_explicit(options->cancel, memory_order_relaxed))
        return error_set(error, STATUS_CANCELLED, "the call was cancelled");
    if (options->deadline_nanoseconds != 0 && clock_nanoseconds() > options->deadline_nanoseconds)
        return error_set(error, STATUS_DEADLINE_EXCEEDED, "the deadline passed before the work was done");
    return STATUS_OK;
}

static enum status run_batch(struct call *call, struct error *error) {
    struct session *session = call->session;
    struct batch *batch = &session->batch;
    if (batch->count == 0)
        return STATUS_OK;
    enum status status = check_time(call->options, error);
    if (status != STATUS_OK)
        return status;
    uint64_t start = clock_nanoseconds();
    status = encoder_run(session->encoder, batch->sequences, batch->count, session->outputs, error);
    call->usage.compute_nanoseconds += clock_nanoseconds() - start;
    if (status != STATUS_OK)
        return status;
    call->usage.tokens += batch->tokens;
    for (size_t i = 0; i < batch->count; i++)
        call->take(call, &session->owners[i], batch->sequences[i].count,
                   session->outputs + i * session->output_size);
    batch_clear(batch);
    return STATUS_OK;
}

enum status call_add(struct call *call, size_t count, size_t first_segment, struct sequence_owner owner,
                     int32_t **ids, struct error *error) {
    struct session *session = call->session;
    *ids = batch_add(&session->batch, count, first_segment);
    if (*ids == NULL) {
        enum status status = run_batch(call, error);
        if (status != STATUS_OK)
            return status;
        *ids = batch_add(&session->batch, count, first_segment);
    }
    if (*ids == NULL)
        return error_set(error, STATUS_INTERNAL, "a sequence of %zu tokens does not fit a batch", count);
    session->owners[session->batch.count - 1] = owner;
    return STATUS_OK;
}

enum status call_finish(struct call *call, struct error *error) {
    return run_batch(call, error);
}

enum status call_error_at(enum status status, const char *what, size_t index, struct error *error) {
    if (status == STATUS_CANCELLED || status == STATUS_DEADLINE_EXCEEDED)
        return status;
    return error_add_context(error, status, "%s %zu", what, index);
}

enum status call_encode(struct call *call, struct bytes text, size_t max_tokens, struct tokens *tokens,
                        struct error *error) {
    struct encode_options options = {
        .invalid_utf8 = call->session->invalid_utf8,
        .with_spans = true,
        .max_tokens = max_tokens,
    };
    uint64_t start = clock_nanoseconds();
    enum status status = tokenizer_encode(&call->session->model->tokenizer, text, &options, tokens, error);
    call->usage.tokenize_nanoseconds += clock_nanoseconds() - start;
    return status;
}
