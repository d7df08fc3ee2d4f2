/* Cast and CastLike: every pair of types, one rounding only, floats of 4 and 8 bits pattern by pattern, strings. */
#include "unit.h"

#include "ops/run_op.h"
#include "quant/small_float.h"

#include <math.h>

static struct op_bench bench;

static struct tensor vector(enum dtype dtype, int64_t n, const void *items)
{
    struct tensor x;
    void *copy = arena_copy(&bench.arena, items, (size_t)n * dtype_block_bytes(dtype), 64);
    assert_int_equal(tensor_init(&x, dtype, 1, &n, copy, &bench.error), HOB_OK);
    return x;
}

static struct tensor cast_with(const struct tensor *x, enum dtype to, int opset, const struct attribute *more)
{
    struct attribute attributes[2] = {int_attribute("to", to)};
    struct tensor y;
    if (more) attributes[1] = *more;
    run_op(&bench, "", "Cast", opset, attributes, more ? 2 : 1, (const struct tensor *[]){x}, 1, &y, 1);
    assert_int_equal(y.dtype, to);
    return y;
}

static struct tensor cast(const struct tensor *x, enum dtype to)
{
    return cast_with(x, to, 25, NULL);
}

static const enum dtype numbers[] = {
    DTYPE_F32, DTYPE_U8, DTYPE_I8, DTYPE_U16, DTYPE_I16, DTYPE_I32, DTYPE_I64, DTYPE_F16, DTYPE_F64, DTYPE_U32, DTYPE_U64, DTYPE_BF16,
    DTYPE_F8E4M3FN, DTYPE_F8E4M3FNUZ, DTYPE_F8E5M2, DTYPE_F8E5M2FNUZ, DTYPE_U4, DTYPE_I4, DTYPE_F4E2M1,
};
static const enum dtype small_floats[] = {DTYPE_F8E4M3FN, DTYPE_F8E4M3FNUZ, DTYPE_F8E5M2, DTYPE_F8E5M2FNUZ, DTYPE_F4E2M1};
#define EACH(type, types) (size_t type##_at = 0; type##_at < sizeof types / sizeof types[0]; type##_at++)

/* 0, 1, 2, 3, 4, 6 are in every type of 4 bits and more; enough of them for whole tiles and the rest of one. */
static void test_every_pair(void **state)
{
    (void)state;
    enum { N = 130 };
    static const float values[] = {0, 1, 2, 3, 4, 6};
    float items[N], back[N];
    for (int i = 0; i < N; i++) items[i] = values[i % 6];
    struct tensor x = vector(DTYPE_F32, N, items);
    for EACH(from, numbers) {
        struct tensor source = cast(&x, numbers[from_at]);
        for EACH(to, numbers) {
            struct tensor target = cast(&source, numbers[to_at]), y = cast(&target, DTYPE_F32);
            tensor_copy_contiguous(&y, back);
            assert_memory_equal(back, items, sizeof items);
        }
    }
}

static void test_like_and_strides(void **state)
{
    (void)state;
    static const float items[] = {0, 1, 2, 3, 4, 6};
    static const uint8_t expected[] = {0, 3, 1, 4, 2, 6};
    struct tensor x = vector(DTYPE_F32, 6, items), like = vector(DTYPE_U4, 1, "\1"), matrix, y;
    assert_true(tensor_reshape(&x, 2, (int64_t[]){2, 3}, &matrix));
    struct tensor turned = tensor_transpose(&matrix, (int[]){1, 0});
    run_op(&bench, "", "CastLike", 21, NULL, 0, (const struct tensor *[]){&turned, &like}, 2, &y, 1);
    assert_int_equal(y.dtype, DTYPE_U4);
    assert_memory_equal(y.data, expected, sizeof expected);
    struct tensor packed = y, wide;
    run_op(&bench, "", "CastLike", 21, NULL, 0,
           (const struct tensor *[]){&(struct tensor){.data = packed.data, .dtype = DTYPE_U4, .rank = 2, .dims = {2, 3}, .strides = {1, 2}}, &x}, 2, &wide, 1);
    assert_memory_equal(wide.data, items, sizeof items);
}

/* ---- floats of 4 and 8 bits ---- */

static void test_known_patterns(void **state)
{
    (void)state;
    static const struct {
        enum dtype dtype;
        uint8_t bits;
        float number;
    } known[] = {
        {DTYPE_F8E4M3FN, 0x7e, 448}, {DTYPE_F8E4M3FN, 0x01, 0x1p-9f}, {DTYPE_F8E4M3FN, 0x38, 1}, {DTYPE_F8E4M3FN, 0xb8, -1},
        {DTYPE_F8E4M3FNUZ, 0x7f, 240}, {DTYPE_F8E4M3FNUZ, 0x01, 0x1p-10f}, {DTYPE_F8E4M3FNUZ, 0x40, 1},
        {DTYPE_F8E5M2, 0x7b, 57344}, {DTYPE_F8E5M2, 0x01, 0x1p-16f}, {DTYPE_F8E5M2, 0x7c, INFINITY}, {DTYPE_F8E5M2, 0x3c, 1},
        {DTYPE_F8E5M2FNUZ, 0x7f, 57344}, {DTYPE_F8E5M2FNUZ, 0x01, 0x1p-17f}, {DTYPE_F4E2M1, 0x7, 6}, {DTYPE_F4E2M1, 0x9, -0.5f},
        {DTYPE_F8E8M0, 0, 0x1p-127f}, {DTYPE_F8E8M0, 127, 1}, {DTYPE_F8E8M0, 254, 0x1p127f},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_true(small_float_decode(known[i].dtype, known[i].bits) == known[i].number);
    static const struct {
        enum dtype dtype;
        uint8_t bits;
    } nans[] = {{DTYPE_F8E4M3FN, 0x7f}, {DTYPE_F8E4M3FN, 0xff}, {DTYPE_F8E4M3FNUZ, 0x80}, {DTYPE_F8E5M2, 0x7d}, {DTYPE_F8E5M2, 0xff},
                {DTYPE_F8E5M2FNUZ, 0x80}, {DTYPE_F8E8M0, 0xff}};
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++) assert_true(isnan(small_float_decode(nans[i].dtype, nans[i].bits)));
}

static int n_patterns(enum dtype dtype)
{
    return dtype == DTYPE_F4E2M1 ? 16 : 256;
}

static void test_patterns_stay(void **state)
{
    (void)state;
    for EACH(type, small_floats)
        for (int bits = 0; bits < n_patterns(small_floats[type_at]); bits++) {
            float number = small_float_decode(small_floats[type_at], (uint8_t)bits);
            if (isnan(number)) continue;
            assert_int_equal(small_float_encode(small_floats[type_at], (double)number, false), bits);
        }
    for (int bits = 0; bits < 256; bits++)
        for (int rounding = E8M0_UP; rounding <= E8M0_NEAREST; rounding++)
            assert_int_equal(small_float_encode_e8m0((double)small_float_decode(DTYPE_F8E8M0, (uint8_t)bits), true, (enum e8m0_rounding)rounding),
                             bits);
}

/* The nearest of all patterns, the even one of two that are as near: found by looking at all. */
static uint8_t nearest_pattern(enum dtype dtype, double x)
{
    int best = -1;
    double best_distance = 0;
    for (int bits = 0; bits < n_patterns(dtype) / 2; bits++) {
        double number = (double)small_float_decode(dtype, (uint8_t)bits), distance = fabs(number - x);
        if (!isfinite(number)) continue;
        bool is_better = best < 0 || distance < best_distance || (distance == best_distance && bits % 2 == 0);
        if (is_better) best = bits, best_distance = distance;
    }
    return (uint8_t)best;
}

static void test_nearest(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for EACH(type, small_floats)
        for (int i = 0; i < 3000; i++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            double x = ldexp((double)(seed >> 40), (int)(seed >> 32 & 31) - 42); /* 2^-42 to 2^13, all below the largest */
            if (i % 3 == 0) { /* halfway between two */
                uint8_t bits = (uint8_t)(seed >> 50 & (unsigned)(n_patterns(small_floats[type_at]) / 4 - 1));
                x = ((double)small_float_decode(small_floats[type_at], bits) + (double)small_float_decode(small_floats[type_at], (uint8_t)(bits + 1))) / 2;
            }
            assert_int_equal(small_float_encode(small_floats[type_at], x, true), nearest_pattern(small_floats[type_at], x));
        }
}

static void test_too_large(void **state)
{
    (void)state;
    static const float items[] = {1e6f, -1e6f, INFINITY, -INFINITY, NAN, -0.0f};
    static const uint8_t kept[][6] = {{0x7e, 0xfe, 0x7e, 0xfe, 0x7f, 0x80}, {0x7f, 0xff, 0x7f, 0xff, 0x80, 0x00},
                                      {0x7b, 0xfb, 0x7b, 0xfb, 0x7e, 0x80}, {0x7f, 0xff, 0x7f, 0xff, 0x80, 0x00},
                                      {0x07, 0x0f, 0x07, 0x0f, 0x08, 0x08}};
    static const uint8_t lost[][6] = {{0x7f, 0xff, 0x7f, 0xff, 0x7f, 0x80}, {0x80, 0x80, 0x80, 0x80, 0x80, 0x00},
                                      {0x7c, 0xfc, 0x7c, 0xfc, 0x7e, 0x80}, {0x80, 0x80, 0x80, 0x80, 0x80, 0x00},
                                      {0x07, 0x0f, 0x07, 0x0f, 0x08, 0x08}};
    const struct attribute unsaturated = int_attribute("saturate", 0);
    struct tensor x = vector(DTYPE_F32, 6, items);
    for EACH(type, small_floats) {
        struct tensor y = cast(&x, small_floats[type_at]), z = cast_with(&x, small_floats[type_at], 19, &unsaturated);
        assert_memory_equal(y.data, kept[type_at], 6);
        assert_memory_equal(z.data, lost[type_at], 6);
    }
}

static void test_e8m0(void **state)
{
    (void)state;
    static const float items[] = {1.1f, 1.5f, 2, 0, INFINITY, NAN, -3};
    static const struct {
        const char *mode;
        uint8_t bits[7];
    } modes[] = {{"up", {128, 128, 128, 0, 254, 255, 129}},
                 {"down", {127, 127, 128, 0, 254, 255, 128}},
                 {"nearest", {127, 128, 128, 0, 254, 255, 129}}};
    struct tensor x = vector(DTYPE_F32, 7, items), y;
    for (size_t i = 0; i < 3; i++) {
        struct attribute mode = {.name = "round_mode", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {modes[i].mode, strlen(modes[i].mode)}};
        y = cast_with(&x, DTYPE_F8E8M0, 24, &mode);
        assert_memory_equal(y.data, modes[i].bits, 7);
    }
    const struct attribute unsaturated = int_attribute("saturate", 0);
    y = cast_with(&x, DTYPE_F8E8M0, 24, &unsaturated);
    assert_memory_equal(y.data, ((const uint8_t[]){128, 128, 128, 255, 255, 255, 129}), 7);
}

/* ---- one rounding ---- */

static uint16_t to_bf16(enum dtype dtype, const void *item)
{
    struct tensor x = vector(dtype, 1, item), y = cast(&x, DTYPE_BF16);
    return *(const uint16_t *)y.data;
}

/* Just above a tie: what is lost in a first rounding to f32 or f64 decides. */
static void test_no_double_rounding(void **state)
{
    (void)state;
    const double real = 1 + 0x1p-8 + 0x1p-40, small = 1 + 0x1p-4 + 0x1p-40;
    const int64_t i64 = (INT64_C(1) << 62) + (INT64_C(1) << 54) + 1, negative = -i64;
    const uint64_t u64 = (UINT64_C(1) << 63) + (UINT64_C(1) << 55) + 1;
    const int32_t i32 = (1 << 30) + (1 << 22) + 1;
    const uint32_t u32 = (UINT32_C(1) << 31) + (1 << 23) + 1;
    assert_int_equal(to_bf16(DTYPE_F64, &real), 0x3f81);
    assert_int_equal(to_bf16(DTYPE_I64, &i64), 0x5e81);
    assert_int_equal(to_bf16(DTYPE_I64, &negative), 0xde81);
    assert_int_equal(to_bf16(DTYPE_U64, &u64), 0x5f01);
    assert_int_equal(to_bf16(DTYPE_I32, &i32), 0x4e81);
    assert_int_equal(to_bf16(DTYPE_U32, &u32), 0x4f01);
    struct tensor x = vector(DTYPE_F64, 1, &small), y = cast(&x, DTYPE_F8E4M3FN);
    assert_int_equal(*(const uint8_t *)y.data, 0x39);
    struct tensor wide = vector(DTYPE_U64, 1, &u64);
    y = cast(&wide, DTYPE_F8E8M0);
    assert_int_equal(*(const uint8_t *)y.data, 127 + 64);
}

/* ONNX 1.12's cases, of opsets 13 and 15, cut bfloat16 off; later opsets round. */
static void test_bf16_by_opset(void **state)
{
    (void)state;
    static const float items[] = {0.48033667f, -0.49968487f, NAN};
    static const uint16_t cut[] = {0x3ef5, 0xbeff, 0x7fc0}, rounded[] = {0x3ef6, 0xbf00, 0x7fc0};
    struct tensor x = vector(DTYPE_F32, 3, items);
    for (int opset = 13; opset <= 19; opset++) {
        struct tensor y = cast_with(&x, DTYPE_BF16, opset, NULL);
        assert_memory_equal(y.data, opset <= 15 ? cut : rounded, sizeof cut);
    }
}

/* ---- integers of 2 and 4 bits ---- */

static void test_wrapping(void **state)
{
    (void)state;
    static const int32_t items[] = {-9, -8, -1, 7, 8, 15, 300};
    struct tensor x = vector(DTYPE_I32, 7, items), y = cast(&x, DTYPE_I4);
    assert_memory_equal(y.data, ((const int8_t[]){7, -8, -1, 7, -8, -1, -4}), 7);
    y = cast(&x, DTYPE_U4);
    assert_memory_equal(y.data, ((const uint8_t[]){7, 8, 15, 7, 8, 15, 12}), 7);
    y = cast(&x, DTYPE_I2);
    assert_memory_equal(y.data, ((const int8_t[]){-1, 0, -1, -1, 0, -1, 0}), 7);
    y = cast(&x, DTYPE_U2);
    assert_memory_equal(y.data, ((const uint8_t[]){3, 0, 3, 3, 0, 3, 0}), 7);
}

/* ---- strings ---- */

static void test_strings(void **state)
{
    (void)state;
    static const struct tensor_string texts[] = {{"9223372036854775807", 19}, {"-7", 2}, {"2.5", 3}};
    struct tensor x = vector(DTYPE_STRING, 3, texts), y = cast(&x, DTYPE_I64);
    assert_memory_equal(y.data, ((const int64_t[]){INT64_MAX, -7, 2}), 24);
    struct tensor some = tensor_slice(&x, 0, 1, 2, 1);
    y = cast(&some, DTYPE_F8E4M3FN);
    assert_memory_equal(y.data, ((const uint8_t[]){0xce, 0x42}), 2);
    static const struct tensor_string bad[] = {{"seven", 5}};
    struct tensor word = vector(DTYPE_STRING, 1, bad);
    const struct attribute to = int_attribute("to", DTYPE_I32);
    assert_int_equal(try_op(&bench, "", "Cast", 13, &to, 1, (const struct tensor *[]){&word}, 1, &y, 1), HOB_BAD_ARGUMENT);
}

static void test_bad_attributes(void **state)
{
    (void)state;
    struct tensor x = vector(DTYPE_I32, 1, "\1\0\0"), y;
    const struct attribute modes[] = {int_attribute("to", DTYPE_F8E8M0),
                                      {.name = "round_mode", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"sideways", 8}}};
    assert_int_equal(try_op(&bench, "", "Cast", 24, modes, 2, (const struct tensor *[]){&x}, 1, &y, 1), HOB_BAD_GRAPH);
    const struct attribute to = int_attribute("to", 120), block = int_attribute("to", DTYPE_Q4_0);
    assert_int_equal(try_op(&bench, "", "Cast", 13, &to, 1, (const struct tensor *[]){&x}, 1, &y, 1), HOB_BAD_GRAPH);
    assert_int_equal(try_op(&bench, "", "Cast", 13, &block, 1, (const struct tensor *[]){&x}, 1, &y, 1), HOB_BAD_TYPE);
}

static int setup(void **state)
{
    (void)state;
    op_bench_init(&bench, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    op_bench_release(&bench);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_like_and_strides),
        cmocka_unit_test(test_known_patterns),
        cmocka_unit_test(test_patterns_stay),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_e8m0),
        cmocka_unit_test(test_no_double_rounding),
        cmocka_unit_test(test_bf16_by_opset),
        cmocka_unit_test(test_wrapping),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_bad_attributes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
