/* What a BERT exported as an ONNX graph consists of: its numbers and its weights, found by what each node
 * does with what it reads, not by names. Float graphs as torch and optimum export them, graphs quantized by
 * ONNX Runtime's quantize_dynamic, and graphs fused by its transformers optimizer come to the same
 * description. */
#ifndef RESCOLDO_FORMATS_ONNX_BERT_H
#define RESCOLDO_FORMATS_ONNX_BERT_H

#include "base/compiler.h"
#include "base/status.h"
#include "formats/model_description.h"
#include "formats/onnx.h"
#include "formats/tensor_source.h"

#define ONNX_WEIGHT_NAME_SIZE 96

enum onnx_scale_axis {
    ONNX_SCALE_NONE, /* float values */
    ONNX_SCALE_ALL,  /* one scale for all */
    ONNX_SCALE_ROWS, /* one for each row as stored */
    ONNX_SCALE_COLUMNS,
};

/* A constant matrix or vector as the graph uses it: value = (stored - zero) * scale. */
struct onnx_matrix {
    const struct onnx_tensor *values, *scale, *zero; /* scale and zero may be NULL */
    enum onnx_scale_axis scale_axis;
    bool is_vector;
    bool transposed;         /* against how it is stored */
    uint64_t rows, columns;  /* as stored */
    uint64_t first, outputs; /* of the rows of the result: the part that is used */
};

/* One weight under the name that it has in a published safetensors file
 * ("encoder.layer.0.output.dense.weight"). */
struct onnx_weight {
    char name[ONNX_WEIGHT_NAME_SIZE];
    struct onnx_matrix matrix; /* values NULL: the graph adds nothing here; zeros */
    uint64_t rows, columns;    /* columns 0: a vector */
    bool repeated;             /* every row is the matrix's first */
};

struct onnx_bert {
    const struct onnx *onnx; /* borrowed */
    enum model_kind kind;
    struct model_shape shape; /* complete */
    bool has_pooling;         /* the graph's output is a vector already */
    enum pooling pooling;
    bool normalize;
    bool one_segment;            /* it adds the same segment embedding to every token */
    uint32_t fused;              /* nodes of ONNX Runtime's own operators */
    uint32_t quantized, floats;  /* matrices and tables */
    uint32_t per_channel;        /* of the quantized ones */
    struct onnx_weight *weights; /* owned, [weight_count] */
    uint32_t weight_count;
};

/* Recognises the whole graph. A node that is not understood is named with its operator, name, number and
 * offset (STATUS_UNSUPPORTED). onnx must outlive bert. Release with onnx_bert_free, after failure too. */
MUST_CHECK enum status onnx_bert_recognise(const struct onnx *onnx, struct onnx_bert *bert,
                                           struct error *error);
void onnx_bert_free(struct onnx_bert *bert);

/* The weights as a source of tensors, which borrows from bert. */
struct tensor_source onnx_bert_tensors(const struct onnx_bert *bert);

/* In a sentence: layers, sizes, how it is quantized. */
void onnx_bert_describe(const struct onnx_bert *bert, char *text, size_t size);

#endif
