/* AVX2 (Haswell and Zen, and later), which has no 8-bit dot product that is exact: vpmaddubsw saturates. So
 * bytes are widened to 16 bits, whose products vpmaddwd adds in pairs exactly: two multiplications for 32
 * products as by vpmaddubsw and vpmaddwd, and the same bits as all other levels. */
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

#include "kernels/dot_tile_ymm.h"

#define DOT_ROWS     6 /* 12 of the 16 registers hold sums, 2 weights, 1 the inputs of a row, 1 products */
#define TILE_COLUMNS 8

#define CHUNK_INPUTS 768u /* 18 KiB of a block of rows, which stay in the first-level cache */

/* Once for all columns. */
KERNEL_INLINE void widen_rows(size_t rows, const uint8_t *activations, size_t stride, size_t inputs,
                              int16_t *wide) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < inputs; k += 16) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(activations + r * stride + k));
            store_integers(wide + r * CHUNK_INPUTS + k, _mm256_cvtepi8_epi16(bytes));
        }
    }
}

/* The weights of four columns for four inputs, as they lie in a panel. */
KERNEL_INLINE __m256i load_wide(const int8_t *weights) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)weights));
}

/* Four inputs of a row, as often as there are columns in a register. */
KERNEL_INLINE __m256i broadcast_inputs(const uint8_t *wide) {
    int64_t four;
    memcpy(&four, wide, sizeof four);
    return _mm256_set1_epi64x(four);
}

#if defined(__clang__)
#define ADD_PRODUCTS(sums, products) ((sums) = _mm256_add_epi32((sums), (products)))
#else
/* As in avx512vnni.c: of the intrinsic GCC 12 keeps copies of the sums, and in memory. */
#define ADD_PRODUCTS(sums, products) __asm__("vpaddd %1, %0, %0" : "+x"(sums) : "x"(products))
#endif

/* Each of left and right has two sums of each of four columns: of the first two and of the last two of every
 * four inputs. */
KERNEL_INLINE void store_sums(__m256i left, __m256i right, const int32_t *starts, int32_t *out) {
    __m256i sums = _mm256_permute4x64_epi64(_mm256_hadd_epi32(left, right), 0xd8);
    store_integers(out, _mm256_add_epi32(load_integers(starts), sums));
}

KERNEL_INLINE void tile_of(size_t rows, TILE_PARAMETERS) {
    __m256i left[DOT_ROWS], right[DOT_ROWS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++)
        left[r] = right[r] = _mm256_setzero_si256();
    const int8_t *end = weights + inputs * KERNEL_PANEL_COLUMNS;
    do {
        __m256i weights_left = load_wide(weights);
        __m256i weights_right = load_wide(weights + 16);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            __m256i four = broadcast_inputs(activations + r * stride);
            ADD_PRODUCTS(left[r], _mm256_madd_epi16(four, weights_left));
            ADD_PRODUCTS(right[r], _mm256_madd_epi16(four, weights_right));
        }
        activations += 4 * sizeof(int16_t);
        weights += 4 * KERNEL_PANEL_COLUMNS;
    } while (weights != end);
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++)
        store_sums(left[r], right[r], starts + r * starts_stride, out + r * out_stride);
}

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)

/* A tile of six rows. GCC 12 keeps its sums in memory unless they are bound to registers. */
#if defined(__clang__)
#define IN_REGISTER(number)
#else
#define IN_REGISTER(number) __asm__("ymm" #number)
#endif
#define EACH_ROW(DO) DO(0, 0, 6) DO(1, 1, 7) DO(2, 2, 8) DO(3, 3, 9) DO(4, 4, 10) DO(5, 5, 11)
#define BEGIN_ROW(row, left, right)                                                                          \
    register __m256i left_##row IN_REGISTER(left) = _mm256_setzero_si256();                                  \
    register __m256i right_##row IN_REGISTER(right) = _mm256_setzero_si256();
#define DOT_ROW(row, left, right)                                                                            \
    {                                                                                                        \
        __m256i four = broadcast_inputs(activations + row * stride);                                         \
        ADD_PRODUCTS(left_##row, _mm256_madd_epi16(four, weights_left));                                     \
        ADD_PRODUCTS(right_##row, _mm256_madd_epi16(four, weights_right));                                   \
    }
#define STORE_ROW(row, left, right)                                                                          \
    store_sums(left_##row, right_##row, starts + row * starts_stride, out + row * out_stride);

KERNEL_NOINLINE void tile_6(TILE_PARAMETERS) {
    EACH_ROW(BEGIN_ROW)
    const int8_t *end = weights + inputs * KERNEL_PANEL_COLUMNS;
    do {
        __m256i weights_left = load_wide(weights);
        __m256i weights_right = load_wide(weights + 16);
        EACH_ROW(DOT_ROW)
        activations += 4 * sizeof(int16_t);
        weights += 4 * KERNEL_PANEL_COLUMNS;
    } while (weights != end);
    EACH_ROW(STORE_ROW)
}

static void (*const tiles[DOT_ROWS])(TILE_PARAMETERS) = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};

KERNEL_INLINE void dot_tile(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                            size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                            int32_t *out, size_t out_stride) {
    _Alignas(32) int16_t wide[KERNEL_BLOCK_ROWS * CHUNK_INPUTS];
    const struct tile_kind kind = {tiles, DOT_ROWS, TILE_COLUMNS};
    for (size_t k = 0; k < inputs; k += CHUNK_INPUTS) {
        const struct input_range range = {k, inputs - k < CHUNK_INPUTS ? inputs - k : CHUNK_INPUTS, inputs};
        widen_rows(rows, activations + k, stride, range.count, wide);
        run_tiles(&kind, rows, (const uint8_t *)wide, CHUNK_INPUTS * sizeof(int16_t), panel, range,
                  column_sums, start, panels, out, out_stride);
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
