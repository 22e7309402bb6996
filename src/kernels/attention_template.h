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
 *   e  = 255 * 2^((s - max s) * q_scale * log2(e) / sqrt(head_size)),   p8 = round(e)
 *   o  = (p8 . v8 * v_scale + sum p8 * (v_middle - v_mean)) / sum e + v_mean
 *
 * The last line is sum p8 (v - v_mean) / sum e + v_mean: what rounding takes from the many small weights of a
 * long sequence (half of them may round to zero) goes to the mean value instead of to the few large ones.
 *
 * A row of scores (at most 512) stays in the first-level cache, so there is no need for an online softmax. */
#ifndef RESCOLDO_KERNELS_ATTENTION_TEMPLATE_H
#define RESCOLDO_KERNELS_ATTENTION_TEMPLATE_H

#include "kernels/attention_layout.h"
#include "kernels/int8_template.h"

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

/* Sums of scores begin at the bits of the float 1.5 * 2^23, so that a score s, which is less than 2^21, lies
 * in memory as the float 1.5 * 2^23 + s: the difference of two such floats is exact, and no score need be
 * converted. As integers they have the same order. */
#define SCORE_ZERO 0x4b400000

/* The score of padding, below every possible score: the float 2^23. */
#define PADDING_SCORE 0x4b000000

/* Four rows of 16 columns; those past the last token are zero. */
KERNEL_INLINE void quantize_four_rows(const float *rows, size_t stride, size_t first, size_t tokens,
                                      const struct column_range *range, lanes_i32 *quantized) {
    if (first + 4 <= tokens) {
        KERNEL_UNROLL
        for (size_t i = 0; i < 4; i++)
            quantized[i] = quantize_column(f32_load(rows + (first + i) * stride), range);
        return;
    }
    KERNEL_UNROLL
    for (size_t i = 0; i < 4; i++)
        quantized[i] =
            first + i < tokens ? quantize_column(f32_load(rows + (first + i) * stride), range) : i32_set(0);
}

/* Columns d to d + 15. */
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
        i32_store(starts + t, i32_sub(i32_set(SCORE_ZERO), compensation));
    }
}

/* Columns d to d + 15. */
KERNEL_INLINE void pack_values(const struct attention_head *head, size_t d, size_t padded,
                               const struct column_ranges *ranges, struct attention_memory *memory) {
    const lanes_i32 low_byte = i32_set(0xff);
    lanes_i32 rows[4], sum = i32_set(0);
    int8_t *column = memory->values + (d / PANEL) * PANEL * padded + (d % PANEL) * 4;
    for (size_t t = 0; t < padded; t += 4) {
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

KERNEL_INLINE void quantize_queries(const struct attention_head *head, size_t row, size_t rows,
                                    struct attention_memory *memory) {
    float *scaled = memory->scaled_queries;
    float factors[ATTENTION_GROUP_ROWS];
    size_t size = head->head_size;
    for (size_t r = 0; r < rows; r++) {
        const float *query = head->query + (row + r) * head->query_stride;
        lanes_f32 largest = f32_set(0);
        for (size_t d = 0; d < size; d += 16) {
            lanes_f32 x = f32_mul(f32_load(query + d), f32_load(memory->key_scales + d));
            f32_store(scaled + r * size + d, x);
            largest = absolute_maximum(largest, x);
        }
        float top = f32_reduce_max(largest);
        memory->query_scales[r] = top / 127.0f;
        factors[r] = quantization_factor(top, 127.0f);
    }
    const lanes_i32 offset = i32_set(SIGNED_OFFSET);
    for (size_t r = 0; r < rows; r++)
        for (size_t d = 0; d < size; d += 16)
            i32_store_bytes(
                memory->queries + r * size + d,
                i32_add(f32_round(f32_mul(f32_load(scaled + r * size + d), f32_set(factors[r]))), offset));
}

/* A weight as the level stores unsigned values. */
KERNEL_INLINE lanes_i32 weight_form(lanes_i32 p) {
    return UNSIGNED_OFFSET == 0 ? p : i32_add(p, i32_set(UNSIGNED_OFFSET));
}

/* What the weights of a row are computed from. Found for all rows before the first exponential, and the sums
 * after the last, so that one row's horizontal operations hide behind another's. */
struct softmax_row {
    int32_t maximum, lowest; /* as scores lie in memory */
    float factor;
};

KERNEL_INLINE void find_maxima(size_t rows, size_t tokens, size_t padded, size_t head_size,
                               struct attention_memory *memory, struct softmax_row *softmax) {
    const float log2_e_over_root = 1.44269504f / sqrtf((float)head_size);
    for (size_t r = 0; r < rows; r++) {
        int32_t *scores = memory->scores + r * padded;
        for (size_t t = tokens; t < padded; t++)
            scores[t] = PADDING_SCORE;
        lanes_i32 largest = i32_load(scores);
        for (size_t t = 16; t < padded; t += 16)
            largest = i32_max(largest, i32_load(scores + t));
        float factor = memory->query_scales[r] * log2_e_over_root;
        softmax[r].maximum = i32_reduce_max(largest);
        softmax[r].factor = factor;
        softmax[r].lowest = PADDING_SCORE;
        if (factor > 24.0f / 4194304.0f && softmax[r].maximum - (int32_t)(24.0f / factor) > PADDING_SCORE)
            softmax[r].lowest = softmax[r].maximum - (int32_t)(24.0f / factor);
    }
}

/* A row's softmax_row in every lane, and its sums so far, lane by lane. */
struct softmax_lanes {
    lanes_f32 maximum;
    lanes_i32 lowest;
    lanes_f32 factor;
    lanes_f32 sum;
    lanes_i32 byte_sum;
};

/* 255 * 2^((s - maximum) * factor) for scores s. 2^f on [-1/2, 1/2] is a minimax polynomial of degree 3
 * (relative error 7.5e-5, a fiftieth of one step at 255); adding 1.5 * 2^23 rounds to the integer part, which
 * goes into the exponent. Never less than 255 * 2^-24. */
KERNEL_INLINE void scaled_exponentials(const int32_t *scores, const struct softmax_lanes *row, lanes_f32 *p,
                                       size_t vectors) {
    const lanes_f32 magic = f32_set(12582912.0f);
    lanes_f32 shifted[MOST_SIDE_BY_SIDE], f[MOST_SIDE_BY_SIDE];
    EACH_VECTOR p[v] = f32_sub(i32_as_f32(i32_max(i32_load(scores + 16 * v), row->lowest)), row->maximum);
    EACH_VECTOR shifted[v] = f32_fma(p[v], row->factor, magic);
    EACH_VECTOR f[v] = f32_fms(p[v], row->factor, f32_sub(shifted[v], magic));
    EACH_VECTOR p[v] = f32_fma(f32_set(0.0551713401f * 255.0f), f[v], f32_set(0.242611167f * 255.0f));
    polynomial_step(p, f, 0.693261032f * 255.0f, vectors);
    polynomial_step(p, f, 0.999928072f * 255.0f, vectors);
    EACH_VECTOR p[v] = i32_as_f32(i32_add(f32_as_i32(p[v]), i32_shift_left(f32_as_i32(shifted[v]), 23)));
}

/* The weights of the last columns, of which only the first `tokens` count: a padding key has no weight even
 * in a row whose factor is so small that no score is out of reach. */
KERNEL_INLINE lanes_f32 without_padding(lanes_f32 weights, size_t tokens) {
    static const float ones_and_zeros[32] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    return f32_mul(weights, f32_load(ones_and_zeros + (tokens < 16 ? 16 - tokens : 0)));
}

KERNEL_INLINE void take_weights(const lanes_f32 *weights, struct softmax_lanes *row, lanes_i32 *bytes,
                                size_t vectors) {
    EACH_VECTOR bytes[v] = f32_round(weights[v]);
    EACH_VECTOR row->sum = f32_add(row->sum, weights[v]);
    EACH_VECTOR row->byte_sum = i32_add(row->byte_sum, bytes[v]);
    EACH_VECTOR bytes[v] = weight_form(bytes[v]);
}

/* One row of scores to weight bytes. */
KERNEL_INLINE void softmax_scores(const int32_t *scores, size_t tokens, size_t padded,
                                  struct softmax_lanes *row, uint8_t *weights) {
    lanes_f32 e[MOST_SIDE_BY_SIDE];
    lanes_i32 bytes[4];
    size_t t = 0;
    for (; t + 64 <= tokens; t += 64) {
        KERNEL_UNROLL
        for (size_t j = 0; j < 4; j += SIDE_BY_SIDE) {
            scaled_exponentials(scores + t + 16 * j, row, e, SIDE_BY_SIDE);
            take_weights(e, row, bytes + j, SIDE_BY_SIDE);
        }
        i32_store_64_bytes(weights + t, bytes[0], bytes[1], bytes[2], bytes[3]);
    }
    for (; t < padded; t += 32) {
        scaled_exponentials(scores + t, row, e, 2);
        e[0] = without_padding(e[0], tokens > t ? tokens - t : 0);
        e[1] = without_padding(e[1], tokens > t + 16 ? tokens - t - 16 : 0);
        take_weights(e, row, bytes, 2);
        i32_store_bytes(weights + t, bytes[0]);
        i32_store_bytes(weights + t + 16, bytes[1]);
    }
}

/* Turns rows of integer scores into rows of weight bytes. */
KERNEL_INLINE void softmax_rows(size_t rows, size_t tokens, size_t padded, size_t head_size,
                                struct attention_memory *memory) {
    struct softmax_row softmax[ATTENTION_GROUP_ROWS];
    find_maxima(rows, tokens, padded, head_size, memory, softmax);
    for (size_t r = 0; r < rows; r++) {
        struct softmax_lanes row = {i32_as_f32(i32_set(softmax[r].maximum)), i32_set(softmax[r].lowest),
                                    f32_set(softmax[r].factor), f32_set(0), i32_set(0)};
        softmax_scores(memory->scores + r * padded, tokens, padded, &row, memory->weights + r * padded);
        f32_store(memory->partial_sums + r * 16, row.sum);
        i32_store(memory->partial_byte_sums + r * 16, row.byte_sum);
    }
    for (size_t r = 0; r < rows; r++) {
        memory->inverse_sums[r] = 1.0f / f32_reduce_add(f32_load(memory->partial_sums + r * 16));
        memory->byte_sums[r] = (float)i32_reduce_add(i32_load(memory->partial_byte_sums + r * 16));
    }
}

/* Queries of a group that one tile takes: `first` within the group, `row` within the head. */
KERNEL_INLINE void weigh_values(const struct attention_head *head, size_t row, size_t first, size_t rows,
                                size_t padded, struct attention_memory *memory) {
    for (size_t d = 0; d < head->head_size; d += PANEL) {
        dot_tile(rows, memory->weights + first * padded, padded, memory->values + d * padded, padded,
                 memory->value_sums + d, UNSIGNED_START, 1, memory->sums, PANEL);
        for (size_t r = 0; r < rows; r++) {
            lanes_f32 inverse = f32_set(memory->inverse_sums[first + r]);
            lanes_f32 byte_sum = f32_set(memory->byte_sums[first + r]);
            float *target = head->context + (row + r) * head->context_stride + d;
            for (size_t c = 0; c < PANEL; c += 16) {
                lanes_f32 scale = f32_load(memory->value_scales + d + c);
                lanes_f32 moved = f32_mul(byte_sum, f32_load(memory->value_offsets + d + c));
                lanes_f32 o = f32_fma(i32_to_f32(i32_load(memory->sums + r * PANEL + c)), scale, moved);
                f32_store(target + c, f32_fma(o, inverse, f32_load(memory->value_means + d + c)));
            }
        }
    }
}

KERNEL_INLINE void attend_group(const struct attention_head *head, size_t row, size_t rows, size_t padded,
                                struct attention_memory *memory) {
    quantize_queries(head, row, rows, memory);
    for (size_t first = 0; first < rows;) {
        size_t block = next_block(rows - first);
        dot_tile(block, memory->queries + first * head->head_size, head->head_size, memory->keys,
                 head->head_size, memory->key_starts, START_PLUS_SUMS, padded / PANEL,
                 memory->scores + first * padded, padded);
        first += block;
    }
    softmax_rows(rows, head->tokens, padded, head->head_size, memory);
    for (size_t first = 0; first < rows;) {
        size_t block = next_block(rows - first);
        weigh_values(head, row + first, first, block, padded, memory);
        first += block;
    }
}

KERNEL_FUNCTION void level_attention(const struct attention_head *head, void *scratch) {
    struct attention_memory *memory = scratch;
    size_t padded = (head->tokens + PANEL - 1) / PANEL * PANEL;
    size_t group = ATTENTION_SCORES / padded / KERNEL_BLOCK_ROWS * KERNEL_BLOCK_ROWS;
    for (size_t d = 0; d < head->head_size; d += 16) {
        struct column_ranges ranges = measure_columns(head, d);
        pack_keys(head, d, padded, &ranges.key, memory);
        pack_values(head, d, padded, &ranges, memory);
    }
    find_key_starts(head->head_size, padded, memory);
    for (size_t row = 0; row < head->query_count; row += group) {
        size_t left = head->query_count - row;
        attend_group(head, row, left < group ? left : group, padded, memory);
    }
}

#endif
