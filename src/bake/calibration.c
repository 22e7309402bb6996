#include "bake/calibration.h"

#include "bake/calibration_texts.h"
#include "engine/batch.h"

#include <float.h>
#include <stdlib.h>

static enum status allocate_ranges(struct column_ranges *ranges, uint32_t columns, struct error *error) {
    ranges->columns = columns;
    ranges->lowest = calloc(columns, sizeof(float));
    ranges->highest = calloc(columns, sizeof(float));
    ranges->mean = calloc(columns, sizeof(double));
    if (ranges->lowest == NULL || ranges->highest == NULL || ranges->mean == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the calibration of %u columns", columns);
    for (uint32_t c = 0; c < columns; c++) {
        ranges->lowest[c] = FLT_MAX;
        ranges->highest[c] = -FLT_MAX;
    }
    return STATUS_OK;
}

static enum status allocate(struct calibration *calibration, const struct model_shape *shape,
                            struct error *error) {
    calibration->ranges = calloc((size_t)shape->layers * ENCODER_SITES, sizeof *calibration->ranges);
    if (calibration->ranges == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the calibration of %u layers",
                         shape->layers);
    calibration->layers = shape->layers;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < shape->layers * ENCODER_SITES; i++)
        status = allocate_ranges(
            &calibration->ranges[i],
            i % ENCODER_SITES == ENCODER_OUTPUT_INPUT ? shape->intermediate_size : shape->hidden_size, error);
    return status;
}

void calibration_free(struct calibration *calibration) {
    for (uint32_t i = 0; calibration->ranges != NULL && i < calibration->layers * ENCODER_SITES; i++) {
        free(calibration->ranges[i].lowest);
        free(calibration->ranges[i].highest);
        free(calibration->ranges[i].mean);
    }
    free(calibration->ranges);
    *calibration = (struct calibration){0};
}

const struct column_ranges *calibration_ranges(const struct calibration *calibration, uint32_t layer,
                                               enum encoder_site site) {
    return &calibration->ranges[layer * ENCODER_SITES + (uint32_t)site];
}

/* An observer of the encoder. */
static void take_in(void *context, uint32_t layer, enum encoder_site site, const float *rows, size_t count) {
    const struct calibration *calibration = context;
    struct column_ranges *ranges = &calibration->ranges[layer * ENCODER_SITES + (uint32_t)site];
    for (size_t r = 0; r < count; r++) {
        const float *row = rows + r * ranges->columns;
        ranges->rows++;
        for (uint32_t c = 0; c < ranges->columns; c++) {
            ranges->lowest[c] = row[c] < ranges->lowest[c] ? row[c] : ranges->lowest[c];
            ranges->highest[c] = row[c] > ranges->highest[c] ? row[c] : ranges->highest[c];
            ranges->mean[c] += ((double)row[c] - ranges->mean[c]) / (double)ranges->rows;
        }
    }
}

static enum status add_text(const struct model *model, const char *text, size_t max_tokens,
                            struct tokens *tokens, struct error *error) {
    const struct encode_options options = {.max_tokens = max_tokens};
    return tokenizer_encode(&model->tokenizer, bytes_of_string(text), &options, tokens, error);
}

/* A cross-encoder reads pairs, an embedder single texts. */
static enum status run_text(const struct model *model, struct encoder *encoder,
                            const struct calibration_text *text, struct tokens *query, struct tokens *passage,
                            float *outputs, struct error *error) {
    int32_t ids[KERNEL_MAX_SEQUENCE];
    size_t room = model->max_length - TOKENIZER_SPECIAL_PAIR;
    struct sequence sequences[2] = {{.ids = ids}};
    size_t count = 1;
    enum status status = add_text(model, text->query, room / 2, query, error);
    if (status == STATUS_OK)
        status = add_text(model, text->passage, room - query->count, passage, error);
    if (status != STATUS_OK)
        return status;
    if (model->kind == MODEL_CROSS_ENCODER) {
        sequences[0].count = (uint32_t)build_pair(&model->tokenizer, query->ids, query->count, passage->ids,
                                                  passage->count, ids);
        sequences[0].first_segment = (uint32_t)query->count + 2;
    } else {
        count = 2;
        sequences[0].count = (uint32_t)build_single(&model->tokenizer, query->ids, query->count, ids);
        sequences[1].ids = ids + sequences[0].count;
        sequences[1].count =
            (uint32_t)build_single(&model->tokenizer, passage->ids, passage->count, ids + sequences[0].count);
        for (size_t i = 0; i < count; i++)
            sequences[i].first_segment = sequences[i].count;
    }
    /* One by one: each fits the encoder alone. */
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = encoder_run(encoder, &sequences[i], 1, outputs, error);
    return status;
}

static enum status run_texts(const struct model *model, const struct bake_progress *progress,
                             struct encoder *encoder, struct error *error) {
    struct tokens query = {0}, passage = {0};
    float *outputs = calloc(model->shape.hidden_size, sizeof *outputs);
    enum status status =
        outputs != NULL ? STATUS_OK : error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the calibration");
    for (size_t i = 0; status == STATUS_OK && i < CALIBRATION_TEXT_COUNT; i++) {
        progress_report(progress, "measuring activations", i, CALIBRATION_TEXT_COUNT);
        status = progress_check(progress, error);
        if (status == STATUS_OK)
            status = run_text(model, encoder, &calibration_texts[i], &query, &passage, outputs, error);
    }
    tokens_free(&query);
    tokens_free(&passage);
    free(outputs);
    return status;
}

enum status calibration_run(const struct model *model, const struct bake_progress *progress,
                            struct calibration *calibration, struct error *error) {
    *calibration = (struct calibration){0};
    struct encoder *encoder;
    enum status status = allocate(calibration, &model->shape, error);
    if (status == STATUS_OK)
        status = encoder_create(model, kernels_select(), model->max_length, &encoder, error);
    if (status != STATUS_OK)
        return status;
    encoder_observe(encoder, &(struct encoder_observer){take_in, calibration});
    status = run_texts(model, progress, encoder, error);
    encoder_destroy(encoder);
    return status;
}
