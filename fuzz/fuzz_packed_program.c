/* Any bytes as a program that may carry an ember: what is found lies within them. */
#include "formats/packed_program.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Without the magic and the trailer's checksum no input would come past them. */
static void repair(unsigned char *file, size_t size) {
    memcpy(file, ELFMAG, SELFMAG);
    file[EI_CLASS] = ELFCLASS64;
    unsigned char *trailer = file + size - PACKED_TRAILER_SIZE;
    memcpy(trailer, "\x89PACKED\n", 8);
    store_u64le(trailer + 24, XXH3_64bits(trailer, 24));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error;
    struct bytes ember, program;
    if (size < sizeof(Elf64_Ehdr) + PACKED_TRAILER_SIZE)
        return 0;
    unsigned char *file = malloc(size);
    if (file == NULL)
        return 0;
    memcpy(file, data, size);
    if (data[size - 1] % 2 == 0)
        repair(file, size);
    if (packed_program_find(bytes_of(file, size), &ember, &error) == STATUS_OK &&
        (ember.data < file || ember.size > size || ember.data + ember.size > file + size))
        abort();
    if (packed_program_strip(bytes_of(file, size), &program, &error) == STATUS_OK && program.size > size)
        abort();
    free(file);
    return 0;
}
