/* A published model opened for baking: its configuration, its weights, its tokenizer, and the list of every
 * file that was used with size and SHA-256. */
#ifndef RESCOLDO_BAKE_SOURCE_H
#define RESCOLDO_BAKE_SOURCE_H

#include "bake/known_models.h"
#include "bake/progress.h"
#include "bake/published_weights.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/status.h"
#include "formats/huggingface.h"

#define SHA256_HEX_SIZE     65 /* with its NUL */
#define SOURCE_MAX_FILES    16
#define SOURCE_LICENCE_SIZE 64
#define SOURCE_MAX_NOTES    5

struct source_file {
    char name[HUGGINGFACE_NAME_SIZE]; /* relative to the directory */
    uint64_t size;
    char sha256[SHA256_HEX_SIZE];
};

struct source {
    struct model_folder folder;
    char name[128];                    /* of the model */
    char licence[SOURCE_LICENCE_SIZE]; /* as README.md's front matter states it, "" where not known */
    struct huggingface_model huggingface;
    struct published_weights weights;
    struct buffer tokenizer_section;            /* compiled, ready to be written */
    struct source_file files[SOURCE_MAX_FILES]; /* by name */
    uint32_t file_count;
    const struct known_model *known;   /* NULL: not recognised */
    char notes[SOURCE_MAX_NOTES][192]; /* on the weights, for the user */
    uint32_t note_count;
};

/* Opens a model directory, a ZIP archive of one, or the safetensors or ONNX file inside one. name: for the
 * ember; NULL: that of the known model, else the directory's. An ONNX file needs no config.json: its graph
 * says what the model is; where both are there they must agree. Release with source_close, after failure too;
 * it must not be moved. */
MUST_CHECK enum status source_open(struct source *source, const char *path, const char *name,
                                   const struct bake_progress *progress, struct error *error);
void source_close(struct source *source);

#endif
