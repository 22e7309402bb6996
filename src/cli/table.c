#include "cli/table.h"

#include "cli/character_width.h"
#include "tokenizer/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDEST (SIZE_MAX / 2) /* more columns than any text takes */

enum { GAP = 2, LEAST_LAST_WIDTH = 20 };

void table_add(struct table *table, struct bytes text) {
    for (size_t i = 0; i < text.size && table->status == STATUS_OK;) {
        struct utf8_character character = utf8_decode(text, i);
        unsigned char encoded[UTF8_MAX_BYTES];
        if (character_width(character.point) == CHARACTER_CONTROL)
            character.point = ' ';
        table->status = buffer_append(&table->cells, encoded, utf8_encode(character.point, encoded), NULL);
        i += character.bytes;
    }
    if (table->status == STATUS_OK)
        table->status = buffer_append(&table->cells, "", 1, NULL);
    table->cell_count++;
}

void table_add_format(struct table *table, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    table_add(table, bytes_of_string(text));
}

/* Terminal columns of a text; `limit` columns hold its first *bytes bytes. */
static size_t display_width(const char *text, size_t limit, size_t *bytes) {
    size_t width = 0, i = 0;
    while (text[i] != '\0') {
        struct utf8_character character = utf8_decode_valid((const unsigned char *)text + i);
        size_t columns = character_width(character.point); /* table_add has left no controls */
        if (width + columns > limit)
            break;
        width += columns;
        i += character.bytes;
    }
    *bytes = i;
    return width;
}

/* Columns of the terminal, or as many as anything takes when it does not say. */
static size_t window_width(void) {
    struct winsize window;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        return window.ws_col;
    return WIDEST;
}

static void print_padding(size_t count) {
    while (count-- > 0)
        putchar(' ');
}

static void print_last(const char *text, size_t limit) {
    size_t bytes;
    display_width(text, limit, &bytes);
    if (text[bytes] == '\0') {
        fputs(text, stdout);
        return;
    }
    display_width(text, limit - 1, &bytes);
    printf("%.*s\xE2\x80\xA6", (int)bytes, text);
}

static void print_cell(const char *text, size_t width, bool right_aligned, bool last) {
    size_t bytes;
    size_t padding = width - display_width(text, WIDEST, &bytes);
    if (right_aligned)
        print_padding(padding);
    fputs(text, stdout);
    if (!last)
        print_padding(GAP + (right_aligned ? 0 : padding));
}

static void grow_to(size_t *width, const char *text) {
    size_t bytes;
    size_t needed = display_width(text, WIDEST, &bytes);
    if (needed > *width)
        *width = needed;
}

static bool has_titles(const struct table *table) {
    for (size_t column = 0; column < table->column_count; column++) {
        if (table->columns[column].title[0] != '\0')
            return true;
    }
    return false;
}

/* One row, beginning at the cell `text`; returns the cell after it. titles: print those instead. */
static const char *print_row(const struct table *table, const size_t *widths, size_t last_width,
                             const char *text, bool titles) {
    for (size_t column = 0; column < table->column_count; column++) {
        const char *cell = titles ? table->columns[column].title : text;
        bool last = column + 1 == table->column_count;
        if (last && !table->columns[column].right_aligned)
            print_last(cell, last_width);
        else
            print_cell(cell, widths[column], table->columns[column].right_aligned, last);
        if (!titles)
            text += strlen(text) + 1;
    }
    putchar('\n');
    return text;
}

enum status table_print(const struct table *table, struct error *error) {
    if (table->status != STATUS_OK)
        return error_set(error, table->status, "no memory for a table of %zu cells", table->cell_count);
    size_t widths[TABLE_MAX_COLUMNS] = {0};
    for (size_t column = 0; column < table->column_count; column++)
        grow_to(&widths[column], table->columns[column].title);
    const char *text = (const char *)table->cells.data;
    for (size_t cell = 0; cell < table->cell_count; cell++, text += strlen(text) + 1)
        grow_to(&widths[cell % table->column_count], text);
    size_t window = table->whole ? WIDEST : window_width(), used = 0;
    for (size_t column = 0; column + 1 < table->column_count; column++)
        used += widths[column] + GAP;
    size_t last_width = window > used + LEAST_LAST_WIDTH ? window - used : LEAST_LAST_WIDTH;
    if (has_titles(table))
        print_row(table, widths, last_width, NULL, true);
    text = (const char *)table->cells.data;
    for (size_t cell = 0; cell < table->cell_count; cell += table->column_count)
        text = print_row(table, widths, last_width, text, false);
    return STATUS_OK;
}

void table_free(struct table *table) {
    buffer_free(&table->cells);
}
