/* The 8-bit kernels, written once for all levels. A level's file includes a lanes_*.h and defines:
 *
 * - LEVEL_NAME: the name in the table, a string
 *
 * - ACTIVATION_FORM: FORM_U8 (bytes hold q + 128 for signed values, q for unsigned ones) or FORM_S8 (bytes
 * hold q for signed values, q - 128 for unsigned ones)
 *
 * - SIDE_BY_SIDE: how many vectors of 16 lanes the long chains of operations take at a time, 1, 2 or 4
 *
 * - dot_tile(rows, activations, stride, panel, inputs, column_sums, start, panels, out, out_stride): for
 * `panels` panels that follow one another, out[r][c] = start(c) + sum over k of activations[r][k] *
 * panel[k/4][c][k%4], exactly, for 1 to KERNEL_BLOCK_ROWS rows and the 32 columns of each panel. start(c) is
 * 0, column_sums[c] or -column_sums[c].
 *
 * - where it has registers for them, HAS_FULL_TILE and full_tile: the same for KERNEL_BLOCK_ROWS rows and one
 * panel, whose sums are finished while they are in registers.
 *
 * - HAS_SCORE_TILE and score_tile, where sums can be narrowed to 16 bits in registers (attention_template.h).
 *
 * Every float operation is a lane-wise IEEE operation (fused multiply-add is one) in an order that is the
 * same for all levels, so that all agree to the bit. */
#ifndef RESCOLDO_KERNELS_INT8_TEMPLATE_H
#define RESCOLDO_KERNELS_INT8_TEMPLATE_H

#include "kernels/epilogue_template.h"

#include <math.h>
#include <string.h>

/* With column_sums(c) = -128 * sum of the column's weights, a byte that holds q + 128 needs them added, one
 * that holds q - 128 needs them subtracted. */
#define FORM_IS_U8      (ACTIVATION_FORM == FORM_U8)
#define SIGNED_START    (FORM_IS_U8 ? START_PLUS_SUMS : START_ZERO)
#define UNSIGNED_START  (FORM_IS_U8 ? START_ZERO : START_MINUS_SUMS)
#define SIGNED_OFFSET   (FORM_IS_U8 ? 128 : 0)
#define UNSIGNED_OFFSET (FORM_IS_U8 ? 0 : -128)

/* A block of fewer rows has too few sums on their way to hide the latency of a dot. */
#define FEWEST_ROWS 6

/* Rows of the next block: full blocks while what is left over is nothing or not too little, then two halves.
 */
KERNEL_INLINE size_t next_block(size_t rows_left) {
    if (rows_left <= KERNEL_BLOCK_ROWS)
        return rows_left;
    return rows_left >= KERNEL_BLOCK_ROWS + FEWEST_ROWS ? KERNEL_BLOCK_ROWS : (rows_left + 1) / 2;
}

KERNEL_INLINE lanes_f32 absolute_maximum(lanes_f32 largest, lanes_f32 value) {
    return f32_max(largest, f32_abs(value));
}

KERNEL_INLINE void polynomial_step(lanes_f32 *sums, const lanes_f32 *x, float coefficient, size_t vectors) {
    EACH_VECTOR sums[v] = f32_fma(sums[v], x[v], f32_set(coefficient));
}

/* The factor that takes values up to `largest` to bytes up to `steps`. Rows of less than 1e-36 become zeros:
 * the quotient must stay finite. */
KERNEL_INLINE float quantization_factor(float largest, float steps) {
    return largest > 1e-36f ? steps / largest : 0;
}

/* 1.5 * 2^23: a float next to it is it plus a whole number, which the low bits hold. */
#define ROUNDED      12582912.0f
#define ROUNDED_BITS 0x4b400000u

#if !defined(HAS_ROUND_PRODUCT)
/* a * b + offset in the low bytes of the lanes, rounded once, half to even; less than 2^21, an even offset.
 */
KERNEL_INLINE lanes_i32 f32_round_product(lanes_f32 a, lanes_f32 b, int offset) {
    return f32_as_i32(f32_fma(a, b, f32_set(ROUNDED + (float)offset)));
}
#endif

#if !defined(HAS_INTERLEAVE_BYTES)
/* In each lane the low bytes of those of four vectors, the first's lowest. */
KERNEL_INLINE lanes_i32 i32_interleave_bytes(const lanes_i32 *vectors) {
    const lanes_i32 byte = i32_set(0xff);
    lanes_i32 lower = i32_or(i32_and(vectors[0], byte), i32_shift_left(i32_and(vectors[1], byte), 8));
    lanes_i32 upper = i32_or(i32_shift_left(i32_and(vectors[2], byte), 16), i32_shift_left(vectors[3], 24));
    return i32_or(lower, upper);
}
#endif

KERNEL_INLINE lanes_f32 transformed(lanes_f32 x, struct input_transform transform, size_t column) {
    if (transform.scale == NULL)
        return x;
    return f32_fma(x, f32_load(transform.scale + column), f32_load(transform.shift + column));
}

KERNEL_INLINE void quantize_row(const float *row, size_t size, struct input_transform transform, float factor,
                                int32_t offset, uint8_t *values) {
    lanes_f32 factors = f32_set(factor);
    for (size_t i = 0; i < size; i += 64) {
        lanes_i32 bytes[4];
        KERNEL_UNROLL
        for (size_t j = 0; j < 4; j++) {
            lanes_f32 u = transformed(f32_load(row + i + 16 * j), transform, i + 16 * j);
            bytes[j] = f32_round_product(u, factors, offset);
        }
        i32_store_64_bytes(values + i, bytes[0], bytes[1], bytes[2], bytes[3]);
    }
}

/* Scales and bytes of up to KERNEL_BLOCK_ROWS transformed rows, to rows first_row and on of an activation
 * matrix, from each row's largest transformed magnitude or value lane by lane. To transform a row twice takes
 * less than to store what the first time gave. */
KERNEL_INLINE void quantize_rows(const float *rows, size_t stride, const float *largest, size_t count,
                                 struct input_transform transform, float steps, int32_t offset,
                                 size_t first_row, const struct activations *quantized) {
    size_t size = quantized->columns;
    float factors[KERNEL_BLOCK_ROWS];
    for (size_t r = 0; r < count; r++) {
        float top = f32_reduce_max(f32_load(largest + r * 16));
        quantized->scales[first_row + r] = top / steps;
        factors[r] = quantization_factor(top, steps);
    }
    for (size_t r = 0; r < count; r++)
        quantize_row(rows + r * stride, size, transform, factors[r], offset,
                     quantized->values + (first_row + r) * size);
}

/* Up to KERNEL_BLOCK_ROWS rows to rows first_row and on of an activation matrix. */
KERNEL_INLINE void transform_and_quantize(const float *rows, size_t stride, size_t count,
                                          struct input_transform transform, size_t first_row,
                                          const struct activations *quantized) {
    _Alignas(64) float tops[KERNEL_BLOCK_ROWS * 16];
    size_t size = quantized->columns;
    for (size_t r = 0; r < count; r++) {
        lanes_f32 largest[2] = {f32_set(0), f32_set(0)};
        for (size_t i = 0; i < size; i += 32) {
            const float *source = rows + r * stride + i;
            largest[0] = absolute_maximum(largest[0], transformed(f32_load(source), transform, i));
            largest[1] = absolute_maximum(largest[1], transformed(f32_load(source + 16), transform, i + 16));
        }
        f32_store(tops + r * 16, f32_max(largest[0], largest[1]));
    }
    quantize_rows(rows, stride, tops, count, transform, 127.0f, SIGNED_OFFSET, first_row, quantized);
}

KERNEL_FUNCTION void level_quantize(const float *rows, size_t stride, size_t count,
                                    const struct input_transform *transform,
                                    const struct activations *quantized) {
    for (size_t row = 0; row < count;) {
        size_t block = next_block(count - row);
        transform_and_quantize(rows + row * stride, stride, block, *transform, row, quantized);
        row += block;
    }
}

/* The mean and 1 / the standard deviation of a row. */
struct row_moments {
    float mean, inverse;
};

/* Of up to KERNEL_BLOCK_ROWS rows, whose sums are given lane by lane. Each step is done for all rows before
 * the next, so that one row's horizontal sum, square root and division hide behind the other rows' work. */
KERNEL_INLINE void measure_rows(struct normalization normalization, const float *rows, const float *lane_sums,
                                size_t count, struct row_moments *moments) {
    size_t size = normalization.size;
    for (size_t r = 0; r < count; r++)
        moments[r].mean = f32_reduce_add(f32_load(lane_sums + r * 16)) / (float)size;
    for (size_t r = 0; r < count; r++) {
        lanes_f32 mean = f32_set(moments[r].mean);
        lanes_f32 squares = f32_set(0);
        for (size_t i = 0; i < size; i += 16) {
            lanes_f32 centred = f32_sub(f32_load(rows + r * size + i), mean);
            squares = f32_fma(centred, centred, squares);
        }
        float variance = f32_reduce_add(squares) / (float)size;
        moments[r].inverse = 1.0f / sqrtf(variance + normalization.epsilon);
    }
}

KERNEL_INLINE lanes_f32 normalized(lanes_f32 x, lanes_f32 mean, lanes_f32 inverse,
                                   struct normalization normalization, size_t column) {
    lanes_f32 unit = f32_mul(f32_sub(x, mean), inverse);
    return f32_fma(unit, f32_load(normalization.weight + column), f32_load(normalization.bias + column));
}

/* Layer normalization of up to KERNEL_BLOCK_ROWS rows in place. */
KERNEL_INLINE void normalize_rows(struct normalization normalization, float *rows, const float *lane_sums,
                                  size_t count) {
    struct row_moments moments[KERNEL_BLOCK_ROWS];
    size_t size = normalization.size;
    measure_rows(normalization, rows, lane_sums, count, moments);
    for (size_t r = 0; r < count; r++) {
        lanes_f32 mean = f32_set(moments[r].mean), inverse = f32_set(moments[r].inverse);
        for (size_t i = 0; i < size; i += 16) {
            float *target = rows + r * size + i;
            f32_store(target, normalized(f32_load(target), mean, inverse, normalization, i));
        }
    }
}

/* The same, then transforms and quantizes the rows to rows first_row and on. */
KERNEL_INLINE void normalize_and_quantize(struct normalization normalization, float *rows,
                                          const float *lane_sums, size_t count,
                                          struct input_transform transform, size_t first_row,
                                          const struct activations *quantized) {
    struct row_moments moments[KERNEL_BLOCK_ROWS];
    _Alignas(64) float tops[KERNEL_BLOCK_ROWS * 16];
    size_t size = normalization.size;
    measure_rows(normalization, rows, lane_sums, count, moments);
    for (size_t r = 0; r < count; r++) {
        lanes_f32 mean = f32_set(moments[r].mean), inverse = f32_set(moments[r].inverse);
        lanes_f32 largest[2] = {f32_set(0), f32_set(0)};
        for (size_t i = 0; i < size; i += 32) {
            KERNEL_UNROLL
            for (size_t v = 0; v < 2; v++) {
                size_t column = i + 16 * v;
                float *target = rows + r * size + column;
                lanes_f32 y = normalized(f32_load(target), mean, inverse, normalization, column);
                f32_store(target, y);
                largest[v] = absolute_maximum(largest[v], transformed(y, transform, column));
            }
        }
        f32_store(tops + r * 16, f32_max(largest[0], largest[1]));
    }
    quantize_rows(rows, size, tops, count, transform, 127.0f, SIGNED_OFFSET, first_row, quantized);
}

/* The sum of one token's embeddings; returns the row's sum lane by lane. */
KERNEL_INLINE lanes_f32 embed_token(const struct embedding_tables *tables, size_t id, const float *position,
                                    const float *segment, size_t size, float *row) {
    lanes_f32 scale = f32_set(tables->word != NULL ? tables->word_scales[id] : 0);
    lanes_f32 sum = f32_set(0);
    for (size_t i = 0; i < size; i += 16) {
        lanes_f32 word = tables->word != NULL
                             ? f32_mul(i32_to_f32(i32_load_s8(tables->word + id * size + i)), scale)
                             : f32_load(tables->word_f32 + id * size + i);
        lanes_f32 x = f32_add(word, f32_add(f32_load(position + i), f32_load(segment + i)));
        f32_store(row + i, x);
        sum = f32_add(sum, x);
    }
    return sum;
}

KERNEL_FUNCTION void level_embed(const struct embedding_tables *tables,
                                 const struct normalization *normalization, const int32_t *ids, size_t count,
                                 size_t first_segment, float *residual) {
    _Alignas(64) float lane_sums[KERNEL_BLOCK_ROWS * 16];
    size_t size = normalization->size;
    for (size_t first = 0; first < count;) {
        size_t rows = next_block(count - first);
        float *block = residual + first * size;
        for (size_t r = 0; r < rows; r++) {
            size_t t = first + r;
            const float *segment = tables->segment + (t < first_segment ? 0 : size);
            f32_store(lane_sums + r * 16, embed_token(tables, (size_t)ids[t], tables->position + t * size,
                                                      segment, size, block + r * size));
        }
        normalize_rows(*normalization, block, lane_sums, rows);
        first += rows;
    }
}

/* The sums of a tile of epilogue->rows rows and 32 columns, and what becomes of them. */
KERNEL_INLINE void finished_tile(const uint8_t *activations, size_t stride, const int8_t *panel,
                                 size_t inputs, const int32_t *column_sums, enum tile_start start,
                                 const struct epilogue *epilogue, enum epilogue_kind kind) {
#if defined(HAS_FULL_TILE)
    if (epilogue->rows == KERNEL_BLOCK_ROWS) {
        full_tile(activations, stride, panel, inputs, column_sums, start, epilogue, kind);
        return;
    }
#endif
    _Alignas(64) int32_t sums[KERNEL_BLOCK_ROWS * PANEL];
    dot_tile(epilogue->rows, activations, stride, panel, inputs, column_sums, start, 1, sums, PANEL);
    for (size_t r = 0; r < epilogue->rows; r++)
        epilogue_row(epilogue, kind, r, sums + r * PANEL, SIDE_BY_SIDE < 2 ? 1 : 2);
}

/* That of some of a layer's rows and the 32 columns from `column` on. */
KERNEL_INLINE void tile_of_linear(const struct linear *linear, const struct activations *input, size_t row,
                                  size_t column, enum tile_start start, struct epilogue *epilogue,
                                  enum epilogue_kind kind) {
    size_t inputs = linear->inputs;
    epilogue->row_scales = input->scales + row;
    epilogue->column_scales = linear->scales + column;
    epilogue->bias = linear->bias + column;
    finished_tile(input->values + row * inputs, inputs, linear->panels + column * inputs, inputs,
                  linear->compensation + column, start, epilogue, kind);
}

KERNEL_FUNCTION void level_linear(const struct linear *linear, size_t first_panel, size_t panels,
                                  const struct activations *input, size_t count, float *out, size_t stride) {
    for (size_t panel = 0; panel < panels; panel++) {
        size_t column = (first_panel + panel) * PANEL;
        struct epilogue epilogue = {.target = out + panel * PANEL, .stride = stride};
        for (size_t row = 0; row < count; row += epilogue.rows) {
            epilogue.rows = next_block(count - row);
            tile_of_linear(linear, input, row, column, SIGNED_START, &epilogue, EPILOGUE_STORE);
            epilogue.target += epilogue.rows * stride;
        }
    }
}

KERNEL_FUNCTION void level_linear_gelu(const struct linear *linear, const struct activations *input,
                                       size_t count, const struct input_transform *transform,
                                       const struct activations *output, void *scratch) {
    _Alignas(64) float largest[KERNEL_BLOCK_ROWS * 16];
    size_t outputs = linear->outputs;
    float *block = scratch; /* [KERNEL_BLOCK_ROWS][outputs] */
    struct epilogue epilogue = {.stride = outputs, .so_far = largest};
    for (size_t row = 0; row < count; row += epilogue.rows) {
        epilogue.rows = next_block(count - row);
        memset(largest, 0, sizeof largest);
        for (size_t column = 0; column < outputs; column += PANEL) {
            epilogue.target = block + column;
            epilogue.gelu_scale = transform->scale + column;
            epilogue.gelu_shift = transform->shift + column;
            tile_of_linear(linear, input, row, column, SIGNED_START, &epilogue, EPILOGUE_GELU);
        }
        quantize_rows(block, outputs, largest, epilogue.rows, (struct input_transform){0}, 255.0f,
                      UNSIGNED_OFFSET, row, output);
    }
}

/* 32 columns of some rows. They were last read two layers of activations ago, which may not fit the
 * second-level cache, and lie too far apart for what hardware prefetches. */
KERNEL_INLINE void prefetch_tile(const float *residual, size_t stride, size_t row, size_t rows,
                                 size_t column) {
    for (size_t r = row; r < row + rows; r++) {
        KERNEL_PREFETCH(residual + r * stride + column);
        KERNEL_PREFETCH(residual + r * stride + column + 16);
    }
}

KERNEL_FUNCTION void level_linear_normalize(const struct linear *linear, int input_is_gelu,
                                            const struct activations *input, size_t count,
                                            const struct normalization *normalization, float *residual,
                                            const struct input_transform *transform,
                                            const struct activations *quantized) {
    _Alignas(64) float lane_sums[KERNEL_BLOCK_ROWS * 16];
    size_t outputs = linear->outputs;
    enum tile_start start = input_is_gelu ? UNSIGNED_START : SIGNED_START;
    struct epilogue epilogue = {.stride = outputs, .so_far = lane_sums};
    for (size_t row = 0; row < count; row += epilogue.rows) {
        float *rows = residual + row * outputs;
        epilogue.rows = next_block(count - row);
        size_t next_row = row + epilogue.rows, next_rows = next_block(count - next_row);
        memset(lane_sums, 0, sizeof lane_sums);
        for (size_t column = 0; column < outputs; column += PANEL) {
            epilogue.target = rows + column;
            prefetch_tile(residual, outputs, next_row, next_rows, column);
            tile_of_linear(linear, input, row, column, start, &epilogue, EPILOGUE_ADD);
        }
        if (quantized != NULL)
            normalize_and_quantize(*normalization, rows, lane_sums, epilogue.rows, *transform, row,
                                   quantized);
        else
            normalize_rows(*normalization, rows, lane_sums, epilogue.rows);
    }
}

#endif
