/* From integer scores to weight bytes, written once for all levels (attention_template.h), in 16 bits:
 * thirty-two scores in a register, and the same bits everywhere without a thought to rounding.
 *
 *   s16 = s / 2^score_shift, rounded down, so that no score can exceed 16 bits
 *   d   = max s16 - s16, without a sign
 *   x   = d * factor / 2^16, rounded down: how many powers of two a weight lies below the largest, with
 *         `fraction_bits` of a fraction
 *   e   = 16320 * 2^-x, rounded, so that 64 is one step of the byte; from x = 15 on it is 0
 *   p8  = round(e / 64)
 *
 * A row's sum is that of its e: exact, in any order. */
#ifndef RESCOLDO_KERNELS_SOFTMAX_TEMPLATE_H
#define RESCOLDO_KERNELS_SOFTMAX_TEMPLATE_H

#include "kernels/attention_layout.h"
#include "kernels/int8_template.h"

#define WEIGHT_STEP 64 /* of e, in a byte */

#if !defined(HAS_REDUCE_ROWS)
/* The maximum or the sum of the lanes of each of KERNEL_BLOCK_ROWS vectors, to out[0] and on. */
KERNEL_INLINE void i32_reduce_max_rows(const int32_t *vectors, int32_t *out) {
    for (size_t r = 0; r < KERNEL_BLOCK_ROWS; r++)
        out[r] = i32_reduce_max(i32_load(vectors + r * 16));
}
KERNEL_INLINE void i32_reduce_add_rows(const int32_t *vectors, int32_t *out) {
    for (size_t r = 0; r < KERNEL_BLOCK_ROWS; r++)
        out[r] = i32_reduce_add(i32_load(vectors + r * 16));
}
#endif

/* After this shift no score has more than 16 bits: a product is at most 127 * 127. What it takes away weighs
 * less than the rounding of the weights (docs/engine.md). */
KERNEL_INLINE int score_shift_of(size_t head_size) {
    int shift = 0;
    while ((127 * 127 * head_size) >> shift > INT16_MAX)
        shift++;
    return shift;
}

/* What a step of s16 means, row by row in the lanes: 2^-fraction_bits * factor / 2^16 as a power of two,
 * where the factor has all of its 16 bits, unless a fraction would have more than 16. */
KERNEL_INLINE void prepare_softmax(lanes_f32 query_scales, size_t head_size,
                                   struct attention_memory *memory) {
    float steps = (float)(1 << score_shift_of(head_size));
    lanes_f32 step = f32_mul(query_scales, f32_set(1.44269504f * steps / sqrtf((float)head_size)));
    step = f32_max(step, f32_set(1e-20f));
    lanes_i32 exponent = i32_sub(i32_shift_right(f32_as_i32(step), 23), i32_set(127));
    lanes_i32 fraction_bits = i32_min(i32_max(i32_sub(i32_set(-1), exponent), i32_set(0)), i32_set(16));
    lanes_i32 power = i32_add(fraction_bits, i32_set(127 + 16));
    lanes_f32 factor = f32_min(f32_mul(step, i32_as_f32(i32_shift_left(power, 23))), f32_set(65535.0f));
    i32_store(memory->fraction_bits, fraction_bits);
    i32_store(memory->factors, f32_round(factor));
}

/* Scores of a block of rows and the 32 keys from `key` on, from their sums. */
KERNEL_INLINE void narrow_scores(size_t rows, size_t key, size_t padded, int shift,
                                 struct attention_memory *memory) {
    for (size_t r = 0; r < rows; r++) {
        const int32_t *sums = memory->tile + r * PANEL;
        u16_store(memory->scores + r * padded + key,
                  u16_narrow(i32_shift_right_signed(i32_load(sums), shift),
                             i32_shift_right_signed(i32_load(sums + 16), shift)));
    }
}

/* The largest score of each row. Padding keys are copies of a score that is there (attention_template.h). */
KERNEL_INLINE void find_maxima(size_t rows, size_t padded, struct attention_memory *memory) {
    for (size_t r = 0; r < rows; r++) {
        const uint16_t *scores = memory->scores + r * padded;
        lanes_u16 largest = u16_load(scores);
        for (size_t t = 32; t < padded; t += 32)
            largest = i16_max(largest, u16_load(scores + t));
        i32_store(memory->largest + r * 16, i16_pair_maxima(largest));
    }
    i32_reduce_max_rows(memory->largest, memory->maxima);
}

/* One row, in every lane. */
struct softmax_row {
    lanes_u16 maximum, factor;
    int fraction_bits;
};

KERNEL_INLINE struct softmax_row softmax_row_of(const struct attention_memory *memory, size_t row) {
    return (struct softmax_row){u16_set(memory->maxima[row]), u16_set(memory->factors[row]),
                                memory->fraction_bits[row]};
}

/* Lane by lane; a byte_sum is at most 16 times 255. */
struct softmax_sums {
    lanes_i32 sum;
    lanes_u16 byte_sum;
};

/* 32640 * 2^-f for 0 <= f < 1, f in 16 bits, by a cubic that is 32640 at 0. With the roundings at most 1.6e-4
 * wrong, a twelfth of half a step at 255; found by search over values of f. */
KERNEL_INLINE void powers_of_fractions(const lanes_u16 *f, lanes_u16 *power, size_t vectors) {
    EACH_VECTOR power[v] = u16_sub(u16_set(7572), u16_multiply_high(f[v], u16_set(1308)));
    EACH_VECTOR power[v] = u16_sub(u16_set(22586), u16_multiply_high(f[v], power[v]));
    EACH_VECTOR power[v] = u16_sub(u16_set(32640), u16_multiply_high(f[v], power[v]));
}

/* e of 32 scores a vector. */
KERNEL_INLINE void exponentials(const uint16_t *scores, const struct softmax_row *row, lanes_u16 *e,
                                size_t vectors) {
    lanes_u16 x[MOST_SIDE_BY_SIDE], f[MOST_SIDE_BY_SIDE];
    EACH_VECTOR x[v] = u16_sub(row->maximum, u16_load(scores + 32 * v));
    EACH_VECTOR x[v] = u16_multiply_high(x[v], row->factor);
    EACH_VECTOR f[v] = u16_shift_left(x[v], 16 - row->fraction_bits);
    EACH_VECTOR x[v] = u16_shift_right(x[v], row->fraction_bits);
    powers_of_fractions(f, e, vectors);
    EACH_VECTOR e[v] = u16_round_off(e[v], x[v]);
}

/* e to weights, as their bytes' values. */
KERNEL_INLINE void take_weights(lanes_u16 *e, struct softmax_sums *sums, size_t vectors) {
    EACH_VECTOR sums->sum = u16_add_pair_sums(sums->sum, e[v]);
    EACH_VECTOR e[v] = u16_round_product(e[v], u16_set(0x8000 / WEIGHT_STEP));
    EACH_VECTOR sums->byte_sum = u16_add(sums->byte_sum, e[v]);
}

/* All bits in the lanes of the first `count` of 32 numbers, none in the others. */
KERNEL_INLINE lanes_u16 first_lanes(size_t count) {
    static const int32_t ones[64] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                     -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return u16_narrow(i32_load(ones + 32 - count), i32_load(ones + 48 - count));
}

/* 32 scores a vector to weight bytes; `mask` (NULL: none) is that of the last 32. */
KERNEL_INLINE void weigh_scores(const uint16_t *scores, const struct softmax_row *row, const lanes_u16 *mask,
                                struct softmax_sums *sums, uint8_t *bytes, size_t vectors) {
    lanes_u16 e[MOST_SIDE_BY_SIDE];
    exponentials(scores, row, e, vectors);
    if (mask != NULL)
        e[vectors - 1] = u16_and(e[vectors - 1], *mask);
    take_weights(e, sums, vectors);
    if (vectors == 2)
        u16_store_64_bytes(bytes, e[0], e[1], UNSIGNED_OFFSET);
    else
        u16_store_32_bytes(bytes, e[0], UNSIGNED_OFFSET);
}

/* Scores of a block's rows to weight bytes. Padding keys have none. */
KERNEL_INLINE void weigh_rows(size_t rows, size_t tokens, size_t padded, struct attention_memory *memory) {
    const lanes_u16 last = first_lanes(tokens + 32 - padded);
    for (size_t r = 0; r < rows; r++) {
        const struct softmax_row row = softmax_row_of(memory, r);
        const uint16_t *scores = memory->scores + r * padded;
        uint8_t *bytes = memory->weights + r * padded;
        struct softmax_sums sums = {i32_set(0), u16_set(0)};
        size_t t = 0;
        for (; t + 64 < padded; t += 64)
            weigh_scores(scores + t, &row, NULL, &sums, bytes + t, 2);
        if (t + 64 == padded)
            weigh_scores(scores + t, &row, &last, &sums, bytes + t, 2);
        else
            weigh_scores(scores + t, &row, &last, &sums, bytes + t, 1);
        i32_store(memory->sums + r * 16, sums.sum);
        i32_store(memory->byte_sums + r * 16, u16_add_pair_sums(i32_set(0), sums.byte_sum));
    }
}

/* 1 / a row's sum, in steps of the bytes, and its bytes' sum, row by row in the lanes. A sum is at least the
 * largest weight, 16320; lanes that are of no row get some number. */
KERNEL_INLINE void finish_softmax(struct attention_memory *memory) {
    i32_reduce_add_rows(memory->sums, memory->reduced);
    lanes_f32 sums = i32_to_f32(i32_load(memory->reduced));
    f32_store(memory->inverse_sums, f32_div(f32_set((float)WEIGHT_STEP), f32_max(sums, f32_set(1.0f))));
    i32_reduce_add_rows(memory->byte_sums, memory->reduced);
    f32_store(memory->weight_sums, i32_to_f32(i32_load(memory->reduced)));
}

#endif
