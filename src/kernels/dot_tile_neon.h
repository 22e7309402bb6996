/* What the NEON levels share of their dot_tile. Their activations are signed. */
#ifndef RESCOLDO_KERNELS_DOT_TILE_NEON_H
#define RESCOLDO_KERNELS_DOT_TILE_NEON_H

#include "kernels/levels.h"
#include "kernels/target.h"

/* Where each column's sums begin (int8_template.h). */
KERNEL_INLINE void dot_starts(const int32_t *column_sums, enum tile_start start, int32_t *starts) {
    for (size_t c = 0; c < KERNEL_PANEL_COLUMNS; c++)
        starts[c] = start == START_ZERO ? 0 : start == START_PLUS_SUMS ? column_sums[c] : -column_sums[c];
}

/* A tile of a fixed number of rows and some columns of a panel; its sums begin at start[column]. */
#define TILE_PARAMETERS                                                                                      \
    const uint8_t *activations, size_t stride, const int8_t *panel, size_t inputs, const int32_t *start,     \
        int32_t *out, size_t out_stride
#define DEFINE_TILE(rows)                                                                                    \
    KERNEL_NOINLINE void tile_##rows(TILE_PARAMETERS) {                                                      \
        tile_of(rows, activations, stride, panel, inputs, start, out, out_stride);                           \
    }

/* dot_tile by tiles[rows - 1] for 1 to tile_rows rows and tile_columns columns. */
KERNEL_INLINE void dot_by_tiles(void (*const *tiles)(TILE_PARAMETERS), size_t tile_rows, size_t tile_columns,
                                size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                                size_t inputs, const int32_t *column_sums, enum tile_start start,
                                size_t panels, int32_t *out, size_t out_stride) {
    for (size_t p = 0; p < panels; p++) {
        int32_t starts[KERNEL_PANEL_COLUMNS];
        dot_starts(column_sums, start, starts);
        for (size_t column = 0; column < KERNEL_PANEL_COLUMNS; column += tile_columns) {
            for (size_t r = 0; r < rows; r += tile_rows) {
                size_t count = rows - r < tile_rows ? rows - r : tile_rows;
                tiles[count - 1](activations + r * stride, stride, panel + column * 4, inputs,
                                 starts + column, out + r * out_stride + column, out_stride);
            }
        }
        panel += KERNEL_PANEL_COLUMNS * inputs;
        column_sums += KERNEL_PANEL_COLUMNS;
        out += KERNEL_PANEL_COLUMNS;
    }
}

#endif
