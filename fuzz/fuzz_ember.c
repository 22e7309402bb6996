/* Any bytes as an ember: opened as a model and, where that succeeds, every tensor read to its end, so that a
 * view that leaves the file is seen. Magic, version, size and the checksum of the table are put right first;
 * without that no input would come past them. */
#include "read_model.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void repair_header(unsigned char *file, size_t size) {
    memcpy(file, ember_magic, sizeof ember_magic);
    store_u32le(file + 8, EMBER_VERSION);
    store_u64le(file + 16, size);
    memset(file + 32, 0, 32);
    uint64_t table_size = (uint64_t)load_u32le(file + 12) * EMBER_ENTRY_SIZE;
    if (table_size <= size - EMBER_HEADER_SIZE)
        store_u64le(file + 24, XXH3_64bits(file + EMBER_HEADER_SIZE, (size_t)table_size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < EMBER_HEADER_SIZE)
        return 0;
    /* Exactly as large as the input but for the alignment, so that the sanitizer guards the end. */
    unsigned char *block = aligned_alloc(EMBER_TENSOR_ALIGNMENT, size_align_up(size, EMBER_TENSOR_ALIGNMENT));
    if (block == NULL)
        return 0;
    memcpy(block, data, size);
    repair_header(block, size);
    struct model_list list;
    struct error error;
    if (model_list_open_bytes(bytes_of(block, size), "fuzz.ember", NULL, &list, &error) == STATUS_OK)
        read_models(&list);
    model_list_close(&list);
    free(block);
    return 0;
}
