/* Every encoder architecture from safetensors and from GGUF against outputs that float64 PyTorch computed from the papers' formulas
 * (tools/make_tiny_encoders.py): hidden states with passes on and off, embeddings, and the same bytes alone, as a batch, on any number
 * of threads, with weights of 8 bits and from a pack. */
#include "engine/use.h"
#include "models/model_run.h"

#include <stdlib.h>

#define DATA "tests/data/encoders/"
static const double tolerance = 2e-6;

enum { MAX_TEXTS = 4, MAX_WIDTH = 16, MAX_TOKENS = 32 };

struct encoder_case {
    const char *folder, *file; /* file "": the folder itself */
};

static void spell_path(const struct encoder_case *encoder, char path[256])
{
    snprintf(path, 256, DATA "%s%s", encoder->folder, encoder->file);
}

static bool has_input(const struct model_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->graph->n_inputs; i++)
        if (!strcmp(run->graph->values[run->graph->inputs[i]].name, name)) return true;
    return false;
}

/* ---- hidden states ---- */

static void check_hidden(const struct encoder_case *encoder, const char *disabled_passes)
{
    char path[256], folder[256];
    struct model_run run;
    int64_t positions[MAX_TOKENS] = {0}, types[MAX_TOKENS] = {0};
    spell_path(encoder, path);
    snprintf(folder, sizeof folder, DATA "%s", encoder->folder);
    model_run_open(&run, path, disabled_passes);
    assert_int_equal(run.info.kind, MODEL_ENCODER);
    assert_int_equal(run.info.n_context, 24);
    struct tensor ids = model_run_load(&run, folder, "ids"), segments = model_run_load(&run, folder, "segments");
    struct tensor expected = model_run_load(&run, folder, "hidden");
    const int64_t *borders = segments.data;
    for (int64_t i = 0; i + 1 < segments.dims[0]; i++)
        for (int64_t t = borders[i]; t < borders[i + 1]; t++) positions[t] = t - borders[i];
    model_run_feed(&run, "ids", ids.data, ids.dims[0]);
    model_run_feed(&run, "segments", segments.data, segments.dims[0]);
    model_run_feed(&run, "positions", positions, ids.dims[0]);
    if (has_input(&run, "token_types")) model_run_feed(&run, "token_types", types, ids.dims[0]);
    const struct tensor *hidden = model_run_step(&run, 0);
    assert_true(tensor_same_shape(hidden, &expected));
    assert_close(hidden->data, expected.data, (size_t)tensor_n_items(&expected), tolerance);
    model_run_close(&run);
}

static void test_hidden_states(void **state)
{
    check_hidden(*state, NULL);
    check_hidden(*state, "all");
}

/* ---- embeddings ---- */

struct texts {
    struct arena arena;
    int32_t ids[MAX_TOKENS];
    const int32_t *starts[MAX_TEXTS];
    size_t lengths[MAX_TEXTS], n, width;
    const float *expected; /* [n, width] */
};

/* texts' pointers go into itself. */
static void read_texts(const char *folder_name, struct texts *ret_texts)
{
    char folder[256];
    struct model_run reader = {0}; /* its arena only */
    struct texts texts = {0};
    snprintf(folder, sizeof folder, DATA "%s", folder_name);
    struct tensor ids = model_run_load(&reader, folder, "ids"), segments = model_run_load(&reader, folder, "segments");
    struct tensor expected = model_run_load(&reader, folder, "embeddings");
    for (int64_t i = 0; i < ids.dims[0]; i++) texts.ids[i] = (int32_t)((const int64_t *)ids.data)[i];
    texts.n = (size_t)segments.dims[0] - 1;
    for (size_t i = 0; i < texts.n; i++) {
        const int64_t *borders = segments.data;
        texts.starts[i] = ret_texts->ids + borders[i];
        texts.lengths[i] = (size_t)(borders[i + 1] - borders[i]);
    }
    texts.width = (size_t)expected.dims[1];
    assert_true(texts.n <= MAX_TEXTS && texts.width <= MAX_WIDTH);
    texts.expected = expected.data;
    texts.arena = reader.arena;
    *ret_texts = texts;
}

static void embed(const struct use *use, const struct texts *texts, size_t first, size_t n, float *vectors)
{
    hob_error error = {0};
    ASSERT_HOB(hob_embed_ids(use->session, texts->starts + first, texts->lengths + first, n, NULL, vectors, &error),
               error);
}

/* One text a run on one thread gives what a batch on any number of them does, from any place of the batch. */
static void check_batches(const char *path, const hob_model_options *options, struct texts *texts, float *vectors)
{
    float alone[MAX_TEXTS * MAX_WIDTH];
    struct use use = use_open_options(path, options, 1);
    assert_int_equal(hob_model_get_info(use.model).width, texts->width);
    for (size_t i = 0; i < texts->n; i++) embed(&use, texts, i, 1, alone + i * texts->width);
    use_close(&use);
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        use = use_open_options(path, options, n_threads);
        embed(&use, texts, 0, texts->n, vectors);
        assert_memory_equal(vectors, alone, texts->n * texts->width * sizeof *alone);
        embed(&use, texts, 1, texts->n - 1, vectors + texts->width);
        assert_memory_equal(vectors, alone, texts->n * texts->width * sizeof *alone);
        use_close(&use);
    }
}

static void check_pack(const char *path, const char *quant, struct texts *texts, const float *vectors)
{
    char pack[] = "/tmp/hob-test-encoder-XXXXXX";
    float from_pack[MAX_TEXTS * MAX_WIDTH];
    hob_error error = {0};
    int fd = mkstemp(pack);
    assert_true(fd >= 0);
    close(fd);
    ASSERT_HOB(hob_import(path, &(hob_import_options){.model = {.quant = quant}}, pack, &error), error);
    check_batches(pack, NULL, texts, from_pack);
    assert_memory_equal(from_pack, vectors, texts->n * texts->width * sizeof *vectors);
    unlink(pack);
}

static void test_embeddings(void **state)
{
    char path[256];
    float vectors[MAX_TEXTS * MAX_WIDTH];
    const struct encoder_case *encoder = *state;
    struct texts texts;
    read_texts(encoder->folder, &texts);
    spell_path(encoder, path);
    check_batches(path, NULL, &texts, vectors);
    assert_close(vectors, texts.expected, texts.n * texts.width, tolerance);
    check_pack(path, NULL, &texts, vectors);
    arena_release(&texts.arena);
}

/* Weights and activations in 8 bits point where the references point. */
static void test_int8(void **state)
{
    char path[256];
    float vectors[MAX_TEXTS * MAX_WIDTH];
    const struct encoder_case *encoder = *state;
    struct texts texts;
    read_texts(encoder->folder, &texts);
    spell_path(encoder, path);
    check_batches(path, &(hob_model_options){.quant = "int8"}, &texts, vectors);
    for (size_t i = 0; i < texts.n; i++) {
        double product = 0;
        for (size_t j = i * texts.width; j < (i + 1) * texts.width; j++)
            product += (double)vectors[j] * (double)texts.expected[j];
        if (!(product >= 0.99)) fail_msg("text %zu: found a cosine of %g", i, product);
    }
    check_pack(path, "int8", &texts, vectors);
    arena_release(&texts.arena);
}

#define CASE(test, folder, file)                                        \
    {                                                                   \
#test " " folder file, test, NULL, NULL, &(struct encoder_case) \
        {                                                               \
            folder, file                                                \
        }                                                               \
    }
#define ALL_TESTS(folder, file) \
    CASE(test_hidden_states, folder, file), CASE(test_embeddings, folder, file), CASE(test_int8, folder, file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL_TESTS("xlm-roberta", ""),
        ALL_TESTS("xlm-roberta", "/model.gguf"),
        ALL_TESTS("distilbert", ""),
        ALL_TESTS("mpnet", ""),
        ALL_TESTS("nomic-bert", ""),
        ALL_TESTS("nomic-bert", "/model.gguf"),
        ALL_TESTS("jina-bert-v2", ""),
        ALL_TESTS("jina-bert-v2", "/model.gguf"),
        ALL_TESTS("gte", ""),
        ALL_TESTS("modernbert", ""),
        ALL_TESTS("modernbert", "/model.gguf"), ALL_TESTS("qwen2", ""),
        ALL_TESTS("qwen2", "/model.gguf"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
