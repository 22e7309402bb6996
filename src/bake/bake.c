#include "bake/bake.h"

#include "bake/ember_form.h"
#include "bake/reference.h"
#include "bake/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void describe_source(const struct source *source, struct bake_report *report) {
    memcpy(report->name, source->name, sizeof report->name);
    memcpy(report->licence, source->licence, sizeof report->licence);
    report->description = source->huggingface.description;
    report->source_bytes = source->weights_mapping.bytes.size;
    for (uint32_t i = 0; i < source->huggingface.note_count && report->note_count < BAKE_MAX_NOTES; i++)
        memcpy(report->notes[report->note_count++], source->huggingface.notes[i], sizeof report->notes[0]);
}

static enum status take_errors(const json_t *quantization, struct bake_report *report, struct error *error) {
    size_t count = json_array_size(quantization);
    report->tensor_errors = calloc(count + 1, sizeof *report->tensor_errors);
    if (report->tensor_errors == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the report of the bake");
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(quantization, i);
        struct bake_tensor_error *tensor = &report->tensor_errors[report->tensor_error_count++];
        snprintf(tensor->tensor, sizeof tensor->tensor, "%s",
                 json_string_value(json_object_get(entry, "tensor")));
        tensor->relative_error = json_real_value(json_object_get(entry, "relative_error"));
        tensor->largest_error = json_real_value(json_object_get(entry, "largest_error"));
    }
    return STATUS_OK;
}

/* Reads the ember back as any user of it would, before it has its name. */
static enum status test_written(const struct file_writer *file, const struct bake_progress *progress,
                                struct bake_report *report, struct error *error) {
    progress_report(progress, "testing what was written", 0, 0);
    struct file_mapping mapping;
    struct model *model;
    const struct model_options options = {.verify_checksums = true};
    enum status status = file_writer_map(file, &mapping, error);
    if (status != STATUS_OK)
        return status;
    status = model_open_bytes(mapping.bytes, "the written ember", &options, &model, error);
    if (status == STATUS_OK) {
        status = selftest_run(model, NULL, &report->selftest, error);
        model_close(model);
    }
    file_unmap(&mapping);
    if (status == STATUS_OK && !report->selftest.passed)
        return error_set(
            error, STATUS_INTERNAL,
            "the self-test of the written ember failed: its outputs deviate by %.3g from the float32 "
            "reference, at most %.3g is expected",
            report->selftest.deviation, report->selftest.limit);
    return status;
}

static enum status write_form(const struct source *source, const struct ember_form *form,
                              const struct bake_progress *progress, struct file_writer *file,
                              struct bake_report *report, struct error *error) {
    struct weights_lists lists;
    struct ember_sizes sizes;
    enum status status = ember_form_write(source, form, progress, file, &lists, &sizes, error);
    if (status == STATUS_OK)
        status = take_errors(lists.quantization, report, error);
    json_decref(lists.tensors);
    json_decref(lists.quantization);
    report->ember_bytes = sizes.file;
    report->weights_bytes = sizes.weights;
    report->tokenizer_bytes = sizes.tokenizer;
    report->metadata_bytes = sizes.metadata;
    return status;
}

static enum status bake_source(const struct bake_options *options, const struct source *source,
                               struct file_writer *file, struct bake_report *report, struct error *error) {
    struct reference reference;
    enum status status =
        reference_run(source, options->precision == PRECISION_INT8, &options->progress, &reference, error);
    if (status != STATUS_OK)
        return status;
    report->published_scores = reference.published_scores;
    report->published_score_deviation = reference.published_score_deviation;
    const struct ember_form form = {options->precision, reference.golden, reference.rows, reference.columns,
                                    &reference.calibration};
    status = write_form(source, &form, &options->progress, file, report, error);
    reference_free(&reference);
    if (status == STATUS_OK)
        status = test_written(file, &options->progress, report, error);
    if (status == STATUS_OK)
        status = progress_check(&options->progress, error);
    return status;
}

enum status bake_run(const struct bake_options *options, struct bake_report *report, struct error *error) {
    *report = (struct bake_report){.precision = options->precision};
    struct file_writer file;
    struct source source = {0};
    /* First, so that an output that cannot be written is known before the work is done. */
    enum status status = file_writer_open(&file, options->output, error);
    if (status != STATUS_OK)
        return status;
    status = source_open(&source, options->model, options->name, &options->progress, error);
    if (status == STATUS_OK) {
        describe_source(&source, report);
        status = bake_source(options, &source, &file, report, error);
    }
    if (status == STATUS_OK)
        status = file_writer_commit(&file, error);
    file_writer_abort(&file);
    source_close(&source);
    return status;
}

void bake_report_free(struct bake_report *report) {
    free(report->tensor_errors);
    *report = (struct bake_report){0};
}
