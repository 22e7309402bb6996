/* Reader of ONNX files (https://onnx.ai/onnx/repo-docs/IR.html): the nodes of the graph and its constant
 * tensors, with every name resolved to a value and the nodes in an order in which each comes after those that
 * it reads. What a graph computes is formats/onnx_bert.h's matter.
 *
 * Nodes are unpacked by protobuf-c from onnx.proto; the contents of tensors stay where they are in the file.
 */
#ifndef RESCOLDO_FORMATS_ONNX_H
#define RESCOLDO_FORMATS_ONNX_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "formats/onnx_tensor.h"

#include <onnx.pb-c.h>

#define ONNX_MAX_NODES  16384u /* BERT-large without any fusion has about 3,500 */
#define ONNX_MAX_VALUES 65536u
#define ONNX_NO_VALUE   UINT32_MAX /* an optional input that is left out */

struct onnx_value {
    const char *name;                 /* borrowed */
    const struct onnx_tensor *tensor; /* of a constant, else NULL */
    uint32_t node;                    /* that makes it; UINT32_MAX: a constant or an input of the graph */
    bool is_input;                    /* of the graph */
};

struct onnx_node {
    Onnx__NodeProto *proto; /* owned by the reader */
    const char *operator_name;
    const char *domain; /* "" for ONNX's own operators */
    uint32_t *inputs;   /* [input_count] values, ONNX_NO_VALUE where left out */
    uint32_t *outputs;  /* [output_count] */
    uint32_t input_count, output_count;
    uint32_t position;    /* in the file */
    uint64_t file_offset; /* of the node */
};

struct onnx_memory {
    size_t used, limit;
};

/* Gives the contents of a file beside the model, for tensors that are stored outside of it; name is relative.
 * They must outlive the reader. */
struct onnx_companions {
    enum status (*open)(void *context, const char *name, struct bytes *content, struct error *error);
    void *context;
};

struct onnx {
    const char *file_name; /* borrowed, for messages */
    struct bytes file;
    struct onnx_companions companions;
    struct onnx_memory memory; /* of what protobuf-c unpacks */
    ProtobufCAllocator allocator;
    struct onnx_node *nodes; /* owned, in an order of computation */
    uint32_t node_count;
    struct onnx_tensor *tensors; /* owned: initializers, then constants of nodes */
    uint32_t tensor_count;
    struct onnx_value *values; /* owned */
    uint32_t value_count, value_capacity;
    uint32_t *slots; /* hash table of value names, owned */
    uint32_t slot_count;
    uint32_t *graph_outputs; /* values, owned */
    uint32_t graph_output_count;
    uint32_t *references;             /* inputs and outputs of all nodes, owned */
    Onnx__ValueInfoProto **interface; /* inputs and outputs of the graph, owned */
    uint32_t interface_count;
    int64_t operator_set; /* version of ONNX's own operators */
    char producer[64];
};

/* Reads and checks the whole structure. file must outlive the reader, which borrows from it; companions.open
 * may be NULL. Messages name the file, the node or tensor and the offset. Release with onnx_close, after
 * failure too. */
MUST_CHECK enum status onnx_open(struct onnx *onnx, struct bytes file, const char *file_name,
                                 const struct onnx_companions *companions, struct error *error);
void onnx_close(struct onnx *onnx);

/* The attribute of that name, NULL where there is none. */
const Onnx__AttributeProto *onnx_attribute(const struct onnx_node *node, const char *name);
int64_t onnx_attribute_integer(const struct onnx_node *node, const char *name, int64_t otherwise);
double onnx_attribute_number(const struct onnx_node *node, const char *name, double otherwise);

#endif
