/* LayerNormalization and RMSNormalization beyond ONNX's cases: weights that broadcast, types that differ, statistics of another
 * type. Expected numbers are worked out by hand. */
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

/* The same numbers as another type. */
static struct tensor converted(struct op_bench *bench, const struct tensor *x, enum dtype dtype)
{
    struct tensor y;
    double items[NUMBERS_RUN];
    size_t n = (size_t)tensor_n_items(x);
    assert_int_equal(tensor_init(&y, dtype, x->rank, x->dims, NULL, &bench->error), HOB_OK);
    y.data = arena_alloc(&bench->arena, tensor_n_bytes(&y) + 1, 64);
    numbers_load_f64(x, 0, 1, n, items);
    numbers_store_f64(&y, 0, 1, n, items);
    return y;
}

static void check_numbers(const struct tensor *found, enum dtype dtype, size_t n, const double *expected, double bound)
{
    double items[NUMBERS_RUN];
    assert_int_equal(found->dtype, dtype);
    assert_int_equal(tensor_n_items(found), n);
    numbers_load_f64(found, 0, 1, n, items);
    for (size_t i = 0; i < n; i++) {
        double difference = items[i] > expected[i] ? items[i] - expected[i] : expected[i] - items[i];
        if (difference > bound) fail_msg("item %zu: found %.9g, expected %.9g", i, items[i], expected[i]);
    }
}

/* Rows (-1, 1) and (3, 7): mean 0 and 5, deviation 1 and 2. */
static const float rows[] = {-1, 1, 3, 7};
static const struct attribute no_epsilon = {.name = "epsilon", .kind = ATTRIBUTE_FLOAT, .n_items = 1, .number = 0};

static void test_weights_broadcast(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor x = floats(&bench, 2, (int64_t[]){2, 2}, rows), y;
    struct tensor one = floats(&bench, 1, (int64_t[]){1}, (float[]){10});
    struct tensor column = floats(&bench, 2, (int64_t[]){2, 1}, (float[]){1, 2});
    run_op(&bench, "", "LayerNormalization", 17, &no_epsilon, 1, (const struct tensor *[]){&x, &one, &column}, 3, &y, 1);
    check_numbers(&y, DTYPE_F32, 4, (double[]){-9, 11, -8, 12}, 1e-5);
    run_op(&bench, "", "LayerNormalization", 17, &no_epsilon, 1, (const struct tensor *[]){&x, &column}, 2, &y, 1);
    check_numbers(&y, DTYPE_F32, 4, (double[]){-1, 1, -2, 2}, 1e-6);
    op_bench_release(&bench);
}

static void test_statistics(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor x = floats(&bench, 2, (int64_t[]){2, 2}, rows), y[3];
    struct tensor ones = floats(&bench, 1, (int64_t[]){2}, (float[]){1, 1});
    struct attribute attributes[] = {no_epsilon, int_attribute("stash_type", DTYPE_BF16)};
    run_op(&bench, "", "LayerNormalization", 17, attributes, 2, (const struct tensor *[]){&x, &ones}, 2, y, 3);
    check_numbers(&y[1], DTYPE_BF16, 2, (double[]){0, 5}, 1e-6);
    check_numbers(&y[2], DTYPE_BF16, 2, (double[]){1, 0.5}, 1e-6);
    struct tensor wide = converted(&bench, &x, DTYPE_F64), wide_ones = converted(&bench, &ones, DTYPE_F64);
    run_op(&bench, "", "LayerNormalization", 17, &no_epsilon, 1, (const struct tensor *[]){&wide, &wide_ones}, 2, y, 3);
    check_numbers(&y[0], DTYPE_F64, 4, (double[]){-1, 1, -1, 1}, 1e-15);
    check_numbers(&y[1], DTYPE_F32, 2, (double[]){0, 5}, 1e-6);
    op_bench_release(&bench);
}

/* The output of RMSNormalization is of the scale's type. */
static void test_types_differ(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor x = floats(&bench, 2, (int64_t[]){2, 2}, (float[]){1, 1, -7, 1}), y;
    struct tensor weights = floats(&bench, 1, (int64_t[]){2}, (float[]){1, 2});
    double expected[] = {1, 2, -1.4, 0.4};
    enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_F64};
    double bounds[] = {1e-6, 1e-3, 1e-2, 1e-12};
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        struct tensor scale = converted(&bench, &weights, types[i]);
        run_op(&bench, "", "RMSNormalization", 23, &no_epsilon, 1, (const struct tensor *[]){&x, &scale}, 2, &y, 1);
        check_numbers(&y, types[i], 4, expected, bounds[i]);
    }
    op_bench_release(&bench);
}

static void test_refusals(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor x = floats(&bench, 2, (int64_t[]){2, 2}, rows), y;
    struct tensor wrong = floats(&bench, 1, (int64_t[]){3}, (float[]){1, 1, 1});
    struct attribute stash = int_attribute("stash_type", DTYPE_I32);
    assert_int_equal(
        try_op(&bench, "", "RMSNormalization", 23, NULL, 0, (const struct tensor *[]){&x, &wrong}, 2, &y, 1), HOB_BAD_SHAPE);
    assert_non_null(strstr(bench.error.message, "broadcasts to input 0's [2,2]"));
    assert_int_equal(
        try_op(&bench, "", "RMSNormalization", 23, &stash, 1, (const struct tensor *[]){&x, &x}, 2, &y, 1), HOB_BAD_GRAPH);
    op_bench_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_weights_broadcast), cmocka_unit_test(test_statistics),
                                       cmocka_unit_test(test_types_differ), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
