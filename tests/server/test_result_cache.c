/* Results are kept for as long and as many as the limits say; time is the test's own. */
#include "unit.h"

#include "server/scheduler/result_cache.h"

#include <string.h>

static const uint64_t second = UINT64_C(1000000000);

static struct transcript *make_transcript(size_t n_bytes)
{
    static const char zeros[4096];
    struct transcript *transcript = transcript_new();
    assert_non_null(transcript_copy(transcript, zeros, n_bytes));
    transcript_append(transcript, transcript_last_event(transcript, EVENT_DONE));
    return transcript;
}

static void make_key(unsigned number, unsigned char key[SHA256_BYTES])
{
    sha256_of(&number, sizeof number, key);
}

static void put(struct result_cache *cache, unsigned number, uint64_t now_ns)
{
    unsigned char key[SHA256_BYTES];
    struct transcript *transcript = make_transcript(16);
    make_key(number, key);
    result_cache_put(cache, key, transcript, now_ns);
    transcript_unref(transcript);
}

static bool has(struct result_cache *cache, unsigned number, uint64_t now_ns)
{
    unsigned char key[SHA256_BYTES];
    make_key(number, key);
    struct transcript *transcript = result_cache_get(cache, key, now_ns);
    bool is_there = transcript != NULL;
    transcript_unref(transcript);
    return is_there;
}

static void test_entries_used_longest_ago_go_first(void **state)
{
    (void)state;
    struct result_limits limits = {.max_entries = 3, .max_bytes = 1 << 20};
    struct result_cache *cache = result_cache_new(&limits);
    for (unsigned i = 0; i < 3; i++) put(cache, i, second);
    assert_true(has(cache, 0, second));
    put(cache, 3, second);
    assert_true(has(cache, 0, second));
    assert_false(has(cache, 1, second));
    struct result_counts counts = result_cache_counts(cache);
    assert_int_equal(counts.n_entries, 3);
    assert_int_equal(counts.n_hits, 2);
    assert_int_equal(counts.n_misses, 1);
    result_cache_free(cache);
}

static void test_bytes(void **state)
{
    (void)state;
    struct result_limits limits = {.max_entries = 1000, .max_bytes = 20000};
    struct result_cache *cache = result_cache_new(&limits);
    for (unsigned i = 0; i < 100; i++) put(cache, i, second);
    struct result_counts counts = result_cache_counts(cache);
    assert_true(counts.n_bytes <= 20000 && counts.n_entries > 1 && counts.n_entries < 100);
    assert_true(has(cache, 99, second));
    limits.max_bytes = 100; /* less than one takes */
    result_cache_set_limits(cache, &limits, second);
    assert_int_equal(result_cache_counts(cache).n_entries, 0);
    assert_int_equal(result_cache_counts(cache).n_bytes, 0);
    put(cache, 1, second);
    assert_false(has(cache, 1, second));
    result_cache_free(cache);
}

static void test_time_to_live(void **state)
{
    (void)state;
    struct result_limits limits = {.max_entries = 10, .max_bytes = 1 << 20, .ttl_ns = 3600 * second};
    struct result_cache *cache = result_cache_new(&limits);
    put(cache, 1, second);
    assert_true(has(cache, 1, 3600 * second));
    assert_false(has(cache, 1, 3601 * second));
    assert_int_equal(result_cache_counts(cache).n_entries, 0);
    result_cache_free(cache);
}

static void test_idleness(void **state)
{
    (void)state;
    struct result_limits limits = {.max_entries = 10, .max_bytes = 1 << 20, .ttl_ns = 3600 * second, .idle_ns = 1800 * second};
    struct result_cache *cache = result_cache_new(&limits);
    put(cache, 1, second);
    put(cache, 2, second);
    assert_true(has(cache, 1, 1700 * second));
    assert_true(has(cache, 1, 3400 * second)); /* asked for in between */
    assert_int_equal(result_cache_counts(cache).n_entries, 1);
    assert_false(has(cache, 2, 3400 * second));
    result_cache_free(cache);
}

static void test_many_entries(void **state)
{
    (void)state;
    struct result_limits limits = {.max_entries = 3000, .max_bytes = UINT64_C(1) << 40};
    struct result_cache *cache = result_cache_new(&limits);
    for (unsigned i = 0; i < 4000; i++) put(cache, i, second);
    for (unsigned i = 0; i < 4000; i++) assert_int_equal(has(cache, i, second), i >= 1000);
    put(cache, 2000, second); /* again: in its own place */
    assert_int_equal(result_cache_counts(cache).n_entries, 3000);
    result_cache_free(cache);
}

static void test_none_are_kept(void **state)
{
    (void)state;
    struct result_limits limits = {.max_bytes = 1 << 20};
    struct result_cache *cache = result_cache_new(&limits);
    put(cache, 1, second);
    assert_false(has(cache, 1, second));
    result_cache_free(cache);
    result_cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_used_longest_ago_go_first), cmocka_unit_test(test_bytes), cmocka_unit_test(test_time_to_live),
        cmocka_unit_test(test_idleness), cmocka_unit_test(test_many_entries), cmocka_unit_test(test_none_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
