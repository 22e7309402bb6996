/* Any bytes as a safetensors file: opened, and every tensor read. */
#include "formats/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_tensor(const struct safetensors *reader, const struct safetensor *tensor) {
    float values[64];
    struct error error;
    for (size_t first = 0; first < tensor->elements; first += 64) {
        size_t count = tensor->elements - first < 64 ? tensor->elements - first : 64;
        if (safetensor_read_f32(reader, tensor, first, count, values, &error) != STATUS_OK)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct safetensors reader;
    struct error error;
    if (safetensors_open(&reader, bytes_of(data, size), "fuzz.safetensors", &error) != STATUS_OK)
        return 0;
    for (size_t i = 0; i < reader.count; i++)
        read_tensor(&reader, &reader.tensors[i]);
    safetensors_close(&reader);
    return 0;
}
