/* What the levels on 256-bit registers share of their dot_tile. A level defines DOT_ROWS, the most rows of a
 * tile, and
 *
 *   struct factor                  four inputs of one row, ready to be multiplied
 *   factor_of(int32_t four)        from their bytes
 *   dot(sums, factor, weights)     sums + the products of the four inputs with the weights of 8 columns
 *
 * A tile is DOT_ROWS rows x 16 columns, half a panel. */
#ifndef RESCOLDO_KERNELS_DOT_TILE_YMM_H
#define RESCOLDO_KERNELS_DOT_TILE_YMM_H

#include "kernels/levels.h"
#include "kernels/target.h"

#include <immintrin.h>
#include <string.h>

KERNEL_INLINE __m256i load_integers(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}

/* Where the sums of 8 columns begin (int8_template.h). */
KERNEL_INLINE __m256i start_of(const int32_t *column_sums, enum tile_start start) {
    if (start == START_ZERO)
        return _mm256_setzero_si256();
    __m256i sums = load_integers(column_sums);
    return start == START_PLUS_SUMS ? sums : _mm256_sub_epi32(_mm256_setzero_si256(), sums);
}

#define TILE_PARAMETERS                                                                                      \
    const uint8_t *activations, size_t stride, const int8_t *panel, size_t inputs,                           \
        const int32_t *column_sums, enum tile_start start, int32_t *out, size_t out_stride

KERNEL_INLINE void tile_of(size_t rows, TILE_PARAMETERS) {
    __m256i left[DOT_ROWS], right[DOT_ROWS];
    __m256i start_left = start_of(column_sums, start);
    __m256i start_right = start_of(column_sums + 8, start);
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        left[r] = start_left;
        right[r] = start_right;
    }
    const int8_t *end = panel + inputs * KERNEL_PANEL_COLUMNS;
    do {
        __m256i weights_left = load_integers(panel);
        __m256i weights_right = load_integers(panel + 32);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, activations + r * stride, sizeof four);
            struct factor factor = factor_of(four);
            left[r] = dot(left[r], factor, weights_left);
            right[r] = dot(right[r], factor, weights_right);
        }
        activations += 4;
        panel += 4 * KERNEL_PANEL_COLUMNS;
    } while (panel != end);
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        _mm256_storeu_si256((__m256i *)(void *)(out + r * out_stride), left[r]);
        _mm256_storeu_si256((__m256i *)(void *)(out + r * out_stride + 8), right[r]);
    }
}

/* One function per number of rows, so that every sum is a register; out of line for the reason given in
 * avx512vnni.c. */
#define DEFINE_TILE(rows)                                                                                    \
    KERNEL_NOINLINE void tile_##rows(TILE_PARAMETERS) {                                                      \
        tile_of(rows, activations, stride, panel, inputs, column_sums, start, out, out_stride);              \
    }

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
#if DOT_ROWS > 4
DEFINE_TILE(5)
DEFINE_TILE(6)
#endif

static void (*const tiles[DOT_ROWS])(TILE_PARAMETERS) = {
    tile_1, tile_2, tile_3, tile_4,
#if DOT_ROWS > 4
    tile_5, tile_6,
#endif
};

KERNEL_INLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                            size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                            int32_t *out, size_t out_stride) {
    for (size_t column = 0; column < panels * KERNEL_PANEL_COLUMNS; column += 16) {
        const int8_t *half = panel + column / KERNEL_PANEL_COLUMNS * KERNEL_PANEL_COLUMNS * inputs +
                             column % KERNEL_PANEL_COLUMNS * 4;
        for (size_t r = 0; r < rows; r += DOT_ROWS) {
            size_t count = rows - r < DOT_ROWS ? rows - r : DOT_ROWS;
            tiles[count - 1](activations + r * stride, stride, half, inputs, column_sums + column, start,
                             out + r * out_stride + column, out_stride);
        }
    }
}

#endif
