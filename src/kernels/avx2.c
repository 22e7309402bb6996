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

#define DOT_ROWS 4

KERNEL_INLINE __m256i dot(__m256i sum, __m256i magnitudes, __m256i activations, __m256i weights) {
    __m256i pairs = _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(weights, activations));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* rows x 16 columns: 8 accumulators of the 16 registers at 4 rows. */
KERNEL_INLINE void tile_of(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                           size_t inputs, const int32_t *column_sums, enum tile_start start, int32_t *out,
                           size_t out_stride) {
    __m256i left[DOT_ROWS], right[DOT_ROWS];
    __m256i start_left = _mm256_setzero_si256();
    __m256i start_right = _mm256_setzero_si256();
    if (start == START_MINUS_SUMS) {
        start_left =
            _mm256_sub_epi32(start_left, _mm256_loadu_si256((const __m256i *)(const void *)column_sums));
        start_right = _mm256_sub_epi32(start_right,
                                       _mm256_loadu_si256((const __m256i *)(const void *)(column_sums + 8)));
    }
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        left[r] = start_left;
        right[r] = start_right;
    }
    const int8_t *end = panel + inputs * KERNEL_PANEL_COLUMNS;
    do {
        __m256i weights_left = _mm256_load_si256((const __m256i *)(const void *)panel);
        __m256i weights_right = _mm256_load_si256((const __m256i *)(const void *)(panel + 32));
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, activations + r * stride, sizeof four);
            __m256i broadcast = _mm256_set1_epi32(four);
            __m256i magnitudes = _mm256_abs_epi8(broadcast);
            left[r] = dot(left[r], magnitudes, broadcast, weights_left);
            right[r] = dot(right[r], magnitudes, broadcast, weights_right);
        }
        activations += 4;
        panel += 128;
    } while (panel != end);
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        _mm256_storeu_si256((__m256i *)(void *)(out + r * out_stride), left[r]);
        _mm256_storeu_si256((__m256i *)(void *)(out + r * out_stride + 8), right[r]);
    }
}

#define TILE_PARAMETERS                                                                                      \
    const uint8_t *activations, size_t stride, const int8_t *panel, size_t inputs,                           \
        const int32_t *column_sums, enum tile_start start, int32_t *out, size_t out_stride
#define DEFINE_TILE(rows)                                                                                    \
    KERNEL_NOINLINE void tile_##rows(TILE_PARAMETERS) {                                                      \
        tile_of(rows, activations, stride, panel, inputs, column_sums, start, out, out_stride);              \
    }

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)

static void (*const tiles[DOT_ROWS])(TILE_PARAMETERS) = {tile_1, tile_2, tile_3, tile_4};

KERNEL_INLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                            size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                            int32_t *out, size_t out_stride) {
    for (size_t column = 0; column < panels * KERNEL_PANEL_COLUMNS; column += 16) {
        const int8_t *half = panel + column / KERNEL_PANEL_COLUMNS * KERNEL_PANEL_COLUMNS * inputs +
                             column % KERNEL_PANEL_COLUMNS * 4;
        for (size_t r = 0; r < rows; r += DOT_ROWS) {
            size_t count = rows - r < DOT_ROWS ? rows - r : DOT_ROWS;
            tiles[count - 1](activations + r * stride, stride, half, inputs, column_sums + column, start,
                             out + r * out_stride + column, out_stride);
        }
    }
}

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
