#include "tiny_model.h"

#include "unit_test.h"

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct test_directory test_directory_create(void) {
    struct test_directory directory;
    const char *parent = getenv("TMPDIR");
    snprintf(directory.path, sizeof directory.path, "%s/rescoldo-test-XXXXXX",
             parent == NULL ? "/tmp" : parent);
    assert_non_null(mkdtemp(directory.path));
    return directory;
}

static int remove_entry(const char *path, const struct stat *information, int type, struct FTW *position) {
    (void)information;
    (void)type;
    (void)position;
    return remove(path);
}

void test_directory_remove(const struct test_directory *directory) {
    assert_int_equal(nftw(directory->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int test_directory_count(const struct test_directory *directory) {
    DIR *stream = opendir(directory->path);
    assert_non_null(stream);
    int count = 0;
    while (readdir(stream) != NULL)
        count++;
    closedir(stream);
    return count - 2;
}

const char *test_path(const struct test_directory *directory, const char *name) {
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", directory->path, name);
    return path;
}

void test_write(const struct test_directory *directory, const char *name, struct bytes content) {
    FILE *file = fopen(test_path(directory, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.data, 1, content.size, file), content.size);
    assert_int_equal(fclose(file), 0);
}

void test_write_text(const struct test_directory *directory, const char *name, const char *text) {
    test_write(directory, name, bytes_of_string(text));
}

void test_read(const char *path, struct buffer *content) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char block[4096];
    for (size_t count; (count = fread(block, 1, sizeof block, file)) > 0;)
        assert_int_equal(buffer_append(content, block, count, NULL), STATUS_OK);
    assert_int_equal(fclose(file), 0);
}

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n!\n,\n.\n?"
                                 "\n1\n2\n3\na\nb\nc\nd\ne\nf\ng\nh\ni\nl\nm\nn\no\nr\ns\nt\nu\nw\n"
                                 "the\nis\nof\nwhat\ncapital\nfrance\nparis\nberlin\ngermany\negg\n##s\n##"
                                 "e\n##d\n##ing\n##er\n##t\n##n\n##a\n"
                                 "how\nlong\n";

static uint32_t vocabulary_size(void) {
    uint32_t lines = 0;
    for (const char *next = vocabulary; *next != '\0'; next++)
        lines += *next == '\n';
    return lines;
}

/* SplitMix64 (Steele, Lea, Flood 2014), to a float between -1 and 1. */
static float next_random(uint64_t *state) {
    uint64_t mixed = *state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return (float)(mixed >> 40) / 8388608.0f - 1;
}

struct writer {
    const struct tiny_model *model;
    struct buffer header, data;
    uint64_t random;
};

static void append(struct buffer *buffer, const void *data, size_t size) {
    assert_int_equal(buffer_append(buffer, data, size, NULL), STATUS_OK);
}

/* The nearest half-precision number to value, ties away from zero; value is 0 or within its normal range. */
static uint16_t f16_of(float value) {
    int exponent;
    float fraction = frexpf(fabsf(value), &exponent);
    uint16_t sign = value < 0 ? 0x8000 : 0;
    if (fraction == 0 || exponent < -13)
        return sign;
    /* fraction is in [0.5, 1): eleven bits with the leading one, which the carry below turns into exponent 1.
     */
    unsigned mantissa = (unsigned)lroundf(ldexpf(fraction, 11));
    return (uint16_t)(sign | (((unsigned)(exponent + 13) << 10) + mantissa));
}

static void append_element(struct writer *writer, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned char bytes[4];
    store_u32le(bytes, bits);
    if (writer->model->type == TINY_F32) {
        append(&writer->data, bytes, 4);
    } else if (writer->model->type == TINY_BF16) {
        append(&writer->data, bytes + 2, 2); /* cut, not rounded: the reader need not care */
    } else {
        uint16_t half = f16_of(value);
        unsigned char half_bytes[2] = {(unsigned char)half, (unsigned char)(half >> 8)};
        append(&writer->data, half_bytes, 2);
    }
}

/* One tensor of random values around `centre`. columns 0: a vector. */
static void tensor(struct writer *writer, const char *prefix, const char *name, uint32_t rows,
                   uint32_t columns, float centre, float spread) {
    static const char *const types[] = {[TINY_F32] = "F32", [TINY_F16] = "F16", [TINY_BF16] = "BF16"};
    size_t begin = writer->data.size;
    for (uint32_t i = 0; i < rows * (columns == 0 ? 1 : columns); i++)
        append_element(writer, centre + spread * next_random(&writer->random));
    assert_int_equal(buffer_append_format(&writer->header, NULL, "%s\"%s%s\":{\"dtype\":\"%s\",\"shape\":[%u",
                                          writer->header.size == 0 ? "{" : ",", prefix, name,
                                          types[writer->model->type], rows),
                     STATUS_OK);
    if (columns != 0)
        assert_int_equal(buffer_append_format(&writer->header, NULL, ",%u", columns), STATUS_OK);
    assert_int_equal(buffer_append_format(&writer->header, NULL, "],\"data_offsets\":[%zu,%zu]}", begin,
                                          writer->data.size),
                     STATUS_OK);
}

static void linear(struct writer *writer, const char *prefix, const char *name, uint32_t outputs,
                   uint32_t inputs) {
    char full[128];
    snprintf(full, sizeof full, "%s.weight", name);
    tensor(writer, prefix, full, outputs, inputs, 0, 0.2f);
    snprintf(full, sizeof full, "%s.bias", name);
    tensor(writer, prefix, full, outputs, 0, 0, 0.1f);
}

static void norm(struct writer *writer, const char *name) {
    char full[128];
    snprintf(full, sizeof full, "%s.LayerNorm.weight", name);
    tensor(writer, writer->model->prefix, full, TINY_HIDDEN, 0, 1, 0.2f);
    snprintf(full, sizeof full, "%s.LayerNorm.bias", name);
    tensor(writer, writer->model->prefix, full, TINY_HIDDEN, 0, 0, 0.1f);
}

static uint32_t layers_of(const struct tiny_model *model) {
    return model->layers == 0 ? 2 : model->layers;
}

static void write_tensors(struct writer *writer) {
    const char *prefix = writer->model->prefix;
    tensor(writer, prefix, "embeddings.word_embeddings.weight", vocabulary_size(), TINY_HIDDEN, 0, 0.5f);
    tensor(writer, prefix, "embeddings.position_embeddings.weight", TINY_POSITIONS, TINY_HIDDEN, 0, 0.2f);
    tensor(writer, prefix, "embeddings.token_type_embeddings.weight", 2, TINY_HIDDEN, 0, 0.2f);
    norm(writer, "embeddings");
    for (uint32_t i = 0; i < layers_of(writer->model); i++) {
        static const char *const attention[] = {"attention.self.query", "attention.self.key",
                                                "attention.self.value", "attention.output.dense"};
        char name[96];
        for (int part = 0; part < 4; part++) {
            snprintf(name, sizeof name, "encoder.layer.%u.%s", i, attention[part]);
            linear(writer, prefix, name, TINY_HIDDEN, TINY_HIDDEN);
        }
        snprintf(name, sizeof name, "encoder.layer.%u.attention.output", i);
        norm(writer, name);
        snprintf(name, sizeof name, "encoder.layer.%u.intermediate.dense", i);
        linear(writer, prefix, name, TINY_INTERMEDIATE, TINY_HIDDEN);
        snprintf(name, sizeof name, "encoder.layer.%u.output.dense", i);
        linear(writer, prefix, name, TINY_HIDDEN, TINY_INTERMEDIATE);
        snprintf(name, sizeof name, "encoder.layer.%u.output", i);
        norm(writer, name);
    }
    linear(writer, prefix, "pooler.dense", TINY_HIDDEN, TINY_HIDDEN);
    if (writer->model->kind == MODEL_CROSS_ENCODER)
        linear(writer, "", "classifier", 1, TINY_HIDDEN);
}

void tiny_model_weights(const struct tiny_model *model, struct buffer *file) {
    struct writer writer = {.model = model, .random = 2024};
    write_tensors(&writer);
    append(&writer.header, "}", 1);
    unsigned char size[8];
    store_u64le(size, writer.header.size);
    append(file, size, sizeof size);
    append(file, writer.header.data, writer.header.size);
    append(file, writer.data.data, writer.data.size);
    buffer_free(&writer.header);
    buffer_free(&writer.data);
}

static void write_config(const struct test_directory *directory, const struct tiny_model *model) {
    char config[1024];
    snprintf(config, sizeof config,
             "{\"architectures\": [\"%s\"], \"model_type\": \"bert\", \"hidden_act\": \"gelu\", "
             "\"hidden_size\": %d, "
             "\"num_hidden_layers\": %u, \"num_attention_heads\": %d, \"intermediate_size\": %d, "
             "\"vocab_size\": %u, "
             "\"max_position_embeddings\": %d, \"type_vocab_size\": 2, \"layer_norm_eps\": 1e-12, "
             "\"id2label\": {\"0\": \"LABEL_0\"}}",
             model->kind == MODEL_CROSS_ENCODER ? "BertForSequenceClassification" : "BertModel", TINY_HIDDEN,
             layers_of(model), TINY_HEADS, TINY_INTERMEDIATE, vocabulary_size(), TINY_POSITIONS);
    test_write_text(directory, "config.json", config);
}

static void write_modules(const struct test_directory *directory, const struct tiny_model *model) {
    static const char modules[] = "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
                                  "\"sentence_transformers.models.Transformer\"},"
                                  " {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": "
                                  "\"sentence_transformers.models.Pooling\"}%s]";
    static const char normalize[] = ", {\"idx\": 2, \"name\": \"2\", \"path\": \"2_Normalize\", \"type\": "
                                    "\"sentence_transformers.models.Normalize\"}";
    char text[1024];
    snprintf(text, sizeof text, modules, model->pooling_cls ? "" : normalize);
    test_write_text(directory, "modules.json", text);
    assert_int_equal(mkdir(test_path(directory, "1_Pooling"), 0777), 0);
    snprintf(text, sizeof text,
             "{\"word_embedding_dimension\": %d, \"pooling_mode_cls_token\": %s, "
             "\"pooling_mode_mean_tokens\": %s, "
             "\"pooling_mode_max_tokens\": false}",
             TINY_HIDDEN, model->pooling_cls ? "true" : "false", model->pooling_cls ? "false" : "true");
    test_write_text(directory, "1_Pooling/config.json", text);
}

void tiny_model_write(const struct test_directory *directory, const struct tiny_model *model) {
    struct buffer weights = {0};
    tiny_model_weights(model, &weights);
    test_write(directory, "model.safetensors", buffer_bytes(&weights));
    buffer_free(&weights);
    write_config(directory, model);
    test_write_text(directory, "vocab.txt", vocabulary);
    test_write_text(directory, "tokenizer_config.json",
                    "{\"do_lower_case\": true, \"tokenizer_class\": \"BertTokenizer\", \"model_max_length\": "
                    "1000000000000000019884624838656}");
    if (model->kind == MODEL_EMBEDDER && !model->without_modules)
        write_modules(directory, model);
}
