/* Weights as published (row-major float32 [outputs][inputs], as torch.nn.Linear stores them) to the layouts
 * that the kernels read. Pure functions, bake time only. */
#ifndef RESCOLDO_KERNELS_PACK_H
#define RESCOLDO_KERNELS_PACK_H

#include <stddef.h>
#include <stdint.h>

/* Quantizes each output's weights symmetrically (scale = largest magnitude / 127, round half to even) into
 * panels [outputs/32][inputs/4][32][4], scales [outputs] and compensation [outputs] (struct linear). */
void pack_linear_int8(const float *weights, size_t outputs, size_t inputs, int8_t *panels, float *scales,
                      int32_t *compensation);

/* The float weights [outputs][inputs] that the panels stand for: what quantization made of them. */
void unpack_linear_int8(const int8_t *panels, const float *scales, size_t outputs, size_t inputs,
                        float *weights);

/* Reorders to panels [outputs/32][inputs][32]. */
void pack_linear_f32(const float *weights, size_t outputs, size_t inputs, float *panels);

/* Quantizes each row of an embedding table symmetrically: values [rows][columns], scales [rows]. */
void pack_embedding_int8(const float *table, size_t rows, size_t columns, int8_t *values, float *scales);

#endif
