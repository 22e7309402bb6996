/* CPU quotas of control groups, read below a made-up root. */
#include "base/cpu_limit.h"
#include "tiny_model.h"
#include "unit_test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Writes a file below the directory, and the directories on its way. */
static void put(const struct test_directory *root, const char *path, const char *text) {
    char partial[512];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(partial, sizeof partial, "%s/%.*s", root->path, (int)(slash - path), path);
        (void)mkdir(partial, 0700);
    }
    test_write_text(root, path, text);
}

struct quota_case {
    const char *groups; /* /proc/self/cgroup */
    const char *path, *text, *second_path, *second_text;
    unsigned expected;
};

static void quotas_are_read(void **state) {
    (void)state;
    static const struct quota_case cases[] = {
        {"0::/\n", "sys/fs/cgroup/cpu.max", "200000 100000\n", NULL, NULL, 2},
        {"0::/\n", "sys/fs/cgroup/cpu.max", "max 100000\n", NULL, NULL, 0},
        {"0::/\n", "sys/fs/cgroup/cpu.max", "50000 100000\n", NULL, NULL, 1},
        {"0::/\n", "sys/fs/cgroup/cpu.max", "399999 100000\n", NULL, NULL, 3},
        {"0::/\n", "sys/fs/cgroup/cpu.max", "", NULL, NULL, 0},
        {"0::/\n", "sys/fs/cgroup/cpu.max", "0 0\n", NULL, NULL, 0},
        {"0::/\n", "sys/fs/cgroup/cpu.max", "-5 100000\n", NULL, NULL, 0},
        {"0::/\n", "sys/fs/cgroup/cpu.max", "many\n", NULL, NULL, 0},
        /* The least of the group and those above it. */
        {"0::/a/b\n", "sys/fs/cgroup/a/cpu.max", "300000 100000\n", "sys/fs/cgroup/a/b/cpu.max",
         "max 100000\n", 3},
        {"0::/a/b\n", "sys/fs/cgroup/a/cpu.max", "300000 100000\n", "sys/fs/cgroup/a/b/cpu.max",
         "800000 100000\n", 3},
        /* The path of the host, as a container may see it. */
        {"0::/system.slice/docker-1.scope\n", "sys/fs/cgroup/cpu.max", "150000 100000\n", NULL, NULL, 1},
        {"12:memory:/m\n4:cpu,cpuacct:/c\n0::/\n", "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "400000\n",
         "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n", 4},
        {"4:cpuacct,cpu:/c\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n",
         "sys/fs/cgroup/cpu/cpu.cfs_period_us", "200000\n", 2},
        {"4:cpu:/c\n", "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "-1\n",
         "sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n", 0},
        {"4:cpuset:/c\n", "sys/fs/cgroup/cpuset/c/cpu.cfs_quota_us", "400000\n",
         "sys/fs/cgroup/cpuset/c/cpu.cfs_period_us", "100000\n", 0},
        {"nonsense\n::\n", "sys/fs/cgroup/x", "", NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct test_directory root = test_directory_create();
        put(&root, "proc/self/cgroup", cases[i].groups);
        put(&root, cases[i].path, cases[i].text);
        if (cases[i].second_path != NULL)
            put(&root, cases[i].second_path, cases[i].second_text);
        unsigned quota = cpu_quota(root.path);
        if (quota != cases[i].expected)
            fail_msg("case %zu: %u, expected %u", i, quota, cases[i].expected);
        test_directory_remove(&root);
    }
}

static void without_groups_there_is_no_quota(void **state) {
    (void)state;
    struct test_directory root = test_directory_create();
    assert_int_equal(cpu_quota(root.path), 0);
    test_directory_remove(&root);
    assert_true(cpu_limit() >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotas_are_read),
        cmocka_unit_test(without_groups_there_is_no_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
