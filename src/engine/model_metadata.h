/* The metadata section of an ember to the typed views of struct model (docs/ember.md describes the JSON).
 * Used by model.c and by the self-test only. */
#ifndef RESCOLDO_ENGINE_MODEL_METADATA_H
#define RESCOLDO_ENGINE_MODEL_METADATA_H

#include "engine/model.h"

#define METADATA_FORMAT   1u
#define METADATA_MAX_SIZE ((size_t)8 << 20) /* bytes of JSON; an ember of one model has about 60,000 */

/* Parses the metadata of an ember (a new reference) and checks its format, and that it lists 1 to
 * MODEL_MAX_PER_EMBER models of different names. *metadata may be set on failure too. */
MUST_CHECK enum status metadata_open(const struct ember *ember, json_t **metadata, struct error *error);

size_t metadata_model_count(const json_t *metadata);

/* The number of the model of that name, or of the first that suits the task; STATUS_NOT_FOUND lists what is
 * there. */
MUST_CHECK enum status metadata_choose(const json_t *metadata, const char *name, enum model_task task,
                                       size_t *number, struct error *error);

bool metadata_suits(enum model_kind kind, enum model_task task);

/* Fills every field of the model that comes from its entry, model->number, of model->metadata: the
 * description, the tokenizer, and all tensors of model->ember. On failure the model holds what model_close
 * releases. */
MUST_CHECK enum status model_read_metadata(struct model *model, struct error *error);

/* The entry of the model that was opened, in the metadata's "models". Borrowed. */
const json_t *model_entry(const struct model *model);

/* A row-major float32 tensor [rows][columns] of the opened model; STATUS_NOT_FOUND when there is none of the
 * name, STATUS_INVALID_DATA when it has another form. */
MUST_CHECK enum status model_find_rows_f32(const struct model *model, const char *name, size_t rows,
                                           size_t columns, const float **data, struct error *error);

#endif
