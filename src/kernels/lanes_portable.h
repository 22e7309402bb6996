/* Sixteen lanes in plain C: the definition of what every instruction set computes. Vectorized by the
 * compiler. */
#ifndef RESCOLDO_KERNELS_LANES_H
#define RESCOLDO_KERNELS_LANES_H

#include "kernels/target.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    float lane[16];
} lanes_f32;

typedef struct {
    int32_t lane[16];
} lanes_i32;

#define EACH_LANE for (int i = 0; i < 16; i++)

KERNEL_INLINE lanes_f32 f32_load(const float *p) {
    lanes_f32 r;
    memcpy(&r, p, sizeof r);
    return r;
}
KERNEL_INLINE void f32_store(float *p, lanes_f32 a) {
    memcpy(p, &a, sizeof a);
}
KERNEL_INLINE lanes_f32 f32_set(float x) {
    lanes_f32 r;
    EACH_LANE r.lane[i] = x;
    return r;
}
KERNEL_INLINE lanes_f32 f32_add(lanes_f32 a, lanes_f32 b) {
    EACH_LANE a.lane[i] += b.lane[i];
    return a;
}
KERNEL_INLINE lanes_f32 f32_sub(lanes_f32 a, lanes_f32 b) {
    EACH_LANE a.lane[i] -= b.lane[i];
    return a;
}
KERNEL_INLINE lanes_f32 f32_mul(lanes_f32 a, lanes_f32 b) {
    EACH_LANE a.lane[i] *= b.lane[i];
    return a;
}
#if defined(FP_FAST_FMAF)
/* a * b + c, rounded once. */
KERNEL_INLINE float fused_multiply_add(float a, float b, float c) {
    return fmaf(a, b, c);
}
KERNEL_INLINE lanes_f32 f32_fma(lanes_f32 a, lanes_f32 b, lanes_f32 c) {
    EACH_LANE c.lane[i] = fused_multiply_add(a.lane[i], b.lane[i], c.lane[i]);
    return c;
}
#else
/* a * b + c rounded once, on any machine. The product of two floats is exact as a double; where the sum with
 * c is not, its last bit is set ("round to odd"), after which rounding to float gives the correctly rounded
 * result: Boldo and Melquiond, Emulation of FMA and Correctly Rounded Sums, IEEE Transactions on Computers
 * 57(4), 2008. The sum's error is Knuth's TwoSum. */
KERNEL_INLINE float fused_multiply_add(float a, float b, float c) {
    double product = (double)a * (double)b;
    double addend = (double)c;
    double sum = product + addend;
    double addend_seen = sum - product;
    double error = (product - (sum - addend_seen)) + (addend - addend_seen);
    int64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    int64_t toward_error = (error > 0) == (sum > 0) ? 1 : -1;
    int inexact = (error > 0) | (error < 0); /* false too for the NaN that comes of an infinite sum */
    bits += inexact && (bits & 1) == 0 ? toward_error : 0;
    memcpy(&sum, &bits, sizeof sum);
    return (float)sum;
}
/* a * b + c, rounded once. Rounding the double to float rounds twice, which differs only where the double
 * lies halfway between two floats: where the 29 bits that a float has not are 1 and zeros, or below 2^-125,
 * from where on a float has fewer bits. That is rare, and looking for it is cheaper than avoiding it. Each
 * step is a loop of its own, as compilers vectorize it. Out of line: inlined everywhere it makes the portable
 * kernels two thirds larger, slower to compile, and half a percent faster. */
KERNEL_NOINLINE lanes_f32 f32_fma(lanes_f32 a, lanes_f32 b, lanes_f32 c) {
    double sums[16];
    uint64_t sum_bits[16];
    uint32_t low_bits[16];
    int32_t magnitude_bits[16];
    lanes_f32 r;
    lanes_i32 doubtful;
    EACH_LANE sums[i] = (double)a.lane[i] * (double)b.lane[i] + (double)c.lane[i];
    EACH_LANE r.lane[i] = (float)sums[i];
    memcpy(sum_bits, sums, sizeof sum_bits);
    EACH_LANE low_bits[i] = (uint32_t)sum_bits[i];
    EACH_LANE magnitude_bits[i] = (int32_t)(sum_bits[i] >> 32 & 0x7fffffff);
    EACH_LANE doubtful.lane[i] = (low_bits[i] & 0x1fffffff) == 0x10000000 ? -1 : 0;
    EACH_LANE doubtful.lane[i] |= magnitude_bits[i] < 0x38200000 && magnitude_bits[i] > 0 ? -1 : 0;
    for (int half = 8; half >= 4; half /= 2)
        for (int i = 0; i < half; i++)
            doubtful.lane[i] |= doubtful.lane[i + half];
    uint64_t four_lanes[2];
    memcpy(four_lanes, &doubtful, sizeof four_lanes);
    if ((four_lanes[0] | four_lanes[1]) != 0)
        EACH_LANE r.lane[i] = fused_multiply_add(a.lane[i], b.lane[i], c.lane[i]);
    return r;
}
#endif

/* table[index % 16]. A level that looks up floats in registers of eight defines LOOKUP_OF_EIGHT; the index is
 * then below eight. */
KERNEL_INLINE lanes_f32 f32_lookup(const float *table, lanes_i32 index) {
    lanes_f32 r;
    EACH_LANE r.lane[i] = table[index.lane[i] & 15];
    return r;
}
KERNEL_INLINE lanes_f32 f32_div(lanes_f32 a, lanes_f32 b) {
    EACH_LANE a.lane[i] /= b.lane[i];
    return a;
}
KERNEL_INLINE lanes_f32 f32_min(lanes_f32 a, lanes_f32 b) {
    EACH_LANE a.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}
KERNEL_INLINE lanes_f32 f32_max(lanes_f32 a, lanes_f32 b) {
    EACH_LANE a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}
KERNEL_INLINE lanes_f32 f32_abs(lanes_f32 a) {
    EACH_LANE a.lane[i] = fabsf(a.lane[i]);
    return a;
}
KERNEL_INLINE float f32_reduce_add(lanes_f32 a) {
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            a.lane[i] += a.lane[i + half];
    return a.lane[0];
}
KERNEL_INLINE float f32_reduce_max(lanes_f32 a) {
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            a.lane[i] = a.lane[i] > a.lane[i + half] ? a.lane[i] : a.lane[i + half];
    return a.lane[0];
}

KERNEL_INLINE lanes_i32 i32_load(const int32_t *p) {
    lanes_i32 r;
    memcpy(&r, p, sizeof r);
    return r;
}
KERNEL_INLINE void i32_store(int32_t *p, lanes_i32 a) {
    memcpy(p, &a, sizeof a);
}
KERNEL_INLINE lanes_i32 i32_load_s8(const int8_t *p) {
    lanes_i32 r;
    EACH_LANE r.lane[i] = p[i];
    return r;
}
KERNEL_INLINE lanes_i32 i32_set(int32_t x) {
    lanes_i32 r;
    EACH_LANE r.lane[i] = x;
    return r;
}
KERNEL_INLINE lanes_i32 i32_add(lanes_i32 a, lanes_i32 b) {
    EACH_LANE a.lane[i] = (int32_t)((uint32_t)a.lane[i] + (uint32_t)b.lane[i]);
    return a;
}
KERNEL_INLINE lanes_i32 i32_sub(lanes_i32 a, lanes_i32 b) {
    EACH_LANE a.lane[i] = (int32_t)((uint32_t)a.lane[i] - (uint32_t)b.lane[i]);
    return a;
}
KERNEL_INLINE lanes_i32 i32_min(lanes_i32 a, lanes_i32 b) {
    EACH_LANE a.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}
KERNEL_INLINE lanes_i32 i32_max(lanes_i32 a, lanes_i32 b) {
    EACH_LANE a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}
KERNEL_INLINE lanes_i32 i32_or(lanes_i32 a, lanes_i32 b) {
    EACH_LANE a.lane[i] |= b.lane[i];
    return a;
}
KERNEL_INLINE lanes_i32 i32_and(lanes_i32 a, lanes_i32 b) {
    EACH_LANE a.lane[i] &= b.lane[i];
    return a;
}
KERNEL_INLINE lanes_i32 i32_shift_left(lanes_i32 a, int count) {
    EACH_LANE a.lane[i] = (int32_t)((uint32_t)a.lane[i] << count);
    return a;
}
/* Zeros come in from the left. */
KERNEL_INLINE lanes_i32 i32_shift_right(lanes_i32 a, int count) {
    EACH_LANE a.lane[i] = (int32_t)((uint32_t)a.lane[i] >> count);
    return a;
}
KERNEL_INLINE int32_t i32_reduce_add(lanes_i32 a) {
    uint32_t sum = 0;
    EACH_LANE sum += (uint32_t)a.lane[i];
    return (int32_t)sum;
}
KERNEL_INLINE int32_t i32_reduce_max(lanes_i32 a) {
    int32_t largest = a.lane[0];
    EACH_LANE largest = a.lane[i] > largest ? a.lane[i] : largest;
    return largest;
}
/* The low byte of each lane. */
KERNEL_INLINE void i32_store_bytes(uint8_t *p, lanes_i32 a) {
    EACH_LANE p[i] = (uint8_t)a.lane[i];
}
/* Those of 64 lanes. */
KERNEL_INLINE void i32_store_64_bytes(uint8_t *p, lanes_i32 a, lanes_i32 b, lanes_i32 c, lanes_i32 d) {
    i32_store_bytes(p, a);
    i32_store_bytes(p + 16, b);
    i32_store_bytes(p + 32, c);
    i32_store_bytes(p + 48, d);
}
/* The low bytes of four vectors in groups of four lanes: those of lanes 4g to 4g + 3 of a, b, c and d, 16
 * bytes, go to p + g * stride. */
KERNEL_INLINE void i32_store_groups(int8_t *p, size_t stride, lanes_i32 a, lanes_i32 b, lanes_i32 c,
                                    lanes_i32 d) {
    const lanes_i32 *vectors[4] = {&a, &b, &c, &d};
    for (size_t g = 0; g < 4; g++)
        for (size_t v = 0; v < 4; v++)
            for (size_t i = 0; i < 4; i++)
                p[g * stride + 4 * v + i] = (int8_t)(uint8_t)vectors[v]->lane[4 * g + i];
}
KERNEL_INLINE lanes_f32 i32_to_f32(lanes_i32 a) {
    lanes_f32 r;
    EACH_LANE r.lane[i] = (float)a.lane[i];
    return r;
}
KERNEL_INLINE lanes_f32 i32_as_f32(lanes_i32 a) {
    lanes_f32 r;
    memcpy(&r, &a, sizeof r);
    return r;
}
KERNEL_INLINE lanes_i32 f32_as_i32(lanes_f32 a) {
    lanes_i32 r;
    memcpy(&r, &a, sizeof r);
    return r;
}
/* Round half to even, for magnitudes below 2^22: adding 1.5 * 2^23 leaves the integer in the low bits. */
KERNEL_INLINE lanes_i32 f32_round(lanes_f32 a) {
    const float magic = 12582912.0f;
    lanes_i32 r;
    EACH_LANE {
        float shifted = a.lane[i] + magic;
        int32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        r.lane[i] = bits - 0x4b400000;
    }
    return r;
}

/* As in int8_template.h: a product of floats is exact as a double, and so the sum is rounded once. */
KERNEL_INLINE lanes_i32 f32_round_product(lanes_f32 a, lanes_f32 b, int offset) {
    double rounded[16];
    uint64_t bits[16];
    lanes_i32 r;
    EACH_LANE rounded[i] = (double)a.lane[i] * (double)b.lane[i] + (6755399441055744.0 + offset);
    memcpy(bits, rounded, sizeof bits);
    EACH_LANE r.lane[i] = (int32_t)(uint32_t)bits[i];
    return r;
}
#define HAS_ROUND_PRODUCT

/* Copies of the sign come in; written so that it is defined for negative numbers. */
KERNEL_INLINE lanes_i32 i32_shift_right_signed(lanes_i32 a, int count) {
    EACH_LANE {
        uint32_t sign = a.lane[i] < 0 ? UINT32_MAX : 0;
        a.lane[i] = (int32_t)((((uint32_t)a.lane[i] ^ sign) >> count) ^ sign);
    }
    return a;
}
/* Thirty-two lanes of 16 bits without a sign. Their order is the level's own: only u16_store_*_bytes shows
 * it. */
typedef struct {
    uint16_t lane[32];
} lanes_u16;

#define EACH_NARROW_LANE for (int i = 0; i < 32; i++)

KERNEL_INLINE lanes_u16 u16_load(const uint16_t *p) {
    lanes_u16 r;
    memcpy(&r, p, sizeof r);
    return r;
}
KERNEL_INLINE void u16_store(uint16_t *p, lanes_u16 a) {
    memcpy(p, &a, sizeof a);
}
/* Those of a, then those of b, which fit 16 bits with their signs. */
KERNEL_INLINE lanes_u16 u16_narrow(lanes_i32 a, lanes_i32 b) {
    lanes_u16 r;
    EACH_LANE r.lane[i] = (uint16_t)a.lane[i];
    EACH_LANE r.lane[16 + i] = (uint16_t)b.lane[i];
    return r;
}
KERNEL_INLINE lanes_u16 u16_set(int x) {
    lanes_u16 r;
    EACH_NARROW_LANE r.lane[i] = (uint16_t)x;
    return r;
}
KERNEL_INLINE lanes_u16 u16_add(lanes_u16 a, lanes_u16 b) {
    EACH_NARROW_LANE a.lane[i] = (uint16_t)(a.lane[i] + b.lane[i]);
    return a;
}
KERNEL_INLINE lanes_u16 u16_sub(lanes_u16 a, lanes_u16 b) {
    EACH_NARROW_LANE a.lane[i] = (uint16_t)(a.lane[i] - b.lane[i]);
    return a;
}
KERNEL_INLINE lanes_u16 u16_and(lanes_u16 a, lanes_u16 b) {
    EACH_NARROW_LANE a.lane[i] &= b.lane[i];
    return a;
}
KERNEL_INLINE lanes_u16 i16_max(lanes_u16 a, lanes_u16 b) {
    EACH_NARROW_LANE a.lane[i] = (int16_t)a.lane[i] > (int16_t)b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}
/* The larger of each two lanes, with their signs. */
KERNEL_INLINE lanes_i32 i16_pair_maxima(lanes_u16 a) {
    lanes_i32 r;
    EACH_LANE {
        int16_t first = (int16_t)a.lane[i], second = (int16_t)a.lane[16 + i];
        r.lane[i] = first > second ? first : second;
    }
    return r;
}
/* The upper 16 bits of the products. */
KERNEL_INLINE lanes_u16 u16_multiply_high(lanes_u16 a, lanes_u16 b) {
    EACH_NARROW_LANE a.lane[i] = (uint16_t)((uint32_t)a.lane[i] * b.lane[i] >> 16);
    return a;
}
KERNEL_INLINE lanes_u16 u16_shift_left(lanes_u16 a, int count) {
    EACH_NARROW_LANE a.lane[i] = (uint16_t)((uint32_t)a.lane[i] << count);
    return a;
}
KERNEL_INLINE lanes_u16 u16_shift_right(lanes_u16 a, int count) {
    EACH_NARROW_LANE a.lane[i] = (uint16_t)(a.lane[i] >> count);
    return a;
}
/* sums + those of two lanes each, of lanes below 2^15. */
KERNEL_INLINE lanes_i32 u16_add_pair_sums(lanes_i32 sums, lanes_u16 a) {
    EACH_LANE sums.lane[i] += a.lane[i] + a.lane[16 + i];
    return sums;
}
/* a * b / 2^15, rounded to nearest, halves up; both below 2^15. */
KERNEL_INLINE lanes_u16 u16_round_product(lanes_u16 a, lanes_u16 b) {
    EACH_NARROW_LANE a.lane[i] = (uint16_t)(((uint32_t)a.lane[i] * b.lane[i] + 0x4000) >> 15);
    return a;
}
/* a / 2^(count + 1), rounded to nearest, halves up; a below 2^15, so that it is 0 from a count of 15 on. */
KERNEL_INLINE lanes_u16 u16_round_off(lanes_u16 a, lanes_u16 counts) {
    EACH_NARROW_LANE {
        uint32_t count = counts.lane[i] < 15 ? counts.lane[i] : 15;
        a.lane[i] = (uint16_t)((((uint32_t)a.lane[i] >> count) + 1) >> 1);
    }
    return a;
}
/* The low bytes of the lanes + offset. */
KERNEL_INLINE void u16_store_32_bytes(uint8_t *p, lanes_u16 a, int offset) {
    EACH_NARROW_LANE p[i] = (uint8_t)(a.lane[i] + offset);
}
KERNEL_INLINE void u16_store_64_bytes(uint8_t *p, lanes_u16 a, lanes_u16 b, int offset) {
    u16_store_32_bytes(p, a, offset);
    u16_store_32_bytes(p + 32, b, offset);
}

#endif
