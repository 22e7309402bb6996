/* One refusal or failure as the client sees it. */
#ifndef RESCOLDO_SERVER_API_ERROR_H
#define RESCOLDO_SERVER_API_ERROR_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/status.h"

enum api_error_form {
    /* What the clients of all dialects but TEI's read (OpenAI error.message, Cohere message, Jina, vLLM and
     * Haystack detail): {"error":{"message","type","param","code"},"message","detail"}. */
    API_ERROR_GENERAL,
    /* text-embeddings-inference: {"error","error_type"}. */
    API_ERROR_TEI,
};

struct api_error {
    int status;       /* of HTTP */
    const char *code; /* a word for programs, such as "invalid_json" */
    char param[64];   /* the field at fault, such as "documents[3].text"; may be empty */
    char message[512];
    enum api_error_form form;
};

/* Sets the error without a field, or of a field; returns -1, so that a refusal reads `return
 * api_refuse(...)`. */
int api_refuse(struct api_error *error, int status, const char *code, const char *format, ...)
    PRINTF_LIKE(4, 5);
int api_refuse_field(struct api_error *error, const char *param, const char *format, ...) PRINTF_LIKE(3, 4);

int api_refuse_no_memory(struct api_error *error);

/* An engine's failure: its message, and the HTTP status that its kind asks for. Returns -1. */
int api_refuse_failure(struct api_error *error, const struct error *failure);

/* Gives the error the form, and the status that goes with it: what is 400 elsewhere is 422 in TEI, and a task
 * that the model does not have 424. */
void api_error_set_form(struct api_error *error, enum api_error_form form);

MUST_CHECK enum status api_error_write(const struct api_error *error, struct buffer *body);

#endif
