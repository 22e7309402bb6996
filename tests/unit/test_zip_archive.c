#include "formats/zip_archive.h"
#include "unit_test.h"
#include "zip_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(text)                                                                                           \
    { (const unsigned char *)(text), sizeof(text) - 1 }

static const struct zip_member plain[] = {
    {.name = "model/config.json", .content = TEXT("{\"hidden_size\": 64, \"hidden_act\": \"gelu\"}")},
    {.name = "model/vocab.txt",
     .content = TEXT("[PAD]\n[UNK]\n[PAD]\n[UNK]\n[PAD]\n[UNK]\n[PAD]\n"),
     .deflated = true},
    {.name = "model/"},
};

static enum status read_whole(const struct zip_archive *archive, const struct zip_entry *entry,
                              struct error *error) {
    struct file_mapping content;
    enum status status = zip_read(archive, entry, &content, error);
    if (status != STATUS_OK)
        return status;
    /* Every byte, so that a mapping that is too short is seen. */
    unsigned sum = 0;
    for (size_t i = 0; i < content.bytes.size; i++)
        sum += content.bytes.data[i];
    assert_true(sum <= 255 * content.bytes.size);
    file_unmap(&content);
    return STATUS_OK;
}

/* Opens the archive and reads every entry, from a copy as long as the bytes given. */
static enum status open_and_read(struct bytes file, struct error *error) {
    unsigned char *copy = malloc(file.size + 1);
    assert_non_null(copy);
    memcpy(copy + 1, file.data, file.size);
    struct zip_archive archive;
    enum status status = zip_open(&archive, bytes_of(copy + 1, file.size), "m.zip", error);
    for (size_t i = 0; status == STATUS_OK && i < archive.count; i++) {
        assert_true(archive.entries[i].compressed_size <= file.size);
        status = read_whole(&archive, &archive.entries[i], error);
    }
    zip_close(&archive);
    free(copy);
    return status;
}

static void assert_refused(const struct zip_member *members, size_t count, const char *part_of_message) {
    struct buffer file = {0};
    struct error error = {0};
    zip_write(members, count, &file);
    if (open_and_read(buffer_bytes(&file), &error) == STATUS_OK)
        fail_msg("accepted, expected \"%s\"", part_of_message);
    if (strstr(error.message, part_of_message) == NULL || strncmp(error.message, "m.zip", 5) != 0)
        fail_msg("\"%s\" does not say \"%s\"", error.message, part_of_message);
    buffer_free(&file);
}

static void entries_are_read(void **state) {
    (void)state;
    struct buffer file = {0};
    struct zip_archive archive;
    struct file_mapping content;
    zip_write(plain, 3, &file);
    assert_int_equal(zip_open(&archive, buffer_bytes(&file), "m.zip", NULL), STATUS_OK);
    assert_int_equal(archive.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct zip_entry *entry = zip_find(&archive, plain[i].name);
        assert_non_null(entry);
        assert_int_equal(zip_read(&archive, entry, &content, NULL), STATUS_OK);
        assert_true(bytes_equal(content.bytes, plain[i].content));
        file_unmap(&content);
    }
    assert_null(zip_find(&archive, "model/"));
    assert_null(zip_find(&archive, "config.json"));
    zip_close(&archive);
    buffer_free(&file);
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    struct buffer file = {0};
    struct error error;
    zip_write(plain, 3, &file);
    for (size_t size = 0; size < file.size; size++)
        if (open_and_read(bytes_of(file.data, size), &error) == STATUS_OK)
            fail_msg("%zu of %zu bytes were accepted", size, file.size);
    buffer_free(&file);
}

/* Any byte changed to anything is an archive still, or an error. */
static void no_changed_byte_does_harm(void **state) {
    (void)state;
    static const unsigned char changes[] = {0x01, 0x08, 0x10, 0x80, 0xff};
    struct buffer file = {0};
    struct error error;
    zip_write(plain, 3, &file);
    for (size_t place = 0; place < file.size; place++) {
        for (size_t i = 0; i < sizeof changes; i++) {
            file.data[place] ^= changes[i];
            (void)open_and_read(buffer_bytes(&file), &error);
            file.data[place] ^= changes[i];
        }
    }
    assert_int_equal(open_and_read(buffer_bytes(&file), &error), STATUS_OK);
    buffer_free(&file);
}

static void names_that_lead_out_are_refused(void **state) {
    (void)state;
    static const char *const names[] = {"../x", "a/../../x", "a/..", "..",    "/etc/passwd",
                                        "a//b", "a\\b",      "C:x",  "a/../b"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct zip_member member = {.name = names[i], .content = TEXT("x")};
        assert_refused(&member, 1, "has a name that leads out of the archive");
    }
    const struct zip_member zero = {.name = "a\0b", .name_size = 3, .content = TEXT("x")};
    assert_refused(&zero, 1, "has a zero byte in its name");
    char longest[ZIP_NAME_SIZE + 1];
    memset(longest, 'x', sizeof longest - 1);
    longest[ZIP_NAME_SIZE] = '\0';
    const struct zip_member member = {.name = longest, .content = TEXT("x")};
    assert_refused(&member, 1, "has a name longer than 255 bytes");
}

static void fields_that_lie_are_refused(void **state) {
    (void)state;
    const struct {
        struct zip_member member;
        const char *message;
    } cases[] = {
        {{.flags = 1}, "is encrypted"},
        {{.method = 12}, "is compressed by another method than deflate"},
        {{.more_checksum = 1}, "its CRC differs"},
        {{.more_size = 1}, "its compressed bytes are malformed after 40 of 41"},
        {{.more_size = 1, .more_compressed = 1}, "its CRC differs"},
        {{.more_size = 100u << 20}, "expands more than a hundredfold"},
        {{.more_size = 4000, .more_compressed = 4000}, "reaches beyond the end of the file"},
        {{.more_offset = 7}, "does not lie where the directory says"},
        {{.more_offset = 1u << 30}, "does not lie where the directory says"},
    };
    static const struct bytes content = TEXT("01234567890123456789012345678901234567890");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct zip_member member = cases[i].member;
        member.name = "model.onnx";
        member.content = bytes_of(content.data, 40);
        assert_refused(&member, 1, cases[i].message);
    }
    const struct zip_member empty = {.name = "model.onnx"};
    assert_refused(&empty, 1, "is empty");
}

static void entries_that_share_bytes_are_refused(void **state) {
    (void)state;
    const struct zip_member longer[] = {
        {.name = "a", .content = TEXT("0123456789"), .more_size = 35, .more_compressed = 35},
        {.name = "b", .content = TEXT("0123456789")},
    };
    assert_refused(longer, 2, "begins inside");
    const struct zip_member twice[] = {
        {.name = "a", .content = TEXT("0123456789")},
        {.name = "a", .content = TEXT("0123456789")},
    };
    assert_refused(twice, 2, "entry \"a\" is there twice");
}

static void limits_hold(void **state) {
    (void)state;
    struct zip_member *members = test_calloc(ZIP_MAX_ENTRIES + 1, sizeof *members);
    char(*names)[8] = test_calloc(ZIP_MAX_ENTRIES + 1, sizeof *names);
    for (size_t i = 0; i <= ZIP_MAX_ENTRIES; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        members[i] = (struct zip_member){.name = names[i], .content = TEXT("x")};
    }
    assert_refused(members, ZIP_MAX_ENTRIES + 1, "more than 1000 entries");
    test_free(members);
    test_free(names);
    static unsigned char zeros[8 << 20];
    const struct zip_member bomb = {.name = "x", .content = {zeros, sizeof zeros}, .deflated = true};
    assert_refused(&bomb, 1, "expands more than a hundredfold");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(no_changed_byte_does_harm),
        cmocka_unit_test(names_that_lead_out_are_refused),
        cmocka_unit_test(fields_that_lie_are_refused),
        cmocka_unit_test(entries_that_share_bytes_are_refused),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
