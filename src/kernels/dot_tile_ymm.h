/* What the levels on 256-bit registers share of their dot_tile: the way from a block of rows and some panels
 * to tiles whose sums fit the registers. */
#ifndef RESCOLDO_KERNELS_DOT_TILE_YMM_H
#define RESCOLDO_KERNELS_DOT_TILE_YMM_H

#include "kernels/levels.h"
#include "kernels/target.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

KERNEL_INLINE __m256i load_integers(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}

KERNEL_INLINE void store_integers(void *p, __m256i integers) {
    _mm256_storeu_si256((__m256i *)p, integers);
}

/* out = starts + the products of `inputs` inputs. Rows, in the form that the level multiplies, are stride
 * bytes apart, rows of starts starts_stride integers (0: the same for all). weights are the tile's first in
 * their panel. */
#define TILE_PARAMETERS                                                                                      \
    const uint8_t *activations, size_t stride, const int8_t *weights, size_t inputs, const int32_t *starts,  \
        size_t starts_stride, int32_t *out, size_t out_stride

/* One function per number of rows, so that every sum is a register; out of line for the reason given in
 * avx512vnni.c. */
#define DEFINE_TILE(rows)                                                                                    \
    KERNEL_NOINLINE void tile_##rows(TILE_PARAMETERS) {                                                      \
        tile_of(rows, activations, stride, weights, inputs, starts, starts_stride, out, out_stride);         \
    }

/* The tiles of a level: one for each number of rows, all of as many columns. */
struct tile_kind {
    void (*const *tiles)(TILE_PARAMETERS);
    size_t most_rows, columns;
};

/* Where the sums of a tile's columns begin (int8_template.h). */
KERNEL_INLINE void store_starts(size_t columns, const int32_t *column_sums, enum tile_start start,
                                int32_t *starts) {
    for (size_t c = 0; c < columns; c += 8) {
        __m256i sums = _mm256_setzero_si256();
        if (start != START_ZERO)
            sums = load_integers(column_sums + c);
        if (start == START_MINUS_SUMS)
            sums = _mm256_sub_epi32(_mm256_setzero_si256(), sums);
        store_integers(starts + c, sums);
    }
}

/* As equal as can be: a tile of few rows takes nearly as long as one of many. */
KERNEL_INLINE size_t next_tile_rows(size_t rows_left, size_t most) {
    size_t tiles = (rows_left + most - 1) / most;
    return (rows_left + tiles - 1) / tiles;
}

/* Some of a layer's inputs. */
struct input_range {
    size_t first, count, all;
};

/* dot_tile of int8_template.h over a range of the inputs; after the first range it adds to what is there. The
 * activations are those of the range. */
KERNEL_INLINE void run_tiles(const struct tile_kind *kind, size_t rows, const uint8_t *activations,
                             size_t stride, const int8_t *panel, struct input_range range,
                             const int32_t *column_sums, enum tile_start start, size_t panels, int32_t *out,
                             size_t out_stride) {
    _Alignas(64) int32_t column_starts[KERNEL_PANEL_COLUMNS];
    for (size_t column = 0; column < panels * KERNEL_PANEL_COLUMNS; column += kind->columns) {
        size_t in_panel = column % KERNEL_PANEL_COLUMNS;
        const int8_t *weights =
            panel + (column - in_panel) * range.all + range.first * KERNEL_PANEL_COLUMNS + in_panel * 4;
        store_starts(kind->columns, column_sums + column, start, column_starts);
        for (size_t r = 0, count; r < rows; r += count) {
            count = next_tile_rows(rows - r, kind->most_rows);
            int32_t *target = out + r * out_stride + column;
            bool is_first = range.first == 0;
            kind->tiles[count - 1](activations + r * stride, stride, weights, range.count,
                                   is_first ? column_starts : target, is_first ? 0 : out_stride, target,
                                   out_stride);
        }
    }
}

#endif
