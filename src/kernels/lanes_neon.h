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
/* a * b + c and a * b - c, rounded once. */
KERNEL_INLINE lanes_f32 f32_fma(lanes_f32 x, lanes_f32 y, lanes_f32 z) {
    return (lanes_f32){vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c),
                       vfmaq_f32(z.d, x.d, y.d)};
}
KERNEL_INLINE lanes_f32 f32_fms(lanes_f32 x, lanes_f32 y, lanes_f32 z) {
    lanes_f32 negated = {vnegq_f32(z.a), vnegq_f32(z.b), vnegq_f32(z.c), vnegq_f32(z.d)};
    return f32_fma(x, y, negated);
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
/* table[index % 8], by the bytes of four floats at a time */
KERNEL_INLINE float32x4_t lookup_four(uint8x16x2_t bytes, int32x4_t index) {
    uint32x4_t first = vshlq_n_u32(vandq_u32(vreinterpretq_u32_s32(index), vdupq_n_u32(7)), 2);
    uint32x4_t places = vmlaq_u32(vdupq_n_u32(0x03020100), first, vdupq_n_u32(0x01010101));
    return vreinterpretq_f32_u8(vqtbl2q_u8(bytes, vreinterpretq_u8_u32(places)));
}
KERNEL_INLINE lanes_f32 f32_lookup(const float table[8], lanes_i32 index) {
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
#define i32_shift_left(x, count)                                                                             \
    (lanes_i32) {                                                                                            \
        vshlq_n_s32((x).a, count), vshlq_n_s32((x).b, count), vshlq_n_s32((x).c, count),                     \
            vshlq_n_s32((x).d, count)                                                                        \
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
 * bytes, go to p + g * stride. Each lane must be a signed byte's value. */
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

#endif
