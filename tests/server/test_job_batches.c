/* Embeddings, scores and tokens as jobs: the library's numbers, limits, several jobs in a run. */
#include "server/serving.h"

#include <stdio.h>

#define RERANKER "tests/data/classifiers/onnx"

static struct serving serving;

static int open_serving(void **state)
{
    (void)state;
    struct config config = serving_config();
    config.rerank_model_path = RERANKER;
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

/* ---- embeddings ---- */

static void direct_vectors(const char *const *texts, size_t n_texts, const hob_embed_options *options, float *vectors)
{
    hob_model *model;
    hob_session *session;
    assert_int_equal(hob_model_open(BERT, NULL, &model, NULL), HOB_OK);
    assert_int_equal(hob_session_new(model, NULL, &session, NULL), HOB_OK);
    assert_int_equal(hob_embed(session, texts, NULL, n_texts, options, vectors, NULL), HOB_OK);
    hob_session_free(session);
    hob_model_free(model);
}

enum { WIDTH_MOST = 1024 };

static void expect_vectors(const struct embed_job *embed, const float *expected, size_t n_texts)
{
    size_t n_rows = 0;
    for (const struct event *e = transcript_next(embed->job.transcript, NULL); e; e = transcript_next(embed->job.transcript, e)) {
        if (e->kind != EVENT_VECTORS) continue;
        assert_int_equal(e->first_row, n_rows);
        assert_memory_equal(e->numbers, expected + n_rows * e->n_columns, e->n_rows * e->n_columns * sizeof(float));
        n_rows += e->n_rows;
    }
    assert_int_equal(n_rows, n_texts);
}

static void test_vectors_are_the_librarys(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static const char *const texts[] = {"one", "a text of several words", "", "the last"};
    static float expected[4 * WIDTH_MOST];
    direct_vectors(texts, 4, NULL, expected);
    struct embed_job *embed = serving_embed(texts, 4);
    run(&embed->job);
    serving_expect_done(&embed->job);
    expect_vectors(embed, expected, 4);
    size_t n_tokens = 0;
    for (size_t i = 0; i < 4; i++) n_tokens += embed->n_tokens[i];
    assert_int_equal(serving_last(&embed->job)->usage.n_prompt_tokens, n_tokens);
    job_unref(&embed->job);
}

static void test_dimensions(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static const char *const texts[] = {"one", "two"};
    static float expected[2 * WIDTH_MOST];
    hob_embed_options options = {.n_dimensions = 16};
    direct_vectors(texts, 2, &options, expected);
    struct embed_job *embed = serving_embed(texts, 2), *wide = serving_embed(texts, 2);
    embed->inputs.how.n_dimensions = 16;
    wide->inputs.how.n_dimensions = 100000;
    run(&embed->job);
    serving_expect_done(&embed->job);
    expect_vectors(embed, expected, 2);
    run(&wide->job);
    serving_expect_failed(&wide->job, PROBLEM_BAD_REQUEST);
    assert_string_equal(serving_last(&wide->job)->problem.field, "dimensions");
    job_unref(&embed->job);
    job_unref(&wide->job);
}

static void test_many_texts_come_in_pieces(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    enum { N = 300 };
    static char words[N][32];
    static const char *texts[N];
    static float expected[N * WIDTH_MOST];
    for (size_t i = 0; i < N; i++) {
        snprintf(words[i], sizeof words[i], "text number %zu", i);
        texts[i] = words[i];
    }
    struct embed_job *embed = serving_embed(texts, N);
    direct_vectors(texts, N, NULL, expected);
    run(&embed->job);
    serving_expect_done(&embed->job);
    assert_true(serving_count(&embed->job, EVENT_VECTORS) > 3);
    expect_vectors(embed, expected, N);
    job_unref(&embed->job);
}

static void test_jobs_share_runs(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    enum { N = 40 };
    static const char *const texts[] = {"first", "the second of them", "third"};
    static float expected[3 * WIDTH_MOST];
    struct embed_job *jobs[N];
    direct_vectors(texts, 3, NULL, expected);
    for (size_t i = 0; i < N; i++) {
        jobs[i] = serving_embed(texts, 3);
        jobs[i]->inputs.has_tokens = i % 8 == 7; /* another kind of vectors in between */
        serving_submit(&serving, &jobs[i]->job);
    }
    for (size_t i = 0; i < N; i++) {
        serving_wait_for(&serving, &jobs[i]->job);
        serving_expect_done(&jobs[i]->job);
        if (!jobs[i]->inputs.has_tokens) expect_vectors(jobs[i], expected, 3);
        job_unref(&jobs[i]->job);
    }
}

static void test_vectors_of_tokens(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static const char *const texts[] = {"one two", "three"};
    struct embed_job *embed = serving_embed(texts, 2);
    embed->inputs.has_tokens = true;
    run(&embed->job);
    serving_expect_done(&embed->job);
    const struct event *event = serving_find(&embed->job, EVENT_VECTORS);
    assert_int_equal(event->n_rows, embed->n_tokens[0]);
    event = transcript_next(embed->job.transcript, event);
    assert_int_equal(event->first_row, 1);
    assert_int_equal(event->n_rows, embed->n_tokens[1]);
    job_unref(&embed->job);
}

static void test_too_long_a_text(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static char words[8192];
    for (size_t i = 0; i + 4 < sizeof words; i += 4) memcpy(words + i, "abc ", 5);
    const char *texts[] = {"short", words};
    struct embed_job *embed = serving_embed(texts, 2), *cut = serving_embed(texts, 2);
    run(&embed->job);
    serving_expect_failed(&embed->job, PROBLEM_CONTEXT);
    const struct problem *problem = &serving_last(&embed->job)->problem;
    assert_true(problem->n_found > problem->n_allowed && problem->n_allowed > 0);
    cut->inputs.truncates = true;
    run(&cut->job);
    serving_expect_done(&cut->job);
    assert_int_equal(cut->n_tokens[1], problem->n_allowed);
    job_unref(&embed->job);
    job_unref(&cut->job);
}

static void test_ids_to_embed(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static const int32_t good[] = {101, 102}, bad[] = {101, -5};
    const int32_t *lists[] = {good, bad};
    size_t sizes[] = {2, 2};
    struct embed_job *embed = embed_job_new(""), *wrong = embed_job_new(""), *none = embed_job_new("");
    embed->inputs = (struct embed_inputs){.ids = lists, .n_ids = sizes, .n_texts = 1};
    wrong->inputs = (struct embed_inputs){.ids = lists, .n_ids = sizes, .n_texts = 2};
    run(&embed->job);
    serving_expect_done(&embed->job);
    run(&wrong->job);
    serving_expect_failed(&wrong->job, PROBLEM_BAD_REQUEST);
    run(&none->job);
    serving_expect_done(&none->job);
    job_unref(&embed->job);
    job_unref(&wrong->job);
    job_unref(&none->job);
}

/* ---- scores ---- */

static struct rerank_job *make_rerank(const char *query, const char *const *texts, size_t n_texts)
{
    struct rerank_job *rerank = rerank_job_new("");
    size_t *sizes = ARENA_NEW(&rerank->job.arena, size_t, n_texts);
    for (size_t i = 0; i < n_texts; i++) sizes[i] = strlen(texts[i]);
    rerank->inputs = (struct rerank_inputs){
        .query = query, .n_query_bytes = query ? strlen(query) : 0, .texts = texts, .text_bytes = sizes, .n_texts = n_texts};
    return rerank;
}

static void test_scores_are_the_librarys(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static const char *const texts[] = {"the cat", "a dog and a cat", "x"};
    float expected[3];
    hob_model *model;
    hob_session *session;
    assert_int_equal(hob_model_open(RERANKER, NULL, &model, NULL), HOB_OK);
    assert_int_equal(hob_session_new(model, NULL, &session, NULL), HOB_OK);
    hob_status status = hob_rerank(session, "cat", 3, texts, NULL, 3, NULL, expected, NULL);
    hob_session_free(session);
    hob_model_free(model);
    struct rerank_job *rerank = make_rerank("cat", texts, 3);
    run(&rerank->job);
    if (status == HOB_OK) {
        serving_expect_done(&rerank->job);
        const struct event *event = serving_find(&rerank->job, EVENT_SCORES);
        assert_int_equal(event->n_rows, 3);
        assert_int_equal(event->n_columns, 1);
        assert_memory_equal(event->numbers, expected, sizeof expected);
    } else {
        serving_expect_failed(&rerank->job, PROBLEM_UNSUPPORTED);
    }
    job_unref(&rerank->job);
}

static void test_classes(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static const char *const texts[] = {"the cat", "a dog"}, *const others[] = {"sat", NULL};
    static const size_t sizes[] = {3, 0};
    struct rerank_job *single = make_rerank(NULL, texts, 2), *pairs = make_rerank(NULL, texts, 2);
    pairs->inputs.second_texts = others;
    pairs->inputs.second_bytes = sizes;
    run(&single->job);
    serving_expect_done(&single->job);
    assert_true(single->n_labels > 0);
    assert_non_null(single->labels[0]);
    assert_int_equal(serving_find(&single->job, EVENT_SCORES)->n_columns, single->n_labels);
    run(&pairs->job);
    serving_expect_done(&pairs->job);
    const struct event *a = serving_find(&single->job, EVENT_SCORES), *b = serving_find(&pairs->job, EVENT_SCORES);
    assert_memory_equal(a->numbers + a->n_columns, b->numbers + b->n_columns, a->n_columns * sizeof(float)); /* the second has no pair */
    job_unref(&single->job);
    job_unref(&pairs->job);
}

/* ---- tokens ---- */

static void test_there_and_back(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    const char *text = "Once upon a time";
    size_t n_bytes = strlen(text);
    struct tokens_job *encode = tokens_job_new(""), *decode = tokens_job_new("");
    encode->inputs = (struct tokens_inputs){.task = TOKENS_ENCODE, .texts = &text, .text_bytes = &n_bytes, .n_texts = 1};
    run(&encode->job);
    serving_expect_done(&encode->job);
    const struct event *event = serving_find(&encode->job, EVENT_IDS);
    decode->inputs = (struct tokens_inputs){.task = TOKENS_DECODE, .ids = event->ids, .n_ids = event->n_ids};
    run(&decode->job);
    serving_expect_done(&decode->job);
    assert_string_equal(serving_find(&decode->job, EVENT_TEXT)->text, text);
    assert_non_null(decode->tokenizer);
    job_unref(&encode->job);
    job_unref(&decode->job);
}

static void test_bad_ids_to_spell(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static const int32_t ids[] = {1 << 30};
    struct tokens_job *decode = tokens_job_new("");
    decode->inputs = (struct tokens_inputs){.task = TOKENS_DECODE, .ids = ids, .n_ids = 1};
    run(&decode->job);
    serving_expect_failed(&decode->job, PROBLEM_BAD_REQUEST);
    job_unref(&decode->job);
}

static void test_rendering(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    const char *messages = "[{\"role\": \"user\", \"content\": \"Hello there\"}]";
    struct tokens_job *render = tokens_job_new("");
    render->inputs.task = TOKENS_RENDER;
    render->inputs.has_ids = true;
    render->inputs.prompt.kind = PROMPT_CHAT;
    render->inputs.prompt.messages = messages;
    render->inputs.prompt.n_messages_bytes = strlen(messages);
    run(&render->job);
    serving_expect_done(&render->job);
    assert_non_null(strstr(serving_find(&render->job, EVENT_TEXT)->text, "Hello there"));
    assert_true(serving_find(&render->job, EVENT_IDS)->n_ids > 2);
    job_unref(&render->job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors_are_the_librarys),
                                       cmocka_unit_test(test_dimensions),
                                       cmocka_unit_test(test_many_texts_come_in_pieces),
                                       cmocka_unit_test(test_jobs_share_runs),
                                       cmocka_unit_test(test_vectors_of_tokens),
                                       cmocka_unit_test(test_too_long_a_text),
                                       cmocka_unit_test(test_ids_to_embed),
                                       cmocka_unit_test(test_scores_are_the_librarys),
                                       cmocka_unit_test(test_classes),
                                       cmocka_unit_test(test_there_and_back),
                                       cmocka_unit_test(test_bad_ids_to_spell),
                                       cmocka_unit_test(test_rendering)};
    return cmocka_run_group_tests(tests, open_serving, close_serving);
}
