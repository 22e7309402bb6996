/* ASIMD, which every 64-bit Arm has. Two bytes' products add up to at most 2 * 128 * 127 = 32512 < 32767 in
 * 16 bits, so the products of two groups of inputs are added there before they are widened. */
#if defined(__aarch64__)

#define KERNEL_TARGET
#include "kernels/dot_tile_neon.h"
#include "kernels/lanes_neon.h"

#include <string.h>

#define LEVEL_NAME      "neon"
#define LEVEL_TABLE     kernels_neon
#define ACTIVATION_FORM FORM_S8
#define F32_TILE_ROWS   2
#define SIDE_BY_SIDE    1

#define DOT_ROWS    3
#define DOT_COLUMNS 8

KERNEL_INLINE int8x16_t broadcast_four(const uint8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

/* Adds, for the first or the last 2 of 4 columns, the products of inputs 0 and 4, 1 and 5 (lanes 0, 2), 2 and
 * 6, 3 and 7 (lanes 1, 3). */
#define DOT_LOW(sum, weights, next_weights, inputs, next_inputs)                                             \
    vpadalq_s16(sum, vmlal_s8(vmull_s8(vget_low_s8(weights), vget_low_s8(inputs)),                           \
                              vget_low_s8(next_weights), vget_low_s8(next_inputs)))
#define DOT_HIGH(sum, weights, next_weights, inputs, next_inputs)                                            \
    vpadalq_s16(sum, vmlal_high_s8(vmull_high_s8(weights, inputs), next_weights, next_inputs))

/* rows x 8 columns: 12 of the 32 registers hold sums at 3 rows, 4 hold weights, 6 inputs; GCC 12 spills at 4
 * rows. */
KERNEL_INLINE void tile_of(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                           size_t inputs, const int32_t *start, int32_t *out, size_t out_stride) {
    int32x4_t sums[DOT_ROWS][DOT_COLUMNS / 2];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        KERNEL_UNROLL
        for (size_t pair = 0; pair < DOT_COLUMNS / 2; pair++)
            sums[r][pair] = vdupq_n_s32(0);
    }
    for (size_t k = 0; k < inputs; k += 8) {
        const int8_t *next = panel + 4 * KERNEL_PANEL_COLUMNS;
        int8x16_t left = vld1q_s8(panel), right = vld1q_s8(panel + 16);
        int8x16_t next_left = vld1q_s8(next), next_right = vld1q_s8(next + 16);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            int8x16_t a = broadcast_four(activations + r * stride + k);
            int8x16_t b = broadcast_four(activations + r * stride + k + 4);
            sums[r][0] = DOT_LOW(sums[r][0], left, next_left, a, b);
            sums[r][1] = DOT_HIGH(sums[r][1], left, next_left, a, b);
            sums[r][2] = DOT_LOW(sums[r][2], right, next_right, a, b);
            sums[r][3] = DOT_HIGH(sums[r][3], right, next_right, a, b);
        }
        panel = next + 4 * KERNEL_PANEL_COLUMNS;
    }
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        int32_t *target = out + r * out_stride;
        vst1q_s32(target, vaddq_s32(vld1q_s32(start), vpaddq_s32(sums[r][0], sums[r][1])));
        vst1q_s32(target + 4, vaddq_s32(vld1q_s32(start + 4), vpaddq_s32(sums[r][2], sums[r][3])));
    }
}

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)

static void (*const tiles[DOT_ROWS])(TILE_PARAMETERS) = {tile_1, tile_2, tile_3};

KERNEL_INLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                            size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                            int32_t *out, size_t out_stride) {
    dot_by_tiles(tiles, DOT_ROWS, DOT_COLUMNS, rows, activations, stride, panel, inputs, column_sums, start,
                 panels, out, out_stride);
}

/* One round: 16 bytes times 16 bytes, with the pairwise widening that every second product needs. */
KERNEL_NOINLINE uint64_t level_dot_rounds(uint64_t repeats) {
    int32x4_t sums[8];
    int8x16_t ones = vdupq_n_s8(1);
    KERNEL_UNROLL
    for (int i = 0; i < 8; i++)
        sums[i] = vdupq_n_s32(0);
    for (uint64_t n = 0; n < repeats; n++) {
        KERNEL_UNROLL
        for (int i = 0; i < 8; i++) {
            __asm__ volatile("" : "+w"(ones)); /* each product anew: the compiler must not share it */
            sums[i] = DOT_LOW(sums[i], ones, ones, ones, ones);
        }
    }
    KERNEL_UNROLL
    for (int i = 0; i < 8; i++)
        __asm__ volatile("" : : "w"(sums[i]));
    return repeats * 8 * 16;
}

#include "kernels/level_template.h"

#else
typedef int no_neon_on_this_architecture;
#endif
