/* Texts held in memory together: what a command needs before it can begin, such as all passages of a list. */
#ifndef RESCOLDO_CLI_TEXT_LIST_H
#define RESCOLDO_CLI_TEXT_LIST_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "cli/lines.h"
#include "tokenizer/tokenizer.h"

#define TEXT_LIST_MAX_BYTES ((size_t)1 << 30) /* of all texts together */

/* A zeroed struct is an empty list. */
struct text_list {
    struct buffer characters;
    struct buffer sizes; /* of size_t, one per text */
    struct bytes *texts; /* [count], set by text_list_finish */
    size_t count;
};

MUST_CHECK enum status text_list_add(struct text_list *list, struct bytes text, struct error *error);

/* The same with each ill-formed run of UTF-8 replaced by U+FFFD. */
MUST_CHECK enum status text_list_add_replaced(struct text_list *list, struct bytes text, struct error *error);

/* Makes `texts` from what was added; nothing may be added afterwards until text_list_clear. */
MUST_CHECK enum status text_list_finish(struct text_list *list, struct error *error);

/* Empties the list and keeps its memory. */
void text_list_clear(struct text_list *list);
void text_list_free(struct text_list *list);

/* Adds every line of the input and finishes the list. Invalid UTF-8 is refused, with the line named, or
 * replaced. An empty input is refused with "NAME is empty, expected WHAT". */
MUST_CHECK enum status text_list_read(struct text_list *list, const char *path,
                                      enum invalid_utf8 invalid_utf8, const char *expected,
                                      struct error *error);

#endif
