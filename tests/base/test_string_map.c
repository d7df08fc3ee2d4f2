#include "unit.h"

#include "base/string_map.h"

#include <stdio.h>
#include <string.h>

enum { N_KEYS = 20000 };

static void test_an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct string_map map = {0};
    uint64_t value = 42;
    assert_false(string_map_get(&map, "a", 1, &value));
    assert_int_equal(value, 42);
    string_map_release(&map);
}

static void test_finds_all_of_many(void **state)
{
    (void)state;
    static char keys[N_KEYS][12];
    struct string_map map = {0};
    uint64_t value;
    for (uint64_t i = 0; i < N_KEYS; i++) {
        int n = snprintf(keys[i], sizeof keys[i], "key%d", (int)i);
        assert_true(string_map_put(&map, keys[i], (size_t)n, i * i));
    }
    assert_int_equal(map.n_items, N_KEYS);
    for (uint64_t i = 0; i < N_KEYS; i++) {
        assert_true(string_map_get(&map, keys[i], strlen(keys[i]), &value));
        assert_int_equal(value, i * i);
    }
    assert_false(string_map_get(&map, "key20000", 8, &value));
    assert_false(string_map_get(&map, "key", 3, &value));
    string_map_release(&map);
    assert_int_equal(map.n_items, 0);
}

static void test_put_replaces(void **state)
{
    (void)state;
    struct string_map map = {0};
    uint64_t value;
    assert_true(string_map_put(&map, "a", 1, 1));
    assert_true(string_map_put(&map, "a", 1, 2));
    assert_int_equal(map.n_items, 1);
    assert_true(string_map_get(&map, "a", 1, &value));
    assert_int_equal(value, 2);
    string_map_release(&map);
}

static void test_keys_are_bytes_of_every_length(void **state)
{
    (void)state;
    static const unsigned char zeros[64], ones[1] = {1};
    struct string_map map = {0};
    uint64_t value;
    for (size_t n = 0; n <= 64; n++) assert_true(string_map_put(&map, zeros, n, n));
    assert_true(string_map_put(&map, ones, 1, 100));
    assert_int_equal(map.n_items, 66);
    for (size_t n = 0; n <= 64; n++) {
        assert_true(string_map_get(&map, zeros, n, &value));
        assert_int_equal(value, n);
    }
    assert_true(string_map_get(&map, ones, 1, &value));
    assert_int_equal(value, 100);
    string_map_release(&map);
}

static void test_reserve_grows_once(void **state)
{
    (void)state;
    static const char key[3000];
    struct string_map map = {0};
    assert_true(string_map_reserve(&map, 2500));
    size_t n_slots = map.n_slots;
    for (size_t n = 1; n <= 2500; n++) assert_true(string_map_put(&map, key, n, n));
    assert_int_equal(map.n_slots, n_slots);
    string_map_release(&map);
}

static void test_an_impossible_reserve_leaves_the_map(void **state)
{
    (void)state;
    struct string_map map = {0};
    uint64_t value;
    assert_true(string_map_put(&map, "a", 1, 1));
    assert_false(string_map_reserve(&map, SIZE_MAX));
    assert_false(string_map_reserve(&map, SIZE_MAX / 64));
    assert_true(string_map_get(&map, "a", 1, &value));
    string_map_release(&map);
}

static void test_seeds_differ(void **state)
{
    (void)state;
    struct string_map first = {0}, second = {0};
    assert_true(string_map_put(&first, "a", 1, 1));
    assert_true(string_map_put(&second, "a", 1, 1));
    assert_int_not_equal(first.seed, second.seed);
    string_map_release(&first);
    string_map_release(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_map_has_nothing),
        cmocka_unit_test(test_finds_all_of_many),
        cmocka_unit_test(test_put_replaces),
        cmocka_unit_test(test_keys_are_bytes_of_every_length),
        cmocka_unit_test(test_reserve_grows_once),
        cmocka_unit_test(test_an_impossible_reserve_leaves_the_map),
        cmocka_unit_test(test_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
