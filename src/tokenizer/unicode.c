#include "tokenizer/unicode.h"

#define HANGUL_FIRST          0xAC00u
#define HANGUL_COUNT          11172u
#define HANGUL_VOWELS         21u
#define HANGUL_TRAILING_COUNT 28u
#define JAMO_LEADING_FIRST    0x1100u
#define JAMO_VOWEL_FIRST      0x1161u
#define JAMO_TRAILING_FIRST   0x11A7u /* one before the first: index 0 means none */

/* Unicode 17, section 3.12.3: Hangul Syllable Decomposition. */
static unsigned decompose_hangul(uint32_t point, uint32_t decomposed[UNICODE_MAX_DECOMPOSITION]) {
    uint32_t syllable = point - HANGUL_FIRST;
    uint32_t trailing = syllable % HANGUL_TRAILING_COUNT;
    decomposed[0] = JAMO_LEADING_FIRST + syllable / (HANGUL_VOWELS * HANGUL_TRAILING_COUNT);
    decomposed[1] = JAMO_VOWEL_FIRST + syllable / HANGUL_TRAILING_COUNT % HANGUL_VOWELS;
    decomposed[2] = JAMO_TRAILING_FIRST + trailing;
    return trailing == 0 ? 2 : 3;
}

unsigned unicode_decompose(uint32_t point, uint32_t decomposed[UNICODE_MAX_DECOMPOSITION]) {
    decomposed[0] = point;
    if ((unicode_flags(point) & UNICODE_DECOMPOSES) == 0)
        return 1;
    if (point - HANGUL_FIRST < HANGUL_COUNT)
        return decompose_hangul(point, decomposed);
    size_t low = 0, high = unicode_decomposition_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unicode_decompositions[middle].point < point)
            low = middle + 1;
        else
            high = middle;
    }
    const struct unicode_decomposition *found = &unicode_decompositions[low];
    for (unsigned i = 0; i < found->count; i++)
        decomposed[i] = unicode_decomposed[found->offset + i];
    return found->count;
}

unsigned unicode_lowercase(uint32_t point, uint32_t lowered[UNICODE_MAX_LOWERCASE]) {
    lowered[0] = point;
    if ((unicode_flags(point) & UNICODE_LOWERCASES) == 0)
        return 1;
    if (point == 0x130) { /* capital I with dot above: the only one that becomes two */
        lowered[0] = 'i';
        lowered[1] = 0x307;
        return 2;
    }
    size_t low = 0, high = unicode_lowercase_range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unicode_lowercase_ranges[middle].last < point)
            low = middle + 1;
        else
            high = middle;
    }
    lowered[0] = (uint32_t)((int32_t)point + unicode_lowercase_ranges[low].delta);
    return 1;
}

unsigned unicode_combining_rank(uint32_t point) {
    if ((unicode_flags(point) & UNICODE_REORDERS) == 0)
        return 0;
    size_t low = 0, high = unicode_combining_range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unicode_combining_ranges[middle].last < point)
            low = middle + 1;
        else
            high = middle;
    }
    return unicode_combining_ranges[low].rank;
}
