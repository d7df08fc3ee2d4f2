/* Storage and order of graphs: what a reader of a hostile file can do to them. */
#include "unit.h"

#include "base/error.h"
#include "graph/builder.h"
#include "graph/graph.h"
#include "graph/program.h"

#include <stdio.h>
#include <string.h>

static struct graph *new_graph(void)
{
    struct graph *graph;
    assert_int_equal(graph_new(NULL, &graph, NULL), HOB_OK);
    assert_int_equal(graph_add_opset(graph, "", 17, NULL), HOB_OK);
    return graph;
}

static uint32_t named(struct graph *graph, const char *name)
{
    uint32_t value;
    assert_int_equal(graph_value(graph, name, strlen(name), &value, NULL), HOB_OK);
    return value;
}

static hob_status add_node(struct graph *graph, const char *op_type, uint32_t input, uint32_t output, hob_error *error)
{
    struct node_spec spec = {.op_type = op_type, .inputs = &input, .n_inputs = 1, .outputs = &output, .n_outputs = 1, .state = STATE_NONE};
    return graph_add_node(graph, &spec, NULL, error);
}

static void test_values_are_found_by_name(void **state)
{
    (void)state;
    struct graph *graph = new_graph();
    uint32_t x = named(graph, "x");
    assert_int_equal(named(graph, "x"), x);
    assert_int_not_equal(named(graph, "y"), x);
    assert_int_equal(graph_find_value(graph, "x"), x);
    assert_int_equal(graph_find_value(graph, "z"), VALUE_NONE);
    uint32_t anonymous;
    assert_int_equal(graph_value(graph, "", 0, &anonymous, NULL), HOB_OK);
    uint32_t another;
    assert_int_equal(graph_value(graph, "", 0, &another, NULL), HOB_OK);
    assert_int_not_equal(anonymous, another);
    graph_free(graph);
}

static void test_second_producer_is_refused(void **state)
{
    (void)state;
    hob_error error;
    struct graph *graph = new_graph();
    uint32_t x, y = named(graph, "y");
    assert_int_equal(graph_add_input(graph, "x", DTYPE_F32, 0, NULL, NULL, &x, NULL), HOB_OK);
    assert_int_equal(add_node(graph, "Relu", x, y, &error), HOB_OK);
    assert_int_equal(add_node(graph, "Relu", x, y, &error), HOB_BAD_GRAPH);
    assert_non_null(strstr(error.message, "y is already made"));
    assert_int_equal(add_node(graph, "Relu", y, x, &error), HOB_BAD_GRAPH);
    assert_int_equal(graph_add_input(graph, "y", DTYPE_F32, 0, NULL, NULL, &x, &error), HOB_BAD_GRAPH);
    assert_int_equal(graph_add_input(graph, "x", DTYPE_F32, 0, NULL, NULL, &x, &error), HOB_BAD_GRAPH);
    graph_free(graph);
}

/* Refused before anything of the node is in the graph. */
static void test_an_output_that_stands_twice_is_refused(void **state)
{
    (void)state;
    struct graph *graph = new_graph();
    uint32_t x = named(graph, "x"), outputs[] = {named(graph, "y"), VALUE_NONE, named(graph, "y")};
    hob_error error;
    struct node_spec spec = {.name = "cut", .op_type = "Split", .inputs = &x, .n_inputs = 1, .outputs = outputs, .n_outputs = 3, .state = STATE_NONE};
    assert_int_equal(graph_add_node(graph, &spec, NULL, &error), HOB_BAD_GRAPH);
    assert_string_equal(error.message, "cut: output y stands twice");
    assert_int_equal(graph->n_nodes, 0);
    assert_int_equal(add_node(graph, "Relu", x, outputs[0], &error), HOB_OK);
    spec.n_outputs = GRAPH_MAX_NODE_VALUES + 1;
    spec.outputs = NULL;
    assert_int_equal(graph_add_node(graph, &spec, NULL, &error), HOB_LIMIT);
    graph_free(graph);
}

static void test_cycle_names_its_nodes(void **state)
{
    (void)state;
    hob_error error;
    struct graph *graph = new_graph();
    uint32_t a = named(graph, "a"), b = named(graph, "b");
    assert_int_equal(add_node(graph, "Relu", a, b, NULL), HOB_OK);
    assert_int_equal(add_node(graph, "Relu", b, a, NULL), HOB_OK);
    assert_int_equal(graph_add_output(graph, a, NULL), HOB_OK);
    const struct program *program;
    assert_int_equal(program_new(graph, &program, &error), HOB_BAD_GRAPH);
    assert_non_null(strstr(error.message, "cycle"));
    assert_non_null(strstr(error.message, "Relu_0"));
    assert_non_null(strstr(error.message, "Relu_1"));
    graph_free(graph);
}

static void test_value_without_source_is_named(void **state)
{
    (void)state;
    hob_error error;
    struct graph *graph = new_graph();
    uint32_t missing = named(graph, "missing"), y = named(graph, "y");
    assert_int_equal(add_node(graph, "Relu", missing, y, NULL), HOB_OK);
    assert_int_equal(graph_add_output(graph, y, NULL), HOB_OK);
    const struct program *program;
    assert_int_equal(program_new(graph, &program, &error), HOB_BAD_GRAPH);
    assert_non_null(strstr(error.message, "missing"));
    graph_free(graph);

    graph = new_graph();
    assert_int_equal(graph_add_output(graph, named(graph, "nowhere"), NULL), HOB_OK);
    assert_int_equal(program_new(graph, &program, &error), HOB_BAD_GRAPH);
    assert_non_null(strstr(error.message, "nowhere"));
    graph_free(graph);
}

static void test_order_puts_producers_first(void **state)
{
    (void)state;
    enum { N_NODES = 1000 };
    struct graph *graph = new_graph();
    uint32_t values[N_NODES + 1];
    char name[16];
    assert_int_equal(graph_add_input(graph, "v0", DTYPE_F32, 0, NULL, NULL, &values[0], NULL), HOB_OK);
    for (int i = 1; i <= N_NODES; i++) {
        snprintf(name, sizeof name, "v%d", i);
        values[i] = named(graph, name);
    }
    for (int i = N_NODES; i > 0; i--) assert_int_equal(add_node(graph, "Relu", values[i - 1], values[i], NULL), HOB_OK);
    assert_int_equal(graph_add_output(graph, values[N_NODES], NULL), HOB_OK);
    struct arena scratch;
    uint32_t *order, n_nodes;
    arena_init(&scratch, 4096);
    assert_int_equal(graph_sort(graph, &scratch, &order, &n_nodes, NULL), HOB_OK);
    assert_int_equal(n_nodes, N_NODES);
    for (uint32_t i = 0; i < n_nodes; i++) assert_int_equal(order[i], N_NODES - 1 - i);
    arena_release(&scratch);
    graph_free(graph);
}

static void test_unknown_operator_is_named(void **state)
{
    (void)state;
    hob_error error;
    struct graph *graph = new_graph();
    uint32_t x;
    assert_int_equal(graph_add_input(graph, "x", DTYPE_F32, 0, NULL, NULL, &x, NULL), HOB_OK);
    assert_int_equal(add_node(graph, "Frobnicate", x, named(graph, "y"), NULL), HOB_OK);
    assert_int_equal(graph_resolve_ops(graph, &error), HOB_UNSUPPORTED);
    assert_non_null(strstr(error.message, "Frobnicate"));
    assert_non_null(strstr(error.message, "opset 17"));
    graph_free(graph);
}

static void test_wrong_input_count_is_refused(void **state)
{
    (void)state;
    hob_error error;
    struct graph *graph = new_graph();
    uint32_t x;
    assert_int_equal(graph_add_input(graph, "x", DTYPE_F32, 0, NULL, NULL, &x, NULL), HOB_OK);
    assert_int_equal(add_node(graph, "Add", x, named(graph, "y"), NULL), HOB_OK);
    assert_int_equal(graph_resolve_ops(graph, &error), HOB_BAD_GRAPH);
    assert_non_null(strstr(error.message, "found 1 inputs, expected 2"));
    graph_free(graph);
}

static int n_released;
static void count_release(void *object)
{
    assert_int_equal(*(int *)object, n_released++);
}

static void test_owned_objects_are_released_last_first(void **state)
{
    (void)state;
    int second = 0, first = 1;
    n_released = 0;
    struct graph *graph = new_graph();
    assert_int_equal(graph_own(graph, &first, count_release, NULL), HOB_OK);
    assert_int_equal(graph_own(graph, &second, count_release, NULL), HOB_OK);
    graph_free(graph);
    assert_int_equal(n_released, 2);
    graph_free(NULL);
}

static void test_builder_keeps_the_first_failure(void **state)
{
    (void)state;
    hob_error error;
    struct builder builder;
    struct graph *graph = new_graph();
    builder_init(&builder, graph);
    uint32_t x = builder_input(&builder, "x", DTYPE_F32, 0, NULL, NULL);
    builder_fail(&builder, HOB_BAD_SHAPE, "the first, %d", 1);
    builder_fail(&builder, HOB_LIMIT, "the second");
    assert_int_equal(builder_op(&builder, "Relu", &x, 1, NULL, 0), VALUE_NONE);
    assert_int_equal(builder_finish(&builder, &error), HOB_BAD_SHAPE);
    assert_string_equal(error.message, "the first, 1");
    assert_int_equal(graph->n_nodes, 0);
    graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_found_by_name),      cmocka_unit_test(test_second_producer_is_refused),
        cmocka_unit_test(test_an_output_that_stands_twice_is_refused),
        cmocka_unit_test(test_cycle_names_its_nodes),         cmocka_unit_test(test_value_without_source_is_named),
        cmocka_unit_test(test_order_puts_producers_first),    cmocka_unit_test(test_unknown_operator_is_named),
        cmocka_unit_test(test_wrong_input_count_is_refused),  cmocka_unit_test(test_owned_objects_are_released_last_first),
        cmocka_unit_test(test_builder_keeps_the_first_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
