#include "cli/selftest_report.h"

#include "cli/json_lines.h"
#include "kernels/kernels.h"

#include <stdio.h>

static void write_number(struct json_writer *writer, const char *key, double value) {
    json_key(writer, key);
    json_float(writer, (float)value);
}

void selftest_write_json(struct json_writer *writer, const struct selftest_report *report) {
    json_begin_object(writer);
    json_key(writer, "passed");
    json_bool(writer, report->passed);
    json_key(writer, "model");
    json_message(writer, report->model);
    json_key(writer, "isa");
    json_text_of_string(writer, report->kernels);
    json_key(writer, "items");
    json_unsigned(writer, report->items);
    json_key(writer, "outputs");
    json_unsigned(writer, report->outputs);
    write_number(writer, "deviation", report->deviation);
    write_number(writer, "limit", report->limit);
    write_number(writer, "largest_difference", report->largest_difference);
    write_number(writer, "lowest_cosine", report->lowest_cosine);
    json_key(writer, "bits_equal");
    if (report->digests == 0)
        json_null_value(writer);
    else
        json_bool(writer, report->digests == report->equal_digests);
    json_end_object(writer);
}

void selftest_print(const struct selftest_report *report) {
    printf("self-test of %s %s (%s): %u texts, relative deviation from float32 %.2g (limit %.2g), largest "
           "difference %.2g",
           report->model, report->passed ? "passed" : "FAILED", report->kernels, report->items,
           report->deviation, report->limit, report->largest_difference);
    if (report->outputs > 1)
        printf(", lowest cosine %.6f", report->lowest_cosine);
    if (report->digests > 0)
        printf(", bits as baked: %u of %u", report->equal_digests, report->digests);
    else if (report->arithmetic != KERNELS_ARITHMETIC)
        printf(
            ", bits not compared: baked by a version of other arithmetic, bake again to have them checked");
    putchar('\n');
}
