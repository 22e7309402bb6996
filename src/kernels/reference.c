/* The portable level: plain C17, no intrinsics. It defines what the others compute. */
#define KERNEL_TARGET
#include "kernels/lanes_portable.h"
#include "kernels/levels.h"
#define LEVEL_NAME      "reference"
#define LEVEL_TABLE     kernels_reference
#define ACTIVATION_FORM FORM_S8
#define F32_TILE_ROWS   2
#define SIDE_BY_SIDE    1

#define COLUMNS KERNEL_PANEL_COLUMNS

/* Products of 16-bit numbers added in pairs to 32 bits are what every vector instruction set has had for
 * long (pmaddwd, smlal), and compilers find them in a plain sum over contiguous inputs. So rows and columns
 * are widened to such, a chunk of inputs at a time: 24 and 9 KiB, which stay in the first-level cache. */
#define CHUNK_INPUTS 384u
#define TILE_COLUMNS 4u

struct chunk {
    int16_t rows[KERNEL_BLOCK_ROWS][CHUNK_INPUTS];
    int16_t columns[COLUMNS][CHUNK_INPUTS];
};

KERNEL_INLINE void widen_row(const uint8_t *restrict row, size_t inputs, int16_t *restrict wide) {
    for (size_t k = 0; k < inputs; k++)
        wide[k] = (int8_t)row[k];
}

/* Four inputs of all columns at a time, as they lie in the panel. */
KERNEL_NOINLINE void widen_panel(const int8_t *restrict panel, size_t inputs, int16_t *restrict wide) {
    for (size_t k = 0; k < inputs; k += 4, panel += 4 * COLUMNS) {
        int16_t group[COLUMNS][4];
        int16_t *flat = group[0];
        for (size_t i = 0; i < 4 * COLUMNS; i++)
            flat[i] = panel[i];
        for (size_t c = 0; c < COLUMNS; c++)
            memcpy(wide + c * CHUNK_INPUTS + k, group[c], sizeof group[c]);
    }
}

/* Adds to 2 rows x 4 columns of sums; rows and columns are CHUNK_INPUTS apart. */
KERNEL_NOINLINE void dot_2x4(const int16_t *a, const int16_t *w, size_t inputs, int32_t *out,
                             size_t out_stride) {
    const int16_t *b = a + CHUNK_INPUTS;
    const int16_t *x = w + CHUNK_INPUTS, *y = x + CHUNK_INPUTS, *z = y + CHUNK_INPUTS;
    int32_t aw = 0, ax = 0, ay = 0, az = 0, bw = 0, bx = 0, by = 0, bz = 0;
    KERNEL_VECTORIZE_BY_8
    for (size_t k = 0; k < inputs; k++) {
        aw += a[k] * w[k];
        ax += a[k] * x[k];
        ay += a[k] * y[k];
        az += a[k] * z[k];
        bw += b[k] * w[k];
        bx += b[k] * x[k];
        by += b[k] * y[k];
        bz += b[k] * z[k];
    }
    int32_t *next = out + out_stride;
    out[0] += aw, out[1] += ax, out[2] += ay, out[3] += az;
    next[0] += bw, next[1] += bx, next[2] += by, next[3] += bz;
}

KERNEL_NOINLINE void dot_1x4(const int16_t *a, const int16_t *w, size_t inputs, int32_t *out) {
    const int16_t *x = w + CHUNK_INPUTS, *y = x + CHUNK_INPUTS, *z = y + CHUNK_INPUTS;
    int32_t aw = 0, ax = 0, ay = 0, az = 0;
    KERNEL_VECTORIZE_BY_8
    for (size_t k = 0; k < inputs; k++) {
        aw += a[k] * w[k];
        ax += a[k] * x[k];
        ay += a[k] * y[k];
        az += a[k] * z[k];
    }
    out[0] += aw, out[1] += ax, out[2] += ay, out[3] += az;
}

KERNEL_INLINE int32_t start_value(enum tile_start start, int32_t sum) {
    return start == START_ZERO ? 0 : start == START_PLUS_SUMS ? sum : -sum;
}

/* Adds a chunk's products to the sums of all rows and the 32 columns of a panel. */
KERNEL_INLINE void add_chunk(size_t rows, const struct chunk *chunk, size_t inputs, int32_t *out,
                             size_t out_stride) {
    for (size_t c = 0; c < COLUMNS; c += TILE_COLUMNS) {
        size_t r = 0;
        for (; r + 2 <= rows; r += 2)
            dot_2x4(chunk->rows[r], chunk->columns[c], inputs, out + r * out_stride + c, out_stride);
        if (r < rows)
            dot_1x4(chunk->rows[r], chunk->columns[c], inputs, out + r * out_stride + c);
    }
}

KERNEL_NOINLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                              size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                              int32_t *out, size_t out_stride) {
    struct chunk chunk;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < panels * COLUMNS; c++)
            out[r * out_stride + c] = start_value(start, column_sums[c]);
    for (size_t k = 0; k < inputs; k += CHUNK_INPUTS) {
        size_t count = inputs - k < CHUNK_INPUTS ? inputs - k : CHUNK_INPUTS;
        for (size_t r = 0; r < rows; r++)
            widen_row(activations + r * stride + k, count, chunk.rows[r]);
        for (size_t p = 0; p < panels; p++) {
            widen_panel(panel + (p * inputs + k) * COLUMNS, count, chunk.columns[0]);
            add_chunk(rows, &chunk, count, out + p * COLUMNS, out_stride);
        }
    }
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
