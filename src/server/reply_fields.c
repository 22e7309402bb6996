#include "server/reply_fields.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void reply_usage(const struct work *work, struct json_writer *writer) {
    json_key(writer, "usage");
    json_begin_object(writer);
    json_unsigned_member(writer, "prompt_tokens", work->usage.tokens);
    json_unsigned_member(writer, "total_tokens", work->usage.tokens);
    json_end_object(writer);
}

void reply_begin_meta(const char *version, const char *unit, uint64_t count, struct json_writer *writer) {
    json_key(writer, "meta");
    json_begin_object(writer);
    json_key(writer, "api_version");
    json_begin_object(writer);
    json_string_member(writer, "version", version);
    json_end_object(writer);
    json_key(writer, "billed_units");
    json_begin_object(writer);
    json_unsigned_member(writer, unit, count);
    json_end_object(writer);
}

void reply_score_details(const struct service *service, const struct passage_score *score,
                         struct json_writer *writer) {
    json_key(writer, service->model->kind == MODEL_EMBEDDER ? "cosine" : "logit");
    json_float(writer, score->raw);
    json_unsigned_member(writer, "tokens", score->tokens);
    json_bool_member(writer, "truncated", score->truncated);
    json_unsigned_member(writer, "characters_used", score->character_end - score->character_start);
    if (score->windows > 1)
        json_unsigned_member(writer, "windows", score->windows);
}

static void write_value(const json_t *value, struct json_writer *writer) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text == NULL)
        writer->status = STATUS_OUT_OF_MEMORY;
    else
        json_verbatim(writer, bytes_of_string(text));
    free(text);
}

void reply_members(const json_t *object, const char *without, struct json_writer *writer) {
    /* Jansson's iterators take no constant object, though they change nothing. */
    json_t *members = (json_t *)(uintptr_t)object;
    for (void *member = json_object_iter(members); member != NULL;
         member = json_object_iter_next(members, member)) {
        if (without != NULL && strcmp(json_object_iter_key(member), without) == 0)
            continue;
        json_key_text(writer, bytes_of_string(json_object_iter_key(member)));
        write_value(json_object_iter_value(member), writer);
    }
}

const float *work_embedding(const struct service *service, const struct work *work, size_t index) {
    return work->embeddings + index * service->model->shape.hidden_size;
}

/* RFC 4648, section 4; the vectors' bytes are little-endian float32. Writes quotes around. */
static void write_base64(const float *vector, size_t size, struct json_writer *writer) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[12];
    char text[16];
    json_begin_string(writer);
    for (size_t i = 0; i < size; i += 3) {
        size_t floats = size - i < 3 ? size - i : 3;
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

static void write_floats(const float *vector, size_t size, struct json_writer *writer) {
    json_begin_array(writer);
    for (size_t i = 0; i < size; i++)
        json_float(writer, vector[i]);
    json_end_array(writer);
}

/* The largest magnitude becomes 127, whatever the model's scale is: cosines stay, dot products do not. */
static void write_bytes(const float *vector, size_t size, int offset, struct json_writer *writer) {
    float largest = 0;
    for (size_t i = 0; i < size; i++)
        largest = fmaxf(largest, fabsf(vector[i]));
    float scale = largest > 0 ? 127 / largest : 0;
    json_begin_array(writer);
    for (size_t i = 0; i < size; i++)
        json_signed(writer, (int64_t)rintf(vector[i] * scale) + offset);
    json_end_array(writer);
}

/* numpy.packbits(vector > 0): the first dimension is the highest bit. */
static void write_bits(const float *vector, size_t size, int offset, struct json_writer *writer) {
    json_begin_array(writer);
    for (size_t i = 0; i < size; i += 8) {
        int byte = 0;
        for (size_t bit = 0; bit < 8 && i + bit < size; bit++)
            byte |= vector[i + bit] > 0 ? 0x80 >> bit : 0;
        json_signed(writer, byte + offset);
    }
    json_end_array(writer);
}

void reply_embedding(const float *vector, size_t size, enum embedding_type type, struct json_writer *writer) {
    switch (type) {
    case EMBEDDING_FLOAT:
        write_floats(vector, size, writer);
        return;
    case EMBEDDING_BASE64:
        write_base64(vector, size, writer);
        return;
    case EMBEDDING_INT8:
        write_bytes(vector, size, 0, writer);
        return;
    case EMBEDDING_UINT8:
        write_bytes(vector, size, 128, writer);
        return;
    case EMBEDDING_BINARY:
        write_bits(vector, size, -128, writer);
        return;
    case EMBEDDING_UBINARY:
        write_bits(vector, size, 0, writer);
        return;
    }
}
