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

#include "kernels/dot_tile_ymm.h"

#define TILE_COLUMNS 16 /* half a panel */

KERNEL_INLINE void tile_of(size_t rows, TILE_PARAMETERS) {
    __m256i left[DOT_ROWS], right[DOT_ROWS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        left[r] = load_integers(starts + r * starts_stride);
        right[r] = load_integers(starts + r * starts_stride + 8);
    }
    const int8_t *end = weights + inputs * KERNEL_PANEL_COLUMNS;
    do {
        __m256i weights_left = load_integers(weights);
        __m256i weights_right = load_integers(weights + 32);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, activations + r * stride, sizeof four);
            __m256i broadcast = _mm256_set1_epi32(four);
            DOT(left[r], broadcast, weights_left);
            DOT(right[r], broadcast, weights_right);
        }
        activations += 4;
        weights += 4 * KERNEL_PANEL_COLUMNS;
    } while (weights != end);
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        store_integers(out + r * out_stride, left[r]);
        store_integers(out + r * out_stride + 8, right[r]);
    }
}

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)

static void (*const tiles[DOT_ROWS])(TILE_PARAMETERS) = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};

KERNEL_INLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                            size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                            int32_t *out, size_t out_stride) {
    const struct tile_kind kind = {tiles, DOT_ROWS, TILE_COLUMNS};
    const struct input_range all = {0, inputs, inputs};
    run_tiles(&kind, rows, activations, stride, panel, all, column_sums, start, panels, out, out_stride);
}

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
