/* The tables of all levels, for kernels_select; and what a level's tile says to its template. */
#ifndef RESCOLDO_KERNELS_LEVELS_H
#define RESCOLDO_KERNELS_LEVELS_H

#include "kernels/kernels.h"

#define FORM_U8 1
#define FORM_S8 2

/* Where a tile's sums begin (int8_template.h). */
enum tile_start { START_ZERO, START_PLUS_SUMS, START_MINUS_SUMS };

extern const struct kernels kernels_reference;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avxvnni, kernels_avx512vnni;
#elif defined(__aarch64__)
extern const struct kernels kernels_neon, kernels_dotprod, kernels_i8mm;
#endif

#endif
