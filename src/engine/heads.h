/* From the encoder's last rows to what the user sees. Plain C in a fixed order of operations, without library
 * functions whose last digit depends on the CPU: equal input, equal bits, on every machine. */
#ifndef RESCOLDO_ENGINE_HEADS_H
#define RESCOLDO_ENGINE_HEADS_H

#include <stddef.h>

/* The logit of a cross-encoder with one label: weight . tanh(pooled) + bias over `size` values. pooled is the
 * pooler's linear output (BertForSequenceClassification in Hugging Face transformers). */
float classify(const float *pooled, const float *weight, float bias, size_t size);

/* The mean of `rows` rows of `size` values. */
void pool_mean(const float *values, size_t rows, size_t size, float *mean);

/* Divides by the Euclidean norm, as torch.nn.functional.normalize (floor of 1e-12). */
void normalize_l2(float *vector, size_t size);

/* 1 / (1 + e^-logit). */
float sigmoid(float logit);

/* The cosine of the angle between two vectors; 0 when one is zero. */
float cosine(const float *a, const float *b, size_t size);

#endif
