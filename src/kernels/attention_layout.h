/* The working memory of one call of attention, carved from the caller's scratch; its own header so that the
 * caller's size computation sees it. */
#ifndef RESCOLDO_KERNELS_ATTENTION_LAYOUT_H
#define RESCOLDO_KERNELS_ATTENTION_LAYOUT_H

#include "kernels/kernels.h"

#define ATTENTION_KEYS KERNEL_MAX_SEQUENCE

/* Scores of one group of queries: they stay in the first-level cache. Short sequences have many queries in a
 * group, so that the horizontal operations of one row hide behind other rows. */
#define ATTENTION_SCORES     (KERNEL_BLOCK_ROWS * ATTENTION_KEYS)
#define ATTENTION_GROUP_ROWS (ATTENTION_SCORES / KERNEL_PANEL_COLUMNS)

struct attention_memory {
    int8_t keys[ATTENTION_KEYS * KERNEL_MAX_HEAD_SIZE];   /* [tokens/32][head_size/4][32][4] */
    int8_t values[ATTENTION_KEYS * KERNEL_MAX_HEAD_SIZE]; /* [head_size/32][tokens/4][32][4] */
    int32_t key_starts[ATTENTION_KEYS];                   /* where the sums of each key's scores begin */
    int32_t value_sums[KERNEL_MAX_HEAD_SIZE];
    float key_scales[KERNEL_MAX_HEAD_SIZE];
    float value_scales[KERNEL_MAX_HEAD_SIZE];
    float value_means[KERNEL_MAX_HEAD_SIZE];
    float value_offsets[KERNEL_MAX_HEAD_SIZE]; /* middle of the range - mean */
    uint8_t queries[ATTENTION_GROUP_ROWS * KERNEL_MAX_HEAD_SIZE];
    float query_scales[ATTENTION_GROUP_ROWS];
    int32_t scores[ATTENTION_SCORES];         /* [rows of the group][padded tokens], as floats' bits */
    uint8_t weights[ATTENTION_SCORES];        /* the same, 255 at each row's maximum */
    float byte_sums[ATTENTION_GROUP_ROWS];    /* of a row's weight bytes */
    float inverse_sums[ATTENTION_GROUP_ROWS]; /* 1 / the sum of a row's weights before they were rounded */
    int32_t partial_byte_sums[ATTENTION_GROUP_ROWS * 16];
    float partial_sums[ATTENTION_GROUP_ROWS * 16];
    float scaled_queries[ATTENTION_GROUP_ROWS * KERNEL_MAX_HEAD_SIZE];
    int32_t sums[KERNEL_BLOCK_ROWS * KERNEL_PANEL_COLUMNS];
};

struct attention_memory_f32 {
    float keys[ATTENTION_KEYS * KERNEL_MAX_HEAD_SIZE]; /* [head_size][padded] */
    float weights[ATTENTION_KEYS];
};

#endif
