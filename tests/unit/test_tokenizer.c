/* What the oracle tests (tests/tokenizer) cannot see: memory, damaged sections, the arithmetic of pairs. */
#include "../tokenizer/small_tokenizer.h"
#include "tokenizer/windows.h"
#include "unit_test.h"

#define PLAIN 7u /* of small_tokenizer: all of the normalizer on, added tokens without flags */

static void encode(const struct small_tokenizer *small, const char *text,
                   const struct encode_options *options, struct tokens *tokens) {
    struct error error;
    if (tokenizer_encode(&small->tokenizer, bytes_of_string(text), options, tokens, &error) != STATUS_OK)
        fail_msg("%s: %s", text, error.message);
}

static void assert_pieces(const struct small_tokenizer *small, const struct tokens *tokens,
                          const char *const *pieces, size_t count) {
    assert_int_equal(tokens->count, count);
    for (size_t i = 0; i < count; i++) {
        struct bytes piece = tokenizer_piece(&small->tokenizer, (uint32_t)tokens->ids[i]);
        assert_int_equal(piece.size, strlen(pieces[i]));
        assert_memory_equal(piece.data, pieces[i], piece.size);
    }
}

static void words_become_the_longest_pieces(void **state) {
    (void)state;
    const struct small_tokenizer *small = small_tokenizer(PLAIN);
    struct tokens tokens = {0};
    encode(small, "Aa ca[SEP]cc-aa x e\u0301", &(struct encode_options){.with_spans = true}, &tokens);
    const char *const pieces[] = {"a", "##a", "c", "##a", "[SEP]", "c", "##c", "-", "a", "##a", "[UNK]", "e"};
    assert_pieces(small, &tokens, pieces, sizeof pieces / sizeof *pieces);
    assert_int_equal(tokens.spans[11].character_start, 18);
    assert_int_equal(tokens.spans[11].character_end, 19);
    tokens_free(&tokens);
}

static void memory_is_reused(void **state) {
    (void)state;
    const struct small_tokenizer *small = small_tokenizer(PLAIN);
    const struct encode_options options = {.with_spans = true};
    struct tokens tokens = {0};
    static char text[20001];
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = "ab c. "[i % 6];
    encode(small, text, &options, &tokens);
    const int32_t *ids = tokens.ids;
    const struct token_span *spans = tokens.spans;
    size_t capacity = tokens.capacity;
    for (size_t start = 0; start < sizeof text; start += 501) {
        encode(small, text + start, &options, &tokens);
        assert_ptr_equal(tokens.ids, ids);
        assert_ptr_equal(tokens.spans, spans);
        assert_int_equal(tokens.capacity, capacity);
    }
    tokens_free(&tokens);
    assert_null(tokens.ids);
}

static void spans_may_be_asked_for_later(void **state) {
    (void)state;
    const struct small_tokenizer *small = small_tokenizer(PLAIN);
    struct tokens tokens = {0};
    encode(small, "a b c a b c", &(struct encode_options){0}, &tokens);
    assert_null(tokens.spans);
    encode(small, "a c", &(struct encode_options){.with_spans = true}, &tokens);
    assert_int_equal(tokens.spans[1].byte_start, 2);
    tokens_free(&tokens);
}

static void an_empty_text_has_no_tokens(void **state) {
    (void)state;
    const struct small_tokenizer *small = small_tokenizer(PLAIN);
    struct tokens tokens = {0};
    struct error error;
    const struct encode_options options = {.with_spans = true};
    assert_int_equal(tokenizer_encode(&small->tokenizer, (struct bytes){0}, &options, &tokens, &error),
                     STATUS_OK);
    assert_int_equal(tokens.count, 0);
    int32_t ids[3];
    assert_int_equal(build_pair(&small->tokenizer, NULL, 0, NULL, 0, ids), 3);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[2], 2);
    tokens_free(&tokens);
}

static void equal_descriptions_give_equal_bytes(void **state) {
    (void)state;
    const struct small_tokenizer *small = small_tokenizer(190);
    struct buffer again = {0};
    assert_int_equal(tokenizer_compile(&small->description, &again, NULL), STATUS_OK);
    assert_int_equal(again.size, small->section.size);
    assert_memory_equal(again.data, small->section.data, again.size);
    buffer_free(&again);
}

static void cut_sections_are_refused(void **state) {
    (void)state;
    const struct small_tokenizer *small = small_tokenizer(PLAIN);
    struct tokenizer tokenizer;
    for (size_t size = 0; size < small->section.size; size += size < 1500 ? 1 : 997) {
        struct error error = {0};
        assert_int_equal(tokenizer_open(&tokenizer, bytes_of(small->section.data, size), &error),
                         STATUS_INVALID_DATA);
        assert_non_null(strstr(error.message, "tokenizer section"));
    }
}

static void assert_not_compiled(const struct tokenizer_description *description, enum status expected,
                                const char *part_of_message) {
    struct buffer section = {0};
    struct error error = {0};
    assert_int_equal(tokenizer_compile(description, &section, &error), expected);
    if (strstr(error.message, part_of_message) == NULL)
        fail_msg("message \"%s\" lacks \"%s\"", error.message, part_of_message);
    assert_int_equal(section.size, 0);
    buffer_free(&section);
}

static void bad_descriptions_are_refused(void **state) {
    (void)state;
    const struct small_tokenizer *small = small_tokenizer(PLAIN);
    struct bytes pieces[SMALL_PIECES];
    struct added_token added[SMALL_ADDED];
    memcpy(pieces, small->pieces, sizeof pieces);
    memcpy(added, small->added, sizeof added);
    struct tokenizer_description description = small->description;
    description.pieces = pieces;
    description.added_tokens = added;
    pieces[4] = pieces[3];
    assert_not_compiled(&description, STATUS_INVALID_DATA, "pieces 3 and 4 are the same text \"a\"");
    pieces[4] = bytes_of("\xE4\xB8", 2);
    assert_not_compiled(&description, STATUS_INVALID_DATA, "piece 4 is not UTF-8 at byte 0");
    pieces[4] = small->pieces[4];
    description.separator_id = 1000;
    assert_not_compiled(&description, STATUS_INVALID_DATA, "the id 1000 of the separator token");
    description.separator_id = 2;
    added[2].id = added[3].id;
    assert_not_compiled(&description, STATUS_INVALID_DATA, "two added tokens have the id");
    added[2].id = 4;
    assert_not_compiled(&description, STATUS_INVALID_DATA,
                        "id 4 is the piece \"b\" and the added token \" b\"");
    added[2].id = 5000;
    assert_not_compiled(&description, STATUS_INVALID_DATA, "added token id 5000");
    added[2] = (struct added_token){
        .content = bytes_of_string("\u0301"), .id = small->added[2].id, .normalized = true};
    assert_not_compiled(&description, STATUS_UNSUPPORTED, "nothing is left");
    added[2].content = (struct bytes){0};
    assert_not_compiled(&description, STATUS_INVALID_DATA, "is empty");
}

/* Knowing pair_max_tokens tokens of the second text, truncation decides as if all were known. */
static void an_early_stop_keeps_truncation_exact(void **state) {
    (void)state;
    for (size_t first = 0; first < 14; first++)
        for (size_t second = 0; second < 40; second++)
            for (size_t max_length = 3; max_length < 20; max_length++)
                for (int truncation = 0; truncation < TRUNCATION_NONE; truncation++) {
                    size_t most = pair_max_tokens(first, max_length), kept[4];
                    size_t known = second < most ? second : most;
                    enum status whole = truncate_pair(first, second, max_length, (enum truncation)truncation,
                                                      &kept[0], &kept[1], NULL);
                    enum status early = truncate_pair(first, known, max_length, (enum truncation)truncation,
                                                      &kept[2], &kept[3], NULL);
                    assert_int_equal(whole, early);
                    if (whole != STATUS_OK)
                        continue;
                    assert_int_equal(kept[0], kept[2]);
                    assert_int_equal(kept[1], kept[3]);
                    assert_true(kept[0] + kept[1] + TOKENIZER_SPECIAL_PAIR <= max_length);
                    assert_true(kept[0] <= first && kept[1] <= second);
                }
}

static void windows_need_room(void **state) {
    (void)state;
    struct window_plan plan;
    struct error error;
    assert_int_equal(plan_windows(5, 5, 3, 0, &plan, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(plan_windows(500, 0, 4, 0, &plan, &error), STATUS_OK);
    assert_int_equal(plan.query_kept, 0);
    assert_int_equal(plan.room, 1);
    assert_int_equal(plan.count, 1);
    struct tokens none = {0};
    assert_int_equal(window_span(&none, window_at(&plan, 0)).byte_end, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_the_longest_pieces),
        cmocka_unit_test(memory_is_reused),
        cmocka_unit_test(spans_may_be_asked_for_later),
        cmocka_unit_test(an_empty_text_has_no_tokens),
        cmocka_unit_test(equal_descriptions_give_equal_bytes),
        cmocka_unit_test(cut_sections_are_refused),
        cmocka_unit_test(bad_descriptions_are_refused),
        cmocka_unit_test(an_early_stop_keeps_truncation_exact),
        cmocka_unit_test(windows_need_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
