/* What rescoldo tokenize does with one text or pair: tokens, truncation or windows, and the result as JSON or
 * as a table. */
#ifndef RESCOLDO_CLI_TOKENIZE_TEXT_H
#define RESCOLDO_CLI_TOKENIZE_TEXT_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "cli/table.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stdint.h>

/* How a text too long is made to fit: those of enum truncation, and windows. */
enum fitting {
    FITTING_LONGEST_FIRST = TRUNCATION_LONGEST_FIRST,
    FITTING_ONLY_FIRST = TRUNCATION_ONLY_FIRST,
    FITTING_ONLY_SECOND = TRUNCATION_ONLY_SECOND,
    FITTING_NONE = TRUNCATION_NONE,
    FITTING_WINDOWS,
};

/* Their names in options and JSON, NULL-terminated, in the order of enum fitting. */
extern const char *const fitting_names[];

struct tokenize_request {
    struct bytes text;
    struct bytes pair;
    const char *text_name, *pair_name; /* what messages about a pair call the two */
    bool has_pair;
    uint64_t max_length; /* tokens, special tokens included; 0: no limit */
    enum fitting fitting;
    uint64_t stride; /* of windows */
};

/* Reused from text to text; zero all but the first two. */
struct text_tokenizer {
    const struct tokenizer *tokenizer;
    struct encode_options options;
    struct tokens text, pair;
};

/* Appends the result as one JSON object. */
MUST_CHECK enum status tokenize_to_json(struct text_tokenizer *state, const struct tokenize_request *request,
                                        struct buffer *reply, struct error *error);

/* Adds one row for each token to a table of TOKENIZE_COLUMNS columns. */
#define TOKENIZE_COLUMNS 5u
extern const struct table_column tokenize_columns[TOKENIZE_COLUMNS];
MUST_CHECK enum status tokenize_to_table(struct text_tokenizer *state, const struct tokenize_request *request,
                                         struct table *table, struct error *error);

void text_tokenizer_free(struct text_tokenizer *state);

#endif
