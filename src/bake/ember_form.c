#include "bake/ember_form.h"

#include "bake/metadata.h"
#include "formats/ember_writer.h"

#define SECTION_COUNT 3u

static enum status write_section(struct ember_writer *writer, const char *name, struct bytes bytes,
                                 struct error *error) {
    enum status status = ember_writer_begin_section(writer, name, error);
    if (status == STATUS_OK)
        status = ember_writer_write(writer, bytes.data, bytes.size, error);
    if (status == STATUS_OK)
        ember_writer_end_section(writer);
    return status;
}

static enum status write_weights(const struct source *source, const struct ember_form *form,
                                 const struct bake_progress *progress, struct ember_writer *writer,
                                 struct weights_lists *lists, struct ember_sizes *sizes,
                                 struct error *error) {
    struct weights_request request = {
        .source = &source->weights,
        .description = &source->huggingface.description,
        .precision = form->precision,
        .golden = form->golden,
        .golden_rows = form->golden_rows,
        .golden_columns = form->golden_columns,
        .calibration = form->calibration,
        .progress = progress,
    };
    enum status status = ember_writer_begin_section(writer, "weights", error);
    if (status == STATUS_OK)
        status = weights_write(&request, writer, lists, error);
    if (status != STATUS_OK)
        return status;
    sizes->weights = ember_writer_position(writer);
    ember_writer_end_section(writer);
    return STATUS_OK;
}

static enum status write_metadata(const struct source *source, const struct ember_form *form,
                                  struct ember_writer *writer, const struct weights_lists *lists,
                                  struct ember_sizes *sizes, struct error *error) {
    struct buffer text = {0};
    enum status status = metadata_write(source, form->precision, lists, form->golden != NULL, &text, error);
    if (status == STATUS_OK)
        status = write_section(writer, "metadata", buffer_bytes(&text), error);
    sizes->metadata = text.size;
    buffer_free(&text);
    return status;
}

enum status ember_form_write(const struct source *source, const struct ember_form *form,
                             const struct bake_progress *progress, struct file_writer *file,
                             struct weights_lists *lists, struct ember_sizes *sizes, struct error *error) {
    struct ember_writer writer;
    *lists = (struct weights_lists){0};
    *sizes = (struct ember_sizes){.tokenizer = source->tokenizer_section.size};
    enum status status = ember_writer_begin(&writer, file, SECTION_COUNT, error);
    if (status == STATUS_OK)
        status = write_section(&writer, "tokenizer", buffer_bytes(&source->tokenizer_section), error);
    if (status == STATUS_OK)
        status = write_weights(source, form, progress, &writer, lists, sizes, error);
    if (status == STATUS_OK)
        status = write_metadata(source, form, &writer, lists, sizes, error);
    if (status == STATUS_OK)
        status = ember_writer_finish(&writer, error);
    sizes->file = file->position;
    ember_writer_free(&writer);
    return status;
}
