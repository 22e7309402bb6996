/* Published models that are recognised by the SHA-256 of their weights, with what is known about them: their
 * name, licence, and the scores that others published for them. A bake computes those scores in float32 and
 * refuses a model that misses them, since then either a file or our arithmetic is wrong. */
#ifndef RESCOLDO_BAKE_KNOWN_MODELS_H
#define RESCOLDO_BAKE_KNOWN_MODELS_H

#include <stddef.h>

#define KNOWN_MODEL_TOLERANCE 1e-3 /* absolute, of a logit; the published figures' own */

struct published_score {
    const char *query, *passage;
    double logit;
};

struct known_model {
    const char *sha256; /* of the weights file, 64 hexadecimal digits */
    const char *name, *licence;
    const struct published_score *scores; /* [score_count] */
    size_t score_count;
};

/* NULL when no known model has these weights. */
const struct known_model *known_model_find(const char *sha256);

#endif
