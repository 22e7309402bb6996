/* Small ONNX files out of text, so that a test shows the graph that it is about. A line is one of
 *
 *   input NAME
 *   weight NAME ROWSxCOLUMNS [TYPE]      float, int8 or uint8; its bytes lie in the file "weights" beside the
 * model vector NAME SIZE [TYPE] integers NAME 0,-1,2                 a vector of int64 integer NAME 0 a
 * scalar number NAME 0.5                      a float scalar OUTPUT, OUTPUT = Operator{axis=1, epsilon=1e-12,
 * perm=0:2:1:3, approximate=tanh}(INPUT, , INPUT) output NAME
 *
 * An operator of ONNX Runtime is written microsoft.BiasGelu. Failures are assertions of the test that calls.
 */
#ifndef RESCOLDO_TESTS_ONNX_TEXT_H
#define RESCOLDO_TESTS_ONNX_TEXT_H

#include "base/buffer.h"
#include "formats/onnx.h"

#include <stdint.h>

/* Appends the ONNX file. */
void onnx_text_write(const char *text, int64_t operator_set, struct buffer *file);

/* A copy of text in which the one occurrence of `from` is `to`; the caller frees it. */
char *onnx_text_replace(const char *text, const char *from, const char *to);

/* The file "weights": as many floats, all different, as the largest tensor of these tests has. */
extern const struct onnx_companions onnx_text_companions;

/* A cross-encoder of one layer (hidden size 64, two heads), exported as torch does it; and the lines of its
 * head, which end it. */
extern const char onnx_text_bert[], onnx_text_head[];

#endif
