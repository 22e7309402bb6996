/* The rerank dialect of Elasticsearch's inference API, POST /_inference/rerank/ID: {query, input, top_n?,
 * return_documents?, task_settings?} to {rerank: [{index, relevance_score, text?}]}. */
#include "server/dialects.h"
#include "server/request_fields.h"
#include "server/rerank_form.h"

static const struct rerank_form form = {
    .texts = "input",
    .top = "top_n",
    .echo = "return_documents",
    .score = "relevance_score",
    .echoed = "text",
    .echo_form = ECHO_STRING,
};

/* The settings stand in the body, or in task_settings, which the body's own go before. */
static int read_settings(struct work *work, struct api_error *error) {
    const json_t *settings = json_field(work->document, "task_settings");
    if (settings == NULL)
        return 0;
    if (!json_is_object(settings))
        return api_refuse_field(error, "task_settings", "task_settings is %s, expected an object",
                                json_type_name(settings));
    uint64_t top = work->text_count;
    if (json_field_positive(settings, "top_n", &top, error) != 0)
        return -1;
    if (json_field(work->document, "top_n") == NULL && top < work->text_count)
        work->top_n = (size_t)top;
    if (json_field(work->document, "return_documents") != NULL)
        return 0;
    return json_field_boolean(settings, "return_documents", &work->return_documents, error);
}

static int read_elasticsearch(const struct service *service, struct work *work, struct api_error *error) {
    if (rerank_read(service, &form, work, error) != 0)
        return -1;
    return read_settings(work, error);
}

static void write_elasticsearch(const struct service *service, const struct work *work,
                                const char *request_id, struct json_writer *writer) {
    (void)request_id;
    json_begin_object(writer);
    json_key(writer, "rerank");
    rerank_write_results(service, &form, work, writer);
    json_end_object(writer);
}

const struct dialect dialect_rerank_elasticsearch = {.name = "rerank_elasticsearch",
                                                     .kind = WORK_RERANK,
                                                     .read = read_elasticsearch,
                                                     .write = write_elasticsearch};
