/* Block formats: their panels, 8-bit activations, and the products of the two: against f64 sums of what the numbers stand for, and
 * byte by byte between tables. */
#include "kernel_test.h"

#include "kernels/panel_block.h"
#include "quant/half.h"
#include "quant/quant.h"

typedef void gemm_q8(const struct gemm_q8_args *args);

/* halves: where a block has f16 numbers, -1 for none. */
static const struct format {
    const char *name;
    enum dtype dtype;
    int halves[2];
    size_t slot; /* in struct kernels */
} formats[] = {
    {"q4_0", DTYPE_Q4_0, {0, -1}, offsetof(struct kernels, gemm_q4_0)}, {"q4_1", DTYPE_Q4_1, {0, 2}, offsetof(struct kernels, gemm_q4_1)},
    {"q5_0", DTYPE_Q5_0, {0, -1}, offsetof(struct kernels, gemm_q5_0)}, {"q5_1", DTYPE_Q5_1, {0, 2}, offsetof(struct kernels, gemm_q5_1)},
    {"q8_0", DTYPE_Q8_0, {0, -1}, offsetof(struct kernels, gemm_q8_0)}, {"q4_k", DTYPE_Q4_K, {0, 2}, offsetof(struct kernels, gemm_q4_k)},
    {"q6_k", DTYPE_Q6_K, {208, -1}, offsetof(struct kernels, gemm_q6_k)},
};

static gemm_q8 *kernel_of(const struct kernels *table, const struct format *format)
{
    gemm_q8 *kernel;
    memcpy(&kernel, (const char *)table + format->slot, sizeof kernel);
    return kernel;
}

/* Any bytes are codes; scales are of a size that sums bear. */
static unsigned char *new_blocks(const struct format *format, int64_t n, int64_t k, uint32_t seed)
{
    int64_t n_blocks = n * k / (int64_t)dtype_block_items(format->dtype), block_bytes = (int64_t)dtype_block_bytes(format->dtype);
    unsigned char *blocks = memory_new((size_t)(n_blocks * block_bytes) + 1, 1);
    assert_non_null(blocks);
    uint32_t random = seed * 2654435761u | 1;
    for (int64_t i = 0; i < n_blocks * block_bytes; i++) blocks[i] = (unsigned char)(next_random(&random) >> 8);
    for (int64_t i = 0; i < n_blocks; i++)
        for (int h = 0; h < 2 && format->halves[h] >= 0; h++) {
            uint16_t half = f16_bits_from_f32(random_float(&random));
            memcpy(blocks + i * block_bytes + format->halves[h], &half, sizeof half);
        }
    return blocks;
}

static struct panel_source source_of(const struct format *format, const void *blocks, int64_t n, int64_t k)
{
    return (struct panel_source){.data = blocks, .dtype = format->dtype, .n = n, .k = k, .n_stride = k, .k_stride = 1};
}

static unsigned char *new_panels(const struct panel_source *source)
{
    size_t n_bytes;
    assert_true(panel_bytes(source->dtype, source->n, source->k, &n_bytes));
    unsigned char *panels = memory_aligned(n_bytes + PANEL_ALIGNMENT);
    assert_non_null(panels);
    memset(panels, 0xa5, n_bytes + PANEL_ALIGNMENT);
    panel_pack(source, source->dtype, 0, panel_count(source->n), panels);
    for (int i = 0; i < PANEL_ALIGNMENT; i++) assert_int_equal(panels[n_bytes + (size_t)i], 0xa5);
    return panels;
}

/* ---- panels ---- */

/* The code at step k of column c among 32 steps, read as panel.h words it. */
static int code_at(enum dtype dtype, const unsigned char *codes, int c, int k)
{
    int group = k / 4, t = k % 4;
    if (dtype == DTYPE_Q8_0) return codes[group * 64 + c * 4 + t] - 128;
    int nibble = group < 4 ? codes[group * 64 + c * 4 + t] & 15 : codes[(group - 4) * 64 + c * 4 + t] >> 4;
    if (dtype == DTYPE_Q4_0) return nibble - 8;
    if (dtype == DTYPE_Q6_K)
        return (nibble | (codes[256 + group / 4 * 64 + c * 4 + t] >> group % 4 * 2 & 3) << 4) - 32;
    if (dtype == DTYPE_Q5_0 || dtype == DTYPE_Q5_1) {
        int bit = c * 4 + t;
        nibble |= (codes[256 + group * 8 + bit / 8] >> bit % 8 & 1) << 4;
    }
    return dtype == DTYPE_Q5_0 ? nibble - 16 : nibble;
}

static float half_at(const unsigned char *halves, int c)
{
    return f32_from_f16_bits((uint16_t)(halves[2 * c] | halves[2 * c + 1] << 8));
}

/* What step k of column c stands for, in f64. */
static double item_at(const struct format *format, const unsigned char *panel, int64_t n_k, int c, int64_t k)
{
    const struct panel_format *panel_format = panel_format_find(format->dtype);
    struct panel_shape shape;
    assert_true(panel_shape_of(panel_format, n_k, &shape));
    int64_t part = k / 32, parts = panel_format->block_items / 32;
    const unsigned char *parameters = panel + shape.parameters + part / parts * panel_format->parameter_bytes;
    const unsigned char *details = panel + shape.details + part * 32;
    double d = (double)half_at(parameters, c);
    double code = code_at(format->dtype, panel + shape.codes + part * (panel_format->code_bytes / parts), c, (int)(k % 32));
    if (format->dtype == DTYPE_Q4_K) return d * details[c] * code - (double)half_at(parameters + 32, c) * details[16 + c];
    if (format->dtype == DTYPE_Q6_K) return d * (int8_t)details[k % 32 / 16 * 16 + c] * code;
    return format->halves[1] < 0 ? d * code : d * code + (double)half_at(parameters + 32, c);
}

static void check_panels(const struct format *format)
{
    enum { N = 35, K = 768 };
    unsigned char *blocks = new_blocks(format, N, K, 1);
    struct panel_source source = source_of(format, blocks, N, K);
    assert_true(panel_can_pack(&source, format->dtype));
    unsigned char *panels = new_panels(&source);
    size_t n_bytes;
    assert_true(panel_bytes(format->dtype, N, K, &n_bytes));
    float row[K];
    for (int j = 0; j < N; j++) {
        panel_unpack_row(panels, format->dtype, K, j, row);
        const unsigned char *panel = panels + (size_t)(j / PANEL_COLUMNS) * (n_bytes / (size_t)panel_count(N));
        for (int k = 0; k < K; k++) {
            double item = item_at(format, panel, K, j % PANEL_COLUMNS, k);
            assert_true(fabs((double)row[k] - item) <= 1e-6 * fabs(item) + 1e-4);
        }
        if (!quant_find(format->dtype)) continue;
        float expected[K];
        quant_find(format->dtype)->decode(K, blocks + (size_t)j * K / dtype_block_items(format->dtype) * dtype_block_bytes(format->dtype), expected);
        assert_same_bits(format->name, row, expected, K);
    }
    memory_free(blocks), memory_free(panels);
}

static void test_panels_keep_every_item(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) check_panels(&formats[i]);
}

/* The columns that lack and the gaps are zeros, and a range of panels is what the whole has there. */
static void test_panels_of_a_range(void **state)
{
    (void)state;
    enum { N = 50, K = 32 };
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        int64_t k = dtype_block_items(formats[i].dtype) == 256 ? 256 : K;
        unsigned char *blocks = new_blocks(&formats[i], N, k, 2);
        struct panel_source source = source_of(&formats[i], blocks, N, k);
        unsigned char *whole = new_panels(&source), *again = new_panels(&source);
        size_t n_bytes, one = 0;
        assert_true(panel_bytes(source.dtype, N, k, &n_bytes) && panel_bytes(source.dtype, 1, k, &one));
        memset(again, 0x5a, n_bytes);
        for (int64_t p = panel_count(N); p-- > 0;) panel_pack(&source, source.dtype, p, p + 1, again);
        assert_memory_equal(whole, again, n_bytes);
        struct panel_shape shape;
        assert_true(panel_shape_of(panel_format_find(source.dtype), k, &shape));
        const unsigned char *last = whole + n_bytes - one;
        for (int c = N % PANEL_COLUMNS; c < PANEL_COLUMNS; c++)
            for (int t = 0; t < 4; t++) assert_int_equal(last[shape.codes + (size_t)(c * 4 + t)], 0);
        memory_free(blocks), memory_free(whole), memory_free(again);
    }
}

static void test_panels_of_half_floats(void **state)
{
    (void)state;
    enum { N = 19, K = 7 };
    uint16_t rows[N * K];
    for (int i = 0; i < N * K; i++) rows[i] = (uint16_t)(0x3c00 + i);
    static const enum dtype dtypes[] = {DTYPE_F16, DTYPE_BF16};
    for (int d = 0; d < 2; d++) {
        struct panel_source by_rows = {.data = rows, .dtype = dtypes[d], .n = N, .k = K, .n_stride = K, .k_stride = 1};
        struct panel_source by_columns = {.data = rows, .dtype = dtypes[d], .n = K, .k = N, .n_stride = 1, .k_stride = K};
        unsigned char *panels = new_panels(&by_rows), *transposed = new_panels(&by_columns);
        float row[N], expected[N * K];
        quant_find(dtypes[d])->decode(N * K, rows, expected);
        for (int j = 0; j < N; j++) {
            panel_unpack_row(panels, dtypes[d], K, j, row);
            for (int k = 0; k < K; k++) assert_true(row[k] == expected[j * K + k]);
        }
        for (int j = 0; j < K; j++) {
            panel_unpack_row(transposed, dtypes[d], N, j, row);
            for (int k = 0; k < N; k++) assert_true(row[k] == expected[k * K + j]);
        }
        memory_free(panels), memory_free(transposed);
    }
}

/* ---- activations ---- */

struct activations {
    int64_t n_rows, k;
    int8_t *codes;
    float *scales;
    int32_t *sums, *half_sums;
};

static struct activations new_activations(int64_t n_rows, int64_t k)
{
    size_t n = (size_t)(n_rows * k) + PANEL_ALIGNMENT;
    struct activations a = {n_rows, k, memory_aligned(n), memory_aligned(n * 4), memory_aligned(n * 4), memory_aligned(n * 4)};
    assert_true(a.codes && a.scales && a.sums && a.half_sums);
    memset(a.codes, 99, n);
    return a;
}

static void free_activations(struct activations *a)
{
    memory_free(a->codes), memory_free(a->scales), memory_free(a->sums), memory_free(a->half_sums);
}

static void quantize(const struct kernels *table, const float *x, int64_t x_stride, struct activations *a, bool has_halves)
{
    table->quantize_rows_q8(&(struct quantize_rows_q8_args){.x = x, .x_stride = x_stride, .codes = a->codes, .scales = a->scales, .sums = a->sums,
                                                            .half_sums = has_halves ? a->half_sums : NULL, .n_rows = a->n_rows, .k = a->k});
}

/* One block by the definition. */
static void check_block(const char *what, const float *x, const struct activations *a, int64_t block)
{
    float largest = 0;
    bool is_finite = true;
    int32_t sums[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
        is_finite = is_finite && isfinite(x[i]);
        largest = fmaxf(largest, fabsf(x[i]));
    }
    float scale = is_finite ? largest / 127 : NAN, inverse = 127 / largest;
    for (int i = 0; i < 32; i++) {
        int code = is_finite && isfinite(inverse) ? (int)nearbyintf(x[i] * inverse) : 0;
        assert_int_equal(a->codes[block * 32 + i], code);
        sums[i / 16] += code;
    }
    assert_same_bits(what, a->scales + block, &scale, 1);
    assert_int_equal(a->sums[block], sums[0] + sums[1]);
    assert_int_equal(a->half_sums[2 * block], sums[0]);
    assert_int_equal(a->half_sums[2 * block + 1], sums[1]);
}

/* Blocks of all sizes, ties, zeros, what cannot be divided by, infinities and NaN among them. */
static float *new_odd_rows(int64_t n_rows, int64_t x_stride)
{
    static const float odd[] = {0, -0.0f, 1e-38f, 0x1p-149f, NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 127, 0.5f, -1.5f, 2.5f};
    float *x = new_random_floats(n_rows * x_stride, 3);
    for (int64_t block = 0; block < n_rows * x_stride / 32; block++) {
        float *items = x + block * 32;
        if (block % 3 == 1)
            for (int i = 0; i < 32; i++) items[i] = (float)(i - 16) * 0.5f;
        if (block % 3 == 1) items[block % 32] = 127;
        if (block % 5 == 2)
            for (int i = 0; i < 32; i++) items[i] *= 1e-38f;
        if (block % 7 == 3) memset(items, 0, 32 * sizeof *items);
        if (block % 4 == 3) items[block % 32] = odd[block / 4 % (int64_t)ARRAY_LENGTH(odd)];
    }
    return x;
}

static void test_activations(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{1, 32}, {3, 64}, {5, 96}, {2, 1024}, {33, 160}, {0, 32}, {4, 0}};
    for (size_t s = 0; s < ARRAY_LENGTH(shapes); s++) {
        int64_t n_rows = shapes[s][0], k = shapes[s][1], x_stride = k + 32;
        float *x = new_odd_rows(n_rows, x_stride);
        struct activations a = new_activations(n_rows, k);
        FOR_EACH_TABLE(table)
        {
            quantize(table, x, x_stride, &a, true);
            for (int64_t i = 0; i < n_rows * k / 32; i++) check_block(table->name, x + i / (k / 32) * x_stride + i % (k / 32) * 32, &a, i);
            assert_int_equal(a.codes[n_rows * k], 99);
            a.half_sums[0] = 12345;
            quantize(table, x, x_stride, &a, false);
            assert_int_equal(a.half_sums[0], 12345);
        }
        memory_free(x), free_activations(&a);
    }
}

/* ---- products ---- */

struct product {
    const struct format *format;
    struct activations a;
    unsigned char *panels;
    float *x, *bias, *c, *expected;
    int64_t n, c_stride;
};

static struct product new_product(const struct format *format, int64_t m, int64_t n, int64_t k)
{
    unsigned char *blocks = new_blocks(format, n, k, (uint32_t)(m + n + k));
    struct panel_source source = source_of(format, blocks, n, k);
    struct product p = {.format = format, .a = new_activations(m, k), .panels = new_panels(&source), .x = new_random_floats(m * k, 4),
                        .bias = new_random_floats(n, 5), .c = new_floats(m * (n + 3)), .expected = new_floats(m * (n + 3)), .n = n, .c_stride = n + 3};
    quantize(kernels_at(0), p.x, k, &p.a, true);
    memory_free(blocks);
    return p;
}

static void free_product(struct product *p)
{
    memory_free(p->panels), memory_free(p->x), memory_free(p->bias), memory_free(p->c), memory_free(p->expected), free_activations(&p->a);
}

static struct gemm_q8_args args_of(const struct product *p, float *c, bool has_bias)
{
    return (struct gemm_q8_args){.a = p->a.codes, .a_scales = p->a.scales, .a_sums = p->a.sums, .a_half_sums = p->a.half_sums, .panels = p->panels,
                                 .bias = has_bias ? p->bias : NULL, .c = c, .c_stride = p->c_stride, .m = p->a.n_rows, .n = p->n, .k = p->a.k,
                                 .panel_begin = 0, .panel_end = panel_count(p->n)};
}

/* Each block adds a rounding or two; magnitude is the sum of the terms'. */
static void check_exact(const struct product *p, bool has_bias)
{
    int64_t k = p->a.k;
    float *row = new_floats(k);
    for (int64_t j = 0; j < p->n; j++) {
        panel_unpack_row(p->panels, p->format->dtype, k, j, row);
        for (int64_t i = 0; i < p->a.n_rows; i++) {
            double sum = has_bias ? (double)p->bias[j] : 0, magnitude = fabs(sum);
            for (int64_t s = 0; s < k; s++) {
                double a = (double)p->a.codes[i * k + s] * (double)p->a.scales[(i * k + s) / 32];
                sum += a * (double)row[s];
                magnitude += fabs(a) * (fabs((double)row[s]) + 2);
            }
            assert_true(fabs((double)p->expected[i * p->c_stride + j] - sum) <= magnitude * (double)(2 + k / 16) * 0x1p-23);
        }
    }
    memory_free(row);
}

static void check_product(const struct format *format, int64_t m, int64_t n, int64_t k, bool has_bias)
{
    struct product p = new_product(format, m, n, k);
    fill(p.expected, m * p.c_stride, 5);
    struct gemm_q8_args args = args_of(&p, p.expected, has_bias);
    kernel_of(kernels_at(0), format)(&args);
    check_exact(&p, has_bias);
    FOR_EACH_TABLE(table)
    {
        char what[96];
        snprintf(what, sizeof what, "%s %s %lldx%lldx%lld", table->name, format->name, (long long)m, (long long)n, (long long)k);
        fill(p.c, m * p.c_stride, 5);
        args = args_of(&p, p.c, has_bias);
        kernel_of(table, format)(&args);
        assert_same_bits(what, p.c, p.expected, m * p.c_stride);
    }
    free_product(&p);
}

static void test_products(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 16, 256}, {1, 1, 256}, {2, 80, 256}, {3, 33, 768}, {4, 48, 512}, {5, 31, 256}, {7, 17, 256}, {8, 64, 512},
                                        {13, 20, 256}, {29, 50, 256}, {64, 18, 256}, {1, 200, 1024}, {3, 16, 0}, {0, 16, 256}, {2, 0, 256},
                                        {50, 33, 1280}, {98, 17, 2304}, {3, 20, 4864}, {11, 70, 512}};
    for (size_t f = 0; f < ARRAY_LENGTH(formats); f++) {
        for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) check_product(&formats[f], shapes[i][0], shapes[i][1], shapes[i][2], i % 2 == 0);
        if (dtype_block_items(formats[f].dtype) == 256) continue;
        for (int64_t k = 32; k <= 224; k += 32) check_product(&formats[f], 1 + k / 32, 40, k, false);
    }
}

/* Any split over panels and rows gives what one call gives. */
static void test_product_splits(void **state)
{
    (void)state;
    enum { M = 23, N = 150, K = 256 };
    for (size_t f = 0; f < ARRAY_LENGTH(formats); f++) {
        struct product p = new_product(&formats[f], M, N, K);
        FOR_EACH_TABLE(table)
        {
            struct gemm_q8_args args = args_of(&p, p.expected, true);
            kernel_of(table, p.format)(&args);
            fill(p.c, M * p.c_stride, 0);
            for (int64_t row = 0; row < M; row += 5)
                for (int64_t panel = 0; panel < panel_count(N); panel += 3) {
                    args = args_of(&p, p.c + row * p.c_stride, true);
                    args.a += row * K, args.a_scales += row * K / 32, args.a_sums += row * K / 32, args.a_half_sums += row * K / 16;
                    args.m = M - row < 5 ? M - row : 5;
                    args.panel_begin = panel;
                    args.panel_end = panel + 3 < panel_count(N) ? panel + 3 : panel_count(N);
                    kernel_of(table, p.format)(&args);
                }
            for (int64_t row = 0; row < M; row++) assert_same_bits(table->name, p.c + row * p.c_stride, p.expected + row * p.c_stride, N);
        }
        free_product(&p);
    }
}

/* The largest codes of both sides, where 16-bit sums or signed bytes would overflow. */
static void test_products_of_largest_codes(void **state)
{
    (void)state;
    enum { M = 5, N = 16, K = 256 };
    for (size_t f = 0; f < ARRAY_LENGTH(formats); f++)
        for (int byte = 0; byte <= 0xff; byte += 0x55) {
            struct product p = new_product(&formats[f], M, N, K);
            const struct panel_format *format = panel_format_find(p.format->dtype);
            struct panel_shape shape;
            assert_true(panel_shape_of(format, K, &shape));
            memset(p.panels + shape.codes, byte, shape.n_bytes - shape.codes);
            memset(p.panels + shape.details, p.format->dtype == DTYPE_Q4_K ? 63 : 0x80, shape.codes - shape.details);
            for (int i = 0; i < M * K; i++) p.x[i] = i / K % 2 ? -1 : 1;
            quantize(kernels_at(0), p.x, K, &p.a, true);
            struct gemm_q8_args args = args_of(&p, p.expected, false);
            kernel_of(kernels_at(0), p.format)(&args);
            check_exact(&p, false);
            FOR_EACH_TABLE(table)
            {
                args = args_of(&p, p.c, false);
                kernel_of(table, p.format)(&args);
                for (int64_t row = 0; row < M; row++) assert_same_bits(table->name, p.c + row * p.c_stride, p.expected + row * p.c_stride, N);
            }
            free_product(&p);
        }
}

/* A row with a NaN or an infinity is NaN in all its outputs, its neighbours are as they were. */
static void test_products_of_nan(void **state)
{
    (void)state;
    enum { M = 6, N = 40, K = 512 };
    for (size_t f = 0; f < ARRAY_LENGTH(formats); f++) {
        struct product p = new_product(&formats[f], M, N, K);
        p.x[3 * K + 300] = INFINITY;
        FOR_EACH_TABLE(table)
        {
            quantize(table, p.x, K, &p.a, true);
            struct gemm_q8_args args = args_of(&p, p.c, false);
            kernel_of(table, p.format)(&args);
            for (int row = 0; row < M; row++)
                for (int j = 0; j < N; j++) assert_true(isnan(p.c[row * p.c_stride + j]) == (row == 3));
        }
        free_product(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_panels_keep_every_item), cmocka_unit_test(test_panels_of_a_range),
        cmocka_unit_test(test_panels_of_half_floats),  cmocka_unit_test(test_activations),
        cmocka_unit_test(test_products),               cmocka_unit_test(test_product_splits),
        cmocka_unit_test(test_products_of_largest_codes), cmocka_unit_test(test_products_of_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
