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

struct factor {
    __m256i inputs, magnitudes;
};

KERNEL_INLINE struct factor factor_of(int32_t four) {
    __m256i inputs = _mm256_set1_epi32(four);
    return (struct factor){inputs, _mm256_abs_epi8(inputs)};
}

KERNEL_INLINE __m256i dot(__m256i sums, struct factor factor, __m256i weights) {
    __m256i pairs = _mm256_maddubs_epi16(factor.magnitudes, _mm256_sign_epi8(weights, factor.inputs));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
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
