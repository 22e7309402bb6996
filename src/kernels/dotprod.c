/* NEON with the dot product extension (Cortex-A75 and A55, Neoverse, Apple A11 and later): sdot multiplies 4
 * signed bytes of each of 4 columns by 4 inputs of one row. */
#if defined(__aarch64__)

#if defined(__clang__)
#define KERNEL_TARGET __attribute__((target("dotprod")))
#else
#define KERNEL_TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#include "kernels/dot_tile_neon.h"
#include "kernels/lanes_neon.h"

#include <string.h>

#define LEVEL_NAME      "dotprod"
#define LEVEL_TABLE     kernels_dotprod
#define ACTIVATION_FORM FORM_S8
#define F32_TILE_ROWS   2
#define SIDE_BY_SIDE    1

#define DOT_ROWS    4
#define DOT_COLUMNS 16

/* Inline assembly, since Clang before 16 declares the intrinsic only when the whole file is compiled for it.
 */
#define DOT(sum, weights, activations, lane)                                                                 \
    __asm__ volatile("sdot %0.4s, %1.16b, %2.4b[" #lane "]" : "+w"(sum) : "w"(weights), "w"(activations))

/* Inputs 4 * lane to 4 * lane + 3 of a group of 16. */
#define DOT_LANE(lane)                                                                                       \
    do {                                                                                                     \
        const int8_t *group = panel + (lane)*4 * KERNEL_PANEL_COLUMNS;                                       \
        int8x16_t weights[DOT_COLUMNS / 4] = {vld1q_s8(group), vld1q_s8(group + 16), vld1q_s8(group + 32),   \
                                              vld1q_s8(group + 48)};                                         \
        KERNEL_UNROLL                                                                                        \
        for (size_t r = 0; r < rows; r++) {                                                                  \
            DOT(sums[r][0], weights[0], inputs_of[r], lane);                                                 \
            DOT(sums[r][1], weights[1], inputs_of[r], lane);                                                 \
            DOT(sums[r][2], weights[2], inputs_of[r], lane);                                                 \
            DOT(sums[r][3], weights[3], inputs_of[r], lane);                                                 \
        }                                                                                                    \
    } while (0)

/* rows x 16 columns: 16 of the 32 registers hold sums at 4 rows, 4 hold weights, 4 hold 16 inputs of each
 * row; 5 loads for 16 dot products. */
KERNEL_INLINE void tile_of(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                           size_t inputs, const int32_t *start, int32_t *out, size_t out_stride) {
    int32x4_t sums[DOT_ROWS][DOT_COLUMNS / 4];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        KERNEL_UNROLL
        for (size_t c = 0; c < DOT_COLUMNS / 4; c++)
            sums[r][c] = vld1q_s32(start + 4 * c);
    }
    for (size_t k = 0; k < inputs; k += 16) {
        int8x16_t inputs_of[DOT_ROWS];
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++)
            inputs_of[r] = vreinterpretq_s8_u8(vld1q_u8(activations + r * stride + k));
        DOT_LANE(0);
        DOT_LANE(1);
        DOT_LANE(2);
        DOT_LANE(3);
        panel += 16 * KERNEL_PANEL_COLUMNS;
    }
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        KERNEL_UNROLL
        for (size_t c = 0; c < DOT_COLUMNS / 4; c++)
            vst1q_s32(out + r * out_stride + 4 * c, sums[r][c]);
    }
}

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)

static void (*const tiles[DOT_ROWS])(TILE_PARAMETERS) = {tile_1, tile_2, tile_3, tile_4};

KERNEL_INLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                            size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                            int32_t *out, size_t out_stride) {
    dot_by_tiles(tiles, DOT_ROWS, DOT_COLUMNS, rows, activations, stride, panel, inputs, column_sums, start,
                 panels, out, out_stride);
}

KERNEL_NOINLINE uint64_t level_dot_rounds(uint64_t repeats) {
    int32x4_t sums[16];
    int8x16_t ones = vdupq_n_s8(1);
    KERNEL_UNROLL
    for (int i = 0; i < 16; i++)
        sums[i] = vdupq_n_s32(0);
    for (uint64_t n = 0; n < repeats; n++) {
        KERNEL_UNROLL
        for (int i = 0; i < 16; i++)
            DOT(sums[i], ones, ones, 0);
        /* Keeps the compiler from folding rounds together. */
        __asm__ volatile("" : "+w"(ones));
    }
    KERNEL_UNROLL
    for (int i = 0; i < 16; i++)
        __asm__ volatile("" : : "w"(sums[i]));
    return repeats * 16 * 16;
}

#include "kernels/level_template.h"

#else
typedef int no_dotprod_on_this_architecture;
#endif
