/* The embeddings dialect of OpenAI: {input: text or [text], encoding_format?: "float" or "base64",
 * dimensions?} to {object: "list", data: [{object, index, embedding, tokens, truncated,
 * characters_used}], model, usage}. */
#include "server/dialects.h"
#include "server/json_body.h"

#include <inttypes.h>
#include <stdio.h>

static int refuse_token_ids(struct api_error *error) {
    return api_refuse_field(error, "input",
                            "input holds token ids of another model's tokenizer, expected text; LangChain's "
                            "OpenAIEmbeddings sends text with check_embedding_ctx_length=False");
}

static int read_text(const json_t *value, size_t index, struct bytes *text, struct api_error *error) {
    if (json_is_number(value) || json_is_array(value))
        return refuse_token_ids(error);
    char param[48];
    snprintf(param, sizeof param, "input[%zu]", index);
    if (!json_is_string(value))
        return api_refuse_field(error, param, "%s is %s, expected a string", param, json_type_name(value));
    *text = json_string_bytes(value);
    return 0;
}

static int read_texts(const struct service *service, const json_t *input, struct work *work,
                      struct api_error *error) {
    size_t count = json_array_size(input);
    if (count == 0)
        return api_refuse_field(error, "input", "input is empty, expected at least one text");
    if (count > service->limits->max_inputs)
        return api_refuse_field(error, "input", "input holds %zu texts, at most %" PRIu64 " are accepted",
                                count, service->limits->max_inputs);
    if (work_allocate_texts(work, count, error) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (read_text(json_array_get(input, i), i, &work->texts[i], error) != 0)
            return -1;
    }
    return 0;
}

static int read_input(const struct service *service, struct work *work, struct api_error *error) {
    const json_t *input = json_field(work->document, "input");
    if (json_is_array(input))
        return read_texts(service, input, work, error);
    if (!json_is_string(input))
        return api_refuse_field(error, "input", "input is %s, expected a string or an array of strings",
                                input == NULL ? "missing" : json_type_name(input));
    if (work_allocate_texts(work, 1, error) != 0)
        return -1;
    work->texts[0] = json_string_bytes(input);
    return 0;
}

static int read_encoding(struct work *work, struct api_error *error) {
    struct bytes encoding;
    if (json_field_string(work->document, "encoding_format", &encoding, error) != 0)
        return -1;
    bool base64 = bytes_equal(encoding, bytes_of_string("base64"));
    work->embedding_types = base64 ? EMBEDDING_BASE64 : EMBEDDING_FLOAT;
    if (encoding.data != NULL && !base64 && !bytes_equal(encoding, bytes_of_string("float")))
        return api_refuse_field(error, "encoding_format",
                                "encoding_format is neither \"float\" nor \"base64\"");
    return 0;
}

static int read_embeddings(const struct service *service, struct work *work, struct api_error *error) {
    uint64_t dimensions = service->model->shape.hidden_size;
    if (json_field_positive(work->document, "dimensions", &dimensions, error) != 0)
        return -1;
    if (dimensions != service->model->shape.hidden_size)
        return api_refuse_field(error, "dimensions",
                                "dimensions %" PRIu64 " is not available: %s gives vectors of %" PRIu32,
                                dimensions, service->model->name, service->model->shape.hidden_size);
    if (read_encoding(work, error) != 0)
        return -1;
    return read_input(service, work, error);
}

/* RFC 4648, section 4; the vectors' bytes are little-endian float32. Writes quotes around. */
static void write_base64(const float *vector, size_t count, struct json_writer *writer) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[12];
    char text[16];
    json_begin_string(writer);
    for (size_t i = 0; i < count; i += 3) {
        size_t floats = count - i < 3 ? count - i : 3;
        memset(bytes, 0, sizeof bytes);
        for (size_t k = 0; k < floats; k++) {
            uint32_t bits;
            memcpy(&bits, &vector[i + k], sizeof bits);
            store_u32le(bytes + 4 * k, bits);
        }
        for (size_t k = 0; k < 4; k++) {
            uint32_t group =
                (uint32_t)bytes[3 * k] << 16 | (uint32_t)bytes[3 * k + 1] << 8 | bytes[3 * k + 2];
            for (size_t digit = 0; digit < 4; digit++)
                text[4 * k + digit] = digits[group >> (18 - 6 * digit) & 63];
        }
        size_t used = (floats * 4 * 8 + 5) / 6;
        size_t padded = (used + 3) / 4 * 4;
        memset(text + used, '=', padded - used);
        json_string_part(writer, text, padded);
    }
    json_end_string(writer);
}

static void write_vector(const struct work *work, const float *vector, size_t count,
                         struct json_writer *writer) {
    json_key(writer, "embedding");
    if (work->embedding_types == EMBEDDING_BASE64) {
        write_base64(vector, count, writer);
        return;
    }
    json_begin_array(writer);
    for (size_t i = 0; i < count; i++)
        json_float(writer, vector[i]);
    json_end_array(writer);
}

static void write_item(const struct service *service, const struct work *work, size_t index,
                       struct json_writer *writer) {
    size_t hidden_size = service->model->shape.hidden_size;
    json_begin_object(writer);
    json_key(writer, "object");
    json_text_of_string(writer, "embedding");
    json_key(writer, "index");
    json_unsigned(writer, index);
    write_vector(work, work->embeddings + index * hidden_size, hidden_size, writer);
    json_key(writer, "tokens");
    json_unsigned(writer, work->infos[index].tokens);
    json_key(writer, "truncated");
    json_bool(writer, work->infos[index].truncated);
    json_key(writer, "characters_used");
    json_unsigned(writer, work->infos[index].character_end - work->infos[index].character_start);
    json_end_object(writer);
}

static void write_embeddings(const struct service *service, const struct work *work, const char *request_id,
                             struct json_writer *writer) {
    (void)request_id;
    json_begin_object(writer);
    json_key(writer, "object");
    json_text_of_string(writer, "list");
    json_key(writer, "data");
    json_begin_array(writer);
    for (size_t i = 0; i < work->text_count; i++)
        write_item(service, work, i, writer);
    json_end_array(writer);
    json_key(writer, "model");
    json_text_of_string(writer, service->model->name);
    json_key(writer, "usage");
    json_begin_object(writer);
    json_key(writer, "prompt_tokens");
    json_unsigned(writer, work->usage.tokens);
    json_key(writer, "total_tokens");
    json_unsigned(writer, work->usage.tokens);
    json_end_object(writer);
    json_end_object(writer);
}

const struct dialect dialect_embeddings = {
    .name = "embeddings", .kind = WORK_EMBED, .read = read_embeddings, .write = write_embeddings};
