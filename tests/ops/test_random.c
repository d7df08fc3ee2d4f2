/* Random operators: means and spreads, ranges, seeds, and that the bytes depend on nothing but the seed, the node and the place. */
#include "unit.h"

#include "ops/numbers.h"
#include "ops/run_op.h"

#include <math.h>

enum { N = 40000 };

static struct attribute shape_attribute(void)
{
    static const int64_t dims[] = {N / 4, 4};
    return (struct attribute){.name = "shape", .kind = ATTRIBUTE_INTS, .n_items = 2, .integers = dims};
}

static struct tensor filled(struct op_bench *bench, enum dtype dtype, double item)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, dtype, 1, (const int64_t[]){N}, NULL, NULL), HOB_OK);
    x.data = arena_alloc(&bench->arena, tensor_n_bytes(&x), 64);
    for (int64_t i = 0; i < N; i++) numbers_store_f64(&x, i, 1, 1, &item);
    return x;
}

struct spread {
    double mean, variance, least, most;
};

static struct spread spread_of(const struct tensor *x)
{
    int64_t n = tensor_n_items(x);
    struct spread spread = {.least = INFINITY, .most = -INFINITY};
    for (int64_t i = 0; i < n; i++) {
        double item;
        numbers_load_f64(x, i, 1, 1, &item);
        spread.mean += item / (double)n;
        spread.variance += item * item / (double)n;
        spread.least = fmin(spread.least, item);
        spread.most = fmax(spread.most, item);
    }
    spread.variance -= spread.mean * spread.mean;
    return spread;
}

static void test_uniform_and_normal(void **state)
{
    (void)state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16};
    struct op_bench bench;
    op_bench_init(&bench, 2);
    for (int d = 0; d < 4; d++) {
        struct tensor y;
        struct attribute attributes[] = {shape_attribute(), int_attribute("dtype", dtypes[d]), float_attribute("low", 0),
                                         float_attribute("high", 2)};
        run_op(&bench, "", "RandomUniform", 22, attributes, 4, NULL, 0, &y, 1);
        struct spread spread = spread_of(&y);
        assert_true(y.dtype == dtypes[d] && y.rank == 2);
        assert_true(spread.least >= 0 && spread.most < 2 && fabs(spread.mean - 1) < 0.02 && fabs(spread.variance - 4 / 12.0) < 0.02);
        attributes[2] = float_attribute("mean", -1);
        attributes[3] = float_attribute("scale", 3);
        run_op(&bench, "", "RandomNormal", 1, attributes, 4, NULL, 0, &y, 1);
        spread = spread_of(&y);
        assert_true(fabs(spread.mean + 1) < 0.06 && fabs(spread.variance - 9) < 0.3);
    }
    op_bench_release(&bench);
}

static void test_bytes_depend_on_the_seed_alone(void **state)
{
    (void)state;
    struct op_bench one, three;
    op_bench_init(&one, 1);
    op_bench_init(&three, 3);
    struct tensor x = filled(&one, DTYPE_F32, 0.5), y[4];
    const struct tensor *inputs[] = {&x};
    struct attribute seeds[] = {float_attribute("seed", 7), float_attribute("seed", 8)};
    run_op(&one, "", "RandomNormalLike", 22, &seeds[0], 1, inputs, 1, &y[0], 1);
    run_op(&three, "", "RandomNormalLike", 22, &seeds[0], 1, inputs, 1, &y[1], 1);
    run_op(&three, "", "RandomNormalLike", 22, &seeds[1], 1, inputs, 1, &y[2], 1);
    run_op(&three, "", "RandomNormalLike", 22, NULL, 0, inputs, 1, &y[3], 1);
    assert_same_bytes(&one, &y[0], &y[1]);
    assert_memory_not_equal(y[0].data, y[2].data, tensor_n_bytes(&x));
    assert_memory_not_equal(y[0].data, y[3].data, tensor_n_bytes(&x));
    run_op(&one, "", "RandomNormalLike", 22, NULL, 0, inputs, 1, &y[0], 1);
    assert_same_bytes(&one, &y[0], &y[3]);
    op_bench_release(&one);
    op_bench_release(&three);
}

static void test_bernoulli(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 2);
    static const double chances[] = {0, 1, 0.3};
    for (int i = 0; i < 3; i++) {
        struct tensor x = filled(&bench, DTYPE_F64, chances[i]), y;
        struct attribute dtype = int_attribute("dtype", i == 0 ? DTYPE_BOOL : i == 1 ? DTYPE_U8 : DTYPE_F16);
        run_op(&bench, "", "Bernoulli", 15, &dtype, 1, (const struct tensor *[]){&x}, 1, &y, 1);
        assert_int_equal(y.dtype, dtype.integer);
        assert_true(fabs(spread_of(&y).mean - chances[i]) < (i == 2 ? 0.02 : 1e-9));
    }
    op_bench_release(&bench);
}

static void test_multinomial(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 2);
    float items[2][4] = {{logf(1), -INFINITY, logf(3), logf(6)}, {1000, 0, 0, -1000}};
    struct tensor x, y;
    assert_int_equal(tensor_init(&x, DTYPE_F32, 2, (const int64_t[]){2, 4}, items, NULL), HOB_OK);
    struct attribute attributes[] = {int_attribute("sample_size", N), int_attribute("dtype", DTYPE_I64)};
    run_op(&bench, "", "Multinomial", 7, attributes, 2, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_true(tensor_has_shape(&y, 2, (const int64_t[]){2, N}));
    double counts[4] = {0};
    for (int i = 0; i < N; i++) counts[((const int64_t *)y.data)[i]]++;
    for (int i = N; i < 2 * N; i++) assert_int_equal(((const int64_t *)y.data)[i], 0);
    assert_true(counts[1] == 0 && fabs(counts[0] / N - 0.1) < 0.01 && fabs(counts[2] / N - 0.3) < 0.01);
    for (int c = 0; c < 4; c++) items[1][c] = -INFINITY;
    assert_int_equal(try_op(&bench, "", "Multinomial", 22, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(bench.error.message, "row 1"));
    op_bench_release(&bench);
}

static void check_dropped(const struct tensor *x, const struct tensor *y, const struct tensor *mask, double ratio)
{
    struct spread kept = spread_of(mask);
    assert_true(fabs(kept.mean - (1 - ratio)) < 0.02);
    for (int64_t i = 0; i < N; i++) {
        double item, dropped, is_kept;
        numbers_load_f64(x, i, 1, 1, &item);
        numbers_load_f64(y, i, 1, 1, &dropped);
        numbers_load_f64(mask, i, 1, 1, &is_kept);
        assert_true(fabs(dropped - is_kept * item / (1 - ratio)) < 1e-6);
    }
}

static void test_dropout_in_training(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 3);
    float ratio_item = 0.25f;
    uint8_t yes = 1;
    struct tensor x = filled(&bench, DTYPE_F32, 3), ratio = {.dtype = DTYPE_F32, .data = &ratio_item},
                  training = {.dtype = DTYPE_BOOL, .data = &yes}, y[2];
    const struct tensor *inputs[] = {&x, &ratio, &training}, *no_ratio[] = {&x, NULL, &training};
    struct attribute seed = int_attribute("seed", 3);
    run_op(&bench, "", "Dropout", 22, &seed, 1, inputs, 3, y, 2);
    assert_int_equal(y[1].dtype, DTYPE_BOOL);
    check_dropped(&x, &y[0], &y[1], 0.25);
    run_op(&bench, "", "Dropout", 12, NULL, 0, no_ratio, 3, y, 2);
    check_dropped(&x, &y[0], &y[1], 0.5);
    ratio_item = 0;
    run_op(&bench, "", "Dropout", 13, NULL, 0, inputs, 3, y, 2);
    assert_ptr_equal(y[0].data, x.data);
    ratio_item = 1;
    assert_int_equal(try_op(&bench, "", "Dropout", 13, NULL, 0, inputs, 3, y, 2), HOB_BAD_ARGUMENT);
    op_bench_release(&bench);
}

static void test_dropout_of_old_opsets(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor x = filled(&bench, DTYPE_F32, 3), y[2];
    const struct tensor *inputs[] = {&x, &x};
    struct attribute is_test = int_attribute("is_test", 1);
    run_op(&bench, "", "Dropout", 6, NULL, 0, inputs, 1, y, 2);
    assert_int_equal(y[1].dtype, DTYPE_F32);
    check_dropped(&x, &y[0], &y[1], 0.5);
    run_op(&bench, "", "Dropout", 1, &is_test, 1, inputs, 1, y, 1);
    assert_ptr_equal(y[0].data, x.data);
    run_op(&bench, "", "Dropout", 10, NULL, 0, inputs, 1, y, 2);
    assert_ptr_equal(y[0].data, x.data);
    assert_true(y[1].dtype == DTYPE_BOOL && spread_of(&y[1]).least == 1);
    assert_int_equal(try_op(&bench, "", "Dropout", 10, NULL, 0, inputs, 2, y, 2), HOB_BAD_GRAPH);
    op_bench_release(&bench);
}

static void test_refusals(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor y, x = ints_i64(&bench, 2, (const int64_t[]){1, 2});
    struct attribute attributes[] = {shape_attribute(), int_attribute("dtype", DTYPE_I32), int_attribute("sample_size", 0)};
    assert_int_equal(try_op(&bench, "", "RandomUniform", 1, attributes, 2, NULL, 0, &y, 1), HOB_BAD_GRAPH);
    assert_non_null(strstr(bench.error.message, "dtype: found int32"));
    uint8_t small_item = 0x38;
    struct tensor small = {.data = &small_item, .dtype = DTYPE_F8E4M3FN}, both[2];
    assert_int_equal(try_op(&bench, "", "Dropout", 8, NULL, 0, (const struct tensor *[]){&small}, 1, both, 2), HOB_BAD_TYPE);
    run_op(&bench, "", "Dropout", 22, NULL, 0, (const struct tensor *[]){&small}, 1, both, 2);
    attributes[1] = int_attribute("dtype", DTYPE_NONE);
    assert_int_equal(try_op(&bench, "", "RandomUniform", 1, attributes, 2, NULL, 0, &y, 1), HOB_BAD_GRAPH);
    assert_int_equal(try_op(&bench, "", "RandomUniform", 1, NULL, 0, NULL, 0, &y, 1), HOB_BAD_GRAPH);
    assert_non_null(strstr(bench.error.message, "attribute shape: missing"));
    assert_int_equal(try_op(&bench, "", "RandomNormalLike", 1, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1), HOB_BAD_TYPE);
    assert_int_equal(try_op(&bench, "", "Multinomial", 7, &attributes[2], 1, (const struct tensor *[]){&x}, 1, &y, 1), HOB_BAD_GRAPH);
    assert_int_equal(try_op(&bench, "", "Bernoulli", 15, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1), HOB_BAD_TYPE);
    op_bench_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform_and_normal),  cmocka_unit_test(test_bytes_depend_on_the_seed_alone),
        cmocka_unit_test(test_bernoulli),           cmocka_unit_test(test_multinomial),
        cmocka_unit_test(test_dropout_in_training), cmocka_unit_test(test_dropout_of_old_opsets),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
