/* Any bytes as an ONNX file: opened, its graph recognised, and every weight that was found read. */
#include "formats/onnx_bert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file beside it, for tensors that are stored outside. */
static enum status open_companion(void *context, const char *name, struct bytes *content,
                                  struct error *error) {
    static const unsigned char zeros[1 << 20];
    (void)context;
    (void)name;
    (void)error;
    *content = bytes_of(zeros, sizeof zeros);
    return STATUS_OK;
}

static void read_weight(const struct tensor_source *source, const char *name) {
    struct source_tensor tensor;
    struct error error;
    float values[64];
    if (!source->find(source->reader, name, &tensor))
        return;
    size_t columns = tensor.dimensions == 2 ? (size_t)tensor.shape[1] : 1;
    size_t elements = (size_t)tensor.shape[0] * columns;
    for (size_t first = 0; first < elements; first += 64) {
        size_t count = elements - first < 64 ? elements - first : 64;
        if (source->read(source->reader, &tensor, first, count, values, &error) != STATUS_OK)
            break;
    }
    for (size_t row = 0; row < tensor.shape[0] && row < 64; row++)
        (void)source->row_scale(source->reader, &tensor, row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct onnx_companions companions = {open_companion, NULL};
    struct onnx onnx;
    struct onnx_bert bert = {0};
    struct error error;
    enum status status = onnx_open(&onnx, bytes_of(data, size), "fuzz.onnx", &companions, &error);
    if (status == STATUS_OK)
        status = onnx_bert_recognise(&onnx, &bert, &error);
    if (status == STATUS_OK) {
        const struct tensor_source source = onnx_bert_tensors(&bert);
        for (uint32_t i = 0; i < bert.weight_count; i++)
            read_weight(&source, bert.weights[i].name);
    }
    onnx_bert_free(&bert);
    onnx_close(&onnx);
    return 0;
}
