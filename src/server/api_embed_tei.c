/* The embedding dialects of text-embeddings-inference: /embed, {inputs: text or [text], normalize?,
 * truncate?, truncation_direction?, dimensions?} to one array of vectors; /embed_all, to an array of the
 * vectors of each text's tokens; /similarity, {inputs: {source_sentence, sentences}, parameters?} to one
 * array of cosines. */
#include "engine/heads.h"
#include "server/dialects.h"
#include "server/reply_fields.h"
#include "server/request_fields.h"
#include "server/tei_fields.h"

#include <stdlib.h>

static int read_embed(const struct service *service, struct work *work, struct api_error *error) {
    work->normalize = true;
    if (request_dimensions(service, work, "dimensions", error) != 0 ||
        tei_read_inputs(service, work, error) != 0)
        return -1;
    return tei_read_parameters(service, work, error);
}

static void write_embed(const struct service *service, const struct work *work, const char *request_id,
                        struct json_writer *writer) {
    (void)request_id;
    json_begin_array(writer);
    for (size_t i = 0; i < work->text_count; i++)
        reply_embedding(work_embedding(service, work, i), service->model->shape.hidden_size, EMBEDDING_FLOAT,
                        writer);
    json_end_array(writer);
}

const struct dialect dialect_embed_tei = {.name = "embed_tei",
                                          .kind = WORK_EMBED,
                                          .error_form = API_ERROR_TEI,
                                          .read = read_embed,
                                          .write = write_embed};

/* --- embed_all: the vectors of all tokens --- */

/* A vector for each token: a thousand texts would be gigabytes of JSON. */
#define EMBED_ALL_MAX_TEXTS 32u

static int read_embed_all(const struct service *service, struct work *work, struct api_error *error) {
    if (tei_read_inputs(service, work, error) != 0 || tei_read_parameters(service, work, error) != 0)
        return -1;
    if (work->text_count > EMBED_ALL_MAX_TEXTS)
        return api_refuse_field(error, "inputs", "inputs holds %zu texts, at most %u get a vector per token",
                                work->text_count, EMBED_ALL_MAX_TEXTS);
    work->token_embeddings = calloc(work->text_count, sizeof *work->token_embeddings);
    if (work->token_embeddings == NULL)
        return api_refuse_no_memory(error);
    work->options.token_embeddings = work->token_embeddings;
    return 0;
}

static void write_embed_all(const struct service *service, const struct work *work, const char *request_id,
                            struct json_writer *writer) {
    size_t size = service->model->shape.hidden_size;
    (void)request_id;
    json_begin_array(writer);
    for (size_t i = 0; i < work->text_count; i++) {
        json_begin_array(writer);
        for (size_t token = 0; token < work->infos[i].tokens; token++)
            reply_embedding(work->token_embeddings[i] + token * size, size, EMBEDDING_FLOAT, writer);
        json_end_array(writer);
    }
    json_end_array(writer);
}

const struct dialect dialect_embed_all = {.name = "embed_all",
                                          .kind = WORK_EMBED,
                                          .error_form = API_ERROR_TEI,
                                          .read = read_embed_all,
                                          .write = write_embed_all};

/* --- similarity: the source sentence is the first text --- */

static int read_sentences(const struct service *service, struct work *work, const json_t *inputs,
                          struct api_error *error) {
    const struct text_rules rules = {.name = "inputs.sentences", .max_count = service->limits->max_inputs};
    const json_t *source = json_field(inputs, "source_sentence");
    if (request_query(work, source, "inputs.source_sentence", error) != 0 ||
        request_texts(work, json_field(inputs, "sentences"), &rules, error) != 0)
        return -1;
    struct bytes *texts = work->texts;
    size_t count = work->text_count;
    if (work_allocate_texts(work, count + 1, error) != 0) {
        free(texts);
        return -1;
    }
    work->texts[0] = work->query;
    memcpy(work->texts + 1, texts, count * sizeof *texts);
    free(texts);
    return 0;
}

/* The path / of an embedder takes both. */
static bool speaks_similarity(const struct service *service, const json_t *document) {
    return service->model->kind == MODEL_EMBEDDER && json_is_object(json_object_get(document, "inputs"));
}

static int read_similarity(const struct service *service, struct work *work, struct api_error *error) {
    const json_t *inputs = json_field(work->document, "inputs");
    if (!json_is_object(inputs))
        return api_refuse_field(error, "inputs",
                                "inputs is %s, expected an object with \"source_sentence\" and \"sentences\"",
                                inputs == NULL ? "missing" : json_type_name(inputs));
    if (read_sentences(service, work, inputs, error) != 0)
        return -1;
    return tei_read_parameters(service, work, error);
}

static void write_similarity(const struct service *service, const struct work *work, const char *request_id,
                             struct json_writer *writer) {
    (void)request_id;
    json_begin_array(writer);
    for (size_t i = 1; i < work->text_count; i++)
        json_float(writer, cosine(work_embedding(service, work, 0), work_embedding(service, work, i),
                                  service->model->shape.hidden_size));
    json_end_array(writer);
}

const struct dialect dialect_similarity = {.name = "similarity",
                                           .kind = WORK_EMBED,
                                           .error_form = API_ERROR_TEI,
                                           .speaks = speaks_similarity,
                                           .read = read_similarity,
                                           .write = write_similarity};
