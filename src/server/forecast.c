#include "server/forecast.h"

#include "tokenizer/tokenizer.h"

/* Of English text in JSON with its punctuation, until something is learnt. */
#define FIRST_TOKENS_PER_BYTE 0.25
#define FIRST_BYTES           4096.0
/* What has been learnt counts half after so many bytes more. */
#define HALF_LIFE_BYTES 1048576.0

void forecast_init(struct forecast *forecast) {
    const struct forecast_ratio first = {FIRST_TOKENS_PER_BYTE * FIRST_BYTES, FIRST_BYTES};
    *forecast = (struct forecast){.of_bodies = first, .of_texts = first};
}

void forecast_begin(struct forecast *forecast, uint64_t tokens, uint64_t nanoseconds) {
    forecast->nanoseconds_per_token = (double)nanoseconds / (double)tokens;
}

void forecast_learn_slice(struct forecast *forecast, uint64_t tokens, uint64_t nanoseconds) {
    if (tokens < FORECAST_MIN_TOKENS)
        return;
    forecast->slices[forecast->slice_count++ % FORECAST_SLICES] = (double)nanoseconds / (double)tokens;
    size_t count = forecast->slice_count < FORECAST_SLICES ? forecast->slice_count : FORECAST_SLICES;
    double sorted[FORECAST_SLICES];
    for (size_t i = 0; i < count; i++) {
        size_t place = i;
        for (; place > 0 && sorted[place - 1] > forecast->slices[i]; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = forecast->slices[i];
    }
    forecast->nanoseconds_per_token = sorted[count / 2];
}

static void learn(struct forecast_ratio *ratio, uint64_t bytes, uint64_t tokens) {
    double kept = HALF_LIFE_BYTES / (HALF_LIFE_BYTES + (double)bytes);
    ratio->bytes = ratio->bytes * kept + (double)bytes;
    ratio->tokens = ratio->tokens * kept + (double)tokens;
}

void forecast_learn_request(struct forecast *forecast, uint64_t body_bytes, uint64_t text_bytes,
                            uint64_t tokens) {
    learn(&forecast->of_bodies, body_bytes, tokens);
    learn(&forecast->of_texts, text_bytes, tokens);
}

static double tokens_per_byte(const struct forecast_ratio *ratio) {
    return ratio->tokens / ratio->bytes;
}

double forecast_body_tokens(const struct forecast *forecast, uint64_t body_bytes) {
    return (double)body_bytes * tokens_per_byte(&forecast->of_bodies);
}

double forecast_text_tokens(const struct forecast *forecast, uint64_t text_bytes, uint32_t max_length) {
    double tokens = TOKENIZER_SPECIAL_PAIR + (double)text_bytes * tokens_per_byte(&forecast->of_texts);
    return tokens < max_length ? tokens : max_length;
}
