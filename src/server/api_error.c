#include "server/api_error.h"

#include "base/json_writer.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int api_refuse(struct api_error *error, int status, const char *code, const char *format, ...) {
    *error = (struct api_error){.status = status, .code = code};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return -1;
}

int api_refuse_field(struct api_error *error, const char *param, const char *format, ...) {
    *error = (struct api_error){.status = 400, .code = "invalid_field"};
    snprintf(error->param, sizeof error->param, "%s", param);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return -1;
}

static int http_status_of(enum status status) {
    switch (status) {
    case STATUS_INVALID_ARGUMENT:
    case STATUS_INVALID_DATA:
    case STATUS_UNSUPPORTED:
    case STATUS_LIMIT_EXCEEDED:
        return 400;
    case STATUS_CANCELLED:
        return 499;
    case STATUS_DEADLINE_EXCEEDED:
        return 504;
    case STATUS_OK:
    case STATUS_NOT_FOUND:
    case STATUS_OUT_OF_MEMORY:
    case STATUS_INPUT_OUTPUT:
    case STATUS_INTERNAL:
        break;
    }
    return 500;
}

int api_refuse_no_memory(struct api_error *error) {
    return api_refuse(error, 500, "out_of_memory", "no memory for the request");
}

int api_refuse_failure(struct api_error *error, const struct error *failure) {
    return api_refuse(error, http_status_of(failure->status), status_name(failure->status), "%s",
                      failure->message);
}

static const char *type_of(int status) {
    switch (status) {
    case 401:
        return "authentication_error";
    case 404:
        return "not_found_error";
    case 429:
        return "overloaded_error";
    case 503:
        return "unavailable_error";
    default:
        return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

void api_error_set_form(struct api_error *error, enum api_error_form form) {
    error->form = form;
    if (form != API_ERROR_TEI || error->status != 400)
        return;
    bool well_formed = strcmp(error->code, "invalid_json") != 0;
    if (strcmp(error->code, "unsupported_model") == 0)
        error->status = 424;
    else if (well_formed)
        error->status = 422;
}

/* ErrorType of text-embeddings-inference. */
static const char *tei_type_of(int status) {
    switch (status) {
    case 429:
        return "Overloaded";
    case 503:
        return "Unhealthy";
    case 424:
        return "Backend";
    default:
        return status >= 500 ? "Backend" : "Validation";
    }
}

static void write_tei(const struct api_error *error, struct json_writer *writer) {
    json_begin_object(writer);
    json_key(writer, "error");
    json_text_of_string(writer, error->message);
    json_key(writer, "error_type");
    json_text_of_string(writer, tei_type_of(error->status));
    json_end_object(writer);
}

static void write_general(const struct api_error *error, struct json_writer *writer) {
    json_begin_object(writer);
    json_key(writer, "error");
    json_begin_object(writer);
    json_key(writer, "message");
    json_text_of_string(writer, error->message);
    json_key(writer, "type");
    json_text_of_string(writer, type_of(error->status));
    json_key(writer, "param");
    if (error->param[0] == '\0')
        json_null_value(writer);
    else
        json_text_of_string(writer, error->param);
    json_key(writer, "code");
    json_text_of_string(writer, error->code);
    json_end_object(writer);
    json_key(writer, "message");
    json_text_of_string(writer, error->message);
    json_key(writer, "detail");
    json_text_of_string(writer, error->message);
    json_end_object(writer);
}

enum status api_error_write(const struct api_error *error, struct buffer *body) {
    struct json_writer writer = json_writer_to(body);
    if (error->form == API_ERROR_TEI)
        write_tei(error, &writer);
    else
        write_general(error, &writer);
    return json_writer_finish(&writer, NULL);
}
