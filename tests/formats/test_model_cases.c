/* Models of ours in the layout of ONNX's conformance cases (tests/data/cases, made by tools/make_model_cases.py): functions that a
 * model defines for itself, and sequences and optionals that pass through If, Loop and SequenceMap. Each runs as it is and after all
 * passes, twice over, so that memory of the first run would show in the second. Files named bad_… are refused, each for its reason;
 * damaged ones are refused or read, but nothing else. */
#include "unit.h"

#include "base/mapped_file.h"
#include "base/memory.h"
#include "formats/onnx.h"
#include "graph/executor.h"
#include "graph/pass.h"
#include "ops/onnx_cases.h"
#include "providers/providers.h"

#define CASES "tests/data/cases"

static struct case_list cases;
static struct provider provider;

/* ---- running ---- */

struct run {
    char folder[CASE_PATH_BYTES];
    struct arena arena;
    struct graph *graph;
    struct executor *executor;
    hob_error error;
};

static hob_status run_once(struct run *run)
{
    for (uint32_t i = 0; i < run->graph->n_inputs; i++) {
        struct tensor tensor;
        TRY(case_read(&run->graph->values[run->graph->inputs[i]], run->folder, "input", i, &run->arena, &tensor, &run->error));
        executor_bind(run->executor, i, &tensor);
    }
    TRY(executor_run(run->executor, NULL, &run->error));
    for (uint32_t i = 0; i < run->graph->n_outputs; i++) {
        struct tensor expected;
        TRY(case_read(&run->graph->values[run->graph->outputs[i]], run->folder, "output", i, &run->arena, &expected, &run->error));
        if (!case_is_equal(executor_output(run->executor, i), &expected, &run->arena))
            FAIL(&run->error, HOB_INTERNAL, "output %u differs", i);
    }
    return HOB_OK;
}

static hob_status run_model(struct run *run, const char *path, const char *disabled_passes)
{
    const struct program *program;
    struct pass_options options = {.kernels = provider.kernels, .disabled = disabled_passes};
    TRY(onnx_open(path, &run->graph, &run->error));
    TRY(passes_run(run->graph, &options, NULL, &run->error));
    TRY(program_new(run->graph, &program, &run->error));
    TRY(executor_new(program, &provider, 1, &run->executor, &run->error));
    TRY(run_once(run));
    return run_once(run);
}

static void run_case(const char *name, const char *disabled_passes)
{
    char path[CASE_PATH_BYTES];
    struct run run = {0};
    arena_init(&run.arena, 1 << 16);
    snprintf(path, sizeof path, CASES "/%s/model.onnx", name);
    snprintf(run.folder, sizeof run.folder, CASES "/%s/test_data_set_0", name);
    hob_status status = run_model(&run, path, disabled_passes);
    if (status != HOB_OK) print_error("%s, passes %s: %s\n", name, *disabled_passes ? "off" : "on", run.error.message);
    executor_free(run.executor);
    graph_free(run.graph);
    arena_release(&run.arena);
    assert_int_equal(status, HOB_OK);
}

static void test_cases(void **state)
{
    (void)state;
    assert_true(cases.n_names >= 22);
    for (size_t i = 0; i < cases.n_names; i++) {
        run_case(cases.names[i], "all");
        run_case(cases.names[i], "");
    }
}

/* ---- refusing ---- */

static void refuse(const char *name, hob_status expected, const char *message)
{
    char path[CASE_PATH_BYTES];
    struct graph *graph = NULL;
    hob_error error = {0};
    snprintf(path, sizeof path, CASES "/bad_%s.onnx", name);
    hob_status status = onnx_open(path, &graph, &error);
    const struct program *program;
    if (status == HOB_OK) status = program_new(graph, &program, &error);
    if (status != expected || !strstr(error.message, message)) print_error("%s: %s\n", name, error.message);
    graph_free(graph);
    assert_int_equal(status, expected);
    assert_non_null(strstr(error.message, message));
}

static void test_refuses_bad_functions(void **state)
{
    (void)state;
    refuse("function_calls_itself", HOB_BAD_GRAPH, "function F calls itself");
    refuse("functions_call_each_other", HOB_BAD_GRAPH, "node G: node F: function F calls itself");
    refuse("functions_laugh", HOB_LIMIT, "expand to more than 262144 nodes");
    refuse("functions_laugh_at_nothing", HOB_LIMIT, "expand to more than 262144 nodes");
    refuse("function_twice", HOB_BAD_FILE, "function Scale is defined twice");
    refuse("function_two_inputs_of_a_name", HOB_BAD_GRAPH, "function F: found two inputs of one name");
    refuse("function_too_many_inputs", HOB_BAD_GRAPH, "found 3 inputs, expected at most the function's 2");
    refuse("function_makes_no_output", HOB_BAD_GRAPH, "output y of the graph is made by no node");
    refuse("function_misses_input", HOB_BAD_GRAPH, "(Mul): input 1 is missing");
    refuse("reference_outside", HOB_BAD_FILE, "attribute alpha: refers to a function's attribute outside of a function");
}

/* ---- damage ---- */

static void open_bytes(const unsigned char *bytes, size_t n_bytes)
{
    struct graph *graph = NULL;
    hob_error error = {0};
    unsigned char *copy = memory_new(n_bytes + 1, 1); /* of its own, so that ASan sees a read beyond the end */
    assert_non_null(copy);
    memcpy(copy, bytes, n_bytes);
    if (onnx_parse(copy, n_bytes, "damaged.onnx", &graph, &error) != HOB_OK) assert_true(error.message[0]);
    graph_free(graph);
    memory_free(copy);
}

static void damage(const char *name)
{
    char path[CASE_PATH_BYTES];
    struct mapped_file map;
    snprintf(path, sizeof path, CASES "/%s/model.onnx", name);
    assert_int_equal(mapped_file_open(path, &map, NULL), HOB_OK);
    unsigned char *bytes = memory_new(map.n_bytes, 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < map.n_bytes; i++) {
        memcpy(bytes, map.bytes, map.n_bytes);
        open_bytes(bytes, i);
        bytes[i] ^= (unsigned char)(1u << i % 8);
        open_bytes(bytes, map.n_bytes);
    }
    memory_free(bytes);
    mapped_file_release(&map);
}

static void test_damaged_functions(void **state)
{
    (void)state;
    damage("test_function_attributes");
    damage("test_function_with_subgraph");
    damage("test_function_graph_attribute");
}

static int set_up(void **state)
{
    (void)state;
    case_list_find(&cases, CASES, "");
    case_list_sort(&cases);
    provider.def = provider_find("cpu");
    return provider.def->open(&(struct provider_options){.n_threads = 2}, &provider, NULL) == HOB_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    provider.def->release(&provider);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_refuses_bad_functions),
                                       cmocka_unit_test(test_damaged_functions)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
