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

KERNEL_INLINE struct column_range measure_columns(const float *rows, size_t stride, size_t count) {
    /* Even and odd rows apart: two shorter chains of dependent operations. */
    lanes_f32 low = f32_load(rows);
    lanes_f32 high = low;
    lanes_f32 low_odd = low;
    lanes_f32 high_odd = low;
    for (size_t t = 0; t + 1 < count; t += 2) {
        lanes_f32 even = f32_load(rows + t * stride);
        lanes_f32 odd = f32_load(rows + (t + 1) * stride);
        low = f32_min(low, even);
        high = f32_max(high, even);
        low_odd = f32_min(low_odd, odd);
        high_odd = f32_max(high_odd, odd);
    }
    lanes_f32 last = f32_load(rows + (count - 1) * stride);
    low = f32_min(f32_min(low, low_odd), last);
    high = f32_max(f32_max(high, high_odd), last);
    lanes_f32 half = f32_mul(f32_sub(high, low), f32_set(0.5f));
    struct column_range range;
    range.middle = f32_mul(f32_add(high, low), f32_set(0.5f));
    range.scale = f32_mul(half, f32_set(1.0f / 127.0f));
    /* A constant column has half == 0: the tiny floor keeps the quotient finite and its bytes zero. */
    range.inverse = f32_div(f32_set(127.0f), f32_max(half, f32_set(1e-30f)));
    return range;
}

KERNEL_INLINE lanes_f32 mean_of_columns(const float *rows, size_t stride, size_t count) {
    lanes_f32 even = f32_set(0), odd = f32_set(0);
    size_t t = 0;
    for (; t + 1 < count; t += 2) {
        even = f32_add(even, f32_load(rows + t * stride));
        odd = f32_add(odd, f32_load(rows + (t + 1) * stride));
    }
    if (t < count)
        even = f32_add(even, f32_load(rows + t * stride));
    return f32_mul(f32_add(even, odd), f32_set(1.0f / (float)count));
}

KERNEL_INLINE lanes_i32 quantize_column(lanes_f32 x, const struct column_range *range) {
    lanes_i32 q = f32_round(f32_min(f32_mul(f32_sub(x, range->middle), range->inverse), f32_set(127.0f)));
    return i32_max(q, i32_set(-127));
}

KERNEL_INLINE void pack_keys(const struct attention_head *head, size_t padded,
                             struct attention_memory *memory) {
    size_t head_size = head->head_size;
    for (size_t d = 0; d < head_size; d += 16) {
        struct column_range range = measure_columns(head->key + d, head->key_stride, head->tokens);
        f32_store(memory->key_scales + d, range.scale);
        for (size_t t = 0; t < padded; t++) {
            _Alignas(16) uint8_t bytes[16] = {0};
            if (t < head->tokens)
                i32_store_bytes(bytes,
                                quantize_column(f32_load(head->key + t * head->key_stride + d), &range));
            int8_t *target = memory->keys + (t / PANEL) * PANEL * head_size + d * PANEL + (t % PANEL) * 4;
            for (size_t g = 0; g < 4; g++)
                memcpy(target + g * 4 * PANEL, bytes + g * 4, 4);
        }
    }
    /* Each key's byte sum is a dot product with ones; 1 has the same byte in both forms of activations. */
    uint8_t ones[KERNEL_MAX_HEAD_SIZE];
    memset(ones, 1, head_size);
    for (size_t t = 0; t < padded; t += PANEL) {
        int32_t *sums = memory->key_sums + t;
        dot_tile(1, ones, head_size, memory->keys + t * head_size, head_size, sums, START_ZERO, 1, sums,
                 PANEL);
        for (size_t c = 0; c < PANEL; c += 16) {
            lanes_i32 sum = i32_load(sums + c);
            i32_store(sums + c, i32_sub(i32_set(0), i32_shift_left(sum, 7)));
        }
    }
}

KERNEL_INLINE void pack_values(const struct attention_head *head, size_t padded,
                               struct attention_memory *memory) {
    size_t stride = head->key_stride;
    const lanes_i32 low_byte = i32_set(0xff);
    for (size_t d = 0; d < head->head_size; d += 16) {
        struct column_range range = measure_columns(head->value + d, stride, head->tokens);
        lanes_f32 mean = mean_of_columns(head->value + d, stride, head->tokens);
        f32_store(memory->value_scales + d, range.scale);
        f32_store(memory->value_means + d, mean);
        f32_store(memory->value_offsets + d, f32_sub(range.middle, mean));
        lanes_i32 sum = i32_set(0);
        int8_t *column = memory->values + (d / PANEL) * PANEL * padded + (d % PANEL) * 4;
        for (size_t t = 0; t < padded; t += 4) {
            lanes_i32 row[4];
            for (size_t i = 0; i < 4; i++) {
                row[i] = i32_set(0);
                if (t + i < head->tokens)
                    row[i] = quantize_column(f32_load(head->value + (t + i) * stride + d), &range);
                sum = i32_add(sum, row[i]);
                row[i] = i32_and(row[i], low_byte);
            }
            lanes_i32 lower = i32_or(row[0], i32_shift_left(row[1], 8));
            lanes_i32 upper = i32_or(i32_shift_left(row[2], 16), i32_shift_left(row[3], 24));
            i32_store((int32_t *)(void *)(column + t * PANEL), i32_or(lower, upper));
        }
        i32_store(memory->value_sums + d, i32_sub(i32_set(0), i32_shift_left(sum, 7)));
    }
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

/* 255 * 2^(x * factor) for integers x <= 0. 2^f on [-1/2, 1/2] is a minimax polynomial of degree 3 (relative
 * error 7.5e-5, a fiftieth of one step at 255); adding 1.5 * 2^23 rounds to the integer part, which goes into
 * the exponent. Never less than 255 * 2^-24. */
KERNEL_INLINE lanes_f32 scaled_exponential(lanes_i32 x, lanes_i32 lowest, lanes_f32 factor) {
    const lanes_f32 magic = f32_set(12582912.0f);
    lanes_f32 value = i32_to_f32(i32_max(x, lowest));
    lanes_f32 shifted = f32_fma(value, factor, magic);
    lanes_f32 f = f32_fms(value, factor, f32_sub(shifted, magic));
    lanes_f32 p = f32_set(0.0551713401f * 255.0f);
    p = f32_fma(p, f, f32_set(0.242611167f * 255.0f));
    p = f32_fma(p, f, f32_set(0.693261032f * 255.0f));
    p = f32_fma(p, f, f32_set(0.999928072f * 255.0f));
    return i32_as_f32(i32_add(f32_as_i32(p), i32_shift_left(f32_as_i32(shifted), 23)));
}

/* A weight as the level stores unsigned values. */
KERNEL_INLINE lanes_i32 weight_form(lanes_i32 p) {
    return UNSIGNED_OFFSET == 0 ? p : i32_add(p, i32_set(UNSIGNED_OFFSET));
}

/* The score of padding: below every possible score, and exact as a float. */
#define PADDING_SCORE (-(1 << 24))

/* What the weights of a row are computed from. Found for all rows before the first exponential, and the sums
 * after the last, so that one row's horizontal operations hide behind another's. */
struct softmax_row {
    int32_t maximum, lowest;
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
        softmax[r].lowest = factor > 24.0f / 16777216.0f ? (int32_t)(-24.0f / factor) : PADDING_SCORE;
    }
}

/* Ones in the first `count` of 16 lanes. A padding key has no weight even in a row whose factor is so small
 * that no score is out of reach. */
KERNEL_INLINE lanes_i32 first_lanes(size_t count) {
    static const int32_t ones_then_zeros[32] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                -1, -1, -1, -1, -1, -1, -1, -1};
    return i32_load(ones_then_zeros + 16 - count);
}

/* A row's softmax_row in every lane, and its sums so far, lane by lane. */
struct softmax_lanes {
    lanes_i32 maximum, lowest;
    lanes_f32 factor;
    lanes_f32 sum;
    lanes_i32 byte_sum;
};

KERNEL_INLINE lanes_i32 take_weights(struct softmax_lanes *row, lanes_f32 weights) {
    lanes_i32 bytes = f32_round(weights);
    row->sum = f32_add(row->sum, weights);
    row->byte_sum = i32_add(row->byte_sum, bytes);
    return weight_form(bytes);
}

/* The weights of the last columns, of which only the first `tokens` count. */
KERNEL_INLINE lanes_f32 without_padding(lanes_f32 weights, size_t tokens) {
    static const float ones_and_zeros[32] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    return f32_mul(weights, f32_load(ones_and_zeros + (tokens < 16 ? 16 - tokens : 0)));
}

/* One row of integer scores to weight bytes. */
KERNEL_INLINE void softmax_scores(const int32_t *scores, size_t tokens, size_t padded,
                                  struct softmax_lanes *row, uint8_t *weights) {
    size_t t = 0;
    for (; t + 64 <= tokens; t += 64) {
        lanes_i32 bytes[4];
        for (size_t j = 0; j < 4; j++) {
            lanes_i32 below = i32_sub(i32_load(scores + t + 16 * j), row->maximum);
            bytes[j] = take_weights(row, scaled_exponential(below, row->lowest, row->factor));
        }
        i32_store_64_bytes(weights + t, bytes[0], bytes[1], bytes[2], bytes[3]);
    }
    for (; t < padded; t += 16) {
        lanes_f32 e =
            scaled_exponential(i32_sub(i32_load(scores + t), row->maximum), row->lowest, row->factor);
        i32_store_bytes(weights + t, take_weights(row, without_padding(e, tokens > t ? tokens - t : 0)));
    }
}

/* Turns rows of integer scores into rows of weight bytes. */
KERNEL_INLINE void softmax_rows(size_t rows, size_t tokens, size_t padded, size_t head_size,
                                struct attention_memory *memory) {
    struct softmax_row softmax[ATTENTION_GROUP_ROWS];
    find_maxima(rows, tokens, padded, head_size, memory, softmax);
    for (size_t r = 0; r < rows; r++) {
        struct softmax_lanes row = {i32_set(softmax[r].maximum), i32_set(softmax[r].lowest),
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
                 head->head_size, memory->key_sums, SIGNED_START, padded / PANEL,
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
    pack_keys(head, padded, memory);
    pack_values(head, padded, memory);
    for (size_t row = 0; row < head->query_count; row += group) {
        size_t left = head->query_count - row;
        attend_group(head, row, left < group ? left : group, padded, memory);
    }
}

#endif
