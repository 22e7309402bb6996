/* An ember being written, model by model: tokenizers, the weights they share, the metadata.
 *
 *   ember_builder_begin → ember_builder_add for each source, in order → ember_builder_finish
 *
 * After it the file is whole and may be read; ember_builder_set_bits then adds to the metadata what the
 * written models computed, and writes it again. */
#ifndef RESCOLDO_BAKE_EMBER_FORM_H
#define RESCOLDO_BAKE_EMBER_FORM_H

#include "bake/source.h"
#include "bake/weights.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"
#include "engine/model.h"
#include "formats/ember_writer.h"

/* How one model is written. */
struct ember_form {
    enum precision precision;
    const float *golden; /* [golden_rows][golden_columns], NULL: none */
    size_t golden_rows, golden_columns;
    const struct calibration *calibration; /* int8 only */
};

struct ember_sizes {
    uint64_t file, tokenizer, weights, metadata;
};

struct ember_builder {
    struct ember_writer writer;
    struct tensor_store store;
    const struct bake_progress *progress;
    char tokenizer_sections[MODEL_MAX_PER_EMBER][EMBER_NAME_SIZE + 1]; /* of each source */
    size_t source_count, added;
    json_t *models; /* owned: the metadata's list */
    struct ember_sizes sizes;
};

/* Writes the tokenizers of all sources, equal ones once, and opens the section of the weights. file must be
 * empty; it, the sources and progress outlive the builder. Release with ember_builder_free, after failure
 * too. */
MUST_CHECK enum status ember_builder_begin(struct ember_builder *builder, const struct source *const *sources,
                                           size_t source_count, const struct bake_progress *progress,
                                           struct file_writer *file, struct error *error);

/* Writes the weights of the next source. *shared_bytes are those that an earlier one has already; lists is
 * what was written, release with weights_lists_free. */
MUST_CHECK enum status ember_builder_add(struct ember_builder *builder, const struct source *source,
                                         const struct ember_form *form, struct weights_lists *lists,
                                         uint64_t *shared_bytes, struct error *error);

/* Writes metadata, header and table; the file is then complete but not committed. */
MUST_CHECK enum status ember_builder_finish(struct ember_builder *builder, struct error *error);

/* Gives the golden items of a model [count] the digests of its outputs (engine/selftest.h). The metadata is
 * written anew by the next ember_builder_rewrite. */
MUST_CHECK enum status ember_builder_set_bits(struct ember_builder *builder, size_t model,
                                              const uint64_t *digests, size_t count, struct error *error);
MUST_CHECK enum status ember_builder_rewrite(struct ember_builder *builder, struct error *error);

void ember_builder_free(struct ember_builder *builder);

#endif
