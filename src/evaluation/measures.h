/* Measures of one ranked list, exactly as trec_eval 9 defines them (NIST; its m_ndcg_cut.c, m_recip_rank.c
 * and m_recall.c). A relevance is what the judgments state: 0 or less is not relevant, an unjudged document
 * counts as 0, and a greater value is its gain in nDCG. Pure functions. */
#ifndef RESCOLDO_EVALUATION_MEASURES_H
#define RESCOLDO_EVALUATION_MEASURES_H

#include <stddef.h>

#define MEASURE_TOP_CUTOFF    ((size_t)10)
#define MEASURE_RECALL_CUTOFF ((size_t)100)

struct measures {
    double ndcg_at_10;            /* ndcg_cut_10 */
    double reciprocal_rank_at_10; /* recip_rank of the first ten (trec_eval -M 10) */
    double recall_at_100;         /* recall_100 */
};

/* ranked: the relevances of the retrieved documents in order; judged: those of every judged document of the
 * query, in any order. The latter are sorted in place. Where nothing is relevant every measure is 0. */
struct measures measures_of_query(const int *ranked, size_t ranked_count, int *judged, size_t judged_count);

#endif
