/* Quantised operators against plain numpy formulas (tools/make-quant-goldens.py): products of bytes over their full ranges must
 * be exact, quantised results the same bytes, numbers within 1e-5. */
#include "unit.h"

#include "ops/run_op.h"

#include <math.h>

static struct op_bench bench;

static struct tensor data(const char *test, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "quant_%s_%s", test, name);
    return golden(&bench, path);
}

static struct tensor number(enum dtype dtype, const void *value, size_t n_bytes)
{
    struct tensor x;
    void *bytes = arena_alloc(&bench.arena, 16, 16);
    memcpy(bytes, value, n_bytes);
    assert_int_equal(tensor_init(&x, dtype, 0, NULL, bytes, &bench.error), HOB_OK);
    return x;
}

static struct tensor scale_of(float scale)
{
    return number(DTYPE_F32, &scale, sizeof scale);
}

static struct tensor byte_of(enum dtype dtype, int zero)
{
    uint8_t byte = (uint8_t)zero;
    return number(dtype, &byte, 1);
}

struct call {
    const char *domain, *name;
    int opset;
    const struct attribute *attributes;
    size_t n_attributes;
    const struct tensor *inputs[9];
    int n_inputs;
};

static void check_with(struct op_bench *with, const struct call *call, const struct tensor *expected)
{
    struct tensor y;
    run_op(with, call->domain, call->name, call->opset, call->attributes, call->n_attributes, call->inputs, call->n_inputs,
           &y, 1);
    assert_int_equal(y.dtype, expected->dtype);
    if (y.dtype == DTYPE_F32) assert_close(with, &y, expected, 1e-5f, 2e-5f);
    else assert_same_bytes(with, &y, expected);
}

/* With every kernel table, and by one thread and by three. */
static void check(const struct call *call, const struct tensor *expected)
{
    for (size_t i = 0; kernels_at(i); i++)
        for (size_t n_threads = 1; n_threads <= 3; n_threads += 2) {
            struct op_bench with;
            op_bench_init(&with, n_threads);
            with.kernels = kernels_at(i);
            check_with(&with, call, expected);
            op_bench_release(&with);
        }
}

static const char ms[] = "com.microsoft";

/* ---- weights in blocks ---- */

static void check_nbits(const char *test, int64_t bits, int64_t n, int64_t k, int64_t block, bool has_zeros, bool has_groups)
{
    const struct attribute attributes[] = {int_attribute("N", n), int_attribute("K", k), int_attribute("block_size", block),
                                           int_attribute("bits", bits)};
    struct tensor a = data(test, "a"), b = data(test, "b"), scales = data(test, "scales"), bias = data(test, "bias");
    struct tensor zeros = {0}, groups = {0}, y = data(test, "y");
    if (has_zeros) zeros = data(test, "zeros");
    if (has_groups) groups = data(test, "groups");
    struct call call = {ms, "MatMulNBits", 1, attributes, 4,
                        {&a, &b, &scales, has_zeros ? &zeros : NULL, has_groups ? &groups : NULL, &bias}, 6};
    check(&call, &y);
    struct tensor flat;
    assert_true(tensor_reshape(&scales, 1, (int64_t[]){tensor_n_items(&scales)}, &flat));
    call.inputs[2] = &flat;
    check(&call, &y);
}

static void test_matmul_nbits(void **state)
{
    (void)state;
    check_nbits("nbits4", 4, 18, 80, 32, true, false);
    check_nbits("nbits8", 8, 5, 48, 16, false, false);
    check_nbits("nbits2", 2, 33, 70, 32, true, false);
    check_nbits("nbits_groups", 4, 17, 64, 16, true, true);
}

/* Each row of A gives the same bytes alone as among others. */
static void test_nbits_rows_alone(void **state)
{
    (void)state;
    const struct attribute attributes[] = {int_attribute("N", 18), int_attribute("K", 80), int_attribute("block_size", 32)};
    struct tensor a = data("nbits4", "a"), b = data("nbits4", "b"), scales = data("nbits4", "scales"), all, one;
    run_op(&bench, ms, "MatMulNBits", 1, attributes, 3, (const struct tensor *[]){&a, &b, &scales}, 3, &all, 1);
    struct tensor row = tensor_slice(&a, 0, 1, 1, 1), expected = tensor_slice(&all, 0, 1, 1, 1);
    run_op(&bench, ms, "MatMulNBits", 1, attributes, 3, (const struct tensor *[]){&row, &b, &scales}, 3, &one, 1);
    assert_same_bytes(&bench, &one, &expected);
}

static void test_matmul_bnb4(void **state)
{
    (void)state;
    for (int type = 0; type < 2; type++) {
        const char *test = type ? "nf4" : "fp4";
        const struct attribute attributes[] = {int_attribute("N", 6), int_attribute("K", 19), int_attribute("block_size", 16),
                                               int_attribute("quant_type", type)};
        struct tensor a = data(test, "a"), b = data(test, "b"), absmax = data(test, "absmax"), y = data(test, "y");
        check(&(struct call){ms, "MatMulBnb4", 1, attributes, 4, {&a, &b, &absmax}, 3}, &y);
    }
}

static void test_gather_block_quantized(void **state)
{
    (void)state;
    const struct attribute attributes[] = {int_attribute("block_size", 16), int_attribute("quantize_axis", -1)};
    struct tensor packed = data("gather", "data"), whole = data("gather", "bytes"), indices = data("gather", "indices");
    struct tensor scales = data("gather", "scales"), zeros = data("gather", "zeros"), y = data("gather", "y");
    struct tensor y_middle = data("gather", "y_middle"), y_plain = data("gather", "y_plain");
    check(&(struct call){ms, "GatherBlockQuantized", 1, attributes, 2, {&packed, &indices, &scales, &zeros}, 4}, &y);
    check(&(struct call){ms, "GatherBlockQuantized", 1, attributes, 2, {&packed, &indices, &scales}, 3}, &y_middle);
    whole.dtype = DTYPE_U4; /* a byte each, as memory holds them */
    check(&(struct call){ms, "GatherBlockQuantized", 1, attributes, 2, {&whole, &indices, &scales}, 3}, &y_plain);
    struct tensor beyond = ints_i64(&bench, 1, (const int64_t[]){7}), none;
    assert_int_equal(try_op(&bench, ms, "GatherBlockQuantized", 1, attributes, 2,
                            (const struct tensor *[]){&packed, &beyond, &scales}, 3, &none, 1),
                     HOB_BAD_ARGUMENT);
}

/* ---- products of bytes ---- */

static void test_integers_to_floats(void **state)
{
    (void)state;
    struct tensor a = data("dynamic", "a"), b = data("dynamic", "b"), b_scale = data("dynamic", "b_scale");
    struct tensor b_zero = data("dynamic", "b_zero"), bias = data("dynamic", "bias"), y = data("dynamic", "y");
    check(&(struct call){ms, "DynamicQuantizeMatMul", 1, NULL, 0, {&a, &b, &b_scale, &b_zero, &bias}, 5}, &y);
    struct tensor bytes = data("to_float", "a"), scale = scale_of(0.02f), zero = byte_of(DTYPE_U8, 117);
    struct tensor y_plain = data("to_float", "y"), y_bias = data("to_float", "y_bias");
    struct call call = {ms, "MatMulIntegerToFloat", 1, NULL, 0, {&bytes, &b, &scale, &b_scale, &zero, &b_zero, &bias}, 7};
    check(&call, &y_bias);
    call.n_inputs = 6;
    check(&call, &y_plain);
}

static void test_qgemm(void **state)
{
    (void)state;
    const struct attribute attributes[] = {int_attribute("transB", 1), float_attribute("alpha", 1.5f)};
    struct tensor a = data("qgemm", "a"), b = data("qgemm", "b"), c = data("qgemm", "c"), b_scale = data("qgemm", "b_scale");
    struct tensor b_zero = data("qgemm", "b_zero"), y = data("qgemm", "y"), y_bytes = data("qgemm", "y_bytes");
    struct tensor a_scale = scale_of(0.0517f), a_zero = byte_of(DTYPE_U8, 130), y_scale = scale_of(0.5119f), y_zero = byte_of(DTYPE_U8, 3);
    struct call call = {ms, "QGemm", 1, attributes, 2, {&a, &a_scale, &a_zero, &b, &b_scale, &b_zero, &c, &y_scale, &y_zero}, 9};
    check(&call, &y_bytes);
    call.n_inputs = 7;
    check(&call, &y);
}

static void test_matmul_rows_and_columns(void **state)
{
    (void)state;
    struct tensor a = data("matmul", "a"), b = data("matmul", "b"), a_scale = data("matmul", "a_scale"), b_scale = data("matmul", "b_scale");
    struct tensor a_zero = data("matmul", "a_zero"), b_zero = data("matmul", "b_zero"), sums = data("matmul", "sums");
    struct tensor y_scale = scale_of(2.0113f), y_zero = byte_of(DTYPE_I8, -4), y = data("matmul", "y");
    check(&(struct call){"", "MatMulInteger", 10, NULL, 0, {&a, &b, &a_zero, &b_zero}, 4}, &sums);
    check(&(struct call){"", "QLinearMatMul", 21, NULL, 0, {&a, &a_scale, &a_zero, &b, &b_scale, &b_zero, &y_scale, &y_zero}, 8}, &y);
}

/* 255 x 127 four times, where products of 8 bits summed in pairs of 16 bits stop at 65534. */
static void test_no_saturation(void **state)
{
    (void)state;
    uint8_t a_bytes[4], b_bytes[4];
    int32_t sum = 4 * 255 * 127;
    memset(a_bytes, 255, sizeof a_bytes);
    memset(b_bytes, 127, sizeof b_bytes);
    struct tensor a, b, y;
    assert_int_equal(tensor_init(&a, DTYPE_U8, 2, (int64_t[]){1, 4}, a_bytes, &bench.error), HOB_OK);
    assert_int_equal(tensor_init(&b, DTYPE_I8, 2, (int64_t[]){4, 1}, b_bytes, &bench.error), HOB_OK);
    assert_int_equal(tensor_init(&y, DTYPE_I32, 2, (int64_t[]){1, 1}, &sum, &bench.error), HOB_OK);
    check(&(struct call){"", "MatMulInteger", 10, NULL, 0, {&a, &b}, 2}, &y);
}

static void test_vectors(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4};
    static const int32_t sums[] = {7, 10}, dot[] = {5};
    struct tensor vector, matrix, two, y;
    assert_int_equal(tensor_init(&vector, DTYPE_U8, 1, (int64_t[]){2}, (void *)(uintptr_t)bytes, &bench.error), HOB_OK);
    assert_int_equal(tensor_init(&matrix, DTYPE_U8, 2, (int64_t[]){2, 2}, (void *)(uintptr_t)bytes, &bench.error), HOB_OK);
    assert_int_equal(tensor_init(&two, DTYPE_I32, 1, (int64_t[]){2}, (void *)(uintptr_t)sums, &bench.error), HOB_OK);
    check(&(struct call){"", "MatMulInteger", 10, NULL, 0, {&vector, &matrix}, 2}, &two);
    assert_int_equal(tensor_init(&y, DTYPE_I32, 0, NULL, (void *)(uintptr_t)dot, &bench.error), HOB_OK);
    check(&(struct call){"", "MatMulInteger", 10, NULL, 0, {&vector, &vector}, 2}, &y);
}

/* ---- convolutions ---- */

static struct attribute list(const char *name, size_t n, const int64_t *items)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_INTS, .n_items = n, .integers = items};
}

static void test_convolutions(void **state)
{
    (void)state;
    const struct attribute attributes[] = {int_attribute("group", 2), list("strides", 2, (const int64_t[]){2, 1}),
                                           list("pads", 4, (const int64_t[]){1, 2, 0, 1}), list("dilations", 2, (const int64_t[]){1, 2})};
    struct tensor x = data("conv", "x"), w = data("conv", "w"), w_zero = data("conv", "w_zero"), w_scale = data("conv", "w_scale");
    struct tensor bias = data("conv", "bias"), sums = data("conv", "sums"), y = data("conv", "y");
    struct tensor x_scale = scale_of(0.0307f), x_zero = byte_of(DTYPE_U8, 77), y_scale = scale_of(0.4021f), y_zero = byte_of(DTYPE_U8, 100);
    check(&(struct call){"", "ConvInteger", 10, attributes, 4, {&x, &w, &x_zero, &w_zero}, 4}, &sums);
    check(&(struct call){"", "QLinearConv", 10, attributes, 4,
                         {&x, &x_scale, &x_zero, &w, &w_scale, &w_zero, &y_scale, &y_zero, &bias}, 9}, &y);
    struct tensor x_1x1 = data("conv_1x1", "x"), w_1x1 = data("conv_1x1", "w"), sums_1x1 = data("conv_1x1", "sums");
    struct tensor five = byte_of(DTYPE_I8, -5), middle = byte_of(DTYPE_U8, 128);
    check(&(struct call){"", "ConvInteger", 10, NULL, 0, {&x_1x1, &w_1x1, &five, &middle}, 4}, &sums_1x1);
}

/* ---- element by element and the rest ---- */

static void test_binary(void **state)
{
    (void)state;
    struct tensor a = data("binary", "a"), b = data("binary", "b"), sum = data("binary", "add"), product = data("binary", "mul");
    struct tensor a_scale = scale_of(0.0517f), a_zero = byte_of(DTYPE_I8, 3), b_scale = scale_of(0.0223f), b_zero = byte_of(DTYPE_I8, -9);
    struct tensor sum_scale = scale_of(0.0619f), one = byte_of(DTYPE_I8, 1), product_scale = scale_of(0.0731f), two = byte_of(DTYPE_I8, 2);
    check(&(struct call){ms, "QLinearAdd", 1, NULL, 0, {&a, &a_scale, &a_zero, &b, &b_scale, &b_zero, &sum_scale, &one}, 8}, &sum);
    check(&(struct call){ms, "QLinearMul", 1, NULL, 0, {&a, &a_scale, &a_zero, &b, &b_scale, &b_zero, &product_scale, &two}, 8}, &product);
    struct tensor condition = data("where", "condition"), picked = data("where", "y"), scale = scale_of(0.0413f), five = byte_of(DTYPE_I8, 5);
    check(&(struct call){ms, "QLinearWhere", 1, NULL, 0, {&condition, &a, &a_scale, &a_zero, &b, &b_scale, &b_zero, &scale, &five}, 9}, &picked);
}

static void test_unary(void **state)
{
    (void)state;
    const struct attribute alpha = float_attribute("alpha", 0.2f);
    struct tensor x = data("unary", "x"), sigmoid = data("unary", "sigmoid"), leaky = data("unary", "leaky");
    struct tensor scale = scale_of(0.0411f), zero = byte_of(DTYPE_U8, 120), leaky_scale = scale_of(0.0307f), ninety = byte_of(DTYPE_U8, 90);
    struct tensor unit = scale_of(1 / 256.0f), none = byte_of(DTYPE_U8, 0);
    check(&(struct call){ms, "QLinearSigmoid", 1, NULL, 0, {&x, &scale, &zero, &unit, &none}, 5}, &sigmoid);
    check(&(struct call){ms, "QLinearLeakyRelu", 1, &alpha, 1, {&x, &scale, &zero, &leaky_scale, &ninety}, 5}, &leaky);
}

static void test_concat(void **state)
{
    (void)state;
    const struct attribute axis = int_attribute("axis", 1);
    static const float scales[] = {0.1f, 0.0517f, 0.2113f};
    static const int zeros[] = {128, 100, 7};
    const struct tensor *inputs[11];
    struct tensor parts[11], y = data("concat", "y"), found;
    parts[0] = scale_of(0.1f), parts[1] = byte_of(DTYPE_U8, 128);
    for (int i = 0; i < 3; i++) {
        parts[2 + 3 * i] = data("concat", (const char *[]){"x0", "x1", "x2"}[i]);
        parts[3 + 3 * i] = scale_of(scales[i]);
        parts[4 + 3 * i] = byte_of(DTYPE_U8, zeros[i]);
    }
    for (int i = 0; i < 11; i++) inputs[i] = &parts[i];
    run_op(&bench, ms, "QLinearConcat", 1, &axis, 1, inputs, 11, &found, 1);
    assert_same_bytes(&bench, &found, &y);
    assert_int_equal(try_op(&bench, ms, "QLinearConcat", 1, &axis, 1, inputs, 10, &found, 1), HOB_BAD_GRAPH);
}

static void test_softmax(void **state)
{
    (void)state;
    const struct attribute attributes[] = {int_attribute("axis", 1), int_attribute("opset", 13)};
    const struct attribute flat[] = {int_attribute("axis", 1), int_attribute("opset", 12)};
    struct tensor x = data("softmax", "x"), y = data("softmax", "y"), y_flat = data("softmax", "y_flat");
    struct tensor scale = scale_of(0.0311f), zero = byte_of(DTYPE_U8, 128), unit = scale_of(1 / 256.0f), none = byte_of(DTYPE_U8, 0);
    check(&(struct call){ms, "QLinearSoftmax", 1, attributes, 2, {&x, &scale, &zero, &unit, &none}, 5}, &y);
    check(&(struct call){ms, "QLinearSoftmax", 1, flat, 2, {&x, &scale, &zero, &unit, &none}, 5}, &y_flat);
}

static void test_pools(void **state)
{
    (void)state;
    struct attribute attributes[] = {list("kernel_shape", 2, (const int64_t[]){3, 2}), list("strides", 2, (const int64_t[]){2, 2}),
                                     list("pads", 4, (const int64_t[]){1, 1, 1, 1}), int_attribute("count_include_pad", 0),
                                     int_attribute("channels_last", 0)};
    struct tensor x = data("pool", "x"), x_last = data("pool", "x_last"), y = data("pool", "y"), y_last = data("pool", "y_last");
    struct tensor counted = data("pool", "y_counted"), global = data("pool", "y_global");
    struct tensor scale = scale_of(0.1037f), zero = byte_of(DTYPE_U8, 100), y_scale = scale_of(0.0819f), y_zero = byte_of(DTYPE_U8, 110);
    struct call call = {ms, "QLinearAveragePool", 1, attributes, 5, {&x, &scale, &zero, &y_scale, &y_zero}, 5};
    check(&call, &y);
    attributes[3].integer = 1;
    check(&call, &counted);
    check(&(struct call){ms, "QLinearGlobalAveragePool", 1, NULL, 0, {&x, &scale, &zero, &y_scale, &y_zero}, 5}, &global);
    attributes[3].integer = 0, attributes[4].integer = 1;
    call.inputs[0] = &x_last;
    check(&call, &y_last);
}

/* ---- QuantizeLinear and DequantizeLinear beyond ONNX's cases ---- */

static struct tensor tensor_of(enum dtype dtype, int rank, const int64_t *dims, const void *items)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, dtype, rank, dims, NULL, &bench.error), HOB_OK);
    x.data = arena_copy(&bench.arena, items, tensor_n_bytes(&x), 64);
    return x;
}

/* Blocks along an axis that is not the last, the last of them shorter. */
static void test_blocks_of_rows(void **state)
{
    (void)state;
    const struct attribute attributes[] = {int_attribute("axis", 0), int_attribute("block_size", 2), int_attribute("output_dtype", DTYPE_I4)};
    struct tensor x = tensor_of(DTYPE_F32, 2, (int64_t[]){3, 2}, (const float[]){1, -2, 2.5f, 100, 8, 7});
    struct tensor scale = tensor_of(DTYPE_F32, 2, (int64_t[]){2, 2}, (const float[]){1, 2, 4, 0.5f});
    struct tensor y = tensor_of(DTYPE_I4, 2, (int64_t[]){3, 2}, (const int8_t[]){1, -1, 2, 7, 2, 7});
    struct tensor back = tensor_of(DTYPE_F32, 2, (int64_t[]){3, 2}, (const float[]){1, -2, 2, 14, 8, 3.5f});
    check(&(struct call){"", "QuantizeLinear", 21, attributes, 3, {&x, &scale}, 2}, &y);
    check(&(struct call){"", "DequantizeLinear", 21, attributes, 2, {&y, &scale}, 2}, &back);
    check(&(struct call){ms, "DequantizeLinear", 1, attributes, 2, {&y, &scale}, 2}, &back);
}

static void test_16_bits_and_nan(void **state)
{
    (void)state;
    struct tensor x = tensor_of(DTYPE_F32, 1, (int64_t[]){6}, (const float[]){0.5f, 1.5f, -1e30f, INFINITY, NAN, 100});
    struct tensor scale = scale_of(1), zero = tensor_of(DTYPE_U16, 0, NULL, (const uint16_t[]){1000});
    struct tensor y = tensor_of(DTYPE_U16, 1, (int64_t[]){6}, (const uint16_t[]){1000, 1002, 0, 65535, 0, 1100});
    check(&(struct call){ms, "QuantizeLinear", 1, NULL, 0, {&x, &scale, &zero}, 3}, &y);
    check(&(struct call){"", "QuantizeLinear", 21, NULL, 0, {&x, &scale, &zero}, 3}, &y);
}

/* Rows longer than what is computed at a time, with one scale for all, one for each row and one for each column. */
static void test_long_rows(void **state)
{
    (void)state;
    enum { ROWS = 3, COLUMNS = 1301, ITEMS = ROWS * COLUMNS };
    static float numbers[ITEMS], back[ITEMS], scales[COLUMNS];
    static int8_t bytes[ITEMS], zeros[COLUMNS];
    for (int i = 0; i < ITEMS; i++) numbers[i] = (float)(i * 7919 % 2003 - 1000) / 7;
    numbers[5] = INFINITY, numbers[700] = NAN, numbers[ITEMS - 1] = -INFINITY;
    for (int i = 0; i < COLUMNS; i++) {
        scales[i] = 0.5f + (float)(i % 37) / 16;
        zeros[i] = (int8_t)(i % 255 - 127);
    }
    for (int axis = -1; axis < 2; axis++) {
        const struct attribute attribute = int_attribute("axis", axis);
        const int64_t n_scales = axis < 0 ? 1 : axis ? COLUMNS : ROWS;
        for (int i = 0; i < ITEMS; i++) {
            int at = axis < 0 ? 0 : axis ? i % COLUMNS : i / COLUMNS;
            float rounded = rintf(numbers[i] / scales[at]) + (float)zeros[at];
            bytes[i] = (int8_t)(isnan(rounded) || rounded < -128 ? -128 : rounded > 127 ? 127 : rounded);
            back[i] = ((float)bytes[i] - (float)zeros[at]) * scales[at];
        }
        struct tensor x = tensor_of(DTYPE_F32, 2, (int64_t[]){ROWS, COLUMNS}, numbers);
        struct tensor y = tensor_of(DTYPE_I8, 2, (int64_t[]){ROWS, COLUMNS}, bytes);
        struct tensor z = tensor_of(DTYPE_F32, 2, (int64_t[]){ROWS, COLUMNS}, back);
        struct tensor scale = tensor_of(DTYPE_F32, 1, &n_scales, scales), zero = tensor_of(DTYPE_I8, 1, &n_scales, zeros);
        check(&(struct call){"", "QuantizeLinear", 13, &attribute, 1, {&x, &scale, &zero}, 3}, &y);
        check(&(struct call){"", "DequantizeLinear", 13, &attribute, 1, {&y, &scale, &zero}, 3}, &z);
    }
}

/* The least and the largest number may stand anywhere; NaN is neither. */
static void test_dynamic_range(void **state)
{
    (void)state;
    static float numbers[35];
    for (int place = 0; place < 35; place++) {
        for (int i = 0; i < 35; i++) numbers[i] = (float)(i % 3);
        numbers[(place + 20) % 35] = -1;
        numbers[place] = 254;
        numbers[(place + 1) % 35] = NAN;
        struct tensor x = tensor_of(DTYPE_F32, 1, (int64_t[]){35}, numbers), y[3];
        run_op(&bench, "", "DynamicQuantizeLinear", 11, NULL, 0, (const struct tensor *[]){&x}, 1, y, 3);
        assert_true(*(const float *)y[1].data == 1 && *(const uint8_t *)y[2].data == 1);
        assert_int_equal(((const uint8_t *)y[0].data)[place], 255);
    }
}

/* An axis of nothing makes a tensor empty however long the others are: nobody walks along those. */
static void test_empty_but_long(void **state)
{
    (void)state;
    uint8_t none = 0;
    struct tensor x = tensor_of(DTYPE_U8, 4, (int64_t[]){1, 2, INT64_C(1) << 45, 0}, &none), y;
    struct tensor scale = scale_of(1), zero = byte_of(DTYPE_U8, 3);
    run_op(&bench, ms, "QLinearGlobalAveragePool", 1, NULL, 0, (const struct tensor *[]){&x, &scale, &zero, &scale, &zero}, 5, &y, 1);
    assert_true(tensor_n_items(&y) == 2 && ((const uint8_t *)y.data)[1] == 3);
    x = tensor_of(DTYPE_F32, 3, (int64_t[]){INT64_C(1) << 45, 3, 0}, &none);
    scale = tensor_of(DTYPE_F32, 1, (int64_t[]){3}, (const float[]){1, 2, 3});
    run_op(&bench, "", "BatchNormalization", 15, NULL, 0, (const struct tensor *[]){&x, &scale, &scale, &scale, &scale}, 5, &y, 1);
    assert_true(tensor_same_shape(&x, &y));
}

/* 2049 is no f16: the quotient is rounded to the precision asked for before it becomes an integer. */
static void test_precision(void **state)
{
    (void)state;
    const struct attribute attributes[] = {int_attribute("output_dtype", DTYPE_I16), int_attribute("precision", DTYPE_F16)};
    struct tensor x = tensor_of(DTYPE_F32, 1, (int64_t[]){2}, (const float[]){2049, 4101}), scale = scale_of(1);
    struct tensor exact = tensor_of(DTYPE_I16, 1, (int64_t[]){2}, (const int16_t[]){2049, 4101});
    struct tensor rounded = tensor_of(DTYPE_I16, 1, (int64_t[]){2}, (const int16_t[]){2048, 4100});
    check(&(struct call){"", "QuantizeLinear", 23, attributes, 1, {&x, &scale}, 2}, &exact);
    check(&(struct call){"", "QuantizeLinear", 23, attributes, 2, {&x, &scale}, 2}, &rounded);
}

/* A scale of powers of two, and an output type of its own. */
static void test_scale_of_8_bits(void **state)
{
    (void)state;
    const struct attribute to_half = int_attribute("output_dtype", DTYPE_F16);
    struct tensor x = tensor_of(DTYPE_F4E2M1, 1, (int64_t[]){3}, (const uint8_t[]){1, 7, 10}), scale = byte_of(DTYPE_F8E8M0, 129);
    struct tensor wide = tensor_of(DTYPE_F32, 1, (int64_t[]){3}, (const float[]){2, 24, -4});
    struct tensor half = tensor_of(DTYPE_F16, 1, (int64_t[]){3}, (const uint16_t[]){0x4000, 0x4e00, 0xc400});
    check(&(struct call){"", "DequantizeLinear", 24, NULL, 0, {&x, &scale}, 2}, &wide);
    check(&(struct call){"", "DequantizeLinear", 24, &to_half, 1, {&x, &scale}, 2}, &half);
    check(&(struct call){"", "QuantizeLinear", 24, &(struct attribute){.name = "output_dtype", .kind = ATTRIBUTE_INT, .n_items = 1, .integer = DTYPE_F4E2M1}, 1, {&wide, &scale}, 2}, &x);
}

/* Operators that move elements take those of less than a byte as they take bytes. */
static void test_moving_sub_bytes(void **state)
{
    (void)state;
    const struct attribute axis = int_attribute("axis", 0);
    struct tensor x = tensor_of(DTYPE_I4, 2, (int64_t[]){2, 3}, (const int8_t[]){-8, 1, 2, 3, 4, 7}), y;
    struct tensor turned = tensor_of(DTYPE_I4, 2, (int64_t[]){3, 2}, (const int8_t[]){-8, 3, 1, 4, 2, 7});
    struct tensor twice = tensor_of(DTYPE_I4, 2, (int64_t[]){4, 3}, (const int8_t[]){-8, 1, 2, 3, 4, 7, -8, 1, 2, 3, 4, 7});
    struct tensor row = tensor_of(DTYPE_I4, 2, (int64_t[]){1, 3}, (const int8_t[]){3, 4, 7}), one = ints_i64(&bench, 1, (const int64_t[]){1});
    struct tensor shape = ints_i64(&bench, 1, (const int64_t[]){6}), flat = tensor_of(DTYPE_I4, 1, (int64_t[]){6}, x.data);
    struct tensor pads = ints_i64(&bench, 4, (const int64_t[]){0, 1, 0, 0});
    struct tensor padded = tensor_of(DTYPE_I4, 2, (int64_t[]){2, 4}, (const int8_t[]){0, -8, 1, 2, 0, 3, 4, 7});
    check(&(struct call){"", "Identity", 21, NULL, 0, {&x}, 1}, &x);
    check(&(struct call){"", "Transpose", 21, NULL, 0, {&x}, 1}, &turned);
    check(&(struct call){"", "Concat", 13, &axis, 1, {&x, &x}, 2}, &twice);
    check(&(struct call){"", "Gather", 13, &axis, 1, {&x, &one}, 2}, &row);
    check(&(struct call){"", "Reshape", 21, NULL, 0, {&x, &shape}, 2}, &flat);
    check(&(struct call){"", "Pad", 21, NULL, 0, {&x, &pads}, 2}, &padded);
    run_op(&bench, "", "Size", 21, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_int_equal(*(const int64_t *)y.data, 6);
}

/* ---- what is wrong is said ---- */

static void expect_failure(const struct call *call, hob_status status, const char *part)
{
    struct tensor y;
    assert_int_equal(try_op(&bench, call->domain, call->name, call->opset, call->attributes, call->n_attributes, call->inputs,
                            call->n_inputs, &y, 1),
                     status);
    if (!strstr(bench.error.message, part)) print_error("found \"%s\", expected \"%s\"\n", bench.error.message, part);
    assert_non_null(strstr(bench.error.message, part));
}

static void test_messages(void **state)
{
    (void)state;
    const struct attribute odd[] = {int_attribute("N", 18), int_attribute("K", 80), int_attribute("block_size", 24)};
    const struct attribute bits[] = {int_attribute("N", 18), int_attribute("K", 80), int_attribute("block_size", 32), int_attribute("bits", 3)};
    const struct attribute wide[] = {int_attribute("N", 19), int_attribute("K", 80), int_attribute("block_size", 32)};
    struct tensor a = data("nbits4", "a"), b = data("nbits4", "b"), scales = data("nbits4", "scales");
    expect_failure(&(struct call){ms, "MatMulNBits", 1, odd, 3, {&a, &b, &scales}, 3}, HOB_BAD_GRAPH, "block_size");
    expect_failure(&(struct call){ms, "MatMulNBits", 1, bits, 4, {&a, &b, &scales}, 3}, HOB_BAD_GRAPH, "bits: found 3");
    expect_failure(&(struct call){ms, "MatMulNBits", 1, wide, 3, {&a, &b, &scales}, 3}, HOB_BAD_SHAPE, "input 1");
    struct tensor x = data("matmul", "a"), w = data("matmul", "b"), zeros = data("matmul", "b_zero");
    expect_failure(&(struct call){"", "MatMulInteger", 10, NULL, 0, {&x, &x}, 2}, HOB_BAD_SHAPE, "[..,M,K] x [..,K,N]");
    expect_failure(&(struct call){"", "MatMulInteger", 10, NULL, 0, {&x, &w, &zeros}, 3}, HOB_BAD_TYPE, "zero point of a");
    expect_failure(&(struct call){"", "MatMulInteger", 10, NULL, 0, {&w, &w, &zeros}, 3}, HOB_BAD_SHAPE, "zero point of a");
    struct tensor image = data("conv", "x"), window = data("conv", "w");
    expect_failure(&(struct call){"", "ConvInteger", 10, NULL, 0, {&image, &window}, 2}, HOB_BAD_SHAPE, "expected [B,C,..]");
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
        cmocka_unit_test(test_matmul_nbits),
        cmocka_unit_test(test_nbits_rows_alone),
        cmocka_unit_test(test_matmul_bnb4),
        cmocka_unit_test(test_gather_block_quantized),
        cmocka_unit_test(test_integers_to_floats),
        cmocka_unit_test(test_qgemm),
        cmocka_unit_test(test_matmul_rows_and_columns),
        cmocka_unit_test(test_no_saturation),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_concat),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_blocks_of_rows),
        cmocka_unit_test(test_16_bits_and_nan),
        cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_dynamic_range),
        cmocka_unit_test(test_empty_but_long),
        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_scale_of_8_bits),
        cmocka_unit_test(test_moving_sub_bytes),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
