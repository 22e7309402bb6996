/* The files that sentence-transformers adds to a model directory: modules.json (a list of modules, of which
 * we know Transformer, Pooling and Normalize), the pooling module's config.json, and
 * sentence_bert_config.json. A part of formats/huggingface.h, not used elsewhere. */
#ifndef RESCOLDO_FORMATS_SENTENCE_TRANSFORMERS_H
#define RESCOLDO_FORMATS_SENTENCE_TRANSFORMERS_H

#include "base/compiler.h"
#include "base/status.h"
#include "formats/huggingface.h"

#include <jansson.h>

struct sentence_transformers_settings {
    bool has_modules;
    bool has_pooling;
    bool normalize;
    char pooling_folder[HUGGINGFACE_NAME_SIZE]; /* with a slash at its end */
    char unsupported_module[96];                /* the first type we do not know, "" where there is none */
    uint64_t max_length;                        /* max_seq_length in tokens, 0 where none is stated */
};

/* Reads modules.json where there is one, and sets model->transformer_folder. */
MUST_CHECK enum status sentence_transformers_read_modules(const struct model_folder *folder,
                                                          struct huggingface_model *model,
                                                          struct sentence_transformers_settings *settings,
                                                          struct error *error);

/* Reads the pooling of an embedder whose config.json is already in model->description, and its
 * max_seq_length. */
MUST_CHECK enum status sentence_transformers_read_embedder(const struct model_folder *folder,
                                                           struct huggingface_model *model,
                                                           struct sentence_transformers_settings *settings,
                                                           struct error *error);

/* Shared with huggingface.c: parses FOLDER/INNER NAME and notes it in model->files. When it is optional
 * and absent, *value is NULL and the status STATUS_OK. */
MUST_CHECK enum status huggingface_read_json(struct huggingface_model *model,
                                             const struct model_folder *folder, const char *inner,
                                             const char *name, bool optional, json_t **value,
                                             struct error *error);
void huggingface_add_note(struct huggingface_model *model, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
