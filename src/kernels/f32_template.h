/* The float32 kernels, written once for all levels (int8_template.h). They serve float32 embers,
 * the pooler, and as the yardstick of the 8-bit path. A level defines F32_TILE_ROWS before the include. */
#ifndef RESCOLDO_KERNELS_F32_TEMPLATE_H
#define RESCOLDO_KERNELS_F32_TEMPLATE_H

#include "kernels/attention_layout.h"
#include "kernels/int8_template.h"

KERNEL_INLINE void f32_tile(size_t rows, const float *input, size_t input_stride, const float *panel,
                            size_t inputs, const float *bias, float *out, size_t stride) {
    lanes_f32 low[F32_TILE_ROWS], high[F32_TILE_ROWS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        low[r] = f32_load(bias);
        high[r] = f32_load(bias + 16);
    }
    for (size_t k = 0; k < inputs; k++) {
        lanes_f32 weight_low = f32_load(panel + k * PANEL);
        lanes_f32 weight_high = f32_load(panel + k * PANEL + 16);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            lanes_f32 x = f32_set(input[r * input_stride + k]);
            low[r] = f32_fma(x, weight_low, low[r]);
            high[r] = f32_fma(x, weight_high, high[r]);
        }
    }
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        f32_store(out + r * stride, low[r]);
        f32_store(out + r * stride + 16, high[r]);
    }
}

KERNEL_FUNCTION void level_linear_f32(const struct linear *linear, size_t first_panel, size_t panels,
                                      const float *input, size_t input_stride, size_t count, float *out,
                                      size_t stride) {
    size_t inputs = linear->inputs;
    for (size_t p = 0; p < panels; p++) {
        size_t column = (first_panel + p) * PANEL;
        const float *panel = linear->panels_f32 + column * inputs;
        const float *bias = linear->bias + column;
        size_t row = 0;
        for (; row + F32_TILE_ROWS <= count; row += F32_TILE_ROWS)
            f32_tile(F32_TILE_ROWS, input + row * input_stride, input_stride, panel, inputs, bias,
                     out + row * stride + p * PANEL, stride);
        for (; row < count; row++)
            f32_tile(1, input + row * input_stride, input_stride, panel, inputs, bias,
                     out + row * stride + p * PANEL, stride);
    }
}

/* e^x for x <= 0 to about 1e-7 relative: 2^f by its Taylor polynomial of degree 7 on [-1/2, 1/2]. */
KERNEL_INLINE lanes_f32 exponential(lanes_f32 x) {
    const lanes_f32 magic = f32_set(12582912.0f);
    lanes_f32 power = f32_max(f32_mul(x, f32_set(1.44269504f)), f32_set(-126.0f));
    lanes_f32 shifted = f32_add(power, magic);
    lanes_f32 f = f32_sub(power, f32_sub(shifted, magic));
    lanes_f32 p = f32_set(1.52527338e-5f); /* ln(2)^n / n! for n = 7 down to 0 */
    p = f32_fma(p, f, f32_set(1.54035304e-4f));
    p = f32_fma(p, f, f32_set(1.33335581e-3f));
    p = f32_fma(p, f, f32_set(9.61812911e-3f));
    p = f32_fma(p, f, f32_set(5.55041087e-2f));
    p = f32_fma(p, f, f32_set(2.40226507e-1f));
    p = f32_fma(p, f, f32_set(6.93147181e-1f));
    p = f32_fma(p, f, f32_set(1.0f));
    return i32_as_f32(i32_add(f32_as_i32(p), i32_shift_left(f32_as_i32(shifted), 23)));
}

/* GELU(x) = max(x, 0) - |x| / 2 * erfc(|x| / sqrt 2), with erfc by Abramowitz and Stegun 7.1.26 (absolute
 * error 1.5e-7). */
KERNEL_INLINE lanes_f32 gelu_exact(lanes_f32 x) {
    lanes_f32 magnitude = f32_abs(x);
    lanes_f32 a = f32_mul(magnitude, f32_set(0.707106781f));
    lanes_f32 t = f32_div(f32_set(1.0f), f32_fma(a, f32_set(0.3275911f), f32_set(1.0f)));
    lanes_f32 p = f32_set(1.061405429f);
    p = f32_fma(p, t, f32_set(-1.453152027f));
    p = f32_fma(p, t, f32_set(1.421413741f));
    p = f32_fma(p, t, f32_set(-0.284496736f));
    p = f32_fma(p, t, f32_set(0.254829592f));
    lanes_f32 tail = f32_mul(f32_mul(p, t), exponential(f32_sub(f32_set(0), f32_mul(a, a))));
    return f32_sub(f32_max(x, f32_set(0)), f32_mul(f32_mul(magnitude, f32_set(0.5f)), tail));
}

KERNEL_FUNCTION void level_gelu_f32(float *values, size_t count) {
    for (size_t i = 0; i < count; i += 16)
        f32_store(values + i, gelu_exact(f32_load(values + i)));
}

KERNEL_FUNCTION void level_normalize_f32(const struct normalization *normalization, const float *addend,
                                         size_t count, float *residual) {
    size_t size = normalization->size;
    for (size_t r = 0; r < count; r++) {
        float *row = residual + r * size;
        _Alignas(64) float lane_sums[16];
        lanes_f32 sum = f32_set(0);
        for (size_t i = 0; i < size; i += 16) {
            lanes_f32 x = f32_add(f32_load(row + i), f32_load(addend + r * size + i));
            f32_store(row + i, x);
            sum = f32_add(sum, x);
        }
        f32_store(lane_sums, sum);
        normalize_rows(*normalization, row, lane_sums, 1);
    }
}

KERNEL_INLINE float softmax_f32(float *scores, size_t tokens, size_t padded) {
    for (size_t t = tokens; t < padded; t++)
        scores[t] = -INFINITY;
    lanes_f32 largest = f32_load(scores);
    for (size_t t = 16; t < padded; t += 16)
        largest = f32_max(largest, f32_load(scores + t));
    lanes_f32 maximum = f32_set(f32_reduce_max(largest));
    lanes_f32 sum = f32_set(0);
    for (size_t t = 0; t < padded; t += 16) {
        lanes_f32 weight = exponential(f32_sub(f32_load(scores + t), maximum));
        f32_store(scores + t, weight);
        sum = f32_add(sum, weight);
    }
    return f32_reduce_add(sum);
}

KERNEL_FUNCTION void level_attention_f32(const struct attention_head *head, void *scratch) {
    struct attention_memory_f32 *memory = scratch;
    size_t head_size = head->head_size;
    size_t padded = (head->tokens + 15) / 16 * 16;
    float inverse_root = 1.0f / sqrtf((float)head_size);
    for (size_t d = 0; d < head_size; d++)
        for (size_t t = 0; t < padded; t++)
            memory->keys[d * padded + t] = t < head->tokens ? head->key[t * head->key_stride + d] : 0;
    for (size_t r = 0; r < head->query_count; r++) {
        const float *query = head->query + r * head->query_stride;
        for (size_t t = 0; t < padded; t += 16) {
            lanes_f32 score = f32_set(0);
            for (size_t d = 0; d < head_size; d++)
                score = f32_fma(f32_set(query[d]), f32_load(memory->keys + d * padded + t), score);
            f32_store(memory->weights + t, f32_mul(score, f32_set(inverse_root)));
        }
        lanes_f32 inverse = f32_set(1.0f / softmax_f32(memory->weights, head->tokens, padded));
        for (size_t d = 0; d < head_size; d += 16) {
            lanes_f32 o = f32_set(0);
            for (size_t t = 0; t < head->tokens; t++)
                o = f32_fma(f32_set(memory->weights[t]), f32_load(head->value + t * head->key_stride + d), o);
            f32_store(head->context + r * head->context_stride + d, f32_mul(o, inverse));
        }
    }
}

#endif
