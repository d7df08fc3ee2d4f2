/* Operators of ai.onnx.ml: against ONNX Runtime 1.30 on random models (tools/make-ml-goldens.py), and by hand where it does not follow the
 * specification or has nothing to say: TreeEnsemble 5, LabelEncoder 4, models that must be refused. */
#include "unit.h"

#include "ops/onnx_cases.h"
#include "ops/run_op.h"

#include "formats/onnx.h"
#include "graph/executor.h"
#include "graph/pass.h"
#include "providers/providers.h"

#include <math.h>

#define ML "ai.onnx.ml"
#define DIMS(...) ((const int64_t[]){__VA_ARGS__})

/* ---- against ONNX Runtime ---- */

struct golden_run {
    struct provider provider;
    struct graph *graph;
    struct executor *executor;
    struct arena arena;
    hob_error error;
};

static hob_status run_goldens(struct golden_run *run, const char *path)
{
    const struct program *program;
    struct pass_options options = {.kernels = run->provider.kernels, .disabled = "all"};
    TRY(onnx_open(path, &run->graph, &run->error));
    TRY(passes_run(run->graph, &options, NULL, &run->error));
    TRY(program_new(run->graph, &program, &run->error));
    TRY(executor_new(program, &run->provider, 1, &run->executor, &run->error));
    return executor_run(run->executor, NULL, &run->error);
}

static void check_goldens(const char *path, size_t n_threads, uint32_t least_outputs)
{
    struct golden_run run = {0};
    uint32_t n_wrong = 0;
    arena_init(&run.arena, 1 << 16);
    run.provider.def = provider_find("cpu");
    assert_int_equal(
        run.provider.def->open(&(struct provider_options){.n_threads = n_threads}, &run.provider, &run.error), HOB_OK);
    hob_status status = run_goldens(&run, path);
    if (status != HOB_OK) print_error("%s\n", run.error.message);
    assert_int_equal(status, HOB_OK);
    assert_true(run.graph->n_outputs >= least_outputs);
    for (uint32_t i = 0; i < run.graph->n_outputs; i += 2) {
        if (case_is_equal(executor_output(run.executor, i), executor_output(run.executor, i + 1), &run.arena)) continue;
        print_error("%s differs\n", run.graph->values[run.graph->outputs[i]].name);
        n_wrong++;
    }
    executor_free(run.executor);
    graph_free(run.graph);
    arena_release(&run.arena);
    run.provider.def->release(&run.provider);
    assert_int_equal(n_wrong, 0);
}

static void test_equals_onnx_runtime(void **state)
{
    (void)state;
    for (size_t n_threads = 1; n_threads <= 2; n_threads++) {
        check_goldens("tests/data/ops/ml_1.onnx", n_threads, 200);
        check_goldens("tests/data/ops/ml_2.onnx", n_threads, 18);
        check_goldens("tests/data/ops/ml_3.onnx", n_threads, 2);
    }
}

/* ---- attributes and tensors by hand ---- */

static struct tensor flat(enum dtype dtype, int64_t n_items, const void *items)
{
    return (struct tensor){
        .data = (void *)(uintptr_t)items, .dtype = dtype, .rank = 1, .dims = {n_items}, .strides = {1}};
}

#define INTS(attribute_name, ...)                                                                 \
    {                                                                                             \
        .name = attribute_name, .kind = ATTRIBUTE_INTS, .n_items = sizeof(DIMS(__VA_ARGS__)) / 8, \
        .integers = DIMS(__VA_ARGS__)                                                             \
    }
#define TENSOR(attribute_name, pointer)                                                   \
    {                                                                                     \
        .name = attribute_name, .kind = ATTRIBUTE_TENSOR, .n_items = 1, .tensor = pointer \
    }

/* ---- TreeEnsemble 5 ---- */

enum { N_MODES = 7 };

/* Row x feature 0 through one node of each mode with split 1 (or the set 1, 3): 1 when true. */
static void test_tree_modes_and_nan(void **state)
{
    struct op_bench *bench = *state;
    static const double splits[] = {1}, weights[] = {1, 0}, members[] = {3, 1};
    static const double rows[] = {0, 1, 2, 3, (double)NAN};
    static const double expected[N_MODES][5] = {{1, 1, 0, 0, 0}, {1, 0, 0, 0, 0}, {0, 1, 1, 1, 0}, {0, 0, 1, 1, 0},
                                                {0, 1, 0, 0, 0}, {1, 0, 1, 1, 0}, {0, 1, 0, 1, 0}};
    for (uint8_t mode = 0; mode < N_MODES; mode++)
        for (int64_t is_nan_true = 0; is_nan_true < 2; is_nan_true++) {
            struct tensor modes = flat(DTYPE_U8, 1, &mode), split = flat(DTYPE_F64, 1, splits),
                          weight = flat(DTYPE_F64, 2, weights);
            struct tensor member = flat(DTYPE_F64, 2, members), x, y;
            const struct attribute attributes[] = {
                INTS("nodes_featureids", 0),     INTS("nodes_truenodeids", 0),
                INTS("nodes_falsenodeids", 1),   INTS("nodes_trueleafs", 1),
                INTS("nodes_falseleafs", 1),     INTS("nodes_missing_value_tracks_true", is_nan_true),
                INTS("leaf_targetids", 0, 0),    INTS("tree_roots", 0),
                TENSOR("nodes_modes", &modes),   TENSOR("nodes_splits", &split),
                TENSOR("leaf_weights", &weight), TENSOR("membership_values", &member)};
            assert_int_equal(tensor_init(&x, DTYPE_F64, 2, DIMS(5, 1), (void *)(uintptr_t)rows, &bench->error), HOB_OK);
            run_op(bench, ML, "TreeEnsemble", 5, attributes, mode == 6 ? 12 : 11, (const struct tensor *[]){&x}, 1, &y,
                   1);
            const double *found = y.data;
            for (int i = 0; i < 4; i++) assert_true(found[i] == expected[mode][i]);
            assert_true(found[4] == (double)is_nan_true);
        }
}

/* Two trees, one a bare leaf, in float16; every aggregate. */
static void test_tree_aggregates_f16(void **state)
{
    struct op_bench *bench = *state;
    static const uint16_t halves[] = {0x3c00, 0x4000, 0xc200, 0x4400}; /* 1 2 -3 4 */
    static const uint8_t no_modes[] = {0, 0};
    static const uint16_t row[] = {0x3800};                              /* 0.5 goes to the true side, weight 2 */
    static const uint16_t expected[] = {0xb800, 0xbc00, 0xc200, 0x4000}; /* (2-3)/2, 2-3, -3, 2 */
    struct tensor modes = flat(DTYPE_U8, 2, no_modes), splits = flat(DTYPE_F16, 2, halves),
                  weights = flat(DTYPE_F16, 4, halves), x, y;
    for (int64_t aggregate = 0; aggregate < 4; aggregate++) {
        const struct attribute attributes[] = {INTS("nodes_featureids", 0, 0),
                                               INTS("nodes_truenodeids", 1, 2),
                                               INTS("nodes_falsenodeids", 3, 2),
                                               INTS("nodes_trueleafs", 1, 1),
                                               INTS("nodes_falseleafs", 1, 1),
                                               INTS("leaf_targetids", 0, 0, 0, 0),
                                               INTS("tree_roots", 0, 1),
                                               TENSOR("nodes_modes", &modes),
                                               TENSOR("nodes_splits", &splits),
                                               TENSOR("leaf_weights", &weights),
                                               int_attribute("aggregate_function", aggregate)};
        assert_int_equal(tensor_init(&x, DTYPE_F16, 2, DIMS(1, 1), (void *)(uintptr_t)row, &bench->error), HOB_OK);
        run_op(bench, ML, "TreeEnsemble", 5, attributes, 11, (const struct tensor *[]){&x}, 1, &y, 1);
        assert_int_equal(*(const uint16_t *)y.data, expected[aggregate]);
    }
}

/* Children out of range, circles, too few features, modes that are none. */
static void test_bad_trees_are_refused(void **state)
{
    static const struct {
        int64_t when_true, is_true_leaf, when_false, is_false_leaf, root, feature, target;
        uint8_t mode;
        hob_status status;
    } cases[] = {{0, 1, 1, 1, 0, 0, 0, 0, HOB_OK},
                 {2, 1, 1, 1, 0, 0, 0, 0, HOB_BAD_GRAPH},
                 {-1, 1, 1, 1, 0, 0, 0, 0, HOB_BAD_GRAPH},
                 {0, 0, 1, 1, 0, 0, 0, 0, HOB_BAD_GRAPH},
                 {0, 1, 7, 0, 0, 0, 0, 0, HOB_BAD_GRAPH},
                 {0, 1, 1, 1, 1, 0, 0, 0, HOB_BAD_GRAPH},
                 {0, 1, 1, 1, -1, 0, 0, 0, HOB_BAD_GRAPH},
                 {0, 1, 1, 1, 0, -1, 0, 0, HOB_BAD_GRAPH},
                 {0, 1, 1, 1, 0, 5, 0, 0, HOB_BAD_SHAPE},
                 {0, 1, 1, 1, 0, 0, 1, 0, HOB_BAD_GRAPH},
                 {0, 1, 1, 1, 0, 0, 0, 7, HOB_BAD_GRAPH},
                 {0, 1, 1, 1, 0, 0, 0, 6, HOB_BAD_GRAPH},
                 {INT64_MAX, 1, 1, 1, 0, 0, 0, 0, HOB_BAD_GRAPH}};
    struct op_bench *bench = *state;
    static const float numbers[] = {1, 2};
    struct tensor splits = flat(DTYPE_F32, 1, numbers), weights = flat(DTYPE_F32, 2, numbers),
                  x = random_f32(bench, 2, DIMS(3, 2), 1), y;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tensor modes = flat(DTYPE_U8, 1, &cases[i].mode);
        const struct attribute attributes[] = {INTS("nodes_featureids", cases[i].feature),
                                               INTS("nodes_truenodeids", cases[i].when_true),
                                               INTS("nodes_falsenodeids", cases[i].when_false),
                                               INTS("nodes_trueleafs", cases[i].is_true_leaf),
                                               INTS("nodes_falseleafs", cases[i].is_false_leaf),
                                               INTS("leaf_targetids", 0, cases[i].target),
                                               INTS("tree_roots", cases[i].root),
                                               TENSOR("nodes_modes", &modes),
                                               TENSOR("nodes_splits", &splits),
                                               TENSOR("leaf_weights", &weights)};
        hob_status status =
            try_op(bench, ML, "TreeEnsemble", 5, attributes, 10, (const struct tensor *[]){&x}, 1, &y, 1);
        if (status != cases[i].status) print_error("case %zu\n", i);
        assert_int_equal(status, cases[i].status);
    }
}

/* Two classes that both get votes: the larger sum wins. One tree: x <= 0 gives 3 and 1, else 1 and 3. */
static void test_classifier_takes_the_top_class(void **state)
{
    struct op_bench *bench = *state;
    static const float splits[] = {0, 0, 0}, weights[] = {3, 1, 1, 3}, rows[] = {-1, 1};
    static const struct tensor_string modes[] = {{"BRANCH_LEQ", 10}, {"LEAF", 4}, {"LEAF", 4}};
    const struct attribute attributes[] = {
        INTS("nodes_treeids", 0, 0, 0),
        INTS("nodes_nodeids", 0, 1, 2),
        INTS("nodes_featureids", 0, 0, 0),
        INTS("nodes_truenodeids", 1, 0, 0),
        INTS("nodes_falsenodeids", 2, 0, 0),
        INTS("class_treeids", 0, 0, 0, 0),
        INTS("class_nodeids", 1, 1, 2, 2),
        INTS("class_ids", 0, 1, 0, 1),
        INTS("classlabels_int64s", 10, 20),
        {.name = "nodes_values", .kind = ATTRIBUTE_FLOATS, .n_items = 3, .numbers = splits},
        {.name = "class_weights", .kind = ATTRIBUTE_FLOATS, .n_items = 4, .numbers = weights},
        {.name = "nodes_modes", .kind = ATTRIBUTE_STRINGS, .n_items = 3, .strings = modes}};
    struct tensor x, outputs[2];
    assert_int_equal(tensor_init(&x, DTYPE_F32, 2, DIMS(2, 1), (void *)(uintptr_t)rows, &bench->error), HOB_OK);
    run_op(bench, ML, "TreeEnsembleClassifier", 3, attributes, 12, (const struct tensor *[]){&x}, 1, outputs, 2);
    assert_memory_equal(outputs[0].data, DIMS(10, 20), 16);
    assert_memory_equal(outputs[1].data, weights, sizeof weights);
}

/* ---- LabelEncoder ---- */

static void test_label_encoder_tensors(void **state)
{
    struct op_bench *bench = *state;
    static const double keys[] = {1, (double)NAN, 0, 1}, inputs[] = {1, -0.0, (double)NAN, 9};
    static const int16_t values[] = {5, 6, 7, 8}, fallback[] = {-2}, expected[] = {8, 7, 6, -2};
    struct tensor key = flat(DTYPE_F64, 4, keys), value = flat(DTYPE_I16, 4, values),
                  other = flat(DTYPE_I16, 1, fallback);
    struct tensor x = flat(DTYPE_F64, 4, inputs), narrow = flat(DTYPE_F32, 1, inputs), y;
    const struct attribute attributes[] = {TENSOR("keys_tensor", &key), TENSOR("values_tensor", &value),
                                           TENSOR("default_tensor", &other)};
    run_op(bench, ML, "LabelEncoder", 4, attributes, 3, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_int_equal(y.dtype, DTYPE_I16);
    assert_memory_equal(y.data, expected, sizeof expected);
    assert_int_equal(try_op(bench, ML, "LabelEncoder", 4, attributes, 3, (const struct tensor *[]){&narrow}, 1, &y, 1),
                     HOB_BAD_TYPE);
    assert_int_equal(try_op(bench, ML, "LabelEncoder", 4, attributes + 1, 2, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_GRAPH);
    value.dims[0] = 3;
    assert_int_equal(try_op(bench, ML, "LabelEncoder", 4, attributes, 3, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_GRAPH);
}

/* ---- refused ---- */

static void test_maps_are_unsupported(void **state)
{
    static const char *const names[] = {"CastMap", "DictVectorizer", "ZipMap"};
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 2, DIMS(2, 2), 1), y;
    for (int i = 0; i < 3; i++)
        assert_int_equal(try_op(bench, ML, names[i], 1, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1),
                         HOB_UNSUPPORTED);
}

static void test_unknown_categories(void **state)
{
    struct op_bench *bench = *state;
    const struct attribute attributes[] = {INTS("cats_int64s", 1, 2), int_attribute("zeros", 0)};
    struct tensor x = ints_i64(bench, 2, DIMS(1, 3)), y;
    assert_int_equal(try_op(bench, ML, "OneHotEncoder", 1, attributes, 2, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_ARGUMENT);
    assert_int_equal(try_op(bench, ML, "OneHotEncoder", 1, attributes, 0, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_GRAPH);
}

static void test_widths_are_checked(void **state)
{
    struct op_bench *bench = *state;
    static const float three[] = {1, 2, 3};
    const struct attribute coefficients = {
        .name = "coefficients", .kind = ATTRIBUTE_FLOATS, .n_items = 3, .numbers = three};
    struct tensor x = random_f32(bench, 2, DIMS(2, 2), 1), cube = random_f32(bench, 3, DIMS(2, 2, 1), 1), y;
    assert_int_equal(try_op(bench, ML, "LinearRegressor", 1, &coefficients, 1, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_SHAPE);
    assert_int_equal(
        try_op(bench, ML, "LinearRegressor", 1, &coefficients, 1, (const struct tensor *[]){&cube}, 1, &y, 1),
        HOB_BAD_SHAPE);
    assert_int_equal(try_op(bench, ML, "LinearRegressor", 1, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_GRAPH);
    assert_int_equal(try_op(bench, ML, "SVMClassifier", 1, &coefficients, 1, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_GRAPH);
}

static int setup(void **state)
{
    static struct op_bench bench;
    op_bench_init(&bench, 2);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    op_bench_release(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_onnx_runtime),
                                       cmocka_unit_test(test_tree_modes_and_nan),
                                       cmocka_unit_test(test_tree_aggregates_f16),
                                       cmocka_unit_test(test_bad_trees_are_refused),
                                       cmocka_unit_test(test_classifier_takes_the_top_class),
                                       cmocka_unit_test(test_label_encoder_tensors),
                                       cmocka_unit_test(test_maps_are_unsupported),
                                       cmocka_unit_test(test_unknown_categories),
                                       cmocka_unit_test(test_widths_are_checked)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
