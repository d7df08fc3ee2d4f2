/* com.microsoft's FusedMatMul, TransposeMatMul and FusedGemm, and hob.RotateHalves and hob.Linear with an activation, against
 * their definitions, computed here item by item in f64. */
#include "unit.h"

#include "ops/run_op.h"

#include <math.h>

/* ---- products ---- */

/* How a stack of matrices [first, rows, columns] lies in memory once its dims were turned: item (s, i, j). */
struct turned {
    const float *items;
    int64_t strides[3];
};

static struct turned turn(const struct tensor *x, bool is_transposed, bool is_batch_turned)
{
    struct turned turned = {.items = x->data};
    int64_t s = x->strides[0], i = x->strides[1], j = x->strides[2];
    if (is_batch_turned) {
        int64_t first = s;
        s = i;
        i = first;
    }
    turned.strides[0] = s;
    turned.strides[1] = is_transposed ? j : i;
    turned.strides[2] = is_transposed ? i : j;
    return turned;
}

static double item(const struct turned *x, int64_t s, int64_t i, int64_t j)
{
    return (double)x->items[s * x->strides[0] + i * x->strides[1] + j * x->strides[2]];
}

static void check_product(struct op_bench *bench, const char *op, bool trans_a, bool trans_b, bool batch_a, bool batch_b)
{
    enum { S = 3, M = 4, K = 5, N = 6 };
    /* As they lie in memory: rows and columns exchanged, then the stack's axis put behind the rows. */
    int64_t a_dims[] = {S, trans_a ? K : M, trans_a ? M : K}, b_dims[] = {S, trans_b ? N : K, trans_b ? K : N};
    if (batch_a) a_dims[0] = a_dims[1], a_dims[1] = S;
    if (batch_b) b_dims[0] = b_dims[1], b_dims[1] = S;
    struct tensor a = random_f32(bench, 3, a_dims, 1), b = random_f32(bench, 3, b_dims, 2), y;
    const struct attribute attributes[] = {int_attribute("transA", trans_a), int_attribute("transB", trans_b),
                                           int_attribute("transBatchA", batch_a), int_attribute("transBatchB", batch_b),
                                           float_attribute("alpha", 0.75f)};
    run_op(bench, "com.microsoft", op, 1, attributes, 5, (const struct tensor *[]){&a, &b}, 2, &y, 1);
    assert_true(tensor_has_shape(&y, 3, (int64_t[]){S, M, N}));
    struct turned turned_a = turn(&a, trans_a, batch_a), turned_b = turn(&b, trans_b, batch_b);
    for (int64_t o = 0; o < S * M * N; o++) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++) sum += item(&turned_a, o / (M * N), o / N % M, k) * item(&turned_b, o / (M * N), k, o % N);
        if (!(fabs((double)((const float *)y.data)[o] - 0.75 * sum) < 1e-6)) fail_msg("%s: item %ld", op, (long)o);
    }
}

static void test_fused_matmul(void **state)
{
    for (int choice = 0; choice < 16; choice++) {
        check_product(*state, "FusedMatMul", choice & 1, choice & 2, choice & 4, choice & 8);
        check_product(*state, "TransposeMatMul", choice & 1, choice & 2, choice & 4, choice & 8);
    }
}

/* ---- FusedGemm ---- */

static double activate(const char *name, double x)
{
    if (!strcmp(name, "Relu")) return fmax(x, 0);
    if (!strcmp(name, "LeakyRelu")) return x < 0 ? 0.1 * x : x;
    if (!strcmp(name, "Tanh")) return tanh(x);
    if (!strcmp(name, "Sigmoid")) return 1 / (1 + exp(-x));
    assert_string_equal(name, "HardSigmoid");
    return fmin(fmax(0.1 * x + 0.6, 0), 1);
}

static struct attribute text_attribute(const char *name, const char *text)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {text, strlen(text)}};
}

static void check_fused_gemm(struct op_bench *bench, const char *activation)
{
    enum { M = 5, K = 7, N = 9 };
    struct tensor a = random_f32(bench, 2, (int64_t[]){K, M}, 1), b = random_f32(bench, 2, (int64_t[]){N, K}, 2);
    struct tensor c = random_f32(bench, 1, (int64_t[]){N}, 3), y;
    const struct attribute attributes[] = {int_attribute("transA", 1), int_attribute("transB", 1), float_attribute("alpha", 1.5f),
                                           float_attribute("beta", -2), text_attribute("activation", activation),
                                           float_attribute("activation_alpha", 0.1f), float_attribute("activation_beta", 0.6f)};
    run_op(bench, "com.microsoft", "FusedGemm", 1, attributes, 7, (const struct tensor *[]){&a, &b, &c}, 3, &y, 1);
    assert_true(tensor_has_shape(&y, 2, (int64_t[]){M, N}));
    const float *as = a.data, *bs = b.data, *cs = c.data, *ys = y.data;
    for (int64_t o = 0; o < M * N; o++) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++) sum += (double)as[k * M + o / N] * (double)bs[o % N * K + k];
        double expected = activate(activation, 1.5 * sum - 2 * (double)cs[o % N]);
        if (!(fabs((double)ys[o] - expected) < 2e-6)) fail_msg("%s: item %ld: found %g, expected %g", activation, (long)o, (double)ys[o], expected);
    }
}

static void test_fused_gemm(void **state)
{
    static const char *const activations[] = {"Relu", "LeakyRelu", "Tanh", "Sigmoid", "HardSigmoid"};
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) check_fused_gemm(*state, activations[i]);
    struct op_bench *bench = *state;
    struct tensor a = random_f32(bench, 2, (int64_t[]){2, 2}, 1), y;
    const struct attribute unknown = text_attribute("activation", "Wiggle");
    hob_status status = try_op(bench, "com.microsoft", "FusedGemm", 1, &unknown, 1, (const struct tensor *[]){&a, &a}, 2, &y, 1);
    assert_int_equal(status, HOB_BAD_GRAPH);
    assert_non_null(strstr(bench->error.message, "found \"Wiggle\""));
}

/* More rows than are finished at a time, and columns that fill no whole panel. */
static void test_linear_activation(void **state)
{
    enum { M = 250, K = 3, N = 21 };
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 2, (int64_t[]){M, K}, 1), w = random_f32(bench, 2, (int64_t[]){N, K}, 2);
    struct tensor bias = random_f32(bench, 1, (int64_t[]){N}, 3), y;
    const struct attribute relu = text_attribute("activation", "Relu");
    run_op(bench, "hob", "Linear", 1, &relu, 1, (const struct tensor *[]){&x, &w, &bias}, 3, &y, 1);
    const float *xs = x.data, *ws = w.data, *biases = bias.data, *ys = y.data;
    for (int64_t o = 0; o < M * N; o++) {
        double sum = (double)biases[o % N];
        for (int64_t k = 0; k < K; k++) sum += (double)xs[o / N * K + k] * (double)ws[o % N * K + k];
        assert_true(fabs((double)ys[o] - fmax(sum, 0)) < 1e-6);
    }
}

/* ---- rotary embedding ---- */

/* x of any strides, tables that broadcast over batch and heads. */
static void test_rotate_halves(void **state)
{
    enum { B = 2, T = 5, H = 3, K = 8 };
    struct op_bench *bench = *state;
    struct tensor stored = random_f32(bench, 4, (int64_t[]){B, T, H, K}, 1), x = tensor_transpose(&stored, (int[]){0, 2, 1, 3}), y;
    struct tensor cos = random_f32(bench, 3, (int64_t[]){1, T, K}, 2), sin = random_f32(bench, 2, (int64_t[]){T, K}, 3);
    run_op(bench, "hob", "RotateHalves", 1, NULL, 0, (const struct tensor *[]){&x, &cos, &sin}, 3, &y, 1);
    assert_true(tensor_has_shape(&y, 4, (int64_t[]){B, H, T, K}));
    for (int64_t o = 0; o < B * H * T * K; o++) {
        int64_t b = o / (H * T * K), h = o / (T * K) % H, t = o / K % T, k = o % K;
        const float *row = (const float *)stored.data + ((b * T + t) * H + h) * K;
        double turned = k < K / 2 ? -(double)row[k + K / 2] : (double)row[k - K / 2];
        double expected = (double)row[k] * (double)((const float *)cos.data)[t * K + k] + turned * (double)((const float *)sin.data)[t * K + k];
        assert_true(fabs((double)((const float *)y.data)[o] - expected) < 1e-6);
    }
    struct tensor odd = random_f32(bench, 2, (int64_t[]){2, 3}, 1);
    assert_int_equal(try_op(bench, "hob", "RotateHalves", 1, NULL, 0, (const struct tensor *[]){&odd, &odd, &odd}, 3, &y, 1), HOB_BAD_SHAPE);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fused_matmul), cmocka_unit_test(test_fused_gemm),
                                       cmocka_unit_test(test_linear_activation), cmocka_unit_test(test_rotate_halves)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
