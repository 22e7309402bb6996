/* What one core can do at most, measured beside every speed we print. */
#ifndef RESCOLDO_KERNELS_PEAK_H
#define RESCOLDO_KERNELS_PEAK_H

#include "kernels/kernels.h"

/* 8-bit multiply-accumulates per second of the level's dot instruction on registers, in 10^9; the best of
 * some short runs, about 20 ms in all. */
double kernels_measure_int8_peak(const struct kernels *kernels);

#endif
