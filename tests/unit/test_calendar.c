/* Dates: what libc's own calendar says of the same second. */
#include "base/calendar.h"
#include "unit_test.h"

#include <time.h>

static void assert_is_libcs(uint64_t seconds) {
    time_t time = (time_t)seconds;
    struct tm expected;
    assert_non_null(gmtime_r(&time, &expected));
    struct calendar found = calendar_of(seconds);
    assert_int_equal(found.year, expected.tm_year + 1900);
    assert_int_equal(found.month, expected.tm_mon + 1);
    assert_int_equal(found.day, expected.tm_mday);
    assert_int_equal(found.weekday, expected.tm_wday);
    assert_int_equal(found.hour, expected.tm_hour);
    assert_int_equal(found.minute, expected.tm_min);
    assert_int_equal(found.second, expected.tm_sec);
}

/* The calendar repeats itself after 400 years. */
static void test_every_day_of_the_next_400_years(void **state) {
    (void)state;
    for (uint64_t day = 0; day < 366 * 430; day++) {
        assert_is_libcs(day * 86400);
        assert_is_libcs(day * 86400 + 86399);
    }
}

static void test_every_second_of_a_leap_day(void **state) {
    (void)state;
    for (uint64_t second = 0; second < 86400; second++)
        assert_is_libcs(951782400 + second); /* 2000-02-29 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day_of_the_next_400_years),
        cmocka_unit_test(test_every_second_of_a_leap_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
