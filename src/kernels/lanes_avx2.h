/* Sixteen lanes in two ymm registers: lanes 0 to 7 and 8 to 15. */
#ifndef RESCOLDO_KERNELS_LANES_H
#define RESCOLDO_KERNELS_LANES_H

#include "kernels/target.h"

#include <immintrin.h>
#include <stdint.h>

typedef struct {
    __m256 low, high;
} lanes_f32;

typedef struct {
    __m256i low, high;
} lanes_i32;

#define F32_PAIR(operation, a, b)                                                                            \
    (lanes_f32) {                                                                                            \
        operation((a).low, (b).low), operation((a).high, (b).high)                                           \
    }
#define I32_PAIR(operation, a, b)                                                                            \
    (lanes_i32) {                                                                                            \
        operation((a).low, (b).low), operation((a).high, (b).high)                                           \
    }

KERNEL_INLINE lanes_f32 f32_load(const float *p) {
    return (lanes_f32){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
KERNEL_INLINE void f32_store(float *p, lanes_f32 a) {
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
}
KERNEL_INLINE lanes_f32 f32_set(float x) {
    return (lanes_f32){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
KERNEL_INLINE lanes_f32 f32_add(lanes_f32 a, lanes_f32 b) {
    return F32_PAIR(_mm256_add_ps, a, b);
}
KERNEL_INLINE lanes_f32 f32_sub(lanes_f32 a, lanes_f32 b) {
    return F32_PAIR(_mm256_sub_ps, a, b);
}
KERNEL_INLINE lanes_f32 f32_mul(lanes_f32 a, lanes_f32 b) {
    return F32_PAIR(_mm256_mul_ps, a, b);
}
/* a * b + c, rounded once. */
KERNEL_INLINE lanes_f32 f32_fma(lanes_f32 a, lanes_f32 b, lanes_f32 c) {
    return (lanes_f32){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
KERNEL_INLINE lanes_f32 f32_div(lanes_f32 a, lanes_f32 b) {
    return F32_PAIR(_mm256_div_ps, a, b);
}
KERNEL_INLINE lanes_f32 f32_min(lanes_f32 a, lanes_f32 b) {
    return F32_PAIR(_mm256_min_ps, a, b);
}
KERNEL_INLINE lanes_f32 f32_max(lanes_f32 a, lanes_f32 b) {
    return F32_PAIR(_mm256_max_ps, a, b);
}
KERNEL_INLINE lanes_f32 f32_abs(lanes_f32 a) {
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    return (lanes_f32){_mm256_and_ps(a.low, magnitude), _mm256_and_ps(a.high, magnitude)};
}
/* table[index % 8] */
#define LOOKUP_OF_EIGHT
KERNEL_INLINE lanes_f32 f32_lookup(const float *table, lanes_i32 index) {
    __m256 values = _mm256_loadu_ps(table);
    return (lanes_f32){_mm256_permutevar8x32_ps(values, index.low),
                       _mm256_permutevar8x32_ps(values, index.high)};
}
KERNEL_INLINE float f32_reduce_add(lanes_f32 a) {
    __m256 eight = _mm256_add_ps(a.low, a.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
KERNEL_INLINE float f32_reduce_max(lanes_f32 a) {
    __m256 eight = _mm256_max_ps(a.low, a.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

KERNEL_INLINE lanes_i32 i32_load(const int32_t *p) {
    return (lanes_i32){_mm256_loadu_si256((const __m256i *)(const void *)p),
                       _mm256_loadu_si256((const __m256i *)(const void *)(p + 8))};
}
KERNEL_INLINE void i32_store(int32_t *p, lanes_i32 a) {
    _mm256_storeu_si256((__m256i *)(void *)p, a.low);
    _mm256_storeu_si256((__m256i *)(void *)(p + 8), a.high);
}
KERNEL_INLINE lanes_i32 i32_load_s8(const int8_t *p) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (lanes_i32){_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
}
KERNEL_INLINE lanes_i32 i32_set(int32_t x) {
    return (lanes_i32){_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
KERNEL_INLINE lanes_i32 i32_add(lanes_i32 a, lanes_i32 b) {
    return I32_PAIR(_mm256_add_epi32, a, b);
}
KERNEL_INLINE lanes_i32 i32_sub(lanes_i32 a, lanes_i32 b) {
    return I32_PAIR(_mm256_sub_epi32, a, b);
}
KERNEL_INLINE lanes_i32 i32_min(lanes_i32 a, lanes_i32 b) {
    return I32_PAIR(_mm256_min_epi32, a, b);
}
KERNEL_INLINE lanes_i32 i32_max(lanes_i32 a, lanes_i32 b) {
    return I32_PAIR(_mm256_max_epi32, a, b);
}
KERNEL_INLINE lanes_i32 i32_or(lanes_i32 a, lanes_i32 b) {
    return I32_PAIR(_mm256_or_si256, a, b);
}
KERNEL_INLINE lanes_i32 i32_and(lanes_i32 a, lanes_i32 b) {
    return I32_PAIR(_mm256_and_si256, a, b);
}
#define i32_shift_left(a, count)                                                                             \
    (lanes_i32) {                                                                                            \
        _mm256_slli_epi32((a).low, count), _mm256_slli_epi32((a).high, count)                                \
    }
/* Zeros come in from the left. */
#define i32_shift_right(a, count)                                                                            \
    (lanes_i32) {                                                                                            \
        _mm256_srli_epi32((a).low, count), _mm256_srli_epi32((a).high, count)                                \
    }
KERNEL_INLINE int32_t i32_reduce_add(lanes_i32 a) {
    __m256i eight = _mm256_add_epi32(a.low, a.high);
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0x55)));
}
KERNEL_INLINE int32_t i32_reduce_max(lanes_i32 a) {
    __m256i eight = _mm256_max_epi32(a.low, a.high);
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    __m128i two = _mm_max_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 0x55)));
}
KERNEL_INLINE void i32_store_bytes(uint8_t *p, lanes_i32 a) {
    const __m256i byte = _mm256_set1_epi32(0xff);
    /* Both packs work within 128-bit halves; the last permutation puts the 4-byte groups back in order. */
    __m256i words = _mm256_packus_epi32(_mm256_and_si256(a.low, byte), _mm256_and_si256(a.high, byte));
    __m256i bytes = _mm256_packus_epi16(words, words);
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(bytes));
}
KERNEL_INLINE __m256i low_bytes_of_32(lanes_i32 a, lanes_i32 b) {
    const __m256i byte = _mm256_set1_epi32(0xff);
    __m256i first = _mm256_packus_epi32(_mm256_and_si256(a.low, byte), _mm256_and_si256(a.high, byte));
    __m256i second = _mm256_packus_epi32(_mm256_and_si256(b.low, byte), _mm256_and_si256(b.high, byte));
    /* 128-bit halves hold lanes 0-3, 8-11 (of a, then b) and 4-7, 12-15. */
    return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(first, second),
                                       _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
KERNEL_INLINE void i32_store_64_bytes(uint8_t *p, lanes_i32 a, lanes_i32 b, lanes_i32 c, lanes_i32 d) {
    _mm256_storeu_si256((__m256i *)(void *)p, low_bytes_of_32(a, b));
    _mm256_storeu_si256((__m256i *)(void *)(p + 32), low_bytes_of_32(c, d));
}
/* Those of lanes 4g to 4g + 3 of a, b, c and d, 16 bytes, go to p + g * stride. */
KERNEL_INLINE __m256i low_bytes_of_groups(__m256i a, __m256i b, __m256i c, __m256i d) {
    const __m256i byte = _mm256_set1_epi32(0xff);
    __m256i first = _mm256_packus_epi32(_mm256_and_si256(a, byte), _mm256_and_si256(b, byte));
    __m256i second = _mm256_packus_epi32(_mm256_and_si256(c, byte), _mm256_and_si256(d, byte));
    return _mm256_packus_epi16(first, second);
}
KERNEL_INLINE void i32_store_groups(int8_t *p, size_t stride, lanes_i32 a, lanes_i32 b, lanes_i32 c,
                                    lanes_i32 d) {
    __m256i low = low_bytes_of_groups(a.low, b.low, c.low, d.low);
    __m256i high = low_bytes_of_groups(a.high, b.high, c.high, d.high);
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(low));
    _mm_storeu_si128((__m128i *)(void *)(p + stride), _mm256_extracti128_si256(low, 1));
    _mm_storeu_si128((__m128i *)(void *)(p + 2 * stride), _mm256_castsi256_si128(high));
    _mm_storeu_si128((__m128i *)(void *)(p + 3 * stride), _mm256_extracti128_si256(high, 1));
}
KERNEL_INLINE lanes_f32 i32_to_f32(lanes_i32 a) {
    return (lanes_f32){_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
}
KERNEL_INLINE lanes_f32 i32_as_f32(lanes_i32 a) {
    return (lanes_f32){_mm256_castsi256_ps(a.low), _mm256_castsi256_ps(a.high)};
}
KERNEL_INLINE lanes_i32 f32_as_i32(lanes_f32 a) {
    return (lanes_i32){_mm256_castps_si256(a.low), _mm256_castps_si256(a.high)};
}
KERNEL_INLINE lanes_i32 f32_round(lanes_f32 a) {
    return (lanes_i32){_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)};
}

/* Copies of the sign do. */
#define i32_shift_right_signed(a, count)                                                                     \
    (lanes_i32) {                                                                                            \
        _mm256_srai_epi32((a).low, count), _mm256_srai_epi32((a).high, count)                                \
    }
/* Thirty-two lanes of 16 bits without a sign, in the order of the pack that makes them. */
typedef struct {
    __m256i low, high;
} lanes_u16;

#define U16_PAIR(operation, a, b)                                                                            \
    (lanes_u16) {                                                                                            \
        operation((a).low, (b).low), operation((a).high, (b).high)                                           \
    }

KERNEL_INLINE lanes_u16 u16_narrow(lanes_i32 a, lanes_i32 b) {
    return (lanes_u16){_mm256_packs_epi32(a.low, a.high), _mm256_packs_epi32(b.low, b.high)};
}
KERNEL_INLINE lanes_u16 u16_set(int x) {
    return (lanes_u16){_mm256_set1_epi16((short)x), _mm256_set1_epi16((short)x)};
}
KERNEL_INLINE lanes_u16 u16_load(const uint16_t *p) {
    return (lanes_u16){_mm256_loadu_si256((const __m256i *)(const void *)p),
                       _mm256_loadu_si256((const __m256i *)(const void *)(p + 16))};
}
KERNEL_INLINE void u16_store(uint16_t *p, lanes_u16 a) {
    _mm256_storeu_si256((__m256i *)(void *)p, a.low);
    _mm256_storeu_si256((__m256i *)(void *)(p + 16), a.high);
}
KERNEL_INLINE lanes_u16 u16_and(lanes_u16 a, lanes_u16 b) {
    return U16_PAIR(_mm256_and_si256, a, b);
}
KERNEL_INLINE lanes_u16 i16_max(lanes_u16 a, lanes_u16 b) {
    return U16_PAIR(_mm256_max_epi16, a, b);
}
KERNEL_INLINE __m256i pair_maxima_half(__m256i a) {
    return _mm256_max_epi32(_mm256_srai_epi32(a, 16), _mm256_srai_epi32(_mm256_slli_epi32(a, 16), 16));
}
/* The larger of each two lanes, with their signs. */
KERNEL_INLINE lanes_i32 i16_pair_maxima(lanes_u16 a) {
    return (lanes_i32){pair_maxima_half(a.low), pair_maxima_half(a.high)};
}
KERNEL_INLINE lanes_u16 u16_add(lanes_u16 a, lanes_u16 b) {
    return U16_PAIR(_mm256_add_epi16, a, b);
}
KERNEL_INLINE lanes_u16 u16_sub(lanes_u16 a, lanes_u16 b) {
    return U16_PAIR(_mm256_sub_epi16, a, b);
}
KERNEL_INLINE lanes_u16 u16_multiply_high(lanes_u16 a, lanes_u16 b) {
    return U16_PAIR(_mm256_mulhi_epu16, a, b);
}
#define u16_shift_left(a, count)                                                                             \
    (lanes_u16) {                                                                                            \
        _mm256_slli_epi16((a).low, count), _mm256_slli_epi16((a).high, count)                                \
    }
#define u16_shift_right(a, count)                                                                            \
    (lanes_u16) {                                                                                            \
        _mm256_srli_epi16((a).low, count), _mm256_srli_epi16((a).high, count)                                \
    }
KERNEL_INLINE lanes_i32 u16_add_pair_sums(lanes_i32 sums, lanes_u16 a) {
    const __m256i ones = _mm256_set1_epi16(1);
    return (lanes_i32){_mm256_add_epi32(sums.low, _mm256_madd_epi16(a.low, ones)),
                       _mm256_add_epi32(sums.high, _mm256_madd_epi16(a.high, ones))};
}
KERNEL_INLINE lanes_u16 u16_round_product(lanes_u16 a, lanes_u16 b) {
    return U16_PAIR(_mm256_mulhrs_epi16, a, b);
}
/* There is no shift by a count of each lane: 2^(14 - count), 0 from 15 on, is looked up by its two bytes, and
 * vpmulhrsw is (a * b + 2^14) >> 15. */
KERNEL_INLINE __m256i round_off_half(__m256i a, __m256i counts) {
    const __m256i low_bytes = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, -128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0,
                                               0, 0, 0, 0, -128, 64, 32, 16, 8, 4, 2, 1, 0);
    const __m256i high_bytes = _mm256_setr_epi8(64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 32, 16,
                                                8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    __m256i index = _mm256_min_epu16(counts, _mm256_set1_epi16(15));
    __m256i high = _mm256_slli_epi16(_mm256_shuffle_epi8(high_bytes, index), 8);
    return _mm256_mulhrs_epi16(a, _mm256_or_si256(high, _mm256_shuffle_epi8(low_bytes, index)));
}
KERNEL_INLINE lanes_u16 u16_round_off(lanes_u16 a, lanes_u16 counts) {
    return U16_PAIR(round_off_half, a, counts);
}
KERNEL_INLINE void u16_store_32_bytes(uint8_t *p, lanes_u16 a, int offset) {
    __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a.low, a.high),
                                                _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)p,
                        offset == 0 ? bytes : _mm256_add_epi8(bytes, _mm256_set1_epi8((char)offset)));
}
KERNEL_INLINE void u16_store_64_bytes(uint8_t *p, lanes_u16 a, lanes_u16 b, int offset) {
    u16_store_32_bytes(p, a, offset);
    u16_store_32_bytes(p + 32, b, offset);
}

#endif
