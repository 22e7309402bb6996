#include "server/preparation.h"

#include "server/json_body.h"
#include "server/option_fields.h"
#include "server/service_choice.h"

#include <inttypes.h>

/* A JSON value as jansson keeps it (a small object has most beside its text), what the server keeps of a
 * text, and its result in a reply: the sum of those structures, rounded up. */
#define BYTES_PER_VALUE ((uint64_t)512)
/* Of a number in a reply's JSON, with its separator. */
#define BYTES_PER_NUMBER ((uint64_t)14)
/* Of a token as the tokenizer keeps it. A token has a byte of its text at least. */
#define BYTES_PER_TOKEN ((uint64_t)(sizeof(int32_t) + sizeof(struct token_span)))
/* Of a token as JSON of /tokenize, twice: as computed and as replied. */
#define BYTES_PER_LISTED_TOKEN ((uint64_t)160)

static int claim(struct job *job, uint64_t bytes, struct api_error *error) {
    if (memory_claim_add(&job->claim, bytes))
        return 0;
    job->refused_bytes = job->claim.bytes + bytes;
    uint64_t maximum = job->claim.budget->maximum;
    if (job->claim.bytes + bytes > maximum)
        return api_refuse(error, 413, "request_too_large",
                          "the request may need %" PRIu64 " bytes of memory, of which the server has %" PRIu64
                          ": ask for less at once",
                          job->claim.bytes + bytes, maximum);
    return api_refuse(error, 429, "overloaded", "the server has no memory for more requests now");
}

/* Every value but the first follows one of these bytes; within strings they are counted too, so a text may
 * cost a little more than it needs. */
static uint64_t most_values(struct bytes text) {
    uint64_t values = 1;
    for (size_t i = 0; i < text.size; i++)
        values += text.data[i] == ',' || text.data[i] == ':' || text.data[i] == '[' || text.data[i] == '{';
    return values;
}

/* Vectors as floats and as text. */
static int claim_embeddings(struct job *job, const struct model *model, struct api_error *error) {
    const struct work *work = &job->work;
    uint64_t types = 0, vectors = work->text_count;
    for (unsigned set = work->embedding_types; set != 0; set >>= 1)
        types += set & 1;
    if (work->options.token_embeddings) {
        for (size_t i = 0; i < work->text_count; i++) {
            uint64_t most = work->texts[i].size + TOKENIZER_SPECIAL_SINGLE;
            vectors += most < model->max_length ? most : model->max_length;
        }
    }
    uint64_t bytes_per_number = sizeof(float) + BYTES_PER_NUMBER * (types > 1 ? types : 1);
    return claim(job, vectors * model->shape.hidden_size * bytes_per_number, error);
}

static uint64_t largest(const struct bytes *texts, size_t count) {
    uint64_t bytes = 0;
    for (size_t i = 0; texts != NULL && i < count; i++)
        bytes = texts[i].size > bytes ? texts[i].size : bytes;
    return bytes;
}

/* How many tokens of a text are known at most: to the last where all of them count, and else to the first
 * that can make no difference. */
static uint64_t most_tokens(const struct call_options *options, uint64_t query_bytes, uint32_t max_length) {
    bool unlimited = options->windows && options->max_windows == 0;
    bool refuses = options->truncation == TRUNCATION_NONE && !options->windows;
    if (unlimited || refuses || options->truncation_direction == TRUNCATION_LEFT)
        return UINT64_MAX;
    return options->windows ? (uint64_t)options->max_windows * max_length + 1 : query_bytes + max_length + 1;
}

/* Of the query, and of one text after the other. */
static int claim_tokens(struct job *job, const struct model *model, struct api_error *error) {
    const struct work *work = &job->work;
    uint64_t query = work->query.size + largest(work->queries, work->text_count);
    uint64_t text = largest(work->texts, work->text_count);
    uint64_t most = most_tokens(&work->options, query, model->max_length);
    return claim(job, (query + (text < most ? text : most)) * BYTES_PER_TOKEN, error);
}

static int claim_listed_tokens(struct job *job, const struct service *service, struct api_error *error) {
    const struct work *work = &job->work;
    uint64_t tokens = work->text_count * TOKENIZER_SPECIAL_SINGLE;
    for (size_t i = 0; i < work->text_count; i++)
        tokens += work->texts[i].size;
    if (tokens > service->limits->max_json_values)
        tokens = service->limits->max_json_values;
    return claim(job, tokens * (BYTES_PER_LISTED_TOKEN + BYTES_PER_TOKEN), error);
}

static int read_body(const struct service *service, struct job *job, struct api_error *error) {
    struct work *work = &job->work;
    if (claim(job, most_values(buffer_bytes(&job->body)) * BYTES_PER_VALUE, error) != 0)
        return -1;
    if (json_body_parse(buffer_bytes(&job->body), service->limits, &work->document, error) != 0)
        return -1;
    buffer_free(&job->body);
    const struct service *named = service_named(service, work->document);
    job->dialect = dialect_choose(job->dialects, named != NULL ? named : service, work->document);
    if (service_choose(service, job->dialect, work->document, &job->service, error) != 0)
        return -1;
    service = job->service;
    if (refuse_unavailable(job->dialect->kind, work->document, error) != 0 ||
        job->dialect->read(service, work, error) != 0)
        return -1;
    if (job->dialect->kind == WORK_OTHER)
        return claim_listed_tokens(job, service, error) != 0 ? -1
                                                             : job->dialect->compute(service, work, error);
    if (claim_tokens(job, service->model, error) != 0)
        return -1;
    if (job->dialect->kind == WORK_EMBED && claim_embeddings(job, service->model, error) != 0)
        return -1;
    work->options.cancel = &job->cancel;
    work->options.deadline_nanoseconds = job->deadline_at;
    struct request_input input;
    struct error failure;
    if (work_describe(service, job->dialect, work, &input, error) != 0)
        return -1;
    recall_begin(&job->recall, service->cache, (uint64_t)(service - service->all), &input);
    if (request_begin(&job->request, service->model, &input, &failure) != STATUS_OK)
        return api_refuse_failure(error, &failure);
    /* An embedder's query is ready already; what comes now is prepared while slices of the job may run. */
    job->request.target = &job->prepared;
    return 0;
}

bool preparation_read(const struct service *service, struct job *job, struct api_error *error) {
    bool good = read_body(service, job, error) == 0;
    buffer_free(&job->body);
    return good;
}

/* --- how much it is --- */

static uint64_t bytes_beside(const struct job *job) {
    return job->dialect->kind == WORK_RERANK ? job->request.input.query.size : 0;
}

static double expected_tokens(const struct job *job, size_t text) {
    const struct request *request = &job->request;
    uint32_t most = request->options.windows ? UINT32_MAX : request->max_length;
    uint64_t bytes = bytes_beside(job) + request->input.texts[text].size;
    return forecast_text_tokens(&job->expectation.of_texts, bytes, most);
}

void preparation_expect(const struct forecast_ratio *of_texts, struct job *job) {
    struct expectation *expectation = &job->expectation;
    *expectation = (struct expectation){.of_texts = *of_texts};
    for (size_t i = 0; i < job->request.input.text_count; i++) {
        expectation->tokens += expected_tokens(job, i);
        expectation->text_bytes += bytes_beside(job) + job->request.input.texts[i].size;
    }
}

/* A text of which not all windows are made counts by those that are. */
static void compare_with_expectation(struct job *job) {
    struct expectation *expectation = &job->expectation;
    const struct request *request = &job->request;
    const struct request_text *text = &request->text;
    bool pending = text->next < text->end;
    size_t whole = pending ? request->next_text - 1 : request->next_text;
    while (expectation->texts < whole)
        expectation->whole += expected_tokens(job, expectation->texts++);
    expectation->prepared = expectation->whole;
    if (pending)
        expectation->prepared += expected_tokens(job, whole) * (double)text->next / (double)text->end;
}

double preparation_tokens_left(const struct job *job) {
    const struct expectation *expectation = &job->expectation;
    double left = expectation->tokens - expectation->prepared;
    double correction = expectation->prepared > 0 ? (double)job->prepared_tokens / expectation->prepared : 1;
    return left > 0 ? left * correction : 0;
}

bool preparation_is_telling(const struct job *job) {
    return job->request.usage.cached_tokens == 0 && work_truncated_texts(&job->work) == 0;
}

/* --- tokens --- */

bool preparation_tokenize(struct job *job, size_t enough_tokens, struct api_error *error) {
    struct error failure;
    size_t before = sequence_queue_tokens(&job->prepared);
    enum status status = request_prepare(&job->request, enough_tokens, &failure);
    job->prepared_tokens += sequence_queue_tokens(&job->prepared) - before;
    if (status != STATUS_OK)
        return api_refuse_failure(error, &failure) == 0;
    compare_with_expectation(job);
    return true;
}

/* --- the reply --- */

/* Nobody reads it. */
static void reply_cancelled(struct job *job) {
    job->http_status = 499;
    job->error_code = "cancelled";
}

static void reply_error(struct job *job) {
    api_error_set_form(&job->error,
                       job->dialect != NULL ? job->dialect->error_form : dialects_error_form(job->dialects));
    job->http_status = job->error.status;
    job->error_code = job->error.code;
    job->reply.size = 0;
    if (api_error_write(&job->error, &job->reply) != STATUS_OK)
        buffer_free(&job->reply);
}

static void reply_results(struct job *job) {
    const struct service *service = job->service;
    struct work *work = &job->work;
    struct json_writer writer = json_writer_to(&job->reply);
    struct error failure;
    if (job->dialect->kind != WORK_OTHER) {
        recall_keep_scores(&job->recall, &job->request);
        work_finish(service, job->dialect, &job->request.usage, work);
    }
    job->dialect->write(service, work, job->request_id, &writer);
    job->http_status = 200;
    job->text_count = work->text_count;
    job->truncated_texts = work_truncated_texts(work);
    job->usage = work->usage;
    if (json_writer_finish(&writer, &failure) != STATUS_OK && api_refuse_failure(&job->error, &failure) != 0)
        reply_error(job);
}

void preparation_reply(struct job *job) {
    if (atomic_load(&job->cancel))
        reply_cancelled(job);
    else if (job->failed)
        reply_error(job);
    else
        reply_results(job);
    buffer_free(&job->body);
    work_free(&job->work);
    request_free(&job->request);
    recall_free(&job->recall);
    sequence_queue_free(&job->prepared);
}
