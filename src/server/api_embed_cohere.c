/* The embed dialects of Cohere, v1 and v2: {texts, embedding_types?, truncate?, max_tokens?,
 * output_dimension?} to {id, embeddings, texts, meta}. embeddings is an object of arrays, one for each type;
 * in v1 without embedding_types an array of float vectors. */
#include "server/dialects.h"
#include "server/option_fields.h"
#include "server/reply_fields.h"
#include "server/request_fields.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    const char *name;
    enum embedding_type type;
} types[] = {
    {"float", EMBEDDING_FLOAT},   {"int8", EMBEDDING_INT8},       {"uint8", EMBEDDING_UINT8},
    {"binary", EMBEDDING_BINARY}, {"ubinary", EMBEDDING_UBINARY}, {"base64", EMBEDDING_BASE64},
};
#define TYPES (sizeof types / sizeof types[0])

static bool speaks_cohere(const struct service *service, const json_t *document) {
    (void)service;
    return has_field(document, "texts");
}

static int read_type(struct work *work, const json_t *value, struct api_error *error) {
    for (size_t i = 0; i < TYPES; i++) {
        if (json_is_string(value) && strcmp(json_string_value(value), types[i].name) == 0) {
            work->embedding_types |= types[i].type;
            return 0;
        }
    }
    return api_refuse_field(
        error, "embedding_types",
        "embedding_types holds %s, expected float, int8, uint8, binary, ubinary or base64",
        json_is_string(value) ? "an unknown type" : json_type_name(value));
}

static int read_types(struct work *work, struct api_error *error) {
    const json_t *field = json_field(work->document, "embedding_types");
    if (field == NULL)
        return 0;
    if (!json_is_array(field))
        return api_refuse_field(error, "embedding_types",
                                "embedding_types is %s, expected an array of strings", json_type_name(field));
    for (size_t i = 0; i < json_array_size(field); i++) {
        if (read_type(work, json_array_get(field, i), error) != 0)
            return -1;
    }
    return 0;
}

/* One of v2's `inputs`: {content: [{type: "text", text}]}. */
static int read_content(const json_t *input, size_t index, struct bytes *text, struct api_error *error) {
    const json_t *content = json_object_get(input, "content"), *part = json_array_get(content, 0);
    const json_t *value = json_object_get(part, "text");
    char param[48];
    snprintf(param, sizeof param, "inputs[%zu].content", index);
    if (json_array_size(content) != 1 || !json_is_string(value))
        return api_refuse_field(error, param, "%s is not an array of one {\"type\": \"text\", \"text\"}",
                                param);
    *text = json_string_bytes(value);
    return 0;
}

static int read_inputs(const struct service *service, struct work *work, const json_t *inputs,
                       struct api_error *error) {
    size_t count = json_array_size(inputs);
    if (count == 0 || count > service->limits->max_inputs)
        return api_refuse_field(error, "inputs", "inputs is not an array of 1 to %" PRIu64 " objects",
                                service->limits->max_inputs);
    if (work_allocate_texts(work, count, error) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (read_content(json_array_get(inputs, i), i, &work->texts[i], error) != 0)
            return -1;
    }
    return 0;
}

static int read_v1(const struct service *service, struct work *work, struct api_error *error) {
    const struct text_rules rules = {.name = "texts", .max_count = service->limits->max_inputs};
    if (json_field(work->document, "images") != NULL)
        return api_refuse_field(error, "images", "images cannot be embedded by %s, which reads text",
                                service->model->name);
    const json_t *texts = json_field(work->document, "texts"), *inputs = json_field(work->document, "inputs");
    int outcome = texts == NULL && inputs != NULL ? read_inputs(service, work, inputs, error)
                                                  : request_texts(work, texts, &rules, error);
    if (outcome != 0 || request_prompt(service, work, error) != 0 || read_types(work, error) != 0 ||
        read_truncation(service, work, work->document, error) != 0 ||
        request_dimensions(service, work, "output_dimension", error) != 0)
        return -1;
    return read_max_tokens(service, work, error);
}

static int read_v2(const struct service *service, struct work *work, struct api_error *error) {
    if (read_v1(service, work, error) != 0)
        return -1;
    if (work->embedding_types == 0)
        work->embedding_types = EMBEDDING_FLOAT;
    return 0;
}

static void write_vectors(const struct service *service, const struct work *work, enum embedding_type type,
                          struct json_writer *writer) {
    json_begin_array(writer);
    for (size_t i = 0; i < work->text_count; i++)
        reply_embedding(work_embedding(service, work, i), service->model->shape.hidden_size, type, writer);
    json_end_array(writer);
}

static void write_by_type(const struct service *service, const struct work *work,
                          struct json_writer *writer) {
    json_begin_object(writer);
    for (size_t i = 0; i < TYPES; i++) {
        if ((work->embedding_types & types[i].type) == 0)
            continue;
        json_key(writer, types[i].name);
        write_vectors(service, work, types[i].type, writer);
    }
    json_end_object(writer);
}

static void write_texts(const struct work *work, struct json_writer *writer) {
    json_key(writer, "texts");
    json_begin_array(writer);
    for (size_t i = 0; i < work->text_count; i++)
        json_text(writer, work->texts[i]);
    json_end_array(writer);
}

static void write_meta(const struct work *work, const char *version, struct json_writer *writer) {
    reply_begin_meta(version, "input_tokens", work->usage.tokens, writer);
    json_unsigned_member(writer, "truncated_texts", work_truncated_texts(work));
    json_end_object(writer);
}

static void write_reply(const struct service *service, const struct work *work, const char *request_id,
                        const char *version, struct json_writer *writer) {
    bool by_type = work->embedding_types != 0;
    json_begin_object(writer);
    json_string_member(writer, "response_type", by_type ? "embeddings_by_type" : "embeddings_floats");
    json_string_member(writer, "id", request_id);
    json_string_member(writer, "model", service->model->name);
    json_key(writer, "embeddings");
    if (by_type)
        write_by_type(service, work, writer);
    else
        write_vectors(service, work, EMBEDDING_FLOAT, writer);
    write_texts(work, writer);
    write_meta(work, version, writer);
    json_end_object(writer);
}

static void write_v1(const struct service *service, const struct work *work, const char *request_id,
                     struct json_writer *writer) {
    write_reply(service, work, request_id, "1", writer);
}

static void write_v2(const struct service *service, const struct work *work, const char *request_id,
                     struct json_writer *writer) {
    write_reply(service, work, request_id, "2", writer);
}

const struct dialect dialect_embed_cohere_v1 = {.name = "embed_cohere_v1",
                                                .kind = WORK_EMBED,
                                                .speaks = speaks_cohere,
                                                .read = read_v1,
                                                .write = write_v1};
const struct dialect dialect_embed_cohere_v2 = {.name = "embed_cohere_v2",
                                                .kind = WORK_EMBED,
                                                .speaks = speaks_cohere,
                                                .read = read_v2,
                                                .write = write_v2};
