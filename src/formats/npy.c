#include "formats/npy.h"

#include <stdio.h>
#include <string.h>

void npy_header_f32(size_t rows, size_t columns, unsigned char header[NPY_HEADER_SIZE]) {
    /* Magic and version, the little-endian length of what follows, a Python dictionary padded with spaces and
     * ended by a newline. Two sizes of 20 digits leave it below 110 characters. */
    static const char magic[] = "\x93NUMPY\x01\x00";
    const size_t prefix = sizeof magic - 1 + 2;
    char dictionary[NPY_HEADER_SIZE];
    int length = snprintf(dictionary, sizeof dictionary,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, columns);
    memset(header, ' ', NPY_HEADER_SIZE);
    memcpy(header, magic, sizeof magic - 1);
    header[sizeof magic - 1] = (unsigned char)(NPY_HEADER_SIZE - prefix);
    header[sizeof magic] = 0;
    memcpy(header + prefix, dictionary, (size_t)length);
    header[NPY_HEADER_SIZE - 1] = '\n';
}
