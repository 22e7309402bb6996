/* The compiler-specific words of the kernels, in one place. A level's file defines KERNEL_TARGET (a target
 * attribute, or nothing) before it includes this. */
#ifndef RESCOLDO_KERNELS_TARGET_H
#define RESCOLDO_KERNELS_TARGET_H

#ifndef KERNEL_TARGET
#error "define KERNEL_TARGET before including kernels/target.h"
#endif

#define KERNEL_FUNCTION static KERNEL_TARGET
#define KERNEL_INLINE   static inline KERNEL_TARGET __attribute__((always_inline))
#define KERNEL_NOINLINE static KERNEL_TARGET __attribute__((noinline))

/* The line at an address, into the second-level cache. */
#define KERNEL_PREFETCH(address) __builtin_prefetch(address, 0, 2)

#if defined(__clang__)
#define KERNEL_UNROLL         _Pragma("clang loop unroll(full)")
#define KERNEL_VECTORIZE_BY_8 _Pragma("clang loop vectorize_width(8) interleave_count(1)")
#else
#define KERNEL_UNROLL         _Pragma("GCC unroll 16")
#define KERNEL_VECTORIZE_BY_8 /* what GCC does by itself */
#endif

#endif
