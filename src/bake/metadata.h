/* The "metadata" section of an ember (docs/ember.md): JSON with sorted keys, without times, paths or anything
 * else that would differ between two bakes of the same files. */
#ifndef RESCOLDO_BAKE_METADATA_H
#define RESCOLDO_BAKE_METADATA_H

#include "bake/source.h"
#include "bake/weights.h"
#include "base/buffer.h"

/* Appends the JSON to text. lists are borrowed. */
MUST_CHECK enum status metadata_write(const struct source *source, enum precision precision,
                                      const struct weights_lists *lists, bool with_golden,
                                      struct buffer *text, struct error *error);

#endif
