/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss where ONNX's cases do not reach: other types, labels that count nothing, what
 * is refused, and that no byte depends on the number of threads. */
#include "unit.h"

#include "ops/numbers.h"
#include "ops/run_op.h"

#include <math.h>

static struct attribute text_attribute(const char *name, const char *text)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {text, strlen(text)}};
}

static struct tensor reals(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims, const double *items)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, dtype, rank, dims, NULL, &bench->error), HOB_OK);
    x.data = arena_alloc(&bench->arena, tensor_n_bytes(&x) + 1, 64);
    numbers_store_f64(&x, 0, 1, (size_t)tensor_n_items(&x), items);
    return x;
}

static double real_at(const struct tensor *x, int64_t i)
{
    double item;
    numbers_load_f64(x, i, 1, 1, &item);
    return item;
}

/* The examples of the specification. */
static const int64_t x_dims[] = {2, 3, 2}, label_dims[] = {2, 2};
static const double x_items[] = {1, 2, 2, 2, 3, 2, 0, 1, 2, 2, 1, 2}, weight_items[] = {0.2, 0.3, 0.1};
static const int64_t label_items[] = {2, 1, 0, 2};

static struct tensor labels_of(struct op_bench *bench, const int64_t *items)
{
    struct tensor labels = ints_i64(bench, 4, items);
    assert_int_equal(tensor_init(&labels, DTYPE_I64, 2, label_dims, labels.data, &bench->error), HOB_OK);
    return labels;
}

static void test_examples_in_every_type(void **state)
{
    (void)state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16};
    static const double expected[] = {-3, -2, 0, -2};
    struct op_bench bench;
    op_bench_init(&bench, 2);
    struct tensor labels = labels_of(&bench, label_items), y;
    for (int d = 0; d < 4; d++) {
        struct tensor x = reals(&bench, dtypes[d], 3, x_dims, x_items), weights = reals(&bench, dtypes[d], 1, &x_dims[1], weight_items);
        const struct tensor *inputs[] = {&x, &labels, &weights};
        struct attribute reduction = text_attribute("reduction", "none");
        run_op(&bench, "", "NegativeLogLikelihoodLoss", 22, &reduction, 1, inputs, 2, &y, 1);
        assert_true(y.dtype == dtypes[d] && tensor_has_shape(&y, 2, label_dims));
        for (int i = 0; i < 4; i++) assert_true(real_at(&y, i) == expected[i]);
        reduction = text_attribute("reduction", "sum");
        run_op(&bench, "", "NegativeLogLikelihoodLoss", 13, &reduction, 1, inputs, 3, &y, 1);
        assert_true(y.rank == 0 && fabs(real_at(&y, 0) + 1.1) < 0.01);
        run_op(&bench, "", "NegativeLogLikelihoodLoss", 12, NULL, 0, inputs, 3, &y, 1);
        assert_true(fabs(real_at(&y, 0) + 1.1 / 0.7) < 0.02);
    }
    op_bench_release(&bench);
}

static void test_labels_that_count_nothing(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    static const int64_t some[] = {-7, 1, 0, -7}, none[] = {-7, -7, -7, -7};
    struct tensor x = reals(&bench, DTYPE_F64, 3, x_dims, x_items), labels = labels_of(&bench, some), y;
    struct attribute attributes[] = {int_attribute("ignore_index", -7), text_attribute("reduction", "mean")};
    run_op(&bench, "", "NegativeLogLikelihoodLoss", 13, attributes, 2, (const struct tensor *[]){&x, &labels}, 2, &y, 1);
    assert_true(real_at(&y, 0) == (-2 + 0) / 2.0);
    labels = labels_of(&bench, none);
    run_op(&bench, "", "SoftmaxCrossEntropyLoss", 13, attributes, 2, (const struct tensor *[]){&x, &labels}, 2, &y, 1);
    assert_true(isnan(real_at(&y, 0)));
    attributes[1] = text_attribute("reduction", "sum");
    run_op(&bench, "", "SoftmaxCrossEntropyLoss", 13, attributes, 2, (const struct tensor *[]){&x, &labels}, 2, &y, 1);
    assert_true(real_at(&y, 0) == 0);
    op_bench_release(&bench);
}

static void test_cross_entropy_against_its_formula(void **state)
{
    (void)state;
    enum { N = 5, C = 130, S = 7 };
    struct op_bench one, three;
    op_bench_init(&one, 1);
    op_bench_init(&three, 3);
    struct tensor x = random_f32(&one, 3, (const int64_t[]){N, C, S}, 5), y[2], z[2];
    int64_t items[N * S];
    for (int i = 0; i < N * S; i++) items[i] = i * 37 % C;
    struct tensor labels = ints_i64(&one, N * S, items);
    assert_int_equal(tensor_init(&labels, DTYPE_I64, 2, (const int64_t[]){N, S}, labels.data, NULL), HOB_OK);
    struct attribute reduction = text_attribute("reduction", "none");
    const struct tensor *inputs[] = {&x, &labels};
    run_op(&one, "", "SoftmaxCrossEntropyLoss", 13, &reduction, 1, inputs, 2, y, 2);
    for (int i = 0; i < N * S; i++) {
        const float *scores = (const float *)x.data + i / S * C * S + i % S, *log_prob = (const float *)y[1].data + i / S * C * S + i % S;
        double sum = 0;
        for (int c = 0; c < C; c++) sum += exp((double)scores[c * S]);
        for (int c = 0; c < C; c++) assert_true(fabs((double)log_prob[c * S] - ((double)scores[c * S] - log(sum))) < 1e-6);
        assert_true(((const float *)y[0].data)[i] == -log_prob[items[i] * S]);
    }
    run_op(&three, "", "SoftmaxCrossEntropyLoss", 13, NULL, 0, inputs, 2, z, 2);
    assert_same_bytes(&three, &y[1], &z[1]);
    run_op(&one, "", "SoftmaxCrossEntropyLoss", 13, NULL, 0, inputs, 2, y, 1);
    assert_same_bytes(&one, &y[0], &z[0]);
    op_bench_release(&one);
    op_bench_release(&three);
}

static void refuse(struct op_bench *bench, const struct tensor *x, const struct tensor *labels, const struct tensor *weights,
                   const struct attribute *attribute, hob_status expected, const char *message)
{
    struct tensor y;
    assert_int_equal(try_op(bench, "", "NegativeLogLikelihoodLoss", 13, attribute, attribute != NULL,
                            (const struct tensor *[]){x, labels, weights}, 3, &y, 1), expected);
    if (!strstr(bench->error.message, message)) print_error("%s\n", bench->error.message);
    assert_non_null(strstr(bench->error.message, message));
}

static void test_refusals(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    static const int64_t outside[] = {2, 1, 3, 2};
    struct tensor x = reals(&bench, DTYPE_F32, 3, x_dims, x_items), flat = reals(&bench, DTYPE_F32, 1, &x_dims[1], weight_items);
    struct tensor good = labels_of(&bench, label_items), bad = labels_of(&bench, outside), short_labels = ints_i64(&bench, 2, outside);
    struct tensor two = reals(&bench, DTYPE_F32, 1, x_dims, weight_items);
    struct attribute reduction = text_attribute("reduction", "most");
    refuse(&bench, &x, &bad, NULL, NULL, HOB_BAD_ARGUMENT, "sample 2: found label 3, expected 0 to 2");
    refuse(&bench, &x, &short_labels, NULL, NULL, HOB_BAD_SHAPE, "input 1: found shape [2]");
    refuse(&bench, &flat, &short_labels, NULL, NULL, HOB_BAD_SHAPE, "input 0: found shape [3]");
    refuse(&bench, &x, &x, NULL, NULL, HOB_BAD_TYPE, "input 1: found float32");
    refuse(&bench, &x, &good, &two, NULL, HOB_BAD_SHAPE, "input 2: found shape [2], expected [3]");
    refuse(&bench, &x, &good, NULL, &reduction, HOB_BAD_GRAPH, "reduction: found \"most\"");
    op_bench_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples_in_every_type), cmocka_unit_test(test_labels_that_count_nothing),
                                       cmocka_unit_test(test_cross_entropy_against_its_formula), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
