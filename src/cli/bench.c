/* rescoldo bench: how fast this machine runs this model, beside what its cores can do at most. */
#include "base/clock.h"
#include "base/json_writer.h"
#include "cli/cli.h"
#include "cli/cold_start.h"
#include "cli/opened_model.h"
#include "cli/options.h"
#include "cli/table.h"
#include "cli/text_list.h"
#include "engine/model.h"
#include "engine/session.h"
#include "kernels/kernels.h"
#include "kernels/peak.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char name[] = "bench";

enum {
    LEAST_ROUNDS = 5,
    MOST_ROUNDS = 10000,
    MOST_THREADS = 256,
    LEAST_TOKENS = 16,
    QUERY_TOKENS = 8,
};

/* One thread and its session. A round is begun by all threads and ends with the last of them. */
struct worker {
    struct bench *bench;
    struct session *session;
    pthread_t thread;
    struct passage_score *scores; /* cross-encoder: [pairs] */
    float *embeddings;            /* embedder: [pairs][hidden_size] */
    struct embedding_info *infos; /* embedder: [pairs] */
    struct call_usage usage;      /* of the last round */
    enum status status;
    struct error error;
};

struct bench {
    struct model_argument model_argument;
    uint64_t tokens, pairs, threads, seconds, runs;
    bool cold_start, json;

    struct model *model;
    struct buffer query;
    struct text_list texts;
    struct worker *workers; /* [threads] */
    size_t worker_count;    /* how many of them have a session */

    double *rounds; /* pairs per second, ascending at the end */
    size_t round_count;
    double peak; /* GMAC/s of one core */
};

/* Every option's least value is 1: 0 is one that was not given. */
static int check_together(const struct bench *bench) {
    const struct {
        const char *name;
        uint64_t value;
    } others[] = {{"tokens", bench->tokens},
                  {"pairs", bench->pairs},
                  {"threads", bench->threads},
                  {"seconds", bench->seconds}};
    if (!bench->cold_start && bench->runs != 0)
        return command_usage_error(name, "--runs is for --cold-start");
    for (size_t i = 0; i < OPTION_COUNT(others) && bench->cold_start; i++) {
        if (others[i].value != 0)
            return command_usage_error(name, "--%s is not for --cold-start", others[i].name);
    }
    return COMMAND_CONTINUE;
}

static void set_default(uint64_t *value, uint64_t value_if_absent) {
    if (*value == 0)
        *value = value_if_absent;
}

static void set_defaults(struct bench *bench) {
    set_default(&bench->tokens, 128);
    set_default(&bench->pairs, 32);
    set_default(&bench->threads, 1);
    set_default(&bench->seconds, 3);
    set_default(&bench->runs, 50);
}

static int parse(struct bench *bench, int argc, char **argv) {
    const struct option options[] = {
        MODEL_OPTIONS(&bench->model_argument),
        {.name = "tokens",
         .argument = "N",
         .help =
             "tokens of each pair (of each text, with an embedder), special\ntokens included; default 128",
         .number = &bench->tokens,
         .minimum = LEAST_TOKENS,
         .maximum = KERNEL_MAX_SEQUENCE},
        {.name = "pairs",
         .argument = "N",
         .help = "pairs (texts) that a thread is given at a time; default 32",
         .number = &bench->pairs,
         .minimum = 1,
         .maximum = 100000},
        {.name = "threads",
         .argument = "N",
         .help = "threads, each with a session of its own; default 1",
         .number = &bench->threads,
         .minimum = 1,
         .maximum = MOST_THREADS},
        {.name = "seconds",
         .argument = "N",
         .help = "time to measure, after one round to warm up; default 3",
         .number = &bench->seconds,
         .minimum = 1,
         .maximum = 3600},
        {.name = "cold-start",
         .help = "measure servers started one after the other instead: from exec to listening, ready and the "
                 "first right score, with the model in the page cache and not",
         .flag = &bench->cold_start},
        {.name = "runs",
         .argument = "N",
         .help = "with --cold-start: how many; default 50",
         .number = &bench->runs,
         .minimum = 1,
         .maximum = COLD_START_MOST_RUNS},
        {.name = "json", .help = "print one line of JSON on a terminal too", .flag = &bench->json},
    };
    const struct command command = {
        .name = name,
        .synopsis = "--model FILE.ember [OPTION]...\n"
                    "       rescoldo bench --model FILE.ember --cold-start [--runs N]",
        .description =
            "Measures whole rerank calls (embed calls, with an embedder) from text to scores, "
            "over texts made of the model's own words, and in the same run the peak of the 8-bit "
            "dot instruction on registers. share_of_peak is the part of that peak which the "
            "model's linear layers alone account for, as computed: of the last layer only what the "
            "result needs. full_share_of_peak counts every token in every layer, as engines do that "
            "compute them. Pin it for a number to compare: taskset -c 1 rescoldo bench ...",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    int outcome = command_parse(&command, argc, argv);
    return outcome == COMMAND_CONTINUE ? check_together(bench) : outcome;
}

/* ---- texts of an exact number of tokens ---- */

/* A piece that is a word by itself and that no other rule of the tokenizer touches. */
static bool is_plain_word(struct bytes piece) {
    if (piece.size < 3)
        return false;
    for (size_t i = 0; i < piece.size; i++) {
        if (piece.data[i] < 'a' || piece.data[i] > 'z')
            return false;
    }
    return true;
}

/* Marsaglia 2003, xorshift: the same texts in every run. */
static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static enum status append_words(const struct tokenizer *tokenizer, size_t count, uint32_t *random,
                                struct buffer *text, struct error *error) {
    for (size_t i = 0; i < count; i++) {
        struct bytes piece = {0};
        for (uint32_t attempt = 0; !is_plain_word(piece); attempt++) {
            if (attempt > 100 * tokenizer->vocabulary_size)
                return error_set(error, STATUS_UNSUPPORTED,
                                 "the vocabulary has no words of the letters a to z");
            piece = tokenizer_piece(tokenizer, next_random(random) % tokenizer->vocabulary_size);
        }
        enum status status = buffer_append(text, " ", i > 0, error);
        if (status == STATUS_OK)
            status = buffer_append(text, piece.data, piece.size, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status make_texts(struct bench *bench, struct error *error) {
    const struct tokenizer *tokenizer = &bench->model->tokenizer;
    bool paired = bench->model->kind == MODEL_CROSS_ENCODER;
    size_t words =
        (size_t)bench->tokens - (paired ? QUERY_TOKENS + TOKENIZER_SPECIAL_PAIR : TOKENIZER_SPECIAL_SINGLE);
    uint32_t random = 2463534242u;
    struct buffer text = {0};
    enum status status = append_words(tokenizer, QUERY_TOKENS, &random, &bench->query, error);
    for (uint64_t i = 0; status == STATUS_OK && i < bench->pairs; i++) {
        text.size = 0;
        status = append_words(tokenizer, words, &random, &text, error);
        if (status == STATUS_OK)
            status = text_list_add(&bench->texts, buffer_bytes(&text), error);
    }
    buffer_free(&text);
    return status == STATUS_OK ? text_list_finish(&bench->texts, error) : status;
}

/* ---- rounds ---- */

static void run_round(struct worker *worker) {
    struct bench *bench = worker->bench;
    if (bench->model->kind == MODEL_CROSS_ENCODER)
        worker->status =
            session_rerank(worker->session, buffer_bytes(&bench->query), bench->texts.texts,
                           bench->texts.count, NULL, worker->scores, &worker->usage, &worker->error);
    else
        worker->status = session_embed(worker->session, bench->texts.texts, bench->texts.count, NULL,
                                       worker->embeddings, worker->infos, &worker->usage, &worker->error);
}

static enum status check_workers(const struct bench *bench, struct error *error) {
    for (size_t i = 0; i < bench->worker_count; i++) {
        const struct worker *worker = &bench->workers[i];
        if (worker->status != STATUS_OK) {
            *error = worker->error;
            return worker->status;
        }
        if (worker->usage.tokens != bench->pairs * bench->tokens)
            return error_set(error, STATUS_INTERNAL, "a round took %llu tokens, expected %llu",
                             (unsigned long long)worker->usage.tokens,
                             (unsigned long long)(bench->pairs * bench->tokens));
    }
    return STATUS_OK;
}

static void *run_worker(void *worker) {
    run_round(worker);
    return NULL;
}

/* One round of all threads, the calling one among them; *seconds is what it took. */
static enum status run_all(struct bench *bench, double *seconds, struct error *error) {
    uint64_t start = clock_nanoseconds();
    size_t started = 1;
    int reason = 0;
    for (; started < bench->worker_count; started++) {
        reason = pthread_create(&bench->workers[started].thread, NULL, run_worker, &bench->workers[started]);
        if (reason != 0)
            break;
    }
    if (reason == 0)
        run_round(&bench->workers[0]);
    for (size_t i = 1; i < started; i++)
        (void)pthread_join(bench->workers[i].thread, NULL);
    *seconds = (double)(clock_nanoseconds() - start) / 1e9;
    if (reason != 0)
        return error_set_errno(error, reason, "cannot start thread %zu of %zu", started + 1,
                               bench->worker_count);
    return check_workers(bench, error);
}

static enum status measure(struct bench *bench, struct error *error) {
    const struct kernels *kernels = session_kernels(bench->workers[0].session);
    double seconds, total = 0;
    /* The first round warms up caches, pages and clock, and does not count. */
    enum status status = run_all(bench, &seconds, error);
    while (status == STATUS_OK && bench->round_count < MOST_ROUNDS &&
           (total < (double)bench->seconds || bench->round_count < LEAST_ROUNDS)) {
        /* A shared machine changes its speed by the minute: the peak is measured between the rounds, a few
         * times, and the best of it counts. */
        if (bench->round_count < LEAST_ROUNDS) {
            double peak = kernels_measure_int8_peak(kernels);
            bench->peak = peak > bench->peak ? peak : bench->peak;
        }
        status = run_all(bench, &seconds, error);
        total += seconds;
        bench->rounds[bench->round_count++] = (double)(bench->pairs * bench->threads) / seconds;
    }
    return status;
}

static enum status create_worker(struct bench *bench, struct worker *worker, struct error *error) {
    worker->bench = bench;
    size_t count = (size_t)bench->pairs;
    worker->scores = calloc(count, sizeof *worker->scores);
    worker->infos = calloc(count, sizeof *worker->infos);
    worker->embeddings = calloc(count * bench->model->shape.hidden_size, sizeof *worker->embeddings);
    if (worker->scores == NULL || worker->infos == NULL || worker->embeddings == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the results of %zu pairs", count);
    return session_create(bench->model, NULL, &worker->session, error);
}

static enum status create_workers(struct bench *bench, struct error *error) {
    bench->workers = calloc((size_t)bench->threads, sizeof *bench->workers);
    bench->rounds = calloc(MOST_ROUNDS, sizeof *bench->rounds);
    if (bench->workers == NULL || bench->rounds == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %llu threads",
                         (unsigned long long)bench->threads);
    for (; bench->worker_count < bench->threads; bench->worker_count++) {
        enum status status = create_worker(bench, &bench->workers[bench->worker_count], error);
        if (status != STATUS_OK) {
            bench->worker_count++; /* what it has is released with the others */
            return status;
        }
    }
    return STATUS_OK;
}

/* ---- results ---- */

static int ascending(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(const struct bench *bench) {
    size_t middle = bench->round_count / 2;
    return bench->round_count % 2 == 1 ? bench->rounds[middle]
                                       : (bench->rounds[middle - 1] + bench->rounds[middle]) / 2;
}

/* Multiply-accumulates of the linear layers for one pair (text): Q, K, V and attention output, then the two
 * of the feed-forward network. */
struct linear_macs {
    double full;     /* of every token in every layer */
    double computed; /* where only [CLS] is read of the last layer: its keys and values, and the rest for one
                        token */
};

static struct linear_macs linear_macs(const struct model *model, double tokens) {
    const struct model_shape *shape = &model->shape;
    double hidden = shape->hidden_size;
    double keys_and_values = shape->layers * tokens * 2 * hidden * hidden;
    double rest = 2 * hidden * hidden + 2 * hidden * shape->intermediate_size;
    bool first_row_only = model->kind == MODEL_CROSS_ENCODER || model->pooling == POOLING_CLS;
    double rows = first_row_only ? (shape->layers - 1) * tokens + 1 : shape->layers * tokens;
    return (struct linear_macs){keys_and_values + shape->layers * tokens * rest,
                                keys_and_values + rows * rest};
}

struct results {
    double minimum, median, maximum; /* pairs per second */
    double tokens_per_second;        /* at the median */
    double share_of_peak;            /* of all threads' cores together, by the work that is computed */
    double full_share_of_peak;       /* by that of every token in every layer */
};

static struct results summarize(struct bench *bench) {
    qsort(bench->rounds, bench->round_count, sizeof *bench->rounds, ascending);
    struct results results = {
        .minimum = bench->rounds[0],
        .median = median(bench),
        .maximum = bench->rounds[bench->round_count - 1],
    };
    results.tokens_per_second = results.median * (double)bench->tokens;
    struct linear_macs macs = linear_macs(bench->model, (double)bench->tokens);
    double rate_of_peak = results.median / (1e9 * bench->peak * (double)bench->threads);
    results.share_of_peak = rate_of_peak * macs.computed;
    results.full_share_of_peak = rate_of_peak * macs.full;
    return results;
}

static void write_number(struct json_writer *writer, const char *key, double value) {
    json_key(writer, key);
    json_float(writer, (float)value);
}

static enum status print_json(const struct bench *bench, const struct results *results, struct error *error) {
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    json_begin_object(&writer);
    json_key(&writer, "model");
    json_text_of_string(&writer, bench->model->name);
    json_key(&writer, "precision");
    json_text_of_string(&writer, precision_name(bench->model->precision));
    json_key(&writer, "tokens");
    json_unsigned(&writer, bench->tokens);
    json_key(&writer, "pairs");
    json_unsigned(&writer, bench->pairs);
    json_key(&writer, "threads");
    json_unsigned(&writer, bench->threads);
    json_key(&writer, "isa");
    json_text_of_string(&writer, session_kernels(bench->workers[0].session)->name);
    json_key(&writer, "rounds");
    json_unsigned(&writer, bench->round_count);
    json_key(&writer, "pairs_per_second");
    json_begin_object(&writer);
    write_number(&writer, "min", results->minimum);
    write_number(&writer, "median", results->median);
    write_number(&writer, "max", results->maximum);
    json_end_object(&writer);
    write_number(&writer, "tokens_per_second", results->tokens_per_second);
    write_number(&writer, "int8_peak_gmacs", bench->peak);
    write_number(&writer, "share_of_peak", results->share_of_peak);
    write_number(&writer, "full_share_of_peak", results->full_share_of_peak);
    json_end_object(&writer);
    enum status status = json_writer_finish(&writer, error);
    if (status == STATUS_OK)
        status = cli_write_line(&line, error);
    buffer_free(&line);
    return status;
}

static enum status print_table(const struct bench *bench, const struct results *results,
                               struct error *error) {
    static const struct table_column columns[] = {{"", false}, {"", false}};
    struct table table = {.columns = columns, .column_count = OPTION_COUNT(columns)};
    const char *unit = bench->model->kind == MODEL_CROSS_ENCODER ? "pairs" : "texts";
    table_add_format(&table, "model");
    table_add_format(&table, "%s (%s, %s)", bench->model->name, model_kind_name(bench->model->kind),
                     precision_name(bench->model->precision));
    table_add_format(&table, "instructions");
    table_add_format(&table, "%s", session_kernels(bench->workers[0].session)->name);
    table_add_format(&table, "work");
    table_add_format(&table, "%llu %s of %llu tokens on each of %llu threads, %zu rounds",
                     (unsigned long long)bench->pairs, unit, (unsigned long long)bench->tokens,
                     (unsigned long long)bench->threads, bench->round_count);
    table_add_format(&table, "%s per second", unit);
    table_add_format(&table, "%.2f (min %.2f, max %.2f)", results->median, results->minimum,
                     results->maximum);
    table_add_format(&table, "tokens per second");
    table_add_format(&table, "%.0f", results->tokens_per_second);
    table_add_format(&table, "int8 peak of a core");
    table_add_format(&table, "%.1f GMAC/s", bench->peak);
    table_add_format(&table, "share of the peak");
    table_add_format(&table,
                     "%.1f %% (linear layers as computed; %.1f %% counting every token in every layer)",
                     100 * results->share_of_peak, 100 * results->full_share_of_peak);
    enum status status = table_print(&table, error);
    table_free(&table);
    return status;
}

static enum status run(struct bench *bench, struct error *error) {
    enum status status = model_argument_open(&bench->model_argument, MODEL_TASK_ANY, &bench->model, error);
    if (status != STATUS_OK)
        return status;
    if (bench->tokens > bench->model->max_length)
        return error_set(error, STATUS_INVALID_ARGUMENT, "--tokens is %llu, the model takes at most %u",
                         (unsigned long long)bench->tokens, bench->model->max_length);
    status = make_texts(bench, error);
    if (status == STATUS_OK)
        status = create_workers(bench, error);
    if (status == STATUS_OK)
        status = measure(bench, error);
    if (status != STATUS_OK)
        return status;
    const struct results results = summarize(bench);
    return cli_wants_table(bench->json) ? print_table(bench, &results, error)
                                        : print_json(bench, &results, error);
}

static void release(struct bench *bench) {
    for (size_t i = 0; i < bench->worker_count; i++) {
        session_destroy(bench->workers[i].session);
        free(bench->workers[i].scores);
        free(bench->workers[i].infos);
        free(bench->workers[i].embeddings);
    }
    free(bench->workers);
    free(bench->rounds);
    text_list_free(&bench->texts);
    buffer_free(&bench->query);
    model_close(bench->model);
}

int command_bench(int argc, char **argv) {
    struct bench bench = {0};
    int outcome = parse(&bench, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    set_defaults(&bench);
    struct error error;
    enum status status = bench.cold_start
                             ? cold_start_measure(&bench.model_argument, bench.runs, bench.json, &error)
                             : run(&bench, &error);
    outcome = status == STATUS_OK ? EXIT_SUCCESS : cli_fail(name, &error);
    release(&bench);
    return cli_finish(name, outcome);
}
