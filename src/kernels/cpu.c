#include "kernels/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>

/* The register sets that the operating system saves: Intel SDM volume 1, section 13.3; AMD APM volume
 * 2, 11.5.2. */
static uint64_t saved_register_sets(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

#define XCR0_AVX    0x06u /* xmm and the upper halves of ymm */
#define XCR0_AVX512 0xe0u /* mask registers, upper halves of zmm0-15, zmm16-31 */

/* Bit positions: Intel SDM volume 2, CPUID leaves 1 and 7. */
unsigned cpu_features(void) {
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & 1u << 27) || !(ecx & 1u << 28))
        return 0;
    int has_fma = (ecx & 1u << 12) != 0;
    uint64_t saved = saved_register_sets();
    if ((saved & XCR0_AVX) != XCR0_AVX || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        return 0;
    unsigned features = 0;
    const uint32_t avx512_foundation = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    if ((ebx & 1u << 5) && has_fma)
        features |= CPU_AVX2;
    if ((saved & XCR0_AVX512) == XCR0_AVX512 && (ebx & avx512_foundation) == avx512_foundation &&
        (ecx & 1u << 11))
        features |= CPU_AVX512VNNI;
    if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & 1u << 4))
        features |= CPU_AVXVNNI;
    return features;
}

#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

/* Linux, Documentation/arm64/elf_hwcaps.rst. */
unsigned cpu_features(void) {
    unsigned long capabilities = getauxval(AT_HWCAP);
    unsigned features = 0;
    if (capabilities & HWCAP_ASIMD)
        features |= CPU_NEON;
    if (capabilities & HWCAP_ASIMDDP)
        features |= CPU_DOTPROD;
    if (getauxval(AT_HWCAP2) & HWCAP2_I8MM)
        features |= CPU_I8MM;
    return features;
}

#else

unsigned cpu_features(void) {
    return 0;
}

#endif
