/* Sequences and batches: the bytes of a position's logits are those of the text run alone from its beginning, whatever was
 * forked, rewound, batched or cut on the way. */
#include "engine/use.h"

#include "base/memory.h"
#include "engine/decoder.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/sequence.h"

#include <stdio.h>
#include <string.h>

#define STORIES "../shared/models/stories260k/"
#define TINY "tests/data/models/"
#define WIDE TINY "llama-wide/model.gguf" /* 512 positions, heads of 32 numbers */

/* Caches of every kind: floats, halves, an export's, carried whole. */
static const struct {
    const char *path;
    int64_t most; /* positions that an export has tables for; 0: the context */
} models[] = {{WIDE, 0},                          {TINY "gemma2/model.gguf", 0},     {TINY "mistral/model.gguf", 0},
              {TINY "llama3/model.gguf", 0},      {TINY "qwen2/model.gguf", 0},      {TINY "gpt2/model.gguf", 0},
              {TINY "llama-linear/model.gguf", 0}, {TINY "gqa/model.onnx", 64},       {TINY "gqa/model_f16.onnx", 64},
              {STORIES "model-f32.gguf", 0},       {STORIES "model-q8_0.gguf", 0},    {STORIES "model.onnx", 0},
              {"../shared/models/tiny-random-gpt2/model.onnx", 0}};

enum { MOST_IDS = 256, MOST_VOCAB = 1024 };

/* Texts share nothing but their length's limit. */
struct text {
    int32_t ids[MOST_IDS];
    int64_t n;
};


static int64_t n_vocab(const struct use *use)
{
    int64_t n = hob_model_get_info(use->model).n_vocab;
    return n > 0 ? n : 32;
}

static struct text make_text(const struct use *use, int32_t seed, int64_t n)
{
    struct text text = {.n = n};
    for (int32_t i = 0; i < n; i++) text.ids[i] = (int32_t)((1 + (i * 37 + seed * 101 + i * i * 3) % 500) % n_vocab(use));
    return text;
}

static struct sequence *new_sequence(const struct use *use)
{
    hob_error error = {0};
    struct sequence *sequence;
    ASSERT_HOB(sequence_new(use->session, &sequence, &error), error);
    return sequence;
}

static struct sequence *fork_of(const struct sequence *sequence)
{
    hob_error error = {0};
    struct sequence *twin;
    ASSERT_HOB(sequence_fork(sequence, &twin, &error), error);
    return twin;
}

static void rewind_to(struct sequence *sequence, int64_t n)
{
    hob_error error = {0};
    ASSERT_HOB(sequence_rewind(sequence, n, &error), error);
}

static void run(const struct use *use, struct batch_entry *entries, size_t n_entries)
{
    hob_error error = {0};
    ASSERT_HOB(batch_run(use->session, entries, n_entries, &error), error);
}

/* ids[begin] … ids[end - 1] of text behind what the sequence holds; the logits of the last n_rows. */
static struct batch_entry entry_of(struct sequence *sequence, const struct text *text, int64_t end, int64_t n_rows)
{
    int64_t begin = sequence_n_tokens(sequence);
    return (struct batch_entry){.sequence = sequence, .ids = text->ids + begin, .n_ids = end - begin, .n_rows = n_rows};
}

static const float *append(const struct use *use, struct sequence *sequence, const struct text *text, int64_t end)
{
    struct batch_entry entry = entry_of(sequence, text, end, 1);
    run(use, &entry, 1);
    assert_int_equal(sequence_n_tokens(sequence), end);
    assert_memory_equal(sequence_ids(sequence), text->ids, (size_t)end * sizeof *text->ids);
    return entry.logits;
}

/* The logits behind text's first `end` ids, run at once in a sequence of their own. */
static void assert_logits_of(const struct use *use, const struct text *text, int64_t end, const float *found)
{
    static float kept[MOST_VOCAB];
    size_t n_bytes = (size_t)n_vocab(use) * sizeof *kept;
    assert_true(n_bytes <= sizeof kept);
    memcpy(kept, found, n_bytes); /* the run below may write over it */
    struct sequence *alone = new_sequence(use);
    assert_memory_equal(kept, append(use, alone, text, end), n_bytes);
    sequence_free(alone);
}

static void check_chunks(const struct use *use, int64_t most)
{
    struct text text = make_text(use, 1, most);
    static const int64_t chunks[] = {1, 7, 64, 100};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        struct sequence *sequence = new_sequence(use);
        for (int64_t done = 0; done < most;) {
            done = done + chunks[i] < most ? done + chunks[i] : most;
            const float *logits = append(use, sequence, &text, done);
            if (done == most || done == 64 || done == 65) assert_logits_of(use, &text, done, logits);
        }
        sequence_free(sequence);
    }
}

/* Several texts of several lengths, some from their beginning and some an id further, in one run. */
static void check_batch(const struct use *use, int64_t most)
{
    enum { N = 5 };
    int64_t lengths[N] = {most / 2, 1, most - 1, 3, most / 3};
    struct text texts[N];
    struct sequence *sequences[N];
    struct batch_entry entries[N];
    for (int i = 0; i < N; i++) {
        texts[i] = make_text(use, i + 2, lengths[i] + 1);
        sequences[i] = new_sequence(use);
        if (i % 2 == 0) append(use, sequences[i], &texts[i], lengths[i] / 2 + 1);
        if (sequence_n_tokens(sequences[i]) == lengths[i]) rewind_to(sequences[i], lengths[i] - 1);
    }
    for (int64_t further = 0; further < 2; further++) {
        for (int i = 0; i < N; i++) entries[i] = entry_of(sequences[i], &texts[i], lengths[i] + further, 1);
        run(use, entries, N);
        static float kept[N][MOST_VOCAB];
        for (int i = 0; i < N; i++) memcpy(kept[i], entries[i].logits, (size_t)n_vocab(use) * sizeof(float));
        for (int i = 0; i < N; i++) assert_logits_of(use, &texts[i], lengths[i] + further, kept[i]);
    }
    for (int i = 0; i < N; i++) sequence_free(sequences[i]);
}

/* Twins of a past that ends inside a block, at its end and behind it; each goes its own way, and the first is gone meanwhile. */
static void check_forks(const struct use *use, int64_t most)
{
    static const int64_t pasts[] = {5, 63, 64, 65, 130};
    for (size_t i = 0; i < sizeof pasts / sizeof pasts[0] && pasts[i] + 8 <= most; i++) {
        struct text first = make_text(use, 20, pasts[i] + 8), second = first;
        for (int64_t t = pasts[i]; t < second.n; t++) second.ids[t] = (int32_t)((first.ids[t] + 3) % n_vocab(use));
        struct sequence *sequence = new_sequence(use);
        append(use, sequence, &first, pasts[i]);
        struct sequence *twin = fork_of(sequence);
        assert_logits_of(use, &first, pasts[i] + 2, append(use, sequence, &first, pasts[i] + 2));
        assert_logits_of(use, &second, pasts[i] + 3, append(use, twin, &second, pasts[i] + 3));
        assert_logits_of(use, &first, pasts[i] + 3, append(use, sequence, &first, pasts[i] + 3));
        struct sequence *third = fork_of(twin);
        sequence_free(sequence);
        assert_logits_of(use, &second, pasts[i] + 8, append(use, third, &second, pasts[i] + 8));
        assert_logits_of(use, &second, pasts[i] + 4, append(use, twin, &second, pasts[i] + 4));
        sequence_free(twin);
        sequence_free(third);
    }
}

static void check_rewinds(const struct use *use, int64_t most)
{
    struct text text = make_text(use, 30, most), other = make_text(use, 31, most);
    struct sequence *sequence = new_sequence(use);
    append(use, sequence, &text, most);
    struct sequence *twin = fork_of(sequence);
    static const int64_t lengths[] = {129, 65, 64, 63, 1, 0};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        if (lengths[i] + 3 > most) continue;
        memcpy(other.ids, text.ids, (size_t)lengths[i] * sizeof *text.ids);
        rewind_to(sequence, lengths[i]);
        assert_logits_of(use, &other, lengths[i] + 3, append(use, sequence, &other, lengths[i] + 3));
        rewind_to(sequence, lengths[i]);
        assert_logits_of(use, &text, lengths[i] + 1, append(use, sequence, &text, lengths[i] + 1));
    }
    rewind_to(twin, most - 1);
    assert_logits_of(use, &text, most, append(use, twin, &text, most));
    hob_error error = {0};
    assert_int_equal(sequence_rewind(twin, most + 1, &error), HOB_BAD_ARGUMENT);
    sequence_free(sequence);
    sequence_free(twin);
}

/* All rows, some, none. */
static void check_rows(const struct use *use, int64_t most)
{
    int64_t n = most, half = n / 2;
    struct text text = make_text(use, 40, n);
    struct sequence *whole = new_sequence(use), *parts = new_sequence(use);
    struct batch_entry all = entry_of(whole, &text, n, n);
    run(use, &all, 1);
    size_t n_bytes = (size_t)(n * n_vocab(use)) * sizeof(float);
    float *rows = memory_new(n_bytes, 1);
    memcpy(rows, all.logits, n_bytes);
    struct batch_entry part = entry_of(parts, &text, half, 0);
    run(use, &part, 1);
    assert_null(part.logits);
    part = entry_of(parts, &text, n, n - half - 1);
    run(use, &part, 1);
    assert_memory_equal(part.logits, rows + (half + 1) * n_vocab(use), (size_t)((n - half - 1) * n_vocab(use)) * sizeof(float));
    assert_logits_of(use, &text, half, rows + (half - 1) * n_vocab(use));
    assert_logits_of(use, &text, n, rows + (n - 1) * n_vocab(use));
    memory_free(rows);
    sequence_free(whole);
    sequence_free(parts);
}

static void try_model(const char *path, int64_t most, size_t n_threads, void (*check)(const struct use *use, int64_t most))
{
    struct use use = use_open(path, NULL, n_threads);
    int64_t n_context = (int64_t)hob_session_n_context_tokens(use.session);
    if (!most || most > n_context) most = n_context;
    check(&use, most < MOST_IDS ? most : MOST_IDS);
    use_close(&use);
}

static void for_each_model(void (*check)(const struct use *use, int64_t most))
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        for (size_t n_threads = 1; n_threads <= 2 && access(models[i].path, R_OK) == 0; n_threads++)
            try_model(models[i].path, models[i].most, n_threads, check);
}

static void test_chunks(void **state)
{
    (void)state;
    for_each_model(check_chunks);
}

static void test_batches(void **state)
{
    (void)state;
    for_each_model(check_batch);
}

static void test_forks(void **state)
{
    (void)state;
    for_each_model(check_forks);
}

static void test_rewinds(void **state)
{
    (void)state;
    for_each_model(check_rewinds);
}

static void test_rows(void **state)
{
    (void)state;
    for_each_model(check_rows);
}

/* ---- caches in blocks ---- */

/* The same text through the graph with a buffer for each state. */
static void check_buffers(const struct use *use, int64_t most)
{
    hob_error error = {0};
    struct decoder *decoder;
    const float *logits;
    if (!use->session->kv_cache) return;
    struct text text = make_text(use, 70, most);
    ASSERT_HOB(decoder_new(use->session, NULL, &decoder, &error), error);
    ASSERT_HOB(decoder_run(decoder, text.ids, 0, most / 2, 1, &logits, &error), error);
    assert_logits_of(use, &text, most / 2, logits);
    ASSERT_HOB(decoder_run(decoder, text.ids, most / 2, most - most / 2, 1, &logits, &error), error);
    assert_logits_of(use, &text, most, logits);
    decoder_free(decoder);
}

static void test_blocks_give_the_bytes_of_buffers(void **state)
{
    (void)state;
    for_each_model(check_buffers);
}

static struct use open_with(const char *path, const hob_session_options *options)
{
    hob_error error = {0};
    struct use use = use_open(path, NULL, 1);
    hob_session_free(use.session);
    ASSERT_HOB(hob_session_new(use.model, options, &use.session, &error), error);
    return use;
}

static uint32_t n_used_blocks(const struct use *use)
{
    return kv_cache_usage(use->session->kv_cache).n_used;
}

static void test_forks_share_blocks(void **state)
{
    (void)state;
    struct use use = use_open(WIDE, NULL, 1);
    struct text text = make_text(&use, 80, 200);
    struct sequence *first = new_sequence(&use);
    append(&use, first, &text, 130);
    assert_int_equal(n_used_blocks(&use), 3);
    struct sequence *second = fork_of(first), *third = fork_of(first);
    assert_int_equal(n_used_blocks(&use), 3);
    assert_int_equal(kv_cache_n_refs(use.session->kv_cache, sequence_blocks(first)[2]), 3);
    append(&use, second, &text, 131);
    assert_int_equal(n_used_blocks(&use), 4);
    assert_int_not_equal(sequence_blocks(second)[2], sequence_blocks(first)[2]);
    assert_int_equal(sequence_blocks(second)[1], sequence_blocks(first)[1]);
    sequence_free(first);
    append(&use, third, &text, 193);
    assert_int_equal(n_used_blocks(&use), 5);
    rewind_to(third, 64);
    assert_int_equal(n_used_blocks(&use), 3);
    struct sequence *fourth = new_sequence(&use);
    sequence_share(fourth, text.ids, sequence_blocks(third), 1);
    assert_int_equal(n_used_blocks(&use), 3);
    assert_logits_of(&use, &text, 90, append(&use, fourth, &text, 90));
    sequence_free(second);
    sequence_free(third);
    sequence_free(fourth);
    assert_int_equal(n_used_blocks(&use), 0);
    use_close(&use);
}

static void test_an_empty_pool_is_a_limit(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = open_with(WIDE, &(hob_session_options){.n_threads = 1, .n_cache_tokens = 3 * 64});
    struct text text = make_text(&use, 90, 200);
    struct sequence *first = new_sequence(&use), *second = new_sequence(&use);
    append(&use, first, &text, 100);
    struct batch_entry entries[2] = {entry_of(first, &text, 110, 1), entry_of(second, &text, 70, 1)};
    assert_int_equal(batch_run(use.session, entries, 2, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "all 3 blocks"));
    assert_int_equal(sequence_n_tokens(first), 100);
    assert_int_equal(sequence_n_tokens(second), 0);
    assert_int_equal(n_used_blocks(&use), 2);
    append(&use, second, &text, 64);
    assert_int_equal(n_used_blocks(&use), 3);
    sequence_free(first);
    sequence_free(second);
    use_close(&use);
}

/* As beams do it: every step forks all, appends a token to each and frees the old ones. */
static void test_beams_allocate_nothing(void **state)
{
    (void)state;
    enum { N = 3 };
    struct use use = use_open(WIDE, NULL, 1);
    struct text text = make_text(&use, 100, 200);
    struct sequence *beams[N];
    uint64_t n_before = 0;
    beams[0] = new_sequence(&use);
    append(&use, beams[0], &text, 60);
    for (int i = 1; i < N; i++) beams[i] = fork_of(beams[0]);
    for (int64_t step = 61; step < 200; step++) {
        struct sequence *next[N];
        struct batch_entry entries[N];
        if (step == 80) n_before = memory_n_allocations();
        for (int i = 0; i < N; i++) next[i] = fork_of(beams[(i * 2 + 1) % N]);
        for (int i = 0; i < N; i++) sequence_free(beams[i]);
        for (int i = 0; i < N; i++) entries[i] = entry_of(beams[i] = next[i], &text, step, 1);
        run(&use, entries, N);
    }
    assert_int_equal(memory_n_allocations() - n_before, 0);
    for (int i = 0; i < N; i++) sequence_free(beams[i]);
    use_close(&use);
}

static void test_cache_types(void **state)
{
    (void)state;
    static const char *const types[] = {"f32", "f16", "q8_0", "q4_0"};
    size_t bytes[4];
    for (size_t i = 0; i < 4; i++) {
        struct use use = open_with(WIDE, &(hob_session_options){.n_threads = 1 + i % 2, .cache_type = types[i]});
        int64_t most = (int64_t)hob_session_n_context_tokens(use.session);
        if (most > MOST_IDS) most = MOST_IDS;
        assert_non_null(use.session->kv_cache);
        bytes[i] = kv_cache_usage(use.session->kv_cache).block_bytes;
        check_chunks(&use, most);
        check_batch(&use, most);
        check_forks(&use, most);
        use_close(&use);
    }
    assert_int_equal(bytes[0], 2 * bytes[1]);
    assert_int_equal(bytes[2] * 32, bytes[1] / 2 * 34);
    assert_int_equal(bytes[3] * 32, bytes[1] / 2 * 18);
}

static void check_refused(const char *path, const char *type, hob_status expected, const char *words)
{
    hob_error error = {0};
    hob_session *session;
    struct use use = use_open(path, NULL, 1);
    assert_int_equal(hob_session_new(use.model, &(hob_session_options){.cache_type = type}, &session, &error), expected);
    assert_non_null(strstr(error.message, words));
    use_close(&use);
}

static void test_cache_types_that_do_not_fit(void **state)
{
    (void)state;
    check_refused(TINY "llama3/model.gguf", "q9", HOB_BAD_ARGUMENT, "found q9, expected f32, f16, q8_0 or q4_0");
    check_refused(TINY "llama3/model.gguf", "q8_0", HOB_UNSUPPORTED, "expected a multiple of 32");
    check_refused(TINY "gqa/model.onnx", "q8_0", HOB_UNSUPPORTED, "keeps its caches as");
}

/* ---- wrong use ---- */

static void test_a_failed_batch_changes_nothing(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = use_open(TINY "llama3/model.gguf", NULL, 1);
    struct text text = make_text(&use, 50, 20);
    struct sequence *first = new_sequence(&use), *second = new_sequence(&use);
    append(&use, first, &text, 5);
    append(&use, second, &text, 7);
    int32_t bad[] = {1, 1 << 20};
    struct batch_entry entries[2] = {entry_of(first, &text, 8, 1), {.sequence = second, .ids = bad, .n_ids = 2, .n_rows = 1}};
    assert_int_equal(batch_run(use.session, entries, 2, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "1048576"));
    entries[1] = entry_of(first, &text, 6, 1);
    assert_int_equal(batch_run(use.session, entries, 2, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "twice"));
    entries[0].n_rows = 4;
    assert_int_equal(batch_run(use.session, entries, 1, &error), HOB_BAD_ARGUMENT);
    entries[0].n_ids = 0;
    assert_int_equal(batch_run(use.session, entries, 1, &error), HOB_BAD_ARGUMENT);
    assert_int_equal(batch_run(use.session, NULL, 0, &error), HOB_OK);
    assert_int_equal(sequence_n_tokens(first), 5);
    assert_logits_of(&use, &text, 8, append(&use, first, &text, 8));
    assert_logits_of(&use, &text, 8, append(&use, second, &text, 8));
    sequence_free(first);
    sequence_free(second);
    use_close(&use);
}

static void test_the_context_is_a_limit_for_each(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = use_open(TINY "llama3/model.gguf", NULL, 1);
    hob_session_free(use.session);
    hob_session_options options = {.n_threads = 1, .n_context_tokens = 8};
    ASSERT_HOB(hob_session_new(use.model, &options, &use.session, &error), error);
    struct text text = make_text(&use, 60, 9);
    struct sequence *first = new_sequence(&use), *second = new_sequence(&use);
    struct batch_entry entries[2] = {entry_of(first, &text, 8, 1), entry_of(second, &text, 9, 1)};
    assert_int_equal(batch_run(use.session, entries, 2, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "9"));
    assert_int_equal(sequence_n_tokens(first), 0);
    entries[1].n_ids = 8;
    run(&use, entries, 2);
    sequence_free(first);
    sequence_free(second);
    use_close(&use);
}

static void test_only_decoders_have_sequences(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = use_open(TINY "bert/model.gguf", NULL, 1);
    struct sequence *sequence;
    assert_int_equal(sequence_new(use.session, &sequence, &error), HOB_UNSUPPORTED);
    sequence_free(NULL);
    use_close(&use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_forks),
        cmocka_unit_test(test_rewinds),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_blocks_give_the_bytes_of_buffers),
        cmocka_unit_test(test_forks_share_blocks),
        cmocka_unit_test(test_an_empty_pool_is_a_limit),
        cmocka_unit_test(test_beams_allocate_nothing),
        cmocka_unit_test(test_cache_types),
        cmocka_unit_test(test_cache_types_that_do_not_fit),
        cmocka_unit_test(test_a_failed_batch_changes_nothing),
        cmocka_unit_test(test_the_context_is_a_limit_for_each),
        cmocka_unit_test(test_only_decoders_have_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
