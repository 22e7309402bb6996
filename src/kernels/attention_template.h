/* Attention on bytes, written once for all levels (int8_template.h).
 *
 * softmax does not change when a constant is added to a row of scores, and its weights sum to one. So keys
 * and values may be quantized per column around the middle of their range over the sequence, for free: the
 * part of a score that comes from the keys' middle is the same for all keys of a row and drops out (as does
 * the key bias), and the values' middle is added once at the end. The keys' column scales go into the query
 * before it is quantized.
 *
 *   k8 = round((k - k_middle) / k_scale)        per column, k_scale = half the range / 127
 *   q8 = round(q * k_scale / q_scale)           per row
 *   s  = q8 . k8                                exact
 *   e  = 255 * 2^((s - max s) * q_scale * log2(e) / sqrt(head_size)),   p8 = round(e): softmax_template.h
 *   o  = (p8 . v8 * v_scale + sum p8 * (v_middle - v_mean)) / sum e + v_mean
 *
 * The last line is sum p8 (v - v_mean) / sum e + v_mean: what rounding takes from the many small weights of a
 * long sequence (half of them may round to zero) goes to the mean value instead of to the few large ones.
 *
 * A row of scores (at most 512) stays in the first-level cache, so there is no need for an online softmax. */
#ifndef RESCOLDO_KERNELS_ATTENTION_TEMPLATE_H
#define RESCOLDO_KERNELS_ATTENTION_TEMPLATE_H

#include "kernels/attention_layout.h"
#include "kernels/softmax_template.h"

/* The middle and the quantization of one group of 16 columns over all rows. */
struct column_range {
    lanes_f32 middle, scale, inverse;
};

KERNEL_INLINE struct column_range range_of(lanes_f32 low, lanes_f32 high) {
    lanes_f32 half = f32_mul(f32_sub(high, low), f32_set(0.5f));
    struct column_range range;
    range.middle = f32_mul(f32_add(high, low), f32_set(0.5f));
    range.scale = f32_mul(half, f32_set(1.0f / 127.0f));
    /* A constant column has half == 0: the tiny floor keeps the quotient finite and its bytes zero. */
    range.inverse = f32_div(f32_set(127.0f), f32_max(half, f32_set(1e-30f)));
    return range;
}

/* 16 columns of the keys and of the values. */
struct column_ranges {
    struct column_range key, value;
    lanes_f32 value_mean;
};

/* In one pass over the rows: one after the other, each minimum waits for the one before. */
KERNEL_INLINE struct column_ranges measure_columns(const struct attention_head *head, size_t d) {
    size_t stride = head->key_stride, count = head->tokens;
    const float *keys = head->key + d, *values = head->value + d;
    lanes_f32 key_low = f32_load(keys), key_high = key_low;
    lanes_f32 value_low = f32_load(values), value_high = value_low;
    lanes_f32 sums[2] = {f32_set(0), f32_set(0)}; /* of even and odd rows */
    for (size_t t = 0; t + 1 < count; t += 2) {
        KERNEL_UNROLL
        for (size_t i = 0; i < 2; i++) {
            lanes_f32 key = f32_load(keys + (t + i) * stride), value = f32_load(values + (t + i) * stride);
            key_low = f32_min(key_low, key);
            key_high = f32_max(key_high, key);
            value_low = f32_min(value_low, value);
            value_high = f32_max(value_high, value);
            sums[i] = f32_add(sums[i], value);
        }
    }
    lanes_f32 last_key = f32_load(keys + (count - 1) * stride);
    lanes_f32 last_value = f32_load(values + (count - 1) * stride);
    if (count % 2 == 1)
        sums[0] = f32_add(sums[0], last_value);
    struct column_ranges ranges;
    ranges.key = range_of(f32_min(key_low, last_key), f32_max(key_high, last_key));
    ranges.value = range_of(f32_min(value_low, last_value), f32_max(value_high, last_value));
    ranges.value_mean = f32_mul(f32_add(sums[0], sums[1]), f32_set(1.0f / (float)count));
    return ranges;
}

KERNEL_INLINE lanes_i32 quantize_column(lanes_f32 x, const struct column_range *range) {
    lanes_i32 q = f32_round(f32_min(f32_mul(f32_sub(x, range->middle), range->inverse), f32_set(127.0f)));
    return i32_max(q, i32_set(-127));
}

/* Four rows of 16 columns; those past the last token are copies of it. */
KERNEL_INLINE void quantize_four_rows(const float *rows, size_t stride, size_t first, size_t tokens,
                                      const struct column_range *range, lanes_i32 *quantized) {
    KERNEL_UNROLL
    for (size_t i = 0; i < 4; i++) {
        size_t row = first + i < tokens ? first + i : tokens - 1;
        quantized[i] = quantize_column(f32_load(rows + row * stride), range);
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
    const lanes_i32 low_byte = i32_set(0xff);
    lanes_i32 rows[4], sum = i32_set(0);
    int8_t *column = memory->values + (d / PANEL) * PANEL * padded + (d % PANEL) * 4;
    for (size_t t = 0; t < values_read(head->tokens); t += 4) {
        quantize_four_rows(head->value + d, head->key_stride, t, head->tokens, &ranges->value, rows);
        sum = i32_add(sum, i32_add(i32_add(rows[0], rows[1]), i32_add(rows[2], rows[3])));
        lanes_i32 lower = i32_or(i32_and(rows[0], low_byte), i32_shift_left(i32_and(rows[1], low_byte), 8));
        lanes_i32 upper = i32_or(i32_shift_left(i32_and(rows[2], low_byte), 16), i32_shift_left(rows[3], 24));
        i32_store((int32_t *)(void *)(column + t * PANEL), i32_or(lower, upper));
    }
    f32_store(memory->value_scales + d, ranges->value.scale);
    f32_store(memory->value_means + d, ranges->value_mean);
    f32_store(memory->value_offsets + d, f32_sub(ranges->value.middle, ranges->value_mean));
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
    const lanes_i32 offset = i32_set(SIGNED_OFFSET);
    for (size_t r = 0; r < rows; r++)
        for (size_t d = 0; d < size; d += 16)
            i32_store_bytes(
                memory->queries + r * size + d,
                i32_add(f32_round(f32_mul(f32_load(scaled + r * size + d), f32_set(factors[r]))), offset));
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
    for (size_t d = 0; d < head->head_size; d += PANEL) {
        dot_tile(rows, memory->weights, padded, memory->values + d * padded, values_read(head->tokens),
                 memory->value_sums + d, UNSIGNED_START, 1, memory->tile, PANEL);
        for (size_t r = 0; r < rows; r++) {
            lanes_f32 inverse = f32_set(memory->inverse_sums[r]);
            lanes_f32 weight_sum = f32_set(memory->weight_sums[r]);
            float *target = head->context + (row + r) * head->context_stride + d;
            for (size_t c = 0; c < PANEL; c += 16) {
                lanes_f32 scale = f32_load(memory->value_scales + d + c);
                lanes_f32 moved = f32_mul(weight_sum, f32_load(memory->value_offsets + d + c));
                lanes_f32 o = f32_fma(i32_to_f32(i32_load(memory->tile + r * PANEL + c)), scale, moved);
                f32_store(target + c, f32_fma(o, inverse, f32_load(memory->value_means + d + c)));
            }
        }
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
