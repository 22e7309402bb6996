#include "bake/reference.h"

#include "bake/ember_form.h"
#include "bake/golden.h"
#include "engine/selftest.h"
#include "engine/session.h"

#include <math.h>
#include <stdlib.h>

static enum status run_golden(struct session *session, const struct model *model,
                              const struct bake_progress *progress, struct reference *reference,
                              struct error *error) {
    reference->rows = GOLDEN_TEXT_COUNT;
    reference->columns = model->kind == MODEL_EMBEDDER ? model->shape.hidden_size : 1;
    reference->golden = calloc(reference->rows * reference->columns, sizeof(float));
    if (reference->golden == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the reference outputs");
    for (size_t i = 0; i < GOLDEN_TEXT_COUNT; i++) {
        progress_report(progress, "computing the float32 reference", i, GOLDEN_TEXT_COUNT);
        enum status status = progress_check(progress, error);
        if (status == STATUS_OK)
            status = selftest_output(session, model, bytes_of_string(golden_texts[i].query),
                                     bytes_of_string(golden_texts[i].passage),
                                     reference->golden + i * reference->columns, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status check_published(struct session *session, const struct model *model,
                                   const struct known_model *known, struct reference *reference,
                                   struct error *error) {
    for (size_t i = 0; known != NULL && i < known->score_count; i++) {
        const struct published_score *published = &known->scores[i];
        float logit;
        enum status status = selftest_output(session, model, bytes_of_string(published->query),
                                             bytes_of_string(published->passage), &logit, error);
        if (status != STATUS_OK)
            return status;
        double deviation = fabs((double)logit - published->logit);
        if (!(deviation <= KNOWN_MODEL_TOLERANCE))
            return error_set(
                error, STATUS_INVALID_DATA,
                "%s gives the logit %.6f for \"%s\" and \"%s\", published is %.6f: the model's files do "
                "not belong together, or rescoldo computes wrongly",
                known->name, (double)logit, published->query, published->passage, published->logit);
        reference->published_score_deviation = fmax(reference->published_score_deviation, deviation);
        reference->published_scores++;
    }
    return STATUS_OK;
}

static enum status run_model(const struct model *model, const struct source *source,
                             const struct bake_progress *progress, struct reference *reference,
                             struct error *error) {
    struct session *session;
    enum status status = session_create(model, NULL, &session, error);
    if (status != STATUS_OK)
        return status;
    status = run_golden(session, model, progress, reference, error);
    if (status == STATUS_OK)
        status = check_published(session, model, source->known, reference, error);
    session_destroy(session);
    return status;
}

static enum status write_f32(const struct source *source, const struct bake_progress *progress,
                             struct file_writer *file, struct error *error) {
    struct ember_builder builder;
    struct weights_lists lists = {0};
    uint64_t shared_bytes;
    const struct ember_form form = {.precision = PRECISION_F32};
    enum status status = ember_builder_begin(&builder, &source, 1, progress, file, error);
    if (status == STATUS_OK)
        status = ember_builder_add(&builder, source, &form, &lists, &shared_bytes, error);
    if (status == STATUS_OK)
        status = ember_builder_finish(&builder, error);
    weights_lists_free(&lists);
    ember_builder_free(&builder);
    return status;
}

/* Maps and opens the ember in memory, and runs it. */
static enum status run_ember(const struct file_writer *ember, const struct source *source, bool calibrate,
                             const struct bake_progress *progress, struct reference *reference,
                             struct error *error) {
    struct file_mapping mapping;
    struct model *model;
    enum status status = file_writer_map(ember, &mapping, error);
    if (status != STATUS_OK)
        return status;
    status = model_open_bytes(mapping.bytes, "the float32 form", NULL, &model, error);
    if (status == STATUS_OK) {
        status = run_model(model, source, progress, reference, error);
        if (status == STATUS_OK && calibrate)
            status = calibration_run(model, progress, &reference->calibration, error);
        model_close(model);
    }
    file_unmap(&mapping);
    return status;
}

enum status reference_run(const struct source *source, bool calibrate, const struct bake_progress *progress,
                          struct reference *reference, struct error *error) {
    *reference = (struct reference){0};
    struct file_writer ember;
    enum status status = file_writer_open_memory(&ember, "rescoldo-reference", error);
    if (status != STATUS_OK)
        return status;
    status = write_f32(source, progress, &ember, error);
    if (status == STATUS_OK)
        status = run_ember(&ember, source, calibrate, progress, reference, error);
    file_writer_abort(&ember);
    if (status != STATUS_OK)
        reference_free(reference);
    return status;
}

void reference_free(struct reference *reference) {
    free(reference->golden);
    calibration_free(&reference->calibration);
    *reference = (struct reference){0};
}
