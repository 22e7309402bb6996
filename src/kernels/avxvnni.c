/* AVX-VNNI (Alder Lake, Zen 5 and later): vpdpbusd on ymm registers, for CPUs without AVX-512. */
#if defined(__x86_64__)

#define KERNEL_TARGET __attribute__((target("avx2,fma,avxvnni")))
#include "kernels/lanes_avx2.h"
#include "kernels/levels.h"

#include <string.h>

#define LEVEL_NAME      "avxvnni"
#define LEVEL_TABLE     kernels_avxvnni
#define ACTIVATION_FORM FORM_U8
#define F32_TILE_ROWS   2
#define SIDE_BY_SIDE    2

#define DOT_ROWS 6 /* 12 of the 16 registers hold sums, 2 weights and 1 the inputs of a row */

#if defined(__clang__)
#define DOT(sum, activations, weights) ((sum) = _mm256_dpbusd_avx_epi32((sum), (activations), (weights)))
#else
/* Inline assembly for the reason given in avx512vnni.c. */
#define DOT(sum, activations, weights)                                                                       \
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(activations), "x"(weights))
#endif

#define CHUNK_INPUTS    1536u
#define PREPARED_STRIDE 0u

struct prepared {
    uint8_t nothing;
};

KERNEL_INLINE const uint8_t *prepare(size_t rows, const uint8_t *activations, size_t stride, size_t inputs,
                                     struct prepared *memory) {
    (void)rows, (void)stride, (void)inputs, (void)memory;
    return activations;
}

struct factor {
    __m256i inputs;
};

KERNEL_INLINE struct factor factor_of(const uint8_t *inputs, const uint8_t *prepared) {
    (void)prepared;
    int32_t four;
    memcpy(&four, inputs, sizeof four);
    return (struct factor){_mm256_set1_epi32(four)};
}

KERNEL_INLINE __m256i dot(__m256i sums, struct factor factor, __m256i weights) {
    DOT(sums, factor.inputs, weights);
    return sums;
}

#include "kernels/dot_tile_ymm.h"

KERNEL_NOINLINE uint64_t level_dot_rounds(uint64_t repeats) {
    __m256i sums[12];
    __m256i ones = _mm256_set1_epi8(1);
    KERNEL_UNROLL
    for (int i = 0; i < 12; i++)
        sums[i] = _mm256_setzero_si256();
    for (uint64_t n = 0; n < repeats; n++) {
        KERNEL_UNROLL
        for (int i = 0; i < 12; i++)
            DOT(sums[i], ones, ones);
        __asm__ volatile("" : "+x"(ones));
    }
    KERNEL_UNROLL
    for (int i = 0; i < 12; i++)
        __asm__ volatile("" : : "x"(sums[i]));
    return repeats * 12 * 32;
}

#include "kernels/level_template.h"

#else
typedef int no_avxvnni_on_this_architecture;
#endif
