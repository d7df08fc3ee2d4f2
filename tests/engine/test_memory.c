/* Forecasts of memory against what is taken, and refusals with numbers. */
#include "engine/use.h"

#include "base/available_memory.h"
#include "base/memory.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/sequence.h"
#include "engine/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STORIES "../shared/models/stories260k/"

/* ---- what there is ---- */

static void write_file(const char *root, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
}

static void remove_tree(const char *root)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

static void test_available_memory_is_the_least(void **state)
{
    (void)state;
    char root[] = "/tmp/hob-test-memory-XXXXXX";
    assert_non_null(mkdtemp(root));
    assert_true(available_memory(root) == UINT64_MAX);
    write_file(root, "/proc/meminfo", "MemTotal:  100 kB\nMemAvailable:   64 kB\n");
    assert_int_equal(available_memory(root), 64 * 1024);
    write_file(root, "/proc/self/cgroup", "4:cpu,memory:/a/b\n0::/x/y\nrubbish\n");
    write_file(root, "/sys/fs/cgroup/x/y/memory.max", "max\n");
    write_file(root, "/sys/fs/cgroup/x/y/memory.current", "5\n");
    assert_int_equal(available_memory(root), 64 * 1024);
    write_file(root, "/sys/fs/cgroup/x/memory.max", "40000\n");
    write_file(root, "/sys/fs/cgroup/x/memory.current", "30000\n");
    assert_int_equal(available_memory(root), 10000);
    write_file(root, "/sys/fs/cgroup/x/memory.stat", "anon 7\ninactive_file 2000\n");
    assert_int_equal(available_memory(root), 12000);
    write_file(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9000\n");
    write_file(root, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "9500\n");
    assert_int_equal(available_memory(root), 0);
    remove_tree(root);
    assert_true(available_memory("") > 1 << 20);
}

/* ---- what is taken ---- */

static uint64_t anonymous_bytes(void)
{
    char line[256];
    unsigned long long kilobytes = 0;
    FILE *stream = fopen("/proc/self/status", "r");
    assert_non_null(stream);
    while (fgets(line, sizeof line, stream)) sscanf(line, "RssAnon: %llu", &kilobytes);
    fclose(stream);
    return kilobytes * 1024;
}

/* Texts as long as the context, until the pool is full. */
static void fill_pool(hob_session *session, int64_t n_tokens, struct sequence **ret_sequences)
{
    hob_error error = {0};
    int32_t ids[512];
    for (int32_t i = 0; i < 512; i++) ids[i] = 1 + i * 37 % 500;
    for (int64_t i = 0; i < n_tokens / 512; i++) {
        struct batch_entry entry = {.ids = ids, .n_ids = 512, .n_rows = 1};
        ASSERT_HOB(sequence_new(session, &ret_sequences[i], &error), error);
        entry.sequence = ret_sequences[i];
        ASSERT_HOB(batch_run(session, &entry, 1, &error), error);
    }
}

static void check_forecast(const char *path, const char *cache_type, int64_t n_tokens)
{
    hob_error error = {0};
    hob_memory_forecast forecast;
    struct use use = use_open(path, NULL, 1);
    hob_session_options options = {.n_threads = 1, .n_context_tokens = 512, .n_cache_tokens = n_tokens, .cache_type = cache_type};
    hob_session *session;
    struct sequence *sequences[128] = {NULL};
    assert_true(n_tokens / 512 <= 128);
    ASSERT_HOB(hob_forecast_memory(use.model, &options, &forecast, &error), error);
    uint64_t before = anonymous_bytes();
    ASSERT_HOB(hob_session_new(use.model, &options, &session, &error), error);
    fill_pool(session, n_tokens, sequences);
    double taken = (double)(anonymous_bytes() - before), said = (double)forecast.needed_bytes;
    for (int i = 0; i < 128; i++) sequence_free(sequences[i]);
    if (fabs(taken - said) > 0.05 * taken) fail_msg("%s: forecast %.0f bytes, found %.0f taken", path, said, taken);
    hob_session_free(session);
    use_close(&use);
}

static void test_forecast_is_what_is_taken(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* its shadow counts as ours */
#endif
    check_forecast(STORIES "model-f32.gguf", NULL, 32 * 512);
    check_forecast(STORIES "model-q8_0.gguf", "f16", 64 * 512);
}

static void test_weights_are_resident_or_mapped(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_memory_forecast forecast;
    char path[] = "/tmp/hob-test-memory-XXXXXX.hob";
    if (access(STORIES "model-f32.gguf", R_OK) != 0) skip();
    int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    close(fd);
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    ASSERT_HOB(hob_forecast_memory(use.model, NULL, &forecast, &error), error);
    assert_true(forecast.weights_bytes > 1000000 && forecast.mapped_bytes < 300000);
    use_close(&use);
    ASSERT_HOB(hob_import(STORIES "model-f32.gguf", NULL, path, &error), error);
    use = use_open(path, NULL, 1);
    ASSERT_HOB(hob_forecast_memory(use.model, NULL, &forecast, &error), error);
    assert_true(forecast.weights_bytes < 300000 && forecast.mapped_bytes > 1000000);
    use_close(&use);
    unlink(path);
}

/* ---- as it is ---- */

static const int32_t words[] = {1, 403, 407, 261, 378, 432, 384, 300, 301, 302};

static hob_generation *begin(hob_session *session, size_t n_samples)
{
    hob_error error = {0};
    hob_generation *generation;
    hob_generate_options options = {.max_tokens = 150, .n_samples = n_samples, .temperature = 1, .ignores_end = true};
    ASSERT_HOB(hob_generation_new(session, words, 10, &options, NULL, NULL, &generation, &error), error);
    return generation;
}

static void step(hob_session *session, hob_generation *generation, size_t n_steps)
{
    hob_error error = {0};
    for (size_t i = 0; i < n_steps; i++) ASSERT_HOB(hob_generations_step(session, &generation, 1, &error), error);
}

static void assert_adds_up(const hob_session_memory *memory)
{
    assert_true(memory->cache_used_bytes + memory->cache_kept_bytes <= memory->cache_bytes);
    assert_true(memory->cache_bytes <= memory->cache_most_bytes);
    assert_int_equal(memory->total_bytes, memory->cache_bytes + memory->activations_bytes + memory->other_bytes);
}

/* Through texts under way, texts that are kept, none at all. */
static void check_usage(const char *path, const char *disabled_passes, size_t prefix_cache_bytes)
{
    hob_error error = {0};
    hob_session_memory fresh, busy, idle, trimmed;
    hob_session *session;
    struct use use = use_open(path, disabled_passes, 1);
    hob_session_options options = {.n_threads = 1, .n_context_tokens = 256, .prefix_cache_bytes = prefix_cache_bytes};
    int64_t n_before_bytes = memory_thread_bytes();
    ASSERT_HOB(hob_session_new(use.model, &options, &session, &error), error);
    fresh = hob_session_get_memory(session);
    hob_generation *generation = begin(session, 2);
    step(session, generation, 100);
    busy = hob_session_get_memory(session);
    step(session, generation, 50);
    hob_generation_free(generation);
    idle = hob_session_get_memory(session);
    uint64_t heap_bytes = (uint64_t)(memory_thread_bytes() - n_before_bytes);
    assert_in_range(idle.activations_bytes + idle.other_bytes + (session->kv_cache ? 0 : idle.cache_bytes), heap_bytes * 9 / 10, heap_bytes);
    hob_session_trim(session);
    trimmed = hob_session_get_memory(session);
    assert_adds_up(&fresh), assert_adds_up(&busy), assert_adds_up(&idle), assert_adds_up(&trimmed);
    assert_true(busy.cache_used_bytes > fresh.cache_used_bytes && busy.activations_bytes > fresh.activations_bytes);
    assert_int_equal(idle.cache_used_bytes, fresh.cache_used_bytes);
    assert_true(!session->kv_cache || idle.cache_bytes >= busy.cache_bytes);
    assert_int_equal(idle.cache_kept_bytes > 0, prefix_cache_bytes > 0);
    assert_int_equal(trimmed.cache_bytes, idle.cache_used_bytes + idle.cache_kept_bytes);
    assert_true(trimmed.activations_bytes < 40000 && trimmed.activations_bytes < idle.activations_bytes);
    generation = begin(session, 2); /* and all is there again */
    step(session, generation, 150);
    assert_true(hob_generation_is_done(generation));
    assert_int_equal(hob_generation_result(generation).n_cached_tokens, 0);
    hob_generation_free(generation);
    hob_session_free(session);
    use_close(&use);
}

static void test_usage_is_what_is_taken(void **state)
{
    (void)state;
    check_usage(STORIES "model-f32.gguf", NULL, 0);
    check_usage(STORIES "model-q8_0.gguf", NULL, 1 << 20);
    check_usage(STORIES "model.onnx", "attach_kv_cache", 0);
}

/* Pages really go: those of a pool, and what was read of it is as before. */
static void test_trimming_gives_pages_back(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* shadows count as ours */
#endif
    hob_error error = {0};
    hob_session *session;
    struct sequence *sequences[128] = {NULL};
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    hob_session_options options = {.n_threads = 1, .n_context_tokens = 512, .n_cache_tokens = 32 * 512};
    ASSERT_HOB(hob_session_new(use.model, &options, &session, &error), error);
    fill_pool(session, 32 * 512, sequences);
    for (int i = 1; i < 32; i++) sequence_free(sequences[i]);
    memory_give_back(); /* what opening the model left */
    uint64_t before = anonymous_bytes();
    hob_session_memory full = hob_session_get_memory(session);
    hob_session_trim(session);
    hob_session_memory trimmed = hob_session_get_memory(session);
    double given = (double)(before - anonymous_bytes()), said = (double)(full.total_bytes - trimmed.total_bytes);
    if (fabs(given - said) > 0.05 * said) fail_msg("trimming said %.0f bytes, found %.0f", said, given);
    struct sequence *again;
    ASSERT_HOB(sequence_new(session, &again, &error), error);
    struct batch_entry entries[2] = {{.sequence = sequences[0], .ids = words, .n_ids = 0, .n_rows = 1}, {.sequence = again, .n_rows = 1}};
    ASSERT_HOB(sequence_rewind(sequences[0], 511, &error), error);
    int32_t ids[512];
    for (int32_t i = 0; i < 512; i++) ids[i] = 1 + i * 37 % 500;
    entries[0].ids = ids + 511, entries[0].n_ids = 1;
    entries[1].ids = ids, entries[1].n_ids = 512;
    ASSERT_HOB(batch_run(session, entries, 2, &error), error);
    assert_memory_equal(entries[0].logits, entries[1].logits, (size_t)session->n_vocab * sizeof(float));
    sequence_free(sequences[0]);
    sequence_free(again);
    hob_session_free(session);
    use_close(&use);
}

static void test_an_encoder_has_its_share(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = use_open("tests/data/models/bert/model.gguf", NULL, 1);
    size_t width = (size_t)hob_model_get_info(use.model).width;
    const int32_t *ids[] = {words};
    size_t n_ids[] = {3};
    int32_t small[] = {2, 3, 4};
    ids[0] = small;
    float first[1024], second[1024];
    assert_true(width <= 1024);
    ASSERT_HOB(hob_embed_ids(use.session, ids, n_ids, 1, NULL, first, &error), error);
    hob_session_memory busy = hob_session_get_memory(use.session);
    hob_session_trim(use.session);
    hob_session_memory trimmed = hob_session_get_memory(use.session);
    assert_adds_up(&busy), assert_adds_up(&trimmed);
    assert_true(busy.activations_bytes > trimmed.activations_bytes && busy.cache_bytes == 0);
    ASSERT_HOB(hob_embed_ids(use.session, ids, n_ids, 1, NULL, second, &error), error);
    assert_memory_equal(first, second, width * sizeof(float));
    use_close(&use);
}

static void test_a_model_says_what_it_holds(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_memory_forecast forecast;
    hob_grammar *grammar;
    struct use use = use_open(STORIES "model-q8_0.gguf", NULL, 1);
    ASSERT_HOB(hob_forecast_memory(use.model, NULL, &forecast, &error), error);
    hob_model_memory memory = hob_model_get_memory(use.model);
    assert_int_equal(memory.weights_bytes, forecast.weights_bytes);
    assert_int_equal(memory.mapped_bytes, forecast.mapped_bytes);
    assert_in_range(memory.tokenizer_bytes, 10000, 2000000);
    ASSERT_HOB(hob_grammar_new_gbnf("root ::= \"a\"", 12, &grammar, &error), error);
    hob_generate_options options = {.max_tokens = 1, .grammar = grammar};
    ASSERT_HOB(hob_generate(use.session, words, 3, &options, NULL, NULL, NULL, &error), error);
    assert_true(hob_model_get_memory(use.model).tokenizer_bytes > memory.tokenizer_bytes);
    hob_grammar_free(grammar);
    use_close(&use);
}

/* ---- refusals ---- */

static hob_status try_session(hob_model *model, int64_t n_context_tokens, uint64_t max_memory_bytes, hob_error *error)
{
    hob_session *session;
    hob_session_options options = {.n_threads = 1, .n_context_tokens = n_context_tokens, .max_memory_bytes = max_memory_bytes};
    hob_status status = hob_session_new(model, &options, &session, error);
    if (status == HOB_OK) hob_session_free(session);
    return status;
}

static void test_refuses_with_numbers(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_memory_forecast forecast, whole;
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    hob_session_options options = {.n_threads = 1, .n_context_tokens = 512};
    ASSERT_HOB(hob_forecast_memory(use.model, &options, &whole, &error), error);
    options.max_memory_bytes = whole.needed_bytes - 200 * whole.cache_token_bytes;
    ASSERT_HOB(hob_forecast_memory(use.model, &options, &forecast, &error), error);
    assert_int_equal(forecast.available_bytes, options.max_memory_bytes);
    assert_in_range(forecast.most_context_tokens, 64, 512 - 64);
    assert_int_equal(try_session(use.model, 512, options.max_memory_bytes, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "needs") ? strstr(error.message, "available") : NULL);
    assert_non_null(strstr(error.message, "the largest context that fits has"));
    assert_int_equal(try_session(use.model, forecast.most_context_tokens, options.max_memory_bytes, &error), HOB_OK);
    assert_int_equal(try_session(use.model, 512, 1000, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "has 0 tokens"));
    assert_int_equal(try_session(use.model, 512, whole.needed_bytes, &error), HOB_OK);
    use_close(&use);
}

static void test_refuses_weights(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_model *model;
    hob_model_options options = {.max_memory_bytes = 100000};
    if (access(STORIES "model-f32.gguf", R_OK) != 0) skip();
    assert_int_equal(hob_model_open(STORIES "model-f32.gguf", &options, &model, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "0.1 MiB available"));
    options.max_memory_bytes = 2 << 20;
    ASSERT_HOB(hob_model_open(STORIES "model-f32.gguf", &options, &model, &error), error);
    hob_model_free(model);
}

/* A prompt that the pool never holds is refused before it runs. */
static void test_refuses_requests(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_session *session;
    hob_generation *generation;
    int32_t ids[300] = {1};
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    hob_session_options options = {.n_threads = 1, .n_context_tokens = 512, .n_cache_tokens = 256};
    ASSERT_HOB(hob_session_new(use.model, &options, &session, &error), error);
    assert_int_equal(hob_generation_new(session, ids, 300, NULL, NULL, NULL, &generation, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "300 tokens"));
    assert_non_null(strstr(error.message, "256"));
    hob_generate_options how = {.max_tokens = 20};
    ASSERT_HOB(hob_generate(session, ids, 200, &how, NULL, NULL, NULL, &error), error);
    hob_session_free(session);
    use_close(&use);
}

/* As much as there is may be filled again and again: what is kept for texts to come gives way. */
static void test_full_caches_take_requests(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_session *session;
    hob_memory_forecast forecast;
    int32_t ids[450];
    struct use use = use_open(STORIES "model-f32.gguf", NULL, 1);
    hob_session_options options = {.n_threads = 1, .n_context_tokens = 512, .n_cache_tokens = 512, .prefix_cache_bytes = 1 << 18};
    ASSERT_HOB(hob_forecast_memory(use.model, &options, &forecast, &error), error);
    options.max_memory_bytes = forecast.needed_bytes;
    ASSERT_HOB(hob_session_new(use.model, &options, &session, &error), error);
    for (int32_t i = 0; i < 5; i++) {
        for (int32_t at = 0; at < 450; at++) ids[at] = 1 + (at * (i + 2)) % 500;
        hob_generate_options how = {.max_tokens = 60, .ignores_end = true};
        hob_generation *generation;
        ASSERT_HOB(hob_generation_new(session, ids, 450, &how, NULL, NULL, &generation, &error), error);
        while (!hob_generation_is_done(generation)) step(session, generation, 1);
        hob_generation_free(generation);
        assert_true(hob_session_get_memory(session).cache_kept_bytes > 0);
    }
    assert_true(hob_session_get_memory(session).total_bytes <= options.max_memory_bytes);
    hob_session_free(session);
    use_close(&use);
}

static void test_only_of_language_models(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_memory_forecast forecast;
    struct use use = use_open("tests/data/models/bert/model.gguf", NULL, 1);
    assert_int_equal(hob_forecast_memory(use.model, NULL, &forecast, &error), HOB_UNSUPPORTED);
    use_close(&use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_available_memory_is_the_least), cmocka_unit_test(test_forecast_is_what_is_taken),
        cmocka_unit_test(test_weights_are_resident_or_mapped), cmocka_unit_test(test_refuses_with_numbers),
        cmocka_unit_test(test_refuses_requests), cmocka_unit_test(test_refuses_weights),              cmocka_unit_test(test_only_of_language_models),
        cmocka_unit_test(test_usage_is_what_is_taken), cmocka_unit_test(test_trimming_gives_pages_back),
        cmocka_unit_test(test_an_encoder_has_its_share), cmocka_unit_test(test_a_model_says_what_it_holds),
        cmocka_unit_test(test_full_caches_take_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
