/* Floating-point numbers from their bits. Exact. */
#ifndef RESCOLDO_FORMATS_FLOAT_BITS_H
#define RESCOLDO_FORMATS_FLOAT_BITS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits. */
static inline float float_from_f16(uint16_t half) {
    uint32_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    float magnitude;
    if (exponent == 0x1f)
        magnitude = fraction == 0 ? INFINITY : NAN;
    else if (exponent == 0)
        magnitude = ldexpf((float)fraction, -24);
    else
        magnitude = ldexpf((float)(fraction | 0x400), (int)exponent - 25);
    return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

/* The upper half of a float32. */
static inline float float_from_bf16(uint16_t upper) {
    return float_from_bits((uint32_t)upper << 16);
}

#endif
