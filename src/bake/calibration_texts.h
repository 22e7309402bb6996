/* The texts that the baker reads to see a model's activations: short and long, prose, questions, code,
 * tables, numbers, several languages and scripts. A constant table, so that a bake is reproducible. */
#ifndef RESCOLDO_BAKE_CALIBRATION_TEXTS_H
#define RESCOLDO_BAKE_CALIBRATION_TEXTS_H

struct calibration_text {
    const char *query, *passage; /* UTF-8 */
};

#define CALIBRATION_TEXT_COUNT 24

extern const struct calibration_text calibration_texts[CALIBRATION_TEXT_COUNT];

#endif
