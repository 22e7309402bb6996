/* Forecasts and admission, with times and jobs made up. */
#include "server/admission.h"
#include "unit_test.h"

#include <string.h>

#define JOBS 5u

struct fixture {
    struct job jobs[JOBS];
    struct job_list list;
    struct forecast forecast;
    struct limits limits;
    struct admission admission;
    struct backlog backlog;
};

/* `count` jobs of so many tokens each, one microsecond a token. */
static void fill(struct fixture *fixture, size_t count, double tokens) {
    memset(fixture, 0, sizeof *fixture);
    limits_set_defaults(&fixture->limits);
    forecast_init(&fixture->forecast);
    forecast_learn_slice(&fixture->forecast, 1000, 1000000);
    for (size_t i = 0; i < count; i++) {
        fixture->jobs[i].unprepared_tokens = tokens;
        fixture->jobs[i].body_size = 100;
        job_list_append(&fixture->list, &fixture->jobs[i]);
    }
    fixture->backlog =
        (struct backlog){&fixture->list, &fixture->forecast, &fixture->limits, .workers = 1, .now = 1};
}

static void a_stalled_slice_moves_nothing(void **state) {
    (void)state;
    struct forecast forecast;
    forecast_init(&forecast);
    assert_true(forecast.nanoseconds_per_token == 0);
    for (size_t i = 0; i < 5; i++)
        forecast_learn_slice(&forecast, 500, 500000);
    forecast_learn_slice(&forecast, 500, 5000000000u);
    forecast_learn_slice(&forecast, 2, 5000000000u); /* too small to teach */
    assert_true(forecast.nanoseconds_per_token == 1000);
}

static void bodies_teach_tokens_per_byte(void **state) {
    (void)state;
    struct forecast forecast;
    forecast_init(&forecast);
    for (size_t i = 0; i < 1000; i++)
        forecast_learn_request(&forecast, 10000, 8000, 1000);
    double body = forecast_body_tokens(&forecast, 10000);
    assert_true(body > 990 && body < 1010);
    assert_true(forecast_text_tokens(&forecast, 80000, 512) == 512);
}

static void what_does_not_go_before_does_not_refuse(void **state) {
    (void)state;
    struct fixture fixture;
    fill(&fixture, 3, 30e6); /* 30 s each */
    fixture.limits.max_queued_tokens = 1000000000;
    assert_true(admission_has_room(&fixture.backlog, 10));
    assert_false(admission_has_room(&fixture.backlog, 30e6));
    fixture.limits.max_queued_tokens = 50;
    assert_false(admission_has_room(&fixture.backlog, 10));
    fill(&fixture, 0, 0);
    fixture.limits.max_queued_tokens = 1;
    assert_true(admission_has_room(&fixture.backlog, 1e12)); /* alone */
}

/* The refused come back one after the other, each when a job more is done. */
static void promises_follow_one_another(void **state) {
    (void)state;
    struct fixture fixture;
    fill(&fixture, 3, 1e6); /* a second each */
    fixture.limits.max_queued_requests = 2;
    assert_false(admission_has_room(&fixture.backlog, 1e6));
    uint64_t before = 0;
    for (size_t i = 1; i <= 3; i++) {
        uint64_t milliseconds = admission_promise(&fixture.admission, &fixture.backlog, 1e6, 0);
        assert_true(milliseconds >= 1000 * i && milliseconds < 1000 * i * 12 / 10 + 100);
        assert_true(milliseconds > before);
        before = milliseconds;
    }
    /* Their time has come: they are forgotten. */
    fixture.backlog.now = 3600 * (uint64_t)1000000000;
    uint64_t later = admission_promise(&fixture.admission, &fixture.backlog, 1e6, 0);
    assert_true(later < 1300);
}

static void bodies_are_waited_for(void **state) {
    (void)state;
    struct fixture fixture;
    fill(&fixture, 4, 1e6);
    uint64_t two = admission_promise(&fixture.admission, &fixture.backlog, 1, 150);
    assert_true(two >= 2000 && two < 2400);
    uint64_t more = admission_promise(&fixture.admission, &fixture.backlog, 1, 1000);
    assert_true(more >= 4000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stalled_slice_moves_nothing),
        cmocka_unit_test(bodies_teach_tokens_per_byte),
        cmocka_unit_test(what_does_not_go_before_does_not_refuse),
        cmocka_unit_test(promises_follow_one_another),
        cmocka_unit_test(bodies_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
