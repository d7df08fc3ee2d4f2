/* Every architecture from safetensors and from GGUF against outputs that float64 PyTorch computed from the
 * papers' formulas (tools/make_tiny_models.py). */
#include "models/model_run.h"

#define DATA "tests/data/models/"
static const double tolerance = 2e-6;

struct prefill {
    const char *folder, *file; /* file "": the folder itself */
    const char *disabled_passes;
};

static void open_prefill(struct model_run *run, const struct prefill *prefill)
{
    char path[256];
    snprintf(path, sizeof path, DATA "%s%s", prefill->folder, prefill->file);
    model_run_open_exact(run, path, prefill->disabled_passes);
}

static struct tensor load(struct model_run *run, const struct prefill *prefill, const char *name)
{
    char folder[256];
    snprintf(folder, sizeof folder, DATA "%s", prefill->folder);
    return model_run_load(run, folder, name);
}

/* The whole text at once, then (after a rewind) in pieces of 7, 1, 1 …: the KV cache must not show. */
static void check_decoder(struct model_run *run, const struct prefill *prefill, double most)
{
    assert_int_equal(run->info.kind, MODEL_DECODER);
    struct tensor ids = load(run, prefill, "ids"), expected = load(run, prefill, "logits");
    int64_t n_ids = ids.dims[0], n_vocab = expected.dims[1];
    assert_int_equal(run->info.n_vocab, n_vocab);
    const struct tensor *logits = model_run_append(run, ids.data, n_ids);
    assert_true(tensor_same_shape(logits, &expected));
    assert_close(logits->data, expected.data, (size_t)tensor_n_items(&expected), most);
    float *whole = arena_copy(&run->arena, logits->data, tensor_n_bytes(logits), 64);
    executor_set_n_used(run->executor, 0);
    for (int64_t start = 0, n = 7; start < n_ids; start += n, n = 1) {
        logits = model_run_append(run, (const int64_t *)ids.data + start, n);
        assert_memory_equal(logits->data, whole + start * n_vocab, (size_t)(n * n_vocab) * sizeof(float));
    }
}

static void test_decoder(void **state)
{
    struct model_run run;
    open_prefill(&run, *state);
    check_decoder(&run, *state, tolerance);
    model_run_close(&run);
}

/* Weights that are not f32 get a cache of halves: keys and values to 2^-11 of themselves, and still no trace of the pieces. */
static void test_half_cache(void **state)
{
    const struct prefill *prefill = *state;
    char path[256];
    struct model_run run;
    snprintf(path, sizeof path, DATA "%s%s", prefill->folder, prefill->file);
    model_run_open(&run, path, NULL);
    assert_true(run.graph->n_states > 0);
    for (uint32_t i = 0; i < run.graph->n_states; i++) assert_int_equal(run.graph->states[i].dtype, DTYPE_F16);
    check_decoder(&run, prefill, 2e-3);
    model_run_close(&run);
}

/* Two sentences and one of a single token in one packed batch. */
static void test_encoder(void **state)
{
    const struct prefill *prefill = *state;
    struct model_run run;
    open_prefill(&run, prefill);
    assert_int_equal(run.info.kind, MODEL_ENCODER);
    assert_int_equal(run.info.pooling.mode, HOB_POOLING_CLS);
    struct tensor ids = load(&run, prefill, "ids"), types = load(&run, prefill, "token_types");
    struct tensor segments = load(&run, prefill, "segments"), expected = load(&run, prefill, "hidden");
    int64_t positions[MODEL_RUN_CAPACITY] = {0};
    const int64_t *borders = segments.data;
    for (int64_t i = 0; i + 1 < segments.dims[0]; i++)
        for (int64_t t = borders[i]; t < borders[i + 1]; t++) positions[t] = t - borders[i];
    model_run_feed(&run, "ids", ids.data, ids.dims[0]);
    model_run_feed(&run, "positions", positions, ids.dims[0]);
    model_run_feed(&run, "segments", segments.data, segments.dims[0]);
    model_run_feed(&run, "token_types", types.data, types.dims[0]);
    const struct tensor *hidden = model_run_step(&run, 0);
    assert_true(tensor_same_shape(hidden, &expected));
    assert_close(hidden->data, expected.data, (size_t)tensor_n_items(&expected), tolerance);
    model_run_close(&run);
}

static void test_static(void **state)
{
    const struct prefill *prefill = *state;
    struct model_run run;
    open_prefill(&run, prefill);
    assert_int_equal(run.info.kind, MODEL_STATIC);
    assert_int_equal(run.info.n_vocab, 40);
    assert_int_equal(run.info.width, 8);
    assert_false(run.info.pooling.is_normalized);
    assert_true(run.info.pooling.is_plain_text);
    struct tensor ids = load(&run, prefill, "ids"), expected = load(&run, prefill, "hidden");
    model_run_feed(&run, "ids", ids.data, ids.dims[0]);
    const struct tensor *hidden = model_run_step(&run, 0);
    assert_true(tensor_same_shape(hidden, &expected));
    assert_close(hidden->data, expected.data, (size_t)tensor_n_items(&expected), 1e-7);
    model_run_close(&run);
}

static void test_info(void **state)
{
    (void)state;
    struct graph *graph;
    struct model_info info;
    hob_error error;
    ASSERT_OK(model_run_build(DATA "llama3", &graph, &info, &error), error);
    assert_string_equal(info.architecture, "llama");
    assert_int_equal(info.n_layers, 2);
    assert_int_equal(info.width, 32);
    assert_int_equal(info.n_context, 64);
    assert_int_equal(info.n_heads, 4);
    assert_int_equal(info.n_kv_heads, 2);
    assert_int_equal(info.head_width, 16);
    assert_int_equal(info.bos_id, 1);
    assert_int_equal(info.n_eos_ids, 1);
    assert_int_equal(info.eos_ids[0], 2);
    assert_int_equal(graph->n_states, 4);
    graph_free(graph);
}

static void test_encoder_info(void **state)
{
    (void)state;
    struct graph *graph;
    struct model_info info;
    hob_error error;
    ASSERT_OK(model_run_build(DATA "bert", &graph, &info, &error), error);
    assert_int_equal(info.bos_id, -1);
    assert_int_equal(info.n_eos_ids, 0);
    assert_true(info.pooling.is_stated);
    assert_false(info.pooling.is_normalized);
    assert_int_equal(info.pooling.max_tokens, 16);
    graph_free(graph);
}

#define CASE(test, folder, file, passes)                                       \
    {                                                                          \
#test " " folder file " " #passes, test, NULL, NULL, &(struct prefill) \
        {                                                                      \
            folder, file, passes                                               \
        }                                                                      \
    }
#define BOTH_FILES(test, folder)                                                                          \
    CASE(test, folder, "", NULL), CASE(test, folder, "", "all"), CASE(test, folder, "/model.gguf", NULL), \
        CASE(test, folder, "/model.gguf", "all")

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_FILES(test_decoder, "qwen3"), BOTH_FILES(test_decoder, "mistral"), BOTH_FILES(test_decoder, "granite"),
        BOTH_FILES(test_decoder, "smollm3"), BOTH_FILES(test_decoder, "gemma"), BOTH_FILES(test_decoder, "gemma2"),
        BOTH_FILES(test_decoder, "gemma3"), BOTH_FILES(test_decoder, "phi3"), BOTH_FILES(test_decoder, "olmo2"),
        BOTH_FILES(test_decoder, "starcoder2"), BOTH_FILES(test_decoder, "gpt_neox"), BOTH_FILES(test_decoder, "phi2"),
        BOTH_FILES(test_decoder, "stablelm"), BOTH_FILES(test_decoder, "llama-yarn"),
        BOTH_FILES(test_decoder, "llama3"), BOTH_FILES(test_decoder, "llama-linear"), BOTH_FILES(test_decoder, "llama-wide"),
        BOTH_FILES(test_decoder, "qwen2"),  BOTH_FILES(test_decoder, "gpt2"),
        CASE(test_half_cache, "llama3", "", NULL), CASE(test_half_cache, "qwen2", "", NULL), BOTH_FILES(test_encoder, "bert"),   CASE(test_static, "model2vec", "", NULL),
        cmocka_unit_test(test_info),        cmocka_unit_test(test_encoder_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
