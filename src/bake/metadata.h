/* The "metadata" section of an ember (docs/ember.md): JSON with sorted keys, without times, paths or anything
 * else that would differ between two bakes of the same files. */
#ifndef RESCOLDO_BAKE_METADATA_H
#define RESCOLDO_BAKE_METADATA_H

#include "bake/source.h"
#include "bake/weights.h"
#include "base/buffer.h"

struct metadata_model {
    const struct source *source;
    enum precision precision;
    const struct weights_lists *lists; /* borrowed */
    const char *tokenizer_section, *weights_section;
    bool with_golden;
};

/* Appends the entry of a model to models, the metadata's list. */
MUST_CHECK enum status metadata_add_model(json_t *models, const struct metadata_model *model,
                                          struct error *error);

/* Appends the JSON of the whole section to text. */
MUST_CHECK enum status metadata_write(json_t *models, struct buffer *text, struct error *error);

#endif
