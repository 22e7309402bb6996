/* One form (precision) of a source as an ember in a file_writer: tokenizer, weights, metadata. */
#ifndef RESCOLDO_BAKE_EMBER_FORM_H
#define RESCOLDO_BAKE_EMBER_FORM_H

#include "bake/source.h"
#include "bake/weights.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"

struct ember_form {
    enum precision precision;
    const float *golden; /* [golden_rows][golden_columns], NULL: none */
    size_t golden_rows, golden_columns;
    const struct calibration *calibration; /* int8 only */
};

struct ember_sizes {
    uint64_t file, tokenizer, weights, metadata;
};

/* Writes the ember; file is then complete but not committed. lists: what was written, release with
 * json_decref. */
MUST_CHECK enum status ember_form_write(const struct source *source, const struct ember_form *form,
                                        const struct bake_progress *progress, struct file_writer *file,
                                        struct weights_lists *lists, struct ember_sizes *sizes,
                                        struct error *error);

#endif
