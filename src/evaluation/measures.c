#include "evaluation/measures.h"

#include <math.h>
#include <stdlib.h>

/* Järvelin and Kekäläinen 2002 with the discount of trec_eval: gain / log2(1 + rank), from rank 1. */
static double discounted_gain(const int *relevances, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count && i < MEASURE_TOP_CUTOFF; i++) {
        if (relevances[i] > 0)
            sum += relevances[i] / log2((double)(i + 2));
    }
    return sum;
}

static double reciprocal_rank(const int *ranked, size_t count) {
    for (size_t i = 0; i < count && i < MEASURE_TOP_CUTOFF; i++) {
        if (ranked[i] > 0)
            return 1.0 / (double)(i + 1);
    }
    return 0;
}

static size_t count_relevant(const int *relevances, size_t count) {
    size_t relevant = 0;
    for (size_t i = 0; i < count; i++)
        relevant += relevances[i] > 0;
    return relevant;
}

static int descending(const void *a, const void *b) {
    int left = *(const int *)a, right = *(const int *)b;
    return (left < right) - (left > right);
}

struct measures measures_of_query(const int *ranked, size_t ranked_count, int *judged, size_t judged_count) {
    size_t relevant = count_relevant(judged, judged_count);
    if (relevant == 0)
        return (struct measures){0};
    qsort(judged, judged_count, sizeof *judged, descending);
    size_t recall_count = ranked_count < MEASURE_RECALL_CUTOFF ? ranked_count : MEASURE_RECALL_CUTOFF;
    return (struct measures){
        .ndcg_at_10 = discounted_gain(ranked, ranked_count) / discounted_gain(judged, judged_count),
        .reciprocal_rank_at_10 = reciprocal_rank(ranked, ranked_count),
        .recall_at_100 = (double)count_relevant(ranked, recall_count) / (double)relevant,
    };
}
