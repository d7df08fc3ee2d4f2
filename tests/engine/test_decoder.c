/* Language models through the public API: PyTorch's tokens from every format, and numbers that depend on nothing but the input. */
#include "engine/use.h"

#include "base/memory.h"
#include "graph/pass.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define STORIES "../shared/models/stories260k/"
#define GPT2 "../shared/models/gpt2-tiny-random/"

/* ---- PyTorch's greedy tokens ---- */

struct expected {
    int32_t ids[512];
    size_t n_ids, n_prompt, n_same;
};

static void read_ids(const json_t *json, int32_t *ids, size_t *ret_n_ids)
{
    *ret_n_ids = json_array_size(json);
    assert_true(*ret_n_ids > 0 && *ret_n_ids <= 512);
    for (size_t i = 0; i < *ret_n_ids; i++) ids[i] = (int32_t)json_integer_value(json_array_get(json, i));
}

static bool compare_id(void *context, const hob_generated *generated)
{
    struct expected *expected = context;
    if (generated->id == HOB_NO_TOKEN) return true;
    if (generated->id != expected->ids[expected->n_prompt + expected->n_same]) return false;
    expected->n_same++;
    return true;
}

/* How many tokens beyond the prompt are the reference's, of how many. */
static size_t compare_prompt(struct use *use, const json_t *prompt, size_t n_most, size_t *ret_n_wanted)
{
    hob_error error = {0};
    struct expected expected = {0};
    int32_t *ids, prompt_ids[512];
    size_t n_ids;
    const char *text = json_string_value(json_object_get(prompt, "prompt"));
    read_ids(json_object_get(prompt, "greedy_ids"), expected.ids, &expected.n_ids);
    read_ids(json_object_get(prompt, "prompt_ids"), prompt_ids, &expected.n_prompt);
    if (hob_tokenizer_encode(hob_model_tokenizer(use->model), text, strlen(text), HOB_ADD_SPECIAL, &ids, &n_ids,
                             &error) != HOB_OK)
        fail_msg("%s", error.message);
    assert_int_equal(n_ids, expected.n_prompt);
    assert_memory_equal(ids, prompt_ids, n_ids * sizeof *ids);
    *ret_n_wanted = expected.n_ids - expected.n_prompt < n_most ? expected.n_ids - expected.n_prompt : n_most;
    hob_generate_options options = {.max_tokens = *ret_n_wanted, .ignores_end = true};
    if (hob_generate(use->session, ids, n_ids, &options, compare_id, &expected, NULL, &error) != HOB_OK)
        fail_msg("%s", error.message);
    hob_free(ids);
    return expected.n_same;
}

/* n_tokens: how many are generated, which must all agree; SIZE_MAX: as many as the reference has. */
static void check_reference(const char *path, const char *reference, const char *disabled_passes, size_t n_tokens)
{
    if (access(path, R_OK) != 0) skip();
    json_t *json = json_load_file(reference, 0, NULL);
    assert_non_null(json);
    struct use use = use_open(path, disabled_passes, 1);
    size_t n_prompts = json_is_array(json) ? json_array_size(json) : 1;
    for (size_t i = 0; i < n_prompts; i++) {
        size_t n_wanted, n_same = compare_prompt(&use, json_is_array(json) ? json_array_get(json, i) : json, n_tokens, &n_wanted);
        if (n_same < n_wanted)
            fail_msg("%s (without %s): prompt %zu: found %zu equal tokens, expected %zu", path,
                     disabled_passes ? disabled_passes : "nothing", i + 1, n_same,
                     n_wanted);
    }
    use_close(&use);
    json_decref(json);
}

static void test_stories_onnx(void **state)
{
    (void)state;
    check_reference(STORIES "model.onnx", STORIES "reference.json", NULL, SIZE_MAX);
}

static void test_stories_gguf_f32(void **state)
{
    (void)state;
    check_reference(STORIES "model-f32.gguf", STORIES "reference.json", NULL, SIZE_MAX);
}

static void test_stories_folder(void **state)
{
    (void)state;
    check_reference(STORIES, STORIES "reference.json", NULL, SIZE_MAX);
}

static void test_stories_rounded_weights(void **state)
{
    (void)state;
    check_reference(STORIES "model-f16.gguf", STORIES "reference.json", NULL, 20);
}

struct distance {
    double sum_of_squares, n_logits;
    size_t n_positions, n_clear, n_same; /* clear: the best logit leads by more than rounding could be */
};

static size_t best_of(const float *logits, size_t n, float *ret_lead)
{
    size_t best = 0;
    float second = -INFINITY;
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    for (size_t i = 0; i < n; i++)
        if (i != best && logits[i] > second) second = logits[i];
    *ret_lead = logits[best] - second;
    return best;
}

static void compare_logits(const float *exact, const float *found, size_t n, struct distance *distance)
{
    float lead, found_lead;
    size_t best = best_of(exact, n, &lead), found_best = best_of(found, n, &found_lead);
    for (size_t i = 0; i < n; i++) distance->sum_of_squares += ((double)found[i] - (double)exact[i]) * ((double)found[i] - (double)exact[i]);
    distance->n_logits += (double)n;
    distance->n_positions++;
    if (lead < 0.5f) return;
    distance->n_clear++;
    distance->n_same += best == found_best;
}

/* Both models read the reference's texts, an id at a time. */
static struct distance distance_of(struct use *exact, struct use *found)
{
    struct distance distance = {0};
    hob_error error = {0};
    size_t n_vocab = (size_t)hob_model_get_info(exact->model).n_vocab, n_ids;
    int32_t ids[512];
    json_t *prompts = json_load_file(STORIES "reference.json", 0, NULL);
    assert_non_null(prompts);
    for (size_t i = 0; i < json_array_size(prompts); i++) {
        read_ids(json_object_get(json_array_get(prompts, i), "greedy_ids"), ids, &n_ids);
        ASSERT_HOB(hob_session_rewind(exact->session, 0, &error), error);
        ASSERT_HOB(hob_session_rewind(found->session, 0, &error), error);
        for (size_t at = 0; at < n_ids && at < 64; at++) {
            ASSERT_HOB(hob_session_append(exact->session, ids + at, 1, &error), error);
            ASSERT_HOB(hob_session_append(found->session, ids + at, 1, &error), error);
            compare_logits(hob_session_logits(exact->session), hob_session_logits(found->session), n_vocab, &distance);
        }
    }
    json_decref(prompts);
    return distance;
}

/* Weights, and activations on their way into products, in few bits. most_error: root mean square over all logits, which spread
 * over tens; each bound is a little above what is found. At the best ids llama.cpp is 0.057 away for q8_0, hob 0.056. */
static void check_distance(const char *path, const char *quant, double most_error, double least_same)
{
    hob_model_options options = {.quant = quant};
    struct use exact = use_open(STORIES "model-f32.gguf", NULL, 1), found = use_open_options(path, &options, 1);
    struct distance distance = distance_of(&exact, &found);
    double error = sqrt(distance.sum_of_squares / distance.n_logits);
    if (error > most_error || (double)distance.n_same < least_same * (double)distance.n_clear)
        fail_msg("%s %s: found an error of %.4f and %zu of %zu clear positions, expected %.4f and %.0f %%", path, quant ? quant : "as it is", error,
                 distance.n_same, distance.n_clear, most_error, 100 * least_same);
    use_close(&exact), use_close(&found);
}

static void test_stories_quantised(void **state)
{
    (void)state;
    check_distance(STORIES "model-q8_0.gguf", NULL, 0.1, 1);
    check_distance(STORIES "model-f32.gguf", "q8_0", 0.1, 1);
    check_distance(STORIES "model-f16.gguf", "q8_0", 0.1, 1);
    check_distance(STORIES "model.onnx", "q8_0", 0.1, 1);
    check_distance(STORIES "model-f32.gguf", "int8", 0.2, 1);
    check_distance(STORIES "model-f32.gguf", "f16", 0.01, 1);
    check_distance(STORIES "model-f32.gguf", "bf16", 0.1, 1);
    check_distance(STORIES "model-f32.gguf", "q5_1", 0.4, 0.99);
    check_distance(STORIES "model-f32.gguf", "q5_0", 0.45, 0.99);
    check_distance(STORIES "model-f32.gguf", "q4_1", 0.9, 0.95);
    check_distance(STORIES "model-f32.gguf", "q4_0", 1, 0.93);
}

static void test_unknown_quant(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_model *model;
    if (access(STORIES "model-f32.gguf", R_OK) != 0) skip();
    assert_int_equal(hob_model_open(STORIES "model-f32.gguf", &(hob_model_options){.quant = "q7"}, &model, &error), HOB_BAD_ARGUMENT);
    assert_string_equal(error.message, STORIES "model-f32.gguf: weights: found format q7, expected one of f32, int8, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1");
}

static void test_gpt2(void **state)
{
    (void)state;
    check_reference(GPT2, GPT2 "reference.json", NULL, SIZE_MAX);
    check_reference(GPT2 "model.onnx", GPT2 "reference.json", NULL, SIZE_MAX);
}

enum { FEW_TOKENS = 40 }; /* a pass that changed numbers would show by then */

static void test_each_pass_off(void **state)
{
    (void)state;
    static const char *const files[][2] = {{STORIES "model.onnx", STORIES "reference.json"},
                                           {STORIES "model-f32.gguf", STORIES "reference.json"},
                                           {GPT2 "model.onnx", GPT2 "reference.json"},
                                           {GPT2, GPT2 "reference.json"}};
    for (size_t file = 0; file < sizeof files / sizeof files[0]; file++) {
        for (size_t i = 0; i < passes_count(); i++)
            check_reference(files[file][0], files[file][1], passes_at(i)->name, FEW_TOKENS);
        check_reference(files[file][0], files[file][1], "all", FEW_TOKENS);
    }
}

/* ---- the same bytes whatever the way ---- */

enum { N_IDS = 230 }; /* more than a tile of keys, and than one run takes */

static void fill_ids(int32_t *ids)
{
    for (int i = 0; i < N_IDS; i++) ids[i] = 3 + (i * 37 + 11) % 500;
}

static void append(hob_session *session, const int32_t *ids, size_t n_ids)
{
    hob_error error = {0};
    if (hob_session_append(session, ids, n_ids, &error) != HOB_OK) fail_msg("%s", error.message);
}

/* Logits after the ids, appended in chunks of n_chunk. */
static void logits_of(const char *path, size_t n_threads, size_t n_chunk, float logits[512])
{
    int32_t ids[N_IDS];
    fill_ids(ids);
    struct use use = use_open(path, NULL, n_threads);
    for (size_t done = 0; done < N_IDS; done += n_chunk)
        append(use.session, ids + done, done + n_chunk < N_IDS ? n_chunk : N_IDS - done);
    memcpy(logits, hob_session_logits(use.session), 512 * sizeof *logits);
    use_close(&use);
}

static void check_same_bytes(const char *path)
{
    float expected[512], found[512];
    if (access(path, R_OK) != 0) skip();
    logits_of(path, 1, N_IDS, expected);
    static const size_t chunks[] = {229, 64, 7, 1}; /* the short ones are slow with threads */
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        for (size_t i = 0; i < (n_threads == 1 ? sizeof chunks / sizeof chunks[0] : 2); i++) {
            logits_of(path, n_threads, chunks[i], found);
            assert_memory_equal(found, expected, sizeof expected);
        }
    }
}

static void test_chunks_and_threads_do_not_matter(void **state)
{
    (void)state;
    check_same_bytes(STORIES "model-q8_0.gguf");
    check_same_bytes(STORIES);
}

static void test_chunks_do_not_matter_to_onnx(void **state)
{
    (void)state;
    check_same_bytes(STORIES "model.onnx");
}

/* ---- logits of all positions, or of the last ---- */

enum { N_ALL = 70, STORIES_VOCAB = 512 }; /* more than one run of them takes */

static bool has_input(const hob_model *model, const char *name)
{
    for (size_t i = 0; i < hob_model_n_inputs(model); i++)
        if (!strcmp(hob_model_input_name(model, i), name)) return true;
    return false;
}

/* One run over all ids, one id a run, and a prefill that computes the last position's only. */
static void check_all_logits(const char *path, const char *disabled_passes)
{
    static float all[N_ALL * STORIES_VOCAB];
    int32_t ids[N_ALL];
    hob_error error = {0};
    struct use use = use_open(path, disabled_passes, 2);
    assert_int_equal(hob_model_get_info(use.model).n_vocab, STORIES_VOCAB);
    assert_int_equal(has_input(use.model, "rows"), !disabled_passes);
    for (int32_t i = 0; i < N_ALL; i++) ids[i] = i ? (i * 37 + 5) % 500 : 1;
    ASSERT_HOB(hob_session_append_all(use.session, ids, N_ALL, all, &error), error);
    assert_memory_equal(hob_session_logits(use.session), all + (N_ALL - 1) * STORIES_VOCAB, STORIES_VOCAB * sizeof *all);
    ASSERT_HOB(hob_session_rewind(use.session, 0, &error), error);
    append(use.session, ids, N_ALL);
    assert_memory_equal(hob_session_logits(use.session), all + (N_ALL - 1) * STORIES_VOCAB, STORIES_VOCAB * sizeof *all);
    ASSERT_HOB(hob_session_rewind(use.session, 0, &error), error);
    for (size_t i = 0; i < N_ALL; i++) {
        append(use.session, &ids[i], 1);
        assert_memory_equal(hob_session_logits(use.session), all + i * STORIES_VOCAB, STORIES_VOCAB * sizeof *all);
    }
    use_close(&use);
}

static void test_all_logits_are_each_positions(void **state)
{
    (void)state;
    check_all_logits(STORIES "model-f32.gguf", NULL);
    check_all_logits(STORIES "model-q8_0.gguf", NULL);
    check_all_logits(STORIES "model.onnx", NULL);
    check_all_logits(STORIES "model.onnx", "last_logits");
}

static void check_rewind(const char *path)
{
    int32_t ids[N_IDS];
    float expected[512];
    fill_ids(ids);
    struct use use = use_open(path, NULL, 1);
    append(use.session, ids, 20);
    memcpy(expected, hob_session_logits(use.session), sizeof expected);
    append(use.session, ids + 20, 20);
    assert_int_equal(hob_session_rewind(use.session, 19, NULL), HOB_OK);
    assert_int_equal(hob_session_n_tokens(use.session), 19);
    assert_null(hob_session_logits(use.session));
    append(use.session, ids + 19, 1);
    assert_memory_equal(hob_session_logits(use.session), expected, sizeof expected);
    assert_int_equal(hob_session_rewind(use.session, 21, NULL), HOB_BAD_ARGUMENT);
    use_close(&use);
}

/* Caches of floats, of halves, and those of an export. */
static void test_rewind_forgets(void **state)
{
    (void)state;
    check_rewind(STORIES "model-f32.gguf");
    check_rewind(STORIES "model-q8_0.gguf");
    check_rewind(STORIES "model.onnx");
}

static void check_no_allocation(const char *path, size_t n_threads)
{
    int32_t id = 300;
    struct use use = use_open(path, NULL, n_threads);
    for (int i = 0; i < 20; i++) append(use.session, &id, 1);
    uint64_t n_before = memory_n_allocations();
    for (int i = 20; i < 250; i++) append(use.session, &id, 1);
    assert_int_equal(memory_n_allocations() - n_before, 0);
    use_close(&use);
}

static void test_decoding_allocates_nothing(void **state)
{
    (void)state;
    static const char *const paths[] = {STORIES "model-f32.gguf", STORIES "model-f16.gguf", STORIES "model-q8_0.gguf", STORIES "model.onnx"};
    for (size_t n_threads = 1; n_threads <= 2; n_threads++)
        for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) check_no_allocation(paths[i], n_threads);
}

/* ---- limits and wrong use ---- */

static void test_context_is_a_limit(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    hob_session_free(use.session);
    hob_session_options options = {.n_threads = 1, .n_context_tokens = 8};
    assert_int_equal(hob_session_new(use.model, &options, &use.session, NULL), HOB_OK);
    int32_t ids[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    assert_int_equal(hob_session_append(use.session, ids, 9, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "9"));
    assert_non_null(strstr(error.message, "8"));
    assert_int_equal(hob_session_n_tokens(use.session), 0);
    hob_generate_result result;
    hob_generate_options generate = {.ignores_end = true};
    assert_int_equal(hob_generate(use.session, ids, 3, &generate, NULL, NULL, &result, NULL), HOB_OK);
    assert_int_equal(result.finish, HOB_FINISH_CONTEXT);
    assert_int_equal(result.n_tokens, 6); /* the last needs no place in the cache */
    options.n_context_tokens = 1 << 20;
    hob_session *session;
    assert_int_equal(hob_session_new(use.model, &options, &session, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "512"));
    use_close(&use);
}

static void test_ids_outside_are_refused(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = use_open(STORIES "model.onnx", NULL, 1);
    assert_int_equal(hob_session_append(use.session, (int32_t[]){1, 512}, 2, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "512"));
    assert_int_equal(hob_session_append(use.session, (int32_t[]){-1}, 1, &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_session_append(use.session, NULL, 0, NULL), HOB_OK);
    assert_int_equal(hob_generate(use.session, NULL, 0, NULL, NULL, NULL, NULL, &error), HOB_BAD_ARGUMENT);
    use_close(&use);
}

struct collected {
    char text[2048];
    size_t n_calls, n_most_calls;
};

static bool collect(void *context, const hob_generated *generated)
{
    struct collected *collected = context;
    strncat(collected->text, generated->text, sizeof collected->text - strlen(collected->text) - 1);
    return ++collected->n_calls != collected->n_most_calls;
}

static hob_finish generate_text(const char *const *stops, size_t n_stops, struct collected *collected)
{
    hob_generate_result result;
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    hob_generate_options options = {.max_tokens = 60, .stops = stops, .n_stops = n_stops};
    int32_t ids[] = {1, 403, 407, 261, 378}; /* "Once upon a time" */
    assert_int_equal(hob_generate(use.session, ids, 5, &options, collect, collected, &result, NULL), HOB_OK);
    use_close(&use);
    return result.finish;
}

static void test_stop_texts_never_show(void **state)
{
    (void)state;
    struct collected all = {0}, cut = {0}, never = {0}, cancelled = {.n_most_calls = 3};
    assert_int_equal(generate_text(NULL, 0, &all), HOB_FINISH_LENGTH);
    assert_non_null(strstr(all.text, ", there was a little girl named Lily. She"));
    /* straddles tokens; the earlier of the two wins */
    assert_int_equal(generate_text((const char *const[]){"ily. S", "girl nam"}, 2, &cut), HOB_FINISH_STOP);
    assert_string_equal(cut.text, ", there was a little ");
    assert_int_equal(generate_text((const char *const[]){"Lily. She never"}, 1, &never), HOB_FINISH_LENGTH);
    assert_string_equal(never.text, all.text);
    assert_int_equal(generate_text(NULL, 0, &cancelled), HOB_FINISH_CANCELLED);
    assert_int_equal(cancelled.n_calls, 3);
}

static void test_seeded_sampling_repeats(void **state)
{
    (void)state;
    struct collected runs[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        struct use use = use_open(STORIES "model-f32.gguf", NULL, 1 + i % 2);
        hob_generate_options options = {.max_tokens = 40, .temperature = 1.0f, .top_k = 50, .seed = i == 2 ? 8 : 7};
        int32_t ids[] = {1, 403, 407, 261, 378};
        assert_int_equal(hob_generate(use.session, ids, 5, &options, collect, &runs[i], NULL, NULL), HOB_OK);
        use_close(&use);
    }
    assert_string_equal(runs[0].text, runs[1].text);
    assert_string_not_equal(runs[0].text, runs[2].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories_onnx),
        cmocka_unit_test(test_stories_gguf_f32),
        cmocka_unit_test(test_stories_folder),
        cmocka_unit_test(test_stories_rounded_weights),
        cmocka_unit_test(test_stories_quantised),
        cmocka_unit_test(test_unknown_quant),
        cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_all_logits_are_each_positions),
        cmocka_unit_test(test_each_pass_off),
        cmocka_unit_test(test_chunks_and_threads_do_not_matter),
        cmocka_unit_test(test_chunks_do_not_matter_to_onnx),
        cmocka_unit_test(test_rewind_forgets),
        cmocka_unit_test(test_decoding_allocates_nothing),
        cmocka_unit_test(test_context_is_a_limit),
        cmocka_unit_test(test_ids_outside_are_refused),
        cmocka_unit_test(test_stop_texts_never_show),
        cmocka_unit_test(test_seeded_sampling_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
