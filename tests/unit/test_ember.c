#include "base/file.h"
#include "formats/ember.h"
#include "formats/ember_writer.h"
#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char metadata_text[] = "{\"format\":1}";

/* An ember of two small sections, in memory that holds exactly it. */
static struct bytes make_ember(unsigned char **owned) {
    struct file_writer file;
    struct ember_writer writer;
    struct file_mapping mapping;
    assert_int_equal(file_writer_open_memory(&file, "test", NULL), STATUS_OK);
    assert_int_equal(ember_writer_begin(&writer, &file, 2, NULL), STATUS_OK);
    assert_int_equal(ember_writer_begin_section(&writer, "metadata", NULL), STATUS_OK);
    assert_int_equal(ember_writer_write(&writer, metadata_text, strlen(metadata_text), NULL), STATUS_OK);
    ember_writer_end_section(&writer);
    assert_int_equal(ember_writer_begin_section(&writer, "weights", NULL), STATUS_OK);
    assert_int_equal(ember_writer_write(&writer, "abc", 3, NULL), STATUS_OK);
    assert_int_equal(ember_writer_align(&writer, NULL), STATUS_OK);
    assert_int_equal(ember_writer_position(&writer), 64);
    assert_int_equal(ember_writer_write(&writer, "def", 3, NULL), STATUS_OK);
    ember_writer_end_section(&writer);
    assert_int_equal(ember_writer_finish(&writer, NULL), STATUS_OK);
    ember_writer_free(&writer);
    assert_int_equal(file_writer_map(&file, &mapping, NULL), STATUS_OK);
    *owned = malloc(mapping.bytes.size);
    assert_non_null(*owned);
    memcpy(*owned, mapping.bytes.data, mapping.bytes.size);
    size_t size = mapping.bytes.size;
    file_unmap(&mapping);
    file_writer_abort(&file);
    return bytes_of(*owned, size);
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    unsigned char *owned;
    struct ember ember;
    struct bytes section, file = make_ember(&owned);
    assert_int_equal(ember_open(&ember, file, NULL), STATUS_OK);
    assert_int_equal(ember.section_count, 2);
    assert_int_equal(ember_verify(&ember, NULL), STATUS_OK);
    assert_int_equal(ember_find(&ember, "metadata", &section, NULL), STATUS_OK);
    assert_true(bytes_equal(section, bytes_of_string(metadata_text)));
    assert_int_equal(ember_find(&ember, "weights", &section, NULL), STATUS_OK);
    assert_int_equal(section.size, 67);
    assert_memory_equal(section.data + 64, "def", 3);
    assert_int_equal((size_t)(section.data - file.data) % EMBER_PAGE_SIZE, 0);
    struct error error;
    assert_int_equal(ember_find(&ember, "tokenizer", &section, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "tokenizer"));
    free(owned);
}

static void every_truncation_and_extension_is_refused(void **state) {
    (void)state;
    unsigned char *owned;
    struct ember ember;
    struct error error;
    struct bytes file = make_ember(&owned);
    for (size_t size = 0; size < file.size; size++) {
        unsigned char *part = malloc(size + 1);
        assert_non_null(part);
        memcpy(part, file.data, size);
        assert_int_equal(ember_open(&ember, bytes_of(part, size), &error), STATUS_INVALID_DATA);
        free(part);
    }
    unsigned char *longer = calloc(1, file.size + 1);
    assert_non_null(longer);
    memcpy(longer, file.data, file.size);
    assert_int_equal(ember_open(&ember, bytes_of(longer, file.size + 1), &error), STATUS_INVALID_DATA);
    assert_non_null(strstr(error.message, "appended"));
    free(longer);
    free(owned);
}

static void every_altered_byte_is_noticed(void **state) {
    (void)state;
    unsigned char *owned;
    struct ember ember;
    struct error error;
    struct bytes file = make_ember(&owned);
    size_t table_end = EMBER_HEADER_SIZE + 2 * EMBER_ENTRY_SIZE;
    for (size_t i = 0; i < table_end; i++) {
        owned[i] ^= 0x10;
        assert_int_not_equal(ember_open(&ember, file, &error), STATUS_OK);
        owned[i] ^= 0x10;
    }
    assert_int_equal(ember_open(&ember, file, NULL), STATUS_OK);
    for (uint32_t number = 0; number < 2; number++) {
        const struct ember_section *section = &ember.sections[number];
        for (size_t i = 0; i < section->bytes.size; i++) {
            owned[section->offset + i] ^= 1;
            assert_int_equal(ember_verify(&ember, &error), STATUS_INVALID_DATA);
            assert_non_null(strstr(error.message, section->name));
            owned[section->offset + i] ^= 1;
        }
    }
    free(owned);
}

/* The table with one field replaced and its checksum made right again: only the checks themselves can refuse.
 */
static void assert_entry_refused(uint32_t entry, size_t field, uint64_t value, const char *part_of_message) {
    unsigned char *owned;
    struct ember ember;
    struct error error = {0};
    struct bytes file = make_ember(&owned);
    store_u64le(owned + EMBER_HEADER_SIZE + entry * EMBER_ENTRY_SIZE + field, value);
    store_u64le(owned + 24, XXH3_64bits(owned + EMBER_HEADER_SIZE, 2 * EMBER_ENTRY_SIZE));
    assert_int_equal(ember_open(&ember, file, &error), STATUS_INVALID_DATA);
    if (strstr(error.message, part_of_message) == NULL)
        fail_msg("message \"%s\" lacks \"%s\"", error.message, part_of_message);
    free(owned);
}

static void hostile_tables_are_refused(void **state) {
    (void)state;
    assert_entry_refused(1, 32, 8192 + 64, "expected a multiple");
    assert_entry_refused(1, 32, 0, "after the table");
    assert_entry_refused(1, 32, UINT64_MAX - 4095, "does not fit");
    assert_entry_refused(1, 40, UINT64_MAX, "does not fit");
    assert_entry_refused(1, 40, 68, "does not fit");
    assert_entry_refused(1, 32, 4096, "overlap");
    assert_entry_refused(1, 56, 1, "reserved");
    assert_entry_refused(1, 0, 0, "no valid name");
    assert_entry_refused(1, 8, 0x41, "no valid name");                /* a character after the NUL */
    assert_entry_refused(1, 0, 0x5354485349455720u, "no valid name"); /* upper case */
    unsigned char *owned;
    (void)make_ember(&owned);
    uint64_t name = load_u64le(owned + EMBER_HEADER_SIZE);
    free(owned);
    assert_entry_refused(1, 0, name, "two sections are named \"metadata\"");
}

static void an_unknown_version_is_unsupported(void **state) {
    (void)state;
    unsigned char *owned;
    struct ember ember;
    struct error error;
    struct bytes file = make_ember(&owned);
    store_u32le(owned + 8, EMBER_VERSION + 1);
    assert_int_equal(ember_open(&ember, file, &error), STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.message, "version 2"));
    free(owned);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(every_altered_byte_is_noticed),
        cmocka_unit_test(hostile_tables_are_refused),
        cmocka_unit_test(an_unknown_version_is_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
