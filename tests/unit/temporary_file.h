/* Files that a test makes for the code under test to read. */
#ifndef RESCOLDO_TESTS_TEMPORARY_FILE_H
#define RESCOLDO_TESTS_TEMPORARY_FILE_H

#include "base/bytes.h"
#include "unit_test.h"

#include <stdlib.h>
#include <unistd.h>

#define TEMPORARY_PATH "/tmp/rescoldo-test-XXXXXX"

/* Writes content to a new file and its name to path; the test removes it. */
static inline void temporary_file(char path[sizeof TEMPORARY_PATH], struct bytes content) {
    memcpy(path, TEMPORARY_PATH, sizeof TEMPORARY_PATH);
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    for (size_t written = 0; written < content.size;) {
        ssize_t count = write(descriptor, content.data + written, content.size - written);
        assert_true(count > 0);
        written += (size_t)count;
    }
    assert_int_equal(close(descriptor), 0);
}

#endif
