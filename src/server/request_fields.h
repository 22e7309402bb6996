/* What the bodies of many dialects hold, read in one way. Every function returns 0, or -1 with the error set;
 * a field that is absent or null changes nothing. */
#ifndef RESCOLDO_SERVER_REQUEST_FIELDS_H
#define RESCOLDO_SERVER_REQUEST_FIELDS_H

#include "server/dialect.h"
#include "server/json_body.h"

/* Required, and not empty; name is for messages. */
int request_query(struct work *work, const json_t *value, const char *name, struct api_error *error);

/* The field `text` of an object. */
int request_query_object(struct work *work, const json_t *value, const char *name, struct api_error *error);

struct text_rules {
    const char *name;      /* of the field, for messages */
    uint64_t max_count;    /* of texts */
    bool single;           /* a string that stands for an array of one */
    bool objects;          /* an object with "text" is a text */
    const char *token_ids; /* when numbers get a message of their own: its end */
};

/* At least one text, into work->texts; value may be NULL. */
int request_texts(struct work *work, const json_t *value, const struct text_rules *rules,
                  struct api_error *error);

/* Objects whose texts are the named fields, joined by line ends. */
int request_joined_texts(struct work *work, const json_t *value, const json_t *fields,
                         const struct text_rules *rules, struct api_error *error);

/* How many results are wanted: at least 1, all by default; name is top_n or top_k, and where it is absent the
 * other one counts. After the texts. */
int request_top(struct work *work, const char *name, struct api_error *error);

/* One word of several, NULL-terminated, in any case of letters; *chosen stays when the field is absent. */
int request_choice(const json_t *document, const char *name, const char *const *words, size_t *chosen,
                   struct api_error *error);

/* A number of dimensions: only the model's own can be had, which 0 stands for, as infinity's client has it.
 */
int request_dimensions(const struct service *service, const struct work *work, const char *name,
                       struct api_error *error);

/* Does the body have a string, an array or an object there? What `speaks` of a dialect looks at. */
bool has_field(const json_t *document, const char *name);

/* The role that a word names: "query" and "search_query"; "document", "passage" and "search_document"; with
 * "retrieval." before it too, as Jina has it. Any other word: PROMPT_NONE. */
enum prompt request_prompt_of_word(struct bytes word);

/* prompt_name of an object that may be NULL: a prompt that the model has. */
int request_prompt_name(const struct service *service, struct work *work, const json_t *fields,
                        struct api_error *error);

/* The prompt of an embed request, from input_type (Cohere, Voyage, NVIDIA), task (Jina) or prompt_name; other
 * roles than a query's and a passage's, such as clustering, have none. */
int request_prompt(const struct service *service, struct work *work, struct api_error *error);

#endif
