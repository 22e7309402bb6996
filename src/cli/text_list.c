#include "cli/text_list.h"

#include <stdlib.h>

enum status text_list_add(struct text_list *list, struct bytes text, struct error *error) {
    if (text.size > TEXT_LIST_MAX_BYTES - list->characters.size)
        return error_set(error, STATUS_LIMIT_EXCEEDED, "the texts hold more than %zu bytes",
                         TEXT_LIST_MAX_BYTES);
    enum status status = buffer_append(&list->characters, text.data, text.size, error);
    if (status == STATUS_OK)
        status = buffer_append(&list->sizes, &text.size, sizeof text.size, error);
    if (status == STATUS_OK)
        list->count++;
    return status;
}

enum status text_list_finish(struct text_list *list, struct error *error) {
    free(list->texts);
    list->texts = calloc(list->count + 1, sizeof *list->texts);
    if (list->texts == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for %zu texts", list->count);
    size_t start = 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t size;
        memcpy(&size, list->sizes.data + i * sizeof size, sizeof size);
        list->texts[i] = size == 0 ? bytes_of("", 0) : bytes_of(list->characters.data + start, size);
        start += size;
    }
    return STATUS_OK;
}

void text_list_clear(struct text_list *list) {
    list->characters.size = 0;
    list->sizes.size = 0;
    list->count = 0;
}

void text_list_free(struct text_list *list) {
    buffer_free(&list->characters);
    buffer_free(&list->sizes);
    free(list->texts);
    *list = (struct text_list){0};
}

static enum status add_all(struct text_list *list, struct line_reader *reader, const char *expected,
                           struct error *error) {
    for (;;) {
        struct bytes line;
        bool found;
        enum status status = line_reader_next(reader, &line, &found, error);
        if (status == STATUS_OK && !found)
            return line_reader_require_some(reader, expected, error);
        if (status == STATUS_OK)
            status = line_check_utf8(reader, line, error);
        if (status == STATUS_OK)
            status = text_list_add(list, line, error);
        if (status != STATUS_OK)
            return status;
    }
}

enum status text_list_read(struct text_list *list, const char *path, const char *expected,
                           struct error *error) {
    struct line_reader reader;
    enum status status = line_reader_open(&reader, path, error);
    if (status != STATUS_OK)
        return status;
    status = add_all(list, &reader, expected, error);
    line_reader_close(&reader);
    return status == STATUS_OK ? text_list_finish(list, error) : status;
}
