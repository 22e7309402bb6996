/* Any bytes as the metadata of an ember whose other sections are sound: a compiled tokenizer, and weights of
 * zeros. */
#include "formats/ember_writer.h"
#include "formats/tokenizer_files.h"
#include "read_model.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHTS_SIZE ((size_t)512 << 10) /* room for a model of hidden size 64 with one layer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(enum status status) {
    if (status != STATUS_OK)
        abort();
}

static void write_section(struct ember_writer *writer, const char *name, struct bytes bytes) {
    require(ember_writer_begin_section(writer, name, NULL));
    require(ember_writer_write(writer, bytes.data, bytes.size, NULL));
    ember_writer_end_section(writer);
}

static struct bytes compiled_tokenizer(void) {
    static struct buffer section;
    static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##c\n";
    if (section.size == 0) {
        struct tokenizer_files files;
        require(tokenizer_files_read_vocabulary(bytes_of_string(vocabulary), (struct bytes){0},
                                                (struct bytes){0}, &files, NULL));
        require(tokenizer_compile(&files.description, &section, NULL));
        tokenizer_files_free(&files);
    }
    return buffer_bytes(&section);
}

static void write_ember(struct file_writer *file, struct bytes metadata) {
    static unsigned char weights[WEIGHTS_SIZE];
    struct ember_writer writer;
    require(file_writer_open_memory(file, "fuzz", NULL));
    require(ember_writer_begin(&writer, file, 3, NULL));
    write_section(&writer, "metadata", metadata);
    write_section(&writer, "tokenizer", compiled_tokenizer());
    write_section(&writer, "weights", bytes_of(weights, sizeof weights));
    require(ember_writer_finish(&writer, NULL));
    ember_writer_free(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct file_writer file;
    struct file_mapping mapping;
    struct model_list list;
    struct error error;
    write_ember(&file, bytes_of(data, size));
    require(file_writer_map(&file, &mapping, NULL));
    if (model_list_open_bytes(mapping.bytes, "fuzz.ember", NULL, &list, &error) == STATUS_OK)
        read_models(&list);
    model_list_close(&list);
    file_unmap(&mapping);
    file_writer_abort(&file);
    return 0;
}
