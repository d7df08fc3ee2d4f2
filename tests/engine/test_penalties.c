/* Samplers that look at the past, the past itself (marks, copies) and biases: against their definitions, written again here. */
#include "unit.h"

#include "engine/breakers.h"
#include "engine/sampler.h"
#include "tiny_tokenizer.h"

#include <math.h>
#include <string.h>

enum { V = 8, MOST_IDS = 400 };
static const float base_logits[V] = {1.0f, -1.0f, 2.5f, 0.5f, -2.0f, 0.0f, 3.0f, 1.5f};

static struct sampler_chain begin(hob_generate_options options, const hob_tokenizer *tokenizer, size_t n_vocab,
                                  const int32_t *prompt, size_t n_prompt)
{
    struct sampler_chain chain;
    hob_error error;
    if (sampler_chain_init(&chain, &options, tokenizer, n_vocab, &error) != HOB_OK) fail_msg("%s", error.message);
    if (sampler_chain_begin(&chain, prompt, n_prompt, MOST_IDS, &error) != HOB_OK) fail_msg("%s", error.message);
    return chain;
}

/* What the adjusting samplers make of logits: each id's is seen by letting the mask leave it alone. */
static void adjusted(hob_generate_options options, const hob_tokenizer *tokenizer, size_t n_vocab, const float *logits,
                     const int32_t *prompt, size_t n_prompt, const int32_t *generated, size_t n_generated,
                     float *ret_logits)
{
    struct sampler_chain chain = begin(options, tokenizer, n_vocab, prompt, n_prompt);
    for (size_t i = 0; i < n_generated; i++) sampler_chain_accept(&chain, generated[i]);
    struct sampler_mark mark = sampler_chain_mark(&chain);
    uint32_t allowed[16];
    for (size_t id = 0; id < n_vocab; id++) {
        int32_t picked;
        memset(allowed, 0, sizeof allowed);
        allowed[id / 32] = UINT32_C(1) << id % 32;
        sampler_chain_pick(&chain, logits, allowed, &picked, NULL);
        assert_int_equal(picked, (int)id);
        ret_logits[id] = chain.candidates.items[0].logit;
        sampler_chain_rewind(&chain, mark);
    }
    sampler_chain_release(&chain);
}

static void test_logit_bias(void **state)
{
    (void)state;
    const hob_logit_bias biases[] = {{6, -INFINITY}, {1, 3.25f}, {1, 0.5f}, {3, INFINITY}, {0, 1e30f}};
    hob_generate_options options = {.logit_biases = biases, .n_logit_biases = 5};
    float found[V];
    adjusted(options, NULL, V, base_logits, NULL, 0, NULL, 0, found);
    for (int i = 0; i < V; i++) {
        float expected = base_logits[i];
        if (i == 6) expected = -INFINITY;
        if (i == 1) expected = base_logits[1] + 3.25f + 0.5f;
        if (i == 3) expected = INFINITY;
        if (i == 0) expected = base_logits[0] + 1e30f;
        assert_true(found[i] == expected);
    }
    const float minus[2] = {-INFINITY, 0};
    const hob_logit_bias force = {0, INFINITY};
    adjusted((hob_generate_options){.logit_biases = &force, .n_logit_biases = 1}, NULL, 2, minus, NULL, 0, NULL, 0,
             found);
    assert_true(found[0] == -INFINITY);
}

static void test_repetition_penalty_is_hugging_faces(void **state)
{
    (void)state;
    const int32_t prompt[] = {0, 1, 1, 5}, generated[] = {2, 2};
    float found[V];
    adjusted((hob_generate_options){.repetition_penalty = 1.25f}, NULL, V, base_logits, prompt, 4, generated, 2, found);
    const float expected[V] = {1.0f / 1.25f, -1.0f * 1.25f, 2.5f / 1.25f, 0.5f, -2.0f, 0.0f, 3.0f, 1.5f};
    for (int i = 0; i < V; i++) assert_true(found[i] == expected[i]);
    adjusted((hob_generate_options){.repetition_penalty = 1.25f, .penalty_last_n = 3}, NULL, V, base_logits, prompt, 4,
             generated, 2, found);
    assert_true(found[0] == base_logits[0] && found[1] == base_logits[1] &&
                found[2] == 2.0f); /* the last three: 5 2 2 */
}

static void test_frequency_and_presence_are_openais(void **state)
{
    (void)state;
    const int32_t prompt[] = {7, 7, 7}, generated[] = {2, 6, 2, 2, 0};
    float found[V];
    hob_generate_options options = {.frequency_penalty = 0.25f, .presence_penalty = -0.5f};
    adjusted(options, NULL, V, base_logits, prompt, 3, generated, 5, found);
    const int counts[V] = {1, 0, 3, 0, 0, 0, 1, 0};
    for (int i = 0; i < V; i++)
        assert_true(found[i] == base_logits[i] - (float)counts[i] * 0.25f + (counts[i] > 0 ? 0.5f : 0));
    options.penalty_last_n = 2; /* 2 0 */
    adjusted(options, NULL, V, base_logits, prompt, 3, generated, 5, found);
    assert_true(found[2] == base_logits[2] - 0.25f + 0.5f && found[6] == base_logits[6]);
}

static void test_the_default_window_is_64_and_the_largest_all(void **state)
{
    (void)state;
    int32_t prompt[100];
    float found[V];
    for (int i = 0; i < 100; i++) prompt[i] = i < 36 ? 6 : 2;
    adjusted((hob_generate_options){.repetition_penalty = 2}, NULL, V, base_logits, prompt, 100, NULL, 0, found);
    assert_true(found[6] == base_logits[6] && found[2] == base_logits[2] / 2);
    adjusted((hob_generate_options){.repetition_penalty = 2, .penalty_last_n = SIZE_MAX}, NULL, V, base_logits, prompt,
             100, NULL, 0, found);
    assert_true(found[6] == base_logits[6] / 2);
}

static void test_greedy_sees_penalties(void **state)
{
    (void)state;
    struct sampler_chain chain = begin((hob_generate_options){.presence_penalty = 10}, NULL, V, NULL, 0);
    const int32_t by_logit[V] = {6, 2, 7, 0, 3, 5, 1, 4};
    for (int i = 0; i < V; i++) {
        int32_t id;
        sampler_chain_pick(&chain, base_logits, NULL, &id, NULL);
        assert_int_equal(id, by_logit[i]);
    }
    sampler_chain_release(&chain);
}

/* ---- DRY ---- */

/* By the definition: for every place in the window whose token could come next, how much of the end stands before it. */
static double dry_penalty(const int32_t *ids, size_t n_ids, size_t n_since_breaker, size_t allowed, double multiplier,
                          double base, int32_t id)
{
    size_t longest = 0;
    for (size_t place = 1; place < n_ids; place++) {
        size_t n = 0;
        if (ids[place] != id) continue;
        while (n < place && n < n_since_breaker && ids[place - 1 - n] == ids[n_ids - 1 - n]) n++;
        if (n > longest) longest = n;
    }
    return longest >= allowed && n_ids > allowed ? multiplier * pow(base, (double)(longest - allowed)) : 0;
}

static void check_dry(hob_generate_options options, const int32_t *ids, size_t n_ids)
{
    float found[V];
    size_t n_window = options.dry_last_n && options.dry_last_n < n_ids ? options.dry_last_n : n_ids;
    size_t allowed = options.dry_allowed_length ? options.dry_allowed_length : 2;
    double base = options.dry_base != 0 ? (double)options.dry_base : 1.75;
    adjusted(options, NULL, V, base_logits, ids, n_ids, NULL, 0, found);
    for (int32_t id = 0; id < V; id++) {
        double penalty =
            dry_penalty(ids + n_ids - n_window, n_window, n_window, allowed, (double)options.dry_multiplier, base, id);
        assert_true(found[id] == base_logits[id] - (float)penalty);
    }
}

static void test_dry_is_its_definition_on_random_texts(void **state)
{
    (void)state;
    uint32_t seed = 1;
    int32_t ids[120];
    for (int round = 0; round < 300; round++) {
        size_t n_ids = (size_t)round % 120;
        uint32_t n_letters = 1 + (uint32_t)round % 5;
        for (size_t i = 0; i < n_ids; i++) {
            seed = seed * 1664525u + 1013904223u;
            ids[i] = (int32_t)((seed >> 16) % n_letters);
        }
        check_dry((hob_generate_options){.dry_multiplier = 0.8f}, ids, n_ids);
        check_dry(
            (hob_generate_options){
                .dry_multiplier = 0.5f, .dry_base = 1.25f, .dry_allowed_length = 4, .dry_last_n = 50},
            ids, n_ids);
    }
}

static void test_dry_by_hand(void **state)
{
    (void)state;
    const int32_t ids[] = {1, 2, 3, 4, 1, 2, 3};
    float found[V];
    adjusted((hob_generate_options){.dry_multiplier = 1, .dry_base = 2}, NULL, V, base_logits, ids, 7, NULL, 0, found);
    assert_true(found[4] == base_logits[4] - 2); /* 1 2 3 has length 3, one more than allowed */
    for (int i = 0; i < V; i++) assert_true(i == 4 || found[i] == base_logits[i]);
}

static void test_a_long_repetition_does_not_become_infinite(void **state)
{
    (void)state;
    int32_t ids[300] = {0};
    float found[V];
    adjusted((hob_generate_options){.dry_multiplier = 1e30f, .dry_base = 1e10f}, NULL, V, base_logits, ids, 300, NULL,
             0, found);
    assert_true(isfinite(found[0]) && found[0] < -1e38f);
}

/* Tokens: bytes, then 256 "ab", 257 "b:", 258 "<|", 259 "x<". */
static const char *const pieces[] = {"ab", "b:", "<|", "x<"};

static void test_breakers_are_found_in_tokens_and_across_them(void **state)
{
    (void)state;
    hob_tokenizer *tokenizer = tiny_tokenizer(pieces, 4, 4, HOB_NO_TOKEN);
    struct breakers breakers = {0};
    const char *const texts[] = {":", "<|>"};
    hob_error error;
    assert_int_equal(breakers_init(&breakers, tokenizer, 260, texts, 2, &error), HOB_OK);
    const int32_t none[] = {'a', 'b', 256}, single[] = {'a', ':', 'b', 'c'}, inside[] = {257, 'c'};
    const int32_t across[] = {'a', 259, '|', '>', 'b'}, pair[] = {258, '>'}, cut[] = {258, 'a'}, open[] = {'a', 258};
    assert_int_equal(breakers_n_since(&breakers, none, 3), 3);
    assert_int_equal(breakers_n_since(&breakers, single, 4), 2);
    assert_int_equal(breakers_n_since(&breakers, inside, 2), 1);
    assert_int_equal(breakers_n_since(&breakers, across, 5), 1);
    assert_int_equal(breakers_n_since(&breakers, pair, 2), 0);
    assert_int_equal(breakers_n_since(&breakers, cut, 2), 2);
    assert_int_equal(breakers_n_since(&breakers, open, 2), 2);
    breakers_release(&breakers);
    const char *const empty[] = {""};
    assert_int_equal(breakers_init(&breakers, tokenizer, 260, empty, 1, &error), HOB_BAD_ARGUMENT);
    hob_tokenizer_free(tokenizer);
}

static void test_dry_does_not_reach_across_a_breaker(void **state)
{
    (void)state;
    enum { N = 260 };
    hob_tokenizer *tokenizer = tiny_tokenizer(pieces, 4, 4, HOB_NO_TOKEN);
    const int32_t ids[] = {'a', ':', 'c', 'd', 'e', 'a', ':', 'c', 'd'};
    static float flat[N], found[N];
    hob_generate_options options = {.dry_multiplier = 1, .dry_base = 2, .dry_allowed_length = 1};
    adjusted(options, tokenizer, N, flat, ids, 9, NULL, 0, found);
    assert_true(found['e'] == -2.0f); /* c d: two, one more than allowed; with a and the colon it would be -8 */
    const char *const other[] = {"z"};
    options.dry_breakers = other;
    options.n_dry_breakers = 1;
    adjusted(options, tokenizer, N, flat, ids, 9, NULL, 0, found);
    assert_true(found['e'] == -8.0f);
    hob_tokenizer_free(tokenizer);
}

/* ---- the past ---- */

static const hob_generate_options everything = {.repetition_penalty = 1.1f,
                                                .frequency_penalty = 0.1f,
                                                .dry_multiplier = 0.5f,
                                                .temperature = 1.3f,
                                                .mirostat_tau = 2,
                                                .seed = 11};

static void draw_many(struct sampler_chain *chain, int32_t *ret_ids, size_t n)
{
    for (size_t i = 0; i < n; i++) sampler_chain_pick(chain, base_logits, NULL, &ret_ids[i], NULL);
}

static void test_taking_back_gives_the_same_again(void **state)
{
    (void)state;
    const int32_t prompt[] = {3, 3, 1};
    struct sampler_chain chain = begin(everything, NULL, V, prompt, 3);
    int32_t first[50], second[50], before[20];
    draw_many(&chain, before, 20);
    struct sampler_mark mark = sampler_chain_mark(&chain);
    draw_many(&chain, first, 50);
    sampler_chain_rewind(&chain, mark);
    draw_many(&chain, second, 50);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(sampler_chain_begin(&chain, prompt, 3, MOST_IDS, NULL), HOB_OK);
    draw_many(&chain, second, 20);
    assert_memory_equal(before, second, sizeof before);
    sampler_chain_release(&chain);
}

static void test_a_copy_goes_on_alike_and_another_stream_does_not(void **state)
{
    (void)state;
    const int32_t prompt[] = {3, 3, 1};
    struct sampler_chain chain = begin(everything, NULL, V, prompt, 3), twin = begin(everything, NULL, V, NULL, 0);
    int32_t mine[60], theirs[60];
    draw_many(&chain, mine, 30);
    sampler_chain_copy(&twin, &chain);
    draw_many(&chain, mine, 60);
    draw_many(&twin, theirs, 60);
    assert_memory_equal(mine, theirs, sizeof mine);
    twin.stream = 1;
    draw_many(&chain, mine, 60);
    draw_many(&twin, theirs, 60);
    assert_memory_not_equal(mine, theirs, sizeof mine);
    sampler_chain_release(&chain);
    sampler_chain_release(&twin);
}

static void test_wrong_settings_are_refused(void **state)
{
    (void)state;
    const hob_logit_bias outside = {V, 1}, below = {-1, 1}, not_a_number = {0, NAN};
    const hob_generate_options bad[] = {
        {.logit_biases = &outside, .n_logit_biases = 1},
        {.logit_biases = &below, .n_logit_biases = 1},
        {.logit_biases = &not_a_number, .n_logit_biases = 1},
        {.n_logit_biases = 1},
        {.repetition_penalty = -1},
        {.repetition_penalty = INFINITY},
        {.frequency_penalty = NAN},
        {.presence_penalty = INFINITY},
        {.dry_multiplier = -1},
        {.dry_base = 0.5f},
        {.n_top_logprobs = 101},
        {.xtc_probability = 2},
        {.xtc_threshold = NAN},
        {.typical_p = 1.5f},
        {.top_n_sigma = -1},
        {.mirostat_tau = -1},
        {.mirostat_eta = NAN},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sampler_chain chain;
        hob_error error;
        assert_int_equal(sampler_chain_init(&chain, &bad[i], NULL, V, &error), HOB_BAD_ARGUMENT);
        assert_non_null(strstr(error.message, "expected"));
    }
    struct sampler_chain chain = begin((hob_generate_options){0}, NULL, V, NULL, 0);
    const int32_t foreign = V;
    assert_int_equal(sampler_chain_begin(&chain, &foreign, 1, 5, NULL), HOB_BAD_ARGUMENT);
    sampler_chain_release(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logit_bias),
        cmocka_unit_test(test_repetition_penalty_is_hugging_faces),
        cmocka_unit_test(test_frequency_and_presence_are_openais),
        cmocka_unit_test(test_the_default_window_is_64_and_the_largest_all),
        cmocka_unit_test(test_greedy_sees_penalties),
        cmocka_unit_test(test_dry_is_its_definition_on_random_texts),
        cmocka_unit_test(test_dry_by_hand),
        cmocka_unit_test(test_a_long_repetition_does_not_become_infinite),
        cmocka_unit_test(test_breakers_are_found_in_tokens_and_across_them),
        cmocka_unit_test(test_dry_does_not_reach_across_a_breaker),
        cmocka_unit_test(test_taking_back_gives_the_same_again),
        cmocka_unit_test(test_a_copy_goes_on_alike_and_another_stream_does_not),
        cmocka_unit_test(test_wrong_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
