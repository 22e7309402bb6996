/* rescoldo eval: how well a model ranks, by the measures and the files of TREC. */
#include "base/file.h"
#include "base/json_writer.h"
#include "cli/cli.h"
#include "cli/opened_model.h"
#include "cli/options.h"
#include "cli/retrieval.h"
#include "cli/table.h"
#include "evaluation/measures.h"
#include "evaluation/trec.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char name[] = "eval";

enum { DEFAULT_RETRIEVAL_DEPTH = 100 };

struct eval {
    struct model_argument model_argument;
    const char *queries_path, *corpus_path, *judgments_path, *run_path, *output_path;
    uint64_t depth, max_length;
    bool json;

    struct opened_model opened;
    struct trec_texts queries, corpus;
    struct trec_entries judgments, candidates;
    struct retrieval retrieval;
    struct buffer output; /* the lines of the run to be written */

    struct measures sum;
    size_t measured;   /* queries with judgments and a ranking */
    size_t unjudged;   /* queries ranked, but without judgments */
    size_t unanswered; /* queries with judgments, but without candidates */
    uint64_t pairs;    /* scored */
};

static int parse(struct eval *eval, int argc, char **argv) {
    const struct option options[] = {
        MODEL_OPTIONS(&eval->model_argument),
        {.name = "queries",
         .argument = "FILE",
         .help = "lines of QUERY_ID <TAB> TEXT",
         .required = true,
         .text = &eval->queries_path},
        {.name = "corpus",
         .argument = "FILE",
         .help = "lines of DOCUMENT_ID <TAB> TEXT",
         .required = true,
         .text = &eval->corpus_path},
        {.name = "qrels",
         .argument = "FILE",
         .help = "judgments: lines of QUERY_ID 0 DOCUMENT_ID RELEVANCE",
         .required = true,
         .text = &eval->judgments_path},
        {.name = "run",
         .argument = "FILE",
         .help = "candidates to rerank, a TREC run: lines of QUERY_ID Q0 DOCUMENT_ID RANK SCORE TAG. Without "
                 "it an embedder retrieves from the whole corpus",
         .text = &eval->run_path},
        {.name = "output",
         .argument = "FILE",
         .help = "write the ranking as a TREC run",
         .text = &eval->output_path},
        {.name = "depth",
         .argument = "N",
         .help = "documents per query: the first N candidates of the run (default all), or the N nearest of "
                 "the corpus (default 100)",
         .number = &eval->depth,
         .minimum = 1,
         .maximum = UINT32_MAX},
        {.name = "max-length",
         .argument = "N",
         .help =
             "tokens a sequence may have, special tokens included; default\nand most: what the model allows",
         .number = &eval->max_length,
         .minimum = TOKENIZER_SPECIAL_PAIR,
         .maximum = UINT32_MAX},
        {.name = "json", .help = "print one line of JSON on a terminal too", .flag = &eval->json},
    };
    const struct command command = {
        .name = name,
        .synopsis = "--model FILE.ember --queries FILE --corpus FILE --qrels FILE [OPTION]...",
        .description =
            "Ranks documents for each query and prints nDCG@10, MRR@10 and Recall@100, the mean over the "
            "queries that have both judgments and a ranking, as trec_eval computes ndcg_cut_10, recip_rank "
            "of the first ten, and recall_100. Equal scores are ordered as there: document id descending.",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    return command_parse(&command, argc, argv);
}

static enum status open_all(struct eval *eval, struct error *error) {
    enum status status = opened_model_create(&eval->model_argument,
                                             eval->run_path == NULL ? MODEL_TASK_EMBED : MODEL_TASK_RERANK,
                                             &eval->opened, error);
    if (status == STATUS_OK && eval->run_path == NULL && eval->opened.model->kind != MODEL_EMBEDDER)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%s is a %s: it reranks candidates, so --run FILE is required; only an embedder can "
                         "retrieve from a corpus",
                         eval->model_argument.path, model_kind_name(eval->opened.model->kind));
    if (status == STATUS_OK)
        status = opened_model_check_length(&eval->opened, eval->max_length, error);
    if (status == STATUS_OK)
        status = trec_texts_open(eval->queries_path, &eval->queries, error);
    if (status == STATUS_OK)
        status = trec_texts_open(eval->corpus_path, &eval->corpus, error);
    if (status == STATUS_OK)
        status = trec_judgments_open(eval->judgments_path, &eval->judgments, error);
    if (status == STATUS_OK && eval->run_path != NULL)
        status = trec_run_open(eval->run_path, &eval->candidates, error);
    return status;
}

static struct call_options call_options(const struct eval *eval) {
    return (struct call_options){.max_length = (uint32_t)eval->max_length};
}

/* Messages about a query or a document of the files. */
static enum status about_text(enum status status, const char *what, struct bytes id, struct error *error) {
    if (status == STATUS_OK)
        return status;
    return error_add_context(error, status, "%s \"%.*s\"", what, id.size > 60 ? 60 : (int)id.size,
                             (const char *)id.data);
}

/* ---- one query: candidates in, ranking out ---- */

/* Texts of the candidates, which must all be in the corpus. */
static enum status candidate_texts(const struct eval *eval, const struct trec_entry *entries, size_t count,
                                   struct bytes *texts, struct error *error) {
    for (size_t i = 0; i < count; i++) {
        size_t index = trec_texts_find(&eval->corpus, entries[i].document);
        if (index == TREC_NOT_FOUND)
            return about_text(error_set(error, STATUS_NOT_FOUND, "it is in %s but not in %s", eval->run_path,
                                        eval->corpus_path),
                              "document", entries[i].document, error);
        texts[i] = eval->corpus.texts[index].text;
    }
    return STATUS_OK;
}

static enum status score_candidates(struct eval *eval, const struct trec_text *query,
                                    struct trec_entry *entries, size_t count, struct error *error) {
    struct bytes *texts = calloc(count, sizeof *texts);
    struct passage_score *scores = calloc(count, sizeof *scores);
    const struct call_options options = call_options(eval);
    enum status status;
    if (texts == NULL || scores == NULL)
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %zu candidates", count);
    else
        status = candidate_texts(eval, entries, count, texts, error);
    if (status == STATUS_OK)
        status =
            session_rerank(eval->opened.session, query->text, texts, count, &options, scores, NULL, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        entries[i].score = scores[i].raw;
    free(texts);
    free(scores);
    return status;
}

/* The entries of one query, unranked; *entries is the caller's to free. */
static enum status rank_candidates(struct eval *eval, const struct trec_text *query,
                                   struct trec_entry **entries, size_t *count, struct error *error) {
    const struct trec_entry *candidates = trec_entries_of(&eval->candidates, query->id, count);
    if (eval->depth != 0 && *count > eval->depth)
        *count = (size_t)eval->depth;
    if (*count == 0)
        return STATUS_OK;
    *entries = calloc(*count, sizeof **entries);
    if (*entries == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %zu candidates", *count);
    memcpy(*entries, candidates, *count * sizeof **entries);
    return score_candidates(eval, query, *entries, *count, error);
}

static enum status retrieve(struct eval *eval, const struct trec_text *query, struct trec_entry **entries,
                            size_t *count, struct error *error) {
    const struct call_options options = call_options(eval);
    size_t depth = eval->depth == 0 ? DEFAULT_RETRIEVAL_DEPTH : (size_t)eval->depth;
    if (depth > eval->corpus.count)
        depth = eval->corpus.count;
    *entries = calloc(depth, sizeof **entries);
    if (*entries == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %zu documents", depth);
    *count = depth;
    return retrieval_nearest(&eval->retrieval, eval->opened.session, query, &options, *entries, depth, error);
}

static enum status measure(struct eval *eval, struct bytes query, const struct trec_entry *entries,
                           size_t count, struct error *error) {
    size_t judged_count;
    const struct trec_entry *judgments = trec_entries_of(&eval->judgments, query, &judged_count);
    if (judged_count == 0 || count == 0) {
        eval->unjudged += judged_count == 0 && count > 0;
        eval->unanswered += judged_count > 0 && count == 0;
        return STATUS_OK;
    }
    int *ranked = calloc(count, sizeof *ranked);
    int *judged = calloc(judged_count, sizeof *judged);
    enum status status = STATUS_OK;
    if (ranked == NULL || judged == NULL) {
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %zu judgments", judged_count);
    } else {
        for (size_t i = 0; i < count; i++)
            ranked[i] = trec_relevance(judgments, judged_count, entries[i].document);
        for (size_t i = 0; i < judged_count; i++)
            judged[i] = judgments[i].relevance;
        const struct measures measures = measures_of_query(ranked, count, judged, judged_count);
        eval->sum.ndcg_at_10 += measures.ndcg_at_10;
        eval->sum.reciprocal_rank_at_10 += measures.reciprocal_rank_at_10;
        eval->sum.recall_at_100 += measures.recall_at_100;
        eval->measured++;
    }
    free(ranked);
    free(judged);
    return status;
}

static enum status answer_query(struct eval *eval, const struct trec_text *query, struct error *error) {
    struct trec_entry *entries = NULL;
    size_t count = 0;
    enum status status = eval->run_path != NULL ? rank_candidates(eval, query, &entries, &count, error)
                                                : retrieve(eval, query, &entries, &count, error);
    if (status == STATUS_OK && count > 0)
        trec_rank(entries, count);
    if (status == STATUS_OK)
        status = measure(eval, query->id, entries, count, error);
    if (status == STATUS_OK && eval->output_path != NULL)
        status = trec_append_run(&eval->output, entries, count, "rescoldo", error);
    eval->pairs += count;
    free(entries);
    return about_text(status, "query", query->id, error);
}

/* ---- all queries ---- */

/* A line that renews itself, for a person who waits. */
static void show_progress(const char *what, size_t done, size_t total) {
    if (isatty(STDERR_FILENO) == 1)
        fprintf(stderr, "\r%s %zu of %zu%s", what, done, total, done == total ? "\n" : "");
}

/* A candidate list for a query without text can only be a mistake. */
static enum status check_run_queries(const struct eval *eval, struct error *error) {
    for (size_t i = 0; i < eval->candidates.count; i++) {
        struct bytes query = eval->candidates.entries[i].query;
        if (trec_texts_find(&eval->queries, query) == TREC_NOT_FOUND)
            return about_text(error_set(error, STATUS_NOT_FOUND, "it is in %s but not in %s", eval->run_path,
                                        eval->queries_path),
                              "query", query, error);
    }
    return STATUS_OK;
}

static enum status answer_all(struct eval *eval, struct error *error) {
    const struct call_options options = call_options(eval);
    enum status status = STATUS_OK;
    if (eval->run_path == NULL)
        status = retrieval_embed(&eval->retrieval, eval->opened.model, eval->opened.session, &eval->corpus,
                                 &options, show_progress, error);
    else
        status = check_run_queries(eval, error);
    for (size_t i = 0; status == STATUS_OK && i < eval->queries.count; i++) {
        status = answer_query(eval, &eval->queries.texts[i], error);
        show_progress("queries", i + 1, eval->queries.count);
    }
    if (status == STATUS_OK && eval->measured == 0)
        return error_set(error, STATUS_INVALID_DATA, "no query has both a ranking and judgments in %s",
                         eval->judgments_path);
    return status;
}

static enum status write_run(struct eval *eval, struct error *error) {
    struct file_writer writer;
    enum status status = file_writer_open(&writer, eval->output_path, error);
    if (status != STATUS_OK)
        return status;
    status = file_writer_write(&writer, eval->output.data, eval->output.size, error);
    if (status == STATUS_OK)
        return file_writer_commit(&writer, error);
    file_writer_abort(&writer);
    return status;
}

static enum status print_results(const struct eval *eval, struct error *error) {
    static const struct table_column columns[] = {{"measure", false}, {"mean", true}};
    const struct {
        const char *name;
        double sum;
    } measures[] = {
        {"nDCG@10", eval->sum.ndcg_at_10},
        {"MRR@10", eval->sum.reciprocal_rank_at_10},
        {"Recall@100", eval->sum.recall_at_100},
    };
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    struct table table = {.columns = columns, .column_count = OPTION_COUNT(columns)};
    json_begin_object(&writer);
    json_key(&writer, "model");
    json_text_of_string(&writer, eval->opened.model->name);
    json_key(&writer, "queries");
    json_unsigned(&writer, eval->measured);
    json_key(&writer, "documents");
    json_unsigned(&writer, eval->pairs);
    for (size_t i = 0; i < OPTION_COUNT(measures); i++) {
        double mean = measures[i].sum / (double)eval->measured;
        json_key(&writer, measures[i].name);
        json_float(&writer, (float)mean);
        table_add_format(&table, "%s", measures[i].name);
        table_add_format(&table, "%.4f", mean);
    }
    json_end_object(&writer);
    enum status status = json_writer_finish(&writer, error);
    if (status == STATUS_OK)
        status = cli_wants_table(eval->json) ? table_print(&table, error) : cli_write_line(&line, error);
    table_free(&table);
    buffer_free(&line);
    return status;
}

static enum status run(struct eval *eval, struct error *error) {
    enum status status = open_all(eval, error);
    if (status == STATUS_OK)
        status = answer_all(eval, error);
    if (status == STATUS_OK && eval->output_path != NULL)
        status = write_run(eval, error);
    if (status == STATUS_OK)
        status = print_results(eval, error);
    if (status == STATUS_OK && eval->unanswered > 0)
        cli_message(name, "%zu judged queries have no candidates in %s and are left out, as trec_eval does",
                    eval->unanswered, eval->run_path);
    if (status == STATUS_OK && eval->unjudged > 0)
        cli_message(name, "%zu queries have no judgments in %s and are left out, as trec_eval does",
                    eval->unjudged, eval->judgments_path);
    return status;
}

int command_eval(int argc, char **argv) {
    struct eval eval = {0};
    int outcome = parse(&eval, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    outcome = run(&eval, &error) == STATUS_OK ? EXIT_SUCCESS : cli_fail(name, &error);
    retrieval_free(&eval.retrieval);
    trec_texts_close(&eval.queries);
    trec_texts_close(&eval.corpus);
    trec_entries_close(&eval.judgments);
    trec_entries_close(&eval.candidates);
    buffer_free(&eval.output);
    opened_model_close(&eval.opened);
    return cli_finish(name, outcome);
}
