/* Generations: several at once, several texts from one prompt, what ends a text, what a full context becomes, what is allocated. */
#include "engine/use.h"

#include "base/memory.h"
#include "engine/kv/kv_cache.h"
#include "engine/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORIES "../shared/models/stories260k/"
#define TINY "tests/data/models/"

enum { MOST_OUTPUTS = 4, MOST_IDS = 512 };

/* What a generation said. */
struct said {
    struct {
        int32_t ids[MOST_IDS];
        size_t n_ids;
        char text[4096];
    } outputs[MOST_OUTPUTS];
    size_t n_calls, n_most_calls; /* refuses the call of that number; 0: none */
};

static bool hear(void *context, const hob_generated *generated)
{
    struct said *said = context;
    assert_true(generated->output < MOST_OUTPUTS);
    if (generated->id != HOB_NO_TOKEN) said->outputs[generated->output].ids[said->outputs[generated->output].n_ids++] = generated->id;
    strncat(said->outputs[generated->output].text, generated->text, 4095 - strlen(said->outputs[generated->output].text));
    assert_int_equal(strlen(generated->text), generated->n_text_bytes);
    return ++said->n_calls != said->n_most_calls;
}

static const int32_t once[] = {1, 403, 407, 261, 378}; /* "Once upon a time" */

static hob_generation *begin(const struct use *use, const int32_t *ids, size_t n_ids, const hob_generate_options *options, struct said *said)
{
    hob_error error = {0};
    hob_generation *generation;
    ASSERT_HOB(hob_generation_new(use->session, ids, n_ids, options, hear, said, &generation, &error), error);
    return generation;
}

static void step(const struct use *use, hob_generation *generation)
{
    hob_error error = {0};
    ASSERT_HOB(hob_generations_step(use->session, &generation, 1, &error), error);
}

static void run(const struct use *use, hob_generation *generation)
{
    while (!hob_generation_is_done(generation)) step(use, generation);
}

static hob_finish generate(const struct use *use, const int32_t *ids, size_t n_ids, hob_generate_options options, struct said *said)
{
    hob_generation *generation = begin(use, ids, n_ids, &options, said);
    run(use, generation);
    hob_finish finish = hob_generation_result(generation).finish;
    hob_generation_free(generation);
    return finish;
}

static void assert_same(const struct said *a, size_t i, const struct said *b, size_t j)
{
    assert_int_equal(a->outputs[i].n_ids, b->outputs[j].n_ids);
    assert_memory_equal(a->outputs[i].ids, b->outputs[j].ids, a->outputs[i].n_ids * sizeof(int32_t));
    assert_string_equal(a->outputs[i].text, b->outputs[j].text);
}

/* ---- several ---- */

static void test_samples_are_runs_of_their_own(void **state)
{
    (void)state;
    static const char *const paths[] = {STORIES "model-q8_0.gguf", STORIES "model.onnx"};
    for (size_t p = 0; p < 2; p++) {
        struct use use = use_open(paths[p], NULL, 1);
        struct said together = {0}, streamed = {0};
        hob_generate_options options = {.max_tokens = 24, .temperature = 1, .top_p = 0.95f, .seed = 11, .n_samples = 3,
                                        .repetition_penalty = 1.1f, .stops = (const char *const[]){"Lily", ". "}, .n_stops = 2};
        generate(&use, once, 5, options, &together);
        ASSERT_HOB(hob_generate(use.session, once, 5, &options, hear, &streamed, NULL, NULL), (hob_error){0});
        options.n_samples = 1;
        for (size_t i = 0; i < 3; i++, options.seed++) {
            struct said alone = {0};
            generate(&use, once, 5, options, &alone);
            assert_same(&together, i, &alone, 0);
            assert_same(&streamed, i, &alone, 0);
        }
        use_close(&use);
    }
}

/* Started one after the other, with prompts in pieces of different length. */
static void test_generations_do_not_see_each_other(void **state)
{
    (void)state;
    enum { N = 4 };
    hob_error error = {0};
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 2);
    struct said together[N] = {0}, alone[N] = {0};
    hob_generation *generations[N] = {0};
    hob_generate_options options[N];
    for (size_t i = 0; i < N; i++)
        options[i] = (hob_generate_options){.max_tokens = 10 + 7 * i, .temperature = (float)(i % 2), .seed = i, .chunk_tokens = i + 1,
                                            .beam_width = i == 2 ? 3 : 0};
    size_t n_begun = 0;
    for (bool is_done = false; !is_done;) {
        if (n_begun < N) generations[n_begun] = begin(&use, once, 5 - n_begun % 3, &options[n_begun], &together[n_begun]), n_begun++;
        ASSERT_HOB(hob_generations_step(use.session, generations, n_begun, &error), error);
        is_done = n_begun == N;
        for (size_t i = 0; i < n_begun; i++) is_done &= hob_generation_is_done(generations[i]);
    }
    for (size_t i = 0; i < N; i++) {
        hob_generation_free(generations[i]);
        generate(&use, once, 5 - i % 3, options[i], &alone[i]);
        assert_same(&together[i], 0, &alone[i], 0);
    }
    use_close(&use);
}

static void test_the_session_keeps_its_text(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_generate_result result;
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    struct said first = {0}, second = {0}, aside = {0};
    hob_generate_options options = {.max_tokens = 12};
    ASSERT_HOB(hob_generate(use.session, once, 5, &options, hear, &first, &result, &error), error);
    assert_int_equal(result.n_cached_tokens, 0);
    assert_int_equal(hob_session_n_tokens(use.session), 5 + 11); /* the last token was not needed */
    generate(&use, once, 3, options, &aside);
    assert_int_equal(hob_session_n_tokens(use.session), 5 + 11);
    options.n_samples = 2;
    ASSERT_HOB(hob_generate(use.session, once, 5, &options, hear, &second, &result, &error), error);
    assert_int_equal(result.n_cached_tokens, 4); /* the prompt's last is computed again, for its logits */
    assert_int_equal(result.n_prompt_tokens, 5);
    assert_int_equal(result.n_tokens, 24);
    assert_same(&first, 0, &second, 0);
    assert_same(&first, 0, &second, 1);
    use_close(&use);
}

/* ---- what ends a text ---- */

static void test_stop_ids_and_least_tokens(void **state)
{
    (void)state;
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    struct said all = {0}, cut = {0}, longer = {0}, text = {0};
    assert_int_equal(generate(&use, once, 5, (hob_generate_options){.max_tokens = 30}, &all), HOB_FINISH_LENGTH);
    int32_t stop_ids[] = {500, all.outputs[0].ids[7]};
    hob_generate_options options = {.max_tokens = 30, .stop_ids = stop_ids, .n_stop_ids = 2};
    assert_int_equal(generate(&use, once, 5, options, &cut), HOB_FINISH_STOP);
    assert_true(cut.outputs[0].n_ids <= 7);
    assert_memory_equal(cut.outputs[0].ids, all.outputs[0].ids, cut.outputs[0].n_ids * sizeof(int32_t));
    options.min_tokens = 12;
    generate(&use, once, 5, options, &longer);
    assert_true(longer.outputs[0].n_ids >= 12);
    for (size_t i = 0; i < 12; i++) assert_int_not_equal(longer.outputs[0].ids[i], stop_ids[1]);
    /* a stop text in the first tokens is not looked for: all of it shows */
    options = (hob_generate_options){.max_tokens = 30, .min_tokens = 5, .stops = (const char *const[]){"there", " Lily"}, .n_stops = 2};
    assert_int_equal(generate(&use, once, 5, options, &text), HOB_FINISH_STOP);
    assert_string_equal(text.outputs[0].text, ", there was a little girl named");
    use_close(&use);
}

static void test_limits_of_time_and_cancelling(void **state)
{
    (void)state;
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    struct said said = {0};
    static int32_t prompt[400];
    for (size_t i = 0; i < 400; i++) prompt[i] = i ? 300 : 1;
    hob_generation *generation = begin(&use, prompt, 400, &(hob_generate_options){.max_ms = 1, .chunk_tokens = 10}, &said);
    step(&use, generation);
    usleep(2000);
    step(&use, generation); /* between two pieces of the prompt */
    assert_true(hob_generation_is_done(generation));
    assert_int_equal(hob_generation_result(generation).finish, HOB_FINISH_TIME);
    assert_int_equal(hob_generation_output(generation, 0).n_tokens, 0);
    hob_generation_free(generation);

    generation = begin(&use, prompt, 400, &(hob_generate_options){.n_samples = 2, .chunk_tokens = 10}, &said);
    step(&use, generation);
    hob_generation_cancel(generation);
    step(&use, generation);
    assert_true(hob_generation_is_done(generation));
    assert_int_equal(hob_generation_output(generation, 1).finish, HOB_FINISH_CANCELLED);
    step(&use, generation); /* which changes nothing */
    hob_generation_free(generation);

    said.n_most_calls = 3; /* the second token of the first sample, of two */
    assert_int_equal(generate(&use, once, 5, (hob_generate_options){.n_samples = 2}, &said), HOB_FINISH_CANCELLED);
    assert_int_equal(said.n_calls, 3);
    use_close(&use);
}

static void write_config(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"config.json", "model.safetensors", "generation_config.json"};
    char path[256];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* A copy of a tiny model with a generation_config.json of its own. */
static void make_folder(char *folder, const char *generation_config)
{
    char source[512], target[256];
    static const char *const names[] = {"config.json", "model.safetensors"};
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < 2; i++) {
        char *here = realpath(TINY "qwen2", NULL);
        snprintf(source, sizeof source, "%s/%s", here, names[i]);
        snprintf(target, sizeof target, "%s/%s", folder, names[i]);
        assert_int_equal(symlink(source, target), 0);
        free(here);
    }
    write_config(folder, "generation_config.json", generation_config);
}

static void test_ends_of_generation_config(void **state)
{
    (void)state;
    int32_t prompt[] = {1, 9};
    struct said all = {0}, cut = {0}, on = {0};
    char folder[] = "/tmp/hob-ends-XXXXXX", text[128];
    struct use use = use_open(TINY "qwen2", NULL, 1);
    generate(&use, prompt, 2, (hob_generate_options){.max_tokens = 6, .ignores_end = true}, &all);
    use_close(&use);
    int32_t end = all.outputs[0].ids[3];
    snprintf(text, sizeof text, "{\"eos_token_id\": [63, %d, 2], \"max_length\": 20}", end);
    make_folder(folder, text);
    use = use_open(folder, NULL, 1);
    assert_int_equal(generate(&use, prompt, 2, (hob_generate_options){.max_tokens = 6}, &cut), HOB_FINISH_END);
    assert_true(cut.outputs[0].n_ids <= 3);
    generate(&use, prompt, 2, (hob_generate_options){.max_tokens = 6, .ignores_end = true}, &on);
    assert_same(&all, 0, &on, 0);
    use_close(&use);
    write_config(folder, "generation_config.json", "{\"eos_token_id\": ");
    hob_model *model;
    hob_error error = {0};
    assert_int_equal(hob_model_open(folder, NULL, &model, &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "generation_config.json"));
    remove_folder(folder);
}

/* ---- the context ---- */

enum { CONTEXT = 24, N_SHIFTED = 90 };

static struct use open_short(size_t n_context_tokens)
{
    hob_error error = {0};
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    hob_session_free(use.session);
    hob_session_options options = {.n_threads = 1, .n_context_tokens = (int64_t)n_context_tokens};
    ASSERT_HOB(hob_session_new(use.model, &options, &use.session, &error), error);
    return use;
}

static int32_t best_after(hob_session *session, const int32_t *ids, size_t n_ids)
{
    hob_error error = {0};
    int32_t best = 0;
    ASSERT_HOB(hob_session_rewind(session, 0, &error), error);
    ASSERT_HOB(hob_session_append(session, ids, n_ids, &error), error);
    for (int32_t i = 1; i < 512; i++)
        if (hob_session_logits(session)[i] > hob_session_logits(session)[best]) best = i;
    return best;
}

/* Each token is what the model says to a fresh prompt of all that is left of the text. */
static void check_shift(size_t n_keep, size_t n_kept_first)
{
    struct said said = {0};
    int32_t ids[CONTEXT + 1];
    size_t n_ids = 5;
    struct use use = open_short(CONTEXT), fresh = open_short(CONTEXT);
    hob_generate_options options = {.max_tokens = N_SHIFTED, .ignores_end = true, .shifts_context = true, .n_keep = n_keep};
    assert_int_equal(generate(&use, once, 5, options, &said), HOB_FINISH_LENGTH);
    assert_int_equal(said.outputs[0].n_ids, N_SHIFTED);
    memcpy(ids, once, sizeof once);
    for (size_t i = 0; i < N_SHIFTED; i++) {
        if (n_ids > CONTEXT) {
            size_t n_forgotten = (n_ids - n_kept_first) / 2;
            n_ids -= n_forgotten;
            memmove(ids + n_kept_first, ids + n_kept_first + n_forgotten, (n_ids - n_kept_first) * sizeof *ids);
        }
        int32_t best = best_after(fresh.session, ids, n_ids);
        assert_int_equal(said.outputs[0].ids[i], best);
        ids[n_ids++] = best;
    }
    use_close(&use), use_close(&fresh);
}

static void test_shifted_context_is_a_fresh_prompt(void **state)
{
    (void)state;
    check_shift(0, 1); /* the token that begins the text stays */
    check_shift(4, 4);
    check_shift(20, 5); /* of the prompt */
}

static void test_too_long_and_wrong(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_generation *generation;
    int32_t ids[CONTEXT + 1] = {1, 2, 3};
    struct use use = open_short(CONTEXT), other = open_short(CONTEXT);
    assert_int_equal(hob_generation_new(use.session, ids, CONTEXT + 1, NULL, NULL, NULL, &generation, &error), HOB_LIMIT);
    assert_string_equal(error.message, "found a prompt of 25 tokens, expected a context of at most 24");
    assert_int_equal(hob_generation_new(use.session, (int32_t[]){1, 512}, 2, NULL, NULL, NULL, &generation, &error), HOB_BAD_ARGUMENT);
    const char *empty = "";
    const hob_generate_options refused[] = {{.stops = &empty, .n_stops = 1}, {.n_samples = 100000}, {.temperature = -1},
                                            {.shifts_context = true}, {.shifts_context = true, .max_tokens = 1, .n_keep = CONTEXT - 1}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(hob_generation_new(use.session, ids, 3, &refused[i], NULL, NULL, &generation, &error), HOB_BAD_ARGUMENT);
    int32_t all[512];
    for (int32_t i = 0; i < 512; i++) all[i] = i;
    hob_generate_options no_way_on = {.min_tokens = 1, .stop_ids = all, .n_stop_ids = 512};
    assert_int_equal(hob_generation_new(use.session, ids, 3, &no_way_on, NULL, NULL, &generation, &error), HOB_BAD_ARGUMENT);
    hob_generate_options huge = {.shifts_context = true, .max_tokens = SIZE_MAX};
    assert_int_equal(hob_generation_new(use.session, ids, 3, &huge, NULL, NULL, &generation, &error), HOB_BAD_ARGUMENT);
    hob_generate_options ages = {.max_ms = UINT64_MAX, .max_tokens = 2};
    assert_int_equal(generate(&use, ids, 3, ages, &(struct said){0}), HOB_FINISH_LENGTH);
    ASSERT_HOB(hob_generation_new(use.session, ids, 3, NULL, NULL, NULL, &generation, &error), error);
    assert_int_equal(hob_generations_step(other.session, &generation, 1, &error), HOB_BAD_ARGUMENT);
    hob_generation_free(generation);
    assert_int_equal(hob_generations_step(use.session, NULL, 0, &error), HOB_OK);
    hob_generation_free(NULL);
    use_close(&use), use_close(&other);
}

/* ---- memory ---- */

static bool ignore(void *context, const hob_generated *generated)
{
    (void)context, (void)generated;
    return true;
}

/* From the first tokens to the last ones. */
static void check_no_allocation(const char *path, hob_generate_options options)
{
    hob_error error = {0};
    hob_generation *generation;
    struct use use = use_open(path, NULL, 1);
    options.max_tokens = 150;
    options.ignores_end = true;
    ASSERT_HOB(hob_generation_new(use.session, once, 5, &options, ignore, NULL, &generation, &error), error);
    for (size_t i = 0; i < 12; i++) step(&use, generation);
    uint64_t n_before = memory_n_allocations();
    for (size_t i = 0; i < 120; i++) step(&use, generation);
    assert_int_equal(memory_n_allocations() - n_before, 0);
    assert_false(hob_generation_is_done(generation));
    hob_generation_free(generation);
    use_close(&use);
}

static uint32_t n_used_blocks(const struct use *use)
{
    return kv_cache_usage(use->session->kv_cache).n_used;
}

/* Cancelled by its listener, from outside, freed in the middle, ended: nothing of a generation stays in the pool. */
static void test_blocks_come_back(void **state)
{
    (void)state;
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    const hob_generate_options kinds[] = {{.max_tokens = 80}, {.max_tokens = 80, .n_samples = 3, .temperature = 1},
                                          {.max_tokens = 80, .beam_width = 4}};
    uint32_t n_before = n_used_blocks(&use);
    for (size_t i = 0; i < 3 * 3; i++) {
        struct said said = {.n_most_calls = i / 3 == 0 ? 70 : 0};
        hob_generation *generation = begin(&use, once, 5, &kinds[i % 3], &said);
        for (size_t n = 0; n < 75 && !hob_generation_is_done(generation); n++) step(&use, generation);
        assert_true(n_used_blocks(&use) > n_before || hob_generation_is_done(generation));
        if (i / 3 == 1) {
            hob_generation_cancel(generation);
            step(&use, generation);
        } else if (i / 3 == 0) {
            run(&use, generation);
        }
        if (i / 3 < 2) assert_int_equal(n_used_blocks(&use), n_before);
        hob_generation_free(generation);
        assert_int_equal(n_used_blocks(&use), n_before);
    }
    use_close(&use);
}

static void test_steps_allocate_nothing(void **state)
{
    (void)state;
    const hob_generate_options all[] = {
        {0},
        {.temperature = 1, .top_k = 40, .top_p = 0.9f, .repetition_penalty = 1.2f, .has_logprobs = true, .n_top_logprobs = 5},
        {.stops = (const char *const[]){"never said", "xyzzy"}, .n_stops = 2, .min_tokens = 100},
        {.n_samples = 3, .temperature = 1},
        {.beam_width = 4}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_no_allocation(STORIES "model-q8_0.gguf", all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_are_runs_of_their_own),
        cmocka_unit_test(test_generations_do_not_see_each_other),
        cmocka_unit_test(test_the_session_keeps_its_text),
        cmocka_unit_test(test_stop_ids_and_least_tokens),
        cmocka_unit_test(test_limits_of_time_and_cancelling),
        cmocka_unit_test(test_ends_of_generation_config),
        cmocka_unit_test(test_shifted_context_is_a_fresh_prompt),
        cmocka_unit_test(test_too_long_and_wrong),
        cmocka_unit_test(test_steps_allocate_nothing),
        cmocka_unit_test(test_blocks_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
