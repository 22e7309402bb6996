#include "server/router.h"

#include "server/api_status.h"
#include "server/dialects.h"
#include "server/metrics.h"

static const struct dialect *const rerank[] = {&dialect_rerank, NULL};
static const struct dialect *const embeddings[] = {&dialect_embeddings, NULL};

/* Clients whose base URL ends in /v1 call /v1/v1/... and /v1/v2/... */
const struct route routes[] = {
    {"/v1/rerank", rerank, NULL, false},      {"/v2/rerank", rerank, NULL, false},
    {"/rerank", rerank, NULL, false},         {"/v1/v1/rerank", rerank, NULL, false},
    {"/v1/v2/rerank", rerank, NULL, false},   {"/v1/embeddings", embeddings, NULL, false},
    {"/embeddings", embeddings, NULL, false}, {"/livez", NULL, page_livez, true},
    {"/readyz", NULL, page_readyz, true},     {"/health", NULL, page_health, true},
    {"/info", NULL, page_info, false},        {"/metrics", NULL, page_metrics, true},
    {"/v1/models", NULL, page_models, false}, {"/models", NULL, page_models, false},
};

const size_t route_count = sizeof routes / sizeof routes[0];

_Static_assert(sizeof routes / sizeof routes[0] < METRICS_MAX_ROUTES,
               "metrics have a row per route and one more");

size_t route_find(struct bytes path) {
    if (path.size > 1 && path.data[path.size - 1] == '/')
        path.size--;
    size_t route = 0;
    while (route < route_count && !bytes_equal(path, bytes_of_string(routes[route].path)))
        route++;
    return route;
}

const char *route_label(size_t route) {
    return route < route_count ? routes[route].path : "other";
}
