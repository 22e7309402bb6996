#include "api/api.h"
#include "tokenizer/windows.h"

/* How much of both texts is kept. */
struct kept {
    size_t first, second;
};

static enum status encode(struct rescoldo_session *session, struct rescoldo_text text, size_t max_tokens,
                          const char *name, struct tokens *tokens, struct error *error) {
    const struct encode_options options = {.invalid_utf8 = session->invalid_utf8, .max_tokens = max_tokens};
    struct bytes bytes;
    enum status status = api_take_text(text, &bytes, error);
    if (status == STATUS_OK)
        status = tokenizer_encode(&session->model->tokenizer, bytes, &options, tokens, error);
    return status == STATUS_OK ? status : error_add_context(error, status, "%s", name);
}

static enum status fit_single(struct rescoldo_session *session, struct rescoldo_text text, size_t max_length,
                              const struct call_options *options, struct kept *kept, struct error *error) {
    size_t room = max_length - TOKENIZER_SPECIAL_SINGLE;
    size_t max_tokens = options->truncation_direction == TRUNCATION_LEFT ? 0 : room + 1;
    enum status status = encode(session, text, max_tokens, "text", &session->text, error);
    if (status != STATUS_OK)
        return status;
    if (session->text.count > room && options->truncation == TRUNCATION_NONE)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "the text has more than the %zu tokens that fit",
                         room);
    kept->first = session->text.count < room ? session->text.count : room;
    return STATUS_OK;
}

/* As rerank does it for a cross-encoder. */
static enum status fit_pair(struct rescoldo_session *session, struct rescoldo_text text,
                            struct rescoldo_text pair, size_t max_length, const struct call_options *options,
                            struct kept *kept, struct error *error) {
    enum status status = encode(session, text, 0, "text", &session->text, error);
    if (status != STATUS_OK)
        return status;
    size_t first = session->text.count;
    size_t max_tokens =
        options->truncation_direction == TRUNCATION_LEFT ? 0 : pair_max_tokens(first, max_length);
    status = encode(session, pair, max_tokens, "pair", &session->pair, error);
    if (status != STATUS_OK)
        return status;
    if (options->truncation == TRUNCATION_ONLY_SECOND)
        first = query_kept(first, max_length);
    return truncate_pair(first, session->pair.count, max_length, options->truncation, &kept->first,
                         &kept->second, error);
}

static enum status max_length_of(const struct rescoldo_session *session, const struct call_options *options,
                                 size_t *max_length, struct error *error) {
    uint32_t longest = session->model->max_length;
    *max_length = options->max_length != 0 ? options->max_length : longest;
    if (*max_length > longest || *max_length < TOKENIZER_SPECIAL_PAIR)
        return error_set(error, STATUS_INVALID_ARGUMENT, "max_length is %zu, expected %u to %u", *max_length,
                         TOKENIZER_SPECIAL_PAIR, (unsigned)longest);
    return STATUS_OK;
}

/* The ids that are kept: the first, or those at the end. */
static const int32_t *kept_ids(const struct tokens *tokens, size_t kept,
                               enum truncation_direction direction) {
    return direction == TRUNCATION_LEFT ? tokens->ids + (tokens->count - kept) : tokens->ids;
}

static enum status write_tokens(const struct rescoldo_session *session, bool with_pair, struct kept kept,
                                enum truncation_direction direction, struct rescoldo_tokens *tokens,
                                struct error *error) {
    const struct tokenizer *tokenizer = &session->model->tokenizer;
    size_t first_segment = kept.first + TOKENIZER_SPECIAL_SINGLE;
    tokens->count = with_pair ? kept.first + kept.second + TOKENIZER_SPECIAL_PAIR : first_segment;
    if (tokens->count > tokens->capacity)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "%zu tokens, and room for %zu", tokens->count,
                         tokens->capacity);
    if (with_pair)
        (void)build_pair(tokenizer, kept_ids(&session->text, kept.first, direction), kept.first,
                         kept_ids(&session->pair, kept.second, direction), kept.second, tokens->ids);
    else
        (void)build_single(tokenizer, kept_ids(&session->text, kept.first, direction), kept.first,
                           tokens->ids);
    for (size_t i = 0; i < tokens->count && tokens->type_ids != NULL; i++)
        tokens->type_ids[i] = i >= first_segment;
    tokens->truncated = kept.first < session->text.count || (with_pair && kept.second < session->pair.count);
    return STATUS_OK;
}

static enum status tokenize(struct rescoldo_session *session, struct rescoldo_text text,
                            const struct rescoldo_text *pair, const struct rescoldo_call_options *given,
                            struct rescoldo_tokens *tokens, struct error *error) {
    if (session == NULL || tokens == NULL || (tokens->ids == NULL && tokens->capacity != 0))
        return error_set(error, STATUS_INVALID_ARGUMENT, "rescoldo_tokenize: session, tokens or ids is NULL");
    tokens->count = 0;
    tokens->truncated = 0;
    tokens->reserved = 0;
    struct rescoldo_call_options copy;
    struct call_options options;
    size_t max_length = 0;
    enum status status = api_call_options(given, &copy, &options, error);
    if (status == STATUS_OK && options.windows)
        status =
            error_set(error, STATUS_INVALID_ARGUMENT, "RESCOLDO_TRUNCATION_WINDOWS is for rescoldo_rerank");
    if (status == STATUS_OK)
        status = max_length_of(session, &options, &max_length, error);
    struct kept kept = {0, 0};
    if (status == STATUS_OK)
        status = pair != NULL ? fit_pair(session, text, *pair, max_length, &options, &kept, error)
                              : fit_single(session, text, max_length, &options, &kept, error);
    if (status != STATUS_OK)
        return status;
    return write_tokens(session, pair != NULL, kept, options.truncation_direction, tokens, error);
}

enum rescoldo_status rescoldo_tokenize(struct rescoldo_session *session, struct rescoldo_text text,
                                       const struct rescoldo_text *pair,
                                       const struct rescoldo_call_options *options,
                                       struct rescoldo_tokens *tokens, struct rescoldo_error *reported) {
    struct error error;
    return api_report(tokenize(session, text, pair, options, tokens, &error), &error, reported);
}
