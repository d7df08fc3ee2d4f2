/* A whole model of com.microsoft operators (EmbedLayerNormalization, Attention with past, SkipLayerNormalization, FastGelu)
 * against ONNX Runtime's logits (tests/data/ops/ort_gpt2_*.npy, made by tools/make-ort-goldens.mjs): a prompt with left padding,
 * then a step on the past that the first run gave. */
#include "unit.h"

#include "formats/onnx.h"
#include "graph/executor.h"
#include "graph/pass.h"
#include "ops/run_op.h"
#include "providers/providers.h"

#include <sys/stat.h>

#define MODEL "../shared/models/tiny-random-gpt2/model.onnx"
enum { BATCH = 2, HEADS = 4, WIDTH = 8, LAYERS = 5, INPUTS = 3 + LAYERS };

struct model {
    struct op_bench bench;
    struct provider provider;
    struct graph *graph;
    struct executor *executor;
};

static void open_model(struct model *model, const char *disabled_passes)
{
    const struct program *program;
    hob_error *error = &model->bench.error;
    *model = (struct model){0};
    op_bench_init(&model->bench, 1);
    model->provider.def = provider_find("cpu");
    assert_int_equal(model->provider.def->open(&(struct provider_options){.n_threads = 2}, &model->provider, error),
                     HOB_OK);
    assert_int_equal(onnx_open(MODEL, &model->graph, error), HOB_OK);
    struct pass_options options = {.kernels = model->provider.kernels, .disabled = disabled_passes};
    assert_int_equal(passes_run(model->graph, &options, NULL, error), HOB_OK);
    assert_int_equal(program_new(model->graph, &program, error), HOB_OK);
    assert_int_equal(executor_new(program, &model->provider, 1, &model->executor, error), HOB_OK);
}

static void close_model(struct model *model)
{
    executor_free(model->executor);
    graph_free(model->graph);
    model->provider.def->release(&model->provider);
    op_bench_release(&model->bench);
}

static void bind_ints(struct model *model, uint32_t i, int64_t n_columns, int32_t *items)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, DTYPE_I32, 2, (int64_t[]){BATCH, n_columns}, items, NULL), HOB_OK);
    executor_bind(model->executor, i, &tensor);
}

static void run_step(struct model *model, const char *expected_name, struct tensor *presents)
{
    hob_status status = executor_run(model->executor, NULL, &model->bench.error);
    if (status != HOB_OK) print_error("%s\n", model->bench.error.message);
    assert_int_equal(status, HOB_OK);
    struct tensor expected = golden(&model->bench, expected_name);
    assert_close(&model->bench, executor_output(model->executor, 0), &expected, 1e-4f, 1e-5f);
    for (uint32_t i = 0; i < LAYERS; i++) {
        presents[i] = *executor_output(model->executor, i + 1);
        void *copy = arena_alloc(&model->bench.arena, tensor_n_bytes(&presents[i]), 64);
        tensor_copy_contiguous(&presents[i], copy);
        presents[i].data = copy;
        tensor_set_contiguous(&presents[i]);
    }
}

static void check_model(const char *disabled_passes)
{
    struct model model;
    struct tensor pasts[LAYERS];
    struct stat info;
    if (stat(MODEL, &info)) skip();
    open_model(&model, disabled_passes);
    assert_int_equal(model.graph->n_inputs, INPUTS);
    bind_ints(&model, 0, 4, (int32_t[]){98, 98, 7, 512, 3, 999, 41, 200});
    bind_ints(&model, 1, 4, (int32_t[]){0, 0, 0, 1, 0, 1, 2, 3});
    bind_ints(&model, 2, 4, (int32_t[]){0, 0, 1, 1, 1, 1, 1, 1});
    for (uint32_t i = 0; i < LAYERS; i++) {
        assert_int_equal(tensor_init(&pasts[i], DTYPE_F32, 5, (int64_t[]){2, BATCH, HEADS, 0, WIDTH}, "", NULL),
                         HOB_OK);
        executor_bind(model.executor, i + 3, &pasts[i]);
    }
    run_step(&model, "ort_gpt2_prompt", pasts);
    bind_ints(&model, 0, 1, (int32_t[]){5, 640});
    bind_ints(&model, 1, 1, (int32_t[]){2, 4});
    bind_ints(&model, 2, 5, (int32_t[]){0, 0, 1, 1, 1, 1, 1, 1, 1, 1});
    for (uint32_t i = 0; i < LAYERS; i++) executor_bind(model.executor, i + 3, &pasts[i]);
    run_step(&model, "ort_gpt2_next", pasts);
    close_model(&model);
}

static void test_as_it_is(void **state)
{
    (void)state;
    check_model("all");
}

static void test_after_all_passes(void **state)
{
    (void)state;
    check_model("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_it_is), cmocka_unit_test(test_after_all_passes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
