/* Text to token ids, as the reference implementation of BERT's tokenizer does it (Hugging Face `tokenizers`:
 * BertNormalizer, BertPreTokenizer, WordPiece, BertProcessing), to the id, over all of Unicode.
 * docs/tokenizer.md says what is promised and how it is tested.
 *
 * A struct tokenizer is a view of an ember's "tokenizer" section: opening it checks the section and allocates
 * nothing; it is read-only and may be shared by any number of threads. */
#ifndef RESCOLDO_TOKENIZER_TOKENIZER_H
#define RESCOLDO_TOKENIZER_TOKENIZER_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct section_header;
struct section_added_token;

enum strip_accents {
    STRIP_ACCENTS_AS_LOWERCASE = 0, /* null in tokenizer.json: strip when lower-casing */
    STRIP_ACCENTS_NO = 1,
    STRIP_ACCENTS_YES = 2,
};

enum invalid_utf8 {
    INVALID_UTF8_REFUSE = 0, /* STATUS_INVALID_DATA with the byte offset */
    INVALID_UTF8_REPLACE =
        1, /* each maximal invalid run becomes U+FFFD (Unicode 17, section 3.9, table 3-8) */
};

/* Normalizer and WordPiece settings, field by field those of tokenizer.json. */
struct tokenizer_settings {
    bool clean_text;
    bool handle_chinese_characters;
    bool lowercase;
    enum strip_accents strip_accents;
    uint32_t max_characters_per_word;
    char continuing_prefix[16]; /* NUL-terminated, "##" in BERT */
};

/* One entry of added_tokens in tokenizer.json. */
struct added_token {
    struct bytes content;
    uint32_t id;
    bool single_word, strip_left, strip_right, normalized, special;
};

/* Everything a tokenizer section is made of; read from published files by formats/tokenizer_files.h. */
struct tokenizer_description {
    struct tokenizer_settings settings;
    const struct bytes *pieces; /* [piece_count], by id; an empty entry is a hole in the ids */
    uint32_t piece_count;
    const struct added_token *added_tokens; /* [added_token_count] */
    uint32_t added_token_count;
    uint32_t unknown_id, classify_id, separator_id; /* [UNK], [CLS], [SEP] */
};

/* Bake time: writes the ready-to-search section to the end of `section`. Same input, same bytes. */
MUST_CHECK enum status tokenizer_compile(const struct tokenizer_description *description,
                                         struct buffer *section, struct error *error);

/* Opened view; the fields below the ids are the implementation's (tokenizer/section.h). */
struct tokenizer {
    struct bytes section;
    struct tokenizer_settings settings;
    uint32_t vocabulary_size; /* one more than the largest id */
    uint32_t unknown_id, classify_id, separator_id;
    const struct section_header *header;
    const uint64_t *trie;
    const uint16_t *fold_index;
    const uint32_t *folds, *fold_points, *piece_offsets;
    const unsigned char *piece_bytes;
    const struct section_added_token *added_tokens;
    uint32_t added_token_count;
};

/* Checks every offset, length and id of the section before use. The section must outlive the view. */
MUST_CHECK enum status tokenizer_open(struct tokenizer *tokenizer, struct bytes section, struct error *error);

/* The piece of an id as UTF-8 (with its continuing prefix); empty for an id without one. */
struct bytes tokenizer_piece(const struct tokenizer *tokenizer, uint32_t id);

/* Appends the text of ids as the reference's WordPiece decoder writes it: pieces joined by spaces, continuing
 * ones without, no space before . ? ! , and English contractions. */
MUST_CHECK enum status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                                        bool skip_special_tokens, struct buffer *text, struct error *error);

/* Where a token comes from in the original text; ends are exclusive. */
struct encode_scratch;

struct token_span {
    uint32_t byte_start, byte_end;
    uint32_t character_start, character_end; /* in code points */
};

/* The tokens of one text, without [CLS] and [SEP], owned and reused from text to text: zero it once, then
 * encode into it as often as you like; the arrays grow to the longest text met. */
struct tokens {
    int32_t *ids;             /* [count] */
    struct token_span *spans; /* [count], NULL until asked for */
    size_t count;
    size_t capacity;
    bool stopped_early;             /* max_tokens was reached: the text has at least one token more */
    size_t replacements;            /* invalid UTF-8 runs replaced by U+FFFD */
    struct encode_scratch *scratch; /* the implementation's working memory */
};

struct encode_options {
    enum invalid_utf8 invalid_utf8;
    bool with_spans;
    size_t max_tokens; /* 0: no limit. Else stop once this many tokens are known: count is then max_tokens */
    bool encode_special_tokens; /* true: "[SEP]" in the text is ordinary text, not the separator's id */
};

/* Appends nothing: replaces what `tokens` held. Allocates only when the arrays must grow. Thread-safe for
 * distinct `tokens`. */
MUST_CHECK enum status tokenizer_encode(const struct tokenizer *tokenizer, struct bytes text,
                                        const struct encode_options *options, struct tokens *tokens,
                                        struct error *error);

/* Replaces what `tokens` held by copies of ids and spans, which need no alignment. */
MUST_CHECK enum status tokens_set(struct tokens *tokens, const void *ids, const void *spans, size_t count,
                                  bool stopped_early, struct error *error);

void tokens_free(struct tokens *tokens);

enum truncation {
    TRUNCATION_LONGEST_FIRST = 0, /* the reference's default: the longer of the two gives way */
    TRUNCATION_ONLY_FIRST = 1,
    TRUNCATION_ONLY_SECOND = 2,
    TRUNCATION_NONE = 3, /* too long is STATUS_LIMIT_EXCEEDED with both lengths */
};

#define TOKENIZER_SPECIAL_SINGLE 2u /* [CLS] A [SEP] */
#define TOKENIZER_SPECIAL_PAIR   3u /* [CLS] A [SEP] B [SEP] */

/* How many tokens of each part of a pair stay so that pair + 3 special tokens fit max_length (at least 3), by
 * the exact rule of the reference. */
MUST_CHECK enum status truncate_pair(size_t first_count, size_t second_count, size_t max_length,
                                     enum truncation truncation, size_t *first_kept, size_t *second_kept,
                                     struct error *error);

/* As encode_options.max_tokens of the second text of a pair: enough of its tokens for truncate_pair to decide
 * as if all were known, and to find all that it keeps. */
size_t pair_max_tokens(size_t first_count, size_t max_length);

/* Writes [CLS] A [SEP] to ids (room for first_count + 2); returns the number written. */
size_t build_single(const struct tokenizer *tokenizer, const int32_t *first, size_t first_count,
                    int32_t *ids);

/* The same of what stands after a prompt: [CLS] prompt A [SEP] (room for both + 2). */
size_t build_prompted(const struct tokenizer *tokenizer, const int32_t *prompt, size_t prompt_count,
                      const int32_t *first, size_t first_count, int32_t *ids);

/* Writes [CLS] A [SEP] B [SEP] to ids (room for both + 3); returns the number written. Segment ids are 0 for
 * the first first_count + 2 tokens and 1 after. */
size_t build_pair(const struct tokenizer *tokenizer, const int32_t *first, size_t first_count,
                  const int32_t *second, size_t second_count, int32_t *ids);

#endif
