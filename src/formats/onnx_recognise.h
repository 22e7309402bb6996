/* Running the rules of formats/onnx_meaning.h over a graph. A part of formats/onnx_bert.h, not used
 * elsewhere. */
#ifndef RESCOLDO_FORMATS_ONNX_RECOGNISE_H
#define RESCOLDO_FORMATS_ONNX_RECOGNISE_H

#include "formats/onnx_meaning.h"

/* Release with recognition_free, after failure too. */
MUST_CHECK enum status recognition_read(struct recognition *recognition, const struct onnx *onnx,
                                        struct error *error);
void recognition_free(struct recognition *recognition);

#endif
