#include "bake/bake.h"
#include "engine/model.h"
#include "formats/ember_writer.h"
#include "tiny_model.h"
#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A baked tiny cross-encoder, kept for all tests. */
struct fixture {
    struct test_directory directory;
    struct file_mapping file;
    json_t *metadata;
};

static struct bytes section_of(struct bytes file, const char *name) {
    struct ember ember;
    struct bytes section;
    assert_int_equal(ember_open(&ember, file, NULL), STATUS_OK);
    assert_int_equal(ember_find(&ember, name, &section, NULL), STATUS_OK);
    return section;
}

static int bake_fixture(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->directory = test_directory_create();
    const struct tiny_model tiny = {.kind = MODEL_CROSS_ENCODER, .prefix = "bert."};
    tiny_model_write(&fixture->directory, &tiny);
    struct bake_options options = {.models = {{.path = fixture->directory.path}},
                                   .output = test_path(&fixture->directory, "tiny.ember")};
    struct bake_report report;
    assert_int_equal(bake_run(&options, &report, NULL), STATUS_OK);
    bake_report_free(&report);
    assert_int_equal(file_map(test_path(&fixture->directory, "tiny.ember"), &fixture->file, NULL), STATUS_OK);
    struct bytes text = section_of(fixture->file.bytes, "metadata");
    fixture->metadata = json_loadb((const char *)text.data, text.size, 0, NULL);
    assert_non_null(fixture->metadata);
    *state = fixture;
    return 0;
}

static int remove_fixture(void **state) {
    struct fixture *fixture = *state;
    json_decref(fixture->metadata);
    file_unmap(&fixture->file);
    test_directory_remove(&fixture->directory);
    free(fixture);
    return 0;
}

static void write_section(struct ember_writer *writer, const char *name, struct bytes bytes) {
    assert_int_equal(ember_writer_begin_section(writer, name, NULL), STATUS_OK);
    assert_int_equal(ember_writer_write(writer, bytes.data, bytes.size, NULL), STATUS_OK);
    ember_writer_end_section(writer);
}

/* The fixture's ember with other metadata and another tokenizer section, checksums right. */
static struct file_mapping rebuild(const struct fixture *fixture, struct bytes metadata,
                                   struct bytes tokenizer) {
    struct file_writer file;
    struct ember_writer writer;
    struct file_mapping mapping;
    assert_int_equal(file_writer_open_memory(&file, "test", NULL), STATUS_OK);
    assert_int_equal(ember_writer_begin(&writer, &file, 3, NULL), STATUS_OK);
    write_section(&writer, "metadata", metadata);
    write_section(&writer, "tokenizer", tokenizer);
    write_section(&writer, "weights", section_of(fixture->file.bytes, "weights"));
    assert_int_equal(ember_writer_finish(&writer, NULL), STATUS_OK);
    ember_writer_free(&writer);
    assert_int_equal(file_writer_map(&file, &mapping, NULL), STATUS_OK);
    file_writer_abort(&file);
    return mapping;
}

static enum status open_with(const struct fixture *fixture, struct bytes metadata, struct bytes tokenizer,
                             struct error *error) {
    struct file_mapping mapping = rebuild(fixture, metadata, tokenizer);
    struct model *model;
    enum status status = model_open_bytes(mapping.bytes, "test.ember", NULL, &model, error);
    model_close(model);
    file_unmap(&mapping);
    return status;
}

/* The tensor's entry in the first model, or the model itself when name is NULL. */
static json_t *find_target(json_t *metadata, const char *name) {
    json_t *model = json_array_get(json_object_get(metadata, "models"), 0);
    if (name == NULL)
        return model;
    if (strcmp(name, "shape") == 0)
        return json_object_get(model, "shape");
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(model, "tensors"), i, entry) {
        if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0)
            return entry;
    }
    fail_msg("the fixture has no tensor %s", name);
    return NULL;
}

/* Opens the fixture with one member set to a JSON value (NULL: removed) and expects to be told. */
static void assert_edit_refused(const struct fixture *fixture, const char *target, const char *key,
                                const char *value, enum status expected, const char *part_of_message) {
    json_t *metadata = json_deep_copy(fixture->metadata);
    json_t *object = target != NULL && strcmp(target, "") == 0 ? metadata : find_target(metadata, target);
    if (value == NULL)
        assert_int_equal(json_object_del(object, key), 0);
    else
        assert_int_equal(json_object_set_new(object, key, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
    char *text = json_dumps(metadata, JSON_COMPACT);
    assert_non_null(text);
    struct error error = {0};
    enum status status =
        open_with(fixture, bytes_of_string(text), section_of(fixture->file.bytes, "tokenizer"), &error);
    if (status != expected || strstr(error.message, part_of_message) == NULL ||
        strncmp(error.message, "test.ember: ", 12) != 0)
        fail_msg("%s.%s = %s: status %s, message \"%s\", expected %s and \"%s\"",
                 target == NULL ? "model" : target, key, value == NULL ? "nothing" : value,
                 status_name(status), error.message, status_name(expected), part_of_message);
    free(text);
    json_decref(metadata);
}

static void the_fixture_opens_rebuilt(void **state) {
    const struct fixture *fixture = *state;
    char *text = json_dumps(fixture->metadata, 0);
    struct error error = {0};
    if (open_with(fixture, bytes_of_string(text), section_of(fixture->file.bytes, "tokenizer"), &error) !=
        STATUS_OK)
        fail_msg("%s", error.message);
    free(text);
}

/* Opens the fixture with its model listed several times under names made from the number, and one member of
 * the last set; all of its models, or the named one. */
static enum status open_several(const struct fixture *fixture, size_t count, const char *names,
                                const char *wanted, struct error *error) {
    json_t *metadata = json_deep_copy(fixture->metadata);
    json_t *models = json_object_get(metadata, "models");
    for (size_t i = 1; i < count; i++)
        assert_int_equal(json_array_append_new(models, json_deep_copy(json_array_get(models, 0))), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(json_object_set_new(json_array_get(models, i), "name", json_stringn(names + i, 1)),
                         0);
    if (wanted != NULL && *wanted == '!')
        assert_int_equal(json_object_set_new(json_object_get(json_array_get(models, count - 1), "shape"),
                                             "layers", json_integer(3)),
                         0);
    char *text = json_dumps(metadata, JSON_COMPACT);
    assert_non_null(text);
    struct file_mapping mapping =
        rebuild(fixture, bytes_of_string(text), section_of(fixture->file.bytes, "tokenizer"));
    enum status status;
    if (wanted != NULL && *wanted != '!') {
        struct model *model;
        const struct model_options options = {.name = wanted};
        status = model_open_bytes(mapping.bytes, "test.ember", &options, &model, error);
        if (status == STATUS_OK)
            assert_string_equal(model->name, wanted);
        model_close(model);
    } else {
        struct model_list list;
        status = model_list_open_bytes(mapping.bytes, "test.ember", NULL, &list, error);
        assert_int_equal(list.count, status == STATUS_OK ? count : 0);
        model_list_close(&list);
    }
    file_unmap(&mapping);
    free(text);
    json_decref(metadata);
    return status;
}

static void several_models_open_by_name_and_together(void **state) {
    const struct fixture *f = *state;
    struct error error = {0};
    assert_int_equal(open_several(f, 3, "abc", NULL, &error), STATUS_OK);
    assert_int_equal(open_several(f, 3, "abc", "c", &error), STATUS_OK);
    assert_int_equal(open_several(f, MODEL_MAX_PER_EMBER, "abcdefgh", "h", &error), STATUS_OK);
    assert_int_equal(open_several(f, 3, "abc", "d", &error), STATUS_NOT_FOUND);
    assert_string_equal(error.message, "test.ember: the ember has no model \"d\"; there is a, b, c");
    assert_int_equal(open_several(f, 3, "aba", "b", &error), STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, "two models are named \"a\""));
    assert_int_equal(open_several(f, MODEL_MAX_PER_EMBER + 1, "abcdefghi", "a", &error), STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, "9 models, expected at most 8"));
    /* The last one's tensors are not those of three layers. */
    assert_int_equal(open_several(f, 2, "ab", "!", &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "layers.2.query_key_value.weight"));
}

static void hostile_descriptions_are_refused(void **state) {
    const struct fixture *f = *state;
    assert_edit_refused(f, "", "format", "2", STATUS_UNSUPPORTED, "metadata format 2");
    assert_edit_refused(f, "", "format", "\"1\"", STATUS_INVALID_DATA, "\"format\"");
    assert_edit_refused(f, "", "models", "[]", STATUS_INVALID_DATA, "no models");
    assert_edit_refused(f, "", "models", "[3]", STATUS_INVALID_DATA, "expected an object");
    assert_edit_refused(f, "", "models", NULL, STATUS_INVALID_DATA, "no \"models\"");
    assert_edit_refused(f, NULL, "kind", "\"generator\"", STATUS_UNSUPPORTED, "kind \"generator\"");
    assert_edit_refused(f, NULL, "kind", "\"embedder\"", STATUS_INVALID_DATA, "pooling");
    assert_edit_refused(f, NULL, "precision", "\"int4\"", STATUS_UNSUPPORTED, "precision \"int4\"");
    assert_edit_refused(f, NULL, "precision", "\"f32\"", STATUS_INVALID_DATA, "expected \"f32\"");
    assert_edit_refused(f, NULL, "name", "\"\"", STATUS_INVALID_DATA, "name has 0 bytes");
    assert_edit_refused(f, NULL, "max_length", "0", STATUS_INVALID_DATA, "max_length");
    assert_edit_refused(f, NULL, "max_length", "129", STATUS_INVALID_DATA, "max_length");
    assert_edit_refused(f, NULL, "weights_section", "\"wights\"", STATUS_NOT_FOUND, "wights");
    assert_edit_refused(f, NULL, "tokenizer_section", "\"metadata\"", STATUS_INVALID_DATA, "");
    assert_edit_refused(f, NULL, "tensors", "{}", STATUS_INVALID_DATA, "tensors");
    assert_edit_refused(f, NULL, "tensors", "[1, null]", STATUS_NOT_FOUND, "embeddings.word");
}

static void hostile_shapes_are_refused(void **state) {
    const struct fixture *f = *state;
    assert_edit_refused(f, "shape", "hidden_size", "128", STATUS_INVALID_DATA, "tensor \"embeddings.word\"");
    assert_edit_refused(f, "shape", "hidden_size", "65", STATUS_UNSUPPORTED, "hidden size 65");
    assert_edit_refused(f, "shape", "hidden_size", "0", STATUS_INVALID_DATA, "hidden_size");
    assert_edit_refused(f, "shape", "layers", "3", STATUS_NOT_FOUND, "layers.2.query_key_value.weight");
    assert_edit_refused(f, "shape", "layers", "4000000000", STATUS_INVALID_DATA, "layers");
    assert_edit_refused(f, "shape", "attention_heads", "0", STATUS_INVALID_DATA, "attention_heads");
    assert_edit_refused(f, "shape", "vocabulary_size", "10", STATUS_INVALID_DATA,
                        "the tokenizer has ids up to");
    assert_edit_refused(f, "shape", "vocabulary_size", "60", STATUS_INVALID_DATA,
                        "tensor \"embeddings.word\"");
    assert_edit_refused(f, "shape", "max_positions", "256", STATUS_INVALID_DATA, "embeddings.position");
    assert_edit_refused(f, "shape", "segment_types", "1", STATUS_UNSUPPORTED, "segment type");
    assert_edit_refused(f, "shape", "layer_norm_epsilon", "-1", STATUS_INVALID_DATA, "epsilon");
}

static void hostile_tensors_are_refused(void **state) {
    const struct fixture *f = *state;
    const char *weight = "layers.1.output.weight";
    assert_edit_refused(f, weight, "name", "\"other\"", STATUS_NOT_FOUND, "layers.1.output.weight");
    assert_edit_refused(f, weight, "type", "\"f32\"", STATUS_INVALID_DATA,
                        "type is \"f32\", expected \"i8\"");
    assert_edit_refused(f, weight, "layout", "\"rows\"", STATUS_INVALID_DATA, "layout is \"rows\"");
    assert_edit_refused(f, weight, "offset", "1", STATUS_INVALID_DATA, "not aligned");
    assert_edit_refused(f, weight, "offset", "-64", STATUS_INVALID_DATA, "offset");
    assert_edit_refused(f, weight, "offset", "9223372036854775744", STATUS_INVALID_DATA, "offset");
    assert_edit_refused(f, weight, "size", "8191", STATUS_INVALID_DATA, "its shape needs 8192");
    assert_edit_refused(f, weight, "shape", "[64]", STATUS_INVALID_DATA, "its shape is not [64, 128]");
    assert_edit_refused(f, weight, "shape", "[128, 64]", STATUS_INVALID_DATA, "its shape is not [64, 128]");
    assert_edit_refused(f, weight, "shape", NULL, STATUS_INVALID_DATA, "no \"shape\"");
    assert_edit_refused(f, "layers.0.output.compensation", "type", "\"f32\"", STATUS_INVALID_DATA,
                        "expected \"i32\"");
    assert_edit_refused(f, "classifier.bias", "shape", "[2]", STATUS_INVALID_DATA, "classifier.bias");
    assert_edit_refused(f, "pooler.weight", "type", "\"i8\"", STATUS_INVALID_DATA, "pooler.weight");
    /* The last tensor that fits: one step further it does not. */
    char offset[32];
    snprintf(offset, sizeof offset, "%zu", section_of(f->file.bytes, "weights").size / 64 * 64);
    assert_edit_refused(f, weight, "offset", offset, STATUS_INVALID_DATA, "does not fit");
}

static void broken_sections_are_refused(void **state) {
    const struct fixture *fixture = *state;
    struct bytes metadata = section_of(fixture->file.bytes, "metadata");
    struct bytes tokenizer = section_of(fixture->file.bytes, "tokenizer");
    struct error error;
    assert_int_equal(open_with(fixture, bytes_of_string("{\"format\":1"), tokenizer, &error),
                     STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, "metadata is not valid JSON"));
    assert_int_equal(open_with(fixture, bytes_of_string(""), tokenizer, &error), STATUS_INVALID_DATA);
    for (size_t size = 0; size < tokenizer.size; size += tokenizer.size / 23)
        assert_int_equal(open_with(fixture, metadata, bytes_of(tokenizer.data, size), &error),
                         STATUS_INVALID_DATA);
}

static void every_truncated_file_is_refused(void **state) {
    const struct fixture *fixture = *state;
    struct bytes file = fixture->file.bytes;
    struct model *model;
    struct error error;
    for (size_t size = 1; size < file.size; size += 4093) {
        test_write(&fixture->directory, "cut.ember", bytes_of(file.data, size));
        assert_int_equal(model_open(test_path(&fixture->directory, "cut.ember"), NULL, &model, &error),
                         STATUS_INVALID_DATA);
        assert_non_null(strstr(error.message, "cut.ember"));
        assert_null(model);
    }
    test_write(&fixture->directory, "cut.ember", bytes_of("", 0));
    assert_int_equal(model_open(test_path(&fixture->directory, "cut.ember"), NULL, &model, &error),
                     STATUS_INVALID_DATA);
    assert_int_equal(model_open(fixture->directory.path, NULL, &model, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(model_open(test_path(&fixture->directory, "none"), NULL, &model, &error),
                     STATUS_NOT_FOUND);
    assert_int_equal(model_open(test_path(&fixture->directory, "vocab.txt"), NULL, &model, &error),
                     STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, "not an ember"));
}

static void memory_that_is_not_aligned_is_refused(void **state) {
    const struct fixture *fixture = *state;
    struct bytes file = fixture->file.bytes;
    unsigned char *copy = aligned_alloc(64, (file.size / 64 + 2) * 64);
    assert_non_null(copy);
    memcpy(copy + 1, file.data, file.size);
    struct model *model;
    struct error error;
    assert_int_equal(model_open_bytes(bytes_of(copy + 1, file.size), "memory", NULL, &model, &error),
                     STATUS_INVALID_ARGUMENT);
    memmove(copy, copy + 1, file.size);
    assert_int_equal(model_open_bytes(bytes_of(copy, file.size), "memory", NULL, &model, &error), STATUS_OK);
    model_close(model);
    free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fixture_opens_rebuilt),
        cmocka_unit_test(several_models_open_by_name_and_together),
        cmocka_unit_test(hostile_descriptions_are_refused),
        cmocka_unit_test(hostile_shapes_are_refused),
        cmocka_unit_test(hostile_tensors_are_refused),
        cmocka_unit_test(broken_sections_are_refused),
        cmocka_unit_test(every_truncated_file_is_refused),
        cmocka_unit_test(memory_that_is_not_aligned_is_refused),
    };
    return cmocka_run_group_tests(tests, bake_fixture, remove_fixture);
}
