/* rescoldo bake: a published model to one ember. */
#include "bake/bake.h"

#include "base/json_writer.h"
#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/options.h"
#include "cli/selftest_report.h"
#include "cli/table.h"
#include "tokenizer/utf8.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char name[] = "bake";

static const char *const precisions[] = {"int8", "f32", NULL};
static const enum precision precision_values[] = {PRECISION_INT8, PRECISION_F32};

struct bake {
    struct option_values models, names;
    const char *output, *query_prompt, *passage_prompt;
    int precision;
    bool json, quiet;
};

static int parse(struct bake *bake, int argc, char **argv) {
    const struct option options[] = {
        {.name = "model",
         .argument = "PATH",
         .help =
             "a Hugging Face directory (config.json, model.safetensors, tokenizer.json or vocab.txt), or "
             "the model.safetensors or ONNX file in one, or a .zip of one; given several times, all go into "
             "one ember",
         .required = true,
         .repeat = &bake->models},
        {.name = "output",
         .argument = "FILE",
         .help = "the ember to write; it appears whole or not at all",
         .required = true,
         .text = &bake->output},
        {.name = "precision",
         .argument = "PRECISION",
         .help = "int8 (default) or f32",
         .choice = &bake->precision,
         .choices = precisions},
        {.name = "name",
         .argument = "NAME",
         .help = "what the model is called in the ember; default: the known name of these weights, else the "
                 "directory's; of several models the first --name is that of the first",
         .repeat = &bake->names},
        {.name = "query-prompt",
         .argument = "TEXT",
         .help =
             "what the embedder reads before a query, such as \"query: \"; default: as the model's files say",
         .text = &bake->query_prompt},
        {.name = "passage-prompt",
         .argument = "TEXT",
         .help = "what the embedder reads before a passage; default: as the model's files say",
         .text = &bake->passage_prompt},
        {.name = "quiet", .help = "no progress on standard error", .flag = &bake->quiet},
        {.name = "json", .help = "print one line of JSON on a terminal too", .flag = &bake->json},
    };
    const struct command command = {
        .name = name,
        .synopsis = "--model PATH [--model PATH]... --output FILE [OPTION]...",
        .description =
            "Turns a published BERT cross-encoder or embedder into one ember: checked, quantized, packed, "
            "and ready to be mapped. Several models, such as a reranker and an embedder, can share an "
            "ember; what they have in common is stored once. The same input gives the same bytes. Then "
            "prints sizes, the quantization error of every layer, and a self-test of the written file "
            "against float32, a line of JSON for each model.",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    return command_parse(&command, argc, argv);
}

/* ---- progress and interruption ---- */

/* Interruption is asked for by SIGINT or SIGTERM, which stay pending and are looked for at each step: the
 * bake then removes what it has written and says so. */
struct progress {
    const struct bake *bake;
    bool renewing; /* standard error is a terminal: one line that renews itself */
    bool line_open;
    char step[64];
    atomic_bool cancel;
    sigset_t signals;
};

static void end_line(struct progress *progress) {
    if (progress->line_open)
        fputc('\n', stderr);
    progress->line_open = false;
}

static void show(struct progress *progress, const char *step, uint64_t done, uint64_t total) {
    bool changed = strncmp(progress->step, step, sizeof progress->step - 1) != 0;
    snprintf(progress->step, sizeof progress->step, "%s", step);
    if (!progress->renewing) {
        if (changed)
            cli_message(name, "%s", step);
        return;
    }
    if (changed)
        end_line(progress);
    fprintf(stderr, "\r%s", step);
    if (total > 0)
        fprintf(stderr, " %3u %%", (unsigned)(100 * ((double)done / (double)total)));
    progress->line_open = true;
}

static void on_progress(void *user_data, const char *step, uint64_t done, uint64_t total) {
    struct progress *progress = user_data;
    const struct timespec now = {0};
    if (sigtimedwait(&progress->signals, NULL, &now) > 0)
        atomic_store(&progress->cancel, true);
    if (!progress->bake->quiet)
        show(progress, step, done, total);
}

static void begin_progress(struct progress *progress, const struct bake *bake) {
    *progress = (struct progress){.bake = bake, .renewing = isatty(STDERR_FILENO) == 1};
    sigemptyset(&progress->signals);
    sigaddset(&progress->signals, SIGINT);
    sigaddset(&progress->signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &progress->signals, NULL);
}

/* ---- the report ---- */

static enum status print_json(const struct bake *bake, const struct bake_report *ember,
                              const struct bake_model_report *report, struct error *error) {
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    json_begin_object(&writer);
    json_key(&writer, "file");
    json_message(&writer, bake->output);
    json_key(&writer, "name");
    json_message(&writer, report->name);
    json_key(&writer, "licence");
    json_message(&writer, report->licence);
    json_key(&writer, "kind");
    json_text_of_string(&writer, model_kind_name(report->description.kind));
    json_key(&writer, "precision");
    json_text_of_string(&writer, precision_name(ember->precision));
    const struct {
        const char *key;
        uint64_t bytes;
    } sizes[] = {
        {"source_bytes", report->source_bytes},      {"shared_bytes", report->shared_bytes},
        {"ember_bytes", ember->ember_bytes},         {"weights_bytes", ember->weights_bytes},
        {"tokenizer_bytes", ember->tokenizer_bytes}, {"metadata_bytes", ember->metadata_bytes},
    };
    for (size_t i = 0; i < OPTION_COUNT(sizes); i++) {
        json_key(&writer, sizes[i].key);
        json_unsigned(&writer, sizes[i].bytes);
    }
    json_key(&writer, "quantization");
    json_begin_array(&writer);
    for (size_t i = 0; i < report->tensor_error_count; i++) {
        const struct bake_tensor_error *tensor = &report->tensor_errors[i];
        json_begin_object(&writer);
        json_key(&writer, "tensor");
        json_text_of_string(&writer, tensor->tensor);
        json_key(&writer, "relative_error");
        json_float(&writer, (float)tensor->relative_error);
        json_key(&writer, "largest_error");
        json_float(&writer, (float)tensor->largest_error);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_key(&writer, "notes");
    json_begin_array(&writer);
    for (uint32_t i = 0; i < report->note_count; i++)
        json_message(&writer, report->notes[i]);
    json_end_array(&writer);
    json_key(&writer, "published_scores");
    json_unsigned(&writer, report->published_scores);
    json_key(&writer, "published_score_deviation");
    json_float(&writer, (float)report->published_score_deviation);
    json_key(&writer, "selftest");
    selftest_write_json(&writer, &report->selftest);
    json_end_object(&writer);
    enum status status = json_writer_finish(&writer, error);
    if (status == STATUS_OK)
        status = cli_write_line(&line, error);
    buffer_free(&line);
    return status;
}

static enum status print_errors(const struct bake_model_report *report, struct error *error) {
    static const struct table_column columns[] = {
        {"quantized tensor", false}, {"relative error", true}, {"largest error", true}};
    if (report->tensor_error_count == 0)
        return STATUS_OK;
    struct table table = {.columns = columns, .column_count = OPTION_COUNT(columns)};
    for (size_t i = 0; i < report->tensor_error_count; i++) {
        const struct bake_tensor_error *tensor = &report->tensor_errors[i];
        table_add(&table, bytes_of_string(tensor->tensor));
        table_add_format(&table, "%.5f", tensor->relative_error);
        table_add_format(&table, "%.6f", tensor->largest_error);
    }
    enum status status = table_print(&table, error);
    table_free(&table);
    putchar('\n');
    return status;
}

static enum status print_table(const struct bake *bake, const struct bake_report *ember,
                               const struct bake_model_report *report, struct error *error) {
    enum status status = print_errors(report, error);
    if (status != STATUS_OK)
        return status;
    printf("%s: %s, %s, %s\n", bake->output, report->name, model_kind_name(report->description.kind),
           precision_name(ember->precision));
    printf("%.1f MB of published weights -> %.1f MB (weights %.1f MB, tokenizer %.0f kB, metadata %.0f kB)\n",
           (double)report->source_bytes / 1e6, (double)ember->ember_bytes / 1e6,
           (double)ember->weights_bytes / 1e6, (double)ember->tokenizer_bytes / 1e3,
           (double)ember->metadata_bytes / 1e3);
    if (report->shared_bytes > 0)
        printf("%.1f MB of its weights are those of an earlier model of the ember\n",
               (double)report->shared_bytes / 1e6);
    for (uint32_t i = 0; i < report->note_count; i++)
        printf("note: %s\n", report->notes[i]);
    if (report->published_scores > 0)
        printf("published scores: %u, off by at most %.6f in float32\n", report->published_scores,
               report->published_score_deviation);
    selftest_print(&report->selftest);
    return STATUS_OK;
}

static enum status print_report(const struct bake *bake, const struct bake_report *report,
                                struct error *error) {
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < report->model_count; i++)
        status = cli_wants_table(bake->json) ? print_table(bake, report, &report->models[i], error)
                                             : print_json(bake, report, &report->models[i], error);
    return status;
}

/* What goes into the metadata, which is JSON. */
static int check_utf8(const char *option, const char *value) {
    struct bytes text = bytes_of_string(value == NULL ? "" : value);
    size_t invalid = utf8_find_invalid(text);
    if (invalid == text.size)
        return COMMAND_CONTINUE;
    return command_usage_error(name, "--%s is not UTF-8 at byte %zu", option, invalid);
}

int command_bake(int argc, char **argv) {
    struct bake bake = {0};
    int outcome = parse(&bake, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    if (bake.models.count > BAKE_MAX_MODELS)
        return command_usage_error(name, "an ember holds at most %u models", BAKE_MAX_MODELS);
    if (bake.names.count > bake.models.count)
        return command_usage_error(name, "there are more --name than --model");
    outcome = check_utf8("query-prompt", bake.query_prompt);
    if (outcome == COMMAND_CONTINUE)
        outcome = check_utf8("passage-prompt", bake.passage_prompt);
    for (size_t i = 0; outcome == COMMAND_CONTINUE && i < bake.names.count; i++)
        outcome = check_utf8("name", bake.names.values[i]);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct progress progress;
    begin_progress(&progress, &bake);
    struct bake_options options = {
        .output = bake.output,
        .precision = precision_values[bake.precision],
        .query_prompt = bake.query_prompt,
        .passage_prompt = bake.passage_prompt,
        .progress = {on_progress, &progress, &progress.cancel},
    };
    for (size_t i = 0; i < bake.models.count; i++)
        options.models[i] = (struct bake_model){
            .path = bake.models.values[i],
            .name = i < bake.names.count ? bake.names.values[i] : NULL,
        };
    struct bake_report report = {0};
    struct error error;
    enum status status = bake_run(&options, &report, &error);
    end_line(&progress);
    if (status == STATUS_OK)
        status = print_report(&bake, &report, &error);
    bake_report_free(&report);
    return cli_finish(name, status == STATUS_OK ? EXIT_SUCCESS : cli_fail(name, &error));
}
