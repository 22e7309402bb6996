/* What the levels on 256-bit registers share of their dot_tile. A level defines DOT_ROWS, the most rows of a
 * tile, and
 *
 *   struct prepared                what the products need of all rows beside their bytes
 *   prepare(rows, activations, stride, inputs, memory)   makes it, for at most CHUNK_INPUTS inputs, and
 * returns where it is, PREPARED_STRIDE bytes a row struct factor                  four inputs of one
 * row, ready to be multiplied factor_of(inputs, prepared)    from where these lie dot(sums, factor, weights)
 * sums + the products of the four inputs with the weights of 8 columns
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

#define TILE_PARAMETERS                                                                                      \
    const uint8_t *activations, size_t stride, const uint8_t *prepared, const int8_t *panel, size_t inputs,  \
        const int32_t *starts, size_t starts_stride, int32_t *out, size_t out_stride

/* out = starts + the products, where rows of starts are starts_stride apart (0: the same for all). Rows of
 * prepared are PREPARED_STRIDE apart. */
KERNEL_INLINE void tile_of(size_t rows, TILE_PARAMETERS) {
    __m256i left[DOT_ROWS], right[DOT_ROWS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        left[r] = load_integers(starts + r * starts_stride);
        right[r] = load_integers(starts + r * starts_stride + 8);
    }
    const int8_t *end = panel + inputs * KERNEL_PANEL_COLUMNS;
    do {
        __m256i weights_left = load_integers(panel);
        __m256i weights_right = load_integers(panel + 32);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            struct factor factor = factor_of(activations + r * stride, prepared + r * PREPARED_STRIDE);
            left[r] = dot(left[r], factor, weights_left);
            right[r] = dot(right[r], factor, weights_right);
        }
        activations += 4;
        prepared += 4;
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
        tile_of(rows, activations, stride, prepared, panel, inputs, starts, starts_stride, out, out_stride); \
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

/* Where the sums of 16 columns begin (int8_template.h). */
KERNEL_INLINE void store_starts(const int32_t *column_sums, enum tile_start start, int32_t *starts) {
    for (size_t c = 0; c < 16; c += 8) {
        __m256i sums = _mm256_setzero_si256();
        if (start != START_ZERO)
            sums = load_integers(column_sums + c);
        if (start == START_MINUS_SUMS)
            sums = _mm256_sub_epi32(_mm256_setzero_si256(), sums);
        _mm256_store_si256((__m256i *)(void *)(starts + c), sums);
    }
}

KERNEL_INLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                            size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                            int32_t *out, size_t out_stride) {
    struct prepared memory;
    _Alignas(64) int32_t column_starts[16];
    for (size_t k = 0; k < inputs; k += CHUNK_INPUTS) {
        size_t depth = inputs - k < CHUNK_INPUTS ? inputs - k : CHUNK_INPUTS;
        const uint8_t *prepared = prepare(rows, activations + k, stride, depth, &memory);
        for (size_t column = 0; column < panels * KERNEL_PANEL_COLUMNS; column += 16) {
            size_t in_panel = column % KERNEL_PANEL_COLUMNS;
            const int8_t *half =
                panel + (column - in_panel) * inputs + k * KERNEL_PANEL_COLUMNS + in_panel * 4;
            store_starts(column_sums + column, start, column_starts);
            for (size_t r = 0; r < rows; r += DOT_ROWS) {
                size_t count = rows - r < DOT_ROWS ? rows - r : DOT_ROWS;
                int32_t *target = out + r * out_stride + column;
                tiles[count - 1](activations + r * stride + k, stride, prepared + r * PREPARED_STRIDE, half,
                                 depth, k == 0 ? column_starts : target, k == 0 ? 0 : out_stride, target,
                                 out_stride);
            }
        }
    }
}

#endif
