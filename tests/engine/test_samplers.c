/* The samplers against closed forms, and the draw against the distribution it claims (chi-square, fixed seeds). */
#include "unit.h"

#include "base/memory.h"
#include "engine/sampler.h"

#include <math.h>
#include <string.h>

enum { V = 6 };
/* Probabilities 0.40 0.25 0.15 0.10 0.06 0.04 in a shuffled order of ids. */
static const double probabilities[V] = {0.10, 0.40, 0.04, 0.25, 0.06, 0.15};
static float logits[V];

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < V; i++) logits[i] = (float)log(probabilities[i]) + 3.0f;
    return 0;
}

static struct sampler_chain chain_of(hob_generate_options options, size_t n_vocab)
{
    struct sampler_chain chain;
    assert_int_equal(sampler_chain_init(&chain, &options, NULL, n_vocab, NULL), HOB_OK);
    assert_int_equal(sampler_chain_begin(&chain, NULL, 0, 100000, NULL), HOB_OK);
    return chain;
}

/* Which ids come up in many draws, as a bit set. */
static unsigned ids_drawn(hob_generate_options options)
{
    struct sampler_chain chain = chain_of(options, V);
    unsigned seen = 0;
    for (int i = 0; i < 2000; i++) {
        int32_t id;
        sampler_chain_pick(&chain, logits, NULL, &id, NULL);
        seen |= 1u << id;
    }
    sampler_chain_release(&chain);
    return seen;
}

static unsigned ids(const char *digits)
{
    unsigned set = 0;
    for (; *digits; digits++) set |= 1u << (*digits - '0');
    return set;
}

static void test_each_cut_keeps_exactly_its_tokens(void **state)
{
    (void)state;
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1}), ids("012345"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .top_k = 1}), ids("1"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .top_k = 3}), ids("135"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .top_k = 99}), ids("012345"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .top_p = 0.3f}), ids("1"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .top_p = 0.64f}), ids("13"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .top_p = 0.66f}), ids("135"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .min_p = 0.2f}), ids("0135"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .min_p = 1}), ids("1"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .top_k = 4, .top_p = 0.8f}), ids("135"));
    assert_int_equal(ids_drawn((hob_generate_options){0}), ids("1"));
}

/* Draws n_draws times and compares the counts with the expected shares. */
static double chi_square(hob_generate_options options, const double *expected, int n_draws)
{
    struct sampler_chain chain = chain_of(options, V);
    int counts[V] = {0};
    for (int i = 0; i < n_draws; i++) {
        int32_t id;
        sampler_chain_pick(&chain, logits, NULL, &id, NULL);
        counts[id]++;
    }
    sampler_chain_release(&chain);
    double sum = 0;
    for (int i = 0; i < V; i++) {
        double wanted = expected[i] * n_draws;
        if (wanted == 0) assert_int_equal(counts[i], 0);
        else sum += (counts[i] - wanted) * (counts[i] - wanted) / wanted;
    }
    return sum;
}

static void normalise(double *shares)
{
    double sum = 0;
    for (int i = 0; i < V; i++) sum += shares[i];
    for (int i = 0; i < V; i++) shares[i] /= sum;
}

/* The bounds are the 99.9 % points of chi-square with 5, 5 and 2 degrees of freedom. */
static void test_draws_follow_the_distribution(void **state)
{
    (void)state;
    double shares[V];
    for (int i = 0; i < V; i++) shares[i] = probabilities[i];
    assert_true(chi_square((hob_generate_options){.temperature = 1, .seed = 7}, shares, 100000) < 20.52);

    for (int i = 0; i < V; i++) shares[i] = pow(probabilities[i], 1 / 0.5);
    normalise(shares);
    assert_true(chi_square((hob_generate_options){.temperature = 0.5f, .seed = 8}, shares, 100000) < 20.52);

    for (int i = 0; i < V; i++) shares[i] = probabilities[i] < 0.15 ? 0 : probabilities[i];
    normalise(shares);
    assert_true(chi_square((hob_generate_options){.temperature = 1, .top_k = 3, .seed = 9}, shares, 100000) < 13.82);
}

static void test_logprob_is_of_the_model_not_of_the_samplers(void **state)
{
    (void)state;
    struct sampler_chain chain = chain_of((hob_generate_options){.temperature = 0.1f, .top_k = 2}, V);
    for (int i = 0; i < 20; i++) {
        int32_t id;
        float logprob;
        sampler_chain_pick(&chain, logits, NULL, &id, &logprob);
        assert_true(fabs((double)logprob - log(probabilities[id])) < 1e-6);
    }
    sampler_chain_release(&chain);
}

static void test_same_seed_gives_the_same_tokens(void **state)
{
    (void)state;
    struct sampler_chain a = chain_of((hob_generate_options){.temperature = 1, .seed = 5}, V);
    struct sampler_chain b = chain_of((hob_generate_options){.temperature = 1, .seed = 5}, V);
    struct sampler_chain c = chain_of((hob_generate_options){.temperature = 1, .seed = 6}, V);
    int n_different = 0;
    for (int i = 0; i < 200; i++) {
        int32_t id_a, id_b, id_c;
        float logprob;
        sampler_chain_pick(&a, logits, NULL, &id_a, NULL);
        sampler_chain_pick(&b, logits, NULL, &id_b, &logprob);
        sampler_chain_pick(&c, logits, NULL, &id_c, NULL);
        assert_int_equal(id_a, id_b);
        n_different += id_a != id_c;
    }
    assert_true(n_different > 50);
    sampler_chain_release(&a);
    sampler_chain_release(&b);
    sampler_chain_release(&c);
}

static int32_t pick_once(hob_generate_options options, const float *values, size_t n_values, float *ret_logprob)
{
    struct sampler_chain chain = chain_of(options, n_values);
    int32_t id;
    sampler_chain_pick(&chain, values, NULL, &id, ret_logprob);
    sampler_chain_release(&chain);
    return id;
}

static void test_ties_go_to_the_lower_id(void **state)
{
    (void)state;
    const float flat[5] = {1, 2, 2, 2, 0};
    assert_int_equal(pick_once((hob_generate_options){0}, flat, 5, NULL), 1);
    assert_int_equal(pick_once((hob_generate_options){.temperature = 1, .top_k = 1}, flat, 5, NULL), 1);
    assert_int_equal(pick_once((hob_generate_options){.temperature = 1, .top_p = 0.01f}, flat, 5, NULL), 1);
}

static void test_logits_that_are_not_finite(void **state)
{
    (void)state;
    const float broken[4] = {NAN, -INFINITY, 1, NAN};
    float logprob;
    assert_int_equal(pick_once((hob_generate_options){0}, broken, 4, &logprob), 2);
    assert_true(fabsf(logprob) < 1e-6f);
    assert_int_equal(pick_once((hob_generate_options){.temperature = 2, .min_p = 0.1f}, broken, 4, NULL), 2);

    const float infinite[3] = {0, INFINITY, 5};
    assert_int_equal(pick_once((hob_generate_options){.temperature = 0.7f, .top_p = 0.9f}, infinite, 3, &logprob), 1);
    assert_true(logprob == 0);

    const float none[2] = {NAN, NAN};
    assert_int_equal(pick_once((hob_generate_options){0}, none, 2, NULL), 0);
    (void)pick_once((hob_generate_options){.temperature = 1, .top_p = 0.5f}, none, 2, NULL);
}

/* Divided by 1e-30 any other logit would overflow: the best must still win. */
static void test_tiny_temperature_is_greedy(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++)
        assert_int_equal(pick_once((hob_generate_options){.temperature = 1e-30f, .seed = seed}, logits, V, NULL), 1);
}

static void test_top_k_agrees_with_a_full_sort(void **state)
{
    (void)state;
    enum { N = 1000 };
    static float values[N];
    for (int i = 0; i < N; i++)
        values[i] = (float)((i * 7919) % N) / 100.0f; /* a permutation: 7919 and 1000 have no common factor */
    static struct candidate items[N];
    struct candidates candidates = {.items = items};
    candidates_load(&candidates, values, N);
    candidates_begin_sort(&candidates);
    for (int i = 0; i < 137; i++) candidates_sort_next(&candidates);
    candidates_keep_sorted(&candidates);
    assert_int_equal(candidates.n_items, 137);
    for (int i = 0; i < 137; i++) {
        assert_true(items[i].logit == (float)(N - 1 - i) / 100.0f);
        assert_true(values[items[i].id] == items[i].logit);
    }
}

static void test_settings_out_of_range_are_refused(void **state)
{
    (void)state;
    const hob_generate_options bad[] = {
        {.temperature = -1}, {.temperature = NAN}, {.temperature = INFINITY}, {.top_p = -0.1f}, {.top_p = 1.1f},
        {.top_p = NAN},      {.min_p = -1},        {.min_p = 1.5f},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sampler_chain chain;
        hob_error error;
        assert_int_equal(sampler_chain_init(&chain, &bad[i], NULL, V, &error), HOB_BAD_ARGUMENT);
        assert_non_null(strstr(error.message, "expected"));
    }
    struct sampler_chain chain;
    assert_int_equal(sampler_chain_init(&chain, NULL, NULL, 0, NULL), HOB_BAD_ARGUMENT);
}

static void test_picking_allocates_nothing(void **state)
{
    (void)state;
    struct sampler_chain chain =
        chain_of((hob_generate_options){.temperature = 0.8f, .top_k = 4, .top_p = 0.9f, .min_p = 0.01f}, V);
    uint64_t n_before = memory_n_allocations();
    for (int i = 0; i < 100; i++) {
        int32_t id;
        float logprob;
        sampler_chain_pick(&chain, logits, NULL, &id, &logprob);
    }
    assert_true(memory_n_allocations() == n_before);
    sampler_chain_release(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_cut_keeps_exactly_its_tokens),
        cmocka_unit_test(test_draws_follow_the_distribution),
        cmocka_unit_test(test_logprob_is_of_the_model_not_of_the_samplers),
        cmocka_unit_test(test_same_seed_gives_the_same_tokens),
        cmocka_unit_test(test_ties_go_to_the_lower_id),
        cmocka_unit_test(test_logits_that_are_not_finite),
        cmocka_unit_test(test_tiny_temperature_is_greedy),
        cmocka_unit_test(test_top_k_agrees_with_a_full_sort),
        cmocka_unit_test(test_settings_out_of_range_are_refused),
        cmocka_unit_test(test_picking_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
