/* What the parts of the reader of ONNX files share: formats/onnx.c opens a file, onnx_graph.c reads its
 * nodes, inputs and outputs, onnx_constants.c its tensors, onnx_order.c puts the nodes in order. Not used
 * elsewhere. */
#ifndef RESCOLDO_FORMATS_ONNX_READER_H
#define RESCOLDO_FORMATS_ONNX_READER_H

#include "formats/onnx.h"
#include "formats/protobuf_wire.h"

#define ONNX_NO_NODE UINT32_MAX

/* In the file; place must lie in it. */
size_t onnx_offset(const struct onnx *onnx, const unsigned char *place);
/* For the fields of a message of the file. */
struct protobuf_cursor onnx_cursor(const struct onnx *onnx, struct bytes message);
enum status onnx_out_of_memory(const struct onnx *onnx, struct error *error);
/* What protobuf-c did not unpack: what, and where it begins. */
enum status onnx_not_unpacked(const struct onnx *onnx, const char *what, const unsigned char *place,
                              struct error *error);

/* ---- onnx_graph.c ---- */

/* Nodes, tensors and the interface of a GraphProto, with every name resolved; the nodes in the file's order.
 */
MUST_CHECK enum status onnx_read_graph(struct onnx *onnx, struct bytes graph, struct error *error);

/* ---- onnx_constants.c ---- */

/* The first adds a TensorProto, the second the value of a Constant, whose NodeProto is given. The tensor is
 * the last of onnx->tensors, for which there must be room. */
MUST_CHECK enum status onnx_add_tensor(struct onnx *onnx, struct bytes message, struct error *error);
MUST_CHECK enum status onnx_add_constant(struct onnx *onnx, const struct onnx_node *node,
                                         struct bytes message, struct error *error);

/* ---- onnx_order.c ---- */

/* Puts the nodes in an order of computation. A graph without one: STATUS_INVALID_DATA, with a node of the
 * cycle. */
MUST_CHECK enum status onnx_sort_nodes(struct onnx *onnx, struct error *error);

#endif
