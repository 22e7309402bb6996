/* Single tensors of a "weights" section: read from the published file a block of rows at a time, converted,
 * written, and listed for the metadata. A part of bake/weights.h, which knows what a BERT consists of. */
#ifndef RESCOLDO_BAKE_TENSOR_WRITER_H
#define RESCOLDO_BAKE_TENSOR_WRITER_H

#include "bake/balance.h"
#include "bake/progress.h"
#include "bake/tensor_store.h"
#include "base/compiler.h"
#include "base/status.h"
#include "formats/ember_writer.h"
#include "formats/model_description.h"
#include "formats/tensor_source.h"

#include <jansson.h>

#define TENSOR_NAME_SIZE        128
#define TENSOR_MAX_LINEAR_PARTS 3 /* query, key, value */

struct tensor_writer {
    const struct tensor_source *source;
    struct tensor_store *store;
    struct ember_writer *ember; /* the store's */
    const struct bake_progress *progress;
    json_t *tensors, *quantization;     /* owned; docs/ember.md */
    uint32_t written, expected;         /* tensors, for progress */
    uint64_t quantized_rows, kept_rows; /* with a scale of their own, and of these with the source's */

    /* One block of rows of the widest matrix, and vectors of the longest layer or table. */
    float *rows;            /* [block][widest] as published */
    float *restored;        /* [block][widest] what the quantized values stand for */
    void *packed;           /* room for [block][widest] floats */
    float *scales;          /* [longest] */
    int32_t *compensation;  /* [longest] */
    float *largest;         /* [widest] of a column of the weights */
    float *bias_shift;      /* [longest] what a transform adds to the bias */
    struct balance balance; /* [widest] */
};

/* One published matrix [outputs][inputs] with its bias [outputs]. */
struct linear_part {
    char weight[TENSOR_NAME_SIZE], bias[TENSOR_NAME_SIZE];
    uint32_t outputs;
};

/* A linear layer put together from parts whose outputs follow one another. */
struct linear_source {
    struct linear_part parts[TENSOR_MAX_LINEAR_PARTS];
    uint32_t count;
    uint32_t outputs; /* of all parts */
    uint32_t inputs;
    /* int8: what the input's columns look like. */
    const struct column_ranges *ranges;
    bool transformed; /* the input is transformed before it is quantized (bake/balance.h) */
    bool after_gelu;
};

/* widest: the most columns of any matrix; longest: the most rows of any. Release with tensor_writer_close,
 * after failure too. */
MUST_CHECK enum status tensor_writer_open(struct tensor_writer *writer, const struct tensor_source *source,
                                          struct tensor_store *store, const struct bake_progress *progress,
                                          uint32_t widest, uint32_t longest, struct error *error);
void tensor_writer_close(struct tensor_writer *writer);

/* Copies source_name [rows][columns], or [rows] when columns is 0, as float32 rows. */
MUST_CHECK enum status tensor_write_rows(struct tensor_writer *writer, const char *name,
                                         const char *source_name, size_t rows, size_t columns,
                                         struct error *error);

/* Writes float32 rows that are in memory. */
MUST_CHECK enum status tensor_write_values(struct tensor_writer *writer, const char *name,
                                           const float *values, size_t rows, size_t columns,
                                           struct error *error);

/* Writes NAME [rows][columns] with one scale per row in NAME.scales. */
MUST_CHECK enum status tensor_write_embedding_int8(struct tensor_writer *writer, const char *name,
                                                   const char *source_name, size_t rows, size_t columns,
                                                   struct error *error);

/* Writes NAME.weight in panels, for int8 NAME.scales and NAME.compensation, and NAME.bias; for int8 with
 * ranges also NAME.input_scale and NAME.input_shift, which the weights and the bias then take into account.
 */
MUST_CHECK enum status tensor_write_linear(struct tensor_writer *writer, const char *name,
                                           enum precision precision, const struct linear_source *linear,
                                           struct error *error);

#endif
