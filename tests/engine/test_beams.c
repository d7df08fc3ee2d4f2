/* Beam search: against every text there is, against Hugging Face's algorithm in Python, and through a generation. */
#include "engine/use.h"

#include "base/memory.h"
#include "engine/generate/beam_search.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TINY "tests/data/models/llama-linear"
#define STORIES "../shared/models/stories260k/"

/* ---- every text of a made-up model ---- */

enum { V = 5, DEPTH = 4, END = 3, MOST_TEXTS = 1000 };

/* Logits that depend on the whole text. */
static void make_logits(const int32_t *ids, size_t n_ids, uint32_t seed, float logits[V])
{
    uint32_t hash = 2166136261u ^ seed;
    for (size_t i = 0; i < n_ids; i++) hash = (hash ^ (uint32_t)ids[i]) * 16777619u + 7;
    for (size_t i = 0; i < V; i++) {
        hash = hash * 1664525u + 1013904223u;
        logits[i] = (float)(hash >> 20) / 1024;
    }
}

struct all_texts {
    double scores[MOST_TEXTS];
    size_t n_texts;
    uint32_t seed;
    double length_penalty;
};

static void add_all(struct all_texts *all, int32_t *ids, size_t n_ids, double sum)
{
    float logits[V];
    double total = 0;
    make_logits(ids, n_ids, all->seed, logits);
    for (size_t i = 0; i < V; i++) total += exp((double)logits[i]);
    for (int32_t i = 0; i < V; i++) {
        double with = sum + (double)logits[i] - log(total);
        ids[n_ids] = i;
        if (i == END || n_ids + 1 == DEPTH) all->scores[all->n_texts++] = with / pow((double)n_ids + 1, all->length_penalty);
        else add_all(all, ids, n_ids + 1, with);
    }
}

static int is_lower(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void search_all(struct beam_search *search, uint32_t seed)
{
    static float logits[MOST_TEXTS][V];
    static const float *rows[MOST_TEXTS];
    static int32_t texts[2][MOST_TEXTS][DEPTH];
    make_logits(NULL, 0, seed, logits[0]);
    rows[0] = logits[0];
    for (size_t n_ids = 1;; n_ids++) {
        beam_search_step(search, rows);
        if (search->is_done) break;
        for (size_t i = 0; i < search->n_beams; i++) {
            const struct beam *beam = &search->beams[i];
            memcpy(texts[n_ids % 2][i], texts[(n_ids - 1) % 2][beam->parent], sizeof texts[0][0]);
            texts[n_ids % 2][i][n_ids - 1] = beam->id;
            make_logits(texts[n_ids % 2][i], n_ids, seed, logits[i]);
            rows[i] = logits[i];
        }
    }
    beam_search_finish(search, HOB_FINISH_LENGTH);
}

/* A search as wide as there are texts finds all of them, in their order. */
static void test_wide_search_is_exhaustive(void **state)
{
    (void)state;
    static const double penalties[] = {-1, 0, 0.7, 1, 2};
    for (uint32_t seed = 0; seed < 20; seed++) {
        int32_t ids[DEPTH], end = END;
        hob_error error = {0};
        struct beam_search search;
        struct all_texts all = {.seed = seed, .length_penalty = penalties[seed % 5]};
        add_all(&all, ids, 0, 0);
        qsort(all.scores, all.n_texts, sizeof *all.scores, is_lower);
        struct beam_settings settings = {.width = 400, .n_vocab = V, .max_tokens = DEPTH, .end_ids = &end, .n_end_ids = 1,
                                         .length_penalty = all.length_penalty, .early_stopping = HOB_EARLY_STOPPING_NEVER,
                                         .kernels = kernels_select()};
        ASSERT_HOB(beam_search_init(&search, &settings, &error), error);
        search_all(&search, seed);
        assert_int_equal(all.n_texts, 1 + 4 + 16 + 64 + 256);
        assert_int_equal(search.n_hypotheses, all.n_texts);
        for (size_t i = 0; i < all.n_texts; i++) assert_true(fabs(search.hypotheses[i].score - all.scores[i]) < 1e-5);
        beam_search_release(&search);
    }
}

static void test_rows_without_probabilities_end_the_search(void **state)
{
    (void)state;
    float broken[V] = {NAN, NAN, NAN, NAN, NAN}, none[V] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    for (size_t i = 0; i < 2; i++) {
        const float *row = i ? none : broken;
        struct beam_search search;
        struct beam_settings settings = {.width = 3, .n_vocab = V, .max_tokens = 2, .kernels = kernels_select()};
        assert_int_equal(beam_search_init(&search, &settings, NULL), HOB_OK);
        beam_search_step(&search, &row);
        assert_true(search.is_done);
        beam_search_finish(&search, HOB_FINISH_LENGTH);
        assert_int_equal(search.n_hypotheses, 0);
        beam_search_release(&search);
    }
    struct beam_search search = {0};
    hob_error error;
    struct beam_settings huge = {.width = 1000, .n_vocab = V, .max_tokens = SIZE_MAX / 2, .kernels = kernels_select()};
    assert_int_equal(beam_search_init(&search, &huge, &error), HOB_LIMIT);
}

/* ---- Hugging Face's algorithm ---- */

struct texts {
    int32_t ids[64][16];
    size_t n_ids[64];
};

static bool collect(void *context, const hob_generated *generated)
{
    struct texts *texts = context;
    if (generated->id == HOB_NO_TOKEN) return true;
    assert_true(generated->output < 64 && texts->n_ids[generated->output] < 16);
    texts->ids[generated->output][texts->n_ids[generated->output]++] = generated->id;
    return true;
}

static size_t read_ids(const json_t *json, int32_t *ids)
{
    for (size_t i = 0; i < json_array_size(json); i++) ids[i] = (int32_t)json_integer_value(json_array_get(json, i));
    return json_array_size(json);
}

static hob_early_stopping read_early(const json_t *golden)
{
    const char *early = json_string_value(json_object_get(golden, "early"));
    return !strcmp(early, "yes") ? HOB_EARLY_STOPPING_YES : !strcmp(early, "never") ? HOB_EARLY_STOPPING_NEVER : HOB_EARLY_STOPPING_NO;
}

static void check_text(const hob_generation *generation, const struct texts *texts, size_t index, const json_t *expected)
{
    int32_t ids[16];
    hob_generated_output output = hob_generation_output(generation, index);
    size_t n_ids = read_ids(json_object_get(expected, "ids"), ids);
    bool is_ended = json_is_true(json_object_get(expected, "is_ended"));
    assert_int_equal(output.n_tokens, n_ids);
    assert_int_equal(texts->n_ids[index], n_ids);
    if (n_ids) assert_memory_equal(texts->ids[index], ids, n_ids * sizeof *ids);
    assert_int_equal(output.finish, is_ended ? HOB_FINISH_STOP : HOB_FINISH_LENGTH);
    assert_true(fabs(output.score - json_real_value(json_object_get(expected, "score"))) < 1e-4);
}

static void check_golden(hob_session *session, const json_t *golden)
{
    int32_t prompt[16], ends[16];
    hob_error error = {0};
    hob_generation *generation;
    struct texts texts = {0};
    const json_t *hypotheses = json_object_get(golden, "hypotheses");
    size_t n_prompt = read_ids(json_object_get(golden, "prompt"), prompt);
    hob_generate_options options = {.max_tokens = (size_t)json_integer_value(json_object_get(golden, "max_tokens")),
                                    .min_tokens = (size_t)json_integer_value(json_object_get(golden, "min_tokens")),
                                    .beam_width = (size_t)json_integer_value(json_object_get(golden, "width")),
                                    .length_penalty = (float)json_number_value(json_object_get(golden, "length_penalty")),
                                    .early_stopping = read_early(golden),
                                    .ignores_end = true,
                                    .stop_ids = ends,
                                    .n_stop_ids = read_ids(json_object_get(golden, "ends"), ends)};
    options.n_samples = options.beam_width;
    ASSERT_HOB(hob_generation_new(session, prompt, n_prompt, &options, collect, &texts, &generation, &error), error);
    while (!hob_generation_is_done(generation)) ASSERT_HOB(hob_generations_step(session, &generation, 1, &error), error);
    assert_int_equal(hob_generation_n_outputs(generation), json_array_size(hypotheses));
    for (size_t i = 0; i < json_array_size(hypotheses); i++) check_text(generation, &texts, i, json_array_get(hypotheses, i));
    hob_generation_free(generation);
}

static void test_hugging_face(void **state)
{
    (void)state;
    json_t *goldens = json_load_file("tests/data/beams.json", 0, NULL);
    assert_true(json_array_size(goldens) >= 50);
    struct use use = use_open(TINY, NULL, 1);
    for (size_t i = 0; i < json_array_size(goldens); i++) check_golden(use.session, json_array_get(goldens, i));
    use_close(&use);
    json_decref(goldens);
}

/* ---- through a generation ---- */

static void test_time_ends_with_what_there_is(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_generation *generation;
    struct texts texts = {0};
    struct use use = use_open(TINY, NULL, 1);
    hob_generate_options options = {.max_tokens = 16, .beam_width = 3, .n_samples = 2, .max_ms = 1, .ignores_end = true};
    ASSERT_HOB(hob_generation_new(use.session, (int32_t[]){1, 5}, 2, &options, collect, &texts, &generation, &error), error);
    ASSERT_HOB(hob_generations_step(use.session, &generation, 1, &error), error);
    usleep(2000);
    if (!hob_generation_is_done(generation)) ASSERT_HOB(hob_generations_step(use.session, &generation, 1, &error), error);
    assert_true(hob_generation_is_done(generation));
    assert_int_equal(hob_generation_result(generation).finish, HOB_FINISH_TIME);
    for (size_t i = 0; i < hob_generation_n_outputs(generation); i++)
        assert_int_equal(texts.n_ids[i], hob_generation_output(generation, i).n_tokens);
    hob_generation_free(generation);
    use_close(&use);
}

static void test_cancelled_beams_say_nothing(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_generation *generation;
    struct texts texts = {0};
    struct use use = use_open(TINY, NULL, 1);
    hob_generate_options options = {.max_tokens = 16, .beam_width = 3, .ignores_end = true};
    ASSERT_HOB(hob_generation_new(use.session, (int32_t[]){1, 5}, 2, &options, collect, &texts, &generation, &error), error);
    for (size_t i = 0; i < 4; i++) ASSERT_HOB(hob_generations_step(use.session, &generation, 1, &error), error);
    hob_generation_cancel(generation);
    ASSERT_HOB(hob_generations_step(use.session, &generation, 1, &error), error);
    assert_true(hob_generation_is_done(generation));
    assert_int_equal(hob_generation_result(generation).finish, HOB_FINISH_CANCELLED);
    assert_int_equal(texts.n_ids[0], 0);
    hob_generation_free(generation);
    use_close(&use);
}

/* To the end of a context of 8, of which the prompt takes 2: the last token needs no place. */
static void test_beams_end_at_the_context(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_generate_result result;
    struct texts texts = {0};
    struct use use = use_open(TINY, NULL, 1);
    hob_session_free(use.session);
    ASSERT_HOB(hob_session_new(use.model, &(hob_session_options){.n_threads = 1, .n_context_tokens = 8}, &use.session, &error), error);
    hob_generate_options options = {.beam_width = 3, .n_samples = 3, .ignores_end = true};
    ASSERT_HOB(hob_generate(use.session, (int32_t[]){1, 5}, 2, &options, collect, &texts, &result, &error), error);
    assert_int_equal(result.finish, HOB_FINISH_CONTEXT);
    assert_int_equal(result.n_tokens, 21);
    for (size_t i = 0; i < 3; i++) assert_int_equal(texts.n_ids[i], 7);
    assert_int_equal(hob_session_n_tokens(use.session), 2);
    use_close(&use);
}

static void test_what_beams_cannot_do_is_refused(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = use_open(TINY, NULL, 1);
    const char *stop = "x";
    const hob_generate_options refused[] = {{.beam_width = 2, .n_samples = 3},       {.beam_width = 2, .temperature = 1},
                                            {.beam_width = 2, .stops = &stop, .n_stops = 1}, {.beam_width = 100000},
                                            {.beam_width = 2, .length_penalty = NAN}, {.beam_width = 2, .presence_penalty = 1},
                                            {.beam_width = 2, .shifts_context = true, .max_tokens = 5}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(hob_generate(use.session, (int32_t[]){1}, 1, &refused[i], NULL, NULL, NULL, &error), HOB_BAD_ARGUMENT);
    use_close(&use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wide_search_is_exhaustive),
        cmocka_unit_test(test_rows_without_probabilities_end_the_search),
        cmocka_unit_test(test_hugging_face),
        cmocka_unit_test(test_time_ends_with_what_there_is),
        cmocka_unit_test(test_cancelled_beams_say_nothing),
        cmocka_unit_test(test_beams_end_at_the_context),
        cmocka_unit_test(test_what_beams_cannot_do_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
