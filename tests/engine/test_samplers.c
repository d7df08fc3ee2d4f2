/* The samplers against closed forms, and the draw against the distribution it claims (chi-square, fixed seeds). */
#include "unit.h"

#include "base/memory.h"
#include "engine/log_sum.h"
#include "engine/sampler.h"

#include <math.h>
#include <stdlib.h>
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
    /* Surprises 2.30 0.92 3.22 1.39 2.81 1.90, entropy 1.54: nearest first 3 5 1 0 4 2. */
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .typical_p = 0.2f}), ids("3"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .typical_p = 0.39f}), ids("35"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .typical_p = 0.41f}), ids("135"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .typical_p = 0.95f}), ids("01345"));
    /* The logits' standard deviation is 0.792; below the best they are 1.39 0 2.30 0.47 1.90 0.98. */
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .top_n_sigma = 0.5f}), ids("1"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .top_n_sigma = 1}), ids("13"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 3, .top_n_sigma = 1.5f}), ids("135"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .xtc_probability = 1, .xtc_threshold = 0.12f}),
                     ids("0245"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .xtc_probability = 1, .xtc_threshold = 0.2f}),
                     ids("02345"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .xtc_probability = 1, .xtc_threshold = 0.3f}),
                     ids("012345"));
    assert_int_equal(ids_drawn((hob_generate_options){.temperature = 1, .xtc_probability = 1, .xtc_threshold = 0.6f}),
                     ids("012345"));
}

static uint32_t next_random(uint32_t *seed)
{
    return (*seed = *seed * 1664525u + 1013904223u) >> 8;
}

struct scored {
    int32_t id;
    double probability, key;
};

static int by_key(const void *a, const void *b)
{
    const struct scored *left = a, *right = b;
    if (left->key != right->key) return left->key > right->key ? -1 : 1;
    return (left->id > right->id) - (left->id < right->id);
}

enum { WIDE = 2000 };

/* Keeps the first of sorted items until their probabilities sum to p, as the papers say. */
static size_t count_to(struct scored *items, double p)
{
    double sum = 0;
    size_t n = 0;
    qsort(items, WIDE, sizeof *items, by_key);
    while (n < WIDE && sum < p) sum += items[n++].probability;
    return n;
}

static void check_cut(const float *values, hob_generate_options options, struct scored *items, double p)
{
    struct sampler_chain chain = chain_of(options, WIDE);
    size_t n_expected = count_to(items, p);
    static bool is_kept[WIDE];
    int32_t id;
    memset(is_kept, 0, sizeof is_kept);
    sampler_chain_pick(&chain, values, NULL, &id, NULL);
    assert_int_equal(chain.candidates.n_items, n_expected);
    for (size_t i = 0; i < n_expected; i++) is_kept[chain.candidates.items[i].id] = true;
    for (size_t i = 0; i < n_expected; i++) assert_true(is_kept[items[i].id]);
    for (size_t i = 0; i < n_expected; i++)
        assert_true(chain.candidates.items[i].logit == values[chain.candidates.items[i].id]);
    sampler_chain_release(&chain);
}

/* Random logits of several widths: nothing but the sampler's own way to select may differ. */
static void test_top_p_and_typical_p_agree_with_a_full_sort(void **state)
{
    (void)state;
    static float values[WIDE];
    static struct scored items[WIDE];
    uint32_t seed = 5;
    for (int round = 0; round < 24; round++) {
        double sum = 0, entropy = 0, width = (double[]){0.01, 1, 8, 60}[round % 4], p = 0.1 + 0.037 * round;
        for (int i = 0; i < WIDE; i++) {
            values[i] = (float)(width * (double)next_random(&seed) / (1 << 24));
            sum += exp((double)values[i]);
        }
        for (int i = 0; i < WIDE; i++) {
            double probability = exp((double)values[i]) / sum;
            entropy -= probability * log(probability);
            items[i] = (struct scored){i, probability, (double)values[i]};
        }
        check_cut(values, (hob_generate_options){.temperature = 1, .top_p = (float)p}, items, (double)(float)p);
        for (int i = 0; i < WIDE; i++) items[i].key = -fabs(-log(items[i].probability) - entropy);
        check_cut(values, (hob_generate_options){.temperature = 1, .typical_p = (float)p}, items, (double)(float)p);
    }
}

/* The mean after each token is what the authors' update makes of the tokens that came. */
static void test_mirostat_follows_its_rule_and_finds_its_surprise(void **state)
{
    (void)state;
    struct sampler_chain chain =
        chain_of((hob_generate_options){.temperature = 1, .mirostat_tau = 1.5f, .mirostat_eta = 0.05f}, V);
    double mean = 3, surprises = 0;
    enum { N = 20000 };
    for (int i = 0; i < N; i++) {
        int32_t id;
        double left = 0;
        sampler_chain_pick(&chain, logits, NULL, &id, NULL);
        for (int j = 0; j < V; j++) left += -log2(probabilities[j]) <= mean || j == 1 ? probabilities[j] : 0;
        double surprise = -log2(probabilities[id] / left);
        assert_true(id == 1 || -log2(probabilities[id]) <= mean);
        mean -= (double)0.05f * (surprise - (double)1.5f);
        assert_true(fabs(mean - chain.now.mirostat_mean) < 1e-5);
        mean = chain.now.mirostat_mean;
        surprises += surprise;
    }
    assert_true(fabs(surprises / N - 1.5) < 0.02);
    sampler_chain_release(&chain);
}

static void test_a_mask_leaves_what_it_allows(void **state)
{
    (void)state;
    const uint32_t allowed = 1u << 0 | 1u << 2 | 1u << 4;
    const hob_generate_options options[] = {
        {0}, {.temperature = 1}, {.temperature = 1, .top_k = 2}, {.temperature = 2, .top_p = 0.1f}};
    const unsigned expected[] = {1, 1 | 4 | 16, 1 | 16, 1};
    for (size_t i = 0; i < 4; i++) {
        struct sampler_chain chain = chain_of(options[i], V);
        unsigned seen = 0;
        for (int n = 0; n < 500; n++) {
            int32_t id;
            float logprob;
            sampler_chain_pick(&chain, logits, &allowed, &id, &logprob);
            assert_true(fabs((double)logprob - log(probabilities[id])) < 1e-6);
            seen |= 1u << id;
        }
        assert_int_equal(seen, expected[i]);
        sampler_chain_release(&chain);
    }
}

static void test_top_logprobs_are_the_models_best(void **state)
{
    (void)state;
    static const int32_t by_probability[V] = {1, 3, 5, 0, 4, 2};
    const hob_logit_bias ban = {1, -INFINITY};
    for (size_t n = 0; n <= 8; n++) {
        struct sampler_chain chain =
            chain_of((hob_generate_options){.n_top_logprobs = n, .logit_biases = &ban, .n_logit_biases = 1}, V);
        int32_t id;
        sampler_chain_pick(&chain, logits, NULL, &id, NULL);
        assert_int_equal(id, 3);
        assert_int_equal(chain.n_top_logprobs, n < V ? n : V);
        for (size_t i = 0; i < chain.n_top_logprobs; i++) {
            assert_int_equal(chain.top_logprobs[i].id, by_probability[i]);
            assert_true(fabs((double)chain.top_logprobs[i].logprob - log(probabilities[by_probability[i]])) < 1e-6);
        }
        sampler_chain_release(&chain);
    }
}

static void test_logarithms_of_sums_are_close_to_exact(void **state)
{
    (void)state;
    static float values[5000];
    uint32_t seed = 9;
    for (size_t n = 1; n <= 5000; n = n * 3 + 1) {
        long double sum = 0;
        for (size_t i = 0; i < n; i++) values[i] = 30.0f * (float)next_random(&seed) / (1 << 24) - 500.0f;
        for (size_t i = 0; i < n; i++) sum += expl((long double)values[i]);
        struct log_sum log_sum = log_sum_of(values, n);
        assert_true(fabs(log_sum_logprob_double(log_sum, values[0]) - (double)((long double)values[0] - logl(sum))) <
                    1e-6);
    }
    const float extreme[3] = {INFINITY, 1, INFINITY}, none[2] = {-INFINITY, -INFINITY};
    assert_true(fabs(log_sum_logprob_double(log_sum_of(extreme, 3), INFINITY) + log(2)) < 1e-12);
    assert_true(log_sum_logprob(log_sum_of(extreme, 3), 1) == -INFINITY);
    assert_true(fabs(log_sum_logprob_double(log_sum_of(none, 2), -INFINITY) + log(2)) < 1e-12);
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

/* The bounds are the 99.9 % points of chi-square: 20.52 with 5 degrees of freedom, 18.47 with 4, 13.82 with 2. */
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
    assert_true(chi_square((hob_generate_options){.temperature = 1, .top_p = 0.66f, .seed = 10}, shares, 100000) <
                13.82);
    assert_true(chi_square((hob_generate_options){.temperature = 1, .typical_p = 0.6f, .seed = 11}, shares, 100000) <
                13.82);
    assert_true(chi_square((hob_generate_options){.temperature = 1, .top_n_sigma = 1.5f, .seed = 12}, shares, 100000) <
                13.82);

    /* A third of the time the best three of the four with 0.1 or more are left out. */
    const double xtc = (double)0.33f, rest = 0.04 + 0.06 + 0.10;
    for (int i = 0; i < V; i++)
        shares[i] = (1 - xtc) * probabilities[i] + (probabilities[i] <= 0.1 ? xtc * probabilities[i] / rest : 0);
    hob_generate_options options = {.temperature = 1, .xtc_probability = 0.33f, .xtc_threshold = 0.09f, .seed = 13};
    assert_true(chi_square(options, shares, 100000) < 20.52);

    const hob_logit_bias biases[] = {{0, 1}, {1, -INFINITY}};
    for (int i = 0; i < V; i++) shares[i] = i == 1 ? 0 : probabilities[i] * (i == 0 ? exp(1) : 1);
    normalise(shares);
    options = (hob_generate_options){.temperature = 1, .logit_biases = biases, .n_logit_biases = 2, .seed = 14};
    assert_true(chi_square(options, shares, 100000) < 18.47);
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
    candidates_keep_best(&candidates, 137);
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
    struct sampler_chain chain = chain_of((hob_generate_options){.temperature = 0.8f,
                                                                 .top_k = 5,
                                                                 .top_p = 0.99f,
                                                                 .min_p = 0.01f,
                                                                 .typical_p = 0.9f,
                                                                 .top_n_sigma = 3,
                                                                 .xtc_probability = 0.5f,
                                                                 .repetition_penalty = 1.1f,
                                                                 .presence_penalty = 0.1f,
                                                                 .dry_multiplier = 0.1f,
                                                                 .n_top_logprobs = 3},
                                          V);
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
        cmocka_unit_test(test_top_p_and_typical_p_agree_with_a_full_sort),
        cmocka_unit_test(test_mirostat_follows_its_rule_and_finds_its_surprise),
        cmocka_unit_test(test_a_mask_leaves_what_it_allows),
        cmocka_unit_test(test_top_logprobs_are_the_models_best),
        cmocka_unit_test(test_logarithms_of_sums_are_close_to_exact),
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
