/* The result of a self-test, as bake and selftest print it. */
#ifndef RESCOLDO_CLI_SELFTEST_REPORT_H
#define RESCOLDO_CLI_SELFTEST_REPORT_H

#include "base/json_writer.h"
#include "engine/selftest.h"

/* As a JSON object. */
void selftest_write_json(struct json_writer *writer, const struct selftest_report *report);

/* As one line for a person, to standard output. */
void selftest_print(const struct selftest_report *report);

#endif
