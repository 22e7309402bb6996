/* Named float32 tensors, whatever file they come from. */
#ifndef RESCOLDO_FORMATS_TENSOR_SOURCE_H
#define RESCOLDO_FORMATS_TENSOR_SOURCE_H

#include "base/compiler.h"
#include "base/status.h"
#include "formats/safetensors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_tensor {
    const char *name; /* borrowed from the source */
    uint32_t dimensions;
    uint64_t shape[SAFETENSORS_MAX_DIMENSIONS];
    uint64_t file_offset;
    const void *tensor; /* the source's own */
};

struct tensor_source {
    const char *file_name; /* for messages, borrowed */
    const void *reader;    /* borrowed */
    /* False when there is none of that name. */
    bool (*find)(const void *reader, const char *name, struct source_tensor *tensor);
    /* Elements [first, first + count) in row-major order. STATUS_INVALID_DATA when one is infinite or NaN. */
    enum status (*read)(const void *reader, const struct source_tensor *tensor, size_t first, size_t count,
                        float *values, struct error *error);
    /* The scale of a row whose values are whole multiples of it, at most 127 times; 0 where there is none. */
    float (*row_scale)(const void *reader, const struct source_tensor *tensor, size_t row);
};

/* Of an open safetensors file, which it borrows. */
struct tensor_source safetensors_tensors(const struct safetensors *reader);

#endif
