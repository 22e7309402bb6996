/* The tokenizer a second time, slow and obviously right: every step over the whole text, in the reference's
 * order, without tables made for speed. It shares with the real one only the Unicode data
 * (tokenizer/unicode.h), which the oracle tests check code point by code point. For the differential fuzz
 * target and the oracle tests. */
#ifndef RESCOLDO_TESTS_SLOW_TOKENIZER_H
#define RESCOLDO_TESTS_SLOW_TOKENIZER_H

#include "tokenizer/tokenizer.h"

/* Fills ids and spans of `tokens` (released with tokens_free). The text must be UTF-8. Ends the process when
 * memory runs out: this is test code. */
void slow_encode(const struct tokenizer_description *description, struct bytes text,
                 bool encode_special_tokens, struct tokens *tokens);

#endif
