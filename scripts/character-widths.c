/* Run while building: asks utf8proc about every code point and prints the ranges of
 * src/cli/character_width.c, so that the program carries some kilobytes of what a terminal needs instead of
 * the whole Unicode database. */
#include <stdio.h>
#include <utf8proc.h>

#define CONTROL 3 /* CHARACTER_CONTROL */

static int kind_of(utf8proc_int32_t point) {
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return CONTROL;
    default:
        return utf8proc_charwidth(point);
    }
}

int main(void) {
    utf8proc_int32_t first = 0;
    for (utf8proc_int32_t point = 1; point <= 0x110000; point++) {
        if (point < 0x110000 && kind_of(point) == kind_of(first))
            continue;
        if (kind_of(first) != 1)
            printf("{0x%x, 0x%x, %d},\n", (unsigned)first, (unsigned)point - 1, kind_of(first));
        first = point;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
