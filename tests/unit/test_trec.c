#include "evaluation/trec.h"
#include "temporary_file.h"
#include "unit_test.h"

#include <string.h>

typedef enum status (*entries_opener)(const char *path, struct trec_entries *entries, struct error *error);

static enum status open_entries(entries_opener opener, const char *content, struct trec_entries *entries,
                                struct error *error) {
    char path[sizeof TEMPORARY_PATH];
    temporary_file(path, bytes_of_string(content));
    enum status status = opener(path, entries, error);
    unlink(path);
    return status;
}

static enum status open_texts(const char *content, struct trec_texts *texts, struct error *error) {
    char path[sizeof TEMPORARY_PATH];
    temporary_file(path, bytes_of_string(content));
    enum status status = trec_texts_open(path, texts, error);
    unlink(path);
    return status;
}

static void assert_bytes(struct bytes found, const char *expected) {
    assert_true(bytes_equal(found, bytes_of_string(expected)));
}

static void refuse_texts(const char *content, const char *reason) {
    struct trec_texts texts;
    struct error error;
    assert_int_equal(open_texts(content, &texts, &error), STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, reason));
}

static void refuse_entries(entries_opener opener, const char *content, const char *reason) {
    struct trec_entries entries;
    struct error error;
    assert_int_equal(open_entries(opener, content, &entries, &error), STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, reason));
}

static void texts_are_found_by_id(void **state) {
    (void)state;
    struct trec_texts texts;
    struct error error;
    assert_int_equal(open_texts("q2\tsecond\ttab kept\r\nq10\t\nq1\tno newline", &texts, &error), STATUS_OK);
    assert_int_equal(texts.count, 3);
    assert_int_equal(trec_texts_find(&texts, bytes_of_string("q2")), 0);
    assert_int_equal(trec_texts_find(&texts, bytes_of_string("q10")), 1);
    assert_int_equal(trec_texts_find(&texts, bytes_of_string("q1")), 2);
    assert_int_equal(trec_texts_find(&texts, bytes_of_string("q")), TREC_NOT_FOUND);
    assert_bytes(texts.texts[0].text, "second\ttab kept");
    assert_bytes(texts.texts[1].text, "");
    assert_bytes(texts.texts[2].text, "no newline");
    trec_texts_close(&texts);
}

static void bad_texts_are_refused_with_their_line(void **state) {
    (void)state;
    refuse_texts("a\tb\nno tab here\n", "line 2: no tab");
    refuse_texts("\ttext\n", "line 1: the id before the tab is empty");
    refuse_texts("a b\ttext\n", "line 1: the id before the tab holds white space");
    refuse_texts("a\t1\nb\t2\na\t3\n", "lines 1 and 3 have the same id \"a\"");
    refuse_texts("", "is empty");
}

static void judgments_are_looked_up(void **state) {
    (void)state;
    struct trec_entries judgments;
    struct error error;
    assert_int_equal(
        open_entries(trec_judgments_open, "2 0 d1 1\n\n1\t0\td9\t-1\n1 0  d10 3 \n", &judgments, &error),
        STATUS_OK);
    size_t count;
    const struct trec_entry *first = trec_entries_of(&judgments, bytes_of_string("1"), &count);
    assert_int_equal(count, 2);
    assert_int_equal(trec_relevance(first, count, bytes_of_string("d10")), 3);
    assert_int_equal(trec_relevance(first, count, bytes_of_string("d9")), -1);
    assert_int_equal(trec_relevance(first, count, bytes_of_string("d1")), 0);
    trec_entries_of(&judgments, bytes_of_string("3"), &count);
    assert_int_equal(count, 0);
    trec_entries_close(&judgments);
}

static void bad_judgments_are_refused_with_their_line(void **state) {
    (void)state;
    refuse_entries(trec_judgments_open, "1 0 d1 1\n1 0 d2\n", "line 2: expected QUERY 0 DOCUMENT RELEVANCE");
    refuse_entries(trec_judgments_open, "1 0 d1 1 more\n", "line 1: expected");
    refuse_entries(trec_judgments_open, "1 0 d1 1.5\n", "relevance \"1.5\" is not a whole number");
    refuse_entries(trec_judgments_open, "1 0 d1 99999999999\n", "is not a whole number");
    refuse_entries(trec_judgments_open, "1 0 d1 1\n1 0 d1 2\n", "document \"d1\" twice");
    refuse_entries(trec_judgments_open, "\n \n", "holds no entries");
}

static void a_run_is_in_the_order_of_trec_eval(void **state) {
    (void)state;
    /* By score; equal scores by document descending; ranks are not looked at. 16777217 is 16777216 as a
     * float32, as it is for trec_eval. */
    struct trec_entries run;
    struct error error;
    assert_int_equal(open_entries(trec_run_open,
                                  "q Q0 a 1 0.5 t\nq Q0 b 2 0.5 t\nq Q0 c 3 16777217 t\nq Q0 d 9 16777216 t\n"
                                  "p Q0 z 1 -1e-3 t\n",
                                  &run, &error),
                     STATUS_OK);
    assert_int_equal(run.count, 5);
    assert_bytes(run.entries[0].query, "p");
    const char *const order[] = {"d", "c", "b", "a"};
    for (size_t i = 0; i < 4; i++)
        assert_bytes(run.entries[i + 1].document, order[i]);
    trec_entries_close(&run);
}

static void bad_runs_are_refused_with_their_line(void **state) {
    (void)state;
    refuse_entries(trec_run_open, "q Q0 a 1 0.5\n", "line 1: expected QUERY Q0 DOCUMENT RANK SCORE TAG");
    refuse_entries(trec_run_open, "q Q0 a 1 0.5 t extra\n", "line 1: expected");
    refuse_entries(trec_run_open, "q Q0 a 1 high t\n", "score \"high\" is not a finite number");
    refuse_entries(trec_run_open, "q Q0 a 1 inf t\n", "score \"inf\" is not a finite number");
    refuse_entries(trec_run_open, "q Q0 a 1 1 t\nq Q0 a 2 0 t\n", "document \"a\" twice");
}

static void a_written_run_reads_back_the_same(void **state) {
    (void)state;
    struct trec_entry entries[] = {
        {.query = bytes_of_string("q"), .document = bytes_of_string("a"), .score = 0.1F},
        {.query = bytes_of_string("q"), .document = bytes_of_string("b"), .score = 1e-30F},
        {.query = bytes_of_string("q"), .document = bytes_of_string("c"), .score = 0.1F},
    };
    trec_rank(entries, 3);
    struct buffer text = {0};
    struct error error;
    assert_int_equal(trec_append_run(&text, entries, 3, "tag", &error), STATUS_OK);
    assert_int_equal(buffer_append(&text, "", 1, &error), STATUS_OK);
    assert_string_equal((const char *)text.data,
                        "q Q0 c 1 0.100000001 tag\nq Q0 a 2 0.100000001 tag\nq Q0 b 3 1e-30 tag\n");
    struct trec_entries run;
    assert_int_equal(open_entries(trec_run_open, (const char *)text.data, &run, &error), STATUS_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_true(bytes_equal(run.entries[i].document, entries[i].document));
        assert_memory_equal(&run.entries[i].score, &entries[i].score, sizeof(float));
    }
    trec_entries_close(&run);
    buffer_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_found_by_id),
        cmocka_unit_test(bad_texts_are_refused_with_their_line),
        cmocka_unit_test(judgments_are_looked_up),
        cmocka_unit_test(bad_judgments_are_refused_with_their_line),
        cmocka_unit_test(a_run_is_in_the_order_of_trec_eval),
        cmocka_unit_test(bad_runs_are_refused_with_their_line),
        cmocka_unit_test(a_written_run_reads_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
