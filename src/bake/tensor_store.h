/* Where the tensors of a "weights" section lie that several models share: a tensor that an earlier model has
 * written, byte for byte, is not written again. */
#ifndef RESCOLDO_BAKE_TENSOR_STORE_H
#define RESCOLDO_BAKE_TENSOR_STORE_H

#include "base/compiler.h"
#include "base/status.h"
#include "formats/ember_writer.h"

struct tensor_place {
    uint64_t offset, size; /* bytes, from the start of the section */
    uint64_t hash;         /* XXH3-64 of the bytes */
};

struct tensor_store {
    struct ember_writer *ember;  /* borrowed; the section is open */
    bool shared;                 /* by several models; else nothing is compared */
    struct tensor_place *places; /* owned, [count] */
    size_t count, capacity;
    size_t earlier;        /* of them, those of the models before this one */
    uint64_t shared_bytes; /* not written, of this model */
};

/* What is written from here on belongs to the next model. */
void tensor_store_next_model(struct tensor_store *store);

/* Begins a tensor at the next aligned place; *offset is where. */
MUST_CHECK enum status tensor_store_begin(struct tensor_store *store, uint64_t *offset, struct error *error);

/* Ends the tensor begun at *offset: *size is its size. When an earlier model has it, the bytes are taken back
 * and *offset becomes that of the earlier one. */
MUST_CHECK enum status tensor_store_end(struct tensor_store *store, uint64_t *offset, uint64_t *size,
                                        struct error *error);

void tensor_store_free(struct tensor_store *store);

#endif
