#include "unit.h"

#include "base/clock.h"
#include "base/cpu_count.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A small copy of what the kernel shows below /proc and /sys. */
static char root[] = "/tmp/hob-cgroup-XXXXXX";

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

/* Writes text to root/name, making folders on the way. */
static void put(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static size_t quota(const char *cgroup_text)
{
    char path[200];
    put("self", cgroup_text);
    snprintf(path, sizeof path, "%s/self", root);
    return cpu_count_quota(path, root);
}

static void test_version_2(void **state)
{
    (void)state;
    put("v2/two/cpu.max", "200000 100000\n");
    put("v2/two/below/cpu.max", "max 100000\n");
    put("v2/part/cpu.max", "150000 100000\n");
    put("v2/little/cpu.max", "1000 100000\n");
    assert_int_equal(quota("0::/v2/two\n"), 2);
    assert_int_equal(quota("0::/v2/two/below\n"), 2); /* the ancestor's */
    assert_int_equal(quota("0::/v2/part\n"), 2);      /* rounded up */
    assert_int_equal(quota("0::/v2/little\n"), 1);
    assert_int_equal(quota("0::/v2/gone\n"), 0);
    assert_int_equal(quota("0::/\n"), 0);
}

static void test_version_1(void **state)
{
    (void)state;
    put("cpu,cpuacct/three/cpu.cfs_quota_us", "300000\n");
    put("cpu,cpuacct/three/cpu.cfs_period_us", "100000\n");
    put("cpu,cpuacct/free/cpu.cfs_quota_us", "-1\n");
    put("cpu,cpuacct/free/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota("5:memory:/three\n4:cpu,cpuacct:/three\n"), 3);
    assert_int_equal(quota("4:cpu,cpuacct:/free\n"), 0);
    assert_int_equal(quota("4:cpuacct,cpuset:/three\n"), 0);
}

static void test_both_versions_take_the_tighter(void **state)
{
    (void)state;
    put("both/cpu.max", "400000 100000\n");
    put("cpu/both/cpu.cfs_quota_us", "200000\n");
    put("cpu/both/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota("1:cpu:/both\n0::/both\n"), 2);
}

static void test_nonsense_is_no_quota(void **state)
{
    (void)state;
    put("bad/a/cpu.max", "\n");
    put("bad/b/cpu.max", "100000\n");
    put("bad/c/cpu.max", "100000 0\n");
    put("bad/d/cpu.max", "");
    put("cpu/e/cpu.cfs_quota_us", "100000");
    assert_int_equal(quota("0::/bad/a\n0::/bad/b\n0::/bad/c\n0::/bad/d\n1:cpu:/e\n"), 0);
    assert_int_equal(quota("rubbish\n1:cpu\n:\n\n"), 0);
    assert_int_equal(quota(""), 0);
    assert_int_equal(cpu_count_quota("/nowhere/self", root), 0);
    char long_path[5000] = "0::/";
    memset(long_path + 4, 'x', sizeof long_path - 5);
    assert_int_equal(quota(long_path), 0);
    memcpy(long_path, "1:cpu:/", 7);
    long_path[4090] = '\0';
    assert_int_equal(quota(long_path), 0);
}

static void test_the_count_is_at_least_one(void **state)
{
    (void)state;
    assert_true(cpu_count() >= 1);
}

static void test_clocks_go_forward(void **state)
{
    (void)state;
    uint64_t wall_ns = clock_now_ns(), cpu_ns = clock_cpu_ns();
    while (clock_cpu_ns() == cpu_ns) continue;
    assert_true(clock_cpu_ns() > cpu_ns);
    assert_true(clock_now_ns() > wall_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_both_versions_take_the_tighter),
        cmocka_unit_test(test_nonsense_is_no_quota),
        cmocka_unit_test(test_the_count_is_at_least_one),
        cmocka_unit_test(test_clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
