/* Sixteen lanes in one zmm register. */
#ifndef RESCOLDO_KERNELS_LANES_H
#define RESCOLDO_KERNELS_LANES_H

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
/* a * b + c and a * b - c, rounded once. */
#define f32_fms(a, b, c) _mm512_fmsub_ps(a, b, c)
#define f32_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define f32_div(a, b)    _mm512_div_ps(a, b)
#define f32_min(a, b)    _mm512_min_ps(a, b)
#define f32_max(a, b)    _mm512_max_ps(a, b)
#define f32_abs(a)       _mm512_abs_ps(a)
/* table[index % 8] */
#define f32_lookup(table, index) _mm512_permutexvar_ps(index, _mm512_broadcast_f32x8(_mm256_loadu_ps(table)))

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
#define i32_shift_left(a, count) _mm512_slli_epi32(a, count)
#define i32_reduce_add(a)        _mm512_reduce_add_epi32(a)
#define i32_reduce_max(a)        _mm512_reduce_max_epi32(a)
#define i32_store_bytes(p, a)    _mm_storeu_si128((__m128i *)(p), _mm512_cvtepi32_epi8(a))
#define i32_to_f32(a)            _mm512_cvtepi32_ps(a)
#define i32_as_f32(a)            _mm512_castsi512_ps(a)
#define f32_as_i32(a)            _mm512_castps_si512(a)
#define f32_round(a)             _mm512_cvtps_epi32(a)

/* The low bytes of 64 lanes, each 0 to 255: a level with these lanes stores all activations as unsigned
 * bytes, so that the packs' saturation never acts. Both packs work within 128-bit parts; the permutation
 * restores the order. */
KERNEL_INLINE void i32_store_64_bytes(uint8_t *p, lanes_i32 a, lanes_i32 b, lanes_i32 c, lanes_i32 d) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i bytes = _mm512_packus_epi16(_mm512_packus_epi32(a, b), _mm512_packus_epi32(c, d));
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, bytes));
}

/* The low bytes of four vectors in groups of four lanes: those of lanes 4g to 4g + 3 of a, b, c and d, 16
 * bytes, go to p + g * stride. Each lane must be a signed byte's value. */
KERNEL_INLINE void i32_store_groups(int8_t *p, size_t stride, lanes_i32 a, lanes_i32 b, lanes_i32 c,
                                    lanes_i32 d) {
    __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_castsi512_si128(bytes));
    _mm_storeu_si128((__m128i *)(void *)(p + stride), _mm512_extracti32x4_epi32(bytes, 1));
    _mm_storeu_si128((__m128i *)(void *)(p + 2 * stride), _mm512_extracti32x4_epi32(bytes, 2));
    _mm_storeu_si128((__m128i *)(void *)(p + 3 * stride), _mm512_extracti32x4_epi32(bytes, 3));
}

#endif
