/* Operators on the types that ONNX's own cases leave out: every type that a row of math, shape or reduce lists is taken, and what comes out
 * of small floats, narrow integers, strings and complex numbers is right. */
#include "unit.h"

#include "ops/run_op.h"

#include <math.h>

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})

static struct tensor over(enum dtype dtype, int rank, const int64_t *dims, const void *items)
{
    struct tensor x;
    hob_error error;
    assert_int_equal(tensor_init(&x, dtype, rank, dims, (void *)(uintptr_t)items, &error), HOB_OK);
    return x;
}

static struct tensor vector(enum dtype dtype, int64_t n_items, const void *items)
{
    return over(dtype, 1, &n_items, items);
}

/* ---- what a row lists, it takes ---- */

/* Ones of any type: bytes that are 1 in integers, small numbers in floats, and strings. */
static struct tensor some_of(struct op_bench *bench, enum dtype dtype)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, dtype, 2, DIMS(2, 3), NULL, &bench->error), HOB_OK);
    x.data = arena_new(&bench->arena, 1, tensor_n_bytes(&x) + 1, 64);
    static const struct tensor_string text = {"a", 1};
    for (int64_t i = 0; i < 6; i++) {
        char *item = (char *)x.data + (size_t)i * dtype_block_bytes(dtype);
        if (dtype == DTYPE_STRING) memcpy(item, &text, sizeof text);
        else *item = 1;
    }
    return x;
}

static void check_listed_types(struct op_bench *bench, const char *name, int opset, int n_inputs)
{
    const struct op_def *op = op_find("", name, opset);
    assert_non_null(op);
    if (!op->types) print_error("%s lists no types\n", name);
    assert_true(op->types);
    for (enum dtype dtype = DTYPE_F32; dtype <= DTYPE_I2; dtype++) {
        if (!op_types_have(op->types, dtype)) continue;
        struct tensor x = some_of(bench, dtype), y;
        const struct attribute left = {
            .name = "direction", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"LEFT", 4}};
        hob_status status =
            try_op(bench, "", name, opset, &left, 1, (const struct tensor *[]){&x, &x, &x}, n_inputs, &y, 1);
        if (status != HOB_OK) print_error("%s of %s: %s\n", name, dtype_name(dtype), bench->error.message);
        assert_int_equal(status, HOB_OK);
    }
    arena_clear(&bench->arena);
}

static void test_listed_types_are_taken(void **state)
{
    static const char *const unary[] = {"Abs",
                                        "Acos",
                                        "Acosh",
                                        "Asin",
                                        "Asinh",
                                        "Atan",
                                        "Atanh",
                                        "BitwiseNot",
                                        "Ceil",
                                        "Celu",
                                        "Clip",
                                        "Cos",
                                        "Cosh",
                                        "Elu",
                                        "Erf",
                                        "Exp",
                                        "Floor",
                                        "Gelu",
                                        "HardSigmoid",
                                        "HardSwish",
                                        "IsInf",
                                        "IsNaN",
                                        "LeakyRelu",
                                        "Log",
                                        "Mish",
                                        "Neg",
                                        "Not",
                                        "Reciprocal",
                                        "Relu",
                                        "Round",
                                        "Selu",
                                        "Shrink",
                                        "Sigmoid",
                                        "Sign",
                                        "Sin",
                                        "Sinh",
                                        "Softplus",
                                        "Softsign",
                                        "Sqrt",
                                        "Swish",
                                        "Tan",
                                        "Tanh",
                                        "ThresholdedRelu",
                                        "ArgMax",
                                        "ArgMin",
                                        "Flatten",
                                        "NonZero",
                                        "ReduceL1",
                                        "ReduceL2",
                                        "ReduceLogSum",
                                        "ReduceLogSumExp",
                                        "ReduceMax",
                                        "ReduceMean",
                                        "ReduceMin",
                                        "ReduceProd",
                                        "ReduceSum",
                                        "ReduceSumSquare",
                                        "Shape",
                                        "Size",
                                        "Split",
                                        "Transpose",
                                        "Trilu",
                                        "Unique",
                                        "EyeLike",
                                        "Softmax",
                                        "LogSoftmax",
                                        "Hardmax"};
    static const char *const binary[] = {"Add",        "And",         "BitShift", "BitwiseAnd", "BitwiseOr",
                                         "BitwiseXor", "Div",         "Equal",    "Greater",    "GreaterOrEqual",
                                         "Less",       "LessOrEqual", "Max",      "Mean",       "Min",
                                         "Mod",        "Mul",         "Or",       "PRelu",      "Pow",
                                         "Sub",        "Sum",         "Xor"};
    struct op_bench *bench = *state;
    for (size_t i = 0; i < sizeof unary / sizeof unary[0]; i++) check_listed_types(bench, unary[i], 24, 1);
    for (size_t i = 0; i < sizeof binary / sizeof binary[0]; i++) check_listed_types(bench, binary[i], 24, 2);
}

/* Whatever moves elements: the second input says where. */
static void test_moving_takes_every_type(void **state)
{
    struct op_bench *bench = *state;
    struct tensor indices = over(DTYPE_I64, 2, DIMS(1, 1), DIMS(1)), shape = vector(DTYPE_I64, 2, DIMS(3, 2)),
                  pads = vector(DTYPE_I64, 4, DIMS(1, -1, 0, 2));
    struct tensor twice = vector(DTYPE_I64, 2, DIMS(2, 1)), wide = vector(DTYPE_I64, 3, DIMS(2, 2, 3)),
                  one = vector(DTYPE_I64, 1, DIMS(1));
    const struct {
        const char *name;
        const struct tensor *second;
    } cases[] = {{"Gather", &indices},   {"GatherElements", &indices},
                 {"GatherND", &indices}, {"Reshape", &shape},
                 {"Pad", &pads},         {"Tile", &twice},
                 {"Expand", &wide},      {"Unsqueeze", &one}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (enum dtype dtype = DTYPE_F32; dtype <= DTYPE_I2; dtype++) {
            struct tensor x = some_of(bench, dtype), y;
            run_op(bench, "", cases[i].name, 24, NULL, 0, (const struct tensor *[]){&x, cases[i].second}, 2, &y, 1);
            assert_int_equal(y.dtype, dtype);
        }
}

/* ---- numbers by hand ---- */

static void check_items(struct op_bench *bench, const char *name, int opset, const struct attribute *attributes,
                        size_t n_attributes, const struct tensor *const *inputs, int n_inputs, const void *expected,
                        size_t n_bytes)
{
    struct tensor y;
    run_op(bench, "", name, opset, attributes, n_attributes, inputs, n_inputs, &y, 1);
    void *packed = arena_alloc(&bench->arena, tensor_n_bytes(&y) + 1, 64);
    tensor_copy_contiguous(&y, packed);
    assert_int_equal(tensor_n_bytes(&y), n_bytes);
    if (memcmp(packed, expected, n_bytes)) print_error("%s differs\n", name);
    assert_memory_equal(packed, expected, n_bytes);
}
#define CHECK(bench, name, opset, attributes, n_attributes, inputs, n_inputs, expected) \
    check_items(bench, name, opset, attributes, n_attributes, inputs, n_inputs, expected, sizeof(expected))
#define INPUTS(...) ((const struct tensor *[]){__VA_ARGS__})

static void test_small_floats(void **state)
{
    struct op_bench *bench = *state;
    static const uint8_t bits[] = {0x7f, 0xff, 0x7c, 0xfc, 0x80, 0x7d, 0x00};
    static const struct {
        enum dtype dtype;
        uint8_t is_nan[7], is_inf[7], is_positive_inf[7];
    } cases[] = {{DTYPE_F8E4M3FN, {1, 1}, {0}, {0}},
                 {DTYPE_F8E4M3FNUZ, {0, 0, 0, 0, 1}, {0}, {0}},
                 {DTYPE_F8E5M2, {1, 1, 0, 0, 0, 1}, {0, 0, 1, 1}, {0, 0, 1}},
                 {DTYPE_F8E5M2FNUZ, {0, 0, 0, 0, 1}, {0}, {0}}};
    const struct attribute positive = int_attribute("detect_negative", 0);
    for (size_t i = 0; i < 4; i++) {
        struct tensor x = vector(cases[i].dtype, 7, bits);
        CHECK(bench, "IsNaN", 20, NULL, 0, INPUTS(&x), 1, cases[i].is_nan);
        CHECK(bench, "IsInf", 20, NULL, 0, INPUTS(&x), 1, cases[i].is_inf);
        CHECK(bench, "IsInf", 20, &positive, 1, INPUTS(&x), 1, cases[i].is_positive_inf);
    }
}

static void test_bit_cast_of_four_bits(void **state)
{
    struct op_bench *bench = *state;
    static const int8_t narrow[] = {-1, 7, -8};
    static const uint8_t unsigned_bits[] = {15, 7, 8};
    struct tensor x = vector(DTYPE_I4, 3, narrow), u = vector(DTYPE_U4, 3, unsigned_bits), y;
    const struct attribute to_u4 = int_attribute("to", DTYPE_U4), to_i4 = int_attribute("to", DTYPE_I4),
                           to_u8 = int_attribute("to", DTYPE_U8);
    CHECK(bench, "BitCast", 26, &to_u4, 1, INPUTS(&x), 1, unsigned_bits);
    CHECK(bench, "BitCast", 26, &to_i4, 1, INPUTS(&u), 1, narrow);
    assert_int_equal(try_op(bench, "", "BitCast", 26, &to_u8, 1, INPUTS(&x), 1, &y, 1), HOB_BAD_TYPE);
    const struct attribute to_string = int_attribute("to", DTYPE_STRING);
    assert_int_equal(try_op(bench, "", "BitCast", 26, &to_string, 1, INPUTS(&x), 1, &y, 1), HOB_BAD_GRAPH);
}

static void test_shrink_of_integers(void **state)
{
    struct op_bench *bench = *state;
    static const int8_t x8[] = {-3, -1, 0, 1, 3}, y8[] = {-1, 0, 0, 0, 1};
    static const uint64_t x64[] = {0, UINT64_MAX}, y64[] = {0, UINT64_MAX - 2};
    const struct attribute attributes[] = {float_attribute("bias", 2), float_attribute("lambd", 1.5f)};
    struct tensor x = vector(DTYPE_I8, 5, x8), u = vector(DTYPE_U64, 2, x64);
    CHECK(bench, "Shrink", 9, attributes, 2, INPUTS(&x), 1, y8);
    CHECK(bench, "Shrink", 9, attributes, 2, INPUTS(&u), 1, y64);
}

/* The lowest number of the type for Max, the highest for Min. */
static void test_reductions_of_nothing(void **state)
{
    static const int8_t low_i8 = INT8_MIN, high_i8 = INT8_MAX;
    static const int16_t low_i16 = INT16_MIN, high_i16 = INT16_MAX;
    static const int32_t low_i32 = INT32_MIN, high_i32 = INT32_MAX;
    static const int64_t low_i64 = INT64_MIN, high_i64 = INT64_MAX;
    static const uint32_t high_u32 = UINT32_MAX;
    static const uint64_t zero = 0, high_u64 = UINT64_MAX;
    static const uint8_t yes = 1, high_u8 = UINT8_MAX;
    static const float minus = -INFINITY, plus = INFINITY;
    const struct {
        enum dtype dtype;
        const void *max, *min;
    } cases[] = {{DTYPE_I8, &low_i8, &high_i8},    {DTYPE_I16, &low_i16, &high_i16}, {DTYPE_I32, &low_i32, &high_i32},
                 {DTYPE_I64, &low_i64, &high_i64}, {DTYPE_U8, &zero, &high_u8},      {DTYPE_U32, &zero, &high_u32},
                 {DTYPE_U64, &zero, &high_u64},    {DTYPE_BOOL, &zero, &yes},        {DTYPE_F32, &minus, &plus}};
    struct op_bench *bench = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tensor x = over(cases[i].dtype, 2, DIMS(0, 1), NULL);
        size_t n_bytes = dtype_block_bytes(cases[i].dtype);
        check_items(bench, "ReduceMax", 20, NULL, 0, INPUTS(&x), 1, cases[i].max, n_bytes);
        check_items(bench, "ReduceMin", 20, NULL, 0, INPUTS(&x), 1, cases[i].min, n_bytes);
    }
}

static void test_cum_prod(void **state)
{
    struct op_bench *bench = *state;
    static const int32_t x32[] = {2, 3, -4}, forward[] = {2, 6, -24}, backward[] = {-12, -4, 1};
    static const uint16_t x16[] = {0x4000, 0x3800, 0x4400}, y16[] = {0x4000, 0x3c00, 0x4400}; /* 2 0.5 4; 2 1 4 */
    const struct attribute attributes[] = {int_attribute("reverse", 1), int_attribute("exclusive", 1)};
    struct tensor x = vector(DTYPE_I32, 3, x32), half = vector(DTYPE_F16, 3, x16),
                  axis = over(DTYPE_I64, 0, NULL, DIMS(-1));
    CHECK(bench, "CumProd", 26, NULL, 0, INPUTS(&x, &axis), 2, forward);
    CHECK(bench, "CumProd", 26, attributes, 2, INPUTS(&x, &axis), 2, backward);
    CHECK(bench, "CumProd", 26, NULL, 0, INPUTS(&half, &axis), 2, y16);
}

static void test_strings_and_complex(void **state)
{
    struct op_bench *bench = *state;
    static const struct tensor_string texts[] = {{"b", 1}, {NULL, 0}, {"a", 1}};
    static const float complex[] = {0, 0, 0, 2, 1, 0, 0, 2};
    static const float unique[] = {0, 0, 0, 2, 1, 0};
    struct tensor strings = vector(DTYPE_STRING, 3, texts), numbers = vector(DTYPE_C64, 4, complex);
    CHECK(bench, "NonZero", 13, NULL, 0, INPUTS(&strings), 1, ((const int64_t[]){0, 2}));
    CHECK(bench, "NonZero", 13, NULL, 0, INPUTS(&numbers), 1, ((const int64_t[]){1, 2, 3}));
    CHECK(bench, "Unique", 11, NULL, 0, INPUTS(&numbers), 1, unique);
    static const uint8_t condition[] = {1, 0, 1};
    struct tensor chosen = vector(DTYPE_BOOL, 3, condition), first = vector(DTYPE_STRING, 1, texts);
    const struct tensor_string picked[] = {texts[0], texts[0], texts[2]}, repeated[] = {texts[0], texts[0]},
                               put[] = {texts[0], texts[2], texts[2]};
    CHECK(bench, "Where", 16, NULL, 0, INPUTS(&chosen, &strings, &first), 3, picked);
    struct tensor two = vector(DTYPE_I64, 1, DIMS(2)), place = vector(DTYPE_I64, 1, DIMS(1)),
                  update = vector(DTYPE_STRING, 1, texts + 2);
    CHECK(bench, "Tile", 13, NULL, 0, INPUTS(&first, &two), 2, repeated);
    CHECK(bench, "ScatterElements", 18, NULL, 0, INPUTS(&strings, &place, &update), 3, put);
    const struct attribute add = {.name = "reduction", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"add", 3}};
    struct tensor y;
    assert_int_equal(try_op(bench, "", "ScatterElements", 18, &add, 1, INPUTS(&strings, &place, &update), 3, &y, 1),
                     HOB_BAD_TYPE);
}

static void test_scatter_reductions_of_halves(void **state)
{
    static const uint16_t f16[] = {0x3c00, 0x4000}, f16_add[] = {0x4000}; /* 1 and 2; 2 twice */
    static const struct {
        const char *reduction;
        uint16_t expected[2];
    } cases[] = {
        {"add", {0x3c00, 0x4600}}, {"mul", {0x3c00, 0x4800}}, {"max", {0x3c00, 0x4000}}, {"min", {0x3c00, 0x4000}}};
    struct op_bench *bench = *state;
    const uint16_t twice[] = {f16_add[0], f16_add[0]};
    struct tensor x = vector(DTYPE_F16, 2, f16), places = vector(DTYPE_I64, 2, DIMS(1, -1)),
                  updates = vector(DTYPE_F16, 2, twice);
    for (size_t i = 0; i < 4; i++) {
        const struct attribute reduction = {.name = "reduction",
                                            .kind = ATTRIBUTE_STRING,
                                            .n_items = 1,
                                            .string = {cases[i].reduction, strlen(cases[i].reduction)}};
        CHECK(bench, "ScatterElements", 18, &reduction, 1, INPUTS(&x, &places, &updates), 3, cases[i].expected);
    }
}

static void test_extremes_and_last_index(void **state)
{
    struct op_bench *bench = *state;
    static const float with_nan[] = {1, NAN, 3}, others[] = {NAN, 2, 2};
    static const uint8_t bytes[] = {7, 9, 9, 7};
    static const uint16_t halves[] = {0x7e00, 0x3c00}, ones[] = {0x3c00, 0x3c00};
    struct tensor x = vector(DTYPE_F32, 3, with_nan), y = vector(DTYPE_F32, 3, others), u = vector(DTYPE_U8, 4, bytes),
                  found, indices[2];
    struct tensor h = vector(DTYPE_BF16, 2, halves), one = vector(DTYPE_BF16, 2, ones),
                  two = vector(DTYPE_I64, 1, DIMS(2));
    for (int i = 0; i < 2; i++) {
        run_op(bench, "", i ? "Max" : "Min", 13, NULL, 0, INPUTS(&x, &y), 2, &found, 1);
        const float *items = found.data;
        assert_true(isnan(items[0]) && isnan(items[1]) && items[2] == (i ? 3 : 2));
        run_op(bench, "", i ? "Max" : "Min", 13, NULL, 0, INPUTS(&h, &one), 2, &found, 1);
        assert_int_equal(((const uint16_t *)found.data)[1], 0x3c00);
    }
    const struct attribute last = int_attribute("select_last_index", 1);
    CHECK(bench, "ArgMax", 13, &last, 1, INPUTS(&u), 1, ((const int64_t[]){2}));
    CHECK(bench, "ArgMin", 13, &last, 1, INPUTS(&u), 1, ((const int64_t[]){3}));
    CHECK(bench, "ArgMax", 13, NULL, 0, INPUTS(&u), 1, ((const int64_t[]){1}));
    run_op(bench, "", "TopK", 24, NULL, 0, INPUTS(&u, &two), 2, indices, 2);
    assert_memory_equal(indices[1].data, DIMS(1, 2), 16);
}

static void test_range_of_halves(void **state)
{
    struct op_bench *bench = *state;
    static const uint16_t one = 0x3c00, five = 0x4500, two = 0x4000, expected[] = {0x3c00, 0x4200}; /* 1 3 */
    struct tensor start = over(DTYPE_F16, 0, NULL, &one), limit = over(DTYPE_F16, 0, NULL, &five),
                  delta = over(DTYPE_F16, 0, NULL, &two);
    CHECK(bench, "Range", 24, NULL, 0, INPUTS(&start, &limit, &delta), 3, expected);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_listed_types_are_taken),
                                       cmocka_unit_test(test_moving_takes_every_type),
                                       cmocka_unit_test(test_small_floats),
                                       cmocka_unit_test(test_bit_cast_of_four_bits),
                                       cmocka_unit_test(test_shrink_of_integers),
                                       cmocka_unit_test(test_reductions_of_nothing),
                                       cmocka_unit_test(test_cum_prod),
                                       cmocka_unit_test(test_strings_and_complex),
                                       cmocka_unit_test(test_scatter_reductions_of_halves),
                                       cmocka_unit_test(test_extremes_and_last_index),
                                       cmocka_unit_test(test_range_of_halves)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
