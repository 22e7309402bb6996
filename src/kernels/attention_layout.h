/* The working memory of one call of attention, carved from the caller's scratch; its own header so that the
 * caller's size computation sees it. */
#ifndef RESCOLDO_KERNELS_ATTENTION_LAYOUT_H
#define RESCOLDO_KERNELS_ATTENTION_LAYOUT_H

#include "kernels/kernels.h"

#define ATTENTION_KEYS KERNEL_MAX_SEQUENCE

/* What is found of each row of a block of queries lies in 16 lanes, of which KERNEL_BLOCK_ROWS count. */
#define ROW_LANES 16u

struct attention_memory {
    int8_t keys[ATTENTION_KEYS * KERNEL_MAX_HEAD_SIZE];   /* [tokens/32][head_size/4][32][4] */
    int8_t values[ATTENTION_KEYS * KERNEL_MAX_HEAD_SIZE]; /* [head_size/32][tokens/4][32][4] */
    int32_t key_starts[ATTENTION_KEYS];                   /* where the sums of each key's scores begin */
    int32_t value_sums[KERNEL_MAX_HEAD_SIZE];
    float key_scales[KERNEL_MAX_HEAD_SIZE];
    float value_scales[KERNEL_MAX_HEAD_SIZE];
    float value_means[KERNEL_MAX_HEAD_SIZE];
    float value_offsets[KERNEL_MAX_HEAD_SIZE]; /* middle of the range - mean */

    /* Of one block of queries. */
    float scaled_queries[KERNEL_BLOCK_ROWS * KERNEL_MAX_HEAD_SIZE];
    uint8_t queries[KERNEL_BLOCK_ROWS * KERNEL_MAX_HEAD_SIZE];
    int32_t tile[KERNEL_BLOCK_ROWS * KERNEL_PANEL_COLUMNS]; /* sums */
    uint16_t scores[KERNEL_BLOCK_ROWS * ATTENTION_KEYS];    /* [rows][padded tokens] */
    uint8_t weights[KERNEL_BLOCK_ROWS * ATTENTION_KEYS];    /* the same, 255 at each row's maximum */
    int32_t largest[KERNEL_BLOCK_ROWS * 16];                /* of each row, lane by lane */
    int32_t sums[KERNEL_BLOCK_ROWS * 16];                   /* of weights before they are rounded */
    int32_t byte_sums[KERNEL_BLOCK_ROWS * 16];
    int32_t maxima[ROW_LANES], factors[ROW_LANES], fraction_bits[ROW_LANES];
    int32_t reduced[ROW_LANES];
    float inverse_sums[ROW_LANES], weight_sums[ROW_LANES];
};

struct attention_memory_f32 {
    float keys[ATTENTION_KEYS * KERNEL_MAX_HEAD_SIZE]; /* [head_size][padded] */
    float weights[ATTENTION_KEYS];
};

#endif
