#include "engine/request.h"

#include <stdlib.h>

void embed_take(struct request *request, const struct sequence_owner *owner, uint32_t tokens,
                const float *output, const float *rows) {
    size_t size = request->model->shape.hidden_size;
    if (request->options.token_embeddings != NULL)
        memcpy(request->options.token_embeddings[owner->index], rows, tokens * size * sizeof *rows);
    float *target = request->input.embeddings + owner->index * size;
    for (size_t i = 0; i < size; i++)
        target[i] = output[i];
}

/* Two special tokens and at most max_length in all: the product cannot wrap. */
static enum status make_room_for_rows(struct request *request, size_t index, size_t tokens,
                                      struct error *error) {
    float **rows = request->options.token_embeddings;
    if (rows == NULL)
        return STATUS_OK;
    rows[index] = malloc(tokens * request->model->shape.hidden_size * sizeof **rows);
    if (rows[index] == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the embeddings of %zu tokens", tokens);
    return STATUS_OK;
}

enum status embed_plan_text(struct request *request, size_t index, struct error *error) {
    struct embedding_info *info = &request->input.infos[index];
    size_t room = request->max_length - TOKENIZER_SPECIAL_SINGLE;
    /* A refusal says how long the text is. */
    bool all = request->options.truncation_direction == TRUNCATION_LEFT ||
               request->options.truncation == TRUNCATION_NONE;
    size_t enough = all ? 0 : room + 1;
    enum status status = request_encode(request, request->options.prompt, request->input.texts[index], enough,
                                        &request->tokens, error);
    if (status != STATUS_OK)
        return status;
    struct prompted_part read;
    status = request_cut_prompted(request, (struct window){request->prompt_count, request->tokens.count},
                                  &read, error);
    if (status != STATUS_OK)
        return status;
    struct token_span span = window_span(&request->tokens, read.part);
    size_t tokens = read.prompt.end + (read.part.end - read.part.first) + TOKENIZER_SPECIAL_SINGLE;
    *info = (struct embedding_info){
        .tokens = (uint32_t)tokens,
        .truncated = read.truncated,
        .character_start = span.character_start,
        .character_end = span.character_end,
    };
    request->text = (struct request_text){.end = 1, .before = read.prompt, .part = read.part};
    return make_room_for_rows(request, index, tokens, error);
}
