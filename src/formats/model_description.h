/* What a published model is: its kind, its numbers and how its output is made. Read from published files by
 * formats/huggingface.h at bake time, from an ember's metadata by engine/model.h. */
#ifndef RESCOLDO_FORMATS_MODEL_DESCRIPTION_H
#define RESCOLDO_FORMATS_MODEL_DESCRIPTION_H

#include "base/compiler.h"
#include "base/status.h"

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

/* The bounds within which a shape is believed, far above any BERT published; they keep every size computed
 * from a shape well inside 64 bits. */
#define MODEL_MAX_HIDDEN_SIZE       8192u
#define MODEL_MAX_LAYERS            128u
#define MODEL_MAX_INTERMEDIATE_SIZE 32768u
#define MODEL_MAX_VOCABULARY_SIZE   2000000u
#define MODEL_MAX_POSITIONS         65536u
#define MODEL_MAX_SEGMENT_TYPES     16u

#define MODEL_PROMPT_SIZE 256u /* bytes of a prompt, with its NUL */

/* What an embedder was trained to read before a text, "" where nothing. */
struct model_prompts {
    char query[MODEL_PROMPT_SIZE];
    char passage[MODEL_PROMPT_SIZE];
};

struct model_description {
    char architecture[64]; /* "BertModel", "BertForSequenceClassification" */
    enum model_kind kind;
    struct model_shape shape;
    uint32_t max_length;  /* tokens, special tokens included: at most max_positions and KERNEL_MAX_SEQUENCE */
    enum pooling pooling; /* of an embedder */
    bool normalize;       /* an embedder's vector is divided by its L2 norm */
    struct model_prompts prompts;  /* of an embedder */
    char label[64];                /* of a cross-encoder's one output, "" where none is published */
    char published_activation[96]; /* what the reference applies to the logit by default, "" where not said */
};

const char *model_kind_name(enum model_kind kind);    /* "cross-encoder", "embedder" */
const char *precision_name(enum precision precision); /* "int8", "f32" */
const char *pooling_name(enum pooling pooling);       /* "mean", "cls" */

/* False when the name is none of the above. */
bool model_kind_from_name(const char *name, enum model_kind *kind);
bool precision_from_name(const char *name, enum precision *precision);
bool pooling_from_name(const char *name, enum pooling *pooling);

/* What a file calls the numbers of a shape, in the order of struct model_shape, head_size left out. */
struct model_shape_names {
    const char *hidden_size, *layers, *attention_heads, *intermediate_size, *vocabulary_size, *max_positions,
        *segment_types;
};

/* Reads a prompt, the string under key; one that is absent or null leaves it as it is. */
MUST_CHECK enum status model_prompt_read(const json_t *object, const char *where, const char *key,
                                         char prompt[MODEL_PROMPT_SIZE], struct error *error);

/* Reads the numbers from the members of a JSON object, each within its bound; not layer_norm_epsilon. */
MUST_CHECK enum status model_shape_read(const json_t *object, const char *where,
                                        const struct model_shape_names *names, struct model_shape *shape,
                                        struct error *error);

/* Checks that the kernels can run the shape (STATUS_UNSUPPORTED says which number stands in the way) and sets
 * head_size. where begins the message. */
MUST_CHECK enum status model_shape_complete(struct model_shape *shape, enum model_kind kind,
                                            const char *where, struct error *error);

/* The longest sequence that may be run, in tokens: what positions and kernels allow (KERNEL_MAX_SEQUENCE). */
uint32_t model_longest_sequence(const struct model_shape *shape);

#endif
