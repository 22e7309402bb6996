/* NumPy's .npy files (NumPy Enhancement Proposal 1, format version 1.0), as far as we write them. */
#ifndef RESCOLDO_FORMATS_NPY_H
#define RESCOLDO_FORMATS_NPY_H

#include <stddef.h>

#define NPY_HEADER_SIZE ((size_t)128) /* a multiple of 64, so that the data may be mapped */

/* The header of a little-endian float32 matrix [rows][columns] in C order; the data follow it. */
void npy_header_f32(size_t rows, size_t columns, unsigned char header[NPY_HEADER_SIZE]);

#endif
