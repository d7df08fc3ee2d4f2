#include "unit.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

/* Known answers of Philox4x32-10, from the authors' Random123 distribution. */
static void test_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], words[4];
    } answers[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t words[4];
        rng_philox(answers[i].counter, answers[i].key, words);
        assert_memory_equal(words, answers[i].words, sizeof words);
    }
}

static void test_the_stream_is_the_blocks_in_order(void **state)
{
    (void)state;
    struct rng zero = {0};
    static const uint32_t expected[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    for (int i = 0; i < 4; i++) assert_int_equal(rng_next(&zero), expected[i]);
    assert_int_equal(zero.position, 4);
    uint32_t fifth = rng_next(&zero), words[4];
    rng_philox((uint32_t[4]){1}, (uint32_t[2]){0}, words);
    assert_int_equal(fifth, words[0]);
}

static void test_any_position_can_be_read(void **state)
{
    (void)state;
    struct rng forward = {.seed = 42, .stream = 7};
    uint32_t words[100];
    for (int i = 0; i < 100; i++) words[i] = rng_next(&forward);
    for (int i = 99; i >= 0; i--) {
        struct rng direct = {.seed = 42, .stream = 7, .position = (uint64_t)i};
        assert_int_equal(rng_next(&direct), words[i]);
    }
}

static void test_seeds_and_streams_differ_in_every_bit(void **state)
{
    (void)state;
    struct rng base = {0};
    uint32_t first = rng_next(&base);
    for (int bit = 0; bit < 64; bit++) {
        struct rng seeded = {.seed = (uint64_t)1 << bit}, streamed = {.stream = (uint64_t)1 << bit};
        struct rng far = {.position = (uint64_t)1 << bit};
        assert_int_not_equal(rng_next(&seeded), first);
        assert_int_not_equal(rng_next(&streamed), first);
        assert_int_not_equal(rng_next(&far), first);
    }
}

static void test_below_stays_below_and_reaches_all(void **state)
{
    (void)state;
    struct rng rng = {.seed = 1};
    int counts[10] = {0};
    for (int i = 0; i < 10000; i++) {
        uint32_t drawn = rng_below(&rng, 10);
        assert_true(drawn < 10);
        counts[drawn]++;
    }
    for (int i = 0; i < 10; i++) assert_in_range(counts[i], 850, 1150); /* 5 standard deviations */
    assert_int_equal(rng_below(&rng, 1), 0);
    for (int i = 0; i < 100; i++) assert_true(rng_below(&rng, 0xC0000001u) < 0xC0000001u);
}

static void test_uniform_is_in_range_and_centred(void **state)
{
    (void)state;
    struct rng rng = {.seed = 2};
    double sum = 0, sum_double = 0;
    for (int i = 0; i < 10000; i++) {
        float u = rng_uniform(&rng);
        double v = rng_uniform_double(&rng);
        assert_true(u >= 0 && u < 1);
        assert_true(v >= 0 && v < 1);
        sum += (double)u;
        sum_double += v;
    }
    assert_true(fabs(sum / 10000 - 0.5) < 0.015);
    assert_true(fabs(sum_double / 10000 - 0.5) < 0.015);
}

static void test_normal_has_mean_zero_and_variance_one(void **state)
{
    (void)state;
    struct rng rng = {.seed = 3};
    double sum = 0, sum_squares = 0;
    for (int i = 0; i < 20000; i++) {
        double x = (double)rng_normal(&rng);
        assert_true(isfinite(x));
        sum += x;
        sum_squares += x * x;
    }
    assert_true(fabs(sum / 20000) < 0.04);
    assert_true(fabs(sum_squares / 20000 - 1) < 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_the_stream_is_the_blocks_in_order),
        cmocka_unit_test(test_any_position_can_be_read),
        cmocka_unit_test(test_seeds_and_streams_differ_in_every_bit),
        cmocka_unit_test(test_below_stays_below_and_reaches_all),
        cmocka_unit_test(test_uniform_is_in_range_and_centred),
        cmocka_unit_test(test_normal_has_mean_zero_and_variance_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
