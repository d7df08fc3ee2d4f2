/* hob.DynamicQuantize against ONNX's DynamicQuantizeLinear of the same rows, and hob.LinearInt8 against MatMulIntegerToFloat (itself
 * tested against numpy): the same bytes, by every table, alone and among others. */
#include "unit.h"

#include "ops/run_op.h"

enum { CODES, SCALES, ZEROS, K = 37, ROWS = 9 };

static struct tensor tensor_of(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, dtype, rank, dims, NULL, &bench->error), HOB_OK);
    x.data = arena_alloc(&bench->arena, tensor_n_bytes(&x) + 1, 64);
    memset(x.data, 0, tensor_n_bytes(&x));
    return x;
}

static struct tensor random_bytes(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims,
                                  uint32_t seed)
{
    struct tensor x = tensor_of(bench, dtype, rank, dims);
    for (int64_t i = 0; i < tensor_n_items(&x); i++) {
        seed = seed * 1664525 + 1013904223;
        ((uint8_t *)x.data)[i] = (uint8_t)(seed >> 24);
    }
    return x;
}

static void quantize(struct op_bench *bench, const struct tensor *x, const struct tensor *segments, int64_t per_row,
                     struct tensor *ret)
{
    struct attribute attribute = int_attribute("per_row", per_row);
    run_op(bench, "hob", "DynamicQuantize", 1, &attribute, 1, (const struct tensor *[]){x, segments}, segments ? 2 : 1,
           ret, 3);
}

/* Rows [begin, end) of what was found are what DynamicQuantizeLinear makes of them. */
static void check_rows(struct op_bench *bench, const struct tensor *x, const struct tensor *found, int64_t begin,
                       int64_t end)
{
    struct tensor rows = tensor_slice(x, 0, begin, end - begin, 1), expected[3];
    run_op(bench, "", "DynamicQuantizeLinear", 11, NULL, 0, (const struct tensor *[]){&rows}, 1, expected, 3);
    struct tensor codes = tensor_slice(&found[CODES], 0, begin, end - begin, 1);
    assert_same_bytes(bench, &codes, &expected[CODES]);
    for (int64_t row = begin; row < end; row++) {
        assert_memory_equal((float *)found[SCALES].data + row, expected[SCALES].data, sizeof(float));
        assert_int_equal(((uint8_t *)found[ZEROS].data)[row], *(uint8_t *)expected[ZEROS].data);
    }
}

static void check_quantizing(struct op_bench *bench)
{
    static const int64_t borders[] = {0, 3, 3, 4, ROWS};
    struct tensor x = random_f32(bench, 2, (int64_t[]){ROWS, K}, 5), found[3], segments = ints_i64(bench, 5, borders);
    for (int64_t i = 0; i < K; i++) ((float *)x.data)[3 * K + i] *= 100, ((float *)x.data)[4 * K + i] = 0;
    quantize(bench, &x, NULL, 0, found);
    assert_true(found[CODES].dtype == DTYPE_U8 && found[SCALES].rank == 1 && found[ZEROS].dims[0] == ROWS);
    check_rows(bench, &x, found, 0, ROWS);
    quantize(bench, &x, &segments, 0, found);
    for (int i = 0; i < 4; i++)
        if (borders[i + 1] > borders[i]) check_rows(bench, &x, found, borders[i], borders[i + 1]);
    quantize(bench, &x, NULL, 1, found);
    for (int64_t row = 0; row < ROWS; row++) check_rows(bench, &x, found, row, row + 1);
}

/* What a product is made of; weights as [K,N] bytes. */
struct operands {
    struct tensor codes, scale, zero, weight, w_scale, w_zero, bias;
};

static struct operands new_operands(struct op_bench *bench, enum dtype dtype, int64_t k, int64_t n, bool has_columns)
{
    struct operands o = {.codes = random_bytes(bench, dtype, 3, (int64_t[]){2, ROWS, k}, 1),
                         .scale = random_f32(bench, 0, NULL, 2),
                         .zero = random_bytes(bench, dtype, 0, NULL, 3),
                         .weight = random_bytes(bench, DTYPE_I8, 2, (int64_t[]){k, n}, 4),
                         .w_scale = random_f32(bench, has_columns, &n, 5),
                         .w_zero = random_bytes(bench, DTYPE_I8, has_columns, &n, 6),
                         .bias = random_f32(bench, 1, &n, 7)};
    return o;
}

static struct tensor packed(struct op_bench *bench, const struct tensor *w)
{
    size_t n_bytes;
    int64_t k = w->dims[0], n = w->dims[1];
    struct tensor panels;
    struct panel_source source = {.data = w->data, .dtype = w->dtype, .n = n, .k = k, .n_stride = 1, .k_stride = n};
    assert_int_equal(tensor_init(&panels, DTYPE_I8, 2, (int64_t[]){n, k}, NULL, &bench->error), HOB_OK);
    assert_true(panel_bytes(DTYPE_I8, n, k, &n_bytes));
    panels.data = arena_alloc(&bench->arena, n_bytes + 1, 64);
    panels.layout = LAYOUT_PANELS;
    panel_pack_i8(&source, 0, panel_count(n), panels.data);
    return panels;
}

static void check_product(struct op_bench *bench, enum dtype dtype, int64_t k, int64_t n, bool has_columns,
                          bool has_zeros, bool has_bias)
{
    struct operands o = new_operands(bench, dtype, k, n, has_columns);
    struct tensor w = packed(bench, &o.weight), y, expected;
    const struct tensor *zero = has_zeros ? &o.zero : NULL, *w_zero = has_zeros ? &o.w_zero : NULL,
                        *bias = has_bias ? &o.bias : NULL;
    run_op(bench, "com.microsoft", "MatMulIntegerToFloat", 1, NULL, 0,
           (const struct tensor *[]){&o.codes, &o.weight, &o.scale, &o.w_scale, zero, w_zero, bias}, 7, &expected, 1);
    run_op(bench, "hob", "LinearInt8", 1, NULL, 0,
           (const struct tensor *[]){&o.codes, &o.scale, &w, &o.w_scale, zero, w_zero, bias}, 7, &y, 1);
    assert_same_bytes(bench, &y, &expected);
}

static void check_products(struct op_bench *bench)
{
    static const int64_t shapes[][2] = {{32, 48}, {K, 5}, {1, 16}, {4, 100}, {300, 33}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int choice = 0; choice < 16; choice++)
            check_product(bench, choice & 1 ? DTYPE_I8 : DTYPE_U8, shapes[i][0], shapes[i][1], choice & 2, choice & 4,
                          choice & 8);
}

/* Rows with scales and zero points of their own give the same bytes alone. */
static void check_rows_alone(struct op_bench *bench)
{
    enum { N = 40 };
    struct tensor x = random_f32(bench, 2, (int64_t[]){ROWS, K}, 11), q[3], all, one;
    struct operands o = new_operands(bench, DTYPE_U8, K, N, true);
    struct tensor w = packed(bench, &o.weight);
    quantize(bench, &x, NULL, 1, q);
    run_op(bench, "hob", "LinearInt8", 1, NULL, 0,
           (const struct tensor *[]){&q[CODES], &q[SCALES], &w, &o.w_scale, &q[ZEROS], &o.w_zero, &o.bias}, 7, &all, 1);
    for (int64_t row = 0; row < ROWS; row++) {
        struct tensor part[3], expected = tensor_slice(&all, 0, row, 1, 1);
        for (int i = 0; i < 3; i++) part[i] = tensor_slice(&q[i], 0, row, 1, 1);
        run_op(bench, "hob", "LinearInt8", 1, NULL, 0,
               (const struct tensor *[]){&part[CODES], &part[SCALES], &w, &o.w_scale, &part[ZEROS], &o.w_zero, &o.bias},
               7, &one, 1);
        assert_same_bytes(bench, &one, &expected);
    }
}

/* What the activation kernel makes of the numbers without one. */
static void check_activation(struct op_bench *bench)
{
    enum { N = 150 };
    struct operands o = new_operands(bench, DTYPE_U8, K, N, true);
    struct tensor w = packed(bench, &o.weight), plain, y;
    const struct tensor *inputs[] = {&o.codes, &o.scale, &w, &o.w_scale, &o.zero, NULL, &o.bias};
    struct attribute gelu = {.name = "activation", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"Gelu", 4}};
    ((float *)o.scale.data)[0] = 1e-3f;
    run_op(bench, "hob", "LinearInt8", 1, NULL, 0, inputs, 7, &plain, 1);
    run_op(bench, "hob", "LinearInt8", 1, &gelu, 1, inputs, 7, &y, 1);
    bench->kernels->finish_f32(&(struct finish_f32_args){
        .y = plain.data, .y_stride = N, .n_rows = 2 * ROWS, .n_columns = N, .activation = FINISH_GELU});
    assert_same_bytes(bench, &y, &plain);
}

static void for_all_tables(void (*check)(struct op_bench *))
{
    for (size_t i = 0; kernels_at(i); i++)
        for (size_t n_threads = 1; n_threads <= 3; n_threads += 2) {
            struct op_bench bench;
            op_bench_init(&bench, n_threads);
            bench.kernels = kernels_at(i);
            check(&bench);
            op_bench_release(&bench);
        }
}

static void test_quantizing(void **state)
{
    (void)state;
    for_all_tables(check_quantizing);
}

static void test_products(void **state)
{
    (void)state;
    for_all_tables(check_products);
}

static void test_rows_alone(void **state)
{
    (void)state;
    for_all_tables(check_rows_alone);
}

static void test_activation(void **state)
{
    (void)state;
    for_all_tables(check_activation);
}

static void test_empty(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor none = random_f32(&bench, 2, (int64_t[]){0, K}, 1),
                  thin = random_f32(&bench, 2, (int64_t[]){3, 0}, 1), found[3], y;
    quantize(&bench, &none, NULL, 0, found);
    assert_int_equal(tensor_n_items(&found[SCALES]), 0);
    quantize(&bench, &thin, NULL, 0, found);
    assert_true(((float *)found[SCALES].data)[2] == 1 && ((uint8_t *)found[ZEROS].data)[2] == 0);
    struct operands o = new_operands(&bench, DTYPE_U8, 0, 20, true);
    struct tensor w = packed(&bench, &o.weight);
    run_op(&bench, "hob", "LinearInt8", 1, NULL, 0,
           (const struct tensor *[]){&o.codes, &o.scale, &w, &o.w_scale, &o.zero, &o.w_zero, &o.bias}, 7, &y, 1);
    assert_memory_equal((float *)y.data + 20, o.bias.data, 20 * sizeof(float)); /* 0 * scale + bias */
    op_bench_release(&bench);
}

static void check_refused(struct op_bench *bench, const char *op, const struct tensor *const *inputs, int n_inputs,
                          const char *message)
{
    struct tensor outputs[3];
    hob_status status = try_op(bench, "hob", op, 1, NULL, 0, inputs, n_inputs, outputs, 1);
    assert_int_not_equal(status, HOB_OK);
    if (!strstr(bench->error.message, message))
        fail_msg("found \"%s\", expected \"%s\"", bench->error.message, message);
}

static void test_messages(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor x = random_f32(&bench, 2, (int64_t[]){ROWS, K}, 1), scalar = random_f32(&bench, 0, NULL, 1);
    struct tensor falling = ints_i64(&bench, 3, (int64_t[]){0, 5, 4}),
                  short_one = ints_i64(&bench, 2, (int64_t[]){0, 4}), late = ints_i64(&bench, 2, (int64_t[]){1, ROWS}),
                  far = ints_i64(&bench, 3, (int64_t[]){0, ROWS + 1, ROWS});
    check_refused(&bench, "DynamicQuantize", (const struct tensor *[]){&scalar}, 1, "found a scalar");
    check_refused(&bench, "DynamicQuantize", (const struct tensor *[]){&x, &x}, 2, "expected int64");
    check_refused(&bench, "DynamicQuantize", (const struct tensor *[]){&x, &falling}, 2, "segments: found 4 at 2");
    check_refused(&bench, "DynamicQuantize", (const struct tensor *[]){&x, &short_one}, 2, "segments: found 4 at 1");
    check_refused(&bench, "DynamicQuantize", (const struct tensor *[]){&x, &late}, 2, "segments: found 1 at 0");
    check_refused(&bench, "DynamicQuantize", (const struct tensor *[]){&x, &far}, 2, "segments: found 10 at 1");
    struct operands o = new_operands(&bench, DTYPE_U8, K, 20, true);
    struct tensor w = packed(&bench, &o.weight), narrow = random_bytes(&bench, DTYPE_U8, 2, (int64_t[]){3, 4}, 1),
                  three = random_f32(&bench, 1, (int64_t[]){3}, 1);
    check_refused(&bench, "LinearInt8", (const struct tensor *[]){&o.codes, &o.scale, &o.weight, &o.w_scale}, 4,
                  "expected a weight in panels");
    check_refused(&bench, "LinearInt8", (const struct tensor *[]){&narrow, &o.scale, &w, &o.w_scale}, 4,
                  "expected [..,K] and [N,K]");
    check_refused(&bench, "LinearInt8", (const struct tensor *[]){&o.codes, &three, &w, &o.w_scale}, 4,
                  "input 1: found [3], expected one item or 18");
    check_refused(&bench, "LinearInt8", (const struct tensor *[]){&o.codes, &o.scale, &w, &three}, 4,
                  "input 3: found [3], expected one item or 20");
    check_refused(&bench, "LinearInt8", (const struct tensor *[]){&o.codes, &o.scale, &w, &o.w_scale, &o.w_zero}, 5,
                  "expected uint8");
    check_refused(&bench, "LinearInt8",
                  (const struct tensor *[]){&o.codes, &o.scale, &w, &o.w_scale, NULL, NULL, &three}, 7,
                  "bias: found [3]");
    op_bench_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantizing), cmocka_unit_test(test_products), cmocka_unit_test(test_rows_alone),
        cmocka_unit_test(test_activation), cmocka_unit_test(test_empty),    cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
