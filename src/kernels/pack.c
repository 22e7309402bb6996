#include "kernels/pack.h"

#include "kernels/kernels.h"

#include <math.h>

#define PANEL_INPUTS    4u /* one 32-bit lane of vpdpbusd, sdot: four int8 products */
#define LARGEST_VALUE   127
#define ACTIVATION_ZERO 128 /* unsigned activations are signed ones plus this */

static float largest_magnitude(const float *values, size_t count) {
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(values[i]));
    return largest;
}

/* A row whose largest magnitude is so small that the scale would lose its precision is a row of zeros. */
float pack_symmetric_scale(const float *values, size_t count) {
    float scale = largest_magnitude(values, count) / LARGEST_VALUE;
    return isnormal(scale) ? scale : 0;
}

static int8_t quantize(float value, float scale) {
    if (!(scale > 0))
        return 0;
    float rounded = rintf(value / scale);
    return (int8_t)fminf(fmaxf(rounded, -LARGEST_VALUE), LARGEST_VALUE);
}

/* Where the weight from `input` to `output` lies in [outputs/32][inputs/4][32][4]. */
static size_t int8_panel_place(size_t output, size_t input, size_t inputs) {
    size_t panel = output / KERNEL_PANEL_COLUMNS, column = output % KERNEL_PANEL_COLUMNS;
    size_t group = panel * (inputs / PANEL_INPUTS) + input / PANEL_INPUTS;
    return (group * KERNEL_PANEL_COLUMNS + column) * PANEL_INPUTS + input % PANEL_INPUTS;
}

static size_t f32_panel_place(size_t output, size_t input, size_t inputs) {
    size_t panel = output / KERNEL_PANEL_COLUMNS, column = output % KERNEL_PANEL_COLUMNS;
    return (panel * inputs + input) * KERNEL_PANEL_COLUMNS + column;
}

void pack_linear_int8_scaled(const float *weights, size_t outputs, size_t inputs, const float *scales,
                             int8_t *panels, int32_t *compensation) {
    for (size_t output = 0; output < outputs; output++) {
        const float *row = weights + output * inputs;
        int32_t sum = 0;
        for (size_t input = 0; input < inputs; input++) {
            int8_t value = quantize(row[input], scales[output]);
            panels[int8_panel_place(output, input, inputs)] = value;
            sum += value;
        }
        compensation[output] = -ACTIVATION_ZERO * sum;
    }
}

void pack_linear_int8(const float *weights, size_t outputs, size_t inputs, int8_t *panels, float *scales,
                      int32_t *compensation) {
    for (size_t output = 0; output < outputs; output++)
        scales[output] = pack_symmetric_scale(weights + output * inputs, inputs);
    pack_linear_int8_scaled(weights, outputs, inputs, scales, panels, compensation);
}

void unpack_linear_int8(const int8_t *panels, const float *scales, size_t outputs, size_t inputs,
                        float *weights) {
    for (size_t output = 0; output < outputs; output++) {
        for (size_t input = 0; input < inputs; input++)
            weights[output * inputs + input] =
                (float)panels[int8_panel_place(output, input, inputs)] * scales[output];
    }
}

void pack_linear_f32(const float *weights, size_t outputs, size_t inputs, float *panels) {
    for (size_t output = 0; output < outputs; output++) {
        for (size_t input = 0; input < inputs; input++)
            panels[f32_panel_place(output, input, inputs)] = weights[output * inputs + input];
    }
}

void pack_embedding_int8_scaled(const float *table, size_t rows, size_t columns, const float *scales,
                                int8_t *values) {
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++)
            values[row * columns + column] = quantize(table[row * columns + column], scales[row]);
    }
}

void pack_embedding_int8(const float *table, size_t rows, size_t columns, int8_t *values, float *scales) {
    for (size_t row = 0; row < rows; row++)
        scales[row] = pack_symmetric_scale(table + row * columns, columns);
    pack_embedding_int8_scaled(table, rows, columns, scales, values);
}
