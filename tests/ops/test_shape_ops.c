/* Operators on shapes and elements' places: which of them are views, that strides of their inputs change nothing, and what they
 * say about bad indices, shapes and ranges. Their results on plain inputs are test_onnx_cases' business. */
#include "unit.h"

#include "ops/run_op.h"

static int set_up(void **state)
{
    static struct op_bench bench;
    op_bench_init(&bench, 1);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    op_bench_release(*state);
    return 0;
}

/* 0, 1, 2, … */
static struct tensor counting(struct op_bench *bench, int rank, const int64_t *dims)
{
    struct tensor x = random_f32(bench, rank, dims, 1);
    for (int64_t i = 0; i < tensor_n_items(&x); i++) ((float *)x.data)[i] = (float)i;
    return x;
}

#define INTS(bench, ...) ints_i64((bench), sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})
#define DIMS(...) (const int64_t[]){__VA_ARGS__}

static struct attribute ints_attribute(const char *name, size_t n, const int64_t *integers)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_INTS, .n_items = n, .integers = integers};
}

/* ---- views ---- */

static struct tensor run_one(struct op_bench *bench, const char *name, const struct attribute *attribute, const struct tensor *x,
                             const struct tensor *second)
{
    struct tensor y;
    run_op(bench, "", name, 13, attribute, attribute != NULL, (const struct tensor *[]){x, second}, second ? 2 : 1, &y, 1);
    return y;
}

static void assert_views(const struct tensor *y, const struct tensor *x, int rank, const int64_t *dims)
{
    assert_true(y->is_view);
    assert_ptr_equal(y->data, x->data);
    assert_true(tensor_has_shape(y, rank, dims));
}

static void test_reshapes_are_views(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = counting(bench, 3, DIMS(2, 3, 4)), shape = INTS(bench, 0, -1), axes = INTS(bench, 0, -1), y;
    struct tensor wanted = INTS(bench, 5, 2, 3, 4);
    struct attribute perm = ints_attribute("perm", 3, DIMS(2, 0, 1)), axis = int_attribute("axis", -1);
    y = run_one(bench, "Reshape", NULL, &x, &shape);
    assert_views(&y, &x, 2, DIMS(2, 12));
    y = run_one(bench, "Flatten", &axis, &x, NULL);
    assert_views(&y, &x, 2, DIMS(6, 4));
    y = run_one(bench, "Unsqueeze", NULL, &x, &axes);
    assert_views(&y, &x, 5, DIMS(1, 2, 3, 4, 1));
    y = run_one(bench, "Squeeze", NULL, &y, &axes);
    assert_views(&y, &x, 3, DIMS(2, 3, 4));
    y = run_one(bench, "Identity", NULL, &x, NULL);
    assert_views(&y, &x, 3, DIMS(2, 3, 4));
    y = run_one(bench, "Expand", NULL, &x, &wanted);
    assert_views(&y, &x, 4, DIMS(5, 2, 3, 4));
    y = run_one(bench, "Transpose", &perm, &x, NULL);
    assert_views(&y, &x, 3, DIMS(4, 2, 3));
    assert_int_equal(y.strides[0], 1);
}

/* [2,3,4] transposed cannot be flattened by strides alone: the elements are copied in their new order. */
static void test_reshape_copies_when_it_must(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = counting(bench, 2, DIMS(2, 3)), shape = INTS(bench, 6);
    struct tensor turned = tensor_transpose(&x, (int[]){1, 0}), y = run_one(bench, "Reshape", NULL, &turned, &shape);
    assert_false(y.is_view);
    assert_memory_equal(y.data, ((const float[]){0, 3, 1, 4, 2, 5}), 6 * sizeof(float));
}

static void test_shape_looks_at_the_dims(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = {.dtype = DTYPE_F32, .rank = 3, .dims = {7, 8, 9}}; /* no data, as while planning */
    struct tensor y = run_one(bench, "Shape", NULL, &x, NULL);
    assert_true(y.is_view);
    assert_memory_equal(y.data, ((const int64_t[]){7, 8, 9}), 3 * sizeof(int64_t));
    struct tensor index = INTS(bench, -1), dim;
    index.rank = 0;
    dim = run_one(bench, "Gather", NULL, &y, &index);
    assert_true(dim.is_view && dim.rank == 0);
    assert_int_equal(tensor_get_int(&dim, 0), 9);
}

static void test_split_and_slice_are_views(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = counting(bench, 2, DIMS(3, 7)), parts[3];
    struct attribute attributes[] = {int_attribute("axis", 1), int_attribute("num_outputs", 3)};
    run_op(bench, "", "Split", 18, attributes, 2, (const struct tensor *[]){&x}, 1, parts, 3);
    assert_true(tensor_has_shape(&parts[0], 2, DIMS(3, 3)) && tensor_has_shape(&parts[2], 2, DIMS(3, 1)));
    assert_ptr_equal(parts[2].data, (float *)x.data + 6);
    struct tensor starts = INTS(bench, INT64_MAX, -2), ends = INTS(bench, INT64_MIN, INT64_MAX), axes = INTS(bench, 1, 0);
    struct tensor steps = INTS(bench, -3, INT64_MAX), y;
    run_op(bench, "", "Slice", 13, NULL, 0, (const struct tensor *[]){&x, &starts, &ends, &axes, &steps}, 5, &y, 1);
    assert_true(y.is_view);
    struct tensor expected = counting(bench, 2, DIMS(1, 3));
    memcpy(expected.data, (const float[]){13, 10, 7}, 3 * sizeof(float));
    assert_same_bytes(bench, &y, &expected);
}

/* ---- strides change nothing ---- */

static struct tensor contiguous(struct op_bench *bench, const struct tensor *x)
{
    struct tensor copy = *x;
    copy.data = arena_alloc(&bench->arena, tensor_n_bytes(x) + 1, 64);
    tensor_copy_contiguous(x, copy.data);
    tensor_set_contiguous(&copy);
    return copy;
}

struct moving_case {
    const char *name;
    struct attribute attribute;
    struct tensor second, third; /* dtype 0: none */
};

static void check_strided(struct op_bench *bench, const struct moving_case *c)
{
    struct tensor stored = counting(bench, 4, DIMS(4, 5, 2, 3));
    struct tensor x = tensor_transpose(&stored, (int[]){2, 0, 3, 1}), y, expected; /* [2,4,3,5] */
    x = tensor_slice(&x, 3, 4, 5, -1);
    struct tensor plain = contiguous(bench, &x);
    const struct tensor *inputs[] = {&x, &c->second, &c->third};
    int n_inputs = 1 + (c->second.dtype != 0) + (c->third.dtype != 0);
    run_op(bench, "", c->name, 14, &c->attribute, c->attribute.name != NULL, inputs, n_inputs, &y, 1);
    inputs[0] = &plain;
    run_op(bench, "", c->name, 14, &c->attribute, c->attribute.name != NULL, inputs, n_inputs, &expected, 1);
    assert_same_bytes(bench, &y, &expected);
}

static void test_strided_inputs_change_nothing(void **state)
{
    struct op_bench *bench = *state;
    struct tensor ones = INTS(bench, 1, 0, 2, 1), indices = INTS(bench, 1, -1), pads = INTS(bench, 1, 0, 2, -1, 0, 1, 0, 3);
    struct tensor places = ones, updates = counting(bench, 4, DIMS(1, 1, 2, 2)), nd = INTS(bench, 1, 2, 0, -1), axis = INTS(bench, 1);
    struct tensor repeats = INTS(bench, 2, 1, 3, 2), lengths = INTS(bench, 1, 0, 2, 2), rows = counting(bench, 3, DIMS(2, 3, 5));
    places.rank = 4;
    memcpy(places.dims, DIMS(1, 1, 2, 2), 4 * sizeof(int64_t));
    nd.rank = 2;
    memcpy(nd.dims, DIMS(2, 2), 2 * sizeof(int64_t));
    tensor_set_contiguous(&places);
    tensor_set_contiguous(&nd);
    struct attribute reflect = {.name = "mode", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"reflect", 7}};
    struct attribute batch = int_attribute("batch_axis", 1);
    const struct moving_case cases[] = {
        {"Gather", int_attribute("axis", 2), indices, {0}}, {"Gather", int_attribute("axis", 0), indices, {0}},
        {"GatherElements", int_attribute("axis", 1), places, {0}}, {"GatherND", {0}, nd, {0}},
        {"ScatterElements", int_attribute("axis", 2), places, updates}, {"ScatterND", {0}, nd, rows},
        {"Pad", {0}, pads, {0}}, {"Pad", reflect, pads, {0}}, {"Tile", {0}, repeats, {0}}, {"Trilu", {0}, {0}, {0}},
        {"CumSum", {0}, axis, {0}}, {"ReverseSequence", batch, lengths, {0}}, {"Concat", int_attribute("axis", 2), counting(bench, 4, DIMS(2, 4, 1, 5)), {0}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_strided(bench, &cases[i]);
}

/* ---- what is refused ---- */

static void expect(struct op_bench *bench, const char *name, const struct attribute *attribute, int n_inputs,
                   const struct tensor *const *inputs, hob_status status, const char *message)
{
    struct tensor y;
    assert_int_equal(try_op(bench, "", name, 13, attribute, attribute != NULL, inputs, n_inputs, &y, 1), status);
    assert_string_equal(bench->error.message, message);
}

#define INPUTS(...) (int)(sizeof((const struct tensor *[]){__VA_ARGS__}) / sizeof(void *)), (const struct tensor *[]){__VA_ARGS__}

static void test_bad_indices_are_refused(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = counting(bench, 2, DIMS(3, 4)), outside = INTS(bench, 0, 3), one = INTS(bench, 7), nd = INTS(bench, 0, -5);
    struct tensor update = counting(bench, 2, DIMS(1, 1)), place = one;
    place.rank = 2;
    place.dims[1] = 1;
    tensor_set_contiguous(&place);
    expect(bench, "Gather", NULL, INPUTS(&x, &outside), HOB_BAD_ARGUMENT,
           "test (Gather): indices: found 3, expected a value in [-3,2]");
    expect(bench, "GatherND", NULL, INPUTS(&x, &nd), HOB_BAD_ARGUMENT,
           "test (GatherND): indices: found -5, expected a value in [-4,3]");
    expect(bench, "ScatterElements", NULL, INPUTS(&x, &place, &update), HOB_BAD_ARGUMENT,
           "test (ScatterElements): indices: found 7, expected a value in [-3,2]");
}

static void test_bad_shapes_are_refused(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = counting(bench, 2, DIMS(3, 4)), five = INTS(bench, 5, -1), huge = INTS(bench, INT64_MAX, 2, 4);
    struct tensor wide = INTS(bench, INT64_MAX / 2, 3, 4), zero = INTS(bench, 0), axis = INTS(bench, 1), negative = INTS(bench, -2);
    struct attribute perm = ints_attribute("perm", 2, DIMS(0, 0));
    expect(bench, "Reshape", NULL, INPUTS(&x, &five), HOB_BAD_SHAPE,
           "test (Reshape): found shape [3,4], which does not fit the wanted [5,?]");
    expect(bench, "Reshape", NULL, INPUTS(&x, &huge), HOB_BAD_SHAPE,
           "test (Reshape): found shape [3,4], which does not fit the wanted [9223372036854775807,2,4]");
    struct tensor y;
    assert_int_equal(try_op(bench, "", "Expand", 13, NULL, 0, (const struct tensor *[]){&x, &wide}, 2, &y, 1), HOB_BAD_SHAPE);
    assert_int_equal(try_op(bench, "", "ConstantOfShape", 13, NULL, 0, (const struct tensor *[]){&negative}, 1, &y, 1), HOB_BAD_SHAPE);
    expect(bench, "Squeeze", NULL, INPUTS(&x, &axis), HOB_BAD_SHAPE,
           "test (Squeeze): axis 1: found shape [3,4], expected a dim of 1");
    expect(bench, "Slice", NULL, INPUTS(&x, &zero, &axis, &zero, &zero), HOB_BAD_ARGUMENT,
           "test (Slice): steps: found 0, expected another number");
    expect(bench, "Transpose", &perm, INPUTS(&x), HOB_BAD_GRAPH, "test: perm: found 0, expected a permutation of 0 to 1");
}

static void test_bad_ranges_are_refused(void **state)
{
    struct op_bench *bench = *state;
    struct tensor zero = INTS(bench, 0), low = INTS(bench, INT64_MIN), high = INTS(bench, INT64_MAX), one = INTS(bench, 1), y;
    expect(bench, "Range", NULL, INPUTS(&zero, &high, &zero), HOB_BAD_ARGUMENT,
           "test (Range): delta: found 0, expected another number");
    expect(bench, "Range", NULL, INPUTS(&low, &high, &one), HOB_BAD_SHAPE,
           "test (Range): found a range of more than 2^63 numbers");
    run_op(bench, "", "Range", 11, NULL, 0, (const struct tensor *[]){&high, &low, &one}, 3, &y, 1);
    assert_true(tensor_has_shape(&y, 1, DIMS(0)));
    run_op(bench, "", "Range", 11, NULL, 0, (const struct tensor *[]){&low, &high, &high}, 3, &y, 1);
    assert_memory_equal(y.data, ((const int64_t[]){INT64_MIN, -1, INT64_MAX - 1}), 3 * sizeof(int64_t));
}

/* A shape that depends on values not there yet is not an error but not known. */
static void test_values_not_there_yet(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = counting(bench, 2, DIMS(3, 4)), later = INTS(bench, 4, 3), y;
    later.data = NULL;
    assert_int_equal(try_op(bench, "", "Reshape", 13, NULL, 0, (const struct tensor *[]){&x, &later}, 2, &y, 1), HOB_UNKNOWN);
    assert_int_equal(try_op(bench, "", "Tile", 13, NULL, 0, (const struct tensor *[]){&x, &later}, 2, &y, 1), HOB_UNKNOWN);
}

/* ---- reductions of Scatter, with places named twice ---- */

static void test_scatter_reductions(void **state)
{
    struct op_bench *bench = *state;
    static const struct {
        const char *reduction;
        float expected[3];
    } cases[] = {{"none", {7, 1, 5}}, {"add", {12, 1, 7}}, {"mul", {0, 1, 10}}, {"max", {7, 1, 5}}, {"min", {0, 1, 2}}};
    struct tensor x = counting(bench, 1, DIMS(3)), places = INTS(bench, 0, 2, -3), updates = counting(bench, 1, DIMS(3));
    memcpy(updates.data, (const float[]){5, 5, 7}, 3 * sizeof(float));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct attribute reduction = {.name = "reduction", .kind = ATTRIBUTE_STRING, .n_items = 1,
                                      .string = {cases[i].reduction, strlen(cases[i].reduction)}};
        struct tensor y;
        run_op(bench, "", "ScatterElements", 18, &reduction, 1, (const struct tensor *[]){&x, &places, &updates}, 3, &y, 1);
        assert_memory_equal(y.data, cases[i].expected, sizeof cases[i].expected);
    }
}

static void test_pad_modes(void **state)
{
    struct op_bench *bench = *state;
    static const struct {
        const char *mode;
        float expected[9];
    } cases[] = {{"constant", {0, 0, 0, 0, 1, 2, 0, 0, 0}}, {"edge", {0, 0, 0, 0, 1, 2, 2, 2, 2}},
                 {"reflect", {1, 2, 1, 0, 1, 2, 1, 0, 1}},  {"wrap", {0, 1, 2, 0, 1, 2, 0, 1, 2}}};
    struct tensor x = counting(bench, 1, DIMS(3)), pads = INTS(bench, 3, 3), y;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct attribute mode = {.name = "mode", .kind = ATTRIBUTE_STRING, .n_items = 1,
                                 .string = {cases[i].mode, strlen(cases[i].mode)}};
        run_op(bench, "", "Pad", 19, &mode, 1, (const struct tensor *[]){&x, &pads}, 2, &y, 1);
        assert_memory_equal(y.data, cases[i].expected, sizeof cases[i].expected);
    }
}

/* ---- hostile sizes ---- */

/* Other dims of an empty output may be huge: they cost neither time nor memory. */
static void test_rows_of_nothing(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x, y, pads = INTS(bench, 1, 0, 0, 0), ones = INTS(bench, 1, 1);
    assert_int_equal(tensor_init(&x, DTYPE_F32, 2, DIMS(INT64_C(1) << 50, 0), NULL, NULL), HOB_OK);
    run_op(bench, "", "EyeLike", 9, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    run_op(bench, "", "Tile", 13, NULL, 0, (const struct tensor *[]){&x, &ones}, 2, &y, 1);
    run_op(bench, "", "Softmax", 11, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    run_op(bench, "", "Pad", 13, NULL, 0, (const struct tensor *[]){&x, &pads}, 2, &y, 1);
    assert_true(y.dims[0] == (INT64_C(1) << 50) + 1 && y.dims[1] == 0);
}

static void test_sizes_that_overflow(void **state)
{
    struct op_bench *bench = *state;
    const struct attribute zeros = int_attribute("allowzero", 1);
    struct tensor x = counting(bench, 1, DIMS(3)), nothing = counting(bench, 1, DIMS(0)), y;
    struct tensor huge = INTS(bench, 0, INT64_C(1) << 40, INT64_C(1) << 40), pads = INTS(bench, INT64_MIN, INT64_MAX);
    assert_int_equal(try_op(bench, "", "Reshape", 14, &zeros, 1, (const struct tensor *[]){&nothing, &huge}, 2, &y, 1), HOB_BAD_SHAPE);
    assert_int_equal(try_op(bench, "", "Pad", 13, NULL, 0, (const struct tensor *[]){&x, &pads}, 2, &y, 1), HOB_BAD_SHAPE);
}

/* Optional by position, since other opsets have an attribute instead; here they are not there either. */
static void test_missing_inputs_are_refused(void **state)
{
    struct op_bench *bench = *state;
    static const char *const names[] = {"Pad", "TopK", "Reshape", "Unsqueeze"};
    struct tensor x = counting(bench, 1, DIMS(3)), y[2];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool is_pair = !strcmp(names[i], "TopK");
        hob_status status = try_op(bench, "", names[i], 13, NULL, 0, (const struct tensor *[]){&x, NULL}, 2, y, 1 + is_pair);
        if (status != HOB_BAD_GRAPH) print_error("%s\n", names[i]);
        assert_int_equal(status, HOB_BAD_GRAPH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reshapes_are_views),        cmocka_unit_test(test_reshape_copies_when_it_must),
        cmocka_unit_test(test_shape_looks_at_the_dims),   cmocka_unit_test(test_split_and_slice_are_views),
        cmocka_unit_test(test_strided_inputs_change_nothing), cmocka_unit_test(test_bad_indices_are_refused),
        cmocka_unit_test(test_bad_shapes_are_refused),    cmocka_unit_test(test_bad_ranges_are_refused),
        cmocka_unit_test(test_values_not_there_yet),      cmocka_unit_test(test_scatter_reductions),
        cmocka_unit_test(test_pad_modes),                 cmocka_unit_test(test_rows_of_nothing),
        cmocka_unit_test(test_sizes_that_overflow),       cmocka_unit_test(test_missing_inputs_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
