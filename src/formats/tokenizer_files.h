/* A tokenizer as published: tokenizer.json, or vocab.txt with tokenizer_config.json and
 * special_tokens_map.json, of a Hugging Face directory. What the tokenizer does not have is refused by name.
 * docs/tokenizer.md lists what is read. */
#ifndef RESCOLDO_FORMATS_TOKENIZER_FILES_H
#define RESCOLDO_FORMATS_TOKENIZER_FILES_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/status.h"
#include "formats/model_folder.h"
#include "tokenizer/tokenizer.h"

/* Owns everything the description points to. */
struct tokenizer_files {
    struct tokenizer_description description;
    char source[32];           /* the file the vocabulary was read from: "tokenizer.json" or "vocab.txt" */
    struct buffer text;        /* contents of pieces and added tokens, one after the other */
    struct bytes *pieces;      /* [description.piece_count] */
    struct added_token *added; /* [description.added_token_count] */
};

/* Reads tokenizer.json where there is one, else vocab.txt. Truncation and padding in tokenizer.json are not
 * read: how long a text may be is the model's and the request's matter. Messages name the file and the field.
 * On failure `files` is empty. */
MUST_CHECK enum status tokenizer_files_read(const char *directory, struct tokenizer_files *files,
                                            struct error *error);

/* The same from a folder of a folder or archive: "" or a name with its slash. */
MUST_CHECK enum status tokenizer_files_read_folder(const struct model_folder *folder, const char *inner,
                                                   struct tokenizer_files *files, struct error *error);

/* The same from a tokenizer.json already in memory; `name` is for messages. */
MUST_CHECK enum status tokenizer_files_read_json(struct bytes json, const char *name,
                                                 struct tokenizer_files *files, struct error *error);

/* The same from a vocab.txt in memory; tokenizer_config and special_tokens_map are JSON or empty. */
MUST_CHECK enum status tokenizer_files_read_vocabulary(struct bytes vocabulary, struct bytes tokenizer_config,
                                                       struct bytes special_tokens_map,
                                                       struct tokenizer_files *files, struct error *error);

void tokenizer_files_free(struct tokenizer_files *files);

#endif
