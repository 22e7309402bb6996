/* The 8-bit kernels, written once for all levels. A level's file includes a lanes_*.h and defines:
 *
 * - LEVEL_NAME: the name in the table, a string
 *
 * - ACTIVATION_FORM: FORM_U8 (bytes hold q + 128 for signed values, q for unsigned ones) or FORM_S8 (bytes
 * hold q for signed values, q - 128 for unsigned ones)
 *
 * - dot_tile(rows, activations, stride, panel, inputs, column_sums, start, panels, out, out_stride): for
 * `panels` panels that follow one another, out[r][c] = start(c) + sum over k of activations[r][k] *
 * panel[k/4][c][k%4], exactly, for 1 to KERNEL_BLOCK_ROWS rows and the 32 columns of each panel. start(c) is
 * 0, column_sums[c] or -column_sums[c].
 *
 * Every float operation is a lane-wise IEEE operation (fused multiply-add is one) in an order that is the
 * same for all levels, so that all agree to the bit. */
#ifndef RESCOLDO_KERNELS_INT8_TEMPLATE_H
#define RESCOLDO_KERNELS_INT8_TEMPLATE_H

#include "kernels/kernels.h"

#include <math.h>

/* With column_sums(c) = -128 * sum of the column's weights, a byte that holds q + 128 needs them added, one
 * that holds q - 128 needs them subtracted. */
#define FORM_IS_U8      (ACTIVATION_FORM == FORM_U8)
#define SIGNED_START    (FORM_IS_U8 ? START_PLUS_SUMS : START_ZERO)
#define UNSIGNED_START  (FORM_IS_U8 ? START_ZERO : START_MINUS_SUMS)
#define SIGNED_OFFSET   (FORM_IS_U8 ? 128 : 0)
#define UNSIGNED_OFFSET (FORM_IS_U8 ? 0 : -128)

#define PANEL KERNEL_PANEL_COLUMNS

/* Rows of the next block: full blocks while two or more are left, then two halves, so that no block is tiny.
 */
KERNEL_INLINE size_t next_block(size_t rows_left) {
    if (rows_left >= 2 * KERNEL_BLOCK_ROWS || rows_left == KERNEL_BLOCK_ROWS)
        return KERNEL_BLOCK_ROWS;
    return rows_left > KERNEL_BLOCK_ROWS ? (rows_left + 1) / 2 : rows_left;
}

KERNEL_INLINE lanes_f32 absolute_maximum(lanes_f32 largest, lanes_f32 value) {
    return f32_max(largest, f32_abs(value));
}

/* Floats that are not negative are ordered as their bits are as integers, and integer minimum and maximum run
 * beside the multipliers, which are the bottleneck here. */
KERNEL_INLINE lanes_f32 positive_minimum(lanes_f32 a, lanes_f32 b) {
    return i32_as_f32(i32_min(f32_as_i32(a), f32_as_i32(b)));
}

/* The larger of two, of which at least one is not negative. */
KERNEL_INLINE lanes_f32 positive_maximum(lanes_f32 a, lanes_f32 b) {
    return i32_as_f32(i32_max(f32_as_i32(a), f32_as_i32(b)));
}

/* GELU(x) = max(x, 0) - h(min(|x|, 3.9)) with h(a) = a * (1 - Phi(a)) as a minimax polynomial of degree 7
 * without constant term: at most 1.5e-4 from the exact erf form everywhere, a fiftieth of one step of the
 * 8-bit output. */
KERNEL_INLINE lanes_f32 gelu(lanes_f32 x) {
    lanes_f32 a = positive_minimum(f32_abs(x), f32_set(3.9f));
    lanes_f32 h = f32_set(-0.0006865545f);
    h = f32_fma(h, a, f32_set(0.0104904823f));
    h = f32_fma(h, a, f32_set(-0.0604670721f));
    h = f32_fma(h, a, f32_set(0.1472752616f));
    h = f32_fma(h, a, f32_set(-0.0521837391f));
    h = f32_fma(h, a, f32_set(-0.3851951050f));
    h = f32_fma(h, a, f32_set(0.4993294513f));
    return f32_fnma(h, a, positive_maximum(x, f32_set(0.0f)));
}

/* The factor that takes values up to `largest` to bytes up to `steps`. Rows of less than 1e-36 become zeros:
 * the quotient must stay finite. */
KERNEL_INLINE float quantization_factor(float largest, float steps) {
    return largest > 1e-36f ? steps / largest : 0;
}

KERNEL_INLINE void quantize_row(const float *row, size_t size, float factor, int32_t offset,
                                uint8_t *values) {
    lanes_f32 factors = f32_set(factor);
    lanes_i32 offsets = i32_set(offset);
    for (size_t i = 0; i < size; i += 64) {
        lanes_i32 bytes[4];
        for (size_t j = 0; j < 4; j++)
            bytes[j] = i32_add(f32_round(f32_mul(f32_load(row + i + 16 * j), factors)), offsets);
        i32_store_64_bytes(values + i, bytes[0], bytes[1], bytes[2], bytes[3]);
    }
}

KERNEL_INLINE lanes_f32 transformed(lanes_f32 x, const struct input_transform *transform, size_t column) {
    if (transform->scale == NULL)
        return x;
    return f32_fma(x, f32_load(transform->scale + column), f32_load(transform->shift + column));
}

/* Up to KERNEL_BLOCK_ROWS rows to rows first_row and on of an activation matrix, by way of scratch. */
KERNEL_INLINE void transform_and_quantize(const float *rows, size_t stride, size_t count,
                                          const struct input_transform *transform, size_t first_row,
                                          const struct activations *quantized, void *scratch) {
    size_t size = quantized->columns;
    float *changed = scratch;
    float factors[KERNEL_BLOCK_ROWS];
    for (size_t r = 0; r < count; r++) {
        lanes_f32 largest = f32_set(0);
        for (size_t i = 0; i < size; i += 16) {
            lanes_f32 u = transformed(f32_load(rows + r * stride + i), transform, i);
            f32_store(changed + r * size + i, u);
            largest = absolute_maximum(largest, u);
        }
        float top = f32_reduce_max(largest);
        quantized->scales[first_row + r] = top / 127.0f;
        factors[r] = quantization_factor(top, 127.0f);
    }
    for (size_t r = 0; r < count; r++)
        quantize_row(changed + r * size, size, factors[r], SIGNED_OFFSET,
                     quantized->values + (first_row + r) * size);
}

KERNEL_FUNCTION void level_quantize(const float *rows, size_t stride, size_t count,
                                    const struct input_transform *transform,
                                    const struct activations *quantized, void *scratch) {
    for (size_t row = 0; row < count;) {
        size_t block = next_block(count - row);
        transform_and_quantize(rows + row * stride, stride, block, transform, row, quantized, scratch);
        row += block;
    }
}

/* Layer normalization of up to KERNEL_BLOCK_ROWS rows in place. Each step is done for all rows before the
 * next, so that one row's horizontal sum, square root and division hide behind the other rows' work. */
KERNEL_INLINE void normalize_rows(const struct normalization *normalization, float *rows, size_t count) {
    size_t size = normalization->size;
    float means[KERNEL_BLOCK_ROWS], inverses[KERNEL_BLOCK_ROWS];
    for (size_t r = 0; r < count; r++) {
        lanes_f32 sum = f32_set(0);
        for (size_t i = 0; i < size; i += 16)
            sum = f32_add(sum, f32_load(rows + r * size + i));
        means[r] = f32_reduce_add(sum) / (float)size;
    }
    for (size_t r = 0; r < count; r++) {
        lanes_f32 mean = f32_set(means[r]);
        lanes_f32 squares = f32_set(0);
        for (size_t i = 0; i < size; i += 16) {
            lanes_f32 centred = f32_sub(f32_load(rows + r * size + i), mean);
            squares = f32_fma(centred, centred, squares);
        }
        float variance = f32_reduce_add(squares) / (float)size;
        inverses[r] = 1.0f / sqrtf(variance + normalization->epsilon);
    }
    for (size_t r = 0; r < count; r++) {
        lanes_f32 mean = f32_set(means[r]);
        lanes_f32 inverse = f32_set(inverses[r]);
        for (size_t i = 0; i < size; i += 16) {
            lanes_f32 unit = f32_mul(f32_sub(f32_load(rows + r * size + i), mean), inverse);
            f32_store(rows + r * size + i,
                      f32_fma(unit, f32_load(normalization->weight + i), f32_load(normalization->bias + i)));
        }
    }
}

KERNEL_FUNCTION void level_embed(const struct embedding_tables *tables,
                                 const struct normalization *normalization, const int32_t *ids, size_t count,
                                 size_t first_segment, float *residual) {
    size_t size = normalization->size;
    for (size_t t = 0; t < count; t++) {
        size_t id = (size_t)ids[t];
        const float *position = tables->position + t * size;
        const float *segment = tables->segment + (t < first_segment ? 0 : size);
        float *row = residual + t * size;
        lanes_f32 scale = f32_set(tables->word != NULL ? tables->word_scales[id] : 0);
        for (size_t i = 0; i < size; i += 16) {
            lanes_f32 word = tables->word != NULL
                                 ? f32_mul(i32_to_f32(i32_load_s8(tables->word + id * size + i)), scale)
                                 : f32_load(tables->word_f32 + id * size + i);
            lanes_f32 place = f32_add(f32_load(position + i), f32_load(segment + i));
            f32_store(row + i, f32_add(word, place));
        }
        normalize_rows(normalization, row, 1);
    }
}

/* 16 outputs of one row from their integer sums. */
KERNEL_INLINE lanes_f32 dequantize(const int32_t *sums, lanes_f32 row_scale, const float *column_scales,
                                   const float *bias) {
    lanes_f32 scale = f32_mul(row_scale, f32_load(column_scales));
    return f32_fma(i32_to_f32(i32_load(sums)), scale, f32_load(bias));
}

KERNEL_FUNCTION void level_linear(const struct linear *linear, size_t first_panel, size_t panels,
                                  const struct activations *input, size_t count, float *out, size_t stride) {
    _Alignas(64) int32_t sums[KERNEL_BLOCK_ROWS * PANEL];
    size_t inputs = linear->inputs;
    for (size_t p = 0; p < panels; p++) {
        size_t column = (first_panel + p) * PANEL;
        const int8_t *panel = linear->panels + column * inputs;
        for (size_t row = 0; row < count;) {
            size_t rows = next_block(count - row);
            dot_tile(rows, input->values + row * inputs, inputs, panel, inputs, linear->compensation + column,
                     SIGNED_START, 1, sums, PANEL);
            for (size_t r = 0; r < rows; r++) {
                lanes_f32 scale = f32_set(input->scales[row + r]);
                float *target = out + (row + r) * stride + p * PANEL;
                for (size_t c = 0; c < PANEL; c += 16)
                    f32_store(target + c, dequantize(sums + r * PANEL + c, scale, linear->scales + column + c,
                                                     linear->bias + column + c));
            }
            row += rows;
        }
    }
}

/* Two panels at a time: fewer changes between the dots and this long epilogue. outputs is a multiple, since
 * it is the next layer's inputs. */
#define GELU_COLUMNS KERNEL_INPUT_MULTIPLE

KERNEL_FUNCTION void level_linear_gelu(const struct linear *linear, const struct activations *input,
                                       size_t count, const struct input_transform *transform,
                                       const struct activations *output, void *scratch) {
    _Alignas(64) int32_t sums[KERNEL_BLOCK_ROWS * GELU_COLUMNS];
    _Alignas(64) float largest[KERNEL_BLOCK_ROWS * 16];
    size_t inputs = linear->inputs;
    size_t outputs = linear->outputs;
    float *block = scratch; /* [KERNEL_BLOCK_ROWS][outputs] */
    for (size_t row = 0; row < count;) {
        size_t rows = next_block(count - row);
        for (size_t r = 0; r < rows; r++)
            f32_store(largest + r * 16, f32_set(0));
        for (size_t column = 0; column < outputs; column += GELU_COLUMNS) {
            dot_tile(rows, input->values + row * inputs, inputs, linear->panels + column * inputs, inputs,
                     linear->compensation + column, SIGNED_START, GELU_COLUMNS / PANEL, sums, GELU_COLUMNS);
            for (size_t r = 0; r < rows; r++) {
                lanes_f32 scale = f32_set(input->scales[row + r]);
                lanes_f32 top = f32_load(largest + r * 16);
                for (size_t c = 0; c < GELU_COLUMNS; c += 16) {
                    lanes_f32 y = gelu(dequantize(sums + r * GELU_COLUMNS + c, scale,
                                                  linear->scales + column + c, linear->bias + column + c));
                    lanes_f32 u = transformed(y, transform, column + c);
                    f32_store(block + r * outputs + column + c, u);
                    top = positive_maximum(top, u);
                }
                f32_store(largest + r * 16, top);
            }
        }
        float factors[KERNEL_BLOCK_ROWS];
        for (size_t r = 0; r < rows; r++) {
            float top = f32_reduce_max(f32_load(largest + r * 16));
            output->scales[row + r] = top / 255.0f;
            factors[r] = quantization_factor(top, 255.0f);
        }
        for (size_t r = 0; r < rows; r++)
            quantize_row(block + r * outputs, outputs, factors[r], UNSIGNED_OFFSET,
                         output->values + (row + r) * outputs);
        row += rows;
    }
}

KERNEL_FUNCTION void level_linear_normalize(const struct linear *linear, int input_is_gelu,
                                            const struct activations *input, size_t count,
                                            const struct normalization *normalization, float *residual,
                                            const struct input_transform *transform,
                                            const struct activations *quantized, void *scratch) {
    _Alignas(64) int32_t sums[KERNEL_BLOCK_ROWS * PANEL];
    size_t inputs = linear->inputs;
    size_t outputs = linear->outputs;
    enum tile_start start = input_is_gelu ? UNSIGNED_START : SIGNED_START;
    for (size_t row = 0; row < count;) {
        size_t rows = next_block(count - row);
        for (size_t column = 0; column < outputs; column += PANEL) {
            dot_tile(rows, input->values + row * inputs, inputs, linear->panels + column * inputs, inputs,
                     linear->compensation + column, start, 1, sums, PANEL);
            for (size_t r = 0; r < rows; r++) {
                lanes_f32 scale = f32_set(input->scales[row + r]);
                float *target = residual + (row + r) * outputs + column;
                for (size_t c = 0; c < PANEL; c += 16) {
                    lanes_f32 y = dequantize(sums + r * PANEL + c, scale, linear->scales + column + c,
                                             linear->bias + column + c);
                    f32_store(target + c, f32_add(y, f32_load(target + c)));
                }
            }
        }
        normalize_rows(normalization, residual + row * outputs, rows);
        if (quantized != NULL)
            transform_and_quantize(residual + row * outputs, outputs, rows, transform, row, quantized,
                                   scratch);
        row += rows;
    }
}

#endif
