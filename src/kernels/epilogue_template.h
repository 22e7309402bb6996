/* What becomes of the sums of a tile, written once for all levels (int8_template.h). */
#ifndef RESCOLDO_KERNELS_EPILOGUE_TEMPLATE_H
#define RESCOLDO_KERNELS_EPILOGUE_TEMPLATE_H

#include "kernels/kernels.h"

#define PANEL KERNEL_PANEL_COLUMNS

/* Floats that are not negative are ordered as their bits are as integers, and integer minimum and maximum run
 * beside the multipliers, which are the bottleneck here. */
KERNEL_INLINE lanes_f32 positive_minimum(lanes_f32 a, lanes_f32 b) {
    return i32_as_f32(i32_min(f32_as_i32(a), f32_as_i32(b)));
}

/* The larger of two, of which at least one is not negative. */
KERNEL_INLINE lanes_f32 positive_maximum(lanes_f32 a, lanes_f32 b) {
    return i32_as_f32(i32_max(f32_as_i32(a), f32_as_i32(b)));
}

/* Each operation for some vectors before the next: a CPU's schedulers hold far fewer operations than one long
 * chain after the other would fill, and wait. */
#define MOST_SIDE_BY_SIDE 4
#define EACH_VECTOR       KERNEL_UNROLL for (size_t v = 0; v < vectors; v++)

/* h(a) = a * (1 - Phi(a)) as minimax cubics, one for the numbers next to each half, the last from 3.25 on:
 * the coefficients of a^3 and down. */
#define EIGHT_AND_COPIES(a, b, c, d, e, f, g, h)                                                             \
    { a, b, c, d, e, f, g, h, h, h, h, h, h, h, h, h }
static const float gelu_cubes[16] =
    EIGHT_AND_COPIES(0.031415352f, 0.10793977f, 0.11948642f, 0.056909806f, 0.00083558596f, -0.016047889f,
                     -0.011077147f, -0.0020958705f);
static const float gelu_squares[16] = EIGHT_AND_COPIES(-0.40345451f, -0.467862f, -0.4806784f, -0.24214099f,
                                                       0.047852026f, 0.15757172f, 0.11545666f, 0.026163908f);
static const float gelu_slopes[16] = EIGHT_AND_COPIES(0.50018471f, 0.51945513f, 0.51961304f, 0.21480752f,
                                                      -0.28668428f, -0.52457913f, -0.40560272f, -0.10907928f);
static const float gelu_constants[16] = EIGHT_AND_COPIES(0.0f, -0.0020020818f, 0.00024366829f, 0.13076354f,
                                                         0.42078481f, 0.59289723f, 0.48082891f, 0.15195522f);

/* GELU(x) = max(x, 0) - h(min(|x|, 4.4)): at most 2.5e-5 from the exact erf form everywhere, less than half
 * of a hundredth of one step of the 8-bit output. The sum with 1.5 * 2^22 is rounded to halves and has the
 * number of the half in its low bits. One polynomial for all would need three multiplications more, and be a
 * sixth as exact. In place. */
KERNEL_INLINE void gelu(lanes_f32 *x, size_t vectors) {
    lanes_f32 a[MOST_SIDE_BY_SIDE], h[MOST_SIDE_BY_SIDE];
    lanes_i32 half[MOST_SIDE_BY_SIDE];
    EACH_VECTOR a[v] = positive_minimum(f32_abs(x[v]), f32_set(4.4f));
    EACH_VECTOR half[v] = f32_as_i32(f32_add(a[v], f32_set(6291456.0f)));
#if defined(LOOKUP_OF_EIGHT)
    EACH_VECTOR half[v] = i32_min(half[v], i32_set(0x4ac00007));
#endif
    EACH_VECTOR h[v] = f32_fma(f32_lookup(gelu_cubes, half[v]), a[v], f32_lookup(gelu_squares, half[v]));
    EACH_VECTOR h[v] = f32_fma(h[v], a[v], f32_lookup(gelu_slopes, half[v]));
    EACH_VECTOR h[v] = f32_fma(h[v], a[v], f32_lookup(gelu_constants, half[v]));
    EACH_VECTOR x[v] = f32_sub(positive_maximum(x[v], f32_set(0.0f)), h[v]);
}

enum epilogue_kind {
    EPILOGUE_STORE,   /* target = y */
    EPILOGUE_GELU,    /* target = transformed GELU(y), and each row's largest value */
    EPILOGUE_ADD,     /* target += y, and each row's sum */
    EPILOGUE_CONTEXT, /* target = y of attention (attention_template.h) */
};

/* y = sums * row scale * column scale + bias; that of attention is (sums * column scale + row weight * column
 * offset) * row scale + bias. Pointers to columns are to the tile's first. */
struct epilogue {
    size_t rows;
    const float *row_scales;              /* [rows] */
    const float *column_scales, *bias;    /* [PANEL] */
    const float *gelu_scale, *gelu_shift; /* [PANEL], of EPILOGUE_GELU */
    const float *row_weights;             /* [rows], of EPILOGUE_CONTEXT */
    const float *column_offsets;          /* [PANEL], of the same */
    float *target;                        /* [rows][stride] */
    size_t stride;
    float *so_far; /* [rows][16]: largest values or sums, lane by lane */
};

/* Columns c and on of a row: y holds their sums as floats. */
KERNEL_INLINE void finish_vectors(const struct epilogue *epilogue, enum epilogue_kind kind, size_t row,
                                  size_t c, lanes_f32 *y, size_t vectors) {
    float *target = epilogue->target + row * epilogue->stride + c;
    lanes_f32 row_scale = f32_set(epilogue->row_scales[row]);
    lanes_f32 factor[MOST_SIDE_BY_SIDE];
    if (kind == EPILOGUE_CONTEXT) {
        lanes_f32 weight = f32_set(epilogue->row_weights[row]);
        EACH_VECTOR factor[v] = f32_mul(weight, f32_load(epilogue->column_offsets + c + 16 * v));
        EACH_VECTOR y[v] = f32_fma(y[v], f32_load(epilogue->column_scales + c + 16 * v), factor[v]);
        EACH_VECTOR factor[v] = row_scale;
    } else {
        EACH_VECTOR factor[v] = f32_mul(row_scale, f32_load(epilogue->column_scales + c + 16 * v));
    }
    EACH_VECTOR y[v] = f32_fma(y[v], factor[v], f32_load(epilogue->bias + c + 16 * v));
    if (kind == EPILOGUE_GELU) {
        float *so_far = epilogue->so_far + row * 16;
        lanes_f32 found = f32_load(so_far);
        gelu(y, vectors);
        EACH_VECTOR y[v] = f32_fma(y[v], f32_load(epilogue->gelu_scale + c + 16 * v),
                                   f32_load(epilogue->gelu_shift + c + 16 * v));
        EACH_VECTOR found = positive_maximum(found, y[v]);
        f32_store(so_far, found);
    } else if (kind == EPILOGUE_ADD) {
        float *so_far = epilogue->so_far + row * 16;
        lanes_f32 found = f32_load(so_far);
        EACH_VECTOR y[v] = f32_add(y[v], f32_load(target + 16 * v));
        EACH_VECTOR found = f32_add(found, y[v]);
        f32_store(so_far, found);
    }
    EACH_VECTOR f32_store(target + 16 * v, y[v]);
}

/* sums: of the row's PANEL columns */
KERNEL_INLINE void epilogue_row(const struct epilogue *epilogue, enum epilogue_kind kind, size_t row,
                                const int32_t *sums, size_t vectors) {
    KERNEL_UNROLL
    for (size_t c = 0; c < PANEL; c += 16 * vectors) {
        lanes_f32 y[MOST_SIDE_BY_SIDE];
        EACH_VECTOR y[v] = i32_to_f32(i32_load(sums + c + 16 * v));
        finish_vectors(epilogue, kind, row, c, y, vectors);
    }
}

#endif
