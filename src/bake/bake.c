#include "bake/bake.h"

#include "bake/ember_form.h"
#include "bake/reference.h"
#include "bake/source.h"
#include "tokenizer/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bake under way. */
struct baking {
    const struct bake_options *options;
    struct bake_report *report;
    struct source *sources; /* owned, [count] */
    size_t count;           /* models asked for */
    size_t opened;
    struct file_writer file;
    struct ember_builder builder;
};

static void describe_source(const struct source *source, struct bake_model_report *report) {
    memcpy(report->name, source->name, sizeof report->name);
    memcpy(report->licence, source->licence, sizeof report->licence);
    report->description = source->huggingface.description;
    report->source_bytes = published_weights_size(&source->weights);
    for (uint32_t i = 0; i < source->huggingface.note_count && report->note_count < BAKE_MAX_NOTES; i++)
        memcpy(report->notes[report->note_count++], source->huggingface.notes[i], sizeof report->notes[0]);
    for (uint32_t i = 0; i < source->note_count && report->note_count < BAKE_MAX_NOTES; i++)
        memcpy(report->notes[report->note_count++], source->notes[i], sizeof report->notes[0]);
}

/* What became of the scales of a file that is quantized already. */
static void note_scales(const struct weights_lists *lists, enum precision precision,
                        struct bake_model_report *report) {
    if (report->note_count == BAKE_MAX_NOTES)
        return;
    char *note = report->notes[report->note_count++];
    if (precision == PRECISION_F32)
        snprintf(note, sizeof report->notes[0], "scales: all weights are dequantized to float32");
    else
        snprintf(note, sizeof report->notes[0],
                 "scales: kept exactly for %llu of %llu rows; the others are requantized, one scale per row, "
                 "behind "
                 "balanced inputs",
                 (unsigned long long)lists->kept_rows, (unsigned long long)lists->quantized_rows);
}

/* Why no scores of others were compared, so that nobody takes the self-test for that. */
static void note_published_scores(const struct source *source, struct bake_model_report *report) {
    if (report->published_scores > 0 || report->note_count == BAKE_MAX_NOTES)
        return;
    char *note = report->notes[report->note_count++];
    if (source->known != NULL)
        snprintf(note, sizeof report->notes[0],
                 "published golden scores not checked: none are known of this file");
    else
        snprintf(
            note, sizeof report->notes[0],
            "published golden scores not checked: unknown file (no known model has the SHA-256 of %.60s)",
            source->weights.name);
}

static enum status take_errors(const json_t *quantization, struct bake_model_report *report,
                               struct error *error) {
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

static enum status check_names(const struct baking *baking, struct error *error) {
    const struct source *last = &baking->sources[baking->opened - 1];
    for (size_t i = 0; i + 1 < baking->opened; i++) {
        if (strcmp(baking->sources[i].name, last->name) == 0)
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "%s and %s would both be named \"%s\" in the ember: name them apart",
                             baking->sources[i].folder.path, last->folder.path, last->name);
    }
    return STATUS_OK;
}

static enum status set_prompt(const char *given, char prompt[MODEL_PROMPT_SIZE], struct error *error) {
    if (given == NULL)
        return STATUS_OK;
    if (strlen(given) >= MODEL_PROMPT_SIZE)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a prompt has %zu bytes, expected at most %u",
                         strlen(given), MODEL_PROMPT_SIZE - 1);
    size_t invalid = utf8_find_invalid(bytes_of_string(given));
    if (invalid < strlen(given))
        return error_set(error, STATUS_INVALID_ARGUMENT, "a prompt is not UTF-8: byte 0x%02X at offset %zu",
                         (unsigned char)given[invalid], invalid);
    memcpy(prompt, given, strlen(given) + 1);
    return STATUS_OK;
}

static enum status set_prompts(struct baking *baking, struct error *error) {
    const struct bake_options *options = baking->options;
    size_t embedders = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < baking->count; i++) {
        struct model_description *description = &baking->sources[i].huggingface.description;
        if (description->kind != MODEL_EMBEDDER)
            continue;
        embedders++;
        status = set_prompt(options->query_prompt, description->prompts.query, error);
        if (status == STATUS_OK)
            status = set_prompt(options->passage_prompt, description->prompts.passage, error);
    }
    if (status == STATUS_OK && embedders == 0 &&
        (options->query_prompt != NULL || options->passage_prompt != NULL))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "only an embedder reads a prompt, and none is baked");
    return status;
}

static enum status open_sources(struct baking *baking, struct error *error) {
    baking->sources = calloc(baking->count + 1, sizeof *baking->sources);
    if (baking->sources == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %zu models", baking->count);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && baking->opened < baking->count) {
        const struct bake_model *model = &baking->options->models[baking->opened];
        struct source *source = &baking->sources[baking->opened++];
        status = source_open(source, model->path, model->name, &baking->options->progress, error);
        if (status == STATUS_OK)
            status = check_names(baking, error);
        if (status == STATUS_OK)
            describe_source(source, &baking->report->models[baking->report->model_count++]);
    }
    return status;
}

static enum status begin_ember(struct baking *baking, struct error *error) {
    const struct source *sources[BAKE_MAX_MODELS];
    for (size_t i = 0; i < baking->count; i++)
        sources[i] = &baking->sources[i];
    return ember_builder_begin(&baking->builder, sources, baking->count, &baking->options->progress,
                               &baking->file, error);
}

static enum status add_model(struct baking *baking, size_t number, struct error *error) {
    const struct bake_options *options = baking->options;
    struct bake_model_report *report = &baking->report->models[number];
    const struct source *source = &baking->sources[number];
    struct reference reference;
    struct weights_lists lists = {0};
    enum status status =
        reference_run(source, options->precision == PRECISION_INT8, &options->progress, &reference, error);
    if (status != STATUS_OK)
        return status;
    report->published_scores = reference.published_scores;
    report->published_score_deviation = reference.published_score_deviation;
    note_published_scores(source, report);
    const struct ember_form form = {options->precision, reference.golden, reference.rows, reference.columns,
                                    &reference.calibration};
    status = ember_builder_add(&baking->builder, source, &form, &lists, &report->shared_bytes, error);
    if (status == STATUS_OK)
        status = take_errors(lists.quantization, report, error);
    if (status == STATUS_OK && source->weights.is_onnx && source->weights.bert.quantized > 0)
        note_scales(&lists, options->precision, report);
    weights_lists_free(&lists);
    reference_free(&reference);
    return status;
}

/* Opens what is written so far as any user of it would, and calls back for each model. */
static enum status with_written(struct baking *baking, bool verify,
                                enum status (*visit)(struct baking *baking, const struct model *model,
                                                     struct error *error),
                                struct error *error) {
    struct file_mapping mapping;
    struct model_list list;
    const struct model_options options = {.verify_checksums = verify};
    enum status status = file_writer_map(&baking->file, &mapping, error);
    if (status != STATUS_OK)
        return status;
    status = model_list_open_bytes(mapping.bytes, "the written ember", &options, &list, error);
    for (size_t i = 0; status == STATUS_OK && i < list.count; i++)
        status = visit(baking, list.models[i], error);
    model_list_close(&list);
    file_unmap(&mapping);
    return status;
}

static enum status store_bits(struct baking *baking, const struct model *model, struct error *error) {
    uint64_t digests[SELFTEST_MAX_ITEMS];
    size_t count;
    enum status status = selftest_digests(model, digests, SELFTEST_MAX_ITEMS, &count, error);
    if (status == STATUS_OK)
        status = ember_builder_set_bits(&baking->builder, model->number, digests, count, error);
    return status;
}

static enum status test_model(struct baking *baking, const struct model *model, struct error *error) {
    struct selftest_report *report = &baking->report->models[model->number].selftest;
    enum status status = selftest_run(model, NULL, 0, report, error);
    if (status == STATUS_OK)
        status = selftest_require_passed(report, error);
    return status;
}

static enum status write_ember(struct baking *baking, struct error *error) {
    const struct bake_progress *progress = &baking->options->progress;
    enum status status = begin_ember(baking, error);
    for (size_t i = 0; status == STATUS_OK && i < baking->count; i++)
        status = add_model(baking, i, error);
    if (status == STATUS_OK)
        status = ember_builder_finish(&baking->builder, error);
    if (status == STATUS_OK)
        status = progress_check(progress, error);
    progress_report(progress, "testing what was written", 0, 0);
    if (status == STATUS_OK)
        status = with_written(baking, false, store_bits, error);
    if (status == STATUS_OK)
        status = ember_builder_rewrite(&baking->builder, error);
    if (status == STATUS_OK)
        status = with_written(baking, true, test_model, error);
    if (status == STATUS_OK)
        status = progress_check(progress, error);
    return status;
}

static void report_sizes(const struct baking *baking) {
    const struct ember_sizes *sizes = &baking->builder.sizes;
    baking->report->ember_bytes = sizes->file;
    baking->report->weights_bytes = sizes->weights;
    baking->report->tokenizer_bytes = sizes->tokenizer;
    baking->report->metadata_bytes = sizes->metadata;
}

enum status bake_run(const struct bake_options *options, struct bake_report *report, struct error *error) {
    *report = (struct bake_report){.precision = options->precision};
    struct baking baking = {.options = options, .report = report};
    while (baking.count < BAKE_MAX_MODELS && options->models[baking.count].path != NULL)
        baking.count++;
    /* First, so that an output that cannot be written is known before the work is done. */
    enum status status = file_writer_open(&baking.file, options->output, error);
    if (status != STATUS_OK)
        return status;
    status = open_sources(&baking, error);
    if (status == STATUS_OK)
        status = set_prompts(&baking, error);
    if (status == STATUS_OK)
        status = write_ember(&baking, error);
    report_sizes(&baking);
    ember_builder_free(&baking.builder);
    if (status == STATUS_OK)
        status = file_writer_commit(&baking.file, error);
    file_writer_abort(&baking.file);
    for (size_t i = 0; i < baking.opened; i++)
        source_close(&baking.sources[i]);
    free(baking.sources);
    return status;
}

void bake_report_free(struct bake_report *report) {
    for (size_t i = 0; i < report->model_count; i++)
        free(report->models[i].tensor_errors);
    *report = (struct bake_report){0};
}
