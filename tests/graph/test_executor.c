/* Programs, plans and executors on small graphs: right numbers, dynamic shapes, states, no allocation in steady state. */
#include "unit.h"

#include "base/error.h"
#include "base/memory.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/pass.h"
#include "kernels/kernels.h"
#include "providers/providers.h"

#include <string.h>

struct bench {
    struct graph *graph;
    struct provider provider;
    struct executor *executor;
    struct builder builder;
};

static void start(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    assert_int_equal(graph_new(NULL, &bench->graph, NULL), HOB_OK);
    assert_int_equal(graph_add_opset(bench->graph, "", 17, NULL), HOB_OK);
    builder_init(&bench->builder, bench->graph);
    bench->provider.def = provider_find("cpu");
    assert_int_equal(bench->provider.def->open(&(struct provider_options){.n_threads = 1}, &bench->provider, NULL), HOB_OK);
}

/* disabled: as in pass_options; "all" runs the graph as it was built. */
static void compile(struct bench *bench, const char *disabled, int64_t state_capacity)
{
    hob_error error = {0};
    const struct program *program;
    struct pass_options options = {.kernels = bench->provider.kernels, .disabled = disabled, .is_for_generation = true};
    if (builder_finish(&bench->builder, &error) != HOB_OK || passes_run(bench->graph, &options, NULL, &error) != HOB_OK ||
        program_new(bench->graph, &program, &error) != HOB_OK ||
        executor_new(program, &bench->provider, state_capacity, &bench->executor, &error) != HOB_OK)
        fail_msg("%s", error.message);
}

static void stop(struct bench *bench)
{
    executor_free(bench->executor);
    bench->provider.def->release(&bench->provider);
    graph_free(bench->graph);
}

static struct tensor floats(int rank, const int64_t *dims, float *data)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, rank, dims, data, NULL), HOB_OK);
    return tensor;
}

static void run(struct bench *bench)
{
    hob_error error = {0};
    if (executor_run(bench->executor, NULL, &error) != HOB_OK) fail_msg("%s", error.message);
}

static void expect(const struct bench *bench, uint32_t output, int rank, const int64_t *dims, const float *data)
{
    const struct tensor *tensor = executor_output(bench->executor, output);
    float found[256];
    assert_true(tensor_has_shape(tensor, rank, dims));
    assert_true(tensor_n_items(tensor) <= 256);
    tensor_copy_contiguous(tensor, found);
    for (int64_t i = 0; i < tensor_n_items(tensor); i++) assert_float_equal(found[i], data[i], 1e-6);
}

/* y = transpose(relu(x * w + b)) for x [?,2] */
static void build_affine(struct bench *bench)
{
    static float weight[] = {1, -2, 3, 4, 5, -6}, bias[] = {0.5f, 0, -1};
    struct tensor w = floats(2, (int64_t[]){2, 3}, weight), b = floats(1, (int64_t[]){3}, bias);
    struct builder *builder = &bench->builder;
    uint32_t x = builder_input(builder, "x", DTYPE_F32, 2, (int64_t[]){DIM_UNKNOWN, 2}, NULL);
    uint32_t product = builder_op(builder, "MatMul", (uint32_t[]){x, builder_constant(builder, "w", &w)}, 2, NULL, 0);
    uint32_t sum = builder_op(builder, "Add", (uint32_t[]){product, builder_constant(builder, "b", &b)}, 2, NULL, 0);
    uint32_t relu = builder_op(builder, "Relu", &sum, 1, NULL, 0);
    struct attribute perm = attribute_ints("perm", (int64_t[]){1, 0}, 2);
    builder_output(builder, "y", builder_op(builder, "Transpose", &relu, 1, &perm, 1));
}

static void check_affine(const char *disabled)
{
    struct bench bench;
    start(&bench);
    build_affine(&bench);
    compile(&bench, disabled, 0);
    float one[] = {1, 1}, two[] = {1, 1, -1, 2};
    struct tensor x = floats(2, (int64_t[]){1, 2}, one);
    executor_bind(bench.executor, 0, &x);
    run(&bench);
    expect(&bench, 0, 2, (int64_t[]){3, 1}, (float[]){5.5f, 3, 0});
    x = floats(2, (int64_t[]){2, 2}, two);
    executor_bind(bench.executor, 0, &x);
    run(&bench);
    expect(&bench, 0, 2, (int64_t[]){3, 2}, (float[]){5.5f, 7.5f, 3, 12, 0, 0});
    stop(&bench);
}

static void test_affine_without_passes(void **state)
{
    (void)state;
    check_affine("all");
}

static void test_affine_with_passes(void **state)
{
    (void)state;
    check_affine(NULL);
    check_affine("pack_weights");
}

static void test_wrong_inputs_are_refused(void **state)
{
    (void)state;
    hob_error error;
    struct bench bench;
    start(&bench);
    build_affine(&bench);
    compile(&bench, NULL, 0);
    assert_int_equal(executor_run(bench.executor, NULL, &error), HOB_NOT_FOUND);
    assert_non_null(strstr(error.message, "x: missing, expected"));
    float three[] = {1, 2, 3};
    struct tensor x = floats(2, (int64_t[]){1, 3}, three);
    executor_bind(bench.executor, 0, &x);
    assert_int_equal(executor_run(bench.executor, NULL, &error), HOB_BAD_SHAPE);
    assert_non_null(strstr(error.message, "found [1,3], expected [?,2]"));
    x = floats(1, (int64_t[]){2}, three);
    executor_bind(bench.executor, 0, &x);
    assert_int_equal(executor_run(bench.executor, NULL, &error), HOB_BAD_SHAPE);
    int64_t ints[] = {1, 2};
    assert_int_equal(tensor_init(&x, DTYPE_I64, 2, (int64_t[]){1, 2}, ints, NULL), HOB_OK);
    executor_bind(bench.executor, 0, &x);
    assert_int_equal(executor_run(bench.executor, NULL, &error), HOB_BAD_TYPE);
    assert_non_null(strstr(error.message, "found int64, expected float32"));
    stop(&bench);
}

/* Shape arithmetic that the plan must follow: y = reshape(x, [-1, shape(x)[0]]) */
static void test_shapes_computed_from_shapes(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench);
    struct builder *builder = &bench.builder;
    uint32_t x = builder_input(builder, "x", DTYPE_F32, 2, (int64_t[]){DIM_UNKNOWN, DIM_UNKNOWN}, NULL);
    uint32_t shape = builder_op(builder, "Shape", &x, 1, NULL, 0);
    uint32_t zero = builder_ints(builder, (int64_t[]){0}, 1), minus_one = builder_ints(builder, (int64_t[]){-1}, 1);
    uint32_t rows = builder_op(builder, "Gather", (uint32_t[]){shape, zero}, 2, NULL, 0);
    struct attribute axis = attribute_int("axis", 0);
    uint32_t target = builder_op(builder, "Concat", (uint32_t[]){minus_one, rows}, 2, &axis, 1);
    builder_output(builder, "y", builder_op(builder, "Reshape", (uint32_t[]){x, target}, 2, NULL, 0));
    compile(&bench, NULL, 0);
    float data[] = {1, 2, 3, 4, 5, 6};
    struct tensor bound = floats(2, (int64_t[]){2, 3}, data);
    executor_bind(bench.executor, 0, &bound);
    run(&bench);
    expect(&bench, 0, 2, (int64_t[]){3, 2}, data);
    bound = floats(2, (int64_t[]){1, 4}, data);
    executor_bind(bench.executor, 0, &bound);
    run(&bench);
    expect(&bench, 0, 2, (int64_t[]){4, 1}, data);
    stop(&bench);
}

/* present = Concat(past, new) with its length read, as exporters write it: y = sum over positions, n = length of past. */
static void build_cached(struct bench *bench)
{
    struct builder *builder = &bench->builder;
    int64_t past_dims[] = {1, 2, DIM_UNKNOWN, 2}, new_dims[] = {1, 2, DIM_UNKNOWN, 2};
    uint32_t past = builder_input(builder, "past.0.key", DTYPE_F32, 4, past_dims, NULL);
    uint32_t added = builder_input(builder, "new", DTYPE_F32, 4, new_dims, NULL);
    struct attribute axis = attribute_int("axis", 2);
    uint32_t present = builder_op(builder, "Concat", (uint32_t[]){past, added}, 2, &axis, 1);
    uint32_t shape = builder_op(builder, "Shape", &past, 1, NULL, 0);
    uint32_t two = builder_ints(builder, (int64_t[]){2}, 1);
    uint32_t length = builder_op(builder, "Gather", (uint32_t[]){shape, two}, 2, NULL, 0);
    struct attribute to_float = attribute_int("to", DTYPE_F32), axes = attribute_ints("axes", (int64_t[]){2}, 1);
    builder_output(builder, "n", builder_op(builder, "Cast", &length, 1, &to_float, 1));
    builder_output(builder, "y", builder_op(builder, "ReduceMean", &present, 1, &axes, 1));
    builder_output(builder, "present.0.key", present);
}

static void test_cache_becomes_state(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench);
    build_cached(&bench);
    compile(&bench, NULL, 8);
    assert_int_equal(bench.graph->n_inputs, 1);
    assert_int_equal(bench.graph->n_outputs, 2);
    assert_int_equal(bench.graph->n_states, 1);
    float data[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct tensor added = floats(4, (int64_t[]){1, 2, 2, 2}, data);
    executor_bind(bench.executor, 0, &added);
    run(&bench);
    expect(&bench, 0, 1, (int64_t[]){1}, (float[]){0});
    expect(&bench, 1, 4, (int64_t[]){1, 2, 1, 2}, (float[]){2, 3, 6, 7});
    executor_set_n_used(bench.executor, 2);
    float more[] = {5, 3, 1, 0};
    added = floats(4, (int64_t[]){1, 2, 1, 2}, more);
    executor_bind(bench.executor, 0, &added);
    run(&bench);
    expect(&bench, 0, 1, (int64_t[]){1}, (float[]){2});
    expect(&bench, 1, 4, (int64_t[]){1, 2, 1, 2}, (float[]){3, 3, 13.0f / 3, 14.0f / 3});
    executor_set_n_used(bench.executor, 8);
    hob_error error;
    assert_int_equal(executor_run(bench.executor, NULL, &error), HOB_LIMIT);
    stop(&bench);
}

static void test_steady_state_allocates_nothing(void **state)
{
    (void)state;
    enum { CAPACITY = 64 };
    struct bench bench;
    start(&bench);
    build_cached(&bench);
    compile(&bench, NULL, CAPACITY);
    float data[] = {1, 2, 3, 4};
    struct tensor added = floats(4, (int64_t[]){1, 2, 1, 2}, data);
    executor_bind(bench.executor, 0, &added);
    struct executor_bounds bounds = {&added, CAPACITY - 1};
    executor_set_n_used(bench.executor, 1);
    assert_int_equal(executor_run(bench.executor, &bounds, NULL), HOB_OK);
    uint64_t n_before = memory_n_allocations();
    for (int64_t n_used = 1; n_used < CAPACITY; n_used++) {
        executor_set_n_used(bench.executor, n_used);
        assert_int_equal(executor_run(bench.executor, &bounds, NULL), HOB_OK);
    }
    assert_int_equal(memory_n_allocations(), n_before);
    stop(&bench);
}

static uint32_t n_live_nodes(const struct graph *graph)
{
    uint32_t n_nodes = 0;
    for (uint32_t i = 0; i < graph->n_nodes; i++) n_nodes += !graph->nodes[i].is_removed;
    return n_nodes;
}

static void test_passes_shrink(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench);
    struct builder *builder = &bench.builder;
    uint32_t x = builder_input(builder, "x", DTYPE_F32, 1, (int64_t[]){3}, NULL);
    uint32_t same = builder_op(builder, "Identity", &x, 1, NULL, 0);
    uint32_t two = builder_op(builder, "Add", (uint32_t[]){builder_float(builder, 1), builder_float(builder, 1)}, 2, NULL, 0);
    uint32_t again = builder_op(builder, "Add", (uint32_t[]){builder_float(builder, 1), builder_float(builder, 1)}, 2, NULL, 0);
    uint32_t a = builder_op(builder, "Mul", (uint32_t[]){same, two}, 2, NULL, 0);
    uint32_t b = builder_op(builder, "Mul", (uint32_t[]){x, again}, 2, NULL, 0);
    builder_op(builder, "Sqrt", &x, 1, NULL, 0); /* nobody reads it */
    builder_output(builder, "y", builder_op(builder, "Sub", (uint32_t[]){a, b}, 2, NULL, 0));
    compile(&bench, NULL, 0);
    assert_int_equal(n_live_nodes(bench.graph), 2); /* one Mul, one Sub */
    float data[] = {1, 2, 3};
    struct tensor bound = floats(1, (int64_t[]){3}, data);
    executor_bind(bench.executor, 0, &bound);
    run(&bench);
    expect(&bench, 0, 1, (int64_t[]){3}, (float[]){0, 0, 0});
    stop(&bench);
}

static void test_unknown_pass_is_refused(void **state)
{
    (void)state;
    hob_error error;
    struct bench bench;
    start(&bench);
    struct pass_options options = {.kernels = bench.provider.kernels, .disabled = "fold_constants,fold_nonsense"};
    assert_int_equal(passes_run(bench.graph, &options, NULL, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "fold_nonsense"));
    stop(&bench);
}

/* y = Loop(endless, x): the body says that it goes on, adds v to itself when asked to, and gives v once more to be stacked. */
static uint32_t endless_loop(struct bench *bench, uint32_t x, bool has_node)
{
    struct graph *body;
    uint32_t go, v, w, i;
    assert_int_equal(graph_new(bench->graph, &body, NULL), HOB_OK);
    assert_int_equal(graph_add_input(body, "i", DTYPE_I64, 0, NULL, NULL, &i, NULL), HOB_OK);
    assert_int_equal(graph_add_input(body, "go", DTYPE_BOOL, 0, NULL, NULL, &go, NULL), HOB_OK);
    assert_int_equal(graph_add_input(body, "v", DTYPE_F32, -1, NULL, NULL, &v, NULL), HOB_OK);
    struct node_spec add = {.op_type = "Add", .inputs = (uint32_t[]){v, v}, .n_inputs = 2, .n_outputs = 1, .state = STATE_NONE};
    w = v;
    if (has_node) assert_int_equal(graph_add_node(body, &add, &w, NULL), HOB_OK);
    assert_int_equal(graph_add_output(body, go, NULL), HOB_OK);
    assert_int_equal(graph_add_output(body, w, NULL), HOB_OK);
    assert_int_equal(graph_add_output(body, v, NULL), HOB_OK);
    struct graph **graphs = ARENA_NEW(&bench->graph->arena, struct graph *, 1);
    assert_non_null(graphs);
    *graphs = body;
    struct attribute attribute = {.name = "body", .kind = ATTRIBUTE_GRAPH, .n_items = 1, .graphs = graphs};
    uint32_t outputs[2];
    builder_op_n(&bench->builder, "Loop", (uint32_t[]){VALUE_NONE, VALUE_NONE, x}, 3, &attribute, 1, 2, outputs);
    return outputs[1];
}

static bool is_third_time(void *context)
{
    int *n_asked = context;
    return ++*n_asked >= 3;
}

static hob_status run_guarded(bool has_node, const struct executor_guard *guard, hob_error *error)
{
    struct bench bench;
    float data[] = {1, 2, 3};
    struct tensor bound = floats(1, (int64_t[]){3}, data);
    start(&bench);
    uint32_t x = builder_input(&bench.builder, "x", DTYPE_F32, 1, (int64_t[]){3}, NULL);
    builder_output(&bench.builder, "y", endless_loop(&bench, x, has_node));
    compile(&bench, "all", 0);
    executor_bind(bench.executor, 0, &bound);
    executor_set_guard(bench.executor, guard);
    hob_status status = executor_run(bench.executor, NULL, error);
    stop(&bench);
    return status;
}

static void test_endless_loops_are_stopped(void **state)
{
    (void)state;
    hob_error error;
    for (int has_node = 0; has_node < 2; has_node++) {
        int n_asked = 0;
        struct executor_guard asks = {.is_stopped = is_third_time, .context = &n_asked};
        assert_int_equal(run_guarded(has_node, &asks, &error), HOB_CANCELLED);
        assert_non_null(strstr(error.message, "stopped before"));
        assert_int_equal(n_asked, 3);
        struct executor_guard small = {.max_bytes = 1 << 20};
        assert_int_equal(run_guarded(has_node, &small, &error), HOB_LIMIT);
        assert_non_null(strstr(error.message, "expected at most 1048576"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_affine_without_passes),        cmocka_unit_test(test_affine_with_passes),
        cmocka_unit_test(test_wrong_inputs_are_refused),     cmocka_unit_test(test_shapes_computed_from_shapes),
        cmocka_unit_test(test_cache_becomes_state),          cmocka_unit_test(test_steady_state_allocates_nothing),
        cmocka_unit_test(test_endless_loops_are_stopped),
        cmocka_unit_test(test_passes_shrink),                cmocka_unit_test(test_unknown_pass_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
