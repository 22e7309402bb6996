/* What the CPU has and the operating system lets us use. */
#ifndef RESCOLDO_KERNELS_CPU_H
#define RESCOLDO_KERNELS_CPU_H

enum cpu_feature {
    CPU_AVX2 = 1, /* with FMA */
    CPU_AVXVNNI = 2,
    CPU_AVX512VNNI = 4, /* with F, BW, DQ and VL */
    CPU_NEON = 8,
    CPU_DOTPROD = 16,
    CPU_I8MM = 32,
};

/* A sum of enum cpu_feature. Pure; a few hundred nanoseconds. */
unsigned cpu_features(void);

#endif
