/* Rotary positions beyond the first context: every scaling that config.json can name against float64 Python written from the
 * papers (tools/make_tiny_decoders.py), and those that depend on the session's length at more than one length. */
#include "models/model_run.h"

#define DATA "tests/data/models/"
static const double tolerance = 2e-6;

/* The tensors of the model "rope" with the config.json of one of its folders. */
static void open_kind(struct model_run *run, const char *kind, int64_t capacity)
{
    char folder[256];
    struct format_content content;
    *run = (struct model_run){.capacity = capacity};
    snprintf(folder, sizeof folder, DATA "rope/%s", kind);
    ASSERT_OK(format_open(DATA "rope", &content, &run->error), run->error);
    ASSERT_OK(model_build(content.tensors, folder, &run->graph, &run->info, &run->error), run->error);
    ASSERT_OK(graph_own(run->graph, content.tensors, model_run_release_file, &run->error), run->error);
    content.tensors = NULL;
    format_content_release(&content);
    model_run_start_graph(run, NULL, true);
}

static const struct tensor *run_whole(struct model_run *run, const char *folder, int64_t n_most)
{
    struct tensor ids = model_run_load(run, folder, "ids");
    return model_run_append(run, ids.data, ids.dims[0] < n_most ? ids.dims[0] : n_most);
}

static void check_logits(struct model_run *run, const char *folder, const char *name, const struct tensor *logits)
{
    struct tensor expected = model_run_load(run, folder, name);
    assert_true(tensor_same_shape(logits, &expected));
    assert_close(logits->data, expected.data, (size_t)tensor_n_items(&expected), tolerance);
}

static void test_kind(void **state)
{
    const char *kind = *state;
    char folder[256];
    struct model_run run;
    open_kind(&run, kind, 64);
    snprintf(folder, sizeof folder, DATA "rope/%s", kind);
    check_logits(&run, folder, "logits", run_whole(&run, DATA "rope", MODEL_RUN_CAPACITY));
    model_run_close(&run);
}

/* A session that goes no further than the first context computes what the model without scaling does, to the byte. */
static void test_dynamic_within_first_context(void **state)
{
    (void)state;
    struct model_run dynamic, plain;
    open_kind(&dynamic, "dynamic", 16);
    open_kind(&plain, "", 16);
    assert_true(model_run_has_input(&dynamic, "capacity"));
    assert_false(model_run_has_input(&plain, "capacity"));
    const struct tensor *found = run_whole(&dynamic, DATA "rope", 14), *expected = run_whole(&plain, DATA "rope", 14);
    assert_memory_equal(found->data, expected->data, tensor_n_bytes(expected));
    model_run_close(&dynamic);
    model_run_close(&plain);
}

static void check_short_factors(const char *path)
{
    struct model_run run;
    model_run_open_exact(&run, path, NULL);
    run.capacity = 8;
    check_logits(&run, DATA "phi3", "short", run_whole(&run, DATA "phi3", 8));
    model_run_close(&run);
}

static void test_longrope_chooses_by_capacity(void **state)
{
    (void)state;
    check_short_factors(DATA "phi3");
    check_short_factors(DATA "phi3/model.gguf");
}

static void test_context_grows(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        int64_t n_context;
    } cases[] = {{"", 32}, {"linear", 32}, {"ntk", 32}, {"dynamic", 64}, {"yarn", 64}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_run run;
        open_kind(&run, cases[i].kind, 64);
        assert_int_equal(run.info.n_context, cases[i].n_context);
        model_run_close(&run);
    }
}

#define KIND(kind)                                                          \
    {                                                                       \
        "test_kind " kind, test_kind, NULL, NULL, (void *)(uintptr_t)(kind) \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIND("linear"),
        KIND("ntk"),
        KIND("dynamic"),
        KIND("yarn"),
        KIND("yarn-betas"),
        KIND("yarn-factor"),
        KIND("yarn-mscale"),
        cmocka_unit_test(test_dynamic_within_first_context),
        cmocka_unit_test(test_longrope_chooses_by_capacity),
        cmocka_unit_test(test_context_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
