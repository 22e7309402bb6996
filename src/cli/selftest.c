/* rescoldo selftest: does this ember compute on this machine what it was baked to compute? */
#include "engine/selftest.h"

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/selftest_report.h"

#include <stdio.h>
#include <stdlib.h>

static const char name[] = "selftest";

struct selftest {
    const char *model_path, *model_name;
    bool json;
};

static int parse(struct selftest *selftest, int argc, char **argv) {
    const struct option options[] = {
        {.name = "model",
         .argument = "FILE.ember",
         .help = "the ember to test",
         .required = true,
         .text = &selftest->model_path},
        {.name = "model-name",
         .argument = "NAME",
         .help = "test only this model of an ember with several",
         .text = &selftest->model_name},
        {.name = "json", .help = "print one line of JSON on a terminal too", .flag = &selftest->json},
    };
    const struct command command = {
        .name = name,
        .synopsis = "--model FILE.ember [OPTION]...",
        .description =
            "Compares every checksum of the ember, runs the texts that each of its models was baked "
            "with, and compares the outputs with those of the published model in float32, and "
            "their bits with those that were computed then. Exit status 1 when they are too far "
            "apart, or a bit differs.",
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

static enum status test_model(const struct selftest *selftest, const struct model *model, bool *passed,
                              struct error *error) {
    struct selftest_report report;
    struct error failure;
    enum status status = selftest_run(model, NULL, 0, &report, error);
    if (status != STATUS_OK)
        return error_add_context(error, status, "%s", selftest->model_path);
    if (cli_wants_table(selftest->json))
        selftest_print(&report);
    else
        status = print_json(&report, error);
    if (selftest_require_passed(&report, &failure) != STATUS_OK) {
        cli_message(name, "%s: %s", selftest->model_path, failure.message);
        *passed = false;
    }
    return status;
}

static enum status test_models(const struct selftest *selftest, const struct model_list *list, bool *passed,
                               struct error *error) {
    const struct model *named = NULL;
    enum status status = STATUS_OK;
    if (selftest->model_name != NULL)
        status = model_list_require(list, selftest->model_name, &named, error);
    for (size_t i = 0; status == STATUS_OK && i < list->count; i++) {
        if (named == NULL || named == list->models[i])
            status = test_model(selftest, list->models[i], passed, error);
    }
    return status;
}

int command_selftest(int argc, char **argv) {
    struct selftest selftest = {0};
    int outcome = parse(&selftest, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    struct model_list list;
    bool passed = true;
    const struct model_options options = {.verify_checksums = true};
    enum status status = model_list_open(selftest.model_path, &options, &list, &error);
    if (status == STATUS_OK)
        status = test_models(&selftest, &list, &passed, &error);
    model_list_close(&list);
    if (status != STATUS_OK)
        return cli_finish(name, cli_fail(name, &error));
    return cli_finish(name, passed ? EXIT_SUCCESS : EXIT_FAILED);
}
