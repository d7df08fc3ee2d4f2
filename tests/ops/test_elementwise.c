/* Element-wise operators: any strides and any broadcast give the bytes that contiguous operands of the full shape give, for
 * every type; and the corners of the arithmetic (NaN, infinities, wrap-around, zero divisors, saturation) by literal cases. */
#include "unit.h"

#include "ops/run_op.h"

#include <math.h>

static int set_up(void **state)
{
    static struct op_bench bench;
    op_bench_init(&bench, 2);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    op_bench_release(*state);
    return 0;
}

/* ---- any strides, any broadcast ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Contiguous; small numbers, none of them 0, so that every operator takes them. */
static struct tensor random_numbers(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims, uint64_t *seed)
{
    struct tensor x, y;
    struct attribute to = int_attribute("to", dtype);
    assert_int_equal(tensor_init(&x, DTYPE_F64, rank, dims, NULL, &bench->error), HOB_OK);
    double *items = x.data = arena_alloc(&bench->arena, tensor_n_bytes(&x) + 1, 64);
    for (int64_t i = 0; i < tensor_n_items(&x); i++) items[i] = (double)(1 + next_random(seed) % 7);
    run_op(bench, "", "Cast", 13, &to, 1, (const struct tensor *[]){&x}, 1, &y, 1);
    return y;
}

static struct tensor contiguous(struct op_bench *bench, const struct tensor *x)
{
    struct tensor copy = *x;
    copy.data = arena_alloc(&bench->arena, tensor_n_bytes(x) + 1, 64);
    tensor_copy_contiguous(x, copy.data);
    tensor_set_contiguous(&copy);
    return copy;
}

/* An operand that broadcasts to dims: some dims are 1 or missing, axes are stored in another order, one may run backwards. */
static struct tensor random_operand(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims, uint64_t *seed)
{
    int n_missing = (int)(next_random(seed) % 3);
    int own_rank = n_missing < rank ? rank - n_missing : rank, order[TENSOR_MAX_RANK], inverse[TENSOR_MAX_RANK];
    int64_t own_dims[TENSOR_MAX_RANK], stored[TENSOR_MAX_RANK];
    for (int d = 0; d < own_rank; d++) {
        own_dims[d] = next_random(seed) % 3 ? dims[rank - own_rank + d] : 1;
        order[d] = d;
    }
    for (int d = own_rank - 1; d > 0; d--) {
        int other = (int)(next_random(seed) % (uint64_t)(d + 1)), kept = order[d];
        order[d] = order[other];
        order[other] = kept;
    }
    for (int d = 0; d < own_rank; d++) {
        stored[d] = own_dims[order[d]];
        inverse[order[d]] = d;
    }
    struct tensor x = random_numbers(bench, dtype, own_rank, stored, seed);
    x = tensor_transpose(&x, inverse);
    if (next_random(seed) % 2) x = tensor_slice(&x, 0, x.dims[0] - 1, x.dims[0], -1);
    return x;
}

static void check_binary(struct op_bench *bench, const char *name, enum dtype dtype, uint64_t *seed)
{
    const int64_t dims[] = {3, 1 + (int64_t)(next_random(seed) % 3), 5, 37};
    struct attribute left = {.name = "direction", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"LEFT", 4}};
    bool is_shift = !strcmp(name, "BitShift");
    struct tensor a = random_operand(bench, dtype, 4, dims, seed), b = random_operand(bench, dtype, 4, dims, seed);
    struct tensor found, expected;
    run_op(bench, "", name, 18, &left, is_shift, (const struct tensor *[]){&a, &b}, 2, &found, 1);
    struct tensor wide_a = tensor_broadcast(&a, found.rank, found.dims), wide_b = tensor_broadcast(&b, found.rank, found.dims);
    wide_a = contiguous(bench, &wide_a);
    wide_b = contiguous(bench, &wide_b);
    run_op(bench, "", name, 18, &left, is_shift, (const struct tensor *[]){&wide_a, &wide_b}, 2, &expected, 1);
    assert_int_equal(found.dtype, expected.dtype);
    assert_same_bytes(bench, &found, &expected);
}

static void test_broadcast_and_strides_change_nothing(void **state)
{
    static const enum dtype all[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16, DTYPE_I8, DTYPE_I16,
                                     DTYPE_I32, DTYPE_I64, DTYPE_U8, DTYPE_U16, DTYPE_U32, DTYPE_U64, DTYPE_BOOL};
    static const struct {
        const char *name;
        size_t first, end; /* of all */
    } cases[] = {{"Add", 0, 12},     {"Sub", 0, 12},   {"Mul", 0, 12},           {"Div", 0, 12},         {"Max", 0, 12},
                 {"Min", 0, 12},     {"Sum", 0, 4},    {"Mean", 0, 4},           {"Pow", 0, 12},         {"Mod", 0, 12},
                 {"Equal", 0, 13},   {"Greater", 0, 12}, {"GreaterOrEqual", 0, 12}, {"Less", 0, 12},     {"LessOrEqual", 0, 12},
                 {"And", 12, 13},    {"Or", 12, 13},   {"Xor", 12, 13},          {"BitwiseAnd", 4, 12},  {"BitwiseOr", 4, 12},
                 {"BitwiseXor", 4, 12}, {"BitShift", 8, 12}};
    struct op_bench *bench = *state;
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t t = cases[i].first; t < cases[i].end; t++)
            for (int round = 0; round < 6; round++) {
                check_binary(bench, cases[i].name, all[t], &seed);
                arena_clear(&bench->arena);
            }
}

static void test_unary_strides_change_nothing(void **state)
{
    static const char *const names[] = {"Abs",  "Neg",  "Sign",     "Ceil",    "Exp",     "Log",      "Erf",  "Tanh", "Sigmoid",
                                        "Relu", "Gelu", "Softplus", "Softsign", "LeakyRelu", "Reciprocal", "Sqrt", "Mish", "Clip"};
    struct op_bench *bench = *state;
    uint64_t seed = 2;
    const int64_t dims[] = {3, 300, 5};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (int is_half = 0; is_half < 2; is_half++) {
            struct tensor x = random_numbers(bench, is_half ? DTYPE_F16 : DTYPE_F32, 3, dims, &seed), found, expected;
            struct tensor turned = tensor_transpose(&x, (int[]){2, 0, 1}), copy = contiguous(bench, &turned);
            run_op(bench, "", names[i], 20, NULL, 0, (const struct tensor *[]){&turned}, 1, &found, 1);
            run_op(bench, "", names[i], 20, NULL, 0, (const struct tensor *[]){&copy}, 1, &expected, 1);
            assert_same_bytes(bench, &found, &expected);
        }
        arena_clear(&bench->arena);
    }
}

/* Enough elements for several threads' ranges, which cut rows in the middle. */
static void test_threads_change_nothing(void **state)
{
    struct op_bench *bench = *state;
    uint64_t seed = 3;
    const int64_t dims[] = {301, 257}, row[] = {257};
    struct tensor x = random_numbers(bench, DTYPE_F16, 2, dims, &seed), bias = random_numbers(bench, DTYPE_F16, 1, row, &seed);
    struct tensor found, expected;
    struct thread_pool *pool = bench->pool;
    run_op(bench, "", "Div", 13, NULL, 0, (const struct tensor *[]){&x, &bias}, 2, &found, 1);
    bench->pool = NULL;
    run_op(bench, "", "Div", 13, NULL, 0, (const struct tensor *[]){&x, &bias}, 2, &expected, 1);
    bench->pool = pool;
    assert_same_bytes(bench, &found, &expected);
}

static void test_shapes_that_do_not_broadcast(void **state)
{
    struct op_bench *bench = *state;
    uint64_t seed = 4;
    struct tensor a = random_numbers(bench, DTYPE_F32, 2, (const int64_t[]){2, 3}, &seed);
    struct tensor b = random_numbers(bench, DTYPE_F32, 2, (const int64_t[]){3, 3}, &seed), y;
    assert_int_equal(try_op(bench, "", "Add", 13, NULL, 0, (const struct tensor *[]){&a, &b}, 2, &y, 1), HOB_BAD_SHAPE);
    assert_string_equal(bench->error.message, "test (Add): input 1: found shape [3,3], which does not broadcast with [2,3]");
    b = random_numbers(bench, DTYPE_I64, 2, (const int64_t[]){2, 3}, &seed);
    assert_int_equal(try_op(bench, "", "Add", 13, NULL, 0, (const struct tensor *[]){&a, &b}, 2, &y, 1), HOB_BAD_TYPE);
    assert_int_equal(try_op(bench, "", "Max", 13, NULL, 0, (const struct tensor *[]){&a, NULL, &a}, 3, &y, 1), HOB_BAD_GRAPH);
    assert_string_equal(bench->error.message, "test (Max): input 1 is missing");
}

static void test_empty_operands(void **state)
{
    struct op_bench *bench = *state;
    uint64_t seed = 5;
    struct tensor a = random_numbers(bench, DTYPE_F32, 2, (const int64_t[]){0, 3}, &seed);
    struct tensor b = random_numbers(bench, DTYPE_F32, 2, (const int64_t[]){1, 3}, &seed), y;
    run_op(bench, "", "Mul", 13, NULL, 0, (const struct tensor *[]){&a, &b}, 2, &y, 1);
    assert_true(tensor_has_shape(&y, 2, (const int64_t[]){0, 3}));
}

/* ---- corners ---- */

static struct tensor vector(enum dtype dtype, int64_t n, const void *items)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, dtype, 1, &n, (void *)(uintptr_t)items, NULL), HOB_OK);
    return x;
}

#define VECTOR(NAME, type, ...) vector(DTYPE_##NAME, sizeof((type[]){__VA_ARGS__}) / sizeof(type), (type[]){__VA_ARGS__})

static void check_op(struct op_bench *bench, const char *name, const struct tensor *a, const struct tensor *b,
                     struct tensor expected)
{
    struct tensor y;
    run_op(bench, "", name, 18, NULL, 0, (const struct tensor *[]){a, b}, b ? 2 : 1, &y, 1);
    assert_int_equal(y.dtype, expected.dtype);
    assert_same_bytes(bench, &y, &expected);
}

static void test_integers_wrap_around(void **state)
{
    struct tensor a = VECTOR(I8, int8_t, 127, -128, 100), b = VECTOR(I8, int8_t, 1, -1, 100);
    struct tensor sum = VECTOR(I8, int8_t, -128, 127, -56), product = VECTOR(I8, int8_t, 127, -128, 16);
    struct tensor quotient = VECTOR(I8, int8_t, 127, -128, 1);
    check_op(*state, "Add", &a, &b, sum);
    check_op(*state, "Mul", &a, &b, product);
    check_op(*state, "Div", &a, &b, quotient);
    struct tensor low = VECTOR(I64, int64_t, INT64_MIN, INT64_MIN, -7, 7), by = VECTOR(I64, int64_t, -1, 1, 2, -2);
    struct tensor divided = VECTOR(I64, int64_t, INT64_MIN, INT64_MIN, -3, -3), same = VECTOR(I64, int64_t, INT64_MIN, INT64_MIN, 7, 7);
    struct tensor rest = VECTOR(I64, int64_t, 0, 0, 1, -1);
    check_op(*state, "Div", &low, &by, divided);
    check_op(*state, "Mod", &low, &by, rest);
    check_op(*state, "Abs", &low, NULL, same);
    struct tensor wide = VECTOR(U16, uint16_t, 65535), square = VECTOR(U16, uint16_t, 1);
    check_op(*state, "Mul", &wide, &wide, square);
}

static void test_zero_divisors_fail(void **state)
{
    struct op_bench *bench = *state;
    struct tensor a = VECTOR(I32, int32_t, 1, 2), b = VECTOR(I32, int32_t, 1, 0), y;
    assert_int_equal(try_op(bench, "", "Div", 14, NULL, 0, (const struct tensor *[]){&a, &b}, 2, &y, 1), HOB_BAD_ARGUMENT);
    assert_string_equal(bench->error.message, "test (Div): input 1: found 0, expected no integer division by zero");
    assert_int_equal(try_op(bench, "", "Mod", 13, NULL, 0, (const struct tensor *[]){&a, &b}, 2, &y, 1), HOB_BAD_ARGUMENT);
}

static void assert_floats(const struct tensor *y, const float *expected)
{
    const float *found = y->data;
    for (int64_t i = 0; i < y->dims[0]; i++) {
        if (isnan(expected[i])) assert_true(isnan(found[i]));
        else assert_memory_equal(&found[i], &expected[i], sizeof(float)); /* the sign of 0 too */
    }
}

static void test_nan_and_infinity(void **state)
{
    struct op_bench *bench = *state;
    struct tensor a = VECTOR(F32, float, NAN, 1, INFINITY, -0.0f), b = VECTOR(F32, float, 1, NAN, -INFINITY, 2), y;
    const struct tensor *inputs[] = {&a, &b};
    run_op(bench, "", "Max", 13, NULL, 0, inputs, 2, &y, 1);
    assert_floats(&y, (const float[]){NAN, NAN, INFINITY, 2});
    run_op(bench, "", "Min", 13, NULL, 0, inputs, 2, &y, 1);
    assert_floats(&y, (const float[]){NAN, NAN, -INFINITY, -0.0f});
    run_op(bench, "", "Relu", 14, NULL, 0, inputs, 1, &y, 1);
    assert_floats(&y, (const float[]){NAN, 1, INFINITY, -0.0f});
    run_op(bench, "", "Sign", 13, NULL, 0, inputs, 1, &y, 1);
    assert_floats(&y, (const float[]){NAN, 1, 1, -0.0f});
    struct tensor big = VECTOR(F32, float, 1000, -1000, INFINITY, NAN);
    run_op(bench, "", "Softplus", 1, NULL, 0, (const struct tensor *[]){&big}, 1, &y, 1);
    assert_floats(&y, (const float[]){1000, 0, INFINITY, NAN});
    run_op(bench, "", "Sigmoid", 13, NULL, 0, (const struct tensor *[]){&big}, 1, &y, 1);
    assert_floats(&y, (const float[]){1, 0, 1, NAN});
    struct tensor is_less, no = VECTOR(BOOL, uint8_t, 0, 0, 0, 1);
    run_op(bench, "", "Less", 13, NULL, 0, inputs, 2, &is_less, 1);
    assert_same_bytes(bench, &is_less, &no);
}

static void test_celu_keeps_nan(void **state)
{
    struct op_bench *bench = *state;
    static const float items[] = {NAN, 3, -INFINITY, -0.0f};
    struct attribute alpha = float_attribute("alpha", 2);
    struct tensor x, y;
    assert_int_equal(tensor_init(&x, DTYPE_F32, 1, (const int64_t[]){4}, (void *)(uintptr_t)items, NULL), HOB_OK);
    run_op(bench, "", "Celu", 12, &alpha, 1, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_floats(&y, (const float[]){NAN, 3, -2, -0.0f});
}

static void test_clip_corners(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = VECTOR(F32, float, -5, NAN, 5), low = VECTOR(F32, float, 2), high = VECTOR(F32, float, 1), y;
    run_op(bench, "", "Clip", 13, NULL, 0, (const struct tensor *[]){&x, &low, &high}, 3, &y, 1);
    assert_floats(&y, (const float[]){1, NAN, 1});
    run_op(bench, "", "Clip", 13, NULL, 0, (const struct tensor *[]){&x, NULL, &high}, 3, &y, 1);
    assert_floats(&y, (const float[]){-5, NAN, 1});
    struct attribute limits[] = {float_attribute("min", -1), float_attribute("max", 3)};
    run_op(bench, "", "Clip", 6, limits, 2, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_floats(&y, (const float[]){-1, NAN, 3});
}

static void test_shift_by_the_width_gives_zero(void **state)
{
    struct op_bench *bench = *state;
    struct attribute right = {.name = "direction", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"RIGHT", 5}};
    struct tensor x = VECTOR(U32, uint32_t, 0x80000000u, 8, 8), by = VECTOR(U32, uint32_t, 31, 32, 4000000000u), y;
    struct tensor expected = VECTOR(U32, uint32_t, 1, 0, 0);
    run_op(bench, "", "BitShift", 11, &right, 1, (const struct tensor *[]){&x, &by}, 2, &y, 1);
    assert_same_bytes(bench, &y, &expected);
}

static void check_cast(struct op_bench *bench, const struct tensor *x, struct tensor expected)
{
    struct tensor y;
    struct attribute to = int_attribute("to", expected.dtype);
    run_op(bench, "", "Cast", 13, &to, 1, (const struct tensor *[]){x}, 1, &y, 1);
    assert_int_equal(y.dtype, expected.dtype);
    assert_same_bytes(bench, &y, &expected);
}

static void test_casts(void **state)
{
    struct tensor x = VECTOR(F32, float, 2.9f, -2.9f, 1e20f, -1e20f, NAN, 0.5f, -0.0f);
    check_cast(*state, &x, VECTOR(I32, int32_t, 2, -2, INT32_MAX, INT32_MIN, 0, 0, 0));
    check_cast(*state, &x, VECTOR(I64, int64_t, 2, -2, INT64_MAX, INT64_MIN, 0, 0, 0));
    check_cast(*state, &x, VECTOR(U8, uint8_t, 2, 0, 255, 0, 0, 0, 0));
    check_cast(*state, &x, VECTOR(BOOL, uint8_t, 1, 1, 1, 1, 1, 1, 0));
    struct tensor wide = VECTOR(I32, int32_t, 200, -1, 65536, 70000);
    check_cast(*state, &wide, VECTOR(I8, int8_t, -56, -1, 0, 112));
    check_cast(*state, &wide, VECTOR(U16, uint16_t, 200, 65535, 0, 4464));
    check_cast(*state, &wide, VECTOR(F16, uint16_t, 0x5a40, 0xbc00, 0x7c00, 0x7c00));
    struct tensor flags = VECTOR(BOOL, uint8_t, 1, 0);
    check_cast(*state, &flags, VECTOR(F64, double, 1, 0));
    /* Halfway between two f16 but for a part that f32 cannot hold: rounded once, not twice. */
    struct tensor near = VECTOR(F64, double, 1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-11 - 0x1p-40, 1 + 0x1p-11);
    check_cast(*state, &near, VECTOR(F16, uint16_t, 0x3c01, 0x3c00, 0x3c00));
}

static void test_strings_become_numbers(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = VECTOR(STRING, struct tensor_string, {"3.5", 3}, {"-1e2", 4}, {"INF", 3});
    check_cast(bench, &x, VECTOR(F32, float, 3.5f, -100, INFINITY));
    struct tensor bad = VECTOR(STRING, struct tensor_string, {"three", 5}), y;
    struct attribute to = int_attribute("to", DTYPE_F32);
    assert_int_equal(try_op(bench, "", "Cast", 13, &to, 1, (const struct tensor *[]){&bad}, 1, &y, 1), HOB_BAD_ARGUMENT);
    assert_string_equal(bench->error.message, "test (Cast): element 0: found \"three\", expected a number");
}

static void test_powers(void **state)
{
    struct tensor base = VECTOR(I32, int32_t, -2, 3, 0, 1, 10), exponent = VECTOR(I64, int64_t, 31, -1, 0, -5, 9);
    check_op(*state, "Pow", &base, &exponent, VECTOR(I32, int32_t, INT32_MIN, 0, 1, 1, 1000000000));
    struct tensor x = VECTOR(F32, float, -3, 0.5f, -INFINITY, -0.0f), half = VECTOR(F32, float, 0.5f), y;
    struct tensor two = VECTOR(I32, int32_t, 2);
    check_op(*state, "Pow", &x, &two, VECTOR(F32, float, 9, 0.25f, INFINITY, 0));
    run_op(*state, "", "Pow", 15, NULL, 0, (const struct tensor *[]){&x, &half}, 2, &y, 1);
    assert_floats(&y, (const float[]){NAN, 0.70710677f, INFINITY, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broadcast_and_strides_change_nothing),
        cmocka_unit_test(test_unary_strides_change_nothing),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_shapes_that_do_not_broadcast),
        cmocka_unit_test(test_empty_operands),
        cmocka_unit_test(test_integers_wrap_around),
        cmocka_unit_test(test_zero_divisors_fail),
        cmocka_unit_test(test_nan_and_infinity),
        cmocka_unit_test(test_celu_keeps_nan),
        cmocka_unit_test(test_clip_corners),
        cmocka_unit_test(test_shift_by_the_width_gives_zero),
        cmocka_unit_test(test_casts),
        cmocka_unit_test(test_strings_become_numbers),
        cmocka_unit_test(test_powers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
