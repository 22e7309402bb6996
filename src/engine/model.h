/* An opened model: typed views of an ember's tensors, checked once, read-only, shared by all threads. */
#ifndef RESCOLDO_ENGINE_MODEL_H
#define RESCOLDO_ENGINE_MODEL_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"
#include "formats/ember.h"
#include "formats/model_description.h"
#include "kernels/kernels.h"
#include "tokenizer/tokenizer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

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

#define MODEL_MAX_PER_EMBER 8u

struct model {
    char name[128];
    enum model_kind kind;
    enum precision precision;
    enum pooling pooling;         /* of an embedder */
    struct model_prompts prompts; /* of an embedder */
    bool normalize;               /* an embedder's vector is divided by its L2 norm */
    uint32_t max_length;          /* tokens, [CLS] and [SEP] included */
    struct model_shape shape;
    struct embedding_tables embeddings;
    struct layer_norm embedding_norm;
    struct encoder_layer *layers;   /* [shape.layers] */
    struct linear pooler;           /* cross-encoder: hidden_size to hidden_size, then tanh; always float32 */
    const float *classifier_weight; /* [hidden_size] */
    float classifier_bias;
    struct tokenizer tokenizer;

    struct file_mapping mapping; /* owned; empty when a model_list holds the file */
    struct ember ember;
    json_t *metadata; /* a reference to the whole metadata section, for inspect and /info */
    size_t number;    /* of the model in the metadata's "models" */
};

/* What a model is wanted for, where an ember holds several and none is named. */
enum model_task {
    MODEL_TASK_ANY = 0,    /* the first model */
    MODEL_TASK_RERANK = 1, /* the first cross-encoder, else the first model, which reranks by cosine */
    MODEL_TASK_EMBED = 2,  /* the first embedder, else the first model, which cannot embed */
};

struct model_options {
    bool verify_checksums; /* read the whole file and compare; default: only what opening needs */
    const char *name;      /* of the model to open; NULL: the one that suits the task */
    enum model_task task;
};

/* Opens one model of an ember, or of a program that carries one (formats/packed_program.h): maps it,
 * validates the header, the metadata, every tensor's offset, length and shape, and the tokenizer section.
 * Messages name the path and the section or tensor. options may be NULL. STATUS_NOT_FOUND when no model has
 * options->name; the message lists those that are there. */
MUST_CHECK enum status model_open(const char *path, const struct model_options *options, struct model **model,
                                  struct error *error);
/* The same over a whole ember already in memory, which must outlive the model; name is for messages. */
MUST_CHECK enum status model_open_bytes(struct bytes file, const char *name,
                                        const struct model_options *options, struct model **model,
                                        struct error *error);
/* The same over a mapped file, which the model unmaps when it is closed; on failure it stays the caller's. */
MUST_CHECK enum status model_open_mapping(struct file_mapping mapping, const char *name,
                                          const struct model_options *options, struct model **model,
                                          struct error *error);
void model_close(struct model *model);

/* All models of an ember, in its order. They share the mapping and are closed together. */
struct model_list {
    struct model *models[MODEL_MAX_PER_EMBER];
    size_t count;
    struct file_mapping mapping; /* owned */
};

/* As model_open and model_open_bytes; options->name and task are not looked at. */
MUST_CHECK enum status model_list_open(const char *path, const struct model_options *options,
                                       struct model_list *list, struct error *error);
MUST_CHECK enum status model_list_open_bytes(struct bytes file, const char *name,
                                             const struct model_options *options, struct model_list *list,
                                             struct error *error);
void model_list_close(struct model_list *list);

/* The model that a request without a name goes to, as enum model_task says; NULL when the list is empty. */
struct model *model_list_for_task(const struct model_list *list, enum model_task task);
/* NULL when no model has the name. */
struct model *model_list_find(const struct model_list *list, const char *name);
/* STATUS_NOT_FOUND lists the names that there are. */
MUST_CHECK enum status model_list_require(const struct model_list *list, const char *name,
                                          const struct model **model, struct error *error);

#endif
