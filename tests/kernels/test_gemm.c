/* Matrix products: the chain rule bit by bit, whatever the shape, the tile or the split; and panels. */
#include "kernel_test.h"

#include "quant/quant.h"

/* The contract itself: one chain over k, then the bias. */
static float chain(int64_t k, const float *a, int64_t a_step, const float *b, int64_t b_step, float start)
{
    float sum = start;
    for (int64_t i = 0; i < k; i++) sum = fmaf(a[i * a_step], b[i * b_step], sum);
    return sum;
}

static float *new_panels(const struct panel_source *source)
{
    size_t n_bytes;
    assert_true(panel_bytes(DTYPE_F32, source->n, source->k, &n_bytes));
    float *panels = memory_aligned(n_bytes + PANEL_ALIGNMENT);
    assert_non_null(panels);
    panel_pack(source, DTYPE_F32, 0, panel_count(source->n), panels);
    return panels;
}

static struct panel_source rows_source(const float *w, int64_t n, int64_t k)
{
    return (struct panel_source){.data = w, .dtype = DTYPE_F32, .n = n, .k = k, .n_stride = k, .k_stride = 1};
}

static void check_gemm(int64_t m, int64_t n, int64_t k, bool has_bias)
{
    int64_t a_stride = k + 3, c_stride = n + 2;
    float *a = new_random_floats(m * a_stride, 1), *w = new_random_floats(n * k, 2), *bias = new_random_floats(n, 3);
    float *c = new_floats(m * c_stride), *expected = new_floats(m * c_stride);
    struct panel_source source = rows_source(w, n, k);
    float *panels = new_panels(&source);
    fill(expected, m * c_stride, 5);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float sum = chain(k, a + i * a_stride, 1, w + j * k, 1, 0);
            expected[i * c_stride + j] = has_bias ? sum + bias[j] : sum;
        }
    FOR_EACH_TABLE(table)
    {
        char what[96];
        snprintf(what, sizeof what, "%s gemm %lldx%lldx%lld", table->name, (long long)m, (long long)n, (long long)k);
        fill(c, m * c_stride, 5);
        table->gemm_f32(&(struct gemm_f32_args){
            .a = a, .a_stride = a_stride, .panels = panels, .bias = has_bias ? bias : NULL, .c = c, .c_stride = c_stride,
            .m = m, .n = n, .k = k, .panel_begin = 0, .panel_end = panel_count(n)});
        assert_same_bits(what, c, expected, m * c_stride);
    }
    memory_free(a), memory_free(w), memory_free(bias), memory_free(c), memory_free(expected), memory_free(panels);
}

static void test_gemm_is_one_chain(void **state)
{
    (void)state;
    for (int64_t m = 1; m <= 14; m++)
        for (int64_t n = 1; n <= 67; n += 11) check_gemm(m, n, 9, m % 2 == 0);
    static const int64_t shapes[][3] = {
        {1, 172, 64}, {1, 64, 172}, {2, 80, 33}, {3, 40, 7}, {125, 40, 64}, {7, 33, 800}, {130, 17, 400}, {3, 16, 0}, {0, 16, 4}, {1, 16, 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) check_gemm(shapes[i][0], shapes[i][1], shapes[i][2], i % 2 == 0);
}

/* Any split over panels and rows gives what one call gives. */
static void test_gemm_splits(void **state)
{
    (void)state;
    enum { M = 23, N = 150, K = 70 };
    float *a = new_random_floats(M * K, 4), *w = new_random_floats(N * K, 5), *whole = new_floats(M * N), *c = new_floats(M * N);
    struct panel_source source = rows_source(w, N, K);
    float *panels = new_panels(&source);
    FOR_EACH_TABLE(table)
    {
        struct gemm_f32_args args = {.a = a, .a_stride = K, .panels = panels, .c = whole, .c_stride = N, .m = M, .n = N, .k = K,
                                     .panel_end = panel_count(N)};
        table->gemm_f32(&args);
        for (int64_t row = 0; row < M; row += 5)
            for (int64_t panel = 0; panel < panel_count(N); panel += 3) {
                int64_t end = panel + 3 < panel_count(N) ? panel + 3 : panel_count(N);
                args.a = a + row * K, args.c = c + row * N, args.m = M - row < 5 ? M - row : 5;
                args.panel_begin = panel, args.panel_end = end;
                table->gemm_f32(&args);
            }
        assert_same_bits(table->name, c, whole, M * N);
    }
    memory_free(a), memory_free(w), memory_free(whole), memory_free(c), memory_free(panels);
}

/* Panels of halves: the bytes of gemm_f32 over the widened weights, for each number of rows, and pieces of the panels. */
static void check_halves(int64_t m, int64_t n, int64_t k, enum dtype dtype)
{
    const struct kernels *plain = kernels_by_name("generic");
    int64_t a_stride = k + 1, c_stride = n + 2, middle = panel_count(n) / 2;
    float *a = new_random_floats(m * a_stride, 31), *w = new_random_floats(n * k, 32), *bias = new_random_floats(n, 33);
    float *c = new_floats(m * c_stride), *expected = new_floats(m * c_stride);
    size_t n_bytes;
    assert_true(panel_bytes(dtype, n, k, &n_bytes));
    uint16_t *halves = memory_new((size_t)(n * k + 1), sizeof *halves), *panels = memory_aligned(n_bytes + 1);
    if (dtype == DTYPE_F16) plain->f16_from_f32(n * k, w, halves);
    else plain->bf16_from_f32(n * k, w, halves);
    struct panel_source source = {.data = halves, .dtype = dtype, .n = n, .k = k, .n_stride = k, .k_stride = 1};
    panel_pack(&source, dtype, 0, panel_count(n), panels);
    float *widened = new_panels(&source);
    fill(expected, m * c_stride, 5);
    plain->gemm_f32(&(struct gemm_f32_args){.a = a, .a_stride = a_stride, .panels = widened, .bias = m % 2 ? bias : NULL, .c = expected,
                                            .c_stride = c_stride, .m = m, .n = n, .k = k, .panel_end = panel_count(n)});
    FOR_EACH_TABLE(table)
    {
        char what[96];
        snprintf(what, sizeof what, "%s %s %lldx%lldx%lld", table->name, dtype_name(dtype), (long long)m, (long long)n, (long long)k);
        struct gemm_half_args args = {.a = a, .a_stride = a_stride, .panels = panels, .bias = m % 2 ? bias : NULL, .c = c,
                                      .c_stride = c_stride, .m = m, .n = n, .k = k, .panel_end = middle};
        void (*multiply)(const struct gemm_half_args *) = dtype == DTYPE_F16 ? table->gemm_f16 : table->gemm_bf16;
        fill(c, m * c_stride, 5);
        multiply(&args);
        args.panel_begin = middle, args.panel_end = panel_count(n);
        multiply(&args);
        assert_same_bits(what, c, expected, m * c_stride);
    }
    memory_free(a), memory_free(w), memory_free(bias), memory_free(c), memory_free(expected);
    memory_free(halves), memory_free(panels), memory_free(widened);
}

static void test_halves_are_widened(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{1, 1}, {16, 7}, {150, 33}, {200, 400}, {17, 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
        for (int64_t m = 0; m <= 14; m++) {
            check_halves(m, shapes[i][0], shapes[i][1], DTYPE_F16);
            check_halves(m, shapes[i][0], shapes[i][1], DTYPE_BF16);
        }
    check_halves(140, 70, 390, DTYPE_F16);
    check_halves(14, 40, 790, DTYPE_F16);
    check_halves(14, 40, 790, DTYPE_BF16);
}

struct strides {
    int64_t row, column;
};

/* a and b are stored [rows,columns] or transposed, with a gap between rows. */
static struct strides strides_of(int64_t rows, int64_t columns, bool is_transposed)
{
    return is_transposed ? (struct strides){1, rows + 5} : (struct strides){columns + 5, 1};
}

static void check_strided(int64_t m, int64_t n, int64_t k, int variant)
{
    struct strides a_strides = strides_of(m, k, variant & 1), b_strides = strides_of(k, n, variant & 2);
    bool is_accumulating = variant & 4;
    float *a = new_random_floats((m + 5) * (k + 5), 6), *b = new_random_floats((n + 5) * (k + 5), 7);
    float *start = new_random_floats(m * n, 8), *expected = new_floats(m * n), *c = new_floats(m * n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            expected[i * n + j] = chain(k, a + i * a_strides.row, a_strides.column, b + j * b_strides.column, b_strides.row,
                                        is_accumulating ? start[i * n + j] : 0);
    FOR_EACH_TABLE(table)
    {
        char what[96];
        snprintf(what, sizeof what, "%s strided %lldx%lldx%lld variant %d", table->name, (long long)m, (long long)n, (long long)k, variant);
        memcpy(c, start, (size_t)(m * n) * sizeof *c);
        table->gemm_strided_f32(&(struct gemm_strided_f32_args){
            .a = a, .a_row_stride = a_strides.row, .a_column_stride = a_strides.column,
            .b = b, .b_row_stride = b_strides.row, .b_column_stride = b_strides.column,
            .c = c, .c_stride = n, .m = m, .n = n, .k = k, .is_accumulating = is_accumulating});
        assert_same_bits(what, c, expected, m * n);
    }
    memory_free(a), memory_free(b), memory_free(start), memory_free(expected), memory_free(c);
}

static void test_strided_is_one_chain(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {
        {1, 1, 1}, {1, 8, 31}, {2, 8, 9}, {1, 100, 12}, {2, 90, 13}, {3, 49, 17}, {5, 24, 8}, {6, 16, 300}, {8, 7, 260}, {9, 33, 5}, {64, 40, 11}, {49, 23, 30}, {4, 4, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
        for (int variant = 0; variant < 8; variant++) check_strided(shapes[i][0], shapes[i][1], shapes[i][2], variant);
}

/* Columns that only every second item holds, and a row of b repeated (stride 0). */
static void test_strided_odd_strides(void **state)
{
    (void)state;
    enum { M = 3, N = 20, K = 6 };
    float *a = new_random_floats(M * K * 2, 9), *b = new_random_floats(2 * N, 10), c[M * N], expected[M * N];
    for (int64_t i = 0; i < M; i++)
        for (int64_t j = 0; j < N; j++) expected[i * N + j] = chain(K, a + i * K * 2, 2, b + j * 2, 0, 0);
    FOR_EACH_TABLE(table)
    {
        table->gemm_strided_f32(&(struct gemm_strided_f32_args){
            .a = a, .a_row_stride = K * 2, .a_column_stride = 2, .b = b, .b_row_stride = 0, .b_column_stride = 2,
            .c = c, .c_stride = N, .m = M, .n = N, .k = K});
        assert_same_bits(table->name, c, expected, M * N);
    }
    memory_free(a), memory_free(b);
}

/* Full ranges of both operands, both kinds of bytes, sums that wrap: the same integers from every table. */
static void check_bytes(int64_t m, int64_t n, int64_t k, bool is_signed)
{
    int64_t a_stride = k + (k & 1) + 2, b_stride = n + 3, c_stride = n + 1;
    int16_t *a = memory_new((size_t)(m * a_stride + 1), sizeof *a), *zeros = memory_new((size_t)n + 1, sizeof *zeros);
    uint8_t *b = memory_new((size_t)(k * b_stride + 1), 1);
    int32_t *c = memory_new((size_t)(m * c_stride + 1), sizeof *c);
    uint32_t random = 77;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < k; j++) a[i * a_stride + j] = (int16_t)((int)(next_random(&random) % 511) - 255);
    for (int64_t i = 0; i < k * b_stride; i++) b[i] = (uint8_t)next_random(&random);
    for (int64_t j = 0; j < n; j++) zeros[j] = (int16_t)(is_signed ? (int)(next_random(&random) % 256) - 128 : (int)(next_random(&random) % 256));
    FOR_EACH_TABLE(table)
    {
        table->gemm_i8(&(struct gemm_i8_args){.a = a, .a_stride = a_stride, .b = b, .b_stride = b_stride, .b_zero = zeros, .c = c,
                                              .c_stride = c_stride, .m = m, .n = n, .k = k, .is_b_signed = is_signed});
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                int64_t sum = 0;
                for (int64_t s = 0; s < k; s++) {
                    uint8_t byte = b[s * b_stride + j];
                    sum += a[i * a_stride + s] * ((is_signed ? (int8_t)byte : byte) - zeros[j]);
                }
                assert_int_equal(c[i * c_stride + j], sum);
            }
    }
    memory_free(a), memory_free(zeros), memory_free(b), memory_free(c);
}

static void test_products_of_bytes(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 1, 1}, {1, 16, 2}, {4, 16, 64}, {5, 17, 33}, {7, 40, 3}, {3, 15, 200}, {64, 50, 9}, {2, 33, 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
        for (int is_signed = 0; is_signed < 2; is_signed++) check_bytes(shapes[i][0], shapes[i][1], shapes[i][2], is_signed);
}

/* Where 16-bit sums of pairs would stop at 65534 or 32767. */
static void test_products_of_largest_bytes(void **state)
{
    (void)state;
    enum { K = 64, N = 16 };
    static const int16_t zeros[N];
    int16_t a[K];
    uint8_t b[K * N];
    int32_t c[N];
    for (int i = 0; i < K; i++) a[i] = 255;
    memset(b, 127, sizeof b);
    FOR_EACH_TABLE(table)
    {
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            table->gemm_i8(&(struct gemm_i8_args){.a = a, .a_stride = K, .b = b, .b_stride = N, .b_zero = zeros, .c = c, .c_stride = N,
                                                  .m = 1, .n = N, .k = K, .is_b_signed = is_signed});
            for (int j = 0; j < N; j++) assert_int_equal(c[j], K * 255 * 127);
        }
    }
}

static void check_nbits(int bits, int n_rows, int64_t k, int64_t block)
{
    int64_t n_blocks = (k + block - 1) / block, row_bytes = n_blocks * (block * bits / 8);
    uint8_t *rows = memory_new((size_t)(row_bytes * n_rows), 1);
    float *scales = new_random_floats(n_rows * n_blocks, 20), *zeros = new_random_floats(n_rows * n_blocks, 21);
    float *panel = new_floats(k * PANEL_COLUMNS), *expected = new_floats(k * PANEL_COLUMNS);
    uint32_t random = 99;
    for (int64_t i = 0; i < row_bytes * n_rows; i++) rows[i] = (uint8_t)next_random(&random);
    for (int64_t i = 0; i < k; i++)
        for (int j = 0; j < PANEL_COLUMNS; j++) {
            float number = 0;
            if (j < n_rows) {
                int shift = (int)(i * bits % 8), q = rows[j * row_bytes + i * bits / 8] >> shift & ((1 << bits) - 1);
                number = ((float)q - zeros[j * n_blocks + i / block]) * scales[j * n_blocks + i / block];
            }
            expected[i * PANEL_COLUMNS + j] = number;
        }
    FOR_EACH_TABLE(table)
    {
        fill(panel, k * PANEL_COLUMNS, 7);
        table->panel_from_nbits(&(struct nbits_args){.rows = rows, .row_bytes = row_bytes, .scales = scales, .zeros = zeros,
                                                     .n_blocks = n_blocks, .k = k, .block = block, .n_rows = n_rows,
                                                     .bits = bits, .panel = panel});
        assert_same_bits(table->name, panel, expected, k * PANEL_COLUMNS);
    }
    memory_free(rows), memory_free(scales), memory_free(zeros), memory_free(panel), memory_free(expected);
}

static void test_panels_of_small_integers(void **state)
{
    (void)state;
    for (int bits = 2; bits <= 8; bits *= 2)
        for (int n_rows = 1; n_rows <= PANEL_COLUMNS; n_rows += 5) {
            check_nbits(bits, n_rows, 64, 16);
            check_nbits(bits, n_rows, 80, 32);
            check_nbits(bits, n_rows, 37, 32);
            check_nbits(bits, n_rows, 5, 128);
        }
}

static void test_panel_layout(void **state)
{
    (void)state;
    enum { N = 35, K = 300 };
    float *w = new_random_floats(N * K, 11);
    struct panel_source rows = rows_source(w, N, K);
    struct panel_source columns = {.data = w, .dtype = DTYPE_F32, .n = N, .k = K, .n_stride = 1, .k_stride = N};
    float *from_rows = new_panels(&rows), *from_columns = new_panels(&columns);
    for (int64_t j = 0; j < panel_count(N) * PANEL_COLUMNS; j++)
        for (int64_t i = 0; i < K; i++) {
            int64_t at = j / PANEL_COLUMNS * K * PANEL_COLUMNS + i * PANEL_COLUMNS + j % PANEL_COLUMNS;
            assert_true(from_rows[at] == (j < N ? w[j * K + i] : 0));
            assert_true(from_columns[at] == (j < N ? w[i * N + j] : 0));
        }
    memory_free(w), memory_free(from_rows), memory_free(from_columns);
}

/* Packing a quantised weight is packing its decoded rows. */
static void test_panels_of_quantised_rows(void **state)
{
    (void)state;
    enum { N = 18, K = 320 };
    float *w = new_random_floats(N * K, 12), *decoded = new_floats(N * K);
    for (size_t i = 0; quant_at(i); i++) {
        const struct quant_def *quant = quant_at(i);
        if (!quant->encode) continue;
        unsigned char bytes[N * K * 2];
        quant->encode(N * K, w, bytes);
        quant->decode(N * K, bytes, decoded);
        struct panel_source source = {.data = bytes, .dtype = quant->dtype, .n = N, .k = K, .n_stride = K, .k_stride = 1};
        struct panel_source plain = rows_source(decoded, N, K);
        assert_true(panel_can_pack(&source, DTYPE_F32));
        float *found = new_panels(&source), *expected = new_panels(&plain);
        assert_same_bits(quant->name, found, expected, panel_count(N) * PANEL_COLUMNS * K);
        memory_free(found), memory_free(expected);
    }
    memory_free(w), memory_free(decoded);
}

static void test_panel_limits(void **state)
{
    (void)state;
    size_t n_bytes = 99;
    assert_true(panel_bytes(DTYPE_F32, 0, 5, &n_bytes) && n_bytes == 0);
    assert_true(panel_bytes(DTYPE_F32, 17, 5, &n_bytes) && n_bytes == 2 * 16 * 5 * 4);
    assert_false(panel_bytes(DTYPE_F32, INT64_MAX, 1, &n_bytes));
    assert_false(panel_bytes(DTYPE_F32, 1 << 20, INT64_MAX / 8, &n_bytes));
    assert_false(panel_can_pack(&(struct panel_source){.dtype = DTYPE_I64, .n = 1, .k = 1, .n_stride = 1, .k_stride = 1}, DTYPE_F32));
    assert_false(panel_can_pack(&(struct panel_source){.dtype = DTYPE_Q8_0, .n = 32, .k = 32, .n_stride = 1, .k_stride = 32}, DTYPE_F32));
    assert_false(panel_can_pack(&(struct panel_source){.dtype = DTYPE_Q8_0, .n = 2, .k = 33, .n_stride = 33, .k_stride = 1}, DTYPE_F32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm_is_one_chain),
        cmocka_unit_test(test_gemm_splits),
        cmocka_unit_test(test_halves_are_widened),
        cmocka_unit_test(test_strided_is_one_chain),
        cmocka_unit_test(test_strided_odd_strides),
        cmocka_unit_test(test_products_of_bytes),
        cmocka_unit_test(test_products_of_largest_bytes),
        cmocka_unit_test(test_panels_of_small_integers),
        cmocka_unit_test(test_panel_layout),
        cmocka_unit_test(test_panels_of_quantised_rows),
        cmocka_unit_test(test_panel_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
