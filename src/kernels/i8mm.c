/* NEON with the 8-bit matrix multiplication extension (Neoverse V1, N2 and later, Apple M2 and later): smmla
 * multiplies 2 rows by 2 columns over 8 inputs, twice the work of sdot. */
#if defined(__aarch64__)

#if defined(__clang__)
#define KERNEL_TARGET __attribute__((target("dotprod,i8mm")))
#else
#define KERNEL_TARGET __attribute__((target("arch=armv8.2-a+dotprod+i8mm")))
#endif
#include "kernels/dot_tile_neon.h"
#include "kernels/lanes_neon.h"

#include <string.h>

#define LEVEL_NAME      "i8mm"
#define LEVEL_TABLE     kernels_i8mm
#define ACTIVATION_FORM FORM_S8
#define F32_TILE_ROWS   2
#define SIDE_BY_SIDE    1

#define DOT_PAIRS    (KERNEL_BLOCK_ROWS / 2)
#define DOT_COLUMNS  8
#define CHUNK_INPUTS 1024u /* whose interleaved rows, 12 KiB, stay in the first-level cache */

/* sum += 2 x 2 products of rows of 8: lanes hold row 0 x column 0, 0 x 1, 1 x 0, 1 x 1. Inline assembly for
 * the reason given in dotprod.c. */
#define DOT(sum, rows, columns)                                                                              \
    __asm__ volatile("smmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(rows), "w"(columns))

/* The inputs of 2 rows side by side, 8 of each, as smmla takes them: [inputs / 8][2][8]. */
KERNEL_INLINE void interleave_rows(const uint8_t *first, const uint8_t *second, size_t inputs,
                                   uint8_t *interleaved) {
    for (size_t k = 0; k < inputs; k += 16) {
        uint64x2_t a = vreinterpretq_u64_u8(vld1q_u8(first + k));
        uint64x2_t b = vreinterpretq_u64_u8(vld1q_u8(second + k));
        vst1q_u8(interleaved + 2 * k, vreinterpretq_u8_u64(vzip1q_u64(a, b)));
        vst1q_u8(interleaved + 2 * k + 16, vreinterpretq_u8_u64(vzip2q_u64(a, b)));
    }
}

/* One call of a tile: 2 * pairs rows, the last of which may be a copy of the one before it, x 8 columns. */
struct tile {
    const uint8_t *interleaved; /* [pairs][CHUNK_INPUTS * 2] */
    const int8_t *panel;
    size_t inputs, rows;
    const int32_t *initial; /* where the sums begin: rows initial_stride apart */
    size_t initial_stride;
    int32_t *out;
    size_t out_stride;
};

/* 24 of the 32 registers hold sums at 6 pairs, 4 hold weights, 1 holds inputs. The panel has columns of 4
 * inputs; zipped by 32 bits with the next 4 they become columns of 8. */
KERNEL_INLINE void tile_of(size_t pairs, const struct tile *tile) {
    int32x4_t sums[DOT_PAIRS][DOT_COLUMNS / 2];
    KERNEL_UNROLL
    for (size_t p = 0; p < pairs; p++) {
        const int32_t *first = tile->initial + 2 * p * tile->initial_stride;
        const int32_t *second = 2 * p + 1 < tile->rows ? first + tile->initial_stride : first;
        KERNEL_UNROLL
        for (size_t c = 0; c < DOT_COLUMNS / 2; c++)
            sums[p][c] = vcombine_s32(vld1_s32(first + 2 * c), vld1_s32(second + 2 * c));
    }
    const int8_t *panel = tile->panel;
    const uint8_t *interleaved = tile->interleaved;
    for (size_t k = 0; k < tile->inputs; k += 8) {
        int32x4_t left = vreinterpretq_s32_s8(vld1q_s8(panel));
        int32x4_t right = vreinterpretq_s32_s8(vld1q_s8(panel + 16));
        panel += 4 * KERNEL_PANEL_COLUMNS;
        int32x4_t next_left = vreinterpretq_s32_s8(vld1q_s8(panel));
        int32x4_t next_right = vreinterpretq_s32_s8(vld1q_s8(panel + 16));
        panel += 4 * KERNEL_PANEL_COLUMNS;
        int32x4_t columns[DOT_COLUMNS / 2] = {vzip1q_s32(left, next_left), vzip2q_s32(left, next_left),
                                              vzip1q_s32(right, next_right), vzip2q_s32(right, next_right)};
        KERNEL_UNROLL
        for (size_t p = 0; p < pairs; p++) {
            uint8x16_t rows = vld1q_u8(interleaved + p * 2 * CHUNK_INPUTS);
            DOT(sums[p][0], rows, columns[0]);
            DOT(sums[p][1], rows, columns[1]);
            DOT(sums[p][2], rows, columns[2]);
            DOT(sums[p][3], rows, columns[3]);
        }
        interleaved += 16;
    }
    KERNEL_UNROLL
    for (size_t p = 0; p < pairs; p++) {
        int32_t *first = tile->out + 2 * p * tile->out_stride, *second = first + tile->out_stride;
        KERNEL_UNROLL
        for (size_t c = 0; c < DOT_COLUMNS / 2; c++) {
            vst1_s32(first + 2 * c, vget_low_s32(sums[p][c]));
            if (2 * p + 1 < tile->rows)
                vst1_s32(second + 2 * c, vget_high_s32(sums[p][c]));
        }
    }
}

#define DEFINE_PAIR_TILE(pairs)                                                                              \
    KERNEL_NOINLINE void tile_##pairs(const struct tile *tile) {                                             \
        tile_of(pairs, tile);                                                                                \
    }

DEFINE_PAIR_TILE(1)
DEFINE_PAIR_TILE(2)
DEFINE_PAIR_TILE(3)
DEFINE_PAIR_TILE(4)
DEFINE_PAIR_TILE(5)
DEFINE_PAIR_TILE(6)

static void (*const tiles[DOT_PAIRS])(const struct tile *) = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};

/* The chunk's inputs of all rows, two by two; an odd last row is paired with itself. */
KERNEL_INLINE void interleave_block(size_t rows, const uint8_t *activations, size_t stride, size_t inputs,
                                    uint8_t *interleaved) {
    for (size_t r = 0; r < rows; r += 2) {
        const uint8_t *first = activations + r * stride;
        interleave_rows(first, r + 1 < rows ? first + stride : first, inputs, interleaved + r * CHUNK_INPUTS);
    }
}

KERNEL_INLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                            size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                            int32_t *out, size_t out_stride) {
    uint8_t interleaved[DOT_PAIRS * 2 * CHUNK_INPUTS];
    for (size_t k = 0; k < inputs; k += CHUNK_INPUTS) {
        size_t count = inputs - k < CHUNK_INPUTS ? inputs - k : CHUNK_INPUTS;
        interleave_block(rows, activations + k, stride, count, interleaved);
        for (size_t p = 0; p < panels; p++) {
            int32_t starts[KERNEL_PANEL_COLUMNS];
            dot_starts(column_sums + p * KERNEL_PANEL_COLUMNS, start, starts);
            for (size_t column = 0; column < KERNEL_PANEL_COLUMNS; column += DOT_COLUMNS) {
                int32_t *target = out + p * KERNEL_PANEL_COLUMNS + column;
                tiles[(rows + 1) / 2 - 1](&(struct tile){
                    .interleaved = interleaved,
                    .panel = panel + (p * inputs + k) * KERNEL_PANEL_COLUMNS + column * 4,
                    .inputs = count,
                    .rows = rows,
                    .initial = k == 0 ? starts + column : target,
                    .initial_stride = k == 0 ? 0 : out_stride,
                    .out = target,
                    .out_stride = out_stride,
                });
            }
        }
    }
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
            DOT(sums[i], ones, ones);
        /* Keeps the compiler from folding rounds together. */
        __asm__ volatile("" : "+w"(ones));
    }
    KERNEL_UNROLL
    for (int i = 0; i < 16; i++)
        __asm__ volatile("" : : "w"(sums[i]));
    return repeats * 16 * 32;
}

#include "kernels/level_template.h"

#else
typedef int no_i8mm_on_this_architecture;
#endif
