/* Drafts change how a text is made, never the text: each request is run without, then with drafts of both kinds, and must give the same
 * tokens, logarithms, pieces of text, endings, and leave the same cache. */
#include "use.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define STORIES "../shared/models/stories260k/"

enum { MOST_OUTPUTS = 3 };

/* Everything a caller sees of a request, and whether what the cache holds afterwards goes on as it should. */
struct trace {
    struct buffer bytes[MOST_OUTPUTS]; /* samples take turns otherwise with drafts: each for itself must be the same */
    hob_generate_result result;
    size_t n_cached;
    uint64_t n_allocated; /* between the first token and the last */
    uint64_t n_before;
    size_t n_calls, n_most_calls; /* cancels after so many; 0: never */
};

static bool note(void *context, const hob_generated *generated)
{
    struct trace *trace = context;
    struct buffer *bytes = &trace->bytes[generated->output];
    buffer_printf(bytes, "%d %a %zu[", (int)generated->id, (double)generated->logprob, generated->n_top_logprobs);
    for (size_t i = 0; i < generated->n_top_logprobs; i++)
        buffer_printf(bytes, "%d %a,", (int)generated->top_logprobs[i].id, (double)generated->top_logprobs[i].logprob);
    buffer_append(bytes, generated->text, generated->n_text_bytes);
    buffer_append_string(bytes, "]\n");
    return ++trace->n_calls != trace->n_most_calls;
}

static const char story[] = "Once upon a time, there was a little girl named Lily. She loved to play with her ball. Lily said, \"I love my ball.\" "
                            "One day, Lily's ball rolled away. Once upon a time, there was a little girl named Lily. She loved";

struct ids {
    int32_t *ids;
    size_t n_ids;
};

static struct ids encode(const struct use *use, const char *text)
{
    struct ids ids;
    hob_error error;
    ASSERT_HOB(hob_tokenizer_encode(hob_model_tokenizer(use->model), text, strlen(text), HOB_ADD_SPECIAL, &ids.ids, &ids.n_ids, &error), error);
    return ids;
}

static struct trace run(const struct use *use, struct ids ids, const hob_generate_options *options, size_t n_most_calls)
{
    struct trace trace = {.n_most_calls = n_most_calls};
    hob_error error;
    ASSERT_HOB(hob_generate(use->session, ids.ids, ids.n_ids, options, note, &trace, &trace.result, &error), error);
    trace.n_cached = hob_session_n_tokens(use->session);
    int32_t next = 17;
    if (trace.n_cached < hob_session_n_context_tokens(use->session)) {
        ASSERT_HOB(hob_session_append(use->session, &next, 1, &error), error);
        const float *logits = hob_session_logits(use->session);
        for (size_t i = 0; i < 8; i++) buffer_printf(&trace.bytes[0], "%a ", (double)logits[i]);
    }
    return trace;
}

static void release(struct trace *trace)
{
    for (int i = 0; i < MOST_OUTPUTS; i++) buffer_release(&trace->bytes[i]);
}

static void check_same(const struct use *use, struct ids ids, hob_generate_options options, hob_session *draft, size_t n_most_calls,
                       size_t *n_accepted)
{
    static const size_t counts[] = {2, 16};
    struct trace plain = run(use, ids, &options, n_most_calls);
    assert_int_equal(plain.result.n_drafted, 0);
    for (size_t i = 0; i < 2 * sizeof counts / sizeof counts[0]; i++) {
        options.n_draft_tokens = counts[i / 2];
        options.draft_session = i % 2 ? draft : NULL;
        struct trace trace = run(use, ids, &options, n_most_calls);
        for (int output = 0; output < MOST_OUTPUTS; output++) {
            assert_string_equal(buffer_text(&trace.bytes[output]), buffer_text(&plain.bytes[output]));
            assert_int_equal(trace.bytes[output].n_bytes, plain.bytes[output].n_bytes);
            assert_false(trace.bytes[output].is_failed);
        }
        assert_int_equal(trace.n_cached, plain.n_cached);
        assert_int_equal(trace.result.finish, plain.result.finish);
        assert_int_equal(trace.result.n_tokens, plain.result.n_tokens);
        assert_true(trace.result.n_draft_accepted <= trace.result.n_drafted);
        *n_accepted += trace.result.n_draft_accepted;
        release(&trace);
    }
    release(&plain);
}

static struct use use_with_context(const char *path, int64_t n_context)
{
    hob_error error = {0};
    struct use use;
    hob_session_options options = {.n_threads = 1, .n_context_tokens = n_context};
    if (access(path, R_OK) != 0) skip();
    ASSERT_HOB(hob_model_open(path, NULL, &use.model, &error), error);
    ASSERT_HOB(hob_session_new(use.model, &options, &use.session, &error), error);
    return use;
}

static void check_requests(const char *path)
{
    static const char *const stops[] = {" ball."};
    static const int32_t stop_ids[] = {431};
    static const hob_logit_bias biases[] = {{300, 2}, {431, -INFINITY}};
    const hob_generate_options requests[] = {
        {.max_tokens = 40},
        {.max_tokens = 1},
        {.max_tokens = 2},
        {.max_tokens = 60, .temperature = 0.8f, .seed = 5},
        {.max_tokens = 60, .temperature = 1.2f, .top_k = 20, .top_p = 0.9f, .min_p = 0.02f, .seed = 6, .has_logprobs = true, .n_top_logprobs = 3},
        {.max_tokens = 60, .repetition_penalty = 1.2f, .frequency_penalty = 0.1f, .presence_penalty = 0.2f},
        {.max_tokens = 60, .temperature = 0.7f, .dry_multiplier = 0.8f, .seed = 7},
        {.max_tokens = 60, .temperature = 1, .mirostat_tau = 3, .seed = 8},
        {.max_tokens = 60, .temperature = 1, .xtc_probability = 0.5f, .typical_p = 0.9f, .seed = 9},
        {.max_tokens = 60, .logit_biases = biases, .n_logit_biases = 2},
        {.max_tokens = 60, .stops = stops, .n_stops = 1},
        {.max_tokens = 60, .stop_ids = stop_ids, .n_stop_ids = 1, .min_tokens = 10},
        {.max_tokens = 50, .n_samples = 3, .temperature = 0.9f, .seed = 10},
        {.max_tokens = 30, .chunk_tokens = 2},
        {.max_tokens = 30, .chunk_tokens = 1},
    };
    struct use use = use_with_context(path, 0), draft = use_with_context(STORIES "model-q8_0.gguf", 0);
    struct ids ids = encode(&use, story);
    size_t n_accepted = 0;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) check_same(&use, ids, requests[i], draft.session, 0, &n_accepted);
    check_same(&use, ids, requests[0], draft.session, 7, &n_accepted);
    assert_true(n_accepted > 300);
    hob_free(ids.ids);
    use_close(&draft);
    use_close(&use);
}

static void test_texts_are_the_same(void **state)
{
    (void)state;
    check_requests(STORIES "model-f32.gguf");
    check_requests(STORIES "model-q8_0.gguf");
    check_requests(STORIES "model.onnx");
}

/* A listener that refuses one text's token ends the others too, whose drafts have run already. */
static void test_cancelled_with_drafts_under_way(void **state)
{
    (void)state;
    struct use use = use_with_context(STORIES "model-f32.gguf", 0);
    struct ids ids = encode(&use, story);
    const hob_generate_options options = {.max_tokens = 40, .n_samples = 3, .temperature = 0.1f, .seed = 3, .n_draft_tokens = 16};
    size_t n_drafted = 0;
    for (size_t n_calls = 1; n_calls < 40; n_calls += 2) {
        struct trace trace = run(&use, ids, &options, n_calls);
        assert_int_equal(trace.result.finish, HOB_FINISH_CANCELLED);
        assert_int_equal(trace.n_calls, n_calls);
        n_drafted += trace.result.n_drafted;
        release(&trace);
    }
    assert_true(n_drafted > 0);
    hob_free(ids.ids);
    use_close(&use);
}

/* The draft model's cache holds one block, less than the prompt: the text is made without it. */
static void test_a_draft_cache_that_is_full(void **state)
{
    (void)state;
    hob_error error = {0};
    size_t n_accepted = 0;
    struct use use = use_with_context(STORIES "model-f32.gguf", 0), draft = use_with_context(STORIES "model-f32.gguf", 0);
    hob_session_free(draft.session);
    ASSERT_HOB(hob_session_new(draft.model, &(hob_session_options){.n_threads = 1, .n_cache_tokens = 64}, &draft.session, &error), error);
    struct ids ids = encode(&use, story);
    assert_true(ids.n_ids > 64);
    struct trace trace = run(&use, ids, &(hob_generate_options){.max_tokens = 20, .n_draft_tokens = 4, .draft_session = draft.session}, 0);
    assert_int_equal(trace.result.n_drafted, 0);
    release(&trace);
    check_same(&use, ids, (hob_generate_options){.max_tokens = 20}, draft.session, 0, &n_accepted);
    hob_free(ids.ids);
    use_close(&draft);
    use_close(&use);
}

/* Drafts have no place beyond the context's end, the draft model's included. */
static void test_the_contexts_end(void **state)
{
    (void)state;
    struct use use = use_with_context(STORIES "model-f32.gguf", 110), draft = use_with_context(STORIES "model-f32.gguf", 90);
    struct ids ids = encode(&use, story);
    size_t n_accepted = 0;
    check_same(&use, ids, (hob_generate_options){.max_tokens = 0}, draft.session, 0, &n_accepted);
    check_same(&use, ids, (hob_generate_options){.max_tokens = 150, .shifts_context = true, .n_keep = 4}, draft.session, 0, &n_accepted);
    assert_true(n_accepted > 0);
    hob_free(ids.ids);
    use_close(&draft);
    use_close(&use);
}

/* A model drafts for itself: greedy or drawn, every guess is right. */
static void test_equal_models_agree(void **state)
{
    (void)state;
    struct use use = use_with_context(STORIES "model-f32.gguf", 0), draft = use_with_context(STORIES "model-f32.gguf", 0);
    struct ids ids = encode(&use, story);
    hob_generate_options options = {.max_tokens = 60, .n_draft_tokens = 8, .draft_session = draft.session};
    for (int i = 0; i < 2; i++, options.temperature = 1) {
        struct trace trace = run(&use, ids, &options, 0);
        assert_true(trace.result.n_drafted > 30);
        if (trace.result.finish == HOB_FINISH_LENGTH) assert_int_equal(trace.result.n_draft_accepted, trace.result.n_drafted);
        release(&trace);
    }
    hob_free(ids.ids);
    use_close(&draft);
    use_close(&use);
}

static void test_refusals(void **state)
{
    (void)state;
    struct use use = use_with_context(STORIES "model-f32.gguf", 0);
    struct use other = use_with_context("../shared/models/gpt2-tiny-random", 0);
    hob_error error;
    const int32_t id = 5;
    hob_generate_options options = {.max_tokens = 4, .n_draft_tokens = 65};
    assert_int_equal(hob_generate(use.session, &id, 1, &options, NULL, NULL, NULL, &error), HOB_BAD_ARGUMENT);
    assert_string_equal(error.message, "drafts: found 65 at a time, expected at most 64");
    options = (hob_generate_options){.max_tokens = 4, .n_draft_tokens = 4, .draft_session = other.session};
    assert_int_equal(hob_generate(use.session, &id, 1, &options, NULL, NULL, NULL, &error), HOB_BAD_ARGUMENT);
    assert_string_equal(error.message, "draft model: found a vocabulary of 50257 tokens, expected about the model's 512");
    options.draft_session = use.session;
    assert_int_equal(hob_generate(use.session, &id, 1, &options, NULL, NULL, NULL, &error), HOB_BAD_ARGUMENT);
    options = (hob_generate_options){.max_tokens = 4, .n_draft_tokens = 4, .beam_width = 2, .length_penalty = 1};
    assert_int_equal(hob_generate(use.session, &id, 1, &options, NULL, NULL, NULL, &error), HOB_BAD_ARGUMENT);
    use_close(&other);
    use_close(&use);
}

static bool count_allocations(void *context, const hob_generated *generated)
{
    struct trace *trace = context;
    (void)generated;
    uint64_t n_now = memory_n_allocations();
    if (++trace->n_calls == 20) trace->n_before = n_now; /* runs of all sizes have been seen */
    trace->n_allocated = n_now - trace->n_before;
    return true;
}

static void test_drafting_allocates_nothing(void **state)
{
    (void)state;
    struct use use = use_with_context(STORIES "model-f32.gguf", 0), draft = use_with_context(STORIES "model-q8_0.gguf", 0);
    struct ids ids = encode(&use, story);
    hob_error error;
    for (int i = 0; i < 2; i++) {
        struct trace trace = {0};
        hob_generate_options options = {.max_tokens = 120, .n_draft_tokens = 4, .draft_session = i ? draft.session : NULL, .ignores_end = true};
        ASSERT_HOB(hob_generate(use.session, ids.ids, ids.n_ids, &options, count_allocations, &trace, NULL, &error), error);
        assert_true(trace.n_calls > 100);
        assert_int_equal(trace.n_allocated, 0);
    }
    hob_free(ids.ids);
    use_close(&draft);
    use_close(&use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_the_same),
        cmocka_unit_test(test_cancelled_with_drafts_under_way),
        cmocka_unit_test(test_a_draft_cache_that_is_full),
        cmocka_unit_test(test_the_contexts_end),
        cmocka_unit_test(test_equal_models_agree),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_drafting_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
