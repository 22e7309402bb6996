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

/* The same with scales given, such as those that the weights were quantized with before: values that are
 * whole multiples of them, at most 127 times, are kept exactly. */
void pack_linear_int8_scaled(const float *weights, size_t outputs, size_t inputs, const float *scales,
                             int8_t *panels, int32_t *compensation);

/* The float weights [outputs][inputs] that the panels stand for: what quantization made of them. */
void unpack_linear_int8(const int8_t *panels, const float *scales, size_t outputs, size_t inputs,
                        float *weights);

/* Reorders to panels [outputs/32][inputs][32]. */
void pack_linear_f32(const float *weights, size_t outputs, size_t inputs, float *panels);

/* Quantizes each row of an embedding table symmetrically: values [rows][columns], scales [rows]. */
void pack_embedding_int8(const float *table, size_t rows, size_t columns, int8_t *values, float *scales);
/* With scales given. */
void pack_embedding_int8_scaled(const float *table, size_t rows, size_t columns, const float *scales,
                                int8_t *values);

/* The scale that the functions above choose for a row: its largest magnitude / 127, or 0 for a row of zeros.
 */
float pack_symmetric_scale(const float *values, size_t count);

#endif
