#include "engine/call.h"

static void take_embedding(struct call *call, const struct sequence_owner *owner, uint32_t tokens,
                           const float *output) {
    (void)tokens;
    size_t size = call->session->output_size;
    float *target = (float *)call->target + owner->index * size;
    for (size_t i = 0; i < size; i++)
        target[i] = output[i];
}

static enum status add_text(struct call *call, size_t index, struct bytes text, struct embedding_info *info,
                            struct error *error) {
    struct session *session = call->session;
    size_t room = call->max_length - TOKENIZER_SPECIAL_SINGLE;
    size_t enough = call->options->truncation_direction == TRUNCATION_LEFT ? 0 : room + 1;
    enum status status = call_encode(call, text, enough, &session->text, error);
    if (status != STATUS_OK)
        return status;
    size_t kept = session->text.count < room ? session->text.count : room;
    info->truncated = kept < session->text.count;
    if (info->truncated && call->options->truncation == TRUNCATION_NONE)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "the text has more than the %zu tokens that fit",
                         room);
    size_t length = kept + TOKENIZER_SPECIAL_SINGLE;
    info->tokens = (uint32_t)length;
    struct window read = call_kept(call, session->text.count, kept);
    struct token_span span = window_span(&session->text, read);
    info->character_start = span.character_start;
    info->character_end = span.character_end;
    int32_t *ids;
    status = call_add(call, length, length, (struct sequence_owner){.index = index}, &ids, error);
    if (status == STATUS_OK)
        (void)build_single(&session->model->tokenizer, session->text.ids + read.first, kept, ids);
    return status;
}

enum status session_embed(struct session *session, const struct bytes *texts, size_t text_count,
                          const struct call_options *options, float *embeddings, struct embedding_info *infos,
                          struct call_usage *usage, struct error *error) {
    struct call call = {.take = take_embedding, .target = embeddings};
    if (session->model->kind != MODEL_EMBEDDER)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s is a cross-encoder: it scores pairs and has no embeddings",
                         session->model->name);
    enum status status = call_begin(&call, session, options, TOKENIZER_SPECIAL_SINGLE + 1, error);
    for (size_t i = 0; i < text_count && status == STATUS_OK; i++) {
        status = add_text(&call, i, texts[i], &infos[i], error);
        if (status != STATUS_OK && text_count > 1)
            (void)call_error_at(status, "text", i, error);
    }
    if (status == STATUS_OK)
        status = call_finish(&call, error);
    if (usage != NULL)
        *usage = call.usage;
    return status;
}
