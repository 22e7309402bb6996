/* Any bytes as the body of a request, read by every dialect. The first byte chooses the dialect and the
 * model's kind. */
#include "server/dialects.h"
#include "server/json_body.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct dialect *const dialects[] = {&dialect_rerank, &dialect_embeddings};
    if (size == 0)
        return 0;
    struct limits limits;
    limits_set_defaults(&limits);
    struct model model = {.name = "fuzz", .max_length = 256, .shape = {.hidden_size = 384}};
    const struct service service = {&model, &limits};
    const struct dialect *dialect = dialects[data[0] % 2];
    struct work work = {0};
    struct api_error error;
    if (json_body_parse(bytes_of(data + 1, size - 1), &limits, &work.document, &error) == 0 &&
        dialect->read(&service, &work, &error) == 0 &&
        (work.text_count == 0 || (dialect->kind == WORK_RERANK && (work.top_n == 0 || work.query.size == 0))))
        abort();
    work_free(&work);
    return 0;
}
