#include "server/forecast.h"

#include "tokenizer/tokenizer.h"

/* Of English text in JSON with its punctuation, until something is learnt. */
#define FIRST_TOKENS_PER_BYTE 0.25
#define FIRST_BYTES           4096.0
/* What has been learnt counts half after so many bytes, or tokens, more. */
#define HALF_LIFE_BYTES  1048576.0
#define HALF_LIFE_TOKENS 262144.0

void forecast_init(struct forecast *forecast, size_t model_count) {
    const struct forecast_ratio first = {FIRST_TOKENS_PER_BYTE * FIRST_BYTES, FIRST_BYTES};
    *forecast = (struct forecast){.model_count = model_count, .of_bodies = first, .of_texts = first};
    for (size_t i = 0; i < model_count; i++)
        forecast->models[i].tokens = 1;
}

void forecast_begin(struct forecast *forecast, size_t model, uint64_t tokens, uint64_t nanoseconds) {
    forecast->models[model].nanoseconds_per_token = (double)nanoseconds / (double)tokens;
}

static double median(const struct forecast_speed *speed) {
    size_t count = speed->slice_count < FORECAST_SLICES ? speed->slice_count : FORECAST_SLICES;
    double sorted[FORECAST_SLICES];
    for (size_t i = 0; i < count; i++) {
        size_t place = i;
        for (; place > 0 && sorted[place - 1] > speed->slices[i]; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = speed->slices[i];
    }
    return sorted[count / 2];
}

void forecast_learn_slice(struct forecast *forecast, size_t model, uint64_t tokens, uint64_t nanoseconds) {
    struct forecast_speed *speed = &forecast->models[model];
    double kept = HALF_LIFE_TOKENS / (HALF_LIFE_TOKENS + (double)tokens);
    for (size_t i = 0; i < forecast->model_count; i++)
        forecast->models[i].tokens *= kept;
    speed->tokens += (double)tokens;
    if (tokens < FORECAST_MIN_TOKENS)
        return;
    speed->slices[speed->slice_count++ % FORECAST_SLICES] = (double)nanoseconds / (double)tokens;
    speed->nanoseconds_per_token = median(speed);
}

double forecast_nanoseconds_per_token(const struct forecast *forecast, size_t model) {
    if (model != FORECAST_ANY_MODEL)
        return forecast->models[model].nanoseconds_per_token;
    double nanoseconds = 0, tokens = 0;
    for (size_t i = 0; i < forecast->model_count; i++) {
        nanoseconds += forecast->models[i].tokens * forecast->models[i].nanoseconds_per_token;
        tokens += forecast->models[i].tokens;
    }
    return nanoseconds / tokens;
}

static void learn(struct forecast_ratio *ratio, uint64_t bytes, uint64_t tokens) {
    double kept = HALF_LIFE_BYTES / (HALF_LIFE_BYTES + (double)bytes);
    ratio->bytes = ratio->bytes * kept + (double)bytes;
    ratio->tokens = ratio->tokens * kept + (double)tokens;
}

void forecast_learn_body(struct forecast *forecast, uint64_t body_bytes, uint64_t tokens) {
    learn(&forecast->of_bodies, body_bytes, tokens);
}

void forecast_learn_texts(struct forecast *forecast, uint64_t text_count, uint64_t text_bytes,
                          uint64_t tokens) {
    uint64_t special = text_count * TOKENIZER_SPECIAL_PAIR;
    learn(&forecast->of_texts, text_bytes, tokens > special ? tokens - special : 0);
}

static double tokens_per_byte(const struct forecast_ratio *ratio) {
    return ratio->tokens / ratio->bytes;
}

double forecast_body_tokens(const struct forecast *forecast, uint64_t body_bytes) {
    return (double)body_bytes * tokens_per_byte(&forecast->of_bodies);
}

double forecast_text_tokens(const struct forecast_ratio *of_texts, uint64_t text_bytes, uint32_t max_length) {
    double tokens = TOKENIZER_SPECIAL_PAIR + (double)text_bytes * tokens_per_byte(of_texts);
    return tokens < max_length ? tokens : max_length;
}
