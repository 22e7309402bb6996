/* rescoldo embed: texts, one per line, to vectors. */
#include "base/json_writer.h"
#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/opened_model.h"
#include "cli/options.h"
#include "cli/table.h"
#include "cli/text_list.h"
#include "formats/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char name[] = "embed";

enum format { FORMAT_JSON = 0, FORMAT_NPY = 1 };
static const char *const formats[] = {"json", "npy", NULL};

static const char *const prompts[] = {"none", "query", "passage", NULL};
static const enum prompt prompt_values[] = {PROMPT_NONE, PROMPT_QUERY, PROMPT_PASSAGE};
static const char *const truncations[] = {"end", "none", NULL};
static const enum truncation truncation_values[] = {TRUNCATION_LONGEST_FIRST, TRUNCATION_NONE};

enum { SHOWN_VALUES = 4 }; /* of a vector in the table for a terminal */

/* What the command line asks for, and what it takes to do it. */
struct embed {
    struct model_argument model_argument;
    const char *input;
    uint64_t max_length;
    int format, prompt, truncation, invalid_utf8;
    bool json;

    struct opened_model opened;
    size_t hidden_size;
    struct line_reader reader;
    uint64_t index; /* of the next text */
    struct failed_lines failed;

    struct text_list texts; /* the batch: lines that had arrived when it was begun */
    float *embeddings;      /* [capacity][hidden_size] */
    struct embedding_info *infos;
    size_t capacity;

    bool to_table;
    struct table table;
    struct buffer line;   /* one reply */
    struct buffer matrix; /* float32 of all texts, for npy */
};

static int parse(struct embed *embed, int argc, char **argv) {
    const struct option options[] = {
        MODEL_OPTIONS(&embed->model_argument),
        {.name = "format",
         .argument = "FORMAT",
         .help = "json (default) or npy: a NumPy file of float32, [texts][hidden size], held in memory until "
                 "the end",
         .choice = &embed->format,
         .choices = formats},
        {.name = "max-length",
         .argument = "N",
         .help = "tokens a text may have, special tokens included; default and most: what the model allows",
         .number = &embed->max_length,
         .minimum = TOKENIZER_SPECIAL_SINGLE + 1,
         .maximum = UINT32_MAX},
        {.name = "prompt",
         .argument = "PROMPT",
         .help =
             "none (default), query or passage: what the model was trained to read before a text, where it "
             "has that prompt (rescoldo inspect shows it)",
         .choice = &embed->prompt,
         .choices = prompts},
        {.name = "truncation",
         .argument = "HOW",
         .help = "end (default): a longer text is cut at its end; none: it is an error",
         .choice = &embed->truncation,
         .choices = truncations},
        {.name = "invalid-utf8",
         .argument = "HOW",
         .help = "refuse (default), or replace: each invalid run of bytes becomes U+FFFD",
         .choice = &embed->invalid_utf8,
         .choices = invalid_utf8_names},
        {.name = "json", .help = "print JSON lines on a terminal too", .flag = &embed->json},
    };
    const struct command command = {
        .name = name,
        .synopsis = "--model FILE.ember [OPTION]... [TEXTS|-]",
        .description = "Embeds each text, one per line of TEXTS or standard input, and prints for each a "
                       "line {\"index\": 0, \"embedding\": [...], \"tokens\": 7, \"truncated\": false}, as "
                       "soon as it is known. A line that cannot be embedded is answered in its place by "
                       "{\"index\": ..., \"error\": ...}.",
        .options = options,
        .option_count = OPTION_COUNT(options),
        .operands = &embed->input,
        .operand_maximum = 1,
        .operand_name = "TEXTS",
    };
    int outcome = command_parse(&command, argc, argv);
    if (outcome == COMMAND_CONTINUE && embed->format == FORMAT_NPY && isatty(STDOUT_FILENO) == 1)
        return command_usage_error(
            name, "a NumPy file is not for a terminal: redirect it, as in \"> vectors.npy\"");
    return outcome;
}

static enum status grow(struct embed *embed, size_t count, struct error *error) {
    if (count <= embed->capacity)
        return STATUS_OK;
    free(embed->embeddings);
    free(embed->infos);
    embed->capacity = 0;
    embed->embeddings = calloc(count, embed->hidden_size * sizeof *embed->embeddings);
    embed->infos = calloc(count, sizeof *embed->infos);
    if (embed->embeddings == NULL || embed->infos == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the embeddings of %zu texts", count);
    embed->capacity = count;
    return STATUS_OK;
}

/* ---- results ---- */

static enum status write_json(struct embed *embed, const float *embedding, const struct embedding_info *info,
                              struct error *error) {
    embed->line.size = 0;
    struct json_writer writer = json_writer_to(&embed->line);
    json_begin_object(&writer);
    json_key(&writer, "index");
    json_unsigned(&writer, embed->index);
    json_key(&writer, "embedding");
    json_begin_array(&writer);
    for (size_t i = 0; i < embed->hidden_size; i++)
        json_float(&writer, embedding[i]);
    json_end_array(&writer);
    json_key(&writer, "tokens");
    json_unsigned(&writer, info->tokens);
    json_key(&writer, "truncated");
    json_bool(&writer, info->truncated);
    json_key(&writer, "characters_used");
    json_unsigned(&writer, info->character_end);
    json_end_object(&writer);
    enum status status = json_writer_finish(&writer, error);
    return status == STATUS_OK ? cli_write_line(&embed->line, error) : status;
}

static void add_row(struct embed *embed, const float *embedding, const struct embedding_info *info) {
    char shown[SHOWN_VALUES * 16] = "";
    size_t used = 0;
    for (size_t i = 0; i < SHOWN_VALUES && i < embed->hidden_size; i++)
        used += (size_t)snprintf(shown + used, sizeof shown - used, "%9.6f ", (double)embedding[i]);
    table_add_format(&embed->table, "%llu", (unsigned long long)embed->index);
    table_add_format(&embed->table, "%u", info->tokens);
    table_add_format(&embed->table, "%s", info->truncated ? "yes" : "no");
    table_add_format(&embed->table, "%s... (%zu)", shown, embed->hidden_size);
}

static enum status write_result(struct embed *embed, const float *embedding,
                                const struct embedding_info *info, struct error *error) {
    enum status status = STATUS_OK;
    if (embed->format == FORMAT_NPY)
        status = buffer_append(&embed->matrix, embedding, embed->hidden_size * sizeof *embedding, error);
    else if (embed->to_table)
        add_row(embed, embedding, info);
    else
        status = write_json(embed, embedding, info, error);
    embed->index++;
    return status;
}

/* A text without a vector: an answer in its place, except in a matrix, where there is no such place. */
static enum status write_failure(struct embed *embed, const struct error *failure, struct error *error) {
    if (embed->format == FORMAT_NPY) {
        *error = *failure;
        return failure->status;
    }
    failed_lines_add(&embed->failed, embed->index + 1);
    enum status status = STATUS_OK;
    if (embed->to_table) {
        cli_message(name, "text %llu: %s", (unsigned long long)embed->index, failure->message);
    } else {
        embed->line.size = 0;
        struct json_writer writer = json_writer_to(&embed->line);
        json_begin_object(&writer);
        json_key(&writer, "index");
        json_unsigned(&writer, embed->index);
        json_key(&writer, "error");
        json_message(&writer, failure->message);
        json_end_object(&writer);
        status = json_writer_finish(&writer, error);
        if (status == STATUS_OK)
            status = cli_write_line(&embed->line, error);
    }
    embed->index++;
    return status;
}

/* ---- the loop ---- */

static enum status embed_texts(struct embed *embed, size_t first, size_t count, struct error *error) {
    const struct call_options options = {
        .max_length = (uint32_t)embed->max_length,
        .prompt = prompt_values[embed->prompt],
        .truncation = truncation_values[embed->truncation],
    };
    return session_embed(embed->opened.session, embed->texts.texts + first, count, &options,
                         embed->embeddings, embed->infos, NULL, error);
}

/* After a batch failed as a whole: each text by itself, so that only the bad ones are answered by an error.
 */
static enum status embed_one_by_one(struct embed *embed, struct error *error) {
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < embed->texts.count; i++) {
        struct error failure;
        if (embed_texts(embed, i, 1, &failure) == STATUS_OK)
            status = write_result(embed, embed->embeddings, embed->infos, error);
        else
            status = write_failure(embed, &failure, error);
    }
    return status;
}

static enum status run_batch(struct embed *embed, struct error *error) {
    size_t count = embed->texts.count;
    if (count == 0)
        return STATUS_OK;
    struct error failure;
    enum status status = text_list_finish(&embed->texts, error);
    if (status == STATUS_OK)
        status = grow(embed, count, error);
    if (status == STATUS_OK && embed_texts(embed, 0, count, &failure) != STATUS_OK)
        status = embed_one_by_one(embed, error);
    else
        for (size_t i = 0; status == STATUS_OK && i < count; i++)
            status = write_result(embed, embed->embeddings + i * embed->hidden_size, &embed->infos[i], error);
    text_list_clear(&embed->texts);
    return status == STATUS_OK ? cli_flush(error) : status;
}

/* Reads one line into the batch, or answers it when it is bad; *ended at the end of the input. */
static enum status take_line(struct embed *embed, bool *ended, struct error *error) {
    struct bytes line;
    bool found;
    struct error failure;
    enum status status = line_reader_next(&embed->reader, &line, &found, &failure);
    *ended = status == STATUS_OK && !found;
    if (*ended)
        return STATUS_OK;
    bool readable = status == STATUS_OK || status == STATUS_LIMIT_EXCEEDED;
    if (status == STATUS_OK && embed->invalid_utf8 == INVALID_UTF8_REPLACE)
        return text_list_add_replaced(&embed->texts, line, error);
    if (status == STATUS_OK)
        status = line_check_utf8(&embed->reader, line, &failure);
    if (status == STATUS_OK)
        return text_list_add(&embed->texts, line, error);
    if (!readable) {
        *error = failure;
        return status;
    }
    /* The texts before this one are answered first. */
    status = run_batch(embed, error);
    return status == STATUS_OK ? write_failure(embed, &failure, error) : status;
}

static enum status embed_all(struct embed *embed, struct error *error) {
    bool ended = false;
    while (!ended) {
        enum status status;
        do
            status = take_line(embed, &ended, error);
        while (status == STATUS_OK && !ended && line_reader_has_line(&embed->reader));
        if (status == STATUS_OK)
            status = run_batch(embed, error);
        if (status != STATUS_OK)
            return status;
    }
    return line_reader_require_some(&embed->reader, "one text per line", error);
}

static void print_npy(const struct embed *embed) {
    unsigned char header[NPY_HEADER_SIZE];
    npy_header_f32((size_t)embed->index, embed->hidden_size, header);
    fwrite(header, 1, sizeof header, stdout);
    fwrite(embed->matrix.data, 1, embed->matrix.size, stdout);
}

static enum status run(struct embed *embed, struct error *error) {
    static const struct table_column columns[] = {
        {"index", true}, {"tokens", true}, {"truncated", false}, {"embedding", false}};
    enum status status = opened_model_create(&embed->model_argument, MODEL_TASK_EMBED, &embed->opened, error);
    if (status != STATUS_OK)
        return status;
    if (embed->opened.model->kind != MODEL_EMBEDDER)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s is a %s, embed needs an embedder; use rescoldo rerank",
                         embed->model_argument.path, model_kind_name(embed->opened.model->kind));
    status = opened_model_check_length(&embed->opened, embed->max_length, error);
    if (status != STATUS_OK)
        return status;
    embed->hidden_size = embed->opened.model->shape.hidden_size;
    embed->table = (struct table){.columns = columns, .column_count = OPTION_COUNT(columns)};
    embed->to_table = embed->format == FORMAT_JSON && cli_wants_table(embed->json);
    status = line_reader_open(&embed->reader, embed->input, error);
    if (status == STATUS_OK)
        status = embed_all(embed, error);
    if (status == STATUS_OK && embed->format == FORMAT_NPY)
        print_npy(embed);
    if (status == STATUS_OK && embed->to_table)
        status = table_print(&embed->table, error);
    return status;
}

int command_embed(int argc, char **argv) {
    struct embed embed = {0};
    int outcome = parse(&embed, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    outcome = run(&embed, &error) == STATUS_OK ? EXIT_SUCCESS : cli_fail(name, &error);
    if (failed_lines_report(&embed.failed, &embed.reader, name, "embedded") != EXIT_SUCCESS)
        outcome = EXIT_FAILED;
    line_reader_close(&embed.reader);
    opened_model_close(&embed.opened);
    text_list_free(&embed.texts);
    table_free(&embed.table);
    buffer_free(&embed.line);
    buffer_free(&embed.matrix);
    free(embed.embeddings);
    free(embed.infos);
    return cli_finish(name, outcome);
}
