#include "evaluation/measures.h"
#include "unit_test.h"

#include <math.h>

/* Expected values are worked out by hand from the definitions; tests/cli compares with trec_eval's own code.
 */

static void assert_close(double found, double expected) {
    assert_true(fabs(found - expected) < 1e-12);
}

static void a_perfect_ranking_is_one(void **state) {
    (void)state;
    const int ranked[] = {2, 1, 0};
    int judged[] = {0, 1, 2};
    struct measures measures = measures_of_query(ranked, 3, judged, 3);
    assert_close(measures.ndcg_at_10, 1);
    assert_close(measures.reciprocal_rank_at_10, 1);
    assert_close(measures.recall_at_100, 1);
}

static void gains_are_linear_and_discounted(void **state) {
    (void)state;
    const int ranked[] = {0, 2, 1};
    int judged[] = {1, 2, 3};
    struct measures measures = measures_of_query(ranked, 3, judged, 3);
    assert_close(measures.ndcg_at_10,
                 (2 / log2(3) + 1 / log2(4)) / (3 / log2(2) + 2 / log2(3) + 1 / log2(4)));
    assert_close(measures.reciprocal_rank_at_10, 0.5);
    assert_close(measures.recall_at_100, 2.0 / 3);
}

static void cutoffs_hold(void **state) {
    (void)state;
    int ranked[101] = {0};
    ranked[10] = 1; /* rank 11: behind the first ten */
    ranked[99] = 1;
    ranked[100] = 1; /* rank 101: behind the first hundred */
    int judged[] = {1, 1, 1, 1};
    struct measures measures = measures_of_query(ranked, 101, judged, 4);
    assert_close(measures.ndcg_at_10, 0);
    assert_close(measures.reciprocal_rank_at_10, 0);
    assert_close(measures.recall_at_100, 0.5);
}

static void negative_relevance_is_not_relevant(void **state) {
    (void)state;
    const int ranked[] = {-1, 1};
    int judged[] = {-1, 1, -2};
    struct measures measures = measures_of_query(ranked, 2, judged, 3);
    assert_close(measures.ndcg_at_10, 1 / log2(3));
    assert_close(measures.reciprocal_rank_at_10, 0.5);
    assert_close(measures.recall_at_100, 1);
}

static void nothing_relevant_is_zero(void **state) {
    (void)state;
    const int ranked[] = {0, 0};
    int judged[] = {0, -1};
    struct measures measures = measures_of_query(ranked, 2, judged, 2);
    assert_close(measures.ndcg_at_10, 0);
    assert_close(measures.reciprocal_rank_at_10, 0);
    assert_close(measures.recall_at_100, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_perfect_ranking_is_one),
        cmocka_unit_test(gains_are_linear_and_discounted),
        cmocka_unit_test(cutoffs_hold),
        cmocka_unit_test(negative_relevance_is_not_relevant),
        cmocka_unit_test(nothing_relevant_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
