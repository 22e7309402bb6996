#include "engine/selftest.h"

#include "engine/model_metadata.h"
#include "engine/session.h"
#include "formats/json_reader.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

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
    if (json_has(golden, "arithmetic"))
        status = json_require_unsigned(golden, "metadata: golden", "arithmetic", 0, UINT32_MAX,
                                       &report->arithmetic, error);
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

/* A test under way: what it compares with. */
struct selftest {
    const struct model *model;
    struct session *session; /* the test's own, or whose it is to serve the model */
    bool owns_session;
    json_t *items;
    const float *expected; /* [items][outputs] */
    float *outputs;        /* owned, [outputs] */
};

static void close_test(struct selftest *test) {
    free(test->outputs);
    if (test->owns_session)
        session_destroy(test->session);
}

/* On failure too, close_test releases what there is. */
static enum status open_test_on(const struct model *model, struct session *session, struct selftest *test,
                                struct selftest_report *report, struct error *error) {
    *test = (struct selftest){.model = model, .session = session};
    *report = (struct selftest_report){0};
    memcpy(report->model, model->name, sizeof report->model);
    enum status status = find_golden(model, &test->items, &test->expected, report, error);
    if (status != STATUS_OK)
        return status;
    report->kernels = session_kernels(test->session)->name;
    test->outputs = calloc(report->outputs, sizeof *test->outputs);
    if (test->outputs == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the self-test");
    return STATUS_OK;
}

/* The same on a session of its own. */
static enum status open_test(const struct model *model, const struct kernels *kernels, struct selftest *test,
                             struct selftest_report *report, struct error *error) {
    const struct session_options options = {.kernels = kernels};
    struct session *session;
    *test = (struct selftest){0};
    enum status status = session_create(model, &options, &session, error);
    if (status != STATUS_OK)
        return status;
    status = open_test_on(model, session, test, report, error);
    test->owns_session = true;
    return status;
}

uint64_t selftest_digest(const float *outputs, size_t count) {
    return XXH3_64bits(outputs, count * sizeof *outputs);
}

static enum status compare_digest(const json_t *item, const float *outputs, struct selftest_report *report,
                                  struct error *error) {
    if (!json_has(item, "bits") || report->arithmetic != KERNELS_ARITHMETIC)
        return STATUS_OK;
    const char *stored;
    char found[17];
    enum status status = json_require_string(item, "metadata: golden item", "bits", &stored, error);
    if (status != STATUS_OK)
        return status;
    snprintf(found, sizeof found, "%016" PRIx64, selftest_digest(outputs, report->outputs));
    report->digests++;
    report->equal_digests += strcmp(stored, found) == 0;
    return STATUS_OK;
}

static size_t item_size(const json_t *item) {
    return json_string_length(json_object_get(item, "query")) +
           json_string_length(json_object_get(item, "passage")) +
           json_string_length(json_object_get(item, "text"));
}

/* Whether an item is among the `most` shortest; of equal ones the first counts as shorter. */
static bool is_among_shortest(const json_t *items, size_t number, uint32_t most) {
    size_t size = item_size(json_array_get(items, number));
    uint32_t shorter = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        size_t other = item_size(json_array_get(items, i));
        shorter += other < size || (other == size && i < number);
    }
    return shorter < most;
}

static void conclude(const struct model *model, const struct comparison *comparison,
                     struct selftest_report *report) {
    report->deviation = sqrt(comparison->difference_squared / comparison->expected_squared);
    report->limit =
        model->precision == PRECISION_INT8 ? SELFTEST_MAX_DEVIATION_INT8 : SELFTEST_MAX_DEVIATION_F32;
    report->largest_difference = comparison->largest_difference;
    report->lowest_cosine = comparison->lowest_cosine;
    report->passed = report->deviation <= report->limit && report->equal_digests == report->digests;
}

static enum status run_items(struct selftest *test, uint32_t most, struct selftest_report *report,
                             struct error *error) {
    struct comparison comparison = {.lowest_cosine = 1};
    size_t count = json_array_size(test->items);
    report->items = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(test->items, i);
        if (most != 0 && !is_among_shortest(test->items, i, most))
            continue;
        enum status status = run_item(test->session, test->model, item, test->outputs, error);
        if (status == STATUS_OK)
            status = compare_digest(item, test->outputs, report, error);
        if (status != STATUS_OK)
            return error_add_context(error, status, "self-test item %zu", i);
        compare(&comparison, test->outputs, test->expected + i * report->outputs, report->outputs);
        report->items++;
    }
    conclude(test->model, &comparison, report);
    return STATUS_OK;
}

enum status selftest_run(const struct model *model, const struct kernels *kernels, uint32_t most,
                         struct selftest_report *report, struct error *error) {
    struct selftest test;
    enum status status = open_test(model, kernels, &test, report, error);
    if (status == STATUS_OK)
        status = run_items(&test, most, report, error);
    close_test(&test);
    return status;
}

enum status selftest_require_passed(const struct selftest_report *report, struct error *error) {
    if (report->passed)
        return STATUS_OK;
    if (!(report->deviation <= report->limit))
        return error_set(error, STATUS_INTERNAL,
                         "%s computes wrong here: its outputs deviate by %.3g from the float32 reference, at "
                         "most %.3g is expected (%u golden texts, %s)",
                         report->model, report->deviation, report->limit, report->items, report->kernels);
    return error_set(
        error, STATUS_INTERNAL,
        "%s computes wrong here: the outputs of %u of %u golden texts are not, to the bit, those "
        "that were stored when the ember was baked (%s)",
        report->model, report->digests - report->equal_digests, report->digests, report->kernels);
}

enum status selftest_at_start(const struct model *model, struct session *session, struct error *error) {
    struct selftest test;
    struct selftest_report report;
    enum status status = open_test_on(model, session, &test, &report, error);
    if (status == STATUS_OK)
        status = run_items(&test, SELFTEST_START_ITEMS, &report, error);
    close_test(&test);
    return status == STATUS_OK ? selftest_require_passed(&report, error) : status;
}

enum status selftest_digests(const struct model *model, uint64_t *digests, size_t capacity, size_t *count,
                             struct error *error) {
    struct selftest test;
    struct selftest_report report;
    *count = 0;
    enum status status = open_test(model, NULL, &test, &report, error);
    if (status == STATUS_OK && report.items > capacity)
        status = error_set(error, STATUS_INTERNAL, "%u golden texts, room for %zu", report.items, capacity);
    while (status == STATUS_OK && *count < report.items) {
        status = run_item(test.session, model, json_array_get(test.items, *count), test.outputs, error);
        if (status == STATUS_OK)
            digests[(*count)++] = selftest_digest(test.outputs, report.outputs);
    }
    close_test(&test);
    return status;
}
