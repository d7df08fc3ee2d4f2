/* Same seed, same bytes: runs that differ in threads, in what runs beside them, in what caches hold before, in how the prompt is cut
 * and in whether tokens are guessed ahead all give one hash of tokens, log-probabilities and text.
 *
 * HOB_SAME_BYTES_RUNS sets how many runs (100). What else must not change a byte is one more line in `vary`. */
#include "engine/use.h"

#include "base/checksum.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

#define STORIES "../shared/models/stories260k/"

enum { N_MODELS = 2, MOST_THREADS = 3, MOST_NEIGHBOURS = 3, N_PROMPT = 70, N_TOKENS = 30 };

static const char *const paths[N_MODELS] = {STORIES "model-q8_0.gguf", STORIES "model-f32.gguf"};

/* One run of the request, and what was drawn for it. */
struct run {
    struct rng chance;
    hob_session *session;
    hob_generate_options options;
    int32_t prompt[N_PROMPT];
    struct checksum heard;
    size_t n_tokens;
    hob_generation *neighbours[MOST_NEIGHBOURS];
    size_t n_neighbours;
};

static bool hear(void *context, const hob_generated *generated)
{
    struct run *run = context;
    checksum_add(&run->heard, &generated->id, sizeof generated->id);
    checksum_add(&run->heard, &generated->logprob, sizeof generated->logprob);
    checksum_add(&run->heard, generated->text, generated->n_text_bytes);
    run->n_tokens += generated->id != HOB_NO_TOKEN;
    return true;
}

static struct run make_run(hob_session *session, uint64_t seed)
{
    struct run run = {.chance = {.seed = seed}, .session = session};
    run.options = (hob_generate_options){.max_tokens = N_TOKENS, .temperature = 0.9f, .top_p = 0.95f, .repetition_penalty = 1.1f, .seed = 42,
                                         .has_logprobs = true, .ignores_end = true};
    for (int32_t i = 0; i < N_PROMPT; i++) run.prompt[i] = i ? 260 + i % 23 * 37 % 240 : 1; /* repeats, so that there is something to guess from */
    checksum_init(&run.heard);
    return run;
}

/* ---- what may differ ---- */

static void vary(struct run *run)
{
    run->options.chunk_tokens = rng_below(&run->chance, 2) ? 1 + rng_below(&run->chance, N_PROMPT) : 0;
    run->options.n_draft_tokens = rng_below(&run->chance, 2) ? 1 + rng_below(&run->chance, 8) : 0;
}

/* The session's own cache: as the last run left it, empty, or with a beginning that may or may not be the prompt's. */
static void fill_cache(struct run *run)
{
    hob_error error = {0};
    size_t n_ids = rng_below(&run->chance, 100), n_same = rng_below(&run->chance, N_PROMPT + 1);
    if (rng_below(&run->chance, 3) == 0) return;
    ASSERT_HOB(hob_session_rewind(run->session, 0, &error), error);
    for (size_t i = 0; i < n_ids; i++) {
        int32_t id = i < n_same ? run->prompt[i] : (int32_t)rng_below(&run->chance, 500);
        ASSERT_HOB(hob_session_append(run->session, &id, 1, &error), error);
    }
}

static void add_neighbour(struct run *run)
{
    hob_error error = {0};
    int32_t ids[50];
    size_t n_ids = 1 + rng_below(&run->chance, 50);
    for (size_t i = 0; i < n_ids; i++) ids[i] = (int32_t)rng_below(&run->chance, 500);
    hob_generate_options options = {.max_tokens = 1 + rng_below(&run->chance, 40), .seed = rng_next(&run->chance),
                                    .temperature = (float)rng_below(&run->chance, 2), .n_samples = 1 + rng_below(&run->chance, 2),
                                    .chunk_tokens = rng_below(&run->chance, 20)};
    if (options.temperature == 0) options.beam_width = 2 * rng_below(&run->chance, 2);
    if (!options.beam_width) options.n_samples = 1;
    ASSERT_HOB(hob_generation_new(run->session, ids, n_ids, &options, NULL, NULL, &run->neighbours[run->n_neighbours], &error), error);
    run->n_neighbours++;
}

/* Others come and go. */
static void change_neighbours(struct run *run)
{
    if (run->n_neighbours < MOST_NEIGHBOURS && rng_below(&run->chance, 15) == 0) add_neighbour(run);
    if (run->n_neighbours && rng_below(&run->chance, 20) == 0) hob_generation_free(run->neighbours[--run->n_neighbours]);
}

static void step_all(struct run *run, hob_generation *generation)
{
    hob_error error = {0};
    hob_generation *all[MOST_NEIGHBOURS + 1];
    size_t n_all = 0, place = rng_below(&run->chance, (uint32_t)run->n_neighbours + 1);
    for (size_t i = 0; i <= run->n_neighbours; i++) all[i] = i == place ? generation : run->neighbours[n_all++];
    ASSERT_HOB(hob_generations_step(run->session, all, run->n_neighbours + 1, &error), error);
}

static void generate_among_others(struct run *run)
{
    hob_error error = {0};
    hob_generation *generation;
    ASSERT_HOB(hob_generation_new(run->session, run->prompt, N_PROMPT, &run->options, hear, run, &generation, &error), error);
    while (!hob_generation_is_done(generation)) {
        change_neighbours(run);
        step_all(run, generation);
    }
    hob_generation_free(generation);
    while (run->n_neighbours) hob_generation_free(run->neighbours[--run->n_neighbours]);
}

static uint64_t hash_of(struct run *run)
{
    hob_error error = {0};
    if (rng_below(&run->chance, 3)) generate_among_others(run);
    else ASSERT_HOB(hob_generate(run->session, run->prompt, N_PROMPT, &run->options, hear, run, NULL, &error), error);
    assert_int_equal(run->n_tokens, N_TOKENS);
    return checksum_finish(&run->heard);
}

/* ---- all runs ---- */

static hob_session *sessions[N_MODELS][MOST_THREADS];
static hob_model *models[N_MODELS];

static void open_all(void)
{
    hob_error error = {0};
    for (size_t m = 0; m < N_MODELS; m++) {
        if (access(paths[m], R_OK) != 0) skip();
        ASSERT_HOB(hob_model_open(paths[m], NULL, &models[m], &error), error);
        for (size_t t = 0; t < MOST_THREADS; t++)
            ASSERT_HOB(hob_session_new(models[m], &(hob_session_options){.n_threads = t + 1}, &sessions[m][t], &error), error);
    }
}

static void close_all(void)
{
    for (size_t m = 0; m < N_MODELS; m++) {
        for (size_t t = 0; t < MOST_THREADS; t++) hob_session_free(sessions[m][t]);
        hob_model_free(models[m]);
    }
}

static uint64_t plain_hash(size_t model)
{
    hob_error error = {0};
    struct run plain = make_run(sessions[model][0], 0);
    ASSERT_HOB(hob_generate(plain.session, plain.prompt, N_PROMPT, &plain.options, hear, &plain, NULL, &error), error);
    return checksum_finish(&plain.heard);
}

static void test_one_hash(void **state)
{
    (void)state;
    const char *wanted = getenv("HOB_SAME_BYTES_RUNS");
    size_t n_runs = wanted ? strtoul(wanted, NULL, 10) : 100;
    open_all();
    uint64_t expected[N_MODELS] = {plain_hash(0), plain_hash(1)};
    assert_true(expected[0] != expected[1]);
    for (size_t i = 0; i < n_runs; i++) {
        size_t model = i % N_MODELS;
        struct rng chance = {.seed = i, .stream = 1};
        /* threads of one run share two cores with all other tests: most runs have one or two */
        size_t n_threads = rng_below(&chance, 8) == 0 ? MOST_THREADS : 1 + rng_below(&chance, 2);
        struct run run = make_run(sessions[model][n_threads - 1], i);
        vary(&run);
        fill_cache(&run);
        if (hash_of(&run) != expected[model]) fail_msg("run %zu (%s, %zu threads) differs", i, paths[model], n_threads);
    }
    print_message("%zu runs\n", n_runs);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_hash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
