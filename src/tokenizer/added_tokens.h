/* Finding added tokens, such as [SEP], in a text: leftmost, longest, then the rules of their flags. */
#ifndef RESCOLDO_TOKENIZER_ADDED_TOKENS_H
#define RESCOLDO_TOKENIZER_ADDED_TOKENS_H

#include "tokenizer/normalize.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>

/* Where a search stands. Zero it, then ask for the next match until there is none. */
struct added_token_search {
    size_t position; /* where the next match may begin */
    size_t done;     /* everything before it is given to earlier matches or to parts between them */
};

/* A match, white space eaten by lstrip and rstrip included. Where the token before has eaten white space this
 * one begins with, it begins before `done` of the search (without lstrip) or may even be empty (with it). */
struct added_token_match {
    size_t start, end;
    uint32_t id;
};

/* The next added token in the bytes of the text as it is. Updates the search; false: no more. */
bool added_token_find(const struct tokenizer *tokenizer, struct bytes text, bool encode_special_tokens,
                      struct added_token_search *search, struct added_token_match *match);

/* The same in a normalized text; positions count its characters. */
bool added_token_find_normalized(const struct tokenizer *tokenizer, const struct normalized_text *text,
                                 bool encode_special_tokens, struct added_token_search *search,
                                 struct added_token_match *match);

#endif
