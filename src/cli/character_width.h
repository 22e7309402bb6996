/* How many columns of a terminal a character takes, as utf8proc says (scripts/character-widths.c). */
#ifndef RESCOLDO_CLI_CHARACTER_WIDTH_H
#define RESCOLDO_CLI_CHARACTER_WIDTH_H

#include <stdint.h>

#define CHARACTER_CONTROL 3u /* no character to be shown: categories Cc, Cf, Zl and Zp */

/* 0, 1 or 2 columns, or CHARACTER_CONTROL. */
unsigned character_width(uint32_t point);

#endif
