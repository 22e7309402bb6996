/* A small BERT with seeded weights, built in memory without files or tokenizer, for tests of the encoder. */
#ifndef RESCOLDO_TESTS_MEMORY_MODEL_H
#define RESCOLDO_TESTS_MEMORY_MODEL_H

#include "engine/model.h"
#include "random.h"

#define MEMORY_MODEL_VOCABULARY 100u
#define MEMORY_MODEL_POSITIONS  512u

struct memory_model {
    struct model model;
    void **pieces; /* everything allocated */
    size_t piece_count;
};

struct memory_model_options {
    enum model_kind kind;
    enum precision precision;
    enum pooling pooling;
    bool normalize;
    uint32_t heads, head_size, intermediate_size, layers;
};

/* Equal seeds and shapes give the same weights in both precisions. Failures are assertions of the test. */
struct memory_model memory_model_create(uint64_t seed, const struct memory_model_options *options);
void memory_model_destroy(struct memory_model *model);

#endif
