/* Any bytes as the body of a request: the first byte chooses the path, the second the model's kind; the body
 * then chooses the dialect, which reads it. */
#include "server/dialect.h"
#include "server/json_body.h"
#include "server/option_fields.h"
#include "server/router.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the engine relies on. */
static void check(const struct dialect *dialect, const struct work *work) {
    if (dialect->kind == WORK_OTHER)
        return;
    if (work->text_count == 0 || work->texts == NULL)
        abort();
    if (dialect->kind == WORK_RERANK && work->queries == NULL && work->query.size == 0)
        abort();
    if (work->top_n > work->text_count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct limits limits;
    limits_set_defaults(&limits);
    struct model model = {.name = "fuzz",
                          .kind = data[1] % 2 == 0 ? MODEL_CROSS_ENCODER : MODEL_EMBEDDER,
                          .max_length = 256,
                          .shape = {.hidden_size = 384}};
    const struct service service = {.model = &model, .limits = &limits};
    const struct route *route = &routes[data[0] % route_count];
    if (route->dialects == NULL)
        return 0;
    struct work work = {0};
    struct api_error error;
    if (json_body_parse(bytes_of(data + 2, size - 2), &limits, &work.document, &error) == 0) {
        const struct dialect *dialect = dialect_choose(route->dialects, &service, work.document);
        if (refuse_unavailable(dialect->kind, work.document, &error) == 0 &&
            dialect->read(&service, &work, &error) == 0)
            check(dialect, &work);
    }
    work_free(&work);
    return 0;
}
