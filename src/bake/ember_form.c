#include "bake/ember_form.h"

#include "bake/metadata.h"
#include "kernels/kernels.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WEIGHTS_SECTION "weights"

static enum status write_section(struct ember_writer *writer, const char *name, struct bytes bytes,
                                 struct error *error) {
    enum status status = ember_writer_begin_section(writer, name, error);
    if (status == STATUS_OK)
        status = ember_writer_write(writer, bytes.data, bytes.size, error);
    if (status == STATUS_OK)
        ember_writer_end_section(writer);
    return status;
}

/* Names each source's tokenizer section: the first "tokenizer", one equal to an earlier like that, another
 * "tokenizer.2" for the second source. Returns how many there are. */
static uint32_t name_tokenizers(struct ember_builder *builder, const struct source *const *sources) {
    uint32_t distinct = 0;
    for (size_t i = 0; i < builder->source_count; i++) {
        struct bytes section = buffer_bytes(&sources[i]->tokenizer_section);
        size_t earlier = 0;
        while (earlier < i && !bytes_equal(section, buffer_bytes(&sources[earlier]->tokenizer_section)))
            earlier++;
        char *name = builder->tokenizer_sections[i];
        if (earlier < i) {
            memcpy(name, builder->tokenizer_sections[earlier], sizeof builder->tokenizer_sections[i]);
            continue;
        }
        snprintf(name, sizeof builder->tokenizer_sections[i], i == 0 ? "tokenizer" : "tokenizer.%zu", i + 1);
        distinct++;
    }
    return distinct;
}

static bool is_named_before(const struct ember_builder *builder, size_t number) {
    for (size_t i = 0; i < number; i++) {
        if (strcmp(builder->tokenizer_sections[i], builder->tokenizer_sections[number]) == 0)
            return true;
    }
    return false;
}

static enum status write_tokenizers(struct ember_builder *builder, const struct source *const *sources,
                                    struct error *error) {
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < builder->source_count; i++) {
        if (is_named_before(builder, i))
            continue;
        struct bytes section = buffer_bytes(&sources[i]->tokenizer_section);
        builder->sizes.tokenizer += section.size;
        status = write_section(&builder->writer, builder->tokenizer_sections[i], section, error);
    }
    return status;
}

enum status ember_builder_begin(struct ember_builder *builder, const struct source *const *sources,
                                size_t source_count, const struct bake_progress *progress,
                                struct file_writer *file, struct error *error) {
    *builder = (struct ember_builder){.progress = progress, .source_count = source_count};
    if (source_count == 0 || source_count > MODEL_MAX_PER_EMBER)
        return error_set(error, STATUS_INVALID_ARGUMENT, "an ember holds 1 to %u models, not %zu",
                         MODEL_MAX_PER_EMBER, source_count);
    builder->store = (struct tensor_store){.ember = &builder->writer, .shared = source_count > 1};
    builder->models = json_array();
    if (builder->models == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory to write an ember");
    uint32_t sections = name_tokenizers(builder, sources) + 2; /* weights, metadata */
    enum status status = ember_writer_begin(&builder->writer, file, sections, error);
    if (status == STATUS_OK)
        status = write_tokenizers(builder, sources, error);
    if (status == STATUS_OK)
        status = ember_writer_begin_section(&builder->writer, WEIGHTS_SECTION, error);
    return status;
}

enum status ember_builder_add(struct ember_builder *builder, const struct source *source,
                              const struct ember_form *form, struct weights_lists *lists,
                              uint64_t *shared_bytes, struct error *error) {
    struct weights_request request = {
        .source = &source->weights.tensors,
        .description = &source->huggingface.description,
        .precision = form->precision,
        .golden = form->golden,
        .golden_rows = form->golden_rows,
        .golden_columns = form->golden_columns,
        .calibration = form->calibration,
        .progress = builder->progress,
    };
    tensor_store_next_model(&builder->store);
    enum status status = weights_write(&request, &builder->store, lists, error);
    *shared_bytes = builder->store.shared_bytes;
    if (status != STATUS_OK)
        return status;
    const struct metadata_model model = {
        .source = source,
        .precision = form->precision,
        .lists = lists,
        .tokenizer_section = builder->tokenizer_sections[builder->added++],
        .weights_section = WEIGHTS_SECTION,
        .with_golden = form->golden != NULL,
    };
    return metadata_add_model(builder->models, &model, error);
}

static enum status write_metadata(struct ember_builder *builder, struct error *error) {
    struct buffer text = {0};
    enum status status = metadata_write(builder->models, &text, error);
    if (status == STATUS_OK)
        status = write_section(&builder->writer, "metadata", buffer_bytes(&text), error);
    builder->sizes.metadata = text.size;
    buffer_free(&text);
    if (status == STATUS_OK)
        status = ember_writer_finish(&builder->writer, error);
    builder->sizes.file = builder->writer.file->position;
    return status;
}

enum status ember_builder_finish(struct ember_builder *builder, struct error *error) {
    builder->sizes.weights = ember_writer_position(&builder->writer);
    ember_writer_end_section(&builder->writer);
    enum status status = ember_writer_mark(&builder->writer, error);
    return status == STATUS_OK ? write_metadata(builder, error) : status;
}

enum status ember_builder_set_bits(struct ember_builder *builder, size_t model, const uint64_t *digests,
                                   size_t count, struct error *error) {
    json_t *golden = json_object_get(json_array_get(builder->models, model), "golden");
    json_t *items = json_object_get(golden, "items");
    bool stored = json_object_set_new(golden, "arithmetic", json_integer(KERNELS_ARITHMETIC)) == 0;
    for (size_t i = 0; i < count && stored; i++) {
        char digest[17];
        snprintf(digest, sizeof digest, "%016" PRIx64, digests[i]);
        stored = json_object_set_new(json_array_get(items, i), "bits", json_string(digest)) == 0;
    }
    return stored ? STATUS_OK
                  : error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the digests of the golden outputs");
}

enum status ember_builder_rewrite(struct ember_builder *builder, struct error *error) {
    enum status status = ember_writer_rewind(&builder->writer, error);
    return status == STATUS_OK ? write_metadata(builder, error) : status;
}

void ember_builder_free(struct ember_builder *builder) {
    ember_writer_free(&builder->writer);
    tensor_store_free(&builder->store);
    json_decref(builder->models);
    *builder = (struct ember_builder){0};
}
