#include "server/router.h"

#include "server/api_status.h"
#include "server/dialects.h"
#include "server/metrics.h"

/* What may come on a path; the body tells which it is, and the last one is what it is taken for when it looks
 * like none. */
#define DIALECTS(...) ((const struct dialect *const[]){__VA_ARGS__, NULL})
#define RERANK(last)                                                                                         \
    DIALECTS(&dialect_rerank_tei, &dialect_rerank_flashrank, &dialect_rerank_mixedbread,                     \
             &dialect_rerank_voyage, last)
#define RERANK_BARE                                                                                          \
    DIALECTS(&dialect_rerank_tei, &dialect_rerank_flashrank, &dialect_rerank_mixedbread,                     \
             &dialect_rerank_voyage, &dialect_rerank_pinecone, &dialect_rerank_bare)
#define MAIN_TASK  DIALECTS(&dialect_rerank_tei, &dialect_similarity, &dialect_main_task, &dialect_embed_tei)
#define VERTEX     DIALECTS(&dialect_vertex_rerank, &dialect_vertex_predict, &dialect_vertex_embed)
#define EMBEDDINGS DIALECTS(&dialect_embeddings)
#define COHERE_V1  DIALECTS(&dialect_embed_cohere_v1)
#define COHERE_V2  DIALECTS(&dialect_embed_cohere_v2)

/* Clients whose base URL ends in /v1 call /v1/v1/... and /v1/v2/... */
const struct route routes[] = {
    {"/v1/rerank", RERANK(&dialect_rerank_v1), NULL, false},
    {"/v2/rerank", RERANK(&dialect_rerank_v2), NULL, false},
    {"/rerank", RERANK_BARE, NULL, false},
    {"/v1/v1/rerank", RERANK(&dialect_rerank_v1), NULL, false},
    {"/v1/v2/rerank", RERANK(&dialect_rerank_v2), NULL, false},
    {"/reranking", RERANK_BARE, NULL, false},
    {"/v1/reranking", RERANK(&dialect_rerank_v1), NULL, false},
    {"/v1/ranking", DIALECTS(&dialect_rerank_nvidia), NULL, false},
    {"/_inference/rerank/*", DIALECTS(&dialect_rerank_elasticsearch), NULL, false},
    {"/v1/embeddings", EMBEDDINGS, NULL, false},
    {"/embeddings", EMBEDDINGS, NULL, false},
    {"/v1/v1/embeddings", EMBEDDINGS, NULL, false},
    {"/v1/embed", COHERE_V1, NULL, false},
    {"/v2/embed", COHERE_V2, NULL, false},
    {"/v1/v1/embed", COHERE_V1, NULL, false},
    {"/v1/v2/embed", COHERE_V2, NULL, false},
    {"/embed", DIALECTS(&dialect_embed_cohere_v2, &dialect_embed_tei), NULL, false},
    {"/embed_all", DIALECTS(&dialect_embed_all), NULL, false},
    {"/predict", DIALECTS(&dialect_predict), NULL, false},
    {"/tokenize", DIALECTS(&dialect_tokenize), NULL, false},
    {"/decode", DIALECTS(&dialect_decode), NULL, false},
    {"/", MAIN_TASK, page_health, false},
    {"/invocations", MAIN_TASK, NULL, false},
    {"/vertex", VERTEX, NULL, false},
    {"/similarity", DIALECTS(&dialect_similarity), NULL, false},
    {"/livez", NULL, page_livez, true},
    {"/readyz", NULL, page_readyz, true},
    {"/health", NULL, page_health, true},
    {"/ping", NULL, page_health, true},
    {"/info", NULL, page_info, false},
    {"/openapi.json", NULL, page_openapi, false},
    {"/metrics", NULL, page_metrics, true},
    {"/v1/models", NULL, page_models, false},
    {"/models", NULL, page_models, false},
};

const size_t route_count = sizeof routes / sizeof routes[0];

_Static_assert(sizeof routes / sizeof routes[0] < METRICS_MAX_ROUTES,
               "metrics have a row per route and one more");

/* A route that ends in an asterisk stands for one more segment, whatever it is. */
static bool matches(struct bytes route, struct bytes path) {
    size_t fixed = route.size - 1;
    if (route.data[fixed] != '*')
        return bytes_equal(route, path);
    return path.size > fixed && memcmp(route.data, path.data, fixed) == 0 &&
           memchr(path.data + fixed, '/', path.size - fixed) == NULL;
}

size_t route_find(struct bytes path) {
    if (path.size > 1 && path.data[path.size - 1] == '/')
        path.size--;
    size_t route = 0;
    while (route < route_count && !matches(bytes_of_string(routes[route].path), path))
        route++;
    return route;
}

const char *route_label(size_t route) {
    return route < route_count ? routes[route].path : "other";
}
