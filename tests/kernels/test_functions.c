/* Functions of one vector: error against double over a dense sample of all floats, special values, and the same bits from
 * every table at every length and place. */
#include "kernel_test.h"

#include <float.h>

enum { N_SAMPLES = 1 << 18 };

typedef void vector_function(int64_t n, const float *x, float *ret_y);

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double exact_silu(double x)
{
    return x == -INFINITY ? -0.0 : x * exact_sigmoid(x);
}

static double exact_gelu(double x)
{
    return x == -INFINITY ? -0.0 : x * 0.5 * erfc(-x * M_SQRT1_2);
}

static double exact_gelu_tanh(double x)
{
    return x == -INFINITY ? -0.0 : x * exact_sigmoid(2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
}

static double exact_reciprocal(double x)
{
    return 1 / x;
}

/* A result passes when it is within max_ulp, or within max_absolute + max_relative_to_x * |x|. */
static const struct function_case {
    const char *name;
    size_t slot;
    double (*exact)(double x);
    double max_ulp, max_absolute, max_relative_to_x;
} function_cases[] = {
    {"exp", offsetof(struct kernels, exp_f32), exp, 1.1, 0, 0},
    {"log", offsetof(struct kernels, log_f32), log, 1, 0, 0},
    {"tanh", offsetof(struct kernels, tanh_f32), tanh, 1.5, 0, 0},
    {"erf", offsetof(struct kernels, erf_f32), erf, 1.2, 0, 0},
    {"sigmoid", offsetof(struct kernels, sigmoid_f32), exact_sigmoid, 2.5, 0, 0},
    {"silu", offsetof(struct kernels, silu_f32), exact_silu, 3.5, 1e-36, 0},
    {"gelu", offsetof(struct kernels, gelu_f32), exact_gelu, 2, 0, 2e-7},
    {"gelu_tanh", offsetof(struct kernels, gelu_tanh_f32), exact_gelu_tanh, 1.5, 0, 2e-7},
    {"sqrt", offsetof(struct kernels, sqrt_f32), sqrt, 0.5, 0, 0},
    {"reciprocal", offsetof(struct kernels, reciprocal_f32), exact_reciprocal, 0.5, 0, 0},
};

static vector_function *function_of(const struct kernels *table, const struct function_case *c)
{
    vector_function *function;
    memcpy(&function, (const char *)table + c->slot, sizeof function);
    return function;
}

static const float special_values[] = {
    0.0f, -0.0f, INFINITY, -INFINITY, NAN, -NAN, FLT_MIN, -FLT_MIN, 0x1p-149f, -0x1p-149f, FLT_MAX, -FLT_MAX,
    1.0f, -1.0f, 0.625f, -0.625f, 4.0f, 88.0f, 88.722839f, 88.8f, -87.0f, -87.34f, -103.9f, -104.0f, -150.0f,
};

/* Half the sample steps through all bit patterns, the other half through the range where the functions bend. */
static float *new_samples(void)
{
    float *x = new_random_floats(N_SAMPLES, 7);
    for (int64_t i = 0; i < N_SAMPLES / 2; i++) {
        uint32_t bits = (uint32_t)i * 32771u;
        memcpy(&x[i], &bits, sizeof bits);
    }
    for (int64_t i = N_SAMPLES / 2; i < N_SAMPLES; i++) x[i] *= i % 3 == 0 ? 1.5f : i % 3 == 1 ? 12.0f : 105.0f;
    memcpy(x, special_values, sizeof special_values);
    return x;
}

static void check_accuracy(const struct kernels *table, const struct function_case *c, const float *x, float *y)
{
    double worst = 0;
    function_of(table, c)(N_SAMPLES, x, y);
    for (int64_t i = 0; i < N_SAMPLES; i++) {
        double exact = c->exact((double)x[i]), ulp = error_in_ulp(y[i], exact);
        if (fabs((double)y[i] - exact) <= c->max_absolute + c->max_relative_to_x * fabs((double)x[i])) continue;
        if (ulp > c->max_ulp)
            fail_msg("%s %s(%a): found %a, expected %a, error %g ulp", table->name, c->name, (double)x[i], (double)y[i], exact, ulp);
        worst = ulp > worst ? ulp : worst;
    }
    print_message("%s %s: at most %.3f ulp\n", table->name, c->name, worst);
}

static void test_accuracy(void **state)
{
    (void)state;
    float *x = new_samples(), *y = new_floats(N_SAMPLES);
    for (size_t i = 0; i < ARRAY_LENGTH(function_cases); i++) check_accuracy(kernels_by_name("generic"), &function_cases[i], x, y);
    memory_free(x);
    memory_free(y);
}

static void test_special_values(void **state)
{
    (void)state;
    static const struct {
        size_t slot;
        float x, y;
    } cases[] = {
        {offsetof(struct kernels, exp_f32), -INFINITY, 0.0f},   {offsetof(struct kernels, exp_f32), INFINITY, INFINITY},
        {offsetof(struct kernels, exp_f32), 0.0f, 1.0f},        {offsetof(struct kernels, log_f32), 0.0f, -INFINITY},
        {offsetof(struct kernels, log_f32), -0.0f, -INFINITY},  {offsetof(struct kernels, log_f32), -1.0f, NAN},
        {offsetof(struct kernels, log_f32), 1.0f, 0.0f},        {offsetof(struct kernels, log_f32), INFINITY, INFINITY},
        {offsetof(struct kernels, tanh_f32), -0.0f, -0.0f},     {offsetof(struct kernels, tanh_f32), -INFINITY, -1.0f},
        {offsetof(struct kernels, tanh_f32), INFINITY, 1.0f},   {offsetof(struct kernels, erf_f32), -0.0f, -0.0f},
        {offsetof(struct kernels, erf_f32), INFINITY, 1.0f},    {offsetof(struct kernels, sigmoid_f32), INFINITY, 1.0f},
        {offsetof(struct kernels, sigmoid_f32), -INFINITY, 0},  {offsetof(struct kernels, silu_f32), -INFINITY, -0.0f},
        {offsetof(struct kernels, silu_f32), INFINITY, INFINITY}, {offsetof(struct kernels, gelu_f32), -INFINITY, -0.0f},
        {offsetof(struct kernels, gelu_tanh_f32), -INFINITY, -0.0f}, {offsetof(struct kernels, sqrt_f32), -1.0f, NAN},
        {offsetof(struct kernels, sqrt_f32), -0.0f, -0.0f},     {offsetof(struct kernels, reciprocal_f32), -0.0f, -INFINITY},
    };
    FOR_EACH_TABLE(table)
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct function_case c = {.slot = cases[i].slot};
        float y;
        function_of(table, &c)(1, &cases[i].x, &y);
        char what[64];
        snprintf(what, sizeof what, "%s case %zu", table->name, i);
        assert_same_bits(what, &y, &cases[i].y, 1);
    }
}

static void test_nan_stays(void **state)
{
    (void)state;
    FOR_EACH_TABLE(table)
    for (size_t i = 0; i < ARRAY_LENGTH(function_cases); i++) {
        float x = NAN, y = 0;
        function_of(table, &function_cases[i])(1, &x, &y);
        assert_true(y != y);
    }
}

static void test_same_bits_as_generic(void **state)
{
    (void)state;
    float *x = new_samples(), *y = new_floats(N_SAMPLES), *expected = new_floats(N_SAMPLES);
    const struct kernels *generic = kernels_by_name("generic");
    for (size_t i = 0; i < ARRAY_LENGTH(function_cases); i++) {
        function_of(generic, &function_cases[i])(N_SAMPLES, x, expected);
        FOR_EACH_TABLE(table)
        {
            function_of(table, &function_cases[i])(N_SAMPLES, x, y);
            assert_same_bits(function_cases[i].name, y, expected, N_SAMPLES);
        }
    }
    memory_free(x);
    memory_free(y);
    memory_free(expected);
}

/* Every length up to a few registers, at odd addresses, in place; the item behind the end must stay. */
static void test_lengths(void **state)
{
    (void)state;
    enum { LONGEST = 35 };
    float *x = new_random_floats(LONGEST, 3), y[LONGEST + 2], expected[LONGEST];
    FOR_EACH_TABLE(table)
    for (size_t i = 0; i < ARRAY_LENGTH(function_cases); i++) {
        for (int64_t j = 0; j < LONGEST; j++) function_of(table, &function_cases[i])(1, x + j, expected + j);
        for (int64_t n = 0; n <= LONGEST; n++) {
            memcpy(y + 1, x, LONGEST * sizeof *x);
            y[n + 1] = 77;
            function_of(table, &function_cases[i])(n, y + 1, y + 1);
            assert_same_bits(function_cases[i].name, y + 1, expected, n);
            assert_true(y[n + 1] == 77);
        }
    }
    memory_free(x);
}

static void test_swiglu(void **state)
{
    (void)state;
    enum { N = 43 };
    float *gate = new_random_floats(N, 1), *up = new_random_floats(N, 2), y[N], expected[N];
    FOR_EACH_TABLE(table)
    for (int64_t n = 0; n <= N; n++) {
        table->silu_f32(n, gate, expected);
        for (int64_t i = 0; i < n; i++) expected[i] *= up[i];
        table->swiglu_f32(n, gate, up, y);
        assert_same_bits(table->name, y, expected, n);
    }
    memory_free(gate);
    memory_free(up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_nan_stays),
        cmocka_unit_test(test_same_bits_as_generic),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_swiglu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
