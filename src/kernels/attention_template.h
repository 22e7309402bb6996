/* Attention on bytes, written once for all levels (int8_template.h).
 *
 * softmax does not change when a constant is added to a row of scores, and its weights sum to one. So keys
 * and values may be quantized per column around the middle of their range over the sequence (the whole step
 * next to it), for free: the part of a score that comes from the keys' middle is the same for all keys of a
 * row and drops out (as does the key bias), and the values' middle is added once at the end. The keys' column
 * scales go into the query before it is quantized.
 *
 *   k8 = round(k / k_scale) - k_zero            per column, k_scale = half the range / 126.5,
 *                                               k_zero = round(k_middle / k_scale)
 *   q8 = round(q * k_scale / q_scale)           per row
 *   s  = q8 . k8                                exact
 *   e  = 255 * 2^((s - max s) * q_scale * log2(e) / sqrt(head_size)),   p8 = round(e): softmax_template.h
 *   o  = (p8 . v8 * v_scale + sum p8 * (v_zero * v_scale - v_mean)) / sum e + v_mean
 *
 * The last line is sum p8 (v - v_mean) / sum e + v_mean: what rounding takes from the many small weights of a
 * long sequence (half of them may round to zero) goes to the mean value instead of to the few large ones.
 *
 * A row of scores (at most 512) stays in the first-level cache, so there is no need for an online softmax. */
#ifndef RESCOLDO_KERNELS_ATTENTION_TEMPLATE_H
#define RESCOLDO_KERNELS_ATTENTION_TEMPLATE_H

#include "kernels/attention_layout.h"
#include "kernels/softmax_template.h"

/* The quantization of one group of 16 columns over all rows: byte = round(x * inverse) - zero. */
struct column_range {
    lanes_f32 scale, inverse, zero;
};

/* Half a step is left at both ends, since the zero is a whole step. A column that hardly varies around a
 * large middle gets steps so large that the zero has no more than 21 bits; a constant one, which may be zero,
 * some tiny step. */
KERNEL_INLINE struct column_range range_of(lanes_f32 low, lanes_f32 high) {
    lanes_f32 half = f32_mul(f32_sub(high, low), f32_set(0.5f));
    lanes_f32 middle = f32_mul(f32_add(high, low), f32_set(0.5f));
    lanes_f32 least = f32_max(f32_mul(f32_abs(middle), f32_set(0x1p-14f)), f32_set(1e-30f));
    half = f32_max(half, least);
    struct column_range range;
    range.scale = f32_mul(half, f32_set(1.0f / 126.5f));
    range.inverse = f32_div(f32_set(126.5f), half);
    range.zero = i32_to_f32(f32_round(f32_mul(middle, range.inverse)));
    return range;
}

/* 16 columns of the keys and of the values. */
struct column_ranges {
    struct column_range key, value;
    lanes_f32 value_mean;
};

/* What is seen of 16 columns of the keys and of the values in some rows. */
struct columns_seen {
    lanes_f32 key_low, key_high, value_low, value_high, value_sum;
};

KERNEL_INLINE void see_row(struct columns_seen *seen, const float *key_row, const float *value_row) {
    lanes_f32 key = f32_load(key_row), value = f32_load(value_row);
    seen->key_low = f32_min(seen->key_low, key);
    seen->key_high = f32_max(seen->key_high, key);
    seen->value_low = f32_min(seen->value_low, value);
    seen->value_high = f32_max(seen->value_high, value);
    seen->value_sum = f32_add(seen->value_sum, value);
}

/* In one pass over the rows, even and odd ones apart: each minimum waits for the one before. */
KERNEL_INLINE struct column_ranges measure_columns(const struct attention_head *head, size_t d) {
    size_t stride = head->key_stride, count = head->tokens;
    const float *keys = head->key + d, *values = head->value + d;
    lanes_f32 key = f32_load(keys), value = f32_load(values);
    struct columns_seen even = {key, key, value, value, f32_set(0)}, odd = even;
    for (size_t t = 0; t + 1 < count; t += 2) {
        see_row(&even, keys + t * stride, values + t * stride);
        see_row(&odd, keys + (t + 1) * stride, values + (t + 1) * stride);
    }
    if (count % 2 == 1)
        see_row(&even, keys + (count - 1) * stride, values + (count - 1) * stride);
    struct column_ranges ranges;
    ranges.key = range_of(f32_min(even.key_low, odd.key_low), f32_max(even.key_high, odd.key_high));
    ranges.value = range_of(f32_min(even.value_low, odd.value_low), f32_max(even.value_high, odd.value_high));
    ranges.value_mean = f32_mul(f32_add(even.value_sum, odd.value_sum), f32_set(1.0f / (float)count));
    return ranges;
}

/* Four rows of 16 columns, as the low bytes of the lanes; those past the last token are copies of it. */
KERNEL_INLINE void quantize_four_rows(const float *rows, size_t stride, size_t first, size_t tokens,
                                      const struct column_range *range, lanes_i32 *quantized) {
    const lanes_f32 minus_zero = f32_sub(f32_set(ROUNDED), range->zero);
    KERNEL_UNROLL
    for (size_t i = 0; i < 4; i++) {
        size_t row = first + i < tokens ? first + i : tokens - 1;
        quantized[i] = f32_as_i32(f32_fma(f32_load(rows + row * stride), range->inverse, minus_zero));
    }
}

/* Columns d to d + 15. Padding keys are copies of the last: their scores exceed no other key's. */
KERNEL_INLINE void pack_keys(const struct attention_head *head, size_t d, size_t padded,
                             const struct column_range *range, struct attention_memory *memory) {
    lanes_i32 rows[4];
    f32_store(memory->key_scales + d, range->scale);
    for (size_t t = 0; t < padded; t += 4) {
        quantize_four_rows(head->key + d, head->key_stride, t, head->tokens, range, rows);
        int8_t *panel = memory->keys + t / PANEL * PANEL * head->head_size;
        i32_store_groups(panel + d * PANEL + t % PANEL * 4, (size_t)4 * PANEL, rows[0], rows[1], rows[2],
                         rows[3]);
    }
}

/* Where each key's scores begin. Its byte sum is a dot product with ones; 1 has the same byte in both forms
 * of activations. */
KERNEL_INLINE void find_key_starts(size_t head_size, size_t padded, struct attention_memory *memory) {
    uint8_t ones[KERNEL_MAX_HEAD_SIZE];
    memset(ones, 1, head_size);
    int32_t *starts = memory->key_starts;
    dot_tile(1, ones, head_size, memory->keys, head_size, starts, START_ZERO, padded / PANEL, starts, padded);
    for (size_t t = 0; t < padded; t += 16) {
        lanes_i32 compensation = FORM_IS_U8 ? i32_shift_left(i32_load(starts + t), 7) : i32_set(0);
        i32_store(starts + t, i32_sub(i32_set(0), compensation));
    }
}

/* The values that are read: whole groups of inputs. */
KERNEL_INLINE size_t values_read(size_t tokens) {
    return (tokens + 15) / 16 * 16;
}

/* Columns d to d + 15. What stands for padding counts for nothing, since its weight is zero, but in the
 * columns' sums as in the dot products. */
KERNEL_INLINE void pack_values(const struct attention_head *head, size_t d, size_t padded,
                               const struct column_ranges *ranges, struct attention_memory *memory) {
    lanes_i32 rows[4], sum = i32_set(0);
    size_t count = values_read(head->tokens);
    int8_t *column = memory->values + (d / PANEL) * PANEL * padded + (d % PANEL) * 4;
    for (size_t t = 0; t < count; t += 4) {
        quantize_four_rows(head->value + d, head->key_stride, t, head->tokens, &ranges->value, rows);
        sum = i32_add(sum, i32_add(i32_add(rows[0], rows[1]), i32_add(rows[2], rows[3])));
        i32_store((int32_t *)(void *)(column + t * PANEL), i32_interleave_bytes(rows));
    }
    /* What ROUNDED added to each drops out as the bytes' sum is taken modulo 2^32. */
    sum = i32_sub(sum, i32_set((int32_t)((uint32_t)count * ROUNDED_BITS)));
    f32_store(memory->value_scales + d, ranges->value.scale);
    f32_store(memory->value_means + d, ranges->value_mean);
    f32_store(memory->value_offsets + d,
              f32_fma(ranges->value.zero, ranges->value.scale, f32_sub(f32_set(0), ranges->value_mean)));
    i32_store(memory->value_sums + d, i32_sub(i32_set(0), i32_shift_left(sum, 7)));
}

/* A block of rows, and how their scores are to be read. */
KERNEL_INLINE void quantize_queries(const struct attention_head *head, size_t row, size_t rows,
                                    struct attention_memory *memory) {
    _Alignas(64) float factors[ROW_LANES];
    float *scaled = memory->scaled_queries;
    size_t size = head->head_size;
    for (size_t r = 0; r < rows; r++) {
        const float *query = head->query + (row + r) * head->query_stride;
        lanes_f32 largest = f32_set(0);
        for (size_t d = 0; d < size; d += 16) {
            lanes_f32 x = f32_mul(f32_load(query + d), f32_load(memory->key_scales + d));
            f32_store(scaled + r * size + d, x);
            largest = absolute_maximum(largest, x);
        }
        i32_store(memory->largest + r * 16, f32_as_i32(largest));
    }
    /* Floats that are not negative are ordered as their bits are as integers. */
    i32_reduce_max_rows(memory->largest, memory->reduced);
    lanes_f32 tops = f32_max(i32_as_f32(i32_load(memory->reduced)), f32_set(1e-36f));
    f32_store(factors, f32_div(f32_set(127.0f), tops));
    for (size_t r = 0; r < rows; r++)
        for (size_t d = 0; d < size; d += 16)
            i32_store_bytes(
                memory->queries + r * size + d,
                f32_round_product(f32_load(scaled + r * size + d), f32_set(factors[r]), SIGNED_OFFSET));
    prepare_softmax(f32_mul(tops, f32_set(1.0f / 127.0f)), size, memory);
}

/* The scores of a block of rows. */
KERNEL_INLINE void score_keys(size_t rows, size_t head_size, size_t padded, struct attention_memory *memory) {
    int shift = score_shift_of(head_size);
    for (size_t key = 0; key < padded; key += PANEL) {
        const int8_t *panel = memory->keys + key * head_size;
        const int32_t *starts = memory->key_starts + key;
#if defined(HAS_SCORE_TILE)
        if (rows == KERNEL_BLOCK_ROWS) {
            score_tile(memory->queries, panel, head_size, starts, shift, memory->scores + key, padded);
            continue;
        }
#endif
        dot_tile(rows, memory->queries, head_size, panel, head_size, starts, START_PLUS_SUMS, 1, memory->tile,
                 PANEL);
        narrow_scores(rows, key, padded, shift, memory);
    }
}

/* The context of a block of rows. */
KERNEL_INLINE void weigh_values(const struct attention_head *head, size_t row, size_t rows, size_t padded,
                                struct attention_memory *memory) {
    struct epilogue epilogue = {.rows = rows,
                                .row_scales = memory->inverse_sums,
                                .row_weights = memory->weight_sums,
                                .stride = head->context_stride};
    for (size_t d = 0; d < head->head_size; d += PANEL) {
        epilogue.column_scales = memory->value_scales + d;
        epilogue.column_offsets = memory->value_offsets + d;
        epilogue.bias = memory->value_means + d;
        epilogue.target = head->context + row * head->context_stride + d;
        finished_tile(memory->weights, padded, memory->values + d * padded, values_read(head->tokens),
                      memory->value_sums + d, UNSIGNED_START, &epilogue, EPILOGUE_CONTEXT);
    }
}

KERNEL_FUNCTION void level_attention(const struct attention_head *head, void *scratch) {
    struct attention_memory *memory = scratch;
    size_t padded = (head->tokens + PANEL - 1) / PANEL * PANEL;
    for (size_t d = 0; d < head->head_size; d += 16) {
        struct column_ranges ranges = measure_columns(head, d);
        pack_keys(head, d, padded, &ranges.key, memory);
        pack_values(head, d, padded, &ranges, memory);
    }
    find_key_starts(head->head_size, padded, memory);
    for (size_t row = 0; row < head->query_count;) {
        size_t rows = next_block(head->query_count - row);
        quantize_queries(head, row, rows, memory);
        score_keys(rows, head->head_size, padded, memory);
        find_maxima(rows, padded, memory);
        weigh_rows(rows, head->tokens, padded, memory);
        finish_softmax(memory);
        weigh_values(head, row, rows, padded, memory);
        row += rows;
    }
}

#endif
