/* Kernels on rows: sums by lanes, extremes, softmax, normalisation, rotary positions, arithmetic. Against their definition
 * written out, against double where there is an error to bound, and bit by bit between tables. */
#include "kernel_test.h"

enum { LONGEST = 75 };

/* The lane rule as kernels.h states it. */
static float lanes_total(const float s[8])
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static float sum_by_lanes(int64_t n, const float *x)
{
    float s[8] = {0};
    for (int64_t i = 0; i < n; i++) s[i % 8] += x[i];
    return lanes_total(s);
}

static float dot_by_lanes(int64_t n, const float *x, const float *y)
{
    float s[8] = {0};
    for (int64_t i = 0; i < n; i++) s[i % 8] = fmaf(x[i], y[i], s[i % 8]);
    return lanes_total(s);
}

static void test_sums(void **state)
{
    (void)state;
    float *x = new_random_floats(LONGEST, 1), *y = new_random_floats(LONGEST, 2);
    FOR_EACH_TABLE(table)
    for (int64_t n = 0; n <= LONGEST; n++) {
        float found[3] = {table->sum_f32(n, x), table->dot_f32(n, x, y), table->sum_squares_f32(n, x)};
        float expected[3] = {sum_by_lanes(n, x), dot_by_lanes(n, x, y), dot_by_lanes(n, x, x)};
        assert_same_bits(table->name, found, expected, 3);
    }
    memory_free(x), memory_free(y);
}

/* Products that underflow leave -0 in a lane; what comes out must not depend on the table. */
static void test_sums_of_underflow(void **state)
{
    (void)state;
    float x[11], y[11];
    fill(x, 11, 1e-30f), fill(y, 11, -1e-30f);
    FOR_EACH_TABLE(table)
    for (int64_t n = 0; n <= 11; n++) {
        float found = table->dot_f32(n, x, y), expected = kernels_by_name("generic")->dot_f32(n, x, y);
        assert_same_bits(table->name, &found, &expected, 1);
    }
}

static void test_extremes(void **state)
{
    (void)state;
    float *x = new_random_floats(LONGEST, 3);
    FOR_EACH_TABLE(table)
    for (int64_t n = 1; n <= LONGEST; n++) {
        int64_t first = 0;
        for (int64_t i = 1; i < n; i++)
            if (x[i] > x[first]) first = i;
        assert_int_equal(table->argmax_f32(n, x), first);
        assert_true(table->max_f32(n, x) == x[first]);
    }
    memory_free(x);
}

static void test_extremes_of_odd_rows(void **state)
{
    (void)state;
    float row[40];
    FOR_EACH_TABLE(table)
    {
        assert_true(table->max_f32(0, row) == -INFINITY);
        fill(row, 40, NAN);
        assert_true(table->max_f32(40, row) == -INFINITY);
        assert_int_equal(table->argmax_f32(40, row), 0);
        row[37] = -INFINITY;
        assert_int_equal(table->argmax_f32(40, row), 37);
        row[9] = -0.0f;
        assert_int_equal(table->argmax_f32(40, row), 9);
        assert_true(table->max_f32(40, row) == 0 && !signbit(table->max_f32(40, row)));
        fill(row, 40, 2);
        assert_int_equal(table->argmax_f32(40, row), 0);
        row[21] = row[30] = 3;
        assert_int_equal(table->argmax_f32(40, row), 21);
    }
}

static void check_softmax(const struct kernels *table, int64_t n, const float *x)
{
    float y[LONGEST], expected[LONGEST], e[LONGEST];
    for (int64_t i = 0; i < n; i++) e[i] = x[i] - table->max_f32(n, x);
    kernels_by_name("generic")->exp_f32(n, e, e);
    for (int64_t i = 0; i < n; i++) expected[i] = e[i] / sum_by_lanes(n, e);
    table->softmax_f32(n, x, y);
    assert_same_bits("softmax", y, expected, n);
    float sum = sum_by_lanes(n, e), log_sum;
    kernels_by_name("generic")->log_f32(1, &sum, &log_sum);
    for (int64_t i = 0; i < n; i++) expected[i] = (x[i] - table->max_f32(n, x)) - log_sum;
    memcpy(y, x, (size_t)n * sizeof *y);
    table->log_softmax_f32(n, y, y);
    assert_same_bits("log_softmax", y, expected, n);
}

static void test_softmax(void **state)
{
    (void)state;
    float *x = new_random_floats(LONGEST, 4);
    for (int64_t i = 0; i < LONGEST; i++) x[i] *= 20;
    x[2] = -INFINITY;
    FOR_EACH_TABLE(table)
    for (int64_t n = 0; n <= LONGEST; n++) check_softmax(table, n, x);
    memory_free(x);
}

/* 4e-7 relative: the exponential (1.1 ulp, and the rounding of its argument below 40), the sum of 75 and a division. */
static void test_softmax_accuracy(void **state)
{
    (void)state;
    float *x = new_random_floats(LONGEST, 5), y[LONGEST];
    double sum = 0;
    for (int64_t i = 0; i < LONGEST; i++) sum += exp((double)x[i]);
    FOR_EACH_TABLE(table)
    {
        table->softmax_f32(LONGEST, x, y);
        for (int64_t i = 0; i < LONGEST; i++) {
            double exact = exp((double)x[i]) / sum;
            assert_true(fabs((double)y[i] - exact) <= 4e-7 * exact);
        }
        table->log_softmax_f32(LONGEST, x, y);
        for (int64_t i = 0; i < LONGEST; i++) assert_true(fabs((double)y[i] - ((double)x[i] - log(sum))) <= 1e-6);
    }
    memory_free(x);
}

static void test_softmax_of_odd_rows(void **state)
{
    (void)state;
    FOR_EACH_TABLE(table)
    {
        float row[10];
        fill(row, 10, -INFINITY);
        table->softmax_f32(10, row, row);
        assert_true(row[0] != row[0] && row[9] != row[9]);
        fill(row, 10, 1);
        row[4] = NAN;
        table->softmax_f32(10, row, row);
        assert_true(row[0] != row[0]);
    }
}

static void exact_norm(const struct norm_f32_args *args, const float *x, bool is_centred, double *ret_y)
{
    double mean = 0, squares = 0;
    for (int64_t i = 0; is_centred && i < args->width; i++) mean += (double)x[i] / (double)args->width;
    for (int64_t i = 0; i < args->width; i++) squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    double inv_std = 1 / sqrt(squares / (double)args->width + (double)args->epsilon);
    for (int64_t i = 0; i < args->width; i++) {
        ret_y[i] = ((double)x[i] - mean) * inv_std * (args->weight ? (double)args->weight[i] : 1);
        if (is_centred && args->bias) ret_y[i] += (double)args->bias[i];
    }
}

/* Against generic's bits, and generic against double within 2e-6 (results are below 4). */
static void check_norm(const struct kernels *table, struct norm_f32_args args, bool is_centred)
{
    enum { ROWS = 6 };
    float y[ROWS * LONGEST], expected[ROWS * LONGEST], stats[2 * ROWS], expected_stats[2 * ROWS] = {0};
    double exact[LONGEST];
    args.n_rows = ROWS, args.y_stride = LONGEST;
    fill(y, ROWS * LONGEST, 7), fill(expected, ROWS * LONGEST, 7), fill(stats, 2 * ROWS, 0);
    const struct kernels *generic = kernels_by_name("generic");
    args.y = expected, args.ret_mean = expected_stats, args.ret_inv_std = expected_stats + ROWS;
    (is_centred ? generic->layer_norm_f32 : generic->rms_norm_f32)(&args);
    args.y = y, args.ret_mean = stats, args.ret_inv_std = stats + ROWS;
    (is_centred ? table->layer_norm_f32 : table->rms_norm_f32)(&args);
    assert_same_bits(table->name, y, expected, ROWS * LONGEST);
    assert_same_bits(table->name, stats, expected_stats, 2 * ROWS);
    for (int64_t row = 0; row < ROWS; row++) {
        exact_norm(&args, args.x + row * args.x_stride, is_centred, exact);
        for (int64_t i = 0; i < args.width; i++) assert_true(fabs((double)y[row * LONGEST + i] - exact[i]) <= 2e-6);
    }
}

static void test_norms(void **state)
{
    (void)state;
    float *x = new_random_floats(6 * 80, 6), *weight = new_random_floats(LONGEST, 7), *bias = new_random_floats(LONGEST, 8);
    FOR_EACH_TABLE(table)
    for (int64_t width = 4; width <= LONGEST; width++)
        for (int variant = 0; variant < 8; variant++)
            check_norm(table, (struct norm_f32_args){.x = x, .x_stride = 80, .width = width, .epsilon = 1e-5f,
                                                     .weight = variant & 1 ? weight : NULL, .bias = variant & 2 ? bias : NULL},
                       variant & 4);
    memory_free(x), memory_free(weight), memory_free(bias);
}

static void test_norm_in_place(void **state)
{
    (void)state;
    float *x = new_random_floats(20, 9), y[20], weight[20];
    fill(weight, 20, 0.5f);
    FOR_EACH_TABLE(table)
    {
        struct norm_f32_args args = {.x = x, .y = y, .weight = weight, .n_rows = 1, .width = 20, .epsilon = 1e-6f};
        table->rms_norm_f32(&args);
        float *copy = new_random_floats(20, 9);
        args.x = args.y = copy;
        table->rms_norm_f32(&args);
        assert_same_bits(table->name, copy, y, 20);
        memory_free(copy);
    }
    memory_free(x);
}

static void check_rope(const struct kernels *table, int64_t n_dims, int64_t width, bool interleaved, bool is_in_place)
{
    enum { ROWS = 2, WIDEST = 70 };
    float *x = new_random_floats(ROWS * WIDEST, 10), *cos = new_random_floats(n_dims / 2, 11), *sin = new_random_floats(n_dims / 2, 12);
    float *y = new_random_floats(ROWS * WIDEST, 10), expected[ROWS * WIDEST];
    memcpy(expected, x, sizeof expected);
    for (int64_t row = 0; row < ROWS; row++)
        for (int64_t i = 0; i < n_dims / 2; i++) {
            int64_t first = row * WIDEST + (interleaved ? 2 * i : i), second = first + (interleaved ? 1 : n_dims / 2);
            float ac = x[first] * cos[i], bs = x[second] * sin[i], bc = x[second] * cos[i], as = x[first] * sin[i];
            expected[first] = ac - bs, expected[second] = bc + as;
        }
    table->rope_f32(&(struct rope_f32_args){.x = is_in_place ? y : x, .y = y, .x_stride = WIDEST, .y_stride = WIDEST, .cos = cos,
                                            .sin = sin, .n_rows = ROWS, .width = width, .n_dims = n_dims, .interleaved = interleaved});
    assert_same_bits(table->name, y, expected, ROWS * WIDEST);
    memory_free(x), memory_free(cos), memory_free(sin), memory_free(y);
}

static void test_rope(void **state)
{
    (void)state;
    FOR_EACH_TABLE(table)
    for (int64_t n_dims = 0; n_dims <= 64; n_dims += 2)
        for (int variant = 0; variant < 4; variant++) check_rope(table, n_dims, n_dims + 3, variant & 1, variant & 2);
}

typedef void arithmetic_function(int64_t n, const float *a, int a_step, const float *b, int b_step, float *ret_y);

static float apply(int operation, float a, float b)
{
    return operation == 0 ? a + b : operation == 1 ? a - b : operation == 2 ? a * b : a / b;
}

static void test_arithmetic(void **state)
{
    (void)state;
    enum { N = 21 };
    float *a = new_random_floats(N, 13), *b = new_random_floats(N, 14), y[N + 1], expected[N + 1];
    FOR_EACH_TABLE(table)
    for (int operation = 0; operation < 4; operation++)
        for (int steps = 0; steps < 4; steps++)
            for (int64_t n = 0; n <= N; n++) {
                arithmetic_function *const functions[] = {table->add_f32, table->sub_f32, table->mul_f32, table->div_f32};
                fill(y, N + 1, 3), fill(expected, N + 1, 3);
                for (int64_t i = 0; i < n; i++) expected[i] = apply(operation, a[steps & 1 ? i : 0], b[steps & 2 ? i : 0]);
                functions[operation](n, a, steps & 1, b, steps >> 1, y);
                assert_same_bits(table->name, y, expected, N + 1);
            }
    memory_free(a), memory_free(b);
}

static void test_scale_and_axpy(void **state)
{
    (void)state;
    enum { N = 21 };
    float *x = new_random_floats(N, 15), *start = new_random_floats(N, 16), y[N], expected[N];
    FOR_EACH_TABLE(table)
    for (int64_t n = 0; n <= N; n++) {
        for (int64_t i = 0; i < n; i++) expected[i] = 0.3f * x[i];
        table->scale_f32(n, 0.3f, x, y);
        assert_same_bits(table->name, y, expected, n);
        memcpy(y, start, sizeof y);
        for (int64_t i = 0; i < N; i++) expected[i] = i < n ? fmaf(0.3f, x[i], start[i]) : start[i];
        table->axpy_f32(n, 0.3f, x, y);
        assert_same_bits(table->name, y, expected, N);
    }
    memory_free(x), memory_free(start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_sums_of_underflow),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_extremes_of_odd_rows),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_softmax_accuracy),
        cmocka_unit_test(test_softmax_of_odd_rows),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_norm_in_place),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_scale_and_axpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
