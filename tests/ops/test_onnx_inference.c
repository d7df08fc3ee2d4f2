/* Shapes before anything runs: each conformance case loses its declared outputs, and what is inferred from its inputs alone is
 * compared with what ONNX's own inference tells (tests/data/onnx_inferred.txt, made by tools/make-inferred-shapes.py).
 *
 * HOB_NODE_CASES=resize looks at the cases with that in their name and prints each difference. */
#include "unit.h"

#include "formats/onnx.h"
#include "graph/plan.h"
#include "kernels/kernels.h"
#include "ops/onnx_cases.h"

#define INFERRED "tests/data/onnx_inferred.txt"

/* A line of the list. */
struct expected {
    char name[CASE_NAME_BYTES], shape[TENSOR_SHAPE_TEXT_BYTES + 32];
    uint32_t output;
};

/* What members of a sequence are like is only known when they are there. */
static const char *const sequence_models[] = {"simple/test_sequence_model2", "simple/test_sequence_model3",
                                              "simple/test_sequence_model6", "simple/test_sequence_model7",
                                              "simple/test_sequence_model8"};

static bool is_left_out(const char *name)
{
    for (size_t i = 0; i < sizeof sequence_models / sizeof *sequence_models; i++)
        if (!strcmp(sequence_models[i], name)) return true;
    return false;
}

struct tally {
    size_t n_right, n_unsupported, n_wrong;
};

/* Only what goes in keeps its declaration. */
static void drop_declarations(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n_values; i++) {
        struct value *value = &graph->values[i];
        if (value->is_input || value->constant) continue;
        value->is_declared = false;
        value->dtype = DTYPE_NONE;
        value->rank = -1;
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) drop_declarations(graph->subgraphs[s]);
}

static bool is_known(const struct value *declared)
{
    bool is_known = declared->dtype != DTYPE_NONE && declared->rank >= 0;
    for (int d = 0; is_known && d < declared->rank; d++) is_known = declared->dims[d] != DIM_UNKNOWN;
    return is_known;
}

static hob_status declared_inputs(const struct graph *graph, struct arena *arena, struct tensor **ret_inputs,
                                  hob_error *error)
{
    struct tensor *inputs = ARENA_NEW(arena, struct tensor, graph->n_inputs);
    assert_non_null(inputs);
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        const struct value *declared = &graph->values[graph->inputs[i]];
        if (!is_known(declared)) continue;
        TRY(tensor_init(&inputs[i], declared->dtype, declared->rank, declared->dims, NULL, error));
    }
    *ret_inputs = inputs;
    return HOB_OK;
}

static hob_status infer(struct graph *graph, struct arena *arena, const struct tensor **ret_shapes, hob_error *error)
{
    const struct program *program;
    struct tensor *inputs;
    drop_declarations(graph);
    TRY(program_new(graph, &program, error));
    TRY(declared_inputs(graph, arena, &inputs, error));
    return plan_infer_shapes(program, kernels_select(), inputs, 0, arena, ret_shapes, error);
}

/* ret_text: "float32[2,3]", or "unknown". */
static hob_status infer_output(const struct expected *expected, char *ret_text, size_t n_text_bytes, hob_error *error)
{
    char path[CASE_PATH_BYTES], dims[TENSOR_SHAPE_TEXT_BYTES];
    struct graph *graph;
    const struct tensor *shapes;
    struct arena arena;
    snprintf(path, sizeof path, ONNX_CASES_ROOT "/%s/model.onnx", expected->name);
    TRY(onnx_open(path, &graph, error));
    arena_init(&arena, 1 << 14);
    hob_status status = infer(graph, &arena, &shapes, error);
    if (status == HOB_OK) {
        const struct tensor *y = &shapes[graph->outputs[expected->output]];
        bool is_known = y->dtype != DTYPE_NONE;
        snprintf(ret_text, n_text_bytes, "%s%s", is_known ? dtype_name(y->dtype) : "unknown",
                 is_known ? tensor_shape_text(y->rank, y->dims, dims) : "");
    }
    arena_release(&arena);
    graph_free(graph);
    return status;
}

static void check(const struct expected *expected, struct tally *tally)
{
    char text[TENSOR_SHAPE_TEXT_BYTES + 32] = "";
    hob_error error;
    hob_status status = infer_output(expected, text, sizeof text, &error);
    if (status == HOB_OK && !strcmp(text, expected->shape)) {
        tally->n_right++;
    } else if (status == HOB_UNSUPPORTED) {
        tally->n_unsupported++;
    } else {
        tally->n_wrong++;
        print_error("%s: output %u: found %s, expected %s\n", expected->name, expected->output,
                    status == HOB_OK ? text : error.message, expected->shape);
    }
}

static void test_inference(void **state)
{
    (void)state;
    const char *wanted = getenv("HOB_NODE_CASES");
    struct tally tally = {0};
    struct expected expected;
    DIR *folder = opendir(ONNX_CASES_ROOT);
    FILE *list = fopen(INFERRED, "r");
    assert_non_null(list);
    if (!folder) {
        fclose(list);
        skip();
    }
    closedir(folder);
    while (fscanf(list, "%255s %u %223s", expected.name, &expected.output, expected.shape) == 3)
        if (!is_left_out(expected.name) && (!wanted || strstr(expected.name, wanted))) check(&expected, &tally);
    fclose(list);
    print_message("shape inference: %zu right, %zu wrong, %zu of an operator that is not implemented\n", tally.n_right,
                  tally.n_wrong, tally.n_unsupported);
    assert_true(wanted || tally.n_right + tally.n_unsupported + tally.n_wrong > 900);
    assert_int_equal(tally.n_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_inference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
