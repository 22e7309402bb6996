/* rescoldo tokenize: texts to the token ids the model sees, and where each comes from. */
#include "base/json_writer.h"
#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/lines.h"
#include "cli/opened_model.h"
#include "cli/options.h"
#include "cli/tokenize_text.h"
#include "engine/model.h"

#include <stdlib.h>

static const char name[] = "tokenize";

struct tokenize {
    struct model_argument model_argument;
    const char *input, *query;
    bool json, json_lines, encode_special_tokens;
    int invalid_utf8, fitting;
    uint64_t max_length, stride;

    struct model *model;
    struct text_tokenizer tokenizer;
    struct line_reader reader;
    bool to_table;
    struct failed_lines failed;
    struct buffer line;
};

static int parse(struct tokenize *tokenize, int argc, char **argv) {
    const struct option options[] = {
        MODEL_OPTIONS(&tokenize->model_argument),
        {.name = "jsonl",
         .help = "read lines {\"text\": ..., \"pair\"?: ..., \"max_length\"?: N, \"truncation\"?: HOW, "
                 "\"stride\"?: N} instead of texts",
         .flag = &tokenize->json_lines},
        {.name = "query",
         .argument = "TEXT",
         .help = "make each text the second of a pair, after this one",
         .text = &tokenize->query},
        {.name = "max-length",
         .argument = "N",
         .help = "tokens, special tokens included; default: no limit; a line's max_length goes before it",
         .number = &tokenize->max_length,
         .minimum = 2,
         .maximum = UINT32_MAX},
        {.name = "truncation",
         .argument = "HOW",
         .help = "longest_first (default), only_first, only_second, none (too long is an error) or windows",
         .choice = &tokenize->fitting,
         .choices = fitting_names},
        {.name = "stride",
         .argument = "N",
         .help = "tokens a window shares with the one before it; default 0",
         .number = &tokenize->stride,
         .maximum = UINT32_MAX},
        {.name = "invalid-utf8",
         .argument = "HOW",
         .help = "refuse (default) or replace: each invalid run becomes U+FFFD",
         .choice = &tokenize->invalid_utf8,
         .choices = invalid_utf8_names},
        {.name = "encode-special-tokens",
         .help = "take \"[SEP]\" and the like in a text as ordinary text",
         .flag = &tokenize->encode_special_tokens},
        {.name = "json", .help = "print JSON lines on a terminal too", .flag = &tokenize->json},
    };
    const struct command command = {
        .name = name,
        .synopsis = "--model FILE.ember [OPTION]... [TEXTS|-]",
        .description =
            "Tokenizes each text, one per line of TEXTS or standard input, and prints for each a line\n"
            "{\"ids\": [...], \"type_ids\": [...], \"tokens\": [...], \"offsets\": [[0, 5], ...],\n"
            "\"byte_offsets\": [...], \"characters_used\": 5, \"truncated\": false}, or a table on a "
            "terminal.\n"
            "Offsets count characters (code points) of the text; special tokens have [0, 0]. A line that\n"
            "cannot be tokenized is answered in its place by {\"error\": ...}.",
        .options = options,
        .option_count = OPTION_COUNT(options),
        .operands = &tokenize->input,
        .operand_maximum = 1,
        .operand_name = "TEXTS",
    };
    int outcome = command_parse(&command, argc, argv);
    if (outcome == COMMAND_CONTINUE && tokenize->json_lines && tokenize->query != NULL)
        return command_usage_error(name,
                                   "--query is for plain texts; with --jsonl, give \"text\" and \"pair\"");
    if (outcome == COMMAND_CONTINUE && tokenize->json_lines && tokenize->invalid_utf8 != INVALID_UTF8_REFUSE)
        return command_usage_error(name, "--invalid-utf8 is for plain texts; JSON is always UTF-8");
    return outcome;
}

/* ---- one line of --jsonl ---- */

static enum status read_number(const json_t *request, const char *key, uint64_t *number,
                               struct error *error) {
    const json_t *member = json_object_get(request, key);
    if (member == NULL || json_is_null(member))
        return STATUS_OK;
    if (!json_is_integer(member) || json_integer_value(member) < 0 || json_integer_value(member) > UINT32_MAX)
        return error_set(error, STATUS_INVALID_DATA, "\"%s\" is not a whole number from 0 to 4294967295",
                         key);
    *number = (uint64_t)json_integer_value(member);
    return STATUS_OK;
}

static enum status read_fitting(const json_t *request, enum fitting *fitting, struct error *error) {
    const json_t *member = json_object_get(request, "truncation");
    if (member == NULL || json_is_null(member))
        return STATUS_OK;
    for (size_t i = 0; fitting_names[i] != NULL; i++) {
        if (json_is_string(member) && strcmp(json_string_value(member), fitting_names[i]) == 0) {
            *fitting = (enum fitting)i;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_INVALID_DATA,
                     "\"truncation\" is none of longest_first, only_first, only_second, none, windows");
}

static enum status read_request(const json_t *line, struct tokenize_request *request, struct error *error) {
    enum status status = json_member_string(line, "text", &request->text, error);
    if (status != STATUS_OK)
        return status;
    status = json_member_string(line, "pair", &request->pair, error);
    request->has_pair = status == STATUS_OK;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = read_number(line, "max_length", &request->max_length, error);
    if (status == STATUS_OK && request->max_length == 0 &&
        json_is_integer(json_object_get(line, "max_length")))
        status = error_set(error, STATUS_INVALID_ARGUMENT, "\"max_length\" is 0, expected at least %u",
                           TOKENIZER_SPECIAL_SINGLE);
    if (status == STATUS_OK)
        status = read_number(line, "stride", &request->stride, error);
    return status == STATUS_OK ? read_fitting(line, &request->fitting, error) : status;
}

static struct tokenize_request default_request(const struct tokenize *tokenize) {
    return (struct tokenize_request){.text_name = "text",
                                     .pair_name = "pair",
                                     .max_length = tokenize->max_length,
                                     .fitting = (enum fitting)tokenize->fitting,
                                     .stride = tokenize->stride};
}

static enum status answer(void *state, json_t *line, struct buffer *reply, struct error *error) {
    struct tokenize *tokenize = state;
    struct tokenize_request request = default_request(tokenize);
    enum status status = read_request(line, &request, error);
    return status == STATUS_OK ? tokenize_to_json(&tokenize->tokenizer, &request, reply, error) : status;
}

/* ---- plain texts ---- */

static struct tokenize_request plain_request(const struct tokenize *tokenize, struct bytes text) {
    struct tokenize_request request = default_request(tokenize);
    request.has_pair = tokenize->query != NULL;
    if (request.has_pair) {
        request.text = bytes_of_string(tokenize->query);
        request.pair = text;
        request.text_name = "query";
        request.pair_name = "text";
    } else {
        request.text = text;
    }
    return request;
}

static enum status print_table(struct tokenize *tokenize, const struct tokenize_request *request,
                               struct error *error) {
    struct table table = {.columns = tokenize_columns, .column_count = TOKENIZE_COLUMNS};
    enum status status = tokenize_to_table(&tokenize->tokenizer, request, &table, error);
    if (status == STATUS_OK)
        status = table_print(&table, error);
    table_free(&table);
    return status;
}

/* Answers a line that cannot be tokenized in its place. */
static enum status print_failure(struct tokenize *tokenize, const struct error *failure,
                                 struct error *error) {
    failed_lines_add(&tokenize->failed, tokenize->reader.number);
    if (tokenize->to_table) {
        cli_message(name, "line %llu: %s", (unsigned long long)tokenize->reader.number, failure->message);
        return STATUS_OK;
    }
    tokenize->line.size = 0;
    struct json_writer writer = json_writer_to(&tokenize->line);
    json_begin_object(&writer);
    json_key(&writer, "error");
    json_message(&writer, failure->message);
    json_end_object(&writer);
    enum status status = json_writer_finish(&writer, error);
    return status == STATUS_OK ? cli_write_line(&tokenize->line, error) : status;
}

static enum status print_tokens(struct tokenize *tokenize, struct bytes text, struct error *error) {
    struct tokenize_request request = plain_request(tokenize, text);
    if (tokenize->to_table)
        return print_table(tokenize, &request, error);
    tokenize->line.size = 0;
    enum status status = tokenize_to_json(&tokenize->tokenizer, &request, &tokenize->line, error);
    return status == STATUS_OK ? cli_write_line(&tokenize->line, error) : status;
}

/* Whether a failure is the text's own, so that the next may still be tokenized. */
static bool is_of_the_text(enum status status) {
    return status == STATUS_INVALID_DATA || status == STATUS_LIMIT_EXCEEDED ||
           status == STATUS_INVALID_ARGUMENT;
}

static enum status tokenize_lines(struct tokenize *tokenize, struct error *error) {
    for (;;) {
        struct bytes line;
        bool found = true;
        struct error failure;
        enum status status = line_reader_next(&tokenize->reader, &line, &found, &failure);
        if (status == STATUS_OK && !found)
            return line_reader_require_some(&tokenize->reader, "one text per line", error);
        if (status == STATUS_OK)
            status = print_tokens(tokenize, line, &failure);
        if (is_of_the_text(status))
            status = print_failure(tokenize, &failure, error);
        else if (status != STATUS_OK)
            return *error = failure, status;
        if (status == STATUS_OK)
            status = cli_flush(error);
        if (status != STATUS_OK)
            return status;
    }
}

static int run_plain(struct tokenize *tokenize) {
    struct error error;
    tokenize->to_table = cli_wants_table(tokenize->json);
    enum status status = line_reader_open(&tokenize->reader, tokenize->input, &error);
    if (status == STATUS_OK)
        status = tokenize_lines(tokenize, &error);
    int outcome = status == STATUS_OK ? EXIT_SUCCESS : cli_fail(name, &error);
    if (failed_lines_report(&tokenize->failed, &tokenize->reader, name, "tokenized") != EXIT_SUCCESS)
        outcome = EXIT_FAILED;
    line_reader_close(&tokenize->reader);
    return outcome;
}

int command_tokenize(int argc, char **argv) {
    struct tokenize tokenize = {0};
    int outcome = parse(&tokenize, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    if (model_argument_open(&tokenize.model_argument, MODEL_TASK_ANY, &tokenize.model, &error) != STATUS_OK)
        return cli_fail(name, &error);
    tokenize.tokenizer.tokenizer = &tokenize.model->tokenizer;
    tokenize.tokenizer.options =
        (struct encode_options){.invalid_utf8 = (enum invalid_utf8)tokenize.invalid_utf8,
                                .with_spans = true,
                                .encode_special_tokens = tokenize.encode_special_tokens};
    outcome =
        tokenize.json_lines ? json_lines_run(name, tokenize.input, answer, &tokenize) : run_plain(&tokenize);
    text_tokenizer_free(&tokenize.tokenizer);
    buffer_free(&tokenize.line);
    model_close(tokenize.model);
    return cli_finish(name, outcome);
}
