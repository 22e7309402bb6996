/* From a published model to one ember: read, quantize, pack, write, and prove that what was written computes
 * what was published. docs/ember.md describes the file. */
#ifndef RESCOLDO_BAKE_BAKE_H
#define RESCOLDO_BAKE_BAKE_H

#include "bake/progress.h"
#include "base/compiler.h"
#include "base/status.h"
#include "engine/selftest.h"
#include "formats/model_description.h"

#include <stddef.h>
#include <stdint.h>

#define BAKE_MAX_NOTES 10

#define BAKE_MAX_MODELS MODEL_MAX_PER_EMBER

struct bake_model {
    const char *path; /* a directory, weights file or .zip: source_open */
    const char *name; /* in the ember; NULL: the known name of these weights, else the directory's */
};

struct bake_options {
    struct bake_model models[BAKE_MAX_MODELS]; /* up to the first without a path; their names must differ */
    const char *output;                        /* the ember to write; appears whole or not at all */
    enum precision precision;
    /* Of the embedders; NULL: what the model's files say. */
    const char *query_prompt, *passage_prompt;
    struct bake_progress progress;
};

/* Quantization of one tensor: the relative error |W - W'| / |W| (Frobenius), and the largest |w - w'|. */
struct bake_tensor_error {
    char tensor[64];
    double relative_error, largest_error;
};

/* One model of the ember. */
struct bake_model_report {
    char name[128];
    char licence[64]; /* "" where not known */
    struct model_description description;
    uint64_t source_bytes;                   /* of the published weights */
    uint64_t shared_bytes;                   /* of tensors that an earlier model of the ember has already */
    struct bake_tensor_error *tensor_errors; /* owned, [tensor_error_count]; none for f32 */
    size_t tensor_error_count;
    char notes[BAKE_MAX_NOTES][192]; /* decisions the user should see */
    uint32_t note_count;
    uint32_t published_scores;        /* how many scores published for these weights were checked */
    double published_score_deviation; /* the largest difference from them, absolute, of a logit in float32 */
    struct selftest_report selftest;  /* of the ember as written */
};

struct bake_report {
    struct bake_model_report models[BAKE_MAX_MODELS];
    size_t model_count;
    enum precision precision;
    uint64_t ember_bytes;
    uint64_t weights_bytes, tokenizer_bytes, metadata_bytes;
};

/* Bakes. When the float32 form of a model misses scores published for its weights (bake/known_models.h), or
 * the written file its self-test, the bake fails and no file appears. Peak memory is about twice the
 * published weights of the largest model, half of it the mapped file. Release report with bake_report_free,
 * after failure too. */
MUST_CHECK enum status bake_run(const struct bake_options *options, struct bake_report *report,
                                struct error *error);

void bake_report_free(struct bake_report *report);

#endif
