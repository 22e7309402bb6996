/* Memory limits of control groups, read below a made-up root; and what the server makes of a limit. */
#include "base/memory_limit.h"
#include "server/memory_budget.h"
#include "server/memory_plan.h"
#include "tiny_model.h"
#include "unit_test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MIB ((uint64_t)1024 * 1024)

/* Writes a file below the directory, and the directories on its way. */
static void put(const struct test_directory *root, const char *path, const char *text) {
    char partial[512];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(partial, sizeof partial, "%s/%.*s", root->path, (int)(slash - path), path);
        (void)mkdir(partial, 0700);
    }
    test_write_text(root, path, text);
}

static void limits_of_groups(void **state) {
    (void)state;
    static const struct {
        const char *groups, *path, *text, *second_path, *second_text;
        uint64_t expected;
    } cases[] = {
        {"0::/\n", "sys/fs/cgroup/memory.max", "67108864\n", NULL, NULL, 67108864},
        {"0::/\n", "sys/fs/cgroup/memory.max", "max\n", NULL, NULL, 0},
        {"0::/\n", "sys/fs/cgroup/memory.max", "-1\n", NULL, NULL, 0},
        {"0::/\n", "sys/fs/cgroup/memory.max", "", NULL, NULL, 0},
        {"0::/a/b\n", "sys/fs/cgroup/a/memory.max", "2000000\n", "sys/fs/cgroup/a/b/memory.max", "max\n",
         2000000},
        {"0::/a/b\n", "sys/fs/cgroup/a/memory.max", "2000000\n", "sys/fs/cgroup/a/b/memory.max", "1000000\n",
         1000000},
        {"0::/docker/1\n", "sys/fs/cgroup/memory.max", "3000000\n", NULL, NULL, 3000000},
        {"9:memory:/m\n0::/\n", "sys/fs/cgroup/memory/m/memory.limit_in_bytes", "4000000\n", NULL, NULL,
         4000000},
        {"9:memory:/docker/1\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "5000000\n", NULL, NULL,
         5000000},
        {"9:memory:/m\n", "sys/fs/cgroup/memory/m/memory.limit_in_bytes", "9223372036854771712\n", NULL, NULL,
         0},
        {"9:cpu:/m\n", "sys/fs/cgroup/cpu/m/memory.limit_in_bytes", "4000000\n", NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct test_directory root = test_directory_create();
        put(&root, "proc/self/cgroup", cases[i].groups);
        put(&root, cases[i].path, cases[i].text);
        if (cases[i].second_path != NULL)
            put(&root, cases[i].second_path, cases[i].second_text);
        uint64_t limit = memory_limit(root.path);
        if (limit != cases[i].expected)
            fail_msg("case %zu: %llu", i, (unsigned long long)limit);
        test_directory_remove(&root);
    }
    assert_int_equal(memory_limit("/nonexistent"), 0);
}

static void sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        uint64_t bytes;
    } cases[] = {
        {"64MiB", true, 64 * MIB},
        {"1GiB", true, 1024 * MIB},
        {"512KiB", true, MIB / 2},
        {"1000", true, 1000},
        {"none", true, 0},
        {"0", false, 0},
        {"", false, 0},
        {"MiB", false, 0},
        {"64MB", false, 0},
        {"64 MiB", false, 0},
        {"-1", false, 0},
        {"1.5GiB", false, 0},
        {"9999999999999999", false, 0},
        {"999999999999999GiB", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes = 1;
        if (memory_size_parse(cases[i].text, &bytes) != cases[i].valid ||
            (cases[i].valid && bytes != cases[i].bytes))
            fail_msg("\"%s\": %llu", cases[i].text, (unsigned long long)bytes);
    }
}

static struct memory_plan plan_of(uint64_t limit, uint64_t model, uint64_t sessions) {
    return (struct memory_plan){.limit = limit, .source = "a test", .model = model, .sessions = sessions};
}

/* Whatever the limit: either the parts fit it, or the start is refused with their sum. */
static void plans_fit_or_are_refused(void **state) {
    (void)state;
    bool fitted = false, refused = false;
    for (uint64_t limit = MIB; limit < 4096 * MIB; limit += limit / 16) {
        struct memory_plan plan = plan_of(limit, 34 * MIB, 5 * MIB);
        struct limits limits;
        struct error error;
        limits_set_defaults(&limits);
        enum status status = memory_plan_fit(&plan, 1, &limits, &error);
        uint64_t sum = plan.program + plan.model + plan.sessions + plan.cache + plan.connections +
                       plan.bodies + plan.work;
        assert_int_equal(sum, plan.total);
        assert_true(limits.max_body_bytes <= limits.max_body_bytes_in_flight && limits.max_connections > 0);
        if (status == STATUS_OK) {
            assert_true(plan.total <= limit);
            fitted = true;
        } else {
            assert_int_equal(status, STATUS_LIMIT_EXCEEDED);
            assert_true(plan.total > limit && !fitted && strstr(error.message, "a test") != NULL);
            refused = true;
        }
    }
    assert_true(fitted && refused);
}

static void a_model_of_twelve_layers_fits_64_mib(void **state) {
    (void)state;
    struct memory_plan plan = plan_of(64 * MIB, 34 * MIB, 5 * MIB);
    struct limits limits;
    struct error error;
    limits_set_defaults(&limits);
    assert_int_equal(memory_plan_fit(&plan, 1, &limits, &error), STATUS_OK);
    assert_true(plan.lowered && limits.max_connections >= 64 && limits.max_body_bytes >= MIB);
}

static void limits_that_were_given_stay(void **state) {
    (void)state;
    struct memory_plan plan = plan_of(64 * MIB, 34 * MIB, 5 * MIB);
    struct limits limits;
    struct error error;
    limits_set_defaults(&limits);
    limits.max_body_bytes_in_flight = 32 * MIB;
    assert_int_equal(memory_plan_fit(&plan, 1, &limits, &error), STATUS_LIMIT_EXCEEDED);
    assert_int_equal(limits.max_body_bytes_in_flight, 32 * MIB);
    plan = plan_of(0, 34 * MIB, 5 * MIB);
    assert_int_equal(memory_plan_fit(&plan, 1, &limits, &error), STATUS_OK);
    assert_false(plan.lowered);
}

static void claims_keep_within_the_budget(void **state) {
    (void)state;
    struct memory_budget budget = {.maximum = 100};
    struct memory_claim one = {.budget = &budget}, other = {.budget = &budget}, free_one = {.budget = NULL};
    assert_true(memory_claim_add(&one, 60) && !memory_claim_add(&other, 41) && memory_claim_add(&other, 40));
    assert_false(memory_claim_add(&one, 1) || memory_claim_add(&one, UINT64_MAX));
    memory_claim_release(&one);
    assert_int_equal(budget.used, 40);
    memory_claim_release(&one);
    memory_claim_release(&other);
    assert_int_equal(budget.used, 0);
    assert_true(memory_claim_add(&free_one, UINT64_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_groups),
        cmocka_unit_test(sizes),
        cmocka_unit_test(plans_fit_or_are_refused),
        cmocka_unit_test(a_model_of_twelve_layers_fits_64_mib),
        cmocka_unit_test(limits_that_were_given_stay),
        cmocka_unit_test(claims_keep_within_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
