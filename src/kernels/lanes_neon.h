/* Sixteen lanes in four q registers: lanes 0 to 3, 4 to 7, 8 to 11 and 12 to 15. */
#ifndef RESCOLDO_KERNELS_LANES_H
#define RESCOLDO_KERNELS_LANES_H

#include "kernels/target.h"

#include <arm_neon.h>
#include <stdint.h>

typedef struct {
    float32x4_t a, b, c, d;
} lanes_f32;

typedef struct {
    int32x4_t a, b, c, d;
} lanes_i32;

#define F32_EACH(operation, x, y)                                                                            \
    (lanes_f32) {                                                                                            \
        operation((x).a, (y).a), operation((x).b, (y).b), operation((x).c, (y).c), operation((x).d, (y).d)   \
    }
#define I32_EACH(operation, x, y)                                                                            \
    (lanes_i32) {                                                                                            \
        operation((x).a, (y).a), operation((x).b, (y).b), operation((x).c, (y).c), operation((x).d, (y).d)   \
    }

KERNEL_INLINE lanes_f32 f32_load(const float *p) {
    return (lanes_f32){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
KERNEL_INLINE void f32_store(float *p, lanes_f32 x) {
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c);
    vst1q_f32(p + 12, x.d);
}
KERNEL_INLINE lanes_f32 f32_set(float x) {
    return (lanes_f32){vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x)};
}
KERNEL_INLINE lanes_f32 f32_add(lanes_f32 x, lanes_f32 y) {
    return F32_EACH(vaddq_f32, x, y);
}
KERNEL_INLINE lanes_f32 f32_sub(lanes_f32 x, lanes_f32 y) {
    return F32_EACH(vsubq_f32, x, y);
}
KERNEL_INLINE lanes_f32 f32_mul(lanes_f32 x, lanes_f32 y) {
    return F32_EACH(vmulq_f32, x, y);
}
KERNEL_INLINE lanes_f32 f32_div(lanes_f32 x, lanes_f32 y) {
    return F32_EACH(vdivq_f32, x, y);
}
/* a * b + c, rounded once. */
KERNEL_INLINE lanes_f32 f32_fma(lanes_f32 x, lanes_f32 y, lanes_f32 z) {
    return (lanes_f32){vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c),
                       vfmaq_f32(z.d, x.d, y.d)};
}
/* fmin and fmax order zeros and treat NaN otherwise than a comparison does. */
KERNEL_INLINE float32x4_t smaller(float32x4_t x, float32x4_t y) {
    return vbslq_f32(vcltq_f32(x, y), x, y);
}
KERNEL_INLINE float32x4_t larger(float32x4_t x, float32x4_t y) {
    return vbslq_f32(vcgtq_f32(x, y), x, y);
}
KERNEL_INLINE lanes_f32 f32_min(lanes_f32 x, lanes_f32 y) {
    return F32_EACH(smaller, x, y);
}
KERNEL_INLINE lanes_f32 f32_max(lanes_f32 x, lanes_f32 y) {
    return F32_EACH(larger, x, y);
}
KERNEL_INLINE lanes_f32 f32_abs(lanes_f32 x) {
    return (lanes_f32){vabsq_f32(x.a), vabsq_f32(x.b), vabsq_f32(x.c), vabsq_f32(x.d)};
}
#define LOOKUP_OF_EIGHT
/* table[index % 8], by the bytes of four floats at a time */
KERNEL_INLINE float32x4_t lookup_four(uint8x16x2_t bytes, int32x4_t index) {
    uint32x4_t first = vshlq_n_u32(vandq_u32(vreinterpretq_u32_s32(index), vdupq_n_u32(7)), 2);
    uint32x4_t places = vmlaq_u32(vdupq_n_u32(0x03020100), first, vdupq_n_u32(0x01010101));
    return vreinterpretq_f32_u8(vqtbl2q_u8(bytes, vreinterpretq_u8_u32(places)));
}
KERNEL_INLINE lanes_f32 f32_lookup(const float *table, lanes_i32 index) {
    uint8x16x2_t bytes = {
        {vreinterpretq_u8_f32(vld1q_f32(table)), vreinterpretq_u8_f32(vld1q_f32(table + 4))}};
    return (lanes_f32){lookup_four(bytes, index.a), lookup_four(bytes, index.b), lookup_four(bytes, index.c),
                       lookup_four(bytes, index.d)};
}
KERNEL_INLINE float f32_reduce_add(lanes_f32 x) {
    float32x4_t four = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
KERNEL_INLINE float f32_reduce_max(lanes_f32 x) {
    float32x4_t four = larger(larger(x.a, x.c), larger(x.b, x.d));
    float32x4_t two = larger(four, vextq_f32(four, four, 2));
    return vgetq_lane_f32(larger(two, vextq_f32(two, two, 1)), 0);
}

KERNEL_INLINE lanes_i32 i32_load(const int32_t *p) {
    return (lanes_i32){vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)};
}
KERNEL_INLINE void i32_store(int32_t *p, lanes_i32 x) {
    vst1q_s32(p, x.a);
    vst1q_s32(p + 4, x.b);
    vst1q_s32(p + 8, x.c);
    vst1q_s32(p + 12, x.d);
}
KERNEL_INLINE lanes_i32 i32_load_s8(const int8_t *p) {
    int8x16_t bytes = vld1q_s8(p);
    int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
    return (lanes_i32){vmovl_s16(vget_low_s16(low)), vmovl_s16(vget_high_s16(low)),
                       vmovl_s16(vget_low_s16(high)), vmovl_s16(vget_high_s16(high))};
}
KERNEL_INLINE lanes_i32 i32_set(int32_t x) {
    return (lanes_i32){vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x)};
}
KERNEL_INLINE lanes_i32 i32_add(lanes_i32 x, lanes_i32 y) {
    return I32_EACH(vaddq_s32, x, y);
}
KERNEL_INLINE lanes_i32 i32_sub(lanes_i32 x, lanes_i32 y) {
    return I32_EACH(vsubq_s32, x, y);
}
KERNEL_INLINE lanes_i32 i32_max(lanes_i32 x, lanes_i32 y) {
    return I32_EACH(vmaxq_s32, x, y);
}
KERNEL_INLINE lanes_i32 i32_min(lanes_i32 x, lanes_i32 y) {
    return I32_EACH(vminq_s32, x, y);
}
KERNEL_INLINE lanes_i32 i32_or(lanes_i32 x, lanes_i32 y) {
    return I32_EACH(vorrq_s32, x, y);
}
KERNEL_INLINE lanes_i32 i32_and(lanes_i32 x, lanes_i32 y) {
    return I32_EACH(vandq_s32, x, y);
}
KERNEL_INLINE lanes_i32 i32_shift_left(lanes_i32 x, int count) {
    int32x4_t counts = vdupq_n_s32(count);
    return (lanes_i32){vshlq_s32(x.a, counts), vshlq_s32(x.b, counts), vshlq_s32(x.c, counts),
                       vshlq_s32(x.d, counts)};
}
KERNEL_INLINE int32x4_t shifted_right(int32x4_t x, int32x4_t negative_counts) {
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(x), negative_counts));
}
/* Zeros come in from the left. */
KERNEL_INLINE lanes_i32 i32_shift_right(lanes_i32 x, int count) {
    int32x4_t counts = vdupq_n_s32(-count);
    return (lanes_i32){shifted_right(x.a, counts), shifted_right(x.b, counts), shifted_right(x.c, counts),
                       shifted_right(x.d, counts)};
}
KERNEL_INLINE int32_t i32_reduce_add(lanes_i32 x) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(x.a, x.b), vaddq_s32(x.c, x.d)));
}
KERNEL_INLINE int32_t i32_reduce_max(lanes_i32 x) {
    return vmaxvq_s32(vmaxq_s32(vmaxq_s32(x.a, x.b), vmaxq_s32(x.c, x.d)));
}
/* The low byte of each lane: every second half word, of those every second byte. */
KERNEL_INLINE void i32_store_bytes(uint8_t *p, lanes_i32 x) {
    uint16x8_t low = vuzp1q_u16(vreinterpretq_u16_s32(x.a), vreinterpretq_u16_s32(x.b));
    uint16x8_t high = vuzp1q_u16(vreinterpretq_u16_s32(x.c), vreinterpretq_u16_s32(x.d));
    vst1q_u8(p, vuzp1q_u8(vreinterpretq_u8_u16(low), vreinterpretq_u8_u16(high)));
}
/* The low bytes of 64 lanes. */
KERNEL_INLINE void i32_store_64_bytes(uint8_t *p, lanes_i32 x, lanes_i32 y, lanes_i32 z, lanes_i32 w) {
    i32_store_bytes(p, x);
    i32_store_bytes(p + 16, y);
    i32_store_bytes(p + 32, z);
    i32_store_bytes(p + 48, w);
}
KERNEL_INLINE int8x16_t narrowed(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d) {
    int16x8_t low = vcombine_s16(vmovn_s32(a), vmovn_s32(b)), high = vcombine_s16(vmovn_s32(c), vmovn_s32(d));
    return vcombine_s8(vmovn_s16(low), vmovn_s16(high));
}
/* The low bytes of four vectors in groups of four lanes: those of lanes 4g to 4g + 3 of a, b, c and d, 16
 * bytes, go to p + g * stride. */
KERNEL_INLINE void i32_store_groups(int8_t *p, size_t stride, lanes_i32 a, lanes_i32 b, lanes_i32 c,
                                    lanes_i32 d) {
    vst1q_s8(p, narrowed(a.a, b.a, c.a, d.a));
    vst1q_s8(p + stride, narrowed(a.b, b.b, c.b, d.b));
    vst1q_s8(p + 2 * stride, narrowed(a.c, b.c, c.c, d.c));
    vst1q_s8(p + 3 * stride, narrowed(a.d, b.d, c.d, d.d));
}
KERNEL_INLINE lanes_f32 i32_to_f32(lanes_i32 x) {
    return (lanes_f32){vcvtq_f32_s32(x.a), vcvtq_f32_s32(x.b), vcvtq_f32_s32(x.c), vcvtq_f32_s32(x.d)};
}
KERNEL_INLINE lanes_f32 i32_as_f32(lanes_i32 x) {
    return (lanes_f32){vreinterpretq_f32_s32(x.a), vreinterpretq_f32_s32(x.b), vreinterpretq_f32_s32(x.c),
                       vreinterpretq_f32_s32(x.d)};
}
KERNEL_INLINE lanes_i32 f32_as_i32(lanes_f32 x) {
    return (lanes_i32){vreinterpretq_s32_f32(x.a), vreinterpretq_s32_f32(x.b), vreinterpretq_s32_f32(x.c),
                       vreinterpretq_s32_f32(x.d)};
}
/* As in lanes_portable.h: fcvtns saturates, so that an infinity would end in another byte. */
KERNEL_INLINE lanes_i32 f32_round(lanes_f32 x) {
    return i32_sub(f32_as_i32(f32_add(x, f32_set(12582912.0f))), i32_set(0x4b400000));
}

/* Copies of the sign do. */
KERNEL_INLINE lanes_i32 i32_shift_right_signed(lanes_i32 x, int count) {
    int32x4_t counts = vdupq_n_s32(-count);
    return (lanes_i32){vshlq_s32(x.a, counts), vshlq_s32(x.b, counts), vshlq_s32(x.c, counts),
                       vshlq_s32(x.d, counts)};
}
/* Thirty-two lanes of 16 bits without a sign. */
typedef struct {
    uint16x8_t a, b, c, d;
} lanes_u16;

#define U16_EACH(operation, x, y)                                                                            \
    (lanes_u16) {                                                                                            \
        operation((x).a, (y).a), operation((x).b, (y).b), operation((x).c, (y).c), operation((x).d, (y).d)   \
    }

KERNEL_INLINE uint16x8_t narrow_eight(int32x4_t low, int32x4_t high) {
    return vreinterpretq_u16_s16(vcombine_s16(vqmovn_s32(low), vqmovn_s32(high)));
}
KERNEL_INLINE lanes_u16 u16_narrow(lanes_i32 x, lanes_i32 y) {
    return (lanes_u16){narrow_eight(x.a, x.b), narrow_eight(x.c, x.d), narrow_eight(y.a, y.b),
                       narrow_eight(y.c, y.d)};
}
KERNEL_INLINE lanes_u16 u16_set(int x) {
    uint16x8_t eight = vdupq_n_u16((uint16_t)x);
    return (lanes_u16){eight, eight, eight, eight};
}
KERNEL_INLINE lanes_u16 u16_load(const uint16_t *p) {
    return (lanes_u16){vld1q_u16(p), vld1q_u16(p + 8), vld1q_u16(p + 16), vld1q_u16(p + 24)};
}
KERNEL_INLINE void u16_store(uint16_t *p, lanes_u16 x) {
    vst1q_u16(p, x.a);
    vst1q_u16(p + 8, x.b);
    vst1q_u16(p + 16, x.c);
    vst1q_u16(p + 24, x.d);
}
KERNEL_INLINE lanes_u16 u16_and(lanes_u16 x, lanes_u16 y) {
    return U16_EACH(vandq_u16, x, y);
}
KERNEL_INLINE uint16x8_t larger_eight(uint16x8_t x, uint16x8_t y) {
    return vreinterpretq_u16_s16(vmaxq_s16(vreinterpretq_s16_u16(x), vreinterpretq_s16_u16(y)));
}
KERNEL_INLINE lanes_u16 i16_max(lanes_u16 x, lanes_u16 y) {
    return U16_EACH(larger_eight, x, y);
}
KERNEL_INLINE int32x4_t pair_maxima_eight(uint16x8_t x) {
    int32x4_t pairs = vreinterpretq_s32_u16(x);
    return vmaxq_s32(vshrq_n_s32(pairs, 16), vshrq_n_s32(vshlq_n_s32(pairs, 16), 16));
}
/* The larger of each two lanes, with their signs. */
KERNEL_INLINE lanes_i32 i16_pair_maxima(lanes_u16 x) {
    return (lanes_i32){pair_maxima_eight(x.a), pair_maxima_eight(x.b), pair_maxima_eight(x.c),
                       pair_maxima_eight(x.d)};
}
KERNEL_INLINE lanes_u16 u16_add(lanes_u16 x, lanes_u16 y) {
    return U16_EACH(vaddq_u16, x, y);
}
KERNEL_INLINE lanes_u16 u16_sub(lanes_u16 x, lanes_u16 y) {
    return U16_EACH(vsubq_u16, x, y);
}
KERNEL_INLINE uint16x8_t multiply_high_eight(uint16x8_t x, uint16x8_t y) {
    uint32x4_t low = vmull_u16(vget_low_u16(x), vget_low_u16(y)), high = vmull_high_u16(x, y);
    return vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
}
KERNEL_INLINE lanes_u16 u16_multiply_high(lanes_u16 x, lanes_u16 y) {
    return U16_EACH(multiply_high_eight, x, y);
}
KERNEL_INLINE lanes_u16 u16_shift_left(lanes_u16 x, int count) {
    int16x8_t counts = vdupq_n_s16((int16_t)count);
    return (lanes_u16){vshlq_u16(x.a, counts), vshlq_u16(x.b, counts), vshlq_u16(x.c, counts),
                       vshlq_u16(x.d, counts)};
}
KERNEL_INLINE lanes_u16 u16_shift_right(lanes_u16 x, int count) {
    return u16_shift_left(x, -count);
}
KERNEL_INLINE int32x4_t add_pair_sums_of_eight(int32x4_t sums, uint16x8_t x) {
    return vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(sums), x));
}
KERNEL_INLINE lanes_i32 u16_add_pair_sums(lanes_i32 sums, lanes_u16 x) {
    return (lanes_i32){add_pair_sums_of_eight(sums.a, x.a), add_pair_sums_of_eight(sums.b, x.b),
                       add_pair_sums_of_eight(sums.c, x.c), add_pair_sums_of_eight(sums.d, x.d)};
}
KERNEL_INLINE uint16x8_t round_product_eight(uint16x8_t x, uint16x8_t y) {
    return vreinterpretq_u16_s16(vqrdmulhq_s16(vreinterpretq_s16_u16(x), vreinterpretq_s16_u16(y)));
}
KERNEL_INLINE lanes_u16 u16_round_product(lanes_u16 x, lanes_u16 y) {
    return U16_EACH(round_product_eight, x, y);
}
/* A rounding shift by -(count + 1), which is the complement of count. */
KERNEL_INLINE uint16x8_t round_off_eight(uint16x8_t x, uint16x8_t counts) {
    return vrshlq_u16(x, vreinterpretq_s16_u16(vmvnq_u16(vminq_u16(counts, vdupq_n_u16(15)))));
}
KERNEL_INLINE lanes_u16 u16_round_off(lanes_u16 x, lanes_u16 counts) {
    return U16_EACH(round_off_eight, x, counts);
}
KERNEL_INLINE void u16_store_32_bytes(uint8_t *p, lanes_u16 x, int offset) {
    uint8x16_t offsets = vdupq_n_u8((uint8_t)offset);
    vst1q_u8(p, vaddq_u8(vuzp1q_u8(vreinterpretq_u8_u16(x.a), vreinterpretq_u8_u16(x.b)), offsets));
    vst1q_u8(p + 16, vaddq_u8(vuzp1q_u8(vreinterpretq_u8_u16(x.c), vreinterpretq_u8_u16(x.d)), offsets));
}
KERNEL_INLINE void u16_store_64_bytes(uint8_t *p, lanes_u16 x, lanes_u16 y, int offset) {
    u16_store_32_bytes(p, x, offset);
    u16_store_32_bytes(p + 32, y, offset);
}

#endif
