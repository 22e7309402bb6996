/* Sixteen lanes in one zmm register. */
#ifndef RESCOLDO_KERNELS_LANES_H
#define RESCOLDO_KERNELS_LANES_H

#include "kernels/kernels.h"
#include "kernels/target.h"

#include <immintrin.h>
#include <stdint.h>

typedef __m512 lanes_f32;
typedef __m512i lanes_i32;

#define f32_load(p)     _mm512_loadu_ps(p)
#define f32_store(p, a) _mm512_storeu_ps(p, a)
#define f32_set(x)      _mm512_set1_ps(x)
#define f32_add(a, b)   _mm512_add_ps(a, b)
#define f32_sub(a, b)   _mm512_sub_ps(a, b)
#define f32_mul(a, b)   _mm512_mul_ps(a, b)
/* a * b + c, rounded once. */
#define f32_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define f32_div(a, b)    _mm512_div_ps(a, b)
#define f32_min(a, b)    _mm512_min_ps(a, b)
#define f32_max(a, b)    _mm512_max_ps(a, b)
#define f32_abs(a)       _mm512_abs_ps(a)
/* table[index % 16] */
#define f32_lookup(table, index) _mm512_permutexvar_ps(index, _mm512_loadu_ps(table))

KERNEL_INLINE float f32_reduce_add(lanes_f32 a) {
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
KERNEL_INLINE float f32_reduce_max(lanes_f32 a) {
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#define i32_load(p)              _mm512_loadu_si512(p)
#define i32_store(p, a)          _mm512_storeu_si512(p, a)
#define i32_load_s8(p)           _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define i32_set(x)               _mm512_set1_epi32(x)
#define i32_add(a, b)            _mm512_add_epi32(a, b)
#define i32_sub(a, b)            _mm512_sub_epi32(a, b)
#define i32_min(a, b)            _mm512_min_epi32(a, b)
#define i32_max(a, b)            _mm512_max_epi32(a, b)
#define i32_or(a, b)             _mm512_or_si512(a, b)
#define i32_and(a, b)            _mm512_and_si512(a, b)
#define i32_shift_left(a, count) _mm512_slli_epi32(a, (unsigned)(count))
/* Zeros come in from the left. */
#define i32_shift_right(a, count) _mm512_srli_epi32(a, (unsigned)(count))
/* Copies of the sign do. */
#define i32_shift_right_signed(a, count) _mm512_srai_epi32(a, (unsigned)(count))
#define i32_store_bytes(p, a)            _mm_storeu_si128((__m128i *)(p), _mm512_cvtepi32_epi8(a))
#define i32_to_f32(a)                    _mm512_cvtepi32_ps(a)
#define i32_as_f32(a)                    _mm512_castsi512_ps(a)
#define f32_as_i32(a)                    _mm512_castps_si512(a)
#define f32_round(a)                     _mm512_cvtps_epi32(a)

/* The low 16 bits of lanes 4g to 4g + 3 of a, then of b, in 128-bit part g. */
KERNEL_INLINE __m512i low_words_of_groups(__m512i a, __m512i b) {
    const __m512i order = _mm512_set_epi16(62, 60, 58, 56, 30, 28, 26, 24, 54, 52, 50, 48, 22, 20, 18, 16, 46,
                                           44, 42, 40, 14, 12, 10, 8, 38, 36, 34, 32, 6, 4, 2, 0);
    return _mm512_permutex2var_epi16(a, order, b);
}
/* The low bytes of lanes 4g to 4g + 3 of a, b, c and d in 128-bit part g. Saturation never acts on 0 to 255
 * as unsigned, nor on -128 to 127 as signed words. */
KERNEL_INLINE __m512i low_unsigned_bytes(lanes_i32 a, lanes_i32 b, lanes_i32 c, lanes_i32 d) {
    return _mm512_packus_epi16(low_words_of_groups(a, b), low_words_of_groups(c, d));
}
KERNEL_INLINE __m512i low_signed_bytes(lanes_i32 a, lanes_i32 b, lanes_i32 c, lanes_i32 d) {
    return _mm512_packs_epi16(low_words_of_groups(a, b), low_words_of_groups(c, d));
}

/* The low bytes of 64 lanes, each 0 to 255, as a level with these lanes stores all activations. */
KERNEL_INLINE void i32_store_64_bytes(uint8_t *p, lanes_i32 a, lanes_i32 b, lanes_i32 c, lanes_i32 d) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, low_unsigned_bytes(a, b, c, d)));
}

/* The low bytes of four vectors in groups of four lanes: those of lanes 4g to 4g + 3 of a, b, c and d, 16
 * bytes, each -128 to 127, go to p + g * stride. */
KERNEL_INLINE void i32_store_groups(int8_t *p, size_t stride, lanes_i32 a, lanes_i32 b, lanes_i32 c,
                                    lanes_i32 d) {
    __m512i bytes = low_signed_bytes(a, b, c, d);
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_castsi512_si128(bytes));
    _mm_storeu_si128((__m128i *)(void *)(p + stride), _mm512_extracti32x4_epi32(bytes, 1));
    _mm_storeu_si128((__m128i *)(void *)(p + 2 * stride), _mm512_extracti32x4_epi32(bytes, 2));
    _mm_storeu_si128((__m128i *)(void *)(p + 3 * stride), _mm512_extracti32x4_epi32(bytes, 3));
}

/* In each lane the low bytes of those of four vectors, each -128 to 127, the first's lowest. */
KERNEL_INLINE lanes_i32 i32_interleave_bytes(const lanes_i32 *v) {
    const __m512i order =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    return _mm512_shuffle_epi8(low_signed_bytes(v[0], v[1], v[2], v[3]), order);
}
#define HAS_INTERLEAVE_BYTES

/* As in softmax_template.h, with 4 lanes of no meaning after the twelve: two vectors become one whose halves
 * are still to be reduced, again and again. */
_Static_assert(KERNEL_BLOCK_ROWS == 12, "three times four rows");
#define DEFINE_REDUCE_ROWS(name, operation)                                                                  \
    KERNEL_INLINE void name(const int32_t *vectors, int32_t *out) {                                          \
        __m512i fours[3];                                                                                    \
        KERNEL_UNROLL                                                                                        \
        for (int i = 0; i < 3; i++, vectors += 64) {                                                         \
            __m512i a = i32_load(vectors), b = i32_load(vectors + 16);                                       \
            __m512i c = i32_load(vectors + 32), d = i32_load(vectors + 48);                                  \
            __m512i ab = operation(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));                \
            __m512i cd = operation(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));                \
            fours[i] = operation(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));              \
        }                                                                                                    \
        __m512i low = operation(_mm512_shuffle_i32x4(fours[0], fours[1], 0x88),                              \
                                _mm512_shuffle_i32x4(fours[0], fours[1], 0xdd));                             \
        __m512i high = operation(_mm512_shuffle_i32x4(fours[2], fours[2], 0x88),                             \
                                 _mm512_shuffle_i32x4(fours[2], fours[2], 0xdd));                            \
        i32_store(out,                                                                                       \
                  operation(_mm512_shuffle_i32x4(low, high, 0x88), _mm512_shuffle_i32x4(low, high, 0xdd)));  \
    }
#define HAS_REDUCE_ROWS
DEFINE_REDUCE_ROWS(i32_reduce_max_rows, _mm512_max_epi32)
DEFINE_REDUCE_ROWS(i32_reduce_add_rows, _mm512_add_epi32)

/* Thirty-two lanes of 16 bits without a sign, in the order of the pack that makes them. */
typedef __m512i lanes_u16;

#define u16_narrow(a, b)           _mm512_packs_epi32(a, b)
#define u16_set(x)                 _mm512_set1_epi16((short)(x))
#define u16_add(a, b)              _mm512_add_epi16(a, b)
#define u16_sub(a, b)              _mm512_sub_epi16(a, b)
#define u16_multiply_high(a, b)    _mm512_mulhi_epu16(a, b)
#define u16_shift_left(a, count)   _mm512_sllv_epi16(a, _mm512_set1_epi16((short)(count)))
#define u16_shift_right(a, count)  _mm512_srlv_epi16(a, _mm512_set1_epi16((short)(count)))
#define u16_add_pair_sums(sums, a) _mm512_dpwssd_epi32(sums, a, _mm512_set1_epi16(1))
#define u16_round_product(a, b)    _mm512_mulhrs_epi16(a, b)
#define u16_round_off(a, counts)   _mm512_avg_epu16(_mm512_srlv_epi16(a, counts), _mm512_setzero_si512())

#define u16_load(p)     _mm512_loadu_si512(p)
#define u16_store(p, a) _mm512_storeu_si512(p, a)
#define u16_and(a, b)   _mm512_and_si512(a, b)
#define i16_max(a, b)   _mm512_max_epi16(a, b)

/* The larger of each two lanes, with their signs. */
KERNEL_INLINE lanes_i32 i16_pair_maxima(lanes_u16 a) {
    return _mm512_max_epi32(_mm512_srai_epi32(a, 16), _mm512_srai_epi32(_mm512_slli_epi32(a, 16), 16));
}
KERNEL_INLINE __m512i bytes_of_64(lanes_u16 a, lanes_u16 b, int offset) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(a, b));
    return offset == 0 ? bytes : _mm512_add_epi8(bytes, _mm512_set1_epi8((char)offset));
}
KERNEL_INLINE void u16_store_64_bytes(uint8_t *p, lanes_u16 a, lanes_u16 b, int offset) {
    _mm512_storeu_si512(p, bytes_of_64(a, b, offset));
}
KERNEL_INLINE void u16_store_32_bytes(uint8_t *p, lanes_u16 a, int offset) {
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_castsi512_si256(bytes_of_64(a, a, offset)));
}

#endif
