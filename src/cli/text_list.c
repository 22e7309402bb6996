#include "cli/text_list.h"

#include "tokenizer/utf8.h"

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

static enum status append_replaced(struct buffer *target, struct bytes text, struct error *error) {
    enum status status = STATUS_OK;
    for (size_t position = 0; status == STATUS_OK && position < text.size;) {
        size_t valid = utf8_find_invalid(bytes_of(text.data + position, text.size - position));
        status = buffer_append(target, text.data + position, valid, error);
        position += valid;
        if (status == STATUS_OK && position < text.size) {
            status = buffer_append(target, "\xEF\xBF\xBD", 3, error);
            position += utf8_decode(text, position).bytes;
        }
    }
    return status;
}

enum status text_list_add_replaced(struct text_list *list, struct bytes text, struct error *error) {
    struct buffer replaced = {0};
    enum status status = append_replaced(&replaced, text, error);
    if (status == STATUS_OK)
        status = text_list_add(list, buffer_bytes(&replaced), error);
    buffer_free(&replaced);
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

static enum status add_all(struct text_list *list, struct line_reader *reader, enum invalid_utf8 invalid_utf8,
                           const char *expected, struct error *error) {
    for (;;) {
        struct bytes line;
        bool found;
        enum status status = line_reader_next(reader, &line, &found, error);
        if (status == STATUS_OK && !found)
            return line_reader_require_some(reader, expected, error);
        if (status == STATUS_OK && invalid_utf8 == INVALID_UTF8_REFUSE)
            status = line_check_utf8(reader, line, error);
        if (status == STATUS_OK)
            status = invalid_utf8 == INVALID_UTF8_REFUSE ? text_list_add(list, line, error)
                                                         : text_list_add_replaced(list, line, error);
        if (status != STATUS_OK)
            return status;
    }
}

enum status text_list_read(struct text_list *list, const char *path, enum invalid_utf8 invalid_utf8,
                           const char *expected, struct error *error) {
    struct line_reader reader;
    enum status status = line_reader_open(&reader, path, error);
    if (status != STATUS_OK)
        return status;
    status = add_all(list, &reader, invalid_utf8, expected, error);
    line_reader_close(&reader);
    return status == STATUS_OK ? text_list_finish(list, error) : status;
}
