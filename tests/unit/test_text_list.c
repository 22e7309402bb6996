#include "cli/text_list.h"
#include "temporary_file.h"
#include "unit_test.h"

#include <stdio.h>
#include <string.h>

static void assert_text(const struct text_list *list, size_t index, const char *expected) {
    assert_true(index < list->count);
    assert_true(bytes_equal(list->texts[index], bytes_of_string(expected)));
}

static enum status read_content(struct text_list *list, const char *content, enum invalid_utf8 invalid_utf8,
                                struct error *error) {
    char path[sizeof TEMPORARY_PATH];
    temporary_file(path, bytes_of_string(content));
    enum status status = text_list_read(list, path, invalid_utf8, "one text per line", error);
    unlink(path);
    return status;
}

static void texts_stay_where_memory_moves(void **state) {
    (void)state;
    struct text_list list = {0};
    struct error error;
    char text[16];
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(text_list_add(&list, bytes_of_string(text), &error), STATUS_OK);
    }
    assert_int_equal(text_list_finish(&list, &error), STATUS_OK);
    assert_int_equal(list.count, 10000);
    assert_text(&list, 0, "0");
    assert_text(&list, 9999, "9999");
    text_list_clear(&list);
    assert_int_equal(text_list_add(&list, bytes_of_string(""), &error), STATUS_OK);
    assert_int_equal(text_list_finish(&list, &error), STATUS_OK);
    assert_int_equal(list.count, 1);
    assert_text(&list, 0, "");
    text_list_free(&list);
}

static void ill_formed_runs_are_replaced_as_unicode_recommends(void **state) {
    (void)state;
    /* Unicode 17, section 3.9, table 3-8 and the examples around it. */
    const struct {
        const char *text, *replaced;
    } cases[] = {
        {"plain \xC3\xA9", "plain \xC3\xA9"},
        {"\xFF", "\xEF\xBF\xBD"},
        {"a\xE2\x82", "a\xEF\xBF\xBD"},
        {"\xE2\x82z", "\xEF\xBF\xBDz"},
        {"\xF0\x80\x80 \xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    struct text_list list = {0};
    struct error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(text_list_add_replaced(&list, bytes_of_string(cases[i].text), &error), STATUS_OK);
    assert_int_equal(text_list_finish(&list, &error), STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_text(&list, i, cases[i].replaced);
    text_list_free(&list);
}

static void lines_are_read_and_bad_ones_named(void **state) {
    (void)state;
    struct text_list list = {0};
    struct error error;
    assert_int_equal(read_content(&list, "one\n\nthree", INVALID_UTF8_REFUSE, &error), STATUS_OK);
    assert_int_equal(list.count, 3);
    assert_text(&list, 2, "three");
    text_list_clear(&list);
    assert_int_equal(read_content(&list, "one\n\xFF\n", INVALID_UTF8_REFUSE, &error), STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, "line 2 of "));
    text_list_clear(&list);
    assert_int_equal(read_content(&list, "one\n\xFF\n", INVALID_UTF8_REPLACE, &error), STATUS_OK);
    assert_text(&list, 1, "\xEF\xBF\xBD");
    text_list_clear(&list);
    assert_int_equal(read_content(&list, "", INVALID_UTF8_REFUSE, &error), STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, "is empty, expected one text per line"));
    text_list_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_stay_where_memory_moves),
        cmocka_unit_test(ill_formed_runs_are_replaced_as_unicode_recommends),
        cmocka_unit_test(lines_are_read_and_bad_ones_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
