#include "base/file.h"
#include "tiny_model.h"
#include "unit_test.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_content(const char *path, const char *expected) {
    struct buffer content = {0};
    test_read(path, &content);
    assert_true(bytes_equal(buffer_bytes(&content), bytes_of_string(expected)));
    buffer_free(&content);
}

static void write_file(const char *path, const char *text) {
    struct file_writer writer;
    assert_int_equal(file_writer_open(&writer, path, NULL), STATUS_OK);
    assert_int_equal(file_writer_write(&writer, text, strlen(text), NULL), STATUS_OK);
    assert_int_equal(file_writer_commit(&writer, NULL), STATUS_OK);
}

static void a_file_appears_at_commit_and_alone(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    const char *path = test_path(&directory, "file");
    struct file_writer writer;
    assert_int_equal(file_writer_open(&writer, path, NULL), STATUS_OK);
    assert_int_equal(file_writer_write(&writer, "hollo", 5, NULL), STATUS_OK);
    assert_int_equal(file_writer_write_at(&writer, 1, "e", 1, NULL), STATUS_OK);
    assert_int_equal(file_writer_write_at(&writer, 5, "e", 1, NULL), STATUS_INTERNAL);
    assert_int_equal(access(path, F_OK), -1);
    struct file_mapping mapping;
    assert_int_equal(file_writer_map(&writer, &mapping, NULL), STATUS_OK);
    assert_true(bytes_equal(mapping.bytes, bytes_of_string("hello")));
    assert_int_equal(file_writer_commit(&writer, NULL), STATUS_OK);
    assert_true(bytes_equal(mapping.bytes, bytes_of_string("hello")));
    file_unmap(&mapping);
    assert_content(path, "hello");
    write_file(path, "replaced");
    assert_content(path, "replaced");
    assert_int_equal(test_directory_count(&directory), 1);
    test_directory_remove(&directory);
}

static void an_aborted_file_leaves_nothing(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    struct file_writer writer;
    assert_int_equal(file_writer_open(&writer, test_path(&directory, "file"), NULL), STATUS_OK);
    assert_int_equal(file_writer_write(&writer, "x", 1, NULL), STATUS_OK);
    file_writer_abort(&writer);
    file_writer_abort(&writer);
    assert_int_equal(test_directory_count(&directory), 0);
    test_directory_remove(&directory);
}

static void the_mode_is_what_the_umask_leaves(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    const char *path = test_path(&directory, "file");
    mode_t mask = umask(027);
    write_file(path, "x");
    umask(mask);
    struct stat information;
    assert_int_equal(stat(path, &information), 0);
    assert_int_equal(information.st_mode & 0777, 0640);
    test_directory_remove(&directory);
}

static void targets_that_are_no_files_are_refused(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    struct file_writer writer;
    struct error error;
    assert_int_equal(file_writer_open(&writer, directory.path, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "is a directory"));
    assert_int_equal(file_writer_open(&writer, "/dev/null", &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "not a regular file"));
    assert_int_equal(file_writer_open(&writer, "", &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(file_writer_open(&writer, test_path(&directory, "none/file"), &error), STATUS_NOT_FOUND);
    assert_int_equal(test_directory_count(&directory), 0);
    test_directory_remove(&directory);
}

static void a_killed_writer_leaves_nothing(void **state) {
    (void)state;
    struct test_directory directory = test_directory_create();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct file_writer writer;
        if (file_writer_open(&writer, test_path(&directory, "file"), NULL) == STATUS_OK &&
            file_writer_write(&writer, "x", 1, NULL) == STATUS_OK)
            raise(SIGKILL);
        _exit(1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
    assert_int_equal(test_directory_count(&directory), 0);
    test_directory_remove(&directory);
}

static void a_file_in_memory_cannot_be_committed(void **state) {
    (void)state;
    struct file_writer writer;
    assert_int_equal(file_writer_open_memory(&writer, "test", NULL), STATUS_OK);
    assert_int_equal(file_writer_write(&writer, "x", 1, NULL), STATUS_OK);
    assert_int_equal(file_writer_commit(&writer, NULL), STATUS_INTERNAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_appears_at_commit_and_alone),
        cmocka_unit_test(an_aborted_file_leaves_nothing),
        cmocka_unit_test(the_mode_is_what_the_umask_leaves),
        cmocka_unit_test(targets_that_are_no_files_are_refused),
        cmocka_unit_test(a_killed_writer_leaves_nothing),
        cmocka_unit_test(a_file_in_memory_cannot_be_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
