/* The texts of the self-test, stored in every ember with the outputs that the float32 form of the model gave
 * for them: short and long, several scripts, one pair per text. */
#ifndef RESCOLDO_BAKE_GOLDEN_H
#define RESCOLDO_BAKE_GOLDEN_H

struct golden_text {
    const char *query, *passage; /* a cross-encoder scores the pair, an embedder embeds the passage */
};

#define GOLDEN_TEXT_COUNT 10
extern const struct golden_text golden_texts[GOLDEN_TEXT_COUNT];

#endif
