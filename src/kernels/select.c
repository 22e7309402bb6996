#include "kernels/attention_layout.h"
#include "kernels/cpu.h"
#include "kernels/kernels.h"
#include "kernels/levels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct level {
    const struct kernels *kernels;
    unsigned needs; /* of enum cpu_feature */
    const char *family;
};

/* From the slowest to the fastest. */
static const struct level levels[] = {
    {&kernels_reference, 0, "reference"},
#if defined(__x86_64__)
    {&kernels_avx2, CPU_AVX2, "avx2"},
    {&kernels_avxvnni, CPU_AVX2 | CPU_AVXVNNI, "avxvnni"},
    {&kernels_avx512vnni, CPU_AVX512VNNI, "avx512"},
#elif defined(__aarch64__)
    {&kernels_neon, CPU_NEON, "neon"},
    {&kernels_dotprod, CPU_NEON | CPU_DOTPROD, "dotprod"},
    {&kernels_i8mm, CPU_NEON | CPU_DOTPROD | CPU_I8MM, "i8mm"},
#endif
};

#define LEVEL_COUNT (sizeof levels / sizeof levels[0])

static bool list_contains(const char *list, const char *name) {
    size_t length = strlen(name);
    while (list != NULL && *list != '\0') {
        size_t item = strcspn(list, ",");
        if (item == length && strncmp(list, name, length) == 0)
            return true;
        list += item + (list[item] == ',');
    }
    return false;
}

static bool disabled(const struct level *level) {
    const char *list = getenv("RESCOLDO_DISABLE_ISA");
    return list_contains(list, level->kernels->name) || list_contains(list, level->family) ||
           list_contains(list, "all");
}

size_t kernels_available(const struct kernels **available, size_t capacity) {
    unsigned features = cpu_features();
    size_t count = 0;
    for (size_t i = 0; i < LEVEL_COUNT && count < capacity; i++)
        if ((levels[i].needs & ~features) == 0)
            available[count++] = levels[i].kernels;
    return count;
}

const struct kernels *kernels_select(void) {
    unsigned features = cpu_features();
    for (size_t i = LEVEL_COUNT - 1; i > 0; i--)
        if ((levels[i].needs & ~features) == 0 && !disabled(&levels[i]))
            return levels[i].kernels;
    return &kernels_reference;
}

size_t kernels_scratch_size(size_t intermediate_size) {
    size_t block = KERNEL_BLOCK_ROWS * intermediate_size * sizeof(float);
    size_t attention = sizeof(struct attention_memory) > sizeof(struct attention_memory_f32)
                           ? sizeof(struct attention_memory)
                           : sizeof(struct attention_memory_f32);
    return block > attention ? block : attention;
}
