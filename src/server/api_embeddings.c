/* The embeddings dialect of OpenAI, which Voyage, Jina, Mixedbread, vLLM and infinity share: {input: text or
 * [text], encoding_format?: "float" or "base64", dimensions?} to {object: "list", data: [{object, index,
 * embedding, tokens, truncated, characters_used}], model, usage}. */
#include "server/dialects.h"
#include "server/option_fields.h"
#include "server/reply_fields.h"
#include "server/request_fields.h"

/* Jina calls it embedding_type. */
static int read_encoding(struct work *work, struct api_error *error) {
    static const char *const words[] = {"float", "base64", NULL};
    size_t chosen = 0;
    if (request_choice(work->document, "embedding_type", words, &chosen, error) != 0 ||
        request_choice(work->document, "encoding_format", words, &chosen, error) != 0)
        return -1;
    work->embedding_types = chosen == 1 ? EMBEDDING_BASE64 : EMBEDDING_FLOAT;
    return 0;
}

/* Voyage's output_dtype, vLLM's embed_dtype and endianness, infinity's modality: only one of each can be had.
 */
static int read_output(const struct service *service, struct work *work, struct api_error *error) {
    static const char *const floats[] = {"float", NULL}, *const singles[] = {"float32", "float", NULL};
    static const char *const orders[] = {"little", "native", NULL}, *const modalities[] = {"text", NULL};
    size_t chosen = 0;
    if (request_choice(work->document, "output_dtype", floats, &chosen, error) != 0 ||
        request_choice(work->document, "embed_dtype", singles, &chosen, error) != 0 ||
        request_choice(work->document, "endianness", orders, &chosen, error) != 0 ||
        request_choice(work->document, "modality", modalities, &chosen, error) != 0)
        return -1;
    return request_dimensions(service, work, "output_dimension", error);
}

static int read_embeddings(const struct service *service, struct work *work, struct api_error *error) {
    const struct text_rules rules = {.name = "input",
                                     .max_count = service->limits->max_inputs,
                                     .single = true,
                                     .token_ids =
                                         ": another model's tokenizer made them; LangChain's "
                                         "OpenAIEmbeddings sends text with check_embedding_ctx_length=False"};
    if (request_dimensions(service, work, "dimensions", error) != 0 || read_encoding(work, error) != 0 ||
        read_output(service, work, error) != 0 || request_prompt(service, work, error) != 0 ||
        request_texts(work, json_field(work->document, "input"), &rules, error) != 0)
        return -1;
    if (read_normalization(work, work->document, error) != 0)
        return -1;
    return read_truncation(service, work, work->document, error);
}

static void write_item(const struct service *service, const struct work *work, size_t index,
                       struct json_writer *writer) {
    const struct embedding_info *info = &work->infos[index];
    json_begin_object(writer);
    json_string_member(writer, "object", "embedding");
    json_unsigned_member(writer, "index", index);
    json_key(writer, "embedding");
    reply_embedding(work_embedding(service, work, index), service->model->shape.hidden_size,
                    (enum embedding_type)work->embedding_types, writer);
    json_unsigned_member(writer, "tokens", info->tokens);
    json_bool_member(writer, "truncated", info->truncated);
    json_unsigned_member(writer, "characters_used", info->character_end - info->character_start);
    json_end_object(writer);
}

static void write_embeddings(const struct service *service, const struct work *work, const char *request_id,
                             struct json_writer *writer) {
    json_begin_object(writer);
    json_string_member(writer, "object", "list");
    json_string_member(writer, "id", request_id);
    json_key(writer, "data");
    json_begin_array(writer);
    for (size_t i = 0; i < work->text_count; i++)
        write_item(service, work, i, writer);
    json_end_array(writer);
    json_string_member(writer, "model", service->model->name);
    reply_usage(work, writer);
    json_end_object(writer);
}

const struct dialect dialect_embeddings = {
    .name = "embeddings", .kind = WORK_EMBED, .read = read_embeddings, .write = write_embeddings};
