/* Reader of the configuration files of a Hugging Face model directory: config.json, and for embedders the
 * sentence-transformers files modules.json, PATH/config.json of the pooling module and
 * sentence_bert_config.json. What is not understood is refused by name, never guessed. */
#ifndef RESCOLDO_FORMATS_HUGGINGFACE_H
#define RESCOLDO_FORMATS_HUGGINGFACE_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "formats/model_description.h"
#include "formats/model_folder.h"

#define HUGGINGFACE_PATH_SIZE       MODEL_FOLDER_PATH_SIZE /* of a file's whole path */
#define HUGGINGFACE_NAME_SIZE       128                    /* of a file's path inside the model directory */
#define HUGGINGFACE_WHERE_SIZE      (HUGGINGFACE_PATH_SIZE + 2 * HUGGINGFACE_NAME_SIZE) /* in messages */
#define HUGGINGFACE_MAX_CONFIG_SIZE ((size_t)1 << 20)
#define HUGGINGFACE_MAX_FILES       8
#define HUGGINGFACE_MAX_NOTES       4

struct huggingface_model {
    struct model_description description;
    /* The folder of the Transformer module inside the directory, where config.json, the weights and the
     * tokenizer lie: "" or a name with a slash at its end. */
    char transformer_folder[HUGGINGFACE_NAME_SIZE];
    /* The files that were read, relative to the directory, in the order of reading. */
    char files[HUGGINGFACE_MAX_FILES][HUGGINGFACE_NAME_SIZE];
    uint32_t file_count;
    /* Decisions that the user should see, such as a maximum length that had to be lowered. */
    char notes[HUGGINGFACE_MAX_NOTES][192];
    uint32_t note_count;
    bool lowercase_first; /* sentence-transformers lower-cases a text before the tokenizer sees it */
};

/* Reads and checks the files in directory. Messages name the file and the setting. */
MUST_CHECK enum status huggingface_read(const char *directory, struct huggingface_model *model,
                                        struct error *error);

MUST_CHECK enum status huggingface_read_folder(const struct model_folder *folder,
                                               struct huggingface_model *model, struct error *error);
/* The other files alone, for a folder without config.json whose weights say kind and shape. */
MUST_CHECK enum status huggingface_read_without_config(const struct model_folder *folder,
                                                       const struct model_description *description,
                                                       struct huggingface_model *model, struct error *error);

/* config.json alone, from bytes; fills description except max_length, pooling and normalize. */
MUST_CHECK enum status huggingface_read_config(struct bytes text, const char *where,
                                               struct model_description *description, struct error *error);

#endif
