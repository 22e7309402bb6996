/* A directory under the system's temporary one, and a published model small enough to be baked in a test:
 * seeded weights, a vocabulary of some fifty pieces. Every failure in here is an assertion of the test that
 * calls. */
#ifndef RESCOLDO_TESTS_TINY_MODEL_H
#define RESCOLDO_TESTS_TINY_MODEL_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "formats/model_description.h"

#include <stdbool.h>

struct test_directory {
    char path[256];
};

struct test_directory test_directory_create(void);
/* With everything in it. */
void test_directory_remove(const struct test_directory *directory);
/* Names inside, "." and ".." not counted. */
int test_directory_count(const struct test_directory *directory);

/* "DIRECTORY/NAME", valid until the eighth next call. */
const char *test_path(const struct test_directory *directory, const char *name);
void test_write(const struct test_directory *directory, const char *name, struct bytes content);
void test_write_text(const struct test_directory *directory, const char *name, const char *text);
/* Appends the file to content. */
void test_read(const char *path, struct buffer *content);

enum tiny_type {
    TINY_F32,
    TINY_F16,
    TINY_BF16,
};

struct tiny_model {
    enum model_kind kind;
    enum tiny_type type;
    const char *prefix; /* of tensor names: "" or "bert." */
    uint32_t layers;    /* 0: 2 */
    bool pooling_cls;   /* of an embedder: CLS pooling and no Normalize, else mean pooling with it */
    bool without_modules;
};

#define TINY_HIDDEN       64
#define TINY_INTERMEDIATE 128
#define TINY_HEADS        2
#define TINY_POSITIONS    128

/* Writes config.json, model.safetensors, vocab.txt, tokenizer_config.json and, for an embedder, modules.json
 * and 1_Pooling/config.json. Equal weights (but for rounding) whatever type and prefix are. */
void tiny_model_write(const struct test_directory *directory, const struct tiny_model *model);

/* Appends the safetensors file alone. */
void tiny_model_weights(const struct tiny_model *model, struct buffer *file);

#endif
