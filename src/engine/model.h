/* An opened model: typed views of an ember's tensors, checked once, read-only, shared by all threads. */
#ifndef RESCOLDO_ENGINE_MODEL_H
#define RESCOLDO_ENGINE_MODEL_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"
#include "formats/ember.h"
#include "kernels/kernels.h"
#include "tokenizer/tokenizer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum model_kind {
    MODEL_CROSS_ENCODER = 0, /* a pair to one logit */
    MODEL_EMBEDDER = 1,      /* a text to one vector */
};

enum precision {
    PRECISION_INT8 = 0,
    PRECISION_F32 = 1,
};

enum pooling {
    POOLING_MEAN = 0, /* mean over all tokens, [CLS] and [SEP] included */
    POOLING_CLS = 1,
};

/* The numbers of a BERT encoder (Devlin et al. 2019), named as in config.json where it has a name. */
struct model_shape {
    uint32_t hidden_size;
    uint32_t layers;
    uint32_t attention_heads;
    uint32_t head_size; /* hidden_size / attention_heads */
    uint32_t intermediate_size;
    uint32_t vocabulary_size;
    uint32_t max_positions;
    uint32_t segment_types;
    float layer_norm_epsilon;
};

struct layer_norm {
    const float *weight, *bias; /* [hidden_size] */
};

struct encoder_layer {
    struct linear query_key_value;  /* hidden_size to 3 * hidden_size: all of Q, then K, then V */
    struct linear attention_output; /* hidden_size to hidden_size */
    struct layer_norm attention_norm;
    struct linear intermediate; /* hidden_size to intermediate_size, then GELU */
    struct linear output;       /* intermediate_size to hidden_size */
    struct layer_norm output_norm;
};

struct model {
    char name[128];
    enum model_kind kind;
    enum precision precision;
    enum pooling pooling; /* of an embedder */
    bool normalize;       /* an embedder's vector is divided by its L2 norm */
    uint32_t max_length;  /* tokens, [CLS] and [SEP] included */
    struct model_shape shape;
    struct embedding_tables embeddings;
    struct layer_norm embedding_norm;
    struct encoder_layer *layers; /* [shape.layers] */
    struct linear pooler;         /* cross-encoder: hidden_size to hidden_size, then tanh; always float32 */
    const float *classifier_weight; /* [hidden_size] */
    float classifier_bias;
    struct tokenizer tokenizer;

    struct file_mapping mapping; /* owned */
    struct ember ember;
    json_t *metadata; /* owned; the whole metadata section, for inspect and /info */
};

struct model_options {
    bool verify_checksums; /* read the whole file and compare; default: only what opening needs */
};

/* Opens an ember: maps it, validates the header, the metadata, every tensor's offset, length and shape, and the
 * tokenizer section. Messages name the path and the section or tensor. options may be NULL. */
MUST_CHECK enum status model_open(const char *path, const struct model_options *options, struct model **model,
                                  struct error *error);
/* The same over a whole ember already in memory, which must outlive the model; name is for messages. */
MUST_CHECK enum status model_open_bytes(struct bytes file, const char *name, const struct model_options *options,
                                        struct model **model, struct error *error);
void model_close(struct model *model);

const char *model_kind_name(enum model_kind kind); /* "cross-encoder", "embedder" */
const char *precision_name(enum precision precision); /* "int8", "f32" */
const char *pooling_name(enum pooling pooling);       /* "mean", "cls" */

#endif
