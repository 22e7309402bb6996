/* The rerank dialect of text-embeddings-inference: {query, texts, truncate?, truncation_direction?,
 * raw_scores?, return_text?} to [{index, score, text?}]; top_n as well, since LiteLLM and llama.cpp send
 * it. */
#include "server/dialects.h"
#include "server/request_fields.h"
#include "server/rerank_form.h"

static const struct rerank_form form = {
    .texts = "texts",
    .top = "top_n",
    .echo = "return_text",
    .score = "score",
    .echoed = "text",
    .echo_form = ECHO_STRING,
};

static bool speaks_tei(const struct service *service, const json_t *document) {
    (void)service;
    return has_field(document, "texts");
}

static int read_tei(const struct service *service, struct work *work, struct api_error *error) {
    return rerank_read(service, &form, work, error);
}

static void write_tei(const struct service *service, const struct work *work, const char *request_id,
                      struct json_writer *writer) {
    (void)request_id;
    rerank_write_results(service, &form, work, writer);
}

const struct dialect dialect_rerank_tei = {.name = "rerank_tei",
                                           .kind = WORK_RERANK,
                                           .error_form = API_ERROR_TEI,
                                           .speaks = speaks_tei,
                                           .read = read_tei,
                                           .write = write_tei};
