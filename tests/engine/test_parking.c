/* Generations that leave the cache and come back, that run out of it, and steps of bounded length: no byte of what they say depends on it. */
#include "engine/use.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/size.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/prefix_cache.h"
#include "engine/session.h"

#include <stdio.h>
#include <string.h>

#define STORIES "../shared/models/stories260k/"

enum { N_PROMPT = 70 }; /* a full block and the beginning of another */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 7, N_SHIFTED = 10 }; /* twenty times as slow: not every step, but all kinds of them */
#else
enum { STRIDE = 1, N_SHIFTED = 300 };
#endif

/* All that a generation said, numbers as they are. */
struct trace {
    struct buffer bytes;
    hob_generate_result result;
};

static bool note(void *context, const hob_generated *generated)
{
    struct buffer *bytes = context;
    buffer_printf(bytes, "%zu: %d %a [", generated->output, (int)generated->id, (double)generated->logprob);
    for (size_t i = 0; i < generated->n_top_logprobs; i++)
        buffer_printf(bytes, "%d %a,", (int)generated->top_logprobs[i].id, (double)generated->top_logprobs[i].logprob);
    buffer_printf(bytes, "] %s\n", generated->text);
    return true;
}

static void note_end(const hob_generation *generation, struct trace *trace)
{
    trace->result = hob_generation_result(generation);
    for (size_t i = 0; i < hob_generation_n_outputs(generation); i++) {
        hob_generated_output output = hob_generation_output(generation, i);
        buffer_printf(&trace->bytes, "%s %zu %a %d %d\n", hob_finish_name(output.finish), output.n_tokens, output.score, output.stop,
                      (int)output.end_id);
    }
    assert_false(trace->bytes.is_failed);
}

static void assert_same(const struct trace *found, const struct trace *expected)
{
    assert_string_equal(buffer_text(&found->bytes), buffer_text(&expected->bytes));
    assert_int_equal(found->result.finish, expected->result.finish);
    assert_int_equal(found->result.n_tokens, expected->result.n_tokens);
    assert_int_equal(found->result.n_prompt_done, expected->result.n_prompt_done);
}

/* ---- a scene ---- */

static struct use open_with(const char *name, const char *disabled_passes, hob_session_options options)
{
    char path[200];
    hob_error error = {0};
    struct use use;
    hob_model_options model_options = {.disabled_passes = disabled_passes};
    snprintf(path, sizeof path, "%s%s", STORIES, name);
    if (access(path, R_OK) != 0) skip();
    options.n_threads = 1;
    ASSERT_HOB(hob_model_open(path, &model_options, &use.model, &error), error);
    ASSERT_HOB(hob_session_new(use.model, &options, &use.session, &error), error);
    return use;
}

/* The same few words again and again, so that drafts are made and some are right. */
static void fill_prompt(int32_t prompt[N_PROMPT], int32_t seed)
{
    static const int32_t words[] = {403, 407, 261, 378, 432, 384};
    for (int32_t i = 0; i < N_PROMPT; i++) prompt[i] = words[(i + seed) % 6];
    prompt[0] = 1;
    prompt[1] = 300 + seed;
}

static hob_generation *begin(const struct use *use, int32_t seed, const hob_generate_options *options, struct trace *trace)
{
    hob_error error = {0};
    hob_generation *generation;
    int32_t prompt[N_PROMPT];
    fill_prompt(prompt, seed);
    ASSERT_HOB(hob_generation_new(use->session, prompt, N_PROMPT, options, note, &trace->bytes, &generation, &error), error);
    return generation;
}

static void step(const struct use *use, hob_generation *generation)
{
    hob_error error = {0};
    ASSERT_HOB(hob_generations_step(use->session, &generation, 1, &error), error);
}

/* Parked after step `due` and then again and again, after a step more each time, so that it comes to an end (gap 0: once). Returns the steps. */
static size_t run(const struct use *use, const hob_generate_options *options, size_t due, size_t gap, struct trace *trace)
{
    hob_generation *generation = begin(use, 0, options, trace);
    size_t n_steps = 0;
    for (; !hob_generation_is_done(generation); n_steps++) {
        if (n_steps == due) {
            due += gap ? gap++ : 0;
            uint64_t n_before = memory_n_allocations();
            hob_generation_park(generation);
            assert_true(hob_generation_is_parked(generation));
            assert_int_equal(hob_generation_holds_tokens(generation), 0);
            assert_int_equal(hob_generation_needs_tokens(generation), hob_generation_wants_tokens(generation));
            assert_int_equal(memory_n_allocations() - n_before, 0);
        }
        step(use, generation);
        assert_false(hob_generation_is_parked(generation));
    }
    note_end(generation, trace);
    hob_generation_free(generation);
    return n_steps;
}

static uint32_t n_used_blocks(const struct use *use)
{
    uint32_t n_kept = use->session->prefixes ? prefix_cache_usage(use->session->prefixes).n_blocks : 0;
    return use->session->kv_cache ? kv_cache_usage(use->session->kv_cache).n_used - n_kept : 0;
}

static void check_options(const struct use *use, hob_generate_options options, size_t stride)
{
    struct trace plain = {0};
    uint32_t n_before = n_used_blocks(use);
    options.ignores_end = true;
    size_t n_steps = run(use, &options, SIZE_MAX, 0, &plain);
    for (size_t first = 0; first <= n_steps; first += first < 4 ? 1 : stride) {
        struct trace once = {0}, often = {0};
        run(use, &options, first, 0, &once);
        assert_same(&once, &plain);
        if (first > 0 && first < 8) run(use, &options, 0, first + 2, &often), assert_same(&often, &plain);
        assert_int_equal(n_used_blocks(use), n_before);
        buffer_release(&once.bytes);
        buffer_release(&often.bytes);
    }
    buffer_release(&plain.bytes);
}

static const char *const stops[] = {"never said", " ball"};

static const hob_generate_options kinds[] = {
    {.max_tokens = 12, .chunk_tokens = 30, .has_logprobs = true, .n_top_logprobs = 3},
    {.max_tokens = 14, .temperature = 1, .top_p = 0.9f, .seed = 3, .has_logprobs = true},
    {.max_tokens = 12, .temperature = 1.5f, .mirostat_tau = 4, .repetition_penalty = 1.3f, .dry_multiplier = 0.8f, .frequency_penalty = 0.2f},
    {.max_tokens = 24, .json_schema = "", .temperature = 1, .seed = 5},
    {.max_tokens = 30, .stops = stops, .n_stops = 2, .min_tokens = 2, .temperature = 1.2f, .seed = 1},
    {.max_tokens = 10, .n_samples = 3, .temperature = 1, .seed = 2},
    {.max_tokens = 20, .n_draft_tokens = 4},
    {.max_tokens = 8, .beam_width = 3, .n_samples = 2, .has_logprobs = true},
};

static void test_parked_at_every_step(void **state)
{
    (void)state;
    struct use bare = open_with("model-q8_0.gguf", NULL, (hob_session_options){.n_context_tokens = 256});
    struct use kept = open_with("model-q8_0.gguf", NULL, (hob_session_options){.n_context_tokens = 256, .prefix_cache_bytes = 1 << 20});
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        check_options(&bare, kinds[i], STRIDE);
        check_options(&kept, kinds[i], STRIDE);
    }
    use_close(&bare), use_close(&kept);
}

/* Caches that are no blocks: of an ONNX graph's own. */
static void test_parked_without_a_pool(void **state)
{
    (void)state;
    struct use use = open_with("model.onnx", "attach_kv_cache", (hob_session_options){.n_context_tokens = 100});
    assert_null(use.session->kv_cache);
    assert_true(hob_session_room_tokens(use.session) == SIZE_MAX);
    check_options(&use, kinds[0], STRIDE);
    check_options(&use, kinds[5], STRIDE);
    check_options(&use, kinds[7], STRIDE);
    use_close(&use);
}

static void test_parked_with_a_draft_model(void **state)
{
    (void)state;
    struct use use = open_with("model-f32.gguf", NULL, (hob_session_options){.n_context_tokens = 256});
    struct use draft = open_with("model-q8_0.gguf", NULL, (hob_session_options){.n_context_tokens = 256});
    uint32_t n_before = n_used_blocks(&draft);
    check_options(&use, (hob_generate_options){.max_tokens = 20, .n_draft_tokens = 5, .draft_session = draft.session, .chunk_tokens = 40}, STRIDE);
    assert_int_equal(n_used_blocks(&draft), n_before);
    struct trace trace = {0};
    hob_generate_options options = {.max_tokens = 20, .n_draft_tokens = 5, .draft_session = draft.session};
    hob_generation *generation = begin(&use, 0, &options, &trace);
    for (size_t i = 0; i < 3; i++) step(&use, generation);
    assert_true(n_used_blocks(&draft) > n_before);
    hob_generation_park(generation);
    assert_int_equal(n_used_blocks(&draft), n_before);
    hob_generation_free(generation);
    buffer_release(&trace.bytes);
    use_close(&use), use_close(&draft);
}

/* What a context shift keeps is what comes back, also in the middle of the shift. */
static void test_parked_while_the_context_shifts(void **state)
{
    (void)state;
    struct use use = open_with("model-f32.gguf", NULL, (hob_session_options){.n_context_tokens = 80});
    hob_generate_options options = {.max_tokens = 60, .shifts_context = true, .n_keep = 10, .chunk_tokens = 17, .temperature = 1};
    check_options(&use, options, 3 * STRIDE);
    options.n_samples = 2;
    options.max_tokens = 25;
    check_options(&use, options, 5 * STRIDE);
    use_close(&use);
}

static void test_a_parked_one_ends(void **state)
{
    (void)state;
    struct use use = open_with("model-f32.gguf", NULL, (hob_session_options){.n_context_tokens = 256});
    uint32_t n_before = n_used_blocks(&use);
    for (size_t n_steps = 0; n_steps < 4; n_steps++) {
        struct trace cancelled = {0}, late = {0};
        hob_generate_options options = {.max_tokens = 100, .chunk_tokens = 30};
        hob_generation *generation = begin(&use, 0, &options, &cancelled);
        for (size_t i = 0; i < n_steps; i++) step(&use, generation);
        hob_generation_park(generation);
        hob_generation_cancel(generation);
        step(&use, generation);
        assert_int_equal(hob_generation_result(generation).finish, HOB_FINISH_CANCELLED);
        assert_false(hob_generation_is_parked(generation));
        hob_generation_park(generation);
        assert_false(hob_generation_is_parked(generation));
        hob_generation_free(generation);

        options.max_ms = n_steps ? 400 : 1; /* some steps must fit, even where somebody takes the core away for a while */
        uint64_t start_ns = clock_now_ns();
        generation = begin(&use, 0, &options, &late);
        for (size_t i = 0; i < n_steps; i++) step(&use, generation);
        if (!hob_generation_is_done(generation)) hob_generation_park(generation);
        while (clock_now_ns() < start_ns + (options.max_ms + 20) * 1000000u) usleep(1000);
        size_t n_tokens = hob_generation_result(generation).n_tokens;
        step(&use, generation);
        assert_true(hob_generation_is_done(generation));
        assert_int_equal(hob_generation_result(generation).finish, HOB_FINISH_TIME);
        assert_int_equal(hob_generation_result(generation).n_tokens, n_tokens);
        assert_int_equal(n_used_blocks(&use), n_before);
        hob_generation_park(generation);
        hob_generation_free(generation);
        buffer_release(&cancelled.bytes);
        buffer_release(&late.bytes);
    }
    use_close(&use);
}

/* ---- room ---- */

/* Takes blocks until so many are free. */
struct hog {
    struct kv_cache *pool;
    uint32_t blocks[4096];
    size_t n_blocks;
};

static void leave(struct hog *hog, const struct use *use, size_t n_tokens)
{
    hob_error error = {0};
    hog->pool = use->session->kv_cache;
    while (hob_session_room_tokens(use->session) > n_tokens) {
        assert_true(hog->n_blocks < 4096);
        ASSERT_HOB(kv_cache_take(hog->pool, &hog->blocks[hog->n_blocks], &error), error);
        hog->n_blocks++;
    }
}

static void give_back(struct hog *hog)
{
    while (hog->n_blocks) kv_cache_unref(hog->pool, hog->blocks[--hog->n_blocks]);
}

/* A step that has what it needs goes well, one that has a block less fails, and no harm is done. */
static void check_needs(const struct use *use, hob_generate_options options)
{
    hob_error error = {0};
    struct trace plain = {0}, tight = {0};
    static struct hog hog;
    options.ignores_end = true;
    run(use, &options, SIZE_MAX, 0, &plain);
    hob_generation *generation = begin(use, 0, &options, &tight);
    while (!hob_generation_is_done(generation)) {
        size_t needs = hob_generation_needs_tokens(generation);
        assert_true(needs <= hob_session_room_tokens(use->session));
        if (needs) {
            leave(&hog, use, needs - PAGED_POSITIONS);
            assert_int_equal(hob_generations_step(use->session, &generation, 1, &error), HOB_LIMIT);
            assert_false(hob_generation_is_done(generation));
            size_t still_needs = hob_generation_needs_tokens(generation); /* less by copies that were made */
            assert_int_equal(still_needs, hob_session_room_tokens(use->session) + PAGED_POSITIONS);
            assert_true(still_needs <= needs);
            needs = still_needs;
            give_back(&hog);
        }
        leave(&hog, use, needs);
        step(use, generation);
        give_back(&hog);
    }
    note_end(generation, &tight);
    assert_int_equal(hob_generation_needs_tokens(generation), 0);
    assert_int_equal(hob_generation_wants_tokens(generation), 0);
    hob_generation_free(generation);
    assert_same(&tight, &plain);
    buffer_release(&plain.bytes);
    buffer_release(&tight.bytes);
}

static void test_needs_are_exact(void **state)
{
    (void)state;
    struct use bare = open_with("model-q8_0.gguf", NULL, (hob_session_options){.n_context_tokens = 256});
    struct use kept = open_with("model-q8_0.gguf", NULL, (hob_session_options){.n_context_tokens = 256, .prefix_cache_bytes = 1 << 18});
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i += STRIDE == 1 ? 1 : 2) {
        hob_generate_options options = kinds[i];
        options.max_tokens += 60 / STRIDE;
        check_needs(&bare, options);
        check_needs(&kept, options);
    }
    check_needs(&bare, (hob_generate_options){.max_tokens = N_SHIFTED, .shifts_context = true, .n_samples = 2, .temperature = 1});
    check_needs(&kept, (hob_generate_options){.max_tokens = N_SHIFTED, .shifts_context = true, .n_keep = 70});
    use_close(&bare), use_close(&kept);
}

/* A parked generation comes back into what it says it wants, whatever it was doing. */
static void check_wants(const struct use *use, hob_generate_options options, size_t n_steps)
{
    struct trace plain = {0}, tight = {0};
    static struct hog hog;
    options.ignores_end = true;
    run(use, &options, SIZE_MAX, 0, &plain);
    hob_generation *generation = begin(use, 0, &options, &tight);
    for (size_t i = 0; i < n_steps && !hob_generation_is_done(generation); i++) step(use, generation);
    size_t held = hob_generation_holds_tokens(generation), room = hob_session_room_tokens(use->session);
    hob_generation_park(generation);
    assert_int_equal(hob_session_room_tokens(use->session), room + held);
    leave(&hog, use, hob_generation_wants_tokens(generation));
    size_t n_done = hob_generation_result(generation).n_tokens;
    for (size_t i = 0; i < 20 && !hob_generation_is_done(generation) && hob_generation_result(generation).n_tokens == n_done; i++)
        step(use, generation);
    assert_true(options.beam_width || hob_generation_is_done(generation) || hob_generation_result(generation).n_tokens > n_done);
    give_back(&hog);
    while (!hob_generation_is_done(generation)) step(use, generation);
    note_end(generation, &tight);
    assert_same(&tight, &plain);
    hob_generation_free(generation);
    buffer_release(&plain.bytes);
    buffer_release(&tight.bytes);
}

static void test_wants_are_enough(void **state)
{
    (void)state;
    struct use bare = open_with("model-q8_0.gguf", NULL, (hob_session_options){.n_context_tokens = 256});
    struct use kept = open_with("model-q8_0.gguf", NULL, (hob_session_options){.n_context_tokens = 256, .prefix_cache_bytes = 1 << 20});
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i += STRIDE == 1 ? 1 : 2) {
        hob_generate_options options = kinds[i];
        static const size_t steps[] = {0, 1, 3, 17};
        options.max_tokens += 20;
        options.chunk_tokens = 50;
        for (size_t s = 0; s < ARRAY_LENGTH(steps); s += STRIDE) {
            check_wants(&bare, options, steps[s]);
            check_wants(&kept, options, steps[s]);
        }
    }
    use_close(&bare), use_close(&kept);
}

/* Six texts on a pool for two, as a scheduler would run them: the youngest make room. */
static void check_crowd(hob_session_options session_options, size_t most_rows)
{
    enum { N = 6 };
    hob_error error = {0};
    struct use alone = open_with("model-q8_0.gguf", NULL, (hob_session_options){.n_context_tokens = 256});
    struct use use = open_with("model-q8_0.gguf", NULL, session_options);
    hob_generation *generations[N];
    struct trace traces[N] = {0};
    hob_generate_options options[N];
    size_t n_parked = 0;
    for (int32_t i = 0; i < N; i++) {
        options[i] = kinds[i];
        options[i].max_tokens = 70;
        options[i].ignores_end = true;
        options[i].chunk_tokens = 20;
        generations[i] = begin(&use, i, &options[i], &traces[i]);
    }
    for (size_t n_done = 0; n_done < N;) {
        hob_generation *list[N];
        size_t n_list = 0, needs = 0;
        for (size_t i = 0; i < N; i++) {
            size_t needed = hob_generation_is_parked(generations[i]) ? hob_generation_wants_tokens(generations[i])
                                                                      : hob_generation_needs_tokens(generations[i]);
            size_t room = hob_session_room_tokens(use.session);
            for (size_t youngest = N; needs + needed > room && --youngest > i; room = hob_session_room_tokens(use.session))
                n_parked += !hob_generation_is_parked(generations[youngest]), hob_generation_park(generations[youngest]);
            if (needs + needed > room) {
                hob_generation_park(generations[i]);
                continue;
            }
            needs += needed;
            list[n_list++] = generations[i];
        }
        assert_true(n_list > 0);
        ASSERT_HOB(hob_generations_step_bounded(use.session, list, n_list, most_rows, &error), error);
        n_done = 0;
        for (size_t i = 0; i < N; i++) n_done += hob_generation_is_done(generations[i]);
    }
    assert_true(n_parked > 0);
    for (int32_t i = 0; i < N; i++) {
        struct trace expected = {0};
        note_end(generations[i], &traces[i]);
        hob_generation *generation = begin(&alone, i, &options[i], &expected);
        while (!hob_generation_is_done(generation)) step(&alone, generation);
        note_end(generation, &expected);
        assert_same(&traces[i], &expected);
        hob_generation_free(generation);
        hob_generation_free(generations[i]);
        buffer_release(&traces[i].bytes);
        buffer_release(&expected.bytes);
    }
    assert_int_equal(n_used_blocks(&use), 0);
    use_close(&use), use_close(&alone);
}

static void test_a_crowd_on_a_small_pool(void **state)
{
    (void)state;
    check_crowd((hob_session_options){.n_context_tokens = 256, .n_cache_tokens = 8 * PAGED_POSITIONS}, 0);
    check_crowd((hob_session_options){.n_context_tokens = 256, .n_cache_tokens = 6 * PAGED_POSITIONS, .prefix_cache_bytes = 1 << 18}, 24);
}

/* ---- bounded steps ---- */

static void check_bound(const struct use *use, size_t most_rows)
{
    enum { N = 4 };
    hob_error error = {0};
    hob_generation *generations[N];
    struct trace traces[N] = {0};
    for (int32_t i = 0; i < N; i++) generations[i] = begin(use, i, &kinds[2 * (size_t)i % 6], &traces[i]);
    for (size_t n_done = 0; n_done < N;) {
        size_t n_before = 0, n_after = 0, first_before = hob_generation_result(generations[0]).n_prompt_done;
        for (size_t i = 0; i < N; i++) n_before += hob_generation_result(generations[i]).n_prompt_done;
        ASSERT_HOB(hob_generations_step_bounded(use->session, generations, N, most_rows, &error), error);
        for (size_t i = 0; i < N; i++) n_after += hob_generation_result(generations[i]).n_prompt_done;
        assert_true(!most_rows || n_after - n_before <= most_rows);
        assert_true(first_before == N_PROMPT || hob_generation_result(generations[0]).n_prompt_done > first_before);
        n_done = 0;
        for (size_t i = 0; i < N; i++) n_done += hob_generation_is_done(generations[i]);
    }
    for (int32_t i = 0; i < N; i++) {
        struct trace expected = {0};
        note_end(generations[i], &traces[i]);
        hob_generation *generation = begin(use, i, &kinds[2 * (size_t)i % 6], &expected);
        while (!hob_generation_is_done(generation)) step(use, generation);
        note_end(generation, &expected);
        assert_same(&traces[i], &expected);
        hob_generation_free(generation);
        hob_generation_free(generations[i]);
        buffer_release(&traces[i].bytes);
        buffer_release(&expected.bytes);
    }
}

static void test_bounded_steps(void **state)
{
    (void)state;
    struct use use = open_with("model-q8_0.gguf", NULL, (hob_session_options){.n_context_tokens = 256});
    static const size_t bounds[] = {0, 1, 7, 100};
    for (size_t i = 0; i < ARRAY_LENGTH(bounds); i++) check_bound(&use, bounds[i]);
    use_close(&use);
}

/* ---- what ended a text ---- */

static void test_what_ended_a_text(void **state)
{
    (void)state;
    struct use use = open_with("model-f32.gguf", NULL, (hob_session_options){.n_context_tokens = 256});
    struct trace free_text = {0};
    hob_generate_options options = {.max_tokens = 40, .temperature = 1, .seed = 4};
    hob_generation *generation = begin(&use, 0, &options, &free_text);
    while (!hob_generation_is_done(generation)) step(&use, generation);
    assert_int_equal(hob_generation_output(generation, 0).stop, -1);
    assert_int_equal(hob_generation_output(generation, 1).stop, -1);
    assert_int_equal(hob_generation_output(generation, 0).end_id, HOB_NO_TOKEN);
    hob_generation_free(generation);
    options.stops = (const char *const[]){"never said", " ", "also never"};
    options.n_stops = 3;
    generation = begin(&use, 0, &options, &free_text);
    while (!hob_generation_is_done(generation)) step(&use, generation);
    assert_int_equal(hob_generation_output(generation, 0).finish, HOB_FINISH_STOP);
    assert_int_equal(hob_generation_output(generation, 0).stop, 1);
    hob_generation_free(generation);
    int32_t all[512];
    for (int32_t i = 0; i < 512; i++) all[i] = i;
    options = (hob_generate_options){.stop_ids = all, .n_stop_ids = 512, .ignores_end = true};
    for (size_t width = 0; width < 4; width += 2) {
        options.beam_width = width;
        struct buffer nothing = {0};
        struct trace none = {.bytes = nothing};
        generation = begin(&use, 0, &options, &none);
        while (!hob_generation_is_done(generation)) step(&use, generation);
        assert_int_equal(hob_generation_output(generation, 0).finish, HOB_FINISH_STOP);
        assert_int_equal(hob_generation_output(generation, 0).stop, -1);
        assert_in_range(hob_generation_output(generation, 0).end_id, 0, 511);
        assert_int_equal(none.bytes.n_bytes, 0); /* tokens that end a text are not told */
        hob_generation_free(generation);
    }
    buffer_release(&free_text.bytes);
    use_close(&use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parked_at_every_step),
        cmocka_unit_test(test_parked_without_a_pool),
        cmocka_unit_test(test_parked_with_a_draft_model),
        cmocka_unit_test(test_parked_while_the_context_shifts),
        cmocka_unit_test(test_a_parked_one_ends),
        cmocka_unit_test(test_needs_are_exact),
        cmocka_unit_test(test_wants_are_enough),
        cmocka_unit_test(test_a_crowd_on_a_small_pool),
        cmocka_unit_test(test_bounded_steps),
        cmocka_unit_test(test_what_ended_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
