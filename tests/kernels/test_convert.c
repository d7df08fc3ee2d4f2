/* Half floats: every f16 and bf16 pattern there and back, rounding at the edges, and the same bits from every table. */
#include "kernel_test.h"

enum { N_HALVES = 1 << 16 };

/* The value of a binary16 pattern, from its definition. */
static double value_of_f16(uint32_t half)
{
    double sign = half & 0x8000 ? -1 : 1;
    int exponent = (int)(half >> 10 & 31), mantissa = (int)(half & 1023);
    if (exponent == 31) return mantissa ? (double)NAN : sign * (double)INFINITY;
    return exponent == 0 ? sign * ldexp(mantissa, -24) : sign * ldexp(1024 + mantissa, exponent - 25);
}

static void test_every_f16(void **state)
{
    (void)state;
    static uint16_t halves[N_HALVES], back[N_HALVES];
    static float floats[N_HALVES];
    for (uint32_t i = 0; i < N_HALVES; i++) halves[i] = (uint16_t)i;
    FOR_EACH_TABLE(table)
    {
        table->f32_from_f16(N_HALVES, halves, floats);
        table->f16_from_f32(N_HALVES, floats, back);
        for (uint32_t i = 0; i < N_HALVES; i++) {
            double exact = value_of_f16(i);
            if (exact != exact) {
                assert_true(floats[i] != floats[i]);
                assert_int_equal(back[i], i | 0x200);
                continue;
            }
            assert_true((double)floats[i] == exact && !signbit(floats[i]) == !(i & 0x8000));
            assert_int_equal(back[i], i);
        }
    }
}

static void test_every_bf16(void **state)
{
    (void)state;
    static uint16_t halves[N_HALVES], back[N_HALVES];
    static float floats[N_HALVES];
    for (uint32_t i = 0; i < N_HALVES; i++) halves[i] = (uint16_t)i;
    FOR_EACH_TABLE(table)
    {
        table->f32_from_bf16(N_HALVES, halves, floats);
        table->bf16_from_f32(N_HALVES, floats, back);
        for (uint32_t i = 0; i < N_HALVES; i++) {
            uint32_t bits;
            memcpy(&bits, &floats[i], sizeof bits);
            assert_int_equal(bits, i << 16);
            assert_int_equal(back[i], floats[i] != floats[i] ? i | 0x40 : i);
        }
    }
}

static void test_f16_rounding(void **state)
{
    (void)state;
    static const struct {
        float x;
        uint16_t half;
    } cases[] = {
        {65504, 0x7bff}, {65519.996f, 0x7bff}, {65520, 0x7c00}, {1e30f, 0x7c00}, {-INFINITY, 0xfc00}, {1 + 0x1p-11f, 0x3c00},
        {1 + 3 * 0x1p-11f, 0x3c02}, {0x1p-24f, 0x0001}, {0x1p-25f, 0x0000}, {0x1.000002p-25f, 0x0001}, {-0x1.8p-24f, 0x8002},
        {0x1.ff8p-15f, 0x03ff}, {0x1.ffcp-15f, 0x0400}, {0x1p-149f, 0x0000}, {-0.0f, 0x8000}, {0.1f, 0x2e66},
    };
    FOR_EACH_TABLE(table)
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        float x[8];
        uint16_t halves[8];
        fill(x, 8, cases[i].x);
        table->f16_from_f32(8, x, halves);
        assert_int_equal(halves[0], cases[i].half);
        table->f16_from_f32(1, x, halves);
        assert_int_equal(halves[0], cases[i].half);
    }
}

static void test_bf16_rounding(void **state)
{
    (void)state;
    static const struct {
        float x;
        uint16_t half;
    } cases[] = {
        {1 + 0x1p-8f, 0x3f80}, {1 + 3 * 0x1p-8f, 0x3f82}, {0x1.fffffep127f, 0x7f80}, {-0x1p-149f, 0x8000}, {INFINITY, 0x7f80},
        {0.1f, 0x3dcd},
    };
    FOR_EACH_TABLE(table)
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        float x[8];
        uint16_t halves[8];
        fill(x, 8, cases[i].x);
        table->bf16_from_f32(8, x, halves);
        assert_int_equal(halves[0], cases[i].half);
        table->bf16_from_f32(1, x, halves);
        assert_int_equal(halves[0], cases[i].half);
    }
}

/* A step through all f32 patterns, at lengths that leave a rest. */
static void test_same_bits_as_generic(void **state)
{
    (void)state;
    enum { N = 100003 };
    float *x = new_floats(N);
    static uint16_t halves[N], expected[N];
    for (uint32_t i = 0; i < N; i++) {
        uint32_t bits = i * 42949u;
        memcpy(&x[i], &bits, sizeof bits);
    }
    const struct kernels *generic = kernels_by_name("generic");
    FOR_EACH_TABLE(table)
    {
        generic->f16_from_f32(N, x, expected);
        table->f16_from_f32(N, x, halves);
        assert_memory_equal(halves, expected, sizeof halves);
        generic->bf16_from_f32(N, x, expected);
        table->bf16_from_f32(N, x, halves);
        assert_memory_equal(halves, expected, sizeof halves);
    }
    memory_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_f16),     cmocka_unit_test(test_every_bf16),           cmocka_unit_test(test_f16_rounding),
        cmocka_unit_test(test_bf16_rounding), cmocka_unit_test(test_same_bits_as_generic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
