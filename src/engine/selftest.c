#include "engine/selftest.h"

#include "engine/model_metadata.h"
#include "engine/session.h"
#include "formats/json_reader.h"

#include <math.h>
#include <stdlib.h>

/* Sums over all outputs of all items. */
struct comparison {
    double difference_squared, expected_squared;
    double largest_difference;
    double lowest_cosine;
};

enum status selftest_output(struct session *session, const struct model *model, struct bytes query,
                            struct bytes passage, float *outputs, struct error *error) {
    struct embedding_info info;
    if (model->kind == MODEL_EMBEDDER)
        return session_embed(session, &passage, 1, NULL, outputs, &info, NULL, error);
    struct passage_score score;
    enum status status = session_rerank(session, query, &passage, 1, NULL, &score, NULL, error);
    if (status == STATUS_OK)
        outputs[0] = score.raw;
    return status;
}

static void compare(struct comparison *comparison, const float *found, const float *expected, size_t count) {
    double product = 0, found_squared = 0, expected_squared = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)found[i] - (double)expected[i]);
        comparison->difference_squared += difference * difference;
        /* fmax would drop a NaN, which must fail the test. */
        if (!(difference <= comparison->largest_difference))
            comparison->largest_difference = difference;
        product += (double)found[i] * (double)expected[i];
        found_squared += (double)found[i] * (double)found[i];
        expected_squared += (double)expected[i] * (double)expected[i];
    }
    comparison->expected_squared += expected_squared;
    double cosine = count == 1 ? 1 : product / sqrt(found_squared * expected_squared);
    if (!(cosine >= comparison->lowest_cosine))
        comparison->lowest_cosine = cosine;
}

static enum status item_text(const json_t *item, const char *key, struct bytes *text, struct error *error) {
    const char *string;
    enum status status = json_require_string(item, "metadata: golden item", key, &string, error);
    if (status == STATUS_OK)
        *text = bytes_of_string(string);
    return status;
}

static enum status run_item(struct session *session, const struct model *model, const json_t *item,
                            float *outputs, struct error *error) {
    struct bytes query = {0}, passage = {0};
    enum status status;
    if (model->kind == MODEL_EMBEDDER) {
        status = item_text(item, "text", &passage, error);
    } else {
        status = item_text(item, "query", &query, error);
        if (status == STATUS_OK)
            status = item_text(item, "passage", &passage, error);
    }
    if (status == STATUS_OK)
        status = selftest_output(session, model, query, passage, outputs, error);
    return status;
}

static enum status find_golden(const struct model *model, json_t **items, const float **expected,
                               struct selftest_report *report, struct error *error) {
    const json_t *golden = json_object_get(model_entry(model), "golden");
    if (golden == NULL)
        return error_set(error, STATUS_NOT_FOUND, "the ember of %s holds no golden outputs to test against",
                         model->name);
    const char *tensor;
    enum status status = json_require_member(golden, "metadata: golden", "items", JSON_ARRAY, items, error);
    if (status == STATUS_OK)
        status = json_require_string(golden, "metadata: golden", "tensor", &tensor, error);
    if (status != STATUS_OK)
        return status;
    size_t count = json_array_size(*items);
    if (count == 0 || count > SELFTEST_MAX_ITEMS)
        return error_set(error, STATUS_INVALID_DATA, "metadata: golden has %zu items, expected 1 to %u",
                         count, SELFTEST_MAX_ITEMS);
    report->items = (uint32_t)count;
    report->outputs = model->kind == MODEL_EMBEDDER ? model->shape.hidden_size : 1;
    return model_find_rows_f32(model, tensor, count, report->outputs, expected, error);
}

static enum status run_items(struct session *session, const struct model *model, const json_t *items,
                             const float *expected, float *outputs, struct selftest_report *report,
                             struct error *error) {
    struct comparison comparison = {.lowest_cosine = 1};
    for (size_t i = 0; i < report->items; i++) {
        enum status status = run_item(session, model, json_array_get(items, i), outputs, error);
        if (status != STATUS_OK)
            return error_add_context(error, status, "self-test item %zu", i);
        compare(&comparison, outputs, expected + i * report->outputs, report->outputs);
    }
    report->deviation = sqrt(comparison.difference_squared / comparison.expected_squared);
    report->limit =
        model->precision == PRECISION_INT8 ? SELFTEST_MAX_DEVIATION_INT8 : SELFTEST_MAX_DEVIATION_F32;
    report->largest_difference = comparison.largest_difference;
    report->lowest_cosine = comparison.lowest_cosine;
    report->kernels = session_kernels(session)->name;
    report->passed = report->deviation <= report->limit;
    return STATUS_OK;
}

enum status selftest_run(const struct model *model, const struct kernels *kernels,
                         struct selftest_report *report, struct error *error) {
    *report = (struct selftest_report){0};
    json_t *items;
    const float *expected;
    struct session *session = NULL;
    float *outputs = NULL;
    enum status status = find_golden(model, &items, &expected, report, error);
    if (status != STATUS_OK)
        return status;
    struct session_options options = {.kernels = kernels};
    status = session_create(model, &options, &session, error);
    if (status != STATUS_OK)
        goto cleanup;
    outputs = calloc(report->outputs, sizeof *outputs);
    if (outputs == NULL) {
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the self-test");
        goto cleanup;
    }
    status = run_items(session, model, items, expected, outputs, report, error);
cleanup:
    free(outputs);
    session_destroy(session);
    return status;
}

enum status selftest_run_file(const char *path, const struct kernels *kernels, struct selftest_report *report,
                              struct error *error) {
    struct model *model;
    struct model_options options = {.verify_checksums = true};
    enum status status = model_open(path, &options, &model, error);
    if (status != STATUS_OK)
        return status;
    status = selftest_run(model, kernels, report, error);
    model_close(model);
    return status;
}
