#include "base/json_number.h"

#include <math.h>
#include <stdio.h>

size_t json_number_print(float value, char text[JSON_NUMBER_SIZE]) {
    int length = isfinite(value) ? snprintf(text, JSON_NUMBER_SIZE, "%.9g", (double)value)
                                 : snprintf(text, JSON_NUMBER_SIZE, "null");
    return length < 0 ? 0 : (size_t)length;
}
