/* Jobs that generate: prompts of all kinds, limits, stops, samples, beams, echoes, chats, grammars, through the scheduler. */
#include "server/serving.h"

#include <math.h>
#include <stdio.h>

static struct serving serving;

static int open_serving(void **state)
{
    (void)state;
    struct config config = serving_config();
    if (serving_has_models()) serving_open(&serving, &config);
    return 0;
}

static int close_serving(void **state)
{
    (void)state;
    if (serving_has_models()) serving_close(&serving);
    return 0;
}

static void run(struct job *job)
{
    serving_submit(&serving, job);
    serving_wait_for(&serving, job);
}

static void expect_text(struct generate_job *generate, const char *expected)
{
    run(&generate->job);
    serving_expect_done(&generate->job);
    char *text = serving_text_of(&generate->job, 0);
    assert_string_equal(text, expected);
    free(text);
}

/* What the library says of the same prompt, asked directly. */
struct direct {
    struct buffer text;
    size_t n_tokens;
};

static bool keep_text(void *context, const hob_generated *generated)
{
    struct direct *direct = context;
    buffer_append(&direct->text, generated->text, generated->n_text_bytes);
    direct->n_tokens += generated->id != HOB_NO_TOKEN;
    return true;
}

static char *direct_text(const char *prompt, const hob_generate_options *options)
{
    hob_model *model;
    hob_session *session;
    hob_session_options session_options = {.n_threads = 1};
    int32_t *ids;
    size_t n_ids;
    struct direct direct = {0};
    assert_int_equal(hob_model_open(STORIES, NULL, &model, NULL), HOB_OK);
    assert_int_equal(hob_session_new(model, &session_options, &session, NULL), HOB_OK);
    assert_int_equal(hob_tokenizer_encode(hob_model_tokenizer(model), prompt, strlen(prompt), HOB_ADD_SPECIAL, &ids, &n_ids, NULL), HOB_OK);
    assert_int_equal(hob_generate(session, ids, n_ids, options, keep_text, &direct, NULL, NULL), HOB_OK);
    char *text = strdup(buffer_text(&direct.text));
    buffer_release(&direct.text);
    hob_free(ids);
    hob_session_free(session);
    hob_model_free(model);
    return text;
}

static void test_text_is_what_the_library_says(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    hob_generate_options options = {.max_tokens = 24};
    char *expected = direct_text("Once upon a time", &options);
    struct generate_job *generate = serving_complete("Once upon a time", 24);
    expect_text(generate, expected);
    assert_int_equal(serving_count(&generate->job, EVENT_STARTED), 1);
    assert_int_equal(serving_count(&generate->job, EVENT_OUTPUT_END), 1);
    assert_int_equal(serving_find(&generate->job, EVENT_OUTPUT_END)->finish, HOB_FINISH_LENGTH);
    const struct event *done = serving_last(&generate->job);
    assert_int_equal(done->usage.n_generated_tokens, 24);
    assert_int_equal(done->usage.n_prompt_tokens, serving_find(&generate->job, EVENT_STARTED)->usage.n_prompt_tokens);
    free(expected);
    job_unref(&generate->job);
}

static void test_ids_are_as_text(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *text = serving_complete("Tom and Ann", 12), *ids = generate_job_new("");
    struct tokens_job *tokens = tokens_job_new("");
    const char *prompt = "Tom and Ann";
    size_t n_bytes = strlen(prompt);
    tokens->inputs = (struct tokens_inputs){.task = TOKENS_ENCODE, .texts = &prompt, .text_bytes = &n_bytes, .n_texts = 1, .flags = HOB_ADD_SPECIAL};
    run(&tokens->job);
    serving_expect_done(&tokens->job);
    const struct event *event = serving_find(&tokens->job, EVENT_IDS);
    ids->inputs = (struct generate_inputs){.kind = PROMPT_IDS, .ids = event->ids, .n_ids = event->n_ids, .options = {.max_tokens = 12}};
    run(&text->job);
    char *expected = serving_text_of(&text->job, 0);
    expect_text(ids, expected);
    free(expected);
    job_unref(&ids->job);
    job_unref(&text->job);
    job_unref(&tokens->job);
}

static void test_ids_outside_the_vocabulary(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static const int32_t ids[] = {1, 99999};
    struct generate_job *generate = generate_job_new("");
    generate->inputs = (struct generate_inputs){.kind = PROMPT_IDS, .ids = ids, .n_ids = 2};
    run(&generate->job);
    serving_expect_failed(&generate->job, PROBLEM_BAD_REQUEST);
    job_unref(&generate->job);
}

static void test_empty_prompts(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *begun = serving_complete("", 4), *bare = serving_complete("", 4), *none = generate_job_new("");
    bare->inputs.is_bare = true;
    none->inputs.kind = PROMPT_IDS;
    run(&begun->job);
    serving_expect_done(&begun->job); /* the token that begins a text is enough */
    run(&bare->job);
    serving_expect_failed(&bare->job, PROBLEM_BAD_REQUEST);
    run(&none->job);
    serving_expect_failed(&none->job, PROBLEM_BAD_REQUEST);
    job_unref(&begun->job);
    job_unref(&bare->job);
    job_unref(&none->job);
}

static void test_too_long_a_prompt_names_both_numbers(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    enum { N = 5000 };
    static int32_t ids[N];
    for (size_t i = 0; i < N; i++) ids[i] = 100;
    struct generate_job *generate = generate_job_new("");
    generate->inputs = (struct generate_inputs){.kind = PROMPT_IDS, .ids = ids, .n_ids = N};
    run(&generate->job);
    serving_expect_failed(&generate->job, PROBLEM_CONTEXT);
    const struct problem *problem = &serving_last(&generate->job)->problem;
    assert_int_equal(problem->n_found, N);
    assert_true(problem->n_allowed > 0 && problem->n_allowed < N);
    assert_int_equal(serving_count(&generate->job, EVENT_STARTED), 0);
    job_unref(&generate->job);
}

static void test_the_context_ends_a_text(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = serving_complete("Once", 0);
    generate->inputs.options.ignores_end = true;
    run(&generate->job);
    serving_expect_done(&generate->job);
    assert_int_equal(serving_find(&generate->job, EVENT_OUTPUT_END)->finish, HOB_FINISH_CONTEXT);
    job_unref(&generate->job);
}

static void test_stop_texts_are_named(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    const char *const stops[] = {"zzz", "."};
    struct generate_job *generate = serving_complete("Once upon a time", 64);
    generate->inputs.options.stops = stops;
    generate->inputs.options.n_stops = 2;
    run(&generate->job);
    serving_expect_done(&generate->job);
    const struct event *end = serving_find(&generate->job, EVENT_OUTPUT_END);
    char *text = serving_text_of(&generate->job, 0);
    assert_int_equal(end->finish, HOB_FINISH_STOP);
    assert_non_null(end->stop);
    assert_string_equal(end->stop, ".");
    assert_null(strchr(text, '.'));
    free(text);
    job_unref(&generate->job);
}

static void test_samples_are_what_requests_of_their_own_give(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *many = serving_complete("The dog", 16);
    many->inputs.options.temperature = 1;
    many->inputs.options.n_samples = 3;
    many->inputs.options.seed = 7;
    many->inputs.has_seed = true;
    run(&many->job);
    serving_expect_done(&many->job);
    assert_int_equal(serving_count(&many->job, EVENT_OUTPUT_END), 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct generate_job *one = serving_complete("The dog", 16);
        one->inputs.options.temperature = 1;
        one->inputs.options.seed = 7 + i;
        one->inputs.has_seed = true;
        char *expected = serving_text_of(&many->job, i);
        expect_text(one, expected);
        free(expected);
        job_unref(&one->job);
    }
    job_unref(&many->job);
}

static void test_seeds_are_drawn_and_told(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *drawn = serving_complete("The cat", 16), *again = serving_complete("The cat", 16);
    drawn->inputs.options.temperature = 1.5f;
    run(&drawn->job);
    again->inputs.options.temperature = 1.5f;
    again->inputs.options.seed = drawn->seed;
    again->inputs.has_seed = true;
    char *expected = serving_text_of(&drawn->job, 0);
    expect_text(again, expected);
    assert_false(serving_last(&again->job)->usage.is_from_cache);
    free(expected);
    job_unref(&drawn->job);
    job_unref(&again->job);
}

static void test_beams(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = serving_complete("Once upon a time", 8);
    generate->inputs.options.beam_width = 4;
    generate->inputs.options.n_samples = 3;
    run(&generate->job);
    serving_expect_done(&generate->job);
    assert_int_equal(serving_count(&generate->job, EVENT_OUTPUT_END), 3);
    char *best = serving_text_of(&generate->job, 0), *second = serving_text_of(&generate->job, 1);
    assert_string_not_equal(best, second);
    free(best);
    free(second);
    job_unref(&generate->job);
}

static void test_echo_with_logprobs(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = serving_complete("Once upon a time there was", 0);
    generate->inputs.echoes = generate->inputs.generates_nothing = true;
    generate->inputs.options.has_logprobs = true;
    generate->inputs.options.n_top_logprobs = 2;
    expect_text(generate, "Once upon a time there was");
    const struct event *event = serving_find(&generate->job, EVENT_DELTA);
    assert_true(event->is_echo && isnan(event->logprob));
    assert_int_equal(event->n_top_logprobs, 0);
    event = transcript_next(generate->job.transcript, event);
    assert_true(event->logprob < 0 && event->n_top_logprobs == 2);
    assert_true(event->top_logprobs[0].logprob >= event->top_logprobs[1].logprob);
    assert_true(event->top_logprobs[0].logprob >= event->logprob);
    assert_int_equal(serving_last(&generate->job)->usage.n_generated_tokens, 0);
    job_unref(&generate->job);
}

struct scores {
    double values[64];
    size_t n;
};

static bool keep_score(void *context, const hob_scored *scored)
{
    struct scores *scores = context;
    scores->values[scores->n++] = scored->logprob;
    return true;
}

static void test_echoed_logprobs_are_those_of_hob_score(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = serving_complete("One day a girl went to the park", 0);
    generate->inputs.echoes = generate->inputs.generates_nothing = true;
    generate->inputs.options.has_logprobs = true;
    run(&generate->job);
    hob_model *model;
    hob_session *session;
    int32_t ids[64];
    size_t n_ids = 0;
    for (const struct event *e = transcript_next(generate->job.transcript, NULL); e; e = transcript_next(generate->job.transcript, e))
        if (e->kind == EVENT_DELTA) ids[n_ids++] = e->id;
    struct scores scores = {.n = 0};
    assert_int_equal(hob_model_open(STORIES, NULL, &model, NULL), HOB_OK);
    assert_int_equal(hob_session_new(model, NULL, &session, NULL), HOB_OK);
    assert_int_equal(hob_score(session, ids, n_ids, 0, keep_score, &scores, NULL), HOB_OK);
    const struct event *event = serving_find(&generate->job, EVENT_DELTA);
    for (size_t i = 0; i < scores.n; i++) {
        event = transcript_next(generate->job.transcript, event);
        assert_true(fabs((double)event->logprob - scores.values[i]) < 1e-5);
    }
    hob_session_free(session);
    hob_model_free(model);
    job_unref(&generate->job);
}

static void test_echo_before_a_continuation(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *plain = serving_complete("Lily saw a", 8), *echo = serving_complete("Lily saw a", 8);
    echo->inputs.echoes = true;
    run(&plain->job);
    char *continuation = serving_text_of(&plain->job, 0), expected[512];
    snprintf(expected, sizeof expected, "Lily saw a%s", continuation);
    expect_text(echo, expected);
    free(continuation);
    job_unref(&plain->job);
    job_unref(&echo->job);
}

static void test_warming_tells_nothing(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = serving_complete("A long time ago", 0);
    generate->inputs.generates_nothing = true;
    run(&generate->job);
    serving_expect_done(&generate->job);
    assert_int_equal(serving_count(&generate->job, EVENT_DELTA), 0);
    assert_int_equal(serving_count(&generate->job, EVENT_OUTPUT_END), 1);
    assert_int_equal(serving_last(&generate->job)->usage.n_generated_tokens, 0);
    job_unref(&generate->job);
}

static void test_schemas_hold(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = serving_complete("Answer: ", 32), *broken = serving_complete("x", 4);
    generate->inputs.options.json_schema = "{\"enum\": [\"yes\", \"no\"]}";
    run(&generate->job);
    serving_expect_done(&generate->job);
    char *text = serving_text_of(&generate->job, 0);
    assert_true(!strcmp(text, "\"yes\"") || !strcmp(text, "\"no\""));
    broken->inputs.options.gbnf = "root ::= (";
    run(&broken->job);
    serving_expect_failed(&broken->job, PROBLEM_BAD_REQUEST);
    free(text);
    job_unref(&generate->job);
    job_unref(&broken->job);
}

static struct generate_job *chat(const char *messages)
{
    struct generate_job *generate = generate_job_new("");
    generate->inputs.kind = PROMPT_CHAT;
    generate->inputs.messages = job_copy(&generate->job, messages, strlen(messages));
    generate->inputs.n_messages_bytes = strlen(messages);
    generate->inputs.options.max_tokens = 16;
    generate->job.priority = PRIORITY_CHAT;
    return generate;
}

static void test_chats(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = chat("[{\"role\": \"user\", \"content\": \"Hello\"}]"), *broken = chat("{");
    run(&generate->job);
    serving_expect_done(&generate->job);
    assert_true(serving_count(&generate->job, EVENT_DELTA) > 0);
    run(&broken->job);
    serving_expect_failed(&broken->job, PROBLEM_BAD_REQUEST);
    job_unref(&generate->job);
    job_unref(&broken->job);
}

static void test_a_chosen_template_has_its_own_ends(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = chat("[{\"role\": \"user\", \"content\": \"Hello\"}]");
    generate->inputs.chat.template_name = "roles"; /* chosen, not fallen back to: no end is added */
    run(&generate->job);
    serving_expect_done(&generate->job);
    assert_null(serving_find(&generate->job, EVENT_OUTPUT_END)->stop);
    job_unref(&generate->job);
}

static void test_echoes_with_bad_options_tell_nothing(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = serving_complete("Once", 4);
    generate->inputs.echoes = true;
    generate->inputs.options.n_samples = 100000;
    run(&generate->job);
    serving_expect_failed(&generate->job, PROBLEM_BAD_REQUEST);
    assert_int_equal(transcript_n_events(generate->job.transcript), 1);
    job_unref(&generate->job);
}

static void test_tools_are_called_where_they_must(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = chat("[{\"role\": \"user\", \"content\": \"Weather?\"}]");
    generate->inputs.tools = "[{\"type\": \"function\", \"function\": {\"name\": \"weather\", \"parameters\": {\"type\": \"object\", \"properties\": "
                             "{\"city\": {\"enum\": [\"Oslo\", \"Rome\"]}}, \"required\": [\"city\"], \"additionalProperties\": false}}}]";
    generate->inputs.tool_choice = "required";
    generate->inputs.has_one_call = true;
    generate->inputs.options.max_tokens = 200;
    run(&generate->job);
    serving_expect_done(&generate->job);
    const struct event *call = serving_find(&generate->job, EVENT_TOOL_CALL);
    assert_non_null(call);
    assert_non_null(strstr(call->text, "\"weather\""));
    assert_true(serving_find(&generate->job, EVENT_OUTPUT_END)->has_tool_calls);
    job_unref(&generate->job);
}

static void test_a_model_without_gap_tokens_cannot_fill(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *generate = generate_job_new("");
    generate->inputs.kind = PROMPT_FILL;
    generate->inputs.fill = (hob_fim){.prefix = "a", .n_prefix_bytes = 1, .suffix = "b", .n_suffix_bytes = 1};
    run(&generate->job);
    serving_expect_failed(&generate->job, PROBLEM_UNSUPPORTED);
    job_unref(&generate->job);
}

static void test_models_that_are_not_there_or_cannot(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct generate_job *unknown = generate_job_new("gpt-9"), *embedder = generate_job_new("bert-tiny-random");
    unknown->inputs.text = embedder->inputs.text = "x";
    unknown->inputs.n_text_bytes = embedder->inputs.n_text_bytes = 1;
    run(&unknown->job);
    serving_expect_failed(&unknown->job, PROBLEM_NO_MODEL);
    run(&embedder->job);
    serving_expect_failed(&embedder->job, PROBLEM_UNSUPPORTED);
    job_unref(&unknown->job);
    job_unref(&embedder->job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text_is_what_the_library_says),
                                       cmocka_unit_test(test_ids_are_as_text),
                                       cmocka_unit_test(test_ids_outside_the_vocabulary),
                                       cmocka_unit_test(test_empty_prompts),
                                       cmocka_unit_test(test_too_long_a_prompt_names_both_numbers),
                                       cmocka_unit_test(test_the_context_ends_a_text),
                                       cmocka_unit_test(test_stop_texts_are_named),
                                       cmocka_unit_test(test_samples_are_what_requests_of_their_own_give),
                                       cmocka_unit_test(test_seeds_are_drawn_and_told),
                                       cmocka_unit_test(test_beams),
                                       cmocka_unit_test(test_echo_with_logprobs),
                                       cmocka_unit_test(test_echoed_logprobs_are_those_of_hob_score),
                                       cmocka_unit_test(test_echo_before_a_continuation),
                                       cmocka_unit_test(test_warming_tells_nothing),
                                       cmocka_unit_test(test_schemas_hold),
                                       cmocka_unit_test(test_chats),
                                       cmocka_unit_test(test_a_chosen_template_has_its_own_ends),
                                       cmocka_unit_test(test_echoes_with_bad_options_tell_nothing),
                                       cmocka_unit_test(test_tools_are_called_where_they_must),
                                       cmocka_unit_test(test_a_model_without_gap_tokens_cannot_fill),
                                       cmocka_unit_test(test_models_that_are_not_there_or_cannot)};
    return cmocka_run_group_tests(tests, open_serving, close_serving);
}
