/* The one way rescoldo prints a float32 as a JSON number (RFC 8259, section 6), so that the command line and
 * every HTTP dialect agree to the last digit. Nine significant digits bring every finite float32 back to the
 * same bits (IEEE 754-2019, section 5.12.2: 1 + ceil(24 * log10(2)) = 9). */
#ifndef RESCOLDO_BASE_JSON_NUMBER_H
#define RESCOLDO_BASE_JSON_NUMBER_H

#include <stddef.h>

#define JSON_NUMBER_SIZE 24u /* room for the longest, "-1.17549435e-38", and its NUL */

/* Writes value, NUL-terminated, and returns its length. JSON has no infinity and no NaN: they become "null".
 */
size_t json_number_print(float value, char text[JSON_NUMBER_SIZE]);

#endif
