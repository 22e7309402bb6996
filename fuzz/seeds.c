/* seeds DIRECTORY: a few good inputs for every fuzzer, in DIRECTORY/NAME of fuzz_NAME. */
#include "../tests/unit/onnx_text.h"
#include "../tests/unit/tiny_model.h"
#include "../tests/unit/unit_test.h"
#include "../tests/unit/zip_writer.h"
#include "bake/bake.h"
#include "base/file.h"
#include "formats/ember.h"
#include "formats/packed_program.h"
#include "server/router.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE 512

static const char *root;

static void write_seed(const char *fuzzer, const char *name, struct bytes content) {
    char path[PATH_SIZE];
    struct file_writer file;
    snprintf(path, sizeof path, "%s/%s", root, fuzzer);
    (void)mkdir(path, 0777); /* there already, or the next step says what is wrong */
    snprintf(path, sizeof path, "%s/%s/%s", root, fuzzer, name);
    assert_int_equal(file_writer_open(&file, path, NULL), STATUS_OK);
    assert_int_equal(file_writer_write(&file, content.data, content.size, NULL), STATUS_OK);
    assert_int_equal(file_writer_commit(&file, NULL), STATUS_OK);
}

static void write_text(const char *fuzzer, const char *name, const char *text) {
    write_seed(fuzzer, name, bytes_of_string(text));
}

/* ---- models ---- */

static void write_onnx(void) {
    static const char *const embedder = "vector = ReduceMean{axes=1:, keepdims=0}(state2)\noutput vector\n";
    static const char *const fused =
        "weight packed 64x192\nvector packed_b 192\n"
        "context_r = microsoft.Attention{num_heads=2}(state0, packed, packed_b, mask)\n";
    const char *const replaced[][2] = {{onnx_text_head, onnx_text_head},
                                       {onnx_text_head, embedder},
                                       {"context_r = Reshape(context_t, joined)\n", fused}};
    for (int i = 0; i < 3; i++) {
        char name[16];
        struct buffer file = {0};
        char *text = onnx_text_replace(onnx_text_bert, replaced[i][0], replaced[i][1]);
        onnx_text_write(text, 17, &file);
        snprintf(name, sizeof name, "%d", i);
        write_seed("onnx", name, buffer_bytes(&file));
        buffer_free(&file);
        free(text);
    }
}

static void write_zip(void) {
    const struct bytes text = bytes_of_string("{\"hidden_size\": 64, \"hidden_act\": \"gelu\"}");
    for (int deflated = 0; deflated < 2; deflated++) {
        const struct zip_member members[] = {
            {.name = "m/config.json", .content = text, .deflated = deflated == 1},
            {.name = "m/vocab.txt", .content = text},
            {.name = "m/"}};
        struct buffer file = {0};
        zip_write(members, 3, &file);
        write_seed("zip", deflated == 1 ? "deflated" : "stored", buffer_bytes(&file));
        buffer_free(&file);
    }
}

/* A program of one page of zeros behind its header, with the ember. */
static void write_packed(struct bytes ember) {
    static unsigned char program[EMBER_PAGE_SIZE];
    Elf64_Ehdr header = {.e_shoff = sizeof program};
    struct file_writer file;
    struct file_mapping mapping;
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    memcpy(program, &header, sizeof header);
    assert_int_equal(file_writer_open_memory(&file, "packed", NULL), STATUS_OK);
    assert_int_equal(packed_program_write(bytes_of(program, sizeof program), ember, &file, NULL), STATUS_OK);
    assert_int_equal(file_writer_map(&file, &mapping, NULL), STATUS_OK);
    write_seed("packed_program", "packed", mapping.bytes);
    file_unmap(&mapping);
    file_writer_abort(&file);
}

static void write_models(void) {
    for (int kind = 0; kind < 2; kind++) {
        const struct tiny_model tiny = {.kind = (enum model_kind)kind, .prefix = "", .layers = 1};
        const char *name = model_kind_name(tiny.kind);
        struct test_directory directory = test_directory_create();
        struct buffer content = {0};
        struct bake_report report;
        struct ember ember;
        struct bytes metadata;
        tiny_model_write(&directory, &tiny);
        test_read(test_path(&directory, "config.json"), &content);
        write_seed("config", name, buffer_bytes(&content));
        content.size = 0;
        test_read(test_path(&directory, "model.safetensors"), &content);
        write_seed("safetensors", name, buffer_bytes(&content));
        const struct bake_options options = {.models = {{.path = directory.path}},
                                             .output = test_path(&directory, "x.ember")};
        assert_int_equal(bake_run(&options, &report, NULL), STATUS_OK);
        bake_report_free(&report);
        content.size = 0;
        test_read(test_path(&directory, "x.ember"), &content);
        write_seed("ember", name, buffer_bytes(&content));
        assert_int_equal(ember_open(&ember, buffer_bytes(&content), NULL), STATUS_OK);
        assert_int_equal(ember_find(&ember, "metadata", &metadata, NULL), STATUS_OK);
        write_seed("metadata", name, metadata);
        write_packed(buffer_bytes(&content));
        buffer_free(&content);
        test_directory_remove(&directory);
    }
}

/* ---- requests ---- */

static void write_requests(void) {
    static const char *const bodies[] = {
        "{\"query\": \"a b\", \"documents\": [\"c\", \"d e\"], \"top_n\": 1, \"return_documents\": true}",
        "{\"query\": \"a\", \"texts\": [\"c\", \"d\"], \"raw_scores\": true, \"truncate\": true}",
        "{\"input\": [\"a\", \"b\"], \"model\": \"fuzz\", \"encoding_format\": \"base64\", \"dimensions\": "
        "384}",
        "{\"inputs\": [[\"a\", \"b\"], [\"c\", \"d\"]], \"truncation_direction\": \"left\"}",
        "{\"query\": {\"text\": \"a\"}, \"documents\": [{\"text\": \"\\u00e9\", \"id\": 1}], "
        "\"prompt_name\": \"query\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        for (size_t route = 0; route < route_count; route++) {
            char seed[256], name[48];
            if (routes[route].dialects == NULL || route % 5 != i)
                continue;
            int length = snprintf(seed, sizeof seed, "  %s", bodies[i]);
            seed[0] = (char)route;
            seed[1] = (char)(route % 2);
            snprintf(name, sizeof name, "%zu-%zu", i, route);
            write_seed("request_body", name, bytes_of(seed, (size_t)length));
        }
    }
    write_text(
        "http_request", "post",
        "\x20\1POST /v1/rerank HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n{}"
        "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    write_text(
        "http_request", "chunked",
        "\x30\1POST /rerank HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        "2\r\n{}\r\n0\r\n\r\n");
}

/* ---- tokenizers ---- */

static void write_tokenizers(void) {
    write_text("tokenizer", "text", "\1\2\3\377a ABc abcabc [SEP] \u00e9\u0301 \u4e2d\uac00 c. ab b");
    write_text("tokenizer_section", "places", "\1\4\1aaaa\2\2bbbb");
    write_text("tokenizer_files", "vocabulary",
               "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##c\n\377{\"do_lower_case\": true, "
               "\"added_tokens_decoder\": "
               "{\"5\": {\"content\": \"a\", \"special\": false}}}\377{\"unk_token\": \"[UNK]\"}");
    write_text(
        "tokenizer_files", "json",
        "{\"added_tokens\": [{\"id\": 1, \"content\": \"[CLS]\", \"single_word\": false, \"lstrip\": false, "
        "\"rstrip\": false, \"normalized\": false, \"special\": true}], \"normalizer\": {\"type\": "
        "\"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, \"strip_accents\": null, "
        "\"lowercase\": true}, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"post_processor\": "
        "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 2], \"cls\": [\"[CLS]\", 1]}, \"model\": "
        "{\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", "
        "\"max_input_chars_per_word\": 100, \"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": "
        "3}}}");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    root = argv[1];
    write_onnx();
    write_zip();
    write_models();
    write_requests();
    write_tokenizers();
    return 0;
}
