/* Any bytes as config.json. What is accepted must be a shape that the kernels can run. */
#include "formats/huggingface.h"
#include "kernels/kernels.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct model_description description;
    struct error error;
    if (huggingface_read_config(bytes_of(data, size), "config.json", &description, &error) != STATUS_OK)
        return 0;
    const struct model_shape *shape = &description.shape;
    if (shape->hidden_size == 0 || shape->hidden_size % KERNEL_INPUT_MULTIPLE != 0 ||
        shape->intermediate_size % KERNEL_INPUT_MULTIPLE != 0 || shape->head_size > KERNEL_MAX_HEAD_SIZE ||
        shape->head_size * shape->attention_heads != shape->hidden_size)
        abort();
    return 0;
}
