#include "cli/character_width.h"

#include <stddef.h>

/* Ascending; what lies between them takes one column. */
static const struct range {
    uint32_t first, last : 24, width : 8;
} ranges[] = {
#include "character_widths.inc"
};

unsigned character_width(uint32_t point) {
    size_t low = 0, high = sizeof ranges / sizeof ranges[0];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].last < point)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == sizeof ranges / sizeof ranges[0] || point < ranges[low].first)
        return 1;
    return ranges[low].width;
}
