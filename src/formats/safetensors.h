/* Reader of safetensors files (the format of the `safetensors` library): an 8-byte little-endian header size,
 * a JSON header {name: {dtype, shape, data_offsets}}, and the tensors' bytes, which the header must cover
 * without overlap or hole. https://huggingface.co/docs/safetensors/index#format */
#ifndef RESCOLDO_FORMATS_SAFETENSORS_H
#define RESCOLDO_FORMATS_SAFETENSORS_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define SAFETENSORS_MAX_HEADER     ((size_t)4 << 20) /* bytes; BERT-large has about 60,000 */
#define SAFETENSORS_MAX_DIMENSIONS 8u

enum safetensor_type {
    SAFETENSOR_F32 = 0,
    SAFETENSOR_F16 = 1,  /* IEEE 754 binary16 */
    SAFETENSOR_BF16 = 2, /* the upper half of a float32 */
    SAFETENSOR_OTHER =
        3, /* known to the format, never a weight of ours (integers, booleans, float64, float8) */
};

struct safetensor {
    const char *name;      /* borrowed from the reader */
    const char *type_name; /* as the file spells it, borrowed */
    enum safetensor_type type;
    uint32_t dimensions;
    uint64_t shape[SAFETENSORS_MAX_DIMENSIONS];
    struct bytes data;    /* borrowed from the file; any alignment */
    uint64_t file_offset; /* of data */
    size_t elements;
};

struct safetensors {
    const char *file_name;      /* borrowed, for messages */
    json_t *header;             /* owned */
    struct safetensor *tensors; /* owned, [count], by offset */
    size_t count;
};

/* Checks the whole header (sizes, types, shapes, that the tensors tile the data) and keeps views into file,
 * which must outlive the reader. Messages name the file, the tensor and the offset. Release with
 * safetensors_close. */
MUST_CHECK enum status safetensors_open(struct safetensors *reader, struct bytes file, const char *file_name,
                                        struct error *error);
void safetensors_close(struct safetensors *reader);

/* NULL when there is none of that name. */
const struct safetensor *safetensors_find(const struct safetensors *reader, const char *name);

/* Converts elements [first, first + count) to float32. STATUS_INVALID_DATA when one is infinite or NaN (its
 * index and file offset are named), STATUS_UNSUPPORTED for SAFETENSOR_OTHER. */
MUST_CHECK enum status safetensor_read_f32(const struct safetensors *reader, const struct safetensor *tensor,
                                           size_t first, size_t count, float *values, struct error *error);

#endif
