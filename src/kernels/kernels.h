/* The arithmetic of the encoder, one table of functions per instruction set.
 *
 * The portable C reference fills every entry; each ISA overwrites what it has (kernels_select). Every level gives
 * the same bits: integers are exact, and the float parts are written once, over vectors of 16 lanes with a fixed
 * order of operations, and instantiated per ISA (kernels/int8_template.h). A row's result never depends on the other rows of a
 * call. Kernels allocate nothing, keep no state and check nothing: shapes and alignment are the caller's promise.
 *
 * Shapes: `inputs` and every row of activations are a multiple of KERNEL_INPUT_MULTIPLE, `outputs` a multiple of
 * KERNEL_PANEL_COLUMNS; matrices are row-major; all pointers to rows and tensors are 64-byte aligned. */
#ifndef RESCOLDO_KERNELS_KERNELS_H
#define RESCOLDO_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL_PANEL_COLUMNS  32u
#define KERNEL_INPUT_MULTIPLE 64u
#define KERNEL_MAX_SEQUENCE   512u /* tokens of one attention segment */

/* A linear layer y = W x + b in the layout that the kernels read (kernels/pack.h makes it). Exactly one of panels
 * and panels_f32 is set. */
struct linear {
    uint32_t inputs;             /* K */
    uint32_t outputs;            /* N */
    const int8_t *panels;        /* [N/32][K/4][32][4], in [-127, 127], symmetric per output column */
    const float *scales;         /* [N]: weight = panel value * scale */
    const int32_t *compensation; /* [N]: -128 * the sum of the column's panel values */
    const float *panels_f32;     /* [N/32][K][32] */
    const float *bias;           /* [N] */
};

/* The three tables whose sum, normalized, is a token's input. Exactly one of word and word_f32 is set. */
struct embedding_tables {
    const int8_t *word;       /* [vocabulary][hidden], in [-127, 127] */
    const float *word_scales; /* [vocabulary]: one per row */
    const float *word_f32;    /* [vocabulary][hidden] */
    const float *position;    /* [positions][hidden] */
    const float *segment;     /* [types][hidden] */
};

#endif
