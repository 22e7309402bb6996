/* Constant tensors of an ONNX file: their shape, type and bytes, wherever the file keeps them (raw, in lists
 * of numbers, or in a file beside it). https://onnx.ai/onnx/repo-docs/IR.html#tensor-definition */
#ifndef RESCOLDO_FORMATS_ONNX_TENSOR_H
#define RESCOLDO_FORMATS_ONNX_TENSOR_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <onnx.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ONNX_MAX_DIMENSIONS 8u

struct onnx_tensor {
    Onnx__TensorProto *proto; /* without contents; owned by the reader of the file, or by a node of it */
    const char *name;
    int32_t type; /* ONNX__TENSOR_PROTO__DATA_TYPE__... */
    uint32_t dimensions;
    uint64_t shape[ONNX_MAX_DIMENSIONS];
    size_t elements;
    struct bytes data;    /* little-endian, [elements]; borrowed, or owned_data */
    uint64_t file_offset; /* of the tensor in the ONNX file */
    void *owned_data;     /* numbers that had to be decoded */
};

/* Lists of numbers in place of raw bytes, as they are in the file. */
struct onnx_contents {
    struct bytes raw, floats, integers32, integers64;
    bool has_raw, has_floats, has_integers32, has_integers64;
};

/* Completes a tensor whose proto is set: type, shape and data, every size checked. external: the contents of
 * the file that the tensor names, where its bytes lie outside; else ignored. Messages begin with where. */
MUST_CHECK enum status onnx_tensor_complete(struct onnx_tensor *tensor, const struct onnx_contents *contents,
                                            struct bytes external, const char *where, struct error *error);

bool onnx_tensor_is_external(const Onnx__TensorProto *proto);
/* The value that a tensor outside of the file gives for key ("location", "offset", "length"), NULL where
 * none. */
const char *onnx_tensor_external(const Onnx__TensorProto *proto, const char *key);

/* Element i as a number; exact for every type that onnx_tensor_complete accepts but integers beyond 2^53. */
double onnx_tensor_number(const struct onnx_tensor *tensor, size_t i);
int64_t onnx_tensor_integer(const struct onnx_tensor *tensor, size_t i);
/* Integers, booleans not counted. */
bool onnx_tensor_is_integer(const struct onnx_tensor *tensor);
/* int8 or uint8. */
bool onnx_tensor_is_quantized(const struct onnx_tensor *tensor);
bool onnx_tensor_is_float(const struct onnx_tensor *tensor);

const char *onnx_type_name(int32_t type);

#endif
