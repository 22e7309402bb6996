#include "server/trace_context.h"

/* version "-" trace-id "-" parent-id "-" trace-flags */
#define TRACE_ID_OFFSET 3u
#define TRACE_ID_SIZE   32u
#define SPAN_ID_OFFSET  36u
#define SPAN_ID_SIZE    16u
#define FLAGS_OFFSET    53u
#define FLAGS_SIZE      2u
#define WHOLE_SIZE      (TRACE_PARENT_SIZE - 1)

static bool is_hexadecimal(const unsigned char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    }
    return true;
}

static bool is_zero(const unsigned char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '0')
            return false;
    }
    return true;
}

static bool is_id(const unsigned char *text, size_t size) {
    return is_hexadecimal(text, size) && !is_zero(text, size);
}

bool trace_context_parse(struct bytes value, struct trace_context *context) {
    const unsigned char *text = value.data;
    context->parent[0] = '\0';
    if (value.size < WHOLE_SIZE || !is_hexadecimal(text, 2) || memcmp(text, "ff", 2) == 0)
        return false;
    /* Later versions may append more, after another dash. */
    bool first_version = memcmp(text, "00", 2) == 0;
    if (value.size > WHOLE_SIZE && (first_version || text[WHOLE_SIZE] != '-'))
        return false;
    if (text[TRACE_ID_OFFSET - 1] != '-' || text[SPAN_ID_OFFSET - 1] != '-' || text[FLAGS_OFFSET - 1] != '-')
        return false;
    if (!is_id(text + TRACE_ID_OFFSET, TRACE_ID_SIZE) || !is_id(text + SPAN_ID_OFFSET, SPAN_ID_SIZE) ||
        !is_hexadecimal(text + FLAGS_OFFSET, FLAGS_SIZE))
        return false;
    memcpy(context->parent, text, WHOLE_SIZE);
    memcpy(context->parent, "00", 2);
    context->parent[WHOLE_SIZE] = '\0';
    return true;
}

struct bytes trace_context_trace_id(const struct trace_context *context) {
    return bytes_of(context->parent + TRACE_ID_OFFSET, TRACE_ID_SIZE);
}

struct bytes trace_context_span_id(const struct trace_context *context) {
    return bytes_of(context->parent + SPAN_ID_OFFSET, SPAN_ID_SIZE);
}
