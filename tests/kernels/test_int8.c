/* Products of bytes with int8 panels against sums in int64, their scaling against the steps that kernels.h names, and numbers as
 * bytes against nearbyint of the quotient: every table, the same bytes. */
#include "kernel_test.h"

enum { GUARD = 7 };

struct byte_product {
    int64_t m, n, k, a_stride, c_stride;
    uint8_t *a;
    int8_t *w; /* [n,k] */
    int32_t *a_zeros, *a_sums, *w_zeros;
    float *a_scales, *w_scales, *bias;
    void *panels;
};

static int32_t *new_ints(int64_t n, uint32_t seed, int32_t least, int32_t most)
{
    int32_t *ints = memory_new((size_t)n + 1, sizeof *ints);
    uint32_t state = seed * 2654435761u | 1;
    for (int64_t i = 0; i < n; i++) ints[i] = least + (int32_t)(next_random(&state) >> 8) % (most - least + 1);
    return ints;
}

/* Extremes are common, so that 16 bits would overflow. */
static uint8_t any_byte(uint32_t *state)
{
    uint32_t number = next_random(state) >> 8;
    return number % 4 ? (uint8_t)(number >> 2) : number % 8 ? 255 : 128;
}

static void *new_panels(enum dtype dtype, const void *w, int64_t n, int64_t k, int64_t n_stride, int64_t k_stride)
{
    size_t n_bytes;
    struct panel_source source = {
        .data = w, .dtype = dtype, .n = n, .k = k, .n_stride = n_stride, .k_stride = k_stride};
    assert_true(panel_bytes(DTYPE_I8, n, k, &n_bytes));
    void *panels = memory_aligned(n_bytes + PANEL_ALIGNMENT);
    panel_pack_i8(&source, 0, panel_count(n), panels);
    return panels;
}

static struct byte_product new_product(int64_t m, int64_t n, int64_t k)
{
    struct byte_product p = {.m = m, .n = n, .k = k, .a_stride = (k + 3) / 4 * 4 + 4, .c_stride = n + GUARD};
    uint32_t state = (uint32_t)(m * 31 + n * 7 + k) | 1;
    p.a = memory_new((size_t)(m * p.a_stride) + 1, 1);
    p.w = memory_new((size_t)(n * k) + 1, 1);
    for (int64_t i = 0; i < m * p.a_stride; i++) p.a[i] = any_byte(&state);
    for (int64_t i = 0; i < n * k; i++) p.w[i] = (int8_t)any_byte(&state);
    p.a_zeros = new_ints(m, 1, 0, 255), p.w_zeros = new_ints(n, 2, -128, 127), p.a_sums = new_ints(m, 3, 0, 0);
    for (int64_t i = 0; i < m; i++)
        for (int64_t s = 0; s < k; s++) p.a_sums[i] += p.a[i * p.a_stride + s] - p.a_zeros[i];
    p.a_scales = new_random_floats(m, 4), p.w_scales = new_random_floats(n, 5), p.bias = new_random_floats(n, 6);
    p.panels = new_panels(DTYPE_I8, p.w, n, k, k, 1);
    return p;
}

static void free_product(struct byte_product *p)
{
    memory_free(p->a), memory_free(p->w), memory_free(p->a_zeros), memory_free(p->w_zeros), memory_free(p->a_sums);
    memory_free(p->a_scales), memory_free(p->w_scales), memory_free(p->bias), memory_free(p->panels);
}

static int32_t exact_sum(const struct byte_product *p, int64_t i, int64_t j, bool has_zeros)
{
    int64_t sum = 0;
    for (int64_t s = 0; s < p->k; s++)
        sum += (int64_t)(p->a[i * p->a_stride + s] - p->a_zeros[i]) *
               (p->w[j * p->k + s] - (has_zeros ? p->w_zeros[j] : 0));
    return (int32_t)(uint32_t)(uint64_t)sum;
}

static struct gemm_u8i8_args args_of(const struct byte_product *p, bool has_zeros, bool has_bias)
{
    return (struct gemm_u8i8_args){.a = p->a,
                                   .a_stride = p->a_stride,
                                   .a_zeros = p->a_zeros,
                                   .a_sums = has_zeros ? p->a_sums : NULL,
                                   .panels = p->panels,
                                   .w_zeros = has_zeros ? p->w_zeros : NULL,
                                   .a_scales = p->a_scales,
                                   .w_scales = p->w_scales,
                                   .bias = has_bias ? p->bias : NULL,
                                   .c_stride = p->c_stride,
                                   .m = p->m,
                                   .n = p->n,
                                   .k = p->k,
                                   .panel_end = panel_count(p->n)};
}

/* One scale and one zero for all rows, as of a tensor that was quantised as a whole. */
static void make_even(struct byte_product *p)
{
    for (int64_t i = 1; i < p->m; i++) {
        p->a_sums[i] += (int32_t)p->k * (p->a_zeros[i] - p->a_zeros[0]);
        p->a_zeros[i] = p->a_zeros[0];
        p->a_scales[i] = p->a_scales[0];
    }
}

static void check_rows(int64_t m, int64_t n, int64_t k, bool has_zeros, bool has_bias, bool is_even)
{
    struct byte_product p = new_product(m, n, k);
    if (is_even) make_even(&p);
    int64_t n_items = m * p.c_stride;
    float *expected = new_floats(n_items), *c = new_floats(n_items);
    int32_t *expected_sums = new_ints(n_items, 9, 5, 5), *sums = new_ints(n_items, 9, 5, 5);
    fill(expected, n_items, 5);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            int32_t sum = exact_sum(&p, i, j, has_zeros);
            float number = (float)sum * (p.a_scales[i] * p.w_scales[j]);
            expected_sums[i * p.c_stride + j] = sum;
            expected[i * p.c_stride + j] = has_bias ? number + p.bias[j] : number;
        }
    FOR_EACH_TABLE(table)
    {
        char what[96];
        snprintf(what, sizeof what, "%s u8 x i8 %lldx%lldx%lld", table->name, (long long)m, (long long)n, (long long)k);
        struct gemm_u8i8_args args = args_of(&p, has_zeros, has_bias);
        fill(c, n_items, 5);
        args.c = c;
        table->gemm_u8i8(&args);
        assert_same_bits(what, c, expected, n_items);
        for (int64_t i = 0; i < n_items; i++) sums[i] = 5;
        args.c = NULL, args.sums = sums;
        table->gemm_u8i8(&args);
        assert_memory_equal(sums, expected_sums, (size_t)n_items * sizeof *sums);
    }
    memory_free(expected), memory_free(c), memory_free(expected_sums), memory_free(sums);
    free_product(&p);
}

static void check_product(int64_t m, int64_t n, int64_t k, bool has_zeros, bool has_bias)
{
    check_rows(m, n, k, has_zeros, has_bias, false);
    check_rows(m, n, k, has_zeros, has_bias, true);
}

static void test_products_are_exact(void **state)
{
    (void)state;
    for (int64_t m = 1; m <= 14; m++)
        for (int64_t n = 1; n <= 49; n += 8) check_product(m, n, 4 + m + n % 4, m % 2, n % 3 == 0);
    static const int64_t shapes[][3] = {
        {1, 384, 384}, {37, 40, 300}, {73, 17, 520}, {7, 33, 1030}, {3, 16, 0},
        {0, 16, 4},    {1, 16, 1},    {38, 32, 256}, {2, 0, 5},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
        for (int choice = 0; choice < 4; choice++)
            check_product(shapes[i][0], shapes[i][1], shapes[i][2], choice & 1, choice & 2);
}

/* More products of extremes than 31 bits hold wrap around, in every table alike. */
static void test_sums_wrap(void **state)
{
    (void)state;
    check_product(2, 3, 70000, true, false);
}

static void test_splits(void **state)
{
    (void)state;
    struct byte_product p = new_product(45, 100, 300);
    float *whole = new_floats(p.m * p.c_stride), *c = new_floats(p.m * p.c_stride);
    FOR_EACH_TABLE(table)
    {
        struct gemm_u8i8_args args = args_of(&p, true, true);
        fill(whole, p.m * p.c_stride, 0), fill(c, p.m * p.c_stride, 0);
        args.c = whole;
        table->gemm_u8i8(&args);
        for (int64_t row = 0; row < p.m; row += 10)
            for (int64_t panel = 0; panel < panel_count(p.n); panel += 3) {
                int64_t end = panel + 3 < panel_count(p.n) ? panel + 3 : panel_count(p.n);
                args.a = p.a + row * p.a_stride, args.c = c + row * p.c_stride,
                args.m = p.m - row < 10 ? p.m - row : 10;
                args.a_zeros = p.a_zeros + row, args.a_sums = p.a_sums + row, args.a_scales = p.a_scales + row;
                args.panel_begin = panel, args.panel_end = end;
                table->gemm_u8i8(&args);
            }
        assert_same_bits(table->name, c, whole, p.m * p.c_stride);
    }
    memory_free(whole), memory_free(c);
    free_product(&p);
}

/* ---- panels ---- */

/* Bytes as [K,N], unsigned ones less 128: the panels of the [N,K] weight. */
static void test_packing(void **state)
{
    (void)state;
    enum { N = 37, K = 11 };
    int8_t rows[N * K];
    uint8_t columns[K * N];
    uint32_t random = 77;
    size_t n_bytes;
    for (int64_t j = 0; j < N; j++)
        for (int64_t k = 0; k < K; k++) {
            rows[j * K + k] = (int8_t)any_byte(&random);
            columns[k * N + j] = (uint8_t)(rows[j * K + k] + 128);
        }
    void *a = new_panels(DTYPE_I8, rows, N, K, K, 1), *b = new_panels(DTYPE_U8, columns, N, K, 1, N);
    assert_true(panel_bytes(DTYPE_I8, N, K, &n_bytes));
    assert_memory_equal(a, b, n_bytes);
    const int8_t *codes = (const int8_t *)a + 64;
    assert_int_equal(codes[4 * 5 + 2], rows[5 * K + 2]);
    assert_int_equal(codes[64 + 4 * 5 + 2], rows[5 * K + 6]);
    assert_int_equal(codes[128 + 4 * 5 + 3], 0); /* behind K */
    int32_t sum = 0;
    for (int64_t k = 0; k < K; k++) sum += rows[7 * K + k];
    assert_int_equal(((const int32_t *)a)[7], sum);
    memory_free(a), memory_free(b);
}

static void test_quantizing_columns(void **state)
{
    (void)state;
    enum { N = 20, K = 300 };
    float *w = new_random_floats(N * K, 11), scales[N];
    size_t n_bytes;
    for (int64_t k = 0; k < K; k++) w[3 * K + k] = 0;
    w[4 * K + 7] = INFINITY;
    for (int64_t k = 0; k < K; k++) w[5 * K + k] *= 0x1p-136f; /* the scale has few digits */
    struct panel_source source = {.data = w, .dtype = DTYPE_F32, .n = N, .k = K, .n_stride = K, .k_stride = 1};
    assert_true(panel_bytes(DTYPE_I8, N, K, &n_bytes));
    int8_t *panels = memory_aligned(n_bytes);
    panel_quantize_i8(&source, 0, panel_count(N), panels, scales);
    for (int64_t j = 0; j < N; j++)
        for (int64_t k = 0; k < K; k++) {
            const int8_t *codes = panels + (j / 16) * (int64_t)(n_bytes / 2) + 64;
            int8_t code = codes[k / 4 * 64 + j % 16 * 4 + k % 4];
            if (j == 3 || j == 4) assert_int_equal(code, 0);
            else if (!(fabs((double)code * (double)scales[j] - (double)w[j * K + k]) <=
                       0.5001 * (double)scales[j] + 0x1p-142))
                fail_msg("column %ld item %ld", (long)j, (long)k);
        }
    assert_true(scales[3] == 0 && isnan(scales[4]));
    memory_free(w), memory_free(panels);
}

/* ---- numbers to bytes ---- */

static void check_codes(int64_t n, const float *x, float scale, int32_t zero)
{
    uint8_t *codes = memory_new((size_t)n + GUARD, 1);
    FOR_EACH_TABLE(table)
    {
        memset(codes, 3, (size_t)n + GUARD);
        table->quantize_u8(n, scale, zero, x, codes);
        for (int64_t i = 0; i < n; i++) {
            float code = nearbyintf(x[i] / scale) + (float)zero;
            int expected = code >= 255 ? 255 : code >= 0 ? (int)code : 0;
            if (codes[i] != expected)
                fail_msg("%s: %a / %a + %d: found %d, expected %d", table->name, (double)x[i], (double)scale, zero,
                         codes[i], expected);
        }
        for (int64_t i = n; i < n + GUARD; i++) assert_int_equal(codes[i], 3);
    }
    memory_free(codes);
}

/* Numbers whose quotients lie on, or one unit beside, the middle of two codes. */
static void fill_middles(float *x, int64_t n, float scale, int32_t zero)
{
    for (int64_t i = 0; i < n; i++) {
        float middle = ((float)(i % 260) - (float)zero - 2.5f) * scale;
        x[i] = i % 3 == 0 ? middle : nextafterf(middle, i % 3 == 1 ? INFINITY : -INFINITY);
    }
}

static void test_codes(void **state)
{
    (void)state;
    static const float scales[] = {0.0117f, 1, 0x1.fffffep-3f, 3e-39f, 1e38f, 0x1p-149f, INFINITY};
    float x[1600];
    for (size_t s = 0; s < ARRAY_LENGTH(scales); s++)
        for (int32_t zero = 0; zero <= 255; zero += 51) {
            fill_middles(x, ARRAY_LENGTH(x), scales[s], zero);
            x[5] = NAN, x[21] = INFINITY, x[22] = -INFINITY, x[40] = -0.0f;
            check_codes(ARRAY_LENGTH(x), x, scales[s], zero);
        }
    for (int64_t n = 0; n < 70; n++) check_codes(n, x, 0.5f, 100);
}

static void test_ranges(void **state)
{
    (void)state;
    float *x = new_random_floats(100, 12), least, most;
    x[60] = NAN, x[61] = 7, x[62] = -8, x[3] = -0.0f;
    FOR_EACH_TABLE(table)
    for (int64_t n = 0; n < 100; n++) {
        float expected_least = 0, expected_most = 0;
        for (int64_t i = 0; i < n; i++)
            expected_least = fminf(expected_least, x[i]), expected_most = fmaxf(expected_most, x[i]);
        table->range_f32(n, x, &least, &most);
        assert_same_bits(table->name, &least, &expected_least, 1);
        assert_same_bits(table->name, &most, &expected_most, 1);
    }
    static const float zeros[] = {-0.0f, -0.0f, NAN, -0.0f}, zero = 0;
    FOR_EACH_TABLE(table)
    {
        table->range_f32(4, zeros, &least, &most);
        assert_same_bits(table->name, &least, &zero, 1);
        assert_same_bits(table->name, &most, &zero, 1);
    }
    memory_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_are_exact),
        cmocka_unit_test(test_sums_wrap),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_quantizing_columns),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
