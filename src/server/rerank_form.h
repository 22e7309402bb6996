/* The rerank dialects differ mostly in what they call things: a form names them, and reads and writes what
 * follows from the names. */
#ifndef RESCOLDO_SERVER_RERANK_FORM_H
#define RESCOLDO_SERVER_RERANK_FORM_H

#include "server/dialect.h"

enum echo_form {
    ECHO_OBJECT, /* {"text": ...} */
    ECHO_STRING,
    ECHO_WHOLE, /* an object as it came */
};

struct rerank_form {
    /* Of the request. */
    const char *texts; /* the array of passages */
    bool objects;      /* a passage may be an object with "text" */
    const char *top;   /* how many results are wanted */
    const char *echo;  /* the boolean that asks for the texts in the reply */
    /* Of a result. */
    const char *score;
    const char *echoed; /* the text */
    enum echo_form echo_form;
};

/* query, texts, top and echo; rank_fields where objects are taken. */
int rerank_read(const struct service *service, const struct rerank_form *form, struct work *work,
                struct api_error *error);

/* The array of the top results, best first. */
void rerank_write_results(const struct service *service, const struct rerank_form *form,
                          const struct work *work, struct json_writer *writer);

/* relevance_score, or the raw one where that was asked for. */
float rerank_score(const struct work *work, size_t index);

#endif
