/* A seeded stream of numbers: the same on every machine, so that a failure repeats. */
#ifndef RESCOLDO_TESTS_RANDOM_H
#define RESCOLDO_TESTS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t random_bits(struct random *random) {
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 to bound - 1. */
static inline uint32_t random_below(struct random *random, uint32_t bound) {
    return (uint32_t)((random_bits(random) >> 32) * bound >> 32);
}

/* low to high. */
static inline int random_between(struct random *random, int low, int high) {
    return low + (int)random_below(random, (uint32_t)(high - low + 1));
}

/* -1 to 1. */
static inline float random_unit(struct random *random) {
    return (float)(int32_t)(random_bits(random) >> 40) * 0x1p-23f - 1;
}

static inline void random_units(struct random *random, float *values, size_t count, float centre,
                                float spread) {
    for (size_t i = 0; i < count; i++)
        values[i] = centre + spread * random_unit(random);
}

#endif
