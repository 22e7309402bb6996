/* AVX-512 with VNNI (Ice Lake, Zen 4 and later): vpdpbusd on zmm registers. */
#if defined(__x86_64__)

#define KERNEL_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#include "kernels/lanes_avx512.h"
#include "kernels/levels.h"

#include <string.h>

#define LEVEL_NAME      "avx512vnni"
#define LEVEL_TABLE     kernels_avx512vnni
#define ACTIVATION_FORM FORM_U8
#define F32_TILE_ROWS   12
#define SIDE_BY_SIDE    4

#include "kernels/epilogue_template.h"

/* GCC 12 turns arrays of accumulators of the intrinsic into two extra moves per instruction and spills; the
 * same instruction as inline assembly stays in its register. */
#if defined(__clang__)
#define DOT(sum, activations, weights) ((sum) = _mm512_dpbusd_epi32((sum), (activations), (weights)))
#else
#define DOT(sum, activations, weights)                                                                       \
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(activations), "v"(weights))
#endif

#define PREFETCH_DISTANCE 8192

/* The weights come from the third-level cache or from memory, in a file's 4 KiB pages, at whose ends the
 * hardware prefetchers stop. */
KERNEL_INLINE void prefetch_weights(const int8_t *panel) {
    KERNEL_PREFETCH(panel + PREFETCH_DISTANCE);
    KERNEL_PREFETCH(panel + PREFETCH_DISTANCE + 64);
}

/* Where the sums of 16 columns begin. */
KERNEL_INLINE __m512i tile_start_of(const int32_t *column_sums, enum tile_start start) {
    return start == START_PLUS_SUMS ? _mm512_loadu_si512(column_sums) : _mm512_setzero_si512();
}

/* rows x 32 columns: 2 * rows accumulators, 2 registers of weights and 1 of activations; 12 rows need 27 of
 * 32 registers and 11 bytes of weights per clock at two dots a clock, which the second-level cache gives. */
KERNEL_INLINE void tile_of(size_t rows, const uint8_t *activations, size_t stride, const int8_t *panel,
                           size_t inputs, const int32_t *column_sums, enum tile_start start, size_t panels,
                           int32_t *out, size_t out_stride) {
    for (size_t p = 0; p < panels; p++) {
        __m512i left[KERNEL_BLOCK_ROWS], right[KERNEL_BLOCK_ROWS];
        __m512i start_left = tile_start_of(column_sums + p * KERNEL_PANEL_COLUMNS, start);
        __m512i start_right = tile_start_of(column_sums + p * KERNEL_PANEL_COLUMNS + 16, start);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            left[r] = start_left;
            right[r] = start_right;
        }
        const uint8_t *row = activations;
        const int8_t *end = panel + inputs * KERNEL_PANEL_COLUMNS;
        do {
            __m512i weights_left = _mm512_load_si512(panel);
            __m512i weights_right = _mm512_load_si512(panel + 64);
            KERNEL_UNROLL
            for (size_t r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, row + r * stride, sizeof four);
                __m512i broadcast = _mm512_set1_epi32(four);
                DOT(left[r], broadcast, weights_left);
                DOT(right[r], broadcast, weights_right);
            }
            prefetch_weights(panel);
            row += 4;
            panel += 128;
        } while (panel != end);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            _mm512_storeu_si512(out + r * out_stride + p * KERNEL_PANEL_COLUMNS, left[r]);
            _mm512_storeu_si512(out + r * out_stride + p * KERNEL_PANEL_COLUMNS + 16, right[r]);
        }
    }
}

/* One function per number of rows, so that every accumulator is a register. Kept out of line: with a rich
 * epilogue inlined around the loop, GCC 12 spills. */
#define TILE_PARAMETERS                                                                                      \
    const uint8_t *activations, size_t stride, const int8_t *panel, size_t inputs,                           \
        const int32_t *column_sums, enum tile_start start, size_t panels, int32_t *out, size_t out_stride
#define DEFINE_TILE(rows)                                                                                    \
    KERNEL_NOINLINE void tile_##rows(TILE_PARAMETERS) {                                                      \
        tile_of(rows, activations, stride, panel, inputs, column_sums, start, panels, out, out_stride);      \
    }

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)
DEFINE_TILE(7)
DEFINE_TILE(8)
DEFINE_TILE(9)
DEFINE_TILE(10)
DEFINE_TILE(11)
DEFINE_TILE(12)

static void (*const tiles[KERNEL_BLOCK_ROWS])(TILE_PARAMETERS) = {
    tile_1, tile_2, tile_3, tile_4, tile_5, tile_6, tile_7, tile_8, tile_9, tile_10, tile_11, tile_12,
};

KERNEL_INLINE void dot_tile(size_t rows, TILE_PARAMETERS) {
    tiles[rows - 1](activations, stride, panel, inputs, column_sums, start, panels, out, out_stride);
}

/* Tiles of 12 rows whose sums are bound to registers, since GCC 12 keeps them in memory otherwise; what else
 * they do has the other eight. Nothing between the sums' first and last use may call a function, which would
 * not keep them. */
#if defined(__clang__)
#define IN_REGISTER(number)
#else
#define IN_REGISTER(number) __asm__("zmm" #number)
#endif
#define EACH_ROW(DO)                                                                                         \
    DO(0, 0, 12)                                                                                             \
    DO(1, 1, 13)                                                                                             \
    DO(2, 2, 14)                                                                                             \
    DO(3, 3, 15)                                                                                             \
    DO(4, 4, 16)                                                                                             \
    DO(5, 5, 17)                                                                                             \
    DO(6, 6, 18)                                                                                             \
    DO(7, 7, 19)                                                                                             \
    DO(8, 8, 20)                                                                                             \
    DO(9, 9, 21)                                                                                             \
    DO(10, 10, 22)                                                                                           \
    DO(11, 11, 23)
#define BEGIN_ROW(row, left, right)                                                                          \
    register __m512i left_##row IN_REGISTER(left) = start_left;                                              \
    register __m512i right_##row IN_REGISTER(right) = start_right;
#define DOT_ROW(row, left, right)                                                                            \
    {                                                                                                        \
        __m512i broadcast = _mm512_broadcastd_epi32(_mm_loadu_si32(activations + row * stride));             \
        DOT(left_##row, broadcast, weights_left);                                                            \
        DOT(right_##row, broadcast, weights_right);                                                          \
    }
#define DOT_STEP                                                                                             \
    {                                                                                                        \
        __m512i weights_left = _mm512_load_si512(panel);                                                     \
        __m512i weights_right = _mm512_load_si512(panel + 64);                                               \
        EACH_ROW(DOT_ROW)                                                                                    \
        prefetch_weights(panel);                                                                             \
        activations += 4;                                                                                    \
        panel += 128;                                                                                        \
    }

#define FINISH_ROW(row, left, right)                                                                         \
    {                                                                                                        \
        __m512 y[2] = {_mm512_cvtepi32_ps(left_##row), _mm512_cvtepi32_ps(right_##row)};                     \
        finish_vectors(epilogue, kind, row, 0, y, 2);                                                        \
    }

/* The sums are finished where they are: to store a vector takes Zen 4 as long as one or two dots, and the
 * next tile's dots begin meanwhile. */
KERNEL_INLINE void finish_tile(const uint8_t *activations, size_t stride, const int8_t *panel, size_t inputs,
                               const int32_t *column_sums, enum tile_start start,
                               const struct epilogue *epilogue, enum epilogue_kind kind) {
    const __m512i start_left = tile_start_of(column_sums, start);
    const __m512i start_right = tile_start_of(column_sums + 16, start);
    EACH_ROW(BEGIN_ROW)
    const int8_t *end = panel + inputs * PANEL;
    do
        DOT_STEP
    while (panel != end);
    EACH_ROW(FINISH_ROW)
}

#define DEFINE_FINISHED_TILE(name, kind)                                                                     \
    KERNEL_NOINLINE void name(const uint8_t *activations, size_t stride, const int8_t *panel, size_t inputs, \
                              const int32_t *column_sums, enum tile_start start,                             \
                              const struct epilogue *epilogue) {                                             \
        finish_tile(activations, stride, panel, inputs, column_sums, start, epilogue, kind);                 \
    }
DEFINE_FINISHED_TILE(tile_and_store, EPILOGUE_STORE)
DEFINE_FINISHED_TILE(tile_and_gelu, EPILOGUE_GELU)
DEFINE_FINISHED_TILE(tile_and_add, EPILOGUE_ADD)
DEFINE_FINISHED_TILE(tile_of_context, EPILOGUE_CONTEXT)

#define HAS_FULL_TILE
KERNEL_INLINE void full_tile(const uint8_t *activations, size_t stride, const int8_t *panel, size_t inputs,
                             const int32_t *column_sums, enum tile_start start,
                             const struct epilogue *epilogue, enum epilogue_kind kind) {
    if (kind == EPILOGUE_STORE)
        tile_and_store(activations, stride, panel, inputs, column_sums, start, epilogue);
    else if (kind == EPILOGUE_GELU)
        tile_and_gelu(activations, stride, panel, inputs, column_sums, start, epilogue);
    else if (kind == EPILOGUE_ADD)
        tile_and_add(activations, stride, panel, inputs, column_sums, start, epilogue);
    else
        tile_of_context(activations, stride, panel, inputs, column_sums, start, epilogue);
}

#define STORE_SCORES(row, left, right)                                                                       \
    u16_store(out + row * out_stride,                                                                        \
              u16_narrow(_mm512_sra_epi32(left_##row, count), _mm512_sra_epi32(right_##row, count)));

/* Sums / 2^shift of 12 rows x 32 columns, in 16 bits: half as many stores, for tiles that are only eight
 * steps deep. */
KERNEL_NOINLINE void score_tile(const uint8_t *activations, const int8_t *panel, size_t inputs,
                                const int32_t *starts, int shift, uint16_t *out, size_t out_stride) {
    const size_t stride = inputs;
    const __m128i count = _mm_cvtsi32_si128(shift);
    const __m512i start_left = _mm512_loadu_si512(starts), start_right = _mm512_loadu_si512(starts + 16);
    EACH_ROW(BEGIN_ROW)
    const int8_t *end = panel + inputs * PANEL;
    do
        DOT_STEP
    while (panel != end);
    EACH_ROW(STORE_SCORES)
}
#define HAS_SCORE_TILE

KERNEL_NOINLINE uint64_t level_dot_rounds(uint64_t repeats) {
    __m512i sums[16];
    __m512i ones = _mm512_set1_epi8(1);
    KERNEL_UNROLL
    for (int i = 0; i < 16; i++)
        sums[i] = _mm512_setzero_si512();
    for (uint64_t n = 0; n < repeats; n++) {
        KERNEL_UNROLL
        for (int i = 0; i < 16; i++)
            DOT(sums[i], ones, ones);
        /* Keeps the compiler from folding rounds together. */
        __asm__ volatile("" : "+v"(ones));
    }
    KERNEL_UNROLL
    for (int i = 0; i < 16; i++)
        __asm__ volatile("" : : "v"(sums[i]));
    return repeats * 16 * 64;
}

#include "kernels/level_template.h"

#else
typedef int no_avx512vnni_on_this_architecture;
#endif
