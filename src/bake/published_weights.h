/* The file of a model's folder that holds its weights: which one it is, and its tensors. */
#ifndef RESCOLDO_BAKE_PUBLISHED_WEIGHTS_H
#define RESCOLDO_BAKE_PUBLISHED_WEIGHTS_H

#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"
#include "formats/huggingface.h"
#include "formats/onnx_bert.h"
#include "formats/safetensors.h"
#include "formats/tensor_source.h"

#define WEIGHTS_MAX_COMPANIONS 8

/* A file that an ONNX file keeps tensors in. */
struct weights_companion {
    char name[HUGGINGFACE_NAME_SIZE]; /* relative to the model's folder */
    struct file_mapping mapping;
};

/* Once open it must not be moved. */
struct published_weights {
    const struct model_folder *folder; /* borrowed */
    char name[HUGGINGFACE_NAME_SIZE];  /* relative to the folder; "" until it is chosen */
    char path[HUGGINGFACE_PATH_SIZE];  /* for messages */
    struct file_mapping mapping;
    struct tensor_source tensors;
    struct safetensors safetensors;
    bool is_onnx;
    struct onnx onnx;
    struct onnx_bert bert; /* of is_onnx */
    struct weights_companion companions[WEIGHTS_MAX_COMPANIONS];
    uint32_t companion_count;
};

/* Sets folder and name: wanted where it is not "", else model.safetensors, model.onnx, onnx/model.onnx, or
 * the only ONNX file that there is. inner: the folder of the folder to look in. */
MUST_CHECK enum status published_weights_choose(struct published_weights *weights,
                                                const struct model_folder *folder, const char *inner,
                                                const char *wanted, struct error *error);
/* Release with published_weights_close, after failure too. */
MUST_CHECK enum status published_weights_open(struct published_weights *weights, struct error *error);
void published_weights_close(struct published_weights *weights);

/* The bytes of all files. */
uint64_t published_weights_size(const struct published_weights *weights);

#endif
