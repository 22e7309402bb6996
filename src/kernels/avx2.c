/* AVX2 (Haswell and Zen, and later). vpmaddubsw multiplies u8 by s8 and adds pairs in 16 bits, which
 * saturates for u8 above 127; moving the activation's sign to the weight (vpsignb) makes it |a| * (w * sign
 * a), whose pairs are at most 2 * 128 * 127 = 32512 < 32767: exact, so that this level gives the same bits as
 * the others. */
#if defined(__x86_64__)

#define KERNEL_TARGET __attribute__((target("avx2,fma")))
#include "kernels/lanes_avx2.h"
#include "kernels/levels.h"

#include <string.h>

#define LEVEL_NAME      "avx2"
#define LEVEL_TABLE     kernels_avx2
#define ACTIVATION_FORM FORM_S8
#define F32_TILE_ROWS   2
#define SIDE_BY_SIDE    2

#define DOT_ROWS 4 /* 8 of the 16 registers hold sums */

#define CHUNK_INPUTS    1536u /* 18 KiB of a block of rows, which stay in the first-level cache */
#define PREPARED_STRIDE CHUNK_INPUTS

/* Magnitudes, so that a tile need not take them at every step, for every eight columns. */
struct prepared {
    _Alignas(32) uint8_t magnitudes[KERNEL_BLOCK_ROWS][CHUNK_INPUTS];
};

KERNEL_INLINE const uint8_t *prepare(size_t rows, const uint8_t *activations, size_t stride, size_t inputs,
                                     struct prepared *memory) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < inputs; k += 32) {
            __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(activations + r * stride + k));
            _mm256_store_si256((__m256i *)(void *)(memory->magnitudes[r] + k), _mm256_abs_epi8(bytes));
        }
    }
    return memory->magnitudes[0];
}

struct factor {
    __m256i inputs, magnitudes;
};

KERNEL_INLINE __m256i broadcast_four(const uint8_t *bytes) {
    int32_t four;
    memcpy(&four, bytes, sizeof four);
    return _mm256_set1_epi32(four);
}

KERNEL_INLINE struct factor factor_of(const uint8_t *inputs, const uint8_t *prepared) {
    return (struct factor){broadcast_four(inputs), broadcast_four(prepared)};
}

KERNEL_INLINE __m256i dot(__m256i sums, struct factor factor, __m256i weights) {
    __m256i pairs = _mm256_maddubs_epi16(factor.magnitudes, _mm256_sign_epi8(weights, factor.inputs));
    __m256i products = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#if defined(__clang__)
    return _mm256_add_epi32(sums, products);
#else
    /* As in avx512vnni.c: of the intrinsic GCC 12 keeps copies of the sums, and in memory. */
    __asm__("vpaddd %1, %0, %0" : "+x"(sums) : "x"(products));
    return sums;
#endif
}

#include "kernels/dot_tile_ymm.h"

KERNEL_NOINLINE uint64_t level_dot_rounds(uint64_t repeats) {
    __m256i sums[8];
    __m256i ones = _mm256_set1_epi8(1);
    __m256i words = _mm256_set1_epi16(1);
    KERNEL_UNROLL
    for (int i = 0; i < 8; i++)
        sums[i] = _mm256_setzero_si256();
    for (uint64_t n = 0; n < repeats; n++) {
        KERNEL_UNROLL
        for (int i = 0; i < 8; i++) {
            __asm__ volatile("" : "+x"(ones)); /* each product anew: the compiler must not share it */
            sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(_mm256_maddubs_epi16(ones, ones), words));
        }
    }
    KERNEL_UNROLL
    for (int i = 0; i < 8; i++)
        __asm__ volatile("" : : "x"(sums[i]));
    return repeats * 8 * 32;
}

#include "kernels/level_template.h"

#else
typedef int no_avx2_on_this_architecture;
#endif
