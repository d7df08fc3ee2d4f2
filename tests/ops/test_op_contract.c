/* What every float operator that takes strides promises, checked over a table of them: strided inputs give what contiguous ones
 * give, threads change no byte, and f64, f16 and bf16 agree with f32 as far as they can. */
#include "unit.h"

#include "ops/run_op.h"

struct op_case {
    const char *domain, *name;
    int opset, n_inputs, n_outputs;
    int rank; /* of all inputs */
    int64_t dims[3][4];
    struct attribute attributes[2];
    size_t n_attributes;
    bool is_close_when_strided; /* sums in another order when the numbers of a row do not lie together */
    bool is_positive;           /* inputs must be above 0 */
    bool is_f32_only, is_not_f64;
};

#define INT(attribute_name, value)                                                      \
    {                                                                                   \
        .name = attribute_name, .kind = ATTRIBUTE_INT, .n_items = 1, .integer = (value) \
    }
#define FLOAT(attribute_name, value)                                                     \
    {                                                                                    \
        .name = attribute_name, .kind = ATTRIBUTE_FLOAT, .n_items = 1, .number = (value) \
    }
static const int64_t last_axis[] = {-1}, outer_axes[] = {0, 2};
#define INTS(attribute_name, list)                                                                   \
    {                                                                                                \
        .name = attribute_name, .kind = ATTRIBUTE_INTS, .n_items = sizeof(list) / sizeof((list)[0]), \
        .integers = (list)                                                                           \
    }
#define REDUCE(op, axes)                                                                                          \
    {                                                                                                             \
        .name = op, .opset = 11, .n_inputs = 1, .n_outputs = 1, .rank = 4, .dims = {{3, 5, 70, 33}},              \
        .attributes = {INTS("axes", axes)}, .n_attributes = 1, .is_close_when_strided = true, .is_positive = true \
    }

static const struct op_case cases[] = {
    {.name = "MatMul", .opset = 13, .n_inputs = 2, .n_outputs = 1, .rank = 4, .dims = {{2, 3, 40, 33}, {2, 3, 33, 70}}},
    {.name = "MatMul", .opset = 13, .n_inputs = 2, .n_outputs = 1, .rank = 3, .dims = {{5, 13, 21}, {1, 21, 300}}},
    {.name = "MatMul", .opset = 13, .n_inputs = 2, .n_outputs = 1, .rank = 1, .dims = {{37}, {37}}},
    {.domain = "com.microsoft",
     .name = "FusedMatMul",
     .opset = 1,
     .n_inputs = 2,
     .n_outputs = 1,
     .rank = 3,
     .dims = {{4, 21, 13}, {4, 9, 21}},
     .attributes = {INT("transA", 1), INT("transB", 1)},
     .n_attributes = 2},
    {.name = "Gemm",
     .opset = 13,
     .n_inputs = 3,
     .n_outputs = 1,
     .rank = 2,
     .dims = {{13, 40}, {50, 13}, {1, 50}},
     .attributes = {INT("transA", 1), INT("transB", 1)},
     .n_attributes = 2},
    {.name = "Gemm",
     .opset = 13,
     .n_inputs = 3,
     .n_outputs = 1,
     .rank = 2,
     .dims = {{9, 13}, {13, 50}, {9, 1}},
     .attributes = {FLOAT("alpha", 0.5f), FLOAT("beta", 2)},
     .n_attributes = 2},
    REDUCE("ReduceSum", last_axis),
    REDUCE("ReduceSum", outer_axes),
    REDUCE("ReduceMean", last_axis),
    REDUCE("ReduceMean", outer_axes),
    REDUCE("ReduceMax", outer_axes),
    REDUCE("ReduceMin", last_axis),
    REDUCE("ReduceL1", outer_axes),
    REDUCE("ReduceL2", outer_axes),
    REDUCE("ReduceSumSquare", last_axis),
    REDUCE("ReduceLogSum", outer_axes),
    REDUCE("ReduceLogSumExp", outer_axes),
    {.name = "Softmax",
     .opset = 13,
     .n_inputs = 1,
     .n_outputs = 1,
     .rank = 4,
     .dims = {{2, 3, 40, 33}},
     .is_close_when_strided = true},
    {.name = "Softmax",
     .opset = 13,
     .n_inputs = 1,
     .n_outputs = 1,
     .rank = 4,
     .dims = {{2, 3, 40, 133}},
     .attributes = {INT("axis", 1)},
     .n_attributes = 1},
    {.name = "Softmax",
     .opset = 11,
     .n_inputs = 1,
     .n_outputs = 1,
     .rank = 3,
     .dims = {{7, 4, 33}},
     .is_close_when_strided = true},
    {.name = "LogSoftmax",
     .opset = 13,
     .n_inputs = 1,
     .n_outputs = 1,
     .rank = 3,
     .dims = {{7, 4, 33}},
     .is_close_when_strided = true},
    {.name = "Hardmax", .opset = 13, .n_inputs = 1, .n_outputs = 1, .rank = 3, .dims = {{7, 40, 33}}},
    {.name = "LpNormalization", .opset = 1, .n_inputs = 1, .n_outputs = 1, .rank = 3, .dims = {{7, 40, 33}}},
    {.name = "LayerNormalization",
     .opset = 17,
     .n_inputs = 1,
     .n_outputs = 1,
     .rank = 3,
     .dims = {{7, 40, 33}},
     .is_f32_only = true},
    {.name = "TopK",
     .opset = 1,
     .n_inputs = 1,
     .n_outputs = 2,
     .rank = 3,
     .dims = {{7, 150, 33}},
     .attributes = {INT("k", 9), INT("axis", 1)},
     .n_attributes = 2,
     .is_f32_only = true},
    {.domain = "com.microsoft",
     .name = "FastGelu",
     .opset = 1,
     .n_inputs = 1,
     .n_outputs = 1,
     .rank = 3,
     .dims = {{7, 40, 33}},
     .is_not_f64 = true},
    {.domain = "hob",
     .name = "SwiGLU",
     .opset = 1,
     .n_inputs = 2,
     .n_outputs = 1,
     .rank = 3,
     .dims = {{7, 40, 33}, {7, 40, 33}},
     .is_f32_only = true},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

/* In [-1,1), or [0.125,1.125) where the case wants positive numbers. */
static struct tensor input_of(struct op_bench *bench, const struct op_case *c, int i)
{
    struct tensor x = random_f32(bench, c->rank, c->dims[i], (uint64_t)i + 77);
    for (int64_t k = 0; c->is_positive && k < tensor_n_items(&x); k++)
        ((float *)x.data)[k] = (((float *)x.data)[k] + 1.25f) / 2;
    return x;
}

/* The inputs of a case share a rank; LayerNormalization's weight does not. */
static int add_weight(struct op_bench *bench, const struct op_case *c, struct tensor *weight,
                      const struct tensor **inputs)
{
    if (strcmp(c->name, "LayerNormalization")) return c->n_inputs;
    *weight = random_f32(bench, 1, (int64_t[]){c->dims[0][c->rank - 1]}, 5);
    inputs[1] = weight;
    return 2;
}

static void run_case(struct op_bench *bench, const struct op_case *c, struct tensor *xs, struct tensor *ys)
{
    const struct tensor *inputs[4];
    struct tensor weight;
    for (int i = 0; i < c->n_inputs; i++) inputs[i] = &xs[i];
    int n_inputs = add_weight(bench, c, &weight, inputs);
    run_op(bench, c->domain ? c->domain : "", c->name, c->opset, c->attributes, c->n_attributes, inputs, n_inputs, ys,
           c->n_outputs);
}

/* The same numbers with axes in another order in memory, the first of them backwards. */
static struct tensor scattered(struct op_bench *bench, const struct tensor *x)
{
    int order[TENSOR_MAX_RANK];
    for (int axis = 0; axis < x->rank; axis++) order[axis] = x->rank - 1 - axis;
    struct tensor moved = tensor_transpose(x, order), copy = moved;
    moved = tensor_slice(&moved, 0, moved.dims[0] - 1, moved.dims[0], -1);
    copy.data = arena_alloc(&bench->arena, tensor_n_bytes(x) + 1, 64);
    tensor_copy_contiguous(&moved, copy.data);
    tensor_set_contiguous(&copy);
    copy = tensor_slice(&copy, 0, copy.dims[0] - 1, copy.dims[0], -1);
    return tensor_transpose(&copy, order);
}

static void test_strided_inputs(void **state)
{
    (void)state;
    for (size_t n = 0; n < N_CASES; n++) {
        const struct op_case *c = &cases[n];
        if (!(op_find(c->domain, c->name, c->opset)->flags & OP_STRIDED_INPUTS)) continue;
        struct op_bench bench;
        op_bench_init(&bench, 2);
        struct tensor xs[3], moved[3], expected[2], found[2];
        for (int i = 0; i < c->n_inputs; i++) {
            xs[i] = input_of(&bench, c, i);
            moved[i] = scattered(&bench, &xs[i]);
        }
        run_case(&bench, c, xs, expected);
        run_case(&bench, c, moved, found);
        for (int i = 0; i < c->n_outputs; i++)
            if (c->is_close_when_strided) assert_close(&bench, &found[i], &expected[i], 1e-5f, 1e-6f);
            else assert_same_bytes(&bench, &found[i], &expected[i]);
        op_bench_release(&bench);
    }
}

static void test_broadcast_inputs(void **state)
{
    (void)state;
    for (size_t n = 0; n < N_CASES; n++) {
        const struct op_case *c = &cases[n];
        if (c->rank < 3 || !(op_find(c->domain, c->name, c->opset)->flags & OP_STRIDED_INPUTS)) continue;
        struct op_bench bench;
        op_bench_init(&bench, 2);
        struct tensor xs[3], whole[3], expected[2], found[2];
        for (int i = 0; i < c->n_inputs; i++) {
            struct tensor x = input_of(&bench, c, i), one = tensor_slice(&x, 0, 0, 1, 1);
            xs[i] = tensor_broadcast(&one, c->rank, x.dims);
            whole[i] = x;
            whole[i].data = arena_alloc(&bench.arena, tensor_n_bytes(&x), 64);
            tensor_copy_contiguous(&xs[i], whole[i].data);
        }
        run_case(&bench, c, whole, expected);
        run_case(&bench, c, xs, found);
        for (int i = 0; i < c->n_outputs; i++)
            if (c->is_close_when_strided) assert_close(&bench, &found[i], &expected[i], 1e-5f, 1e-6f);
            else assert_same_bytes(&bench, &found[i], &expected[i]);
        op_bench_release(&bench);
    }
}

static void test_threads_change_no_byte(void **state)
{
    (void)state;
    for (size_t n = 0; n < N_CASES; n++) {
        struct op_bench alone, many;
        op_bench_init(&alone, 1);
        op_bench_init(&many, 4);
        struct tensor xs[3], a[2], b[2];
        for (int i = 0; i < cases[n].n_inputs; i++) xs[i] = input_of(&alone, &cases[n], i);
        run_case(&alone, &cases[n], xs, a);
        run_case(&many, &cases[n], xs, b);
        for (int i = 0; i < cases[n].n_outputs; i++) assert_same_bytes(&alone, &a[i], &b[i]);
        op_bench_release(&alone);
        op_bench_release(&many);
    }
}

/* Every kernel table gives the same bytes (kernels/kernels.h), so every operator does. */
static void test_tables_change_no_byte(void **state)
{
    (void)state;
    for (size_t n = 0; n < N_CASES; n++) {
        struct op_bench bench;
        op_bench_init(&bench, 2);
        struct tensor xs[3], a[2], b[2];
        for (int i = 0; i < cases[n].n_inputs; i++) xs[i] = input_of(&bench, &cases[n], i);
        run_case(&bench, &cases[n], xs, a);
        bench.kernels = kernels_by_name("generic");
        run_case(&bench, &cases[n], xs, b);
        for (int i = 0; i < cases[n].n_outputs; i++) assert_same_bytes(&bench, &a[i], &b[i]);
        op_bench_release(&bench);
    }
}

/* ---- types ---- */

static struct tensor cast(struct op_bench *bench, const struct tensor *x, enum dtype dtype)
{
    struct tensor y = *x;
    y.dtype = dtype;
    y.data = arena_alloc(&bench->arena, tensor_n_bytes(&y) + 1, 64);
    int64_t n = tensor_n_items(x);
    if (dtype == DTYPE_F16) bench->kernels->f16_from_f32(n, x->data, y.data);
    else if (dtype == DTYPE_BF16) bench->kernels->bf16_from_f32(n, x->data, y.data);
    else if (dtype == DTYPE_F64)
        for (int64_t i = 0; i < n; i++) ((double *)y.data)[i] = (double)((float *)x->data)[i];
    else memcpy(y.data, x->data, tensor_n_bytes(x));
    return y;
}

static struct tensor uncast(struct op_bench *bench, const struct tensor *x)
{
    struct tensor y = *x;
    y.dtype = DTYPE_F32;
    y.data = arena_alloc(&bench->arena, tensor_n_bytes(&y) + 1, 64);
    int64_t n = tensor_n_items(x);
    if (x->dtype == DTYPE_F16) bench->kernels->f32_from_f16(n, x->data, y.data);
    else if (x->dtype == DTYPE_BF16) bench->kernels->f32_from_bf16(n, x->data, y.data);
    else
        for (int64_t i = 0; i < n; i++) ((float *)y.data)[i] = (float)((double *)x->data)[i];
    return y;
}

static void check_type(enum dtype dtype, float rtol)
{
    for (size_t n = 0; n < N_CASES; n++) {
        const struct op_case *c = &cases[n];
        if (c->is_f32_only || (dtype == DTYPE_F64 && c->is_not_f64)) continue;
        struct op_bench bench;
        op_bench_init(&bench, 2);
        struct tensor xs[3], typed[3], expected[2], found[2];
        for (int i = 0; i < c->n_inputs; i++) {
            struct tensor x = input_of(&bench, c, i);
            typed[i] = cast(&bench, &x, dtype);
            xs[i] = uncast(&bench, &typed[i]);
        }
        run_case(&bench, c, xs, expected);
        run_case(&bench, c, typed, found);
        assert_int_equal(found[0].dtype, dtype);
        struct tensor wide = uncast(&bench, &found[0]);
        assert_close(&bench, &wide, &expected[0], rtol, rtol / 4);
        op_bench_release(&bench);
    }
}

static void test_f64_agrees_with_f32(void **state)
{
    (void)state;
    check_type(DTYPE_F64, 1e-5f);
}

static void test_f16_agrees_with_f32(void **state)
{
    (void)state;
    check_type(DTYPE_F16, 1e-3f);
}

static void test_bf16_agrees_with_f32(void **state)
{
    (void)state;
    check_type(DTYPE_BF16, 8e-3f);
}

/* ---- integers: exact, and wrapping as NumPy does ---- */

static void test_integer_sums_wrap(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    int32_t items[] = {INT32_MAX, 1, 7};
    struct tensor x, y;
    assert_int_equal(tensor_init(&x, DTYPE_I32, 1, (int64_t[]){3}, items, NULL), HOB_OK);
    run_op(&bench, "", "ReduceSum", 13, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_int_equal(*(int32_t *)y.data, INT32_MIN + 7);
    op_bench_release(&bench);
}

static void test_unsigned_extremes(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    uint64_t items[] = {1, UINT64_MAX, 5, 0};
    struct tensor x, y;
    assert_int_equal(tensor_init(&x, DTYPE_U64, 1, (int64_t[]){4}, items, NULL), HOB_OK);
    run_op(&bench, "", "ReduceMax", 13, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_true(*(uint64_t *)y.data == UINT64_MAX);
    run_op(&bench, "", "ReduceMin", 13, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_true(*(uint64_t *)y.data == 0);
    run_op(&bench, "", "ArgMax", 13, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_int_equal(*(int64_t *)y.data, 1);
    op_bench_release(&bench);
}

static void test_top_k_of_equal_numbers_is_in_order(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    float items[] = {0, 1, -0.f, 1, 1, 0, 2, 1};
    struct tensor x, y[2];
    struct attribute k = int_attribute("k", 6);
    assert_int_equal(tensor_init(&x, DTYPE_F32, 1, (int64_t[]){8}, items, NULL), HOB_OK);
    run_op(&bench, "", "TopK", 1, &k, 1, (const struct tensor *[]){&x}, 1, y, 2);
    assert_memory_equal(y[1].data, ((int64_t[]){6, 1, 3, 4, 7, 0}), 6 * sizeof(int64_t));
    op_bench_release(&bench);
}

static void test_shapes_that_do_not_fit_are_named(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor a = random_f32(&bench, 3, (int64_t[]){2, 3, 4}, 1),
                  b = random_f32(&bench, 3, (int64_t[]){5, 4, 6}, 2), y;
    assert_int_equal(try_op(&bench, "", "MatMul", 13, NULL, 0, (const struct tensor *[]){&a, &b}, 2, &y, 1),
                     HOB_BAD_SHAPE);
    assert_string_equal(
        bench.error.message,
        "test (MatMul): found [2,3,4] x [5,4,6], expected [..,M,K] x [..,K,N] with batches that broadcast");
    struct attribute axis = int_attribute("axis", 3);
    assert_int_equal(try_op(&bench, "", "Softmax", 13, &axis, 1, (const struct tensor *[]){&a}, 1, &y, 1),
                     HOB_BAD_SHAPE);
    assert_string_equal(bench.error.message, "test (Softmax): axis: found 3, expected a value in [-3,2]");
    op_bench_release(&bench);
}

/* CastLike alone looks at a mere type; a row that shared its flag's bit would have its second input's shape go unchecked. */
static void test_flags_are_told_apart(void **state)
{
    (void)state;
    size_t n_legacy = 0;
    for (size_t i = 0; i < op_count(); i++) {
        const struct op_def *op = op_at(i);
        assert_int_equal((op->flags & OP_TYPE_INPUT_1) != 0, !strcmp(op->name, "CastLike"));
        n_legacy += (op->flags & OP_LEGACY) != 0;
        if (op->flags & OP_LEGACY) assert_true(op->until);
    }
    assert_true(n_legacy > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strided_inputs),
        cmocka_unit_test(test_broadcast_inputs),
        cmocka_unit_test(test_threads_change_no_byte),
        cmocka_unit_test(test_tables_change_no_byte),
        cmocka_unit_test(test_f64_agrees_with_f32),
        cmocka_unit_test(test_f16_agrees_with_f32),
        cmocka_unit_test(test_bf16_agrees_with_f32),
        cmocka_unit_test(test_integer_sums_wrap),
        cmocka_unit_test(test_unsigned_extremes),
        cmocka_unit_test(test_top_k_of_equal_numbers_is_in_order),
        cmocka_unit_test(test_shapes_that_do_not_fit_are_named),
        cmocka_unit_test(test_flags_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
