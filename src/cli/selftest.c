/* rescoldo selftest: does this ember compute on this machine what it was baked to compute? */
#include "engine/selftest.h"

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/selftest_report.h"

#include <stdio.h>
#include <stdlib.h>

static const char name[] = "selftest";

struct selftest {
    const char *model_path;
    bool json;
};

static int parse(struct selftest *selftest, int argc, char **argv) {
    const struct option options[] = {
        {.name = "model",
         .argument = "FILE.ember",
         .help = "the ember to test",
         .required = true,
         .text = &selftest->model_path},
        {.name = "json", .help = "print one line of JSON on a terminal too", .flag = &selftest->json},
    };
    const struct command command = {
        .name = name,
        .synopsis = "--model FILE.ember [OPTION]...",
        .description = "Compares every checksum of the ember, runs the texts it was baked with, and compares "
                       "the outputs with those of the published model in float32. Exit status 1 when they "
                       "are too far apart.",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    return command_parse(&command, argc, argv);
}

static enum status print_json(const struct selftest_report *report, struct error *error) {
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    selftest_write_json(&writer, report);
    enum status status = json_writer_finish(&writer, error);
    if (status == STATUS_OK)
        status = cli_write_line(&line, error);
    buffer_free(&line);
    return status;
}

int command_selftest(int argc, char **argv) {
    struct selftest selftest = {0};
    int outcome = parse(&selftest, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    struct selftest_report report = {0};
    enum status status = selftest_run_file(selftest.model_path, NULL, &report, &error);
    if (status == STATUS_OK && cli_wants_table(selftest.json))
        selftest_print(&report);
    else if (status == STATUS_OK)
        status = print_json(&report, &error);
    if (status != STATUS_OK)
        return cli_finish(name, cli_fail(name, &error));
    if (!report.passed)
        cli_message(name, "%s computes wrong on this machine: relative deviation %.3g, limit %.3g",
                    selftest.model_path, report.deviation, report.limit);
    return cli_finish(name, report.passed ? EXIT_SUCCESS : EXIT_FAILED);
}
