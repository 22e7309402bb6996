/* Tables for a person at a terminal: columns as wide as their widest cell, the last one cut to the window
 * unless it is asked for whole. Control characters in cells become spaces, so that a text cannot drive the
 * terminal. */
#ifndef RESCOLDO_CLI_TABLE_H
#define RESCOLDO_CLI_TABLE_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>

#define TABLE_MAX_COLUMNS 8u

struct table_column {
    const char *title; /* "" in every column: no line of titles */
    bool right_aligned;
};

/* Zero it, set columns and column_count, add cells row by row, print, free. Adding keeps a failure for
 * table_print. */
struct table {
    const struct table_column *columns;
    size_t column_count;
    bool whole; /* the last column is not cut */
    size_t cell_count;
    struct buffer cells; /* NUL-terminated UTF-8, one after the other */
    enum status status;
};

void table_add(struct table *table, struct bytes text);
void table_add_format(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);

/* To standard output. */
MUST_CHECK enum status table_print(const struct table *table, struct error *error);
void table_free(struct table *table);

#endif
