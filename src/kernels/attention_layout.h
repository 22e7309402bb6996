/* The working memory of one call of attention, carved from the caller's scratch; its own header so that the
 * caller's size computation sees it. */
#ifndef RESCOLDO_KERNELS_ATTENTION_LAYOUT_H
#define RESCOLDO_KERNELS_ATTENTION_LAYOUT_H

#include "kernels/kernels.h"

#define ATTENTION_KEYS KERNEL_MAX_SEQUENCE

struct attention_memory {
    int8_t keys[ATTENTION_KEYS * KERNEL_MAX_HEAD_SIZE];   /* [tokens/32][head_size/4][32][4] */
    int8_t values[ATTENTION_KEYS * KERNEL_MAX_HEAD_SIZE]; /* [head_size/32][tokens/4][32][4] */
    int32_t key_sums[ATTENTION_KEYS];                     /* -128 * the sum of each key's bytes */
    int32_t value_sums[KERNEL_MAX_HEAD_SIZE];
    float key_scales[KERNEL_MAX_HEAD_SIZE];
    float value_scales[KERNEL_MAX_HEAD_SIZE];
    float value_middles[KERNEL_MAX_HEAD_SIZE];
    uint8_t queries[KERNEL_BLOCK_ROWS * KERNEL_MAX_HEAD_SIZE];
    float query_scales[KERNEL_BLOCK_ROWS];
    int32_t scores[KERNEL_BLOCK_ROWS * ATTENTION_KEYS];
    uint8_t weights[KERNEL_BLOCK_ROWS * ATTENTION_KEYS];
    float weight_sums[KERNEL_BLOCK_ROWS];
    int32_t sums[KERNEL_BLOCK_ROWS * KERNEL_PANEL_COLUMNS];
};

struct attention_memory_f32 {
    float keys[ATTENTION_KEYS * KERNEL_MAX_HEAD_SIZE]; /* [head_size][padded] */
    float weights[ATTENTION_KEYS];
};

#endif
