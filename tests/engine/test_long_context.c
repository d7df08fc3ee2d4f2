/* Long texts on models of real size, for people who look at the numbers: nothing here asserts a time.
 *
 * HOB_RESTART_MODEL: a text of 8,000 tokens is computed, left on disk, and found by a session that begins anew.
 * HOB_LONG_MODEL: a session of all positions that the model was made for (HOB_LONG_TOKENS) with a small cache; its blocks are filled with
 * made-up keys and values, since a prompt of that length takes hours, and tokens are decoded behind them. HOB_LONG_CACHE: q8_0.
 * HOB_LONG_THREADS: 0, all. Without these variables, which tests/long sets, all is skipped. */
#include "engine/use.h"

#include "base/clock.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/sequence.h"
#include "engine/kv/sequence_parts.h"
#include "ops/paged_state.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_PREFIX = 8000, N_TOKENS = 8 };

static const char *variable(const char *name)
{
    const char *text = getenv(name);
    if (!text || !*text) skip();
    return text;
}

static double ms_since(uint64_t start_ns)
{
    return (double)(clock_now_ns() - start_ns) / 1e6;
}

static size_t n_threads(void)
{
    const char *text = getenv("HOB_LONG_THREADS");
    return text ? strtoul(text, NULL, 10) : 0;
}

/* ---- a restart ---- */

struct answer {
    int32_t ids[N_TOKENS];
    size_t n_ids;
    uint64_t first_ns;
};

static bool hear(void *context, const hob_generated *generated)
{
    struct answer *answer = context;
    if (!answer->n_ids) answer->first_ns = clock_now_ns();
    if (generated->id != HOB_NO_TOKEN) answer->ids[answer->n_ids++] = generated->id;
    return true;
}

/* From nothing to the first token, and on. */
static struct answer ask(const char *path, const char *folder, const char *what)
{
    hob_error error = {0};
    hob_model *model;
    hob_session *session;
    hob_generate_result result;
    struct answer answer = {.n_ids = 0};
    int32_t *ids = calloc(N_PREFIX + 1, sizeof *ids);
    hob_session_options options = {.n_threads = n_threads(), .n_context_tokens = N_PREFIX + 1 + N_TOKENS, .cache_folder = folder};
    hob_generate_options how = {.max_tokens = N_TOKENS, .ignores_end = true};
    assert_non_null(ids);
    uint64_t start_ns = clock_now_ns();
    ASSERT_HOB(hob_model_open(path, NULL, &model, &error), error);
    double open_ms = ms_since(start_ns);
    int64_t n_vocab = hob_model_get_info(model).n_vocab;
    for (int32_t i = 0; i <= N_PREFIX; i++) ids[i] = (int32_t)((i * INT64_C(7919) + i / 3) % n_vocab);
    start_ns = clock_now_ns();
    ASSERT_HOB(hob_session_new(model, &options, &session, &error), error);
    double session_ms = ms_since(start_ns);
    ASSERT_HOB(hob_generate(session, ids, N_PREFIX + 1, &how, hear, &answer, &result, &error), error);
    printf("%s: model %.1f ms; session %.1f ms; first token %.1f ms behind the model, %zu of %d tokens from the cache\n", what, open_ms, session_ms,
           (double)(answer.first_ns - start_ns) / 1e6, result.n_cached_tokens, N_PREFIX + 1);
    hob_session_free(session);
    hob_model_free(model);
    free(ids);
    return answer;
}

static void empty_folder(const char *folder)
{
    char path[512];
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    for (const struct dirent *entry; (entry = readdir(stream));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') unlink(path);
    }
    closedir(stream);
    rmdir(folder);
}

static void test_restart(void **state)
{
    (void)state;
    const char *path = variable("HOB_RESTART_MODEL");
    char folder[] = "/tmp/hob-test-restart-XXXXXX";
    if (access(path, R_OK) != 0) skip();
    assert_non_null(mkdtemp(folder));
    struct answer computed = ask(path, folder, "computed");
    for (int i = 0; i < 5; i++) {
        struct answer again = ask(path, folder, "restarted");
        assert_int_equal(again.n_ids, computed.n_ids);
        assert_memory_equal(again.ids, computed.ids, sizeof computed.ids);
    }
    empty_folder(folder);
}

/* ---- a long context ---- */

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

/* All but the last of a text's blocks are copies of its first, which were computed. */
static void fill(hob_session *session, struct sequence *sequence, int64_t n_tokens)
{
    hob_error error = {0};
    size_t block_bytes = kv_cache_layout(session->kv_cache)->block_bytes;
    int64_t n_computed = sequence->n_ids / PAGED_POSITIONS;
    assert_true(n_computed > 0 && sequence->n_ids % PAGED_POSITIONS == 0);
    ASSERT_HOB(sequence_reserve(sequence, n_tokens - sequence->n_ids, &error), error);
    for (int64_t i = n_computed; i < sequence->n_blocks; i++)
        memcpy(kv_cache_bytes(session->kv_cache, sequence->blocks[i]), kv_cache_bytes(session->kv_cache, sequence->blocks[i % n_computed]), block_bytes);
    sequence->n_ids = n_tokens;
}

static void append(hob_session *session, struct sequence *sequence, int64_t n)
{
    hob_error error = {0};
    int32_t ids[64];
    for (int32_t i = 0; i < 64; i++) ids[i] = 1 + i * 37;
    struct batch_entry entry = {.sequence = sequence, .ids = ids, .n_ids = n, .n_rows = 1};
    ASSERT_HOB(batch_run(session, &entry, 1, &error), error);
    assert_true(isfinite(entry.logits[0]));
}

static void decode_at(hob_session *session, struct sequence *sequence, int64_t depth)
{
    hob_error error = {0};
    if (depth > sequence->n_ids) fill(session, sequence, depth);
    ASSERT_HOB(sequence_rewind(sequence, depth, &error), error);
    append(session, sequence, 1);
    uint64_t start_ns = clock_now_ns(), cpu_ns = clock_cpu_ns();
    for (int i = 0; i < N_TOKENS; i++) append(session, sequence, 1);
    printf("depth %lld: %.1f ms a token (%.1f ms of processor time)\n", (long long)depth, ms_since(start_ns) / N_TOKENS,
           (double)(clock_cpu_ns() - cpu_ns) / 1e6 / N_TOKENS);
    ASSERT_HOB(sequence_rewind(sequence, depth, &error), error);
}

static void test_long_context(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_model *model;
    hob_session *session;
    struct sequence *sequence;
    hob_memory_forecast forecast;
    const char *path = variable("HOB_LONG_MODEL"), *cache = getenv("HOB_LONG_CACHE"), *tokens = getenv("HOB_LONG_TOKENS");
    int64_t n_tokens = tokens ? strtoll(tokens, NULL, 10) : 131072;
    if (access(path, R_OK) != 0) skip();
    ASSERT_HOB(hob_model_open(path, NULL, &model, &error), error);
    hob_session_options options = {.n_threads = n_threads(), .n_context_tokens = n_tokens, .cache_type = cache ? cache : "q8_0", .n_cache_tokens = n_tokens};
    uint64_t before = anonymous_bytes();
    ASSERT_HOB(hob_forecast_memory(model, &options, &forecast, &error), error);
    ASSERT_HOB(hob_session_new(model, &options, &session, &error), error);
    ASSERT_HOB(sequence_new(session, &sequence, &error), error);
    for (int i = 0; i < 4; i++) append(session, sequence, 64);
    decode_at(session, sequence, 256);
    decode_at(session, sequence, n_tokens / 4 / PAGED_POSITIONS * PAGED_POSITIONS);
    decode_at(session, sequence, (n_tokens - 1 - N_TOKENS) / PAGED_POSITIONS * PAGED_POSITIONS);
    double taken = (double)(anonymous_bytes() - before), said = (double)forecast.needed_bytes;
    printf("%lld tokens, %s: forecast %.1f MiB (cache %.1f, activations %.1f), taken %.1f MiB; process %.1f MiB\n", (long long)n_tokens, options.cache_type,
           said / (1 << 20), (double)forecast.cache_bytes / (1 << 20), (double)forecast.activations_bytes / (1 << 20), taken / (1 << 20),
           (double)anonymous_bytes() / (1 << 20));
    assert_true(fabs(taken - said) <= 0.05 * taken);
    sequence_free(sequence);
    hob_session_free(session);
    hob_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_restart), cmocka_unit_test(test_long_context)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
