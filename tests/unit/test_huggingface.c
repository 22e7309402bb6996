#include "formats/huggingface.h"
#include "tiny_model.h"
#include "unit_test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BERT                                                                                                 \
    "\"hidden_size\": 384, \"num_hidden_layers\": 6, \"num_attention_heads\": 12, \"intermediate_size\": "   \
    "1536, "                                                                                                 \
    "\"vocab_size\": 30522, \"max_position_embeddings\": 512, \"type_vocab_size\": 2"
#define EMBEDDER      "{\"architectures\": [\"BertModel\"], " BERT "}"
#define CROSS_ENCODER "\"architectures\": [\"BertForSequenceClassification\"], " BERT

static enum status read_config(const char *text, struct model_description *description, struct error *error) {
    return huggingface_read_config(bytes_of_string(text), "config.json", description, error);
}

static void assert_config_refused(const char *text, enum status expected, const char *part_of_message) {
    struct model_description description;
    struct error error = {0};
    assert_int_equal(read_config(text, &description, &error), expected);
    if (strstr(error.message, part_of_message) == NULL || strncmp(error.message, "config.json", 11) != 0)
        fail_msg("message \"%s\" does not begin with the file or lacks \"%s\"", error.message,
                 part_of_message);
}

static void a_config_is_read(void **state) {
    (void)state;
    struct model_description description;
    assert_int_equal(
        read_config("{" CROSS_ENCODER ", \"layer_norm_eps\": 1e-6, \"id2label\": {\"0\": \"relevance\"}, "
                    "\"sbert_ce_default_activation_function\": \"torch.nn.modules.linear.Identity\"}",
                    &description, NULL),
        STATUS_OK);
    assert_string_equal(description.architecture, "BertForSequenceClassification");
    assert_int_equal(description.kind, MODEL_CROSS_ENCODER);
    assert_int_equal(description.shape.hidden_size, 384);
    assert_int_equal(description.shape.layers, 6);
    assert_int_equal(description.shape.head_size, 32);
    assert_int_equal(description.shape.intermediate_size, 1536);
    assert_int_equal(description.shape.vocabulary_size, 30522);
    assert_true(description.shape.layer_norm_epsilon == 1e-6f);
    assert_string_equal(description.label, "relevance");
    assert_string_equal(description.published_activation, "torch.nn.modules.linear.Identity");
    assert_int_equal(read_config(EMBEDDER, &description, NULL), STATUS_OK);
    assert_int_equal(description.kind, MODEL_EMBEDDER);
    assert_true(description.shape.layer_norm_epsilon == 1e-12f);
}

static void what_is_not_supported_is_refused_by_name(void **state) {
    (void)state;
    assert_config_refused("{\"architectures\": [\"XLMRobertaModel\"], " BERT "}", STATUS_UNSUPPORTED,
                          "architecture XLMRobertaModel is not supported; supported: BertModel");
    assert_config_refused("{" CROSS_ENCODER ", \"id2label\": {\"0\": \"a\", \"1\": \"b\"}}",
                          STATUS_UNSUPPORTED, "2 labels");
    assert_config_refused("{" CROSS_ENCODER ", \"num_labels\": 3}", STATUS_UNSUPPORTED, "3 labels");
    assert_config_refused("{" CROSS_ENCODER ", \"position_embedding_type\": \"relative_key\"}",
                          STATUS_UNSUPPORTED, "position_embedding_type \"relative_key\"");
    assert_config_refused("{" CROSS_ENCODER ", \"hidden_act\": \"gelu_new\"}", STATUS_UNSUPPORTED,
                          "hidden_act \"gelu_new\"");
    assert_config_refused("{" CROSS_ENCODER ", \"model_type\": \"electra\"}", STATUS_UNSUPPORTED,
                          "model_type");
    assert_config_refused("{" CROSS_ENCODER ", \"is_decoder\": true}", STATUS_UNSUPPORTED, "is_decoder");
    assert_config_refused("{" CROSS_ENCODER ", \"pruned_heads\": {\"1\": [0]}}", STATUS_UNSUPPORTED,
                          "pruned_heads");
    assert_config_refused("{" CROSS_ENCODER ", \"quantization_config\": {\"bits\": 4}}", STATUS_UNSUPPORTED,
                          "quantization_config");
    assert_config_refused("{" CROSS_ENCODER ", \"auto_map\": {\"AutoModel\": \"modeling.JinaModel\"}}",
                          STATUS_UNSUPPORTED, "auto_map");
}

/* EMBEDDER with `from` replaced by `to`. */
static void assert_changed_config_refused(const char *from, const char *to, enum status expected,
                                          const char *part_of_message) {
    char text[1024];
    const char *found = strstr(EMBEDDER, from);
    assert_non_null(found);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(found - EMBEDDER), EMBEDDER, to, found + strlen(from));
    assert_config_refused(text, expected, part_of_message);
}

static void shapes_that_the_kernels_cannot_run_are_refused(void **state) {
    (void)state;
    assert_changed_config_refused("384", "400", STATUS_UNSUPPORTED, "hidden size 400");
    assert_changed_config_refused("1536", "1500", STATUS_UNSUPPORTED, "intermediate size 1500");
    assert_changed_config_refused("12,", "5,", STATUS_INVALID_DATA, "5 attention heads");
    assert_changed_config_refused("12,", "24,", STATUS_UNSUPPORTED, "head size 16");
    assert_changed_config_refused("12,", "1,", STATUS_UNSUPPORTED, "head size 384");
    assert_changed_config_refused("384", "-384", STATUS_INVALID_DATA, "hidden_size");
    assert_changed_config_refused("384", "1e300", STATUS_INVALID_DATA, "hidden_size");
    assert_changed_config_refused("384", "384.5", STATUS_INVALID_DATA, "hidden_size");
    assert_changed_config_refused("384", "\"384\"", STATUS_INVALID_DATA, "\"hidden_size\" is a string");
    assert_changed_config_refused("\"vocab_size\": 30522, ", "", STATUS_INVALID_DATA, "no \"vocab_size\"");
    assert_changed_config_refused("[\"BertModel\"]", "[]", STATUS_INVALID_DATA, "architectures");
    assert_changed_config_refused("[\"BertModel\"]", "\"BertModel\"", STATUS_INVALID_DATA, "architectures");
    assert_changed_config_refused("{", "[{", STATUS_INVALID_DATA, "not valid JSON");
}

static void assert_directory(const struct test_directory *directory, enum pooling pooling, bool normalize,
                             uint32_t max_length) {
    struct huggingface_model model;
    struct error error = {0};
    if (huggingface_read(directory->path, &model, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    assert_int_equal(model.description.pooling, pooling);
    assert_int_equal(model.description.normalize, normalize);
    assert_int_equal(model.description.max_length, max_length);
}

static void assert_directory_refused(const struct test_directory *directory, enum status expected,
                                     const char *part_of_message) {
    struct huggingface_model model;
    struct error error = {0};
    assert_int_equal(huggingface_read(directory->path, &model, &error), expected);
    if (strstr(error.message, part_of_message) == NULL)
        fail_msg("message \"%s\" lacks \"%s\"", error.message, part_of_message);
}

static void modules_and_lengths_are_read(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    struct tiny_model tiny = {.kind = MODEL_EMBEDDER, .prefix = ""};
    tiny_model_write(&directory, &tiny);
    assert_directory(&directory, POOLING_MEAN, true, TINY_POSITIONS);
    test_write_text(&directory, "sentence_bert_config.json",
                    "{\"max_seq_length\": 40, \"do_lower_case\": false}");
    assert_directory(&directory, POOLING_MEAN, true, 40);
    test_write_text(&directory, "sentence_bert_config.json", "{\"max_seq_length\": null}");
    test_write_text(&directory, "tokenizer_config.json", "{\"model_max_length\": 50}");
    assert_directory(&directory, POOLING_MEAN, true, 50);
    test_write_text(&directory, "1_Pooling/config.json", "{\"pooling_mode_cls_token\": true}");
    assert_directory(&directory, POOLING_CLS, true, 50);
    test_write_text(&directory, "1_Pooling/config.json", "{\"pooling_mode\": \"mean\"}");
    assert_directory(&directory, POOLING_MEAN, true, 50);
    test_write_text(&directory, "sentence_bert_config.json", "{\"max_seq_length\": 8192}");
    struct huggingface_model model;
    assert_int_equal(huggingface_read(directory.path, &model, NULL), STATUS_OK);
    assert_int_equal(model.description.max_length, TINY_POSITIONS);
    assert_int_equal(model.note_count, 1);
    assert_non_null(strstr(model.notes[0], "lowered from 8192"));
    test_directory_remove(&directory);
}

static void without_modules_mean_pooling_is_assumed_and_said(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    struct tiny_model tiny = {.kind = MODEL_EMBEDDER, .prefix = "", .without_modules = true};
    tiny_model_write(&directory, &tiny);
    assert_directory(&directory, POOLING_MEAN, false, TINY_POSITIONS);
    struct huggingface_model model;
    assert_int_equal(huggingface_read(directory.path, &model, NULL), STATUS_OK);
    assert_int_equal(model.note_count, 1);
    test_directory_remove(&directory);
}

static void a_prompt_that_is_read_by_default_is_noted(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    struct tiny_model tiny = {.kind = MODEL_EMBEDDER, .prefix = ""};
    struct huggingface_model model;
    tiny_model_write(&directory, &tiny);
    test_write_text(&directory, "config_sentence_transformers.json",
                    "{\"prompts\": {\"query\": \"query: \"}, \"default_prompt_name\": \"query\"}");
    assert_int_equal(huggingface_read(directory.path, &model, NULL), STATUS_OK);
    assert_string_equal(model.description.prompts.query, "query: ");
    assert_int_equal(model.note_count, 1);
    assert_non_null(strstr(model.notes[0], "default_prompt_name \"query\": no prompt is read unless"));
    test_directory_remove(&directory);
}

static void modules_that_are_not_supported_are_refused(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    struct tiny_model tiny = {.kind = MODEL_EMBEDDER, .prefix = ""};
    tiny_model_write(&directory, &tiny);
    test_write_text(&directory, "1_Pooling/config.json", "{\"pooling_mode_max_tokens\": true}");
    assert_directory_refused(&directory, STATUS_UNSUPPORTED,
                             "pooling \"max\" is not supported; supported: mean, cls");
    test_write_text(&directory, "1_Pooling/config.json",
                    "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}");
    assert_directory_refused(&directory, STATUS_UNSUPPORTED, "mean and cls at once");
    test_write_text(&directory, "1_Pooling/config.json",
                    "{\"pooling_mode_mean_tokens\": true, \"include_prompt\": false}");
    assert_directory_refused(&directory, STATUS_UNSUPPORTED, "leaves out the prompt (include_prompt false)");
    test_write_text(&directory, "1_Pooling/config.json", "{}");
    assert_directory_refused(&directory, STATUS_INVALID_DATA, "no pooling mode");
    test_write_text(&directory, "1_Pooling/config.json",
                    "{\"word_embedding_dimension\": 768, \"pooling_mode_mean_tokens\": true}");
    assert_directory_refused(&directory, STATUS_INVALID_DATA, "word_embedding_dimension");
    test_write_text(&directory, "modules.json",
                    "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"},"
                    "{\"path\": \"2_Dense\", \"type\": \"sentence_transformers.models.Dense\"}]");
    assert_directory_refused(&directory, STATUS_UNSUPPORTED, "module sentence_transformers.models.Dense");
    test_write_text(&directory, "modules.json",
                    "[{\"path\": \"../..\", \"type\": \"sentence_transformers.models.Transformer\"}]");
    assert_directory_refused(&directory, STATUS_INVALID_DATA, "not a plain folder name");
    test_write_text(&directory, "modules.json", "{}");
    assert_directory_refused(&directory, STATUS_INVALID_DATA, "not a list of modules");
    test_directory_remove(&directory);
}

static void the_transformer_may_lie_in_a_folder(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    test_write_text(
        &directory, "modules.json",
        "[{\"path\": \"0_Transformer\", \"type\": \"sentence_transformers.models.Transformer\"}]");
    assert_int_equal(mkdir(test_path(&directory, "0_Transformer"), 0777), 0);
    test_write_text(&directory, "0_Transformer/config.json", EMBEDDER);
    struct huggingface_model model;
    assert_int_equal(huggingface_read(directory.path, &model, NULL), STATUS_OK);
    assert_string_equal(model.transformer_folder, "0_Transformer/");
    assert_string_equal(model.files[1], "0_Transformer/config.json");
    test_directory_remove(&directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_is_read),
        cmocka_unit_test(what_is_not_supported_is_refused_by_name),
        cmocka_unit_test(shapes_that_the_kernels_cannot_run_are_refused),
        cmocka_unit_test(modules_and_lengths_are_read),
        cmocka_unit_test(without_modules_mean_pooling_is_assumed_and_said),
        cmocka_unit_test(a_prompt_that_is_read_by_default_is_noted),
        cmocka_unit_test(modules_that_are_not_supported_are_refused),
        cmocka_unit_test(the_transformer_may_lie_in_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
