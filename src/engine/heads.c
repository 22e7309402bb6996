#include "engine/heads.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^x to about 1e-15 for |x| < 700, by 2^n * e^r with |r| <= ln(2) / 2 and the Taylor series of e^r (Cody and
 * Waite 1980 for the reduction). */
static double exponential(double x) {
    if (x < -700)
        return 0;
    if (x > 700)
        return INFINITY;
    double n = floor(x * 1.4426950408889634 + 0.5);
    double r = x - n * 6.93147180369123816490e-01; /* ln 2 in two parts, the first exact times n */
    r -= n * 1.90821492927058770002e-10;
    double sum = 1;
    for (int i = 13; i > 0; i--)
        sum = 1 + sum * r / i;
    uint64_t bits = (uint64_t)(1023 + (int64_t)n) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

static double hyperbolic_tangent(double x) {
    double e = exponential(-2 * fabs(x));
    double result = (1 - e) / (1 + e);
    return x < 0 ? -result : result;
}

float classify(const float *pooled, const float *weight, float bias, size_t size) {
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += hyperbolic_tangent((double)pooled[i]) * (double)weight[i];
    return (float)(sum + (double)bias);
}

void pool_mean(const float *values, size_t rows, size_t size, float *mean) {
    memcpy(mean, values, size * sizeof *mean);
    for (size_t r = 1; r < rows; r++)
        for (size_t i = 0; i < size; i++)
            mean[i] += values[r * size + i];
    for (size_t i = 0; i < size; i++)
        mean[i] /= (float)rows;
}

static double dot(const float *a, const float *b, size_t size) {
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

void normalize_l2(float *vector, size_t size) {
    double norm = fmax(sqrt(dot(vector, vector, size)), 1e-12);
    for (size_t i = 0; i < size; i++)
        vector[i] = (float)((double)vector[i] / norm);
}

float sigmoid(float logit) {
    return (float)(1 / (1 + exponential(-(double)logit)));
}

float cosine(const float *a, const float *b, size_t size) {
    double norms = sqrt(dot(a, a, size)) * sqrt(dot(b, b, size));
    return norms > 0 ? (float)(dot(a, b, size) / norms) : 0;
}
