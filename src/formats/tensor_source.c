#include "formats/tensor_source.h"

#include <string.h>

static bool find(const void *reader, const char *name, struct source_tensor *tensor) {
    const struct safetensor *found = safetensors_find(reader, name);
    if (found == NULL)
        return false;
    *tensor = (struct source_tensor){
        .name = found->name,
        .dimensions = found->dimensions,
        .file_offset = found->file_offset,
        .tensor = found,
    };
    memcpy(tensor->shape, found->shape, sizeof tensor->shape);
    return true;
}

static enum status read(const void *reader, const struct source_tensor *tensor, size_t first, size_t count,
                        float *values, struct error *error) {
    return safetensor_read_f32(reader, tensor->tensor, first, count, values, error);
}

static float row_scale(const void *reader, const struct source_tensor *tensor, size_t row) {
    (void)reader;
    (void)tensor;
    (void)row;
    return 0;
}

struct tensor_source safetensors_tensors(const struct safetensors *reader) {
    return (struct tensor_source){reader->file_name, reader, find, read, row_scale};
}
