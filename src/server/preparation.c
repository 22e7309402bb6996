#include "server/preparation.h"

#include "server/json_body.h"
#include "server/service_choice.h"

static int read_body(const struct service *service, struct job *job, struct api_error *error) {
    struct work *work = &job->work;
    if (json_body_parse(buffer_bytes(&job->body), service->limits, &work->document, error) != 0)
        return -1;
    buffer_free(&job->body);
    const struct service *named = service_named(service, work->document);
    job->dialect = dialect_choose(job->dialects, named != NULL ? named : service, work->document);
    if (service_choose(service, job->dialect, work->document, &job->service, error) != 0)
        return -1;
    service = job->service;
    if (job->dialect->read(service, work, error) != 0)
        return -1;
    if (job->dialect->kind == WORK_OTHER)
        return job->dialect->compute(service, work, error);
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

double preparation_estimate(const struct forecast *forecast, struct job *job) {
    const struct request *request = &job->request;
    double tokens = 0;
    if (job->dialect->kind == WORK_OTHER)
        return 0;
    uint64_t beside = job->dialect->kind == WORK_RERANK ? request->input.query.size : 0;
    uint32_t most = request->options.windows ? UINT32_MAX : request->max_length;
    for (size_t i = 0; i < request->input.text_count; i++)
        tokens += forecast_text_tokens(forecast, beside + request->input.texts[i].size, most);
    job->text_bytes = beside * request->input.text_count;
    for (size_t i = 0; i < request->input.text_count; i++)
        job->text_bytes += request->input.texts[i].size;
    return tokens;
}

bool preparation_tokenize(struct job *job, size_t enough_tokens, struct api_error *error) {
    struct error failure;
    size_t before = sequence_queue_tokens(&job->prepared);
    enum status status = request_prepare(&job->request, enough_tokens, &failure);
    job->prepared_tokens += sequence_queue_tokens(&job->prepared) - before;
    return status == STATUS_OK || api_refuse_failure(error, &failure) == 0;
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
    if (job->failed)
        reply_error(job);
    else
        reply_results(job);
    work_free(&job->work);
    request_free(&job->request);
    recall_free(&job->recall);
    sequence_queue_free(&job->prepared);
}
