/* Forecasts and admission, with times and jobs made up. */
#include "server/admission.h"
#include "unit_test.h"

#include <string.h>

#define JOBS 5u

static const struct shortage nothing = {0};

struct fixture {
    struct job jobs[JOBS];
    struct job_list list;
    struct forecast forecast;
    struct limits limits;
    struct admission admission;
    struct backlog backlog;
};

/* `count` jobs of so many tokens each, one microsecond a token, of a model beside which there is a second. */
static void fill(struct fixture *fixture, size_t count, double tokens) {
    memset(fixture, 0, sizeof *fixture);
    limits_set_defaults(&fixture->limits);
    forecast_init(&fixture->forecast, 2);
    forecast_learn_slice(&fixture->forecast, 0, 1000, 1000000);
    for (size_t i = 0; i < count; i++) {
        fixture->jobs[i].unprepared_tokens = tokens;
        fixture->jobs[i].body_size = 100;
        job_list_append(&fixture->list, &fixture->jobs[i]);
    }
    fixture->backlog =
        (struct backlog){&fixture->list, &fixture->forecast, &fixture->limits, .workers = 1, .now = 1};
}

static bool has_room(const struct fixture *fixture, double tokens, size_t model) {
    const struct demand demand = {tokens, model};
    return admission_has_room(&fixture->backlog, &demand);
}

static uint64_t promise(struct fixture *fixture, double tokens, struct shortage shortage) {
    const struct demand demand = {tokens, 0};
    return admission_promise(&fixture->admission, &fixture->backlog, &demand, shortage);
}

static void a_stalled_slice_moves_nothing(void **state) {
    (void)state;
    struct forecast forecast;
    forecast_init(&forecast, 1);
    assert_true(forecast_nanoseconds_per_token(&forecast, 0) == 0);
    for (size_t i = 0; i < 5; i++)
        forecast_learn_slice(&forecast, 0, 500, 500000);
    forecast_learn_slice(&forecast, 0, 500, 5000000000u);
    forecast_learn_slice(&forecast, 0, 2, 5000000000u); /* too small to teach */
    assert_true(forecast_nanoseconds_per_token(&forecast, 0) == 1000);
}

static void each_model_has_its_speed(void **state) {
    (void)state;
    struct forecast forecast;
    forecast_init(&forecast, 2);
    forecast_begin(&forecast, 0, 10, 10000);
    forecast_begin(&forecast, 1, 10, 300000);
    for (size_t i = 0; i < 2000; i++)
        forecast_learn_slice(&forecast, 0, 500, 500000);
    assert_true(forecast_nanoseconds_per_token(&forecast, 0) == 1000);
    assert_true(forecast_nanoseconds_per_token(&forecast, 1) == 30000);
    /* Nearly all of late was the first one's. */
    double any = forecast_nanoseconds_per_token(&forecast, FORECAST_ANY_MODEL);
    assert_true(any > 999 && any < 1100);
    for (size_t i = 0; i < 2000; i++)
        forecast_learn_slice(&forecast, i % 2, 500, i % 2 == 0 ? 500000 : 15000000);
    any = forecast_nanoseconds_per_token(&forecast, FORECAST_ANY_MODEL);
    assert_true(any > 14000 && any < 17000);
    struct job light = {.model = 0, .unprepared_tokens = 300};
    struct job heavy = {.model = 1, .ready_tokens = 20};
    assert_true(job_remaining_nanoseconds(&light, &forecast) == 300000);
    assert_true(job_remaining_nanoseconds(&heavy, &forecast) == 600000);
}

static void bodies_teach_tokens_per_byte(void **state) {
    (void)state;
    struct forecast forecast;
    forecast_init(&forecast, 1);
    for (size_t i = 0; i < 1000; i++) {
        forecast_learn_body(&forecast, 10000, 1000);
        forecast_learn_texts(&forecast, 10, 8000, 1030);
    }
    double body = forecast_body_tokens(&forecast, 10000);
    assert_true(body > 990 && body < 1010);
    assert_true(forecast_text_tokens(&forecast.of_texts, 80000, 512) == 512);
    double text = forecast_text_tokens(&forecast.of_texts, 800, 512);
    assert_true(text > 102 && text < 104); /* three of them special, which bytes do not make */
    for (size_t i = 0; i < 1000; i++)
        forecast_learn_texts(&forecast, 10000, 0, 30000);
    assert_true(forecast_text_tokens(&forecast.of_texts, 800, 512) == text);
}

static void what_does_not_go_before_does_not_refuse(void **state) {
    (void)state;
    struct fixture fixture;
    fill(&fixture, 3, 30e6); /* 30 s each */
    fixture.limits.max_queued_tokens = 1000000000;
    assert_true(has_room(&fixture, 10, 0));
    assert_false(has_room(&fixture, 30e6, 0));
    fixture.limits.max_queued_tokens = 50;
    assert_false(has_room(&fixture, 10, 0));
    fill(&fixture, 0, 0);
    fixture.limits.max_queued_tokens = 1;
    assert_true(has_room(&fixture, 1e12, 0)); /* alone */
}

/* The refused come back one after the other, each when a job more is done. */
static void promises_follow_one_another(void **state) {
    (void)state;
    struct fixture fixture;
    fill(&fixture, 3, 1e6); /* a second each */
    fixture.limits.max_queued_requests = 2;
    assert_false(has_room(&fixture, 1e6, 0));
    uint64_t before = 0;
    for (size_t i = 1; i <= 3; i++) {
        uint64_t milliseconds = promise(&fixture, 1e6, nothing);
        assert_true(milliseconds >= 1000 * i && milliseconds < 1000 * i * 12 / 10 + 100);
        assert_true(milliseconds > before);
        before = milliseconds;
    }
    /* Their time has come: they are forgotten. */
    fixture.backlog.now = 3600 * (uint64_t)1000000000;
    uint64_t later = promise(&fixture, 1e6, nothing);
    assert_true(later < 1300);
}

static void memory_is_waited_for(void **state) {
    (void)state;
    struct fixture fixture;
    fill(&fixture, 4, 1e6);
    for (size_t i = 0; i < 4; i++)
        fixture.jobs[i].work_bytes = 1000 * i;
    uint64_t two = promise(&fixture, 1, (struct shortage){.body_bytes = 150});
    assert_true(two >= 2000 && two < 2400);
    uint64_t three = promise(&fixture, 1, (struct shortage){.body_bytes = 150, .work_bytes = 2500});
    assert_true(three >= 3000 && three < 3500);
    /* More than the jobs hold. */
    assert_true(promise(&fixture, 1, (struct shortage){.body_bytes = 1000}) >= 4000);
    assert_true(promise(&fixture, 1, (struct shortage){.work_bytes = 6001}) >= 4000);
}

/* What goes before whom, and for how long, is a matter of time and not of tokens. */
static void a_heavy_model_holds_up_a_light_one(void **state) {
    (void)state;
    struct fixture fixture;
    fill(&fixture, 1, 1e6);
    fixture.jobs[0].model = 1;
    forecast_learn_slice(&fixture.forecast, 1, 64, 64 * 70 * (uint64_t)1000); /* 70 s in all */
    assert_true(backlog_nanoseconds(&fixture.backlog) == 70 * (uint64_t)1000000000);
    assert_true(has_room(&fixture, 1e6, 0));
    assert_false(has_room(&fixture, 1e6, 1)); /* as much as that which runs */
    fixture.limits.max_queued_requests = 1;
    job_list_append(&fixture.list, &fixture.jobs[1]);
    fixture.jobs[1].unprepared_tokens = 2e6; /* of the light one: done after 2 s */
    assert_false(has_room(&fixture, 1e6, 0));
    uint64_t milliseconds = promise(&fixture, 1, nothing);
    assert_true(milliseconds >= 2000 && milliseconds < 2400);
}

static void times_beyond_all_bounds_are_bounded(void **state) {
    (void)state;
    struct fixture fixture;
    fill(&fixture, 2, 1e30);
    assert_true(backlog_nanoseconds(&fixture.backlog) == (uint64_t)1e16);
    assert_true(promise(&fixture, 1e30, nothing) == (uint64_t)1e10 + 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stalled_slice_moves_nothing),
        cmocka_unit_test(each_model_has_its_speed),
        cmocka_unit_test(bodies_teach_tokens_per_byte),
        cmocka_unit_test(what_does_not_go_before_does_not_refuse),
        cmocka_unit_test(promises_follow_one_another),
        cmocka_unit_test(memory_is_waited_for),
        cmocka_unit_test(a_heavy_model_holds_up_a_light_one),
        cmocka_unit_test(times_beyond_all_bounds_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
