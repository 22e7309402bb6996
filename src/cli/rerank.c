/* rescoldo rerank: scores passages against a query and prints them best first. */
#include "base/json_writer.h"
#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/opened_model.h"
#include "cli/options.h"
#include "cli/table.h"
#include "cli/text_list.h"

#include <stdio.h>
#include <stdlib.h>

static const char name[] = "rerank";

static const char *const truncations[] = {"longest_first", "only_passage", "none", "windows", NULL};
static const enum truncation truncation_values[] = {TRUNCATION_LONGEST_FIRST, TRUNCATION_ONLY_SECOND,
                                                    TRUNCATION_NONE, TRUNCATION_LONGEST_FIRST};
#define WINDOWS_CHOICE 3

/* What the command line asks for, and what both forms of input need. */
struct rerank {
    struct model_argument model_argument;
    const char *query, *input;
    uint64_t top_n, max_length, stride;
    int truncation, invalid_utf8;
    bool jsonl, raw, json;

    struct opened_model opened;
    struct passage_score *scores; /* [capacity], grown from list to list */
    size_t *order;                /* [capacity] */
    size_t capacity;
};

static int parse(struct rerank *rerank, int argc, char **argv) {
    const struct option options[] = {
        MODEL_OPTIONS(&rerank->model_argument),
        {.name = "query",
         .argument = "TEXT",
         .help = "the query; required unless --jsonl",
         .text = &rerank->query},
        {.name = "jsonl",
         .help = "read one list per line as JSON; write one line for each",
         .flag = &rerank->jsonl},
        {.name = "top-n",
         .argument = "N",
         .help = "print only the N best passages of a list",
         .number = &rerank->top_n,
         .minimum = 1,
         .maximum = UINT32_MAX},
        {.name = "raw",
         .help = "give the logit (cross-encoder) or cosine (embedder) as well",
         .flag = &rerank->raw},
        {.name = "max-length",
         .argument = "N",
         .help = "tokens a query and passage may have together, special tokens included; default and most: "
                 "what the model allows",
         .number = &rerank->max_length,
         .minimum = TOKENIZER_SPECIAL_PAIR,
         .maximum = UINT32_MAX},
        {.name = "truncation",
         .argument = "HOW",
         .help = "longest_first (default), only_passage, none: too long is an error, or windows: a long "
                 "passage is "
                 "scored as overlapping windows, each with the whole query, and the best one counts",
         .choice = &rerank->truncation,
         .choices = truncations},
        {.name = "stride",
         .argument = "N",
         .help = "with windows: tokens that a window shares with the one before it; default 0",
         .number = &rerank->stride,
         .maximum = UINT32_MAX},
        {.name = "invalid-utf8",
         .argument = "HOW",
         .help =
             "refuse (default), or replace: each invalid run of bytes in a query or a line becomes U+FFFD",
         .choice = &rerank->invalid_utf8,
         .choices = invalid_utf8_names},
        {.name = "json", .help = "print JSON lines on a terminal too", .flag = &rerank->json},
    };
    const struct command command = {
        .name = name,
        .synopsis = "--model FILE.ember --query TEXT [OPTION]... [PASSAGES|-]\n"
                    "       rescoldo rerank --model FILE.ember --jsonl [OPTION]... [LISTS|-]",
        .description =
            "Scores each passage, one per line of PASSAGES or standard input, against the query and prints "
            "them best first: index (of the line, from 0), relevance_score (0 to 1), tokens, truncated, "
            "characters_used, text.\n\nWith --jsonl each line is {\"query\": ..., \"passages\": [{\"text\": "
            "...}, ...]}, and "
            "comes back with the passages sorted and scored; every other member, such as id and meta, is "
            "kept. A bad line is answered in its place by {\"error\": ...}.",
        .options = options,
        .option_count = OPTION_COUNT(options),
        .operands = &rerank->input,
        .operand_maximum = 1,
        .operand_name = "PASSAGES",
    };
    int outcome = command_parse(&command, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    if (rerank->jsonl && rerank->query != NULL)
        return command_usage_error(name,
                                   "--query and --jsonl exclude each other: every line has its own query");
    if (rerank->jsonl && rerank->invalid_utf8 != INVALID_UTF8_REFUSE)
        return command_usage_error(name, "--invalid-utf8 is for plain texts; JSON is always UTF-8");
    if (rerank->stride != 0 && rerank->truncation != WINDOWS_CHOICE)
        return command_usage_error(name, "--stride is for --truncation windows");
    if (!rerank->jsonl && rerank->query == NULL)
        return command_usage_error(name, "--query TEXT is required (or --jsonl)");
    if (!rerank->jsonl && rerank->query[0] == '\0')
        return command_usage_error(name, "--query is empty");
    return COMMAND_CONTINUE;
}

static enum status grow(struct rerank *rerank, size_t count, struct error *error) {
    if (count <= rerank->capacity)
        return STATUS_OK;
    free(rerank->scores);
    free(rerank->order);
    rerank->capacity = 0;
    rerank->scores = calloc(count, sizeof *rerank->scores);
    rerank->order = calloc(count, sizeof *rerank->order);
    if (rerank->scores == NULL || rerank->order == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the scores of %zu passages", count);
    rerank->capacity = count;
    return STATUS_OK;
}

/* Fills scores and order for one list. */
static enum status score(struct rerank *rerank, struct bytes query, const struct bytes *passages,
                         size_t count, struct error *error) {
    const struct call_options options = {
        .max_length = (uint32_t)rerank->max_length,
        .truncation = truncation_values[rerank->truncation],
        .windows = rerank->truncation == WINDOWS_CHOICE,
        .window_stride = (uint32_t)rerank->stride,
    };
    enum status status = grow(rerank, count, error);
    if (status == STATUS_OK && count > 0)
        status = session_rerank(rerank->opened.session, query, passages, count, &options, rerank->scores,
                                NULL, error);
    if (status == STATUS_OK)
        passage_order(rerank->scores, count, rerank->order);
    return status;
}

static size_t kept(const struct rerank *rerank, size_t count) {
    return rerank->top_n != 0 && rerank->top_n < count ? (size_t)rerank->top_n : count;
}

/* The members that every scored passage has, inside an object already begun. */
static void write_score(const struct rerank *rerank, struct json_writer *writer,
                        const struct passage_score *result) {
    json_key(writer, "relevance_score");
    json_float(writer, result->relevance_score);
    if (rerank->raw) {
        json_key(writer, raw_score_name(rerank->opened.model->kind));
        json_float(writer, result->raw);
    }
    json_key(writer, "tokens");
    json_unsigned(writer, result->tokens);
    json_key(writer, "truncated");
    json_bool(writer, result->truncated);
    json_key(writer, "characters_used");
    json_unsigned(writer, result->character_end - result->character_start);
    if (rerank->truncation != WINDOWS_CHOICE)
        return;
    json_key(writer, "windows");
    json_unsigned(writer, result->windows);
    json_key(writer, "window"); /* the best one: its first character, and the one after its last */
    json_begin_array(writer);
    json_unsigned(writer, result->character_start);
    json_unsigned(writer, result->character_end);
    json_end_array(writer);
}

/* ---- one query, passages as lines ---- */

static enum status print_lines(const struct rerank *rerank, const struct text_list *passages,
                               struct error *error) {
    struct buffer line = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < kept(rerank, passages->count); i++) {
        size_t index = rerank->order[i];
        line.size = 0;
        struct json_writer writer = json_writer_to(&line);
        json_begin_object(&writer);
        json_key(&writer, "index");
        json_unsigned(&writer, index);
        write_score(rerank, &writer, &rerank->scores[index]);
        json_key(&writer, "text");
        json_text(&writer, passages->texts[index]);
        json_end_object(&writer);
        status = json_writer_finish(&writer, error);
        if (status == STATUS_OK)
            status = cli_write_line(&line, error);
    }
    buffer_free(&line);
    return status;
}

static enum status print_table(const struct rerank *rerank, const struct text_list *passages,
                               struct error *error) {
    const struct table_column columns[] = {
        {"index", true},
        {"relevance_score", true},
        {raw_score_name(rerank->opened.model->kind), true},
        {"text", false},
    };
    /* Without --raw the raw column is left out. */
    const struct table_column plain[] = {columns[0], columns[1], columns[3]};
    struct table table = {
        .columns = rerank->raw ? columns : plain,
        .column_count = rerank->raw ? OPTION_COUNT(columns) : OPTION_COUNT(plain),
    };
    for (size_t i = 0; i < kept(rerank, passages->count); i++) {
        size_t index = rerank->order[i];
        table_add_format(&table, "%zu", index);
        table_add_format(&table, "%.6f", (double)rerank->scores[index].relevance_score);
        if (rerank->raw)
            table_add_format(&table, "%.6f", (double)rerank->scores[index].raw);
        table_add(&table, passages->texts[index]);
    }
    enum status status = table_print(&table, error);
    table_free(&table);
    return status;
}

/* The query as a list of one text, its invalid UTF-8 replaced where that is asked for. */
static enum status read_query(const struct rerank *rerank, struct text_list *query, struct error *error) {
    struct bytes text = bytes_of_string(rerank->query);
    enum status status = rerank->invalid_utf8 == INVALID_UTF8_REFUSE
                             ? text_list_add(query, text, error)
                             : text_list_add_replaced(query, text, error);
    return status == STATUS_OK ? text_list_finish(query, error) : status;
}

static enum status rerank_lines(struct rerank *rerank, struct error *error) {
    struct text_list query = {0}, passages = {0};
    enum status status = read_query(rerank, &query, error);
    if (status == STATUS_OK)
        status = text_list_read(&passages, rerank->input, (enum invalid_utf8)rerank->invalid_utf8,
                                "one passage per line", error);
    if (status == STATUS_OK)
        status = score(rerank, query.texts[0], passages.texts, passages.count, error);
    if (status == STATUS_OK)
        status = cli_wants_table(rerank->json) ? print_table(rerank, &passages, error)
                                               : print_lines(rerank, &passages, error);
    text_list_free(&passages);
    text_list_free(&query);
    return status;
}

/* ---- lists as JSON lines ---- */

static enum status passage_text(const json_t *passage, size_t index, struct bytes *text,
                                struct error *error) {
    if (json_is_string(passage)) {
        *text = bytes_of(json_string_value(passage), json_string_length(passage));
        return STATUS_OK;
    }
    if (!json_is_object(passage))
        return error_set(error, STATUS_INVALID_DATA, "passages[%zu] is neither an object nor a string",
                         index);
    enum status status = json_member_string(passage, "text", text, error);
    return status == STATUS_OK ? status : error_add_context(error, status, "passages[%zu]", index);
}

/* Borrowed texts of a list's passages, to be freed by the caller as an array. */
static enum status passage_texts(const json_t *passages, struct bytes **texts, struct error *error) {
    size_t count = json_array_size(passages);
    *texts = calloc(count + 1, sizeof **texts);
    if (*texts == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %zu passages", count);
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = passage_text(json_array_get(passages, i), i, &(*texts)[i], error);
    return status;
}

/* True for the members that write_score sets: a passage that brings its own gets them replaced. */
static bool is_score_member(const struct rerank *rerank, const char *key) {
    return strcmp(key, "relevance_score") == 0 || strcmp(key, "tokens") == 0 ||
           strcmp(key, "truncated") == 0 || strcmp(key, "characters_used") == 0 ||
           (rerank->truncation == WINDOWS_CHOICE &&
            (strcmp(key, "windows") == 0 || strcmp(key, "window") == 0)) ||
           (rerank->raw && strcmp(key, raw_score_name(rerank->opened.model->kind)) == 0);
}

static void write_passage(const struct rerank *rerank, struct json_writer *writer, json_t *passage,
                          const struct passage_score *result) {
    json_begin_object(writer);
    if (json_is_string(passage)) {
        json_key(writer, "text");
        json_tree(writer, passage);
    } else {
        const char *key;
        json_t *member;
        json_object_foreach(passage, key, member) {
            if (is_score_member(rerank, key))
                continue;
            json_key_text(writer, bytes_of_string(key));
            json_tree(writer, member);
        }
    }
    write_score(rerank, writer, result);
    json_end_object(writer);
}

static void write_list(const struct rerank *rerank, struct json_writer *writer, json_t *request,
                       const json_t *passages) {
    const char *key;
    json_t *member;
    json_begin_object(writer);
    json_object_foreach(request, key, member) {
        json_key_text(writer, bytes_of_string(key));
        if (member != passages) {
            json_tree(writer, member);
            continue;
        }
        json_begin_array(writer);
        for (size_t i = 0; i < kept(rerank, json_array_size(passages)); i++) {
            size_t index = rerank->order[i];
            write_passage(rerank, writer, json_array_get(passages, index), &rerank->scores[index]);
        }
        json_end_array(writer);
    }
    json_end_object(writer);
}

static enum status answer_list(void *state, json_t *request, struct buffer *reply, struct error *error) {
    struct rerank *rerank = state;
    struct bytes query;
    enum status status = json_member_string(request, "query", &query, error);
    if (status != STATUS_OK)
        return status;
    if (query.size == 0)
        return error_set(error, STATUS_INVALID_DATA, "\"query\" is empty");
    const json_t *passages = json_object_get(request, "passages");
    if (!json_is_array(passages))
        return error_set(error, STATUS_INVALID_DATA, "\"passages\" is %s, expected an array",
                         passages == NULL ? "missing" : "not an array");
    struct bytes *texts = NULL;
    status = passage_texts(passages, &texts, error);
    if (status == STATUS_OK)
        status = score(rerank, query, texts, json_array_size(passages), error);
    if (status == STATUS_OK) {
        struct json_writer writer = json_writer_to(reply);
        write_list(rerank, &writer, request, passages);
        status = json_writer_finish(&writer, error);
    }
    free(texts);
    return status;
}

int command_rerank(int argc, char **argv) {
    struct rerank rerank = {0};
    int outcome = parse(&rerank, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    enum status status =
        opened_model_create(&rerank.model_argument, MODEL_TASK_RERANK, &rerank.opened, &error);
    if (status == STATUS_OK)
        status = opened_model_check_length(&rerank.opened, rerank.max_length, &error);
    if (status == STATUS_OK && !rerank.jsonl)
        status = rerank_lines(&rerank, &error);
    if (status != STATUS_OK)
        outcome = cli_fail(name, &error);
    else
        outcome = rerank.jsonl ? json_lines_run(name, rerank.input, answer_list, &rerank) : EXIT_SUCCESS;
    free(rerank.scores);
    free(rerank.order);
    opened_model_close(&rerank.opened);
    return cli_finish(name, outcome);
}
