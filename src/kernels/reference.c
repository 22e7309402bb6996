/* The portable level: plain C17, no intrinsics. It defines what the others compute. */
#define KERNEL_TARGET
#include "kernels/lanes_portable.h"
#include "kernels/levels.h"
#define LEVEL_NAME      "reference"
#define LEVEL_TABLE     kernels_reference
#define ACTIVATION_FORM FORM_S8
#define F32_TILE_ROWS   2

#define COLUMNS KERNEL_PANEL_COLUMNS

KERNEL_INLINE int32_t start_value(enum tile_start start, int32_t sum) {
    return start == START_ZERO ? 0 : start == START_PLUS_SUMS ? sum : -sum;
}

KERNEL_NOINLINE void dot_panel(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                               size_t inputs, const int32_t *column_sums, enum tile_start start, int32_t *out,
                               size_t out_stride) {
    for (size_t r = 0; r < rows; r++) {
        const int8_t *row = (const int8_t *)activations + r * stride;
        int32_t sums[COLUMNS];
        for (size_t c = 0; c < COLUMNS; c++)
            sums[c] = start_value(start, column_sums[c]);
        for (size_t k = 0; k < inputs; k += 4) {
            const int8_t *weights = panel + k * COLUMNS;
            for (size_t c = 0; c < COLUMNS; c++)
                sums[c] += row[k] * weights[4 * c] + row[k + 1] * weights[4 * c + 1] +
                           row[k + 2] * weights[4 * c + 2] + row[k + 3] * weights[4 * c + 3];
        }
        memcpy(out + r * out_stride, sums, sizeof sums);
    }
}

KERNEL_INLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                            size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                            int32_t *out, size_t out_stride) {
    for (size_t p = 0; p < panels; p++)
        dot_panel(rows, activations, stride, panel + p * COLUMNS * inputs, inputs, column_sums + p * COLUMNS,
                  start, out + p * COLUMNS, out_stride);
}

KERNEL_NOINLINE uint64_t level_dot_rounds(uint64_t repeats) {
    _Alignas(64) int8_t panel[64 * COLUMNS];
    _Alignas(64) uint8_t activations[KERNEL_BLOCK_ROWS * 64];
    _Alignas(64) int32_t sums[KERNEL_BLOCK_ROWS * COLUMNS];
    int32_t zeros[COLUMNS] = {0};
    memset(panel, 1, sizeof panel);
    memset(activations, 1, sizeof activations);
    /* There is no instruction to name: the tile itself, from the nearest cache, is the portable code's best.
     */
    for (uint64_t i = 0; i < repeats; i++)
        dot_tile(KERNEL_BLOCK_ROWS, activations, 64, panel, 64, zeros, START_ZERO, 1, sums, COLUMNS);
    return repeats * KERNEL_BLOCK_ROWS * 64 * COLUMNS;
}

#include "kernels/level_template.h"
