/* Operators as older opsets have them, where the meaning differs: limited broadcasting (1 to 6), no broadcasting (Max and its like
 * below 8), attributes that became inputs, defaults that changed. */
#include "unit.h"

#include "ops/numbers.h"
#include "ops/run_op.h"

static struct tensor floats(struct op_bench *bench, int rank, const int64_t *dims, const float *items)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, DTYPE_F32, rank, dims, NULL, &bench->error), HOB_OK);
    x.data = arena_copy(&bench->arena, items, tensor_n_bytes(&x), 64);
    return x;
}

static const int64_t x_dims[] = {2, 3, 2};
static const float x_items[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static void check_add(struct op_bench *bench, const struct tensor *y, const struct attribute *attributes, size_t n_attributes,
                      const float expected[12])
{
    struct tensor x = floats(bench, 3, x_dims, x_items), z;
    run_op(bench, "", "Add", 6, attributes, n_attributes, (const struct tensor *[]){&x, y}, 2, &z, 1);
    assert_true(tensor_has_shape(&z, 3, x_dims));
    for (int i = 0; i < 12; i++) assert_true(((const float *)z.data)[i] == x_items[i] + expected[i]);
}

static void test_limited_broadcasting(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 2);
    static const float items[] = {10, 20, 30, 40, 50, 60};
    struct attribute broadcast = int_attribute("broadcast", 1);
    struct attribute attributes[] = {broadcast, int_attribute("axis", 1)};
    struct tensor y = floats(&bench, 1, &x_dims[1], items);
    check_add(&bench, &y, attributes, 2, (const float[]){10, 10, 20, 20, 30, 30, 10, 10, 20, 20, 30, 30});
    y = floats(&bench, 1, x_dims, items);
    check_add(&bench, &y, &broadcast, 1, (const float[]){10, 20, 10, 20, 10, 20, 10, 20, 10, 20, 10, 20});
    attributes[1] = int_attribute("axis", 0);
    check_add(&bench, &y, attributes, 2, (const float[]){10, 10, 10, 10, 10, 10, 20, 20, 20, 20, 20, 20});
    y = floats(&bench, 2, x_dims, items);
    check_add(&bench, &y, attributes, 2, (const float[]){10, 10, 20, 20, 30, 30, 40, 40, 50, 50, 60, 60});
    y = floats(&bench, 2, (const int64_t[]){1, 1}, items);
    check_add(&bench, &y, &broadcast, 1, (const float[]){10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10});
    y = floats(&bench, 3, x_dims, x_items);
    check_add(&bench, &y, NULL, 0, x_items);
    op_bench_release(&bench);
}

static void refuse(struct op_bench *bench, const char *name, const struct attribute *attributes, size_t n_attributes, int64_t dim)
{
    struct tensor x = floats(bench, 3, x_dims, x_items), y = floats(bench, 1, &dim, x_items), z;
    assert_int_equal(try_op(bench, "", name, 6, attributes, n_attributes, (const struct tensor *[]){&x, &y}, 2, &z, 1), HOB_BAD_SHAPE);
}

static void test_what_does_not_broadcast(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct attribute attributes[] = {int_attribute("broadcast", 1), int_attribute("axis", 3)};
    refuse(&bench, "Mul", NULL, 0, 2);
    refuse(&bench, "Sub", attributes, 1, 3);
    refuse(&bench, "Div", attributes, 2, 2);
    attributes[1] = int_attribute("axis", INT64_MAX);
    refuse(&bench, "Pow", attributes, 2, 2);
    refuse(&bench, "Max", NULL, 0, 2);
    refuse(&bench, "Mean", NULL, 0, 1);
    op_bench_release(&bench);
}

static void test_prelu_by_channel(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    float negative[12];
    for (int i = 0; i < 12; i++) negative[i] = -x_items[i];
    struct tensor x = floats(&bench, 3, x_dims, negative), slope = floats(&bench, 1, &x_dims[1], x_items), y;
    run_op(&bench, "", "PRelu", 6, NULL, 0, (const struct tensor *[]){&x, &slope}, 2, &y, 1);
    for (int i = 0; i < 12; i++) assert_true(((const float *)y.data)[i] == negative[i] * x_items[i / 2 % 3]);
    op_bench_release(&bench);
}

static void test_tile_pad_concat_split(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    static const int64_t dims[] = {2, 2}, pads[] = {0, 1, 0, 0};
    static const float items[] = {1, 2, 3, 4}, two = 2, one = 1, half = 0.5f;
    struct tensor x = floats(&bench, 2, dims, items), n = floats(&bench, 0, NULL, &two), axis = floats(&bench, 0, NULL, &one);
    struct tensor bad = floats(&bench, 0, NULL, &half), y[2];
    run_op(&bench, "", "Tile", 1, NULL, 0, (const struct tensor *[]){&x, &n, &axis}, 3, y, 1);
    assert_memory_equal(y[0].data, ((const float[]){1, 2, 1, 2, 3, 4, 3, 4}), 32);
    assert_int_equal(try_op(&bench, "", "Tile", 5, NULL, 0, (const struct tensor *[]){&x, &bad, &axis}, 3, y, 1), HOB_BAD_ARGUMENT);
    struct attribute paddings = {.name = "paddings", .kind = ATTRIBUTE_INTS, .n_items = 4, .integers = pads};
    run_op(&bench, "", "Pad", 1, &paddings, 1, (const struct tensor *[]){&x}, 1, y, 1);
    assert_memory_equal(y[0].data, ((const float[]){0, 1, 2, 0, 3, 4}), 24);
    run_op(&bench, "", "Concat", 1, NULL, 0, (const struct tensor *[]){&x, &x}, 2, y, 1);
    assert_memory_equal(y[0].data, ((const float[]){1, 2, 1, 2, 3, 4, 3, 4}), 32);
    run_op(&bench, "", "Split", 1, NULL, 0, (const struct tensor *[]){&x}, 1, y, 2);
    assert_true(tensor_has_shape(&y[1], 2, (const int64_t[]){1, 2}) && *(const float *)y[1].data == 3);
    op_bench_release(&bench);
}

static void test_attributes(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    static const int64_t dims[] = {3};
    static const float items[] = {-2, 0.5f, 7};
    struct tensor x = floats(&bench, 1, dims, items), sparse = floats(&bench, 1, dims, items), y;
    struct attribute limits[] = {float_attribute("min", -1), float_attribute("max", 2)};
    run_op(&bench, "", "Clip", 1, limits, 2, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_memory_equal(y.data, ((const float[]){-1, 0.5f, 2}), 12);
    struct attribute to = {.name = "to", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"INT32", 5}};
    run_op(&bench, "", "Cast", 1, &to, 1, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_memory_equal(y.data, ((const int32_t[]){-2, 0, 7}), 12);
    run_op(&bench, "", "Selu", 1, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_true(((const float *)y.data)[2] == 1.0507f * 7);
    struct attribute value = {.name = "sparse_value", .kind = ATTRIBUTE_TENSOR, .n_items = 1, .tensor = &sparse};
    run_op(&bench, "", "Constant", 11, &value, 1, NULL, 0, &y, 1);
    assert_ptr_equal(y.data, sparse.data);
    op_bench_release(&bench);
}

/* Each marks another thing: one bit for two would make CastLike invisible to passes and an old Add's operand shapeless. */
static void test_flags_are_different(void **state)
{
    (void)state;
    const struct op_def *cast_like = op_find("", "CastLike", 24), *add = op_find("", "Add", 6);
    assert_true(cast_like->flags & OP_TYPE_INPUT_1 && !(cast_like->flags & OP_LEGACY));
    assert_true(add->flags & OP_LEGACY && !(add->flags & OP_TYPE_INPUT_1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limited_broadcasting), cmocka_unit_test(test_what_does_not_broadcast),
                                       cmocka_unit_test(test_prelu_by_channel), cmocka_unit_test(test_tile_pad_concat_split),
                                       cmocka_unit_test(test_attributes), cmocka_unit_test(test_flags_are_different)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
