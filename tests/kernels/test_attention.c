/* Attention: against double, the same bits from every table, and rows that depend neither on their neighbours nor on what is
 * hidden from them. */
#include "kernel_test.h"

#include "quant/quant.h"

struct shape {
    int64_t n_heads, n_queries, n_keys, width, value_width, first_limit;
    bool has_mask, is_half;
    int64_t window; /* keys up to a query's limit that it sees; 0: all */
    float softcap;  /* 0: none */
};

/* All of an attention's memory; rows are stored [query or key][head][item], so that strides differ from sizes. */
struct problem {
    struct attention_f32_args args;
    float *q, *k, *v, *mask, *out, *scratch; /* k and v: what args has, or its halves as f32 */
    uint16_t *halves[2];
    int64_t n_out;
};

/* Rounds x to halves and back. */
static uint16_t *new_halves(float *x, int64_t n)
{
    const struct kernels *kernels = kernels_by_name("generic");
    uint16_t *halves = memory_new((size_t)n + 1, sizeof *halves);
    assert_non_null(halves);
    kernels->f16_from_f32(n, x, halves);
    kernels->f32_from_f16(n, halves, x);
    return halves;
}

static struct problem problem_new(const struct shape *s)
{
    struct problem p = {.n_out = s->n_queries * s->n_heads * s->value_width};
    int64_t n_k = s->n_keys * (s->width + 3), n_v = s->n_keys * (s->value_width + 5);
    int64_t n_item = s->is_half ? 2 : 4;
    size_t n_scratch;
    assert_true(attention_scratch_floats(s->width, s->value_width, &n_scratch));
    p.q = new_random_floats(s->n_queries * s->n_heads * s->width, 1);
    p.k = new_random_floats(n_k, 2);
    p.v = new_random_floats(n_v, 3);
    p.mask = new_random_floats(s->n_queries * s->n_keys, 4);
    p.out = new_floats(p.n_out);
    p.scratch = new_floats((int64_t)n_scratch);
    fill(p.scratch, (int64_t)n_scratch, NAN);
    if (s->is_half) p.halves[0] = new_halves(p.k, n_k), p.halves[1] = new_halves(p.v, n_v);
    p.args = (struct attention_f32_args){
        .q = p.q, .q_head_stride = s->width, .q_stride = s->n_heads * s->width, .k_row_bytes = (s->width + 3) * n_item,
        .k = s->is_half ? (void *)p.halves[0] : p.k, .v = s->is_half ? (void *)p.halves[1] : p.v,
        .items = s->is_half ? ATTENTION_F16 : ATTENTION_F32, .v_row_bytes = (s->value_width + 5) * n_item,
        .k_tile_bytes = ATTENTION_KEY_TILE * (s->width + 3) * n_item, .v_tile_bytes = ATTENTION_KEY_TILE * (s->value_width + 5) * n_item, .out = p.out, .out_head_stride = s->value_width,
        .out_stride = s->n_heads * s->value_width, .mask = s->has_mask ? p.mask : NULL, .mask_stride = s->n_keys,
        .mask_key_stride = 1, .n_heads = s->n_heads, .n_queries = s->n_queries, .n_keys = s->n_keys, .width = s->width,
        .value_width = s->value_width, .first_limit = s->first_limit, .is_windowed = s->window > 0,
        .first_key = s->first_limit - s->window, .scale = 0.4f, .softcap = s->softcap, .scratch = p.scratch};
    return p;
}

static void problem_release(struct problem *p)
{
    memory_free(p->q), memory_free(p->k), memory_free(p->v), memory_free(p->mask), memory_free(p->out), memory_free(p->scratch);
    memory_free(p->halves[0]), memory_free(p->halves[1]);
}

static const struct shape shapes[] = {
    {2, 1, 256, 8, 8, 256, false, false, 0, 0},    {1, 40, 40, 32, 32, 40, false, false, 0, 0},  {1, 40, 40, 32, 32, 1, false, false, 0, 0},
    {3, 29, 50, 16, 24, 22, true, false, 0, 0},    {7, 5, 33, 64, 64, 29, false, false, 0, 0},   {1, 1, 1, 4, 4, 1, true, false, 0, 0},
    {2, 3, 70, 260, 300, 70, true, false, 0, 0},   {1, 30, 20, 5, 3, -5, false, false, 0, 0},    {1, 2, 0, 8, 8, 0, false, false, 0, 0},
    {1, 131, 300, 64, 64, 170, false, false, 0, 0}, {4, 50, 211, 80, 96, 162, true, false, 0, 0}, {7, 1, 200, 64, 64, 200, false, true, 0, 0},
    {3, 70, 129, 33, 47, 60, true, true, 0, 0},    {1, 100, 260, 16, 16, 161, false, false, 70, 0}, {2, 60, 150, 24, 8, 91, true, true, 3, 0},
    {5, 13, 190, 128, 128, 178, false, false, 1, 0}, {1, 40, 100, 8, 8, 30, false, false, 200, 0}, {12, 1, 129, 64, 64, 129, true, false, 0, 0},
    {2, 9, 20, 8, 8, 25, false, false, 2, 0},      {1, 3, 10, 0, 8, 10, false, false, 0, 0},     {1, 3, 10, 8, 0, 10, false, false, 0, 0},
    {3, 29, 150, 16, 24, 122, true, false, 0, 1.5f},   {8, 1, 200, 64, 64, 200, false, true, 0, 0.25f}, {2, 60, 150, 24, 8, 91, false, true, 70, 50},
};

/* The keys that a query sees: *ret_begin … the result. */
static int64_t keys_seen(const struct attention_f32_args *args, int64_t query, int64_t *ret_begin)
{
    int64_t limit = args->first_limit + query;
    *ret_begin = args->is_windowed && args->first_key + query > 0 ? args->first_key + query : 0;
    return limit < 0 ? 0 : limit > args->n_keys ? args->n_keys : limit;
}

/* One output row in double; 0 where no key is seen. */
static void exact_row(const struct problem *p, int64_t head, int64_t query, double *ret_row)
{
    const struct attention_f32_args *args = &p->args;
    const float *q = args->q + head * args->q_head_stride + query * args->q_stride;
    int64_t begin, end = keys_seen(args, query, &begin);
    double scores[512], largest = -INFINITY, sum = 0;
    assert_true(end <= 512);
    for (int64_t j = begin; j < end; j++) {
        double dot = 0;
        for (int64_t i = 0; i < args->width; i++) dot += (double)q[i] * (double)p->k[j * (args->width + 3) + i];
        scores[j] = dot * (double)args->scale;
        if (args->softcap != 0) scores[j] = (double)args->softcap * tanh(scores[j] / (double)args->softcap);
        if (args->mask) scores[j] += (double)args->mask[query * args->mask_stride + j];
        largest = fmax(largest, scores[j]);
    }
    for (int64_t j = begin; j < end; j++) sum += scores[j] = exp(scores[j] - largest);
    for (int64_t i = 0; i < args->value_width; i++) {
        ret_row[i] = 0;
        for (int64_t j = begin; j < end; j++) ret_row[i] += scores[j] / sum * (double)p->v[j * (args->value_width + 5) + i];
    }
}

/* Values and weights are below 1, so an absolute error of 2e-6 is 17 units of 1's last place. */
static void test_accuracy(void **state)
{
    (void)state;
    for (size_t s = 0; s < ARRAY_LENGTH(shapes); s++) {
        struct problem p = problem_new(&shapes[s]);
        kernels_by_name("generic")->attention_f32(&p.args);
        for (int64_t query = 0; query < p.args.n_queries; query++)
            for (int64_t head = 0; head < p.args.n_heads; head++) {
                double row[300];
                exact_row(&p, head, query, row);
                for (int64_t i = 0; i < p.args.value_width; i++) {
                    double found = (double)p.out[query * p.args.out_stride + head * p.args.out_head_stride + i];
                    if (!(fabs(found - row[i]) <= 2e-6)) fail_msg("shape %zu query %lld: found %g, expected %g", s, (long long)query, found, row[i]);
                }
            }
        problem_release(&p);
    }
}

static void test_same_bits_as_generic(void **state)
{
    (void)state;
    for (size_t s = 0; s < ARRAY_LENGTH(shapes); s++) {
        struct problem p = problem_new(&shapes[s]);
        float *expected = new_floats(p.n_out);
        kernels_by_name("generic")->attention_f32(&p.args);
        memcpy(expected, p.out, (size_t)p.n_out * sizeof *expected);
        FOR_EACH_TABLE(table)
        {
            char what[64];
            snprintf(what, sizeof what, "%s shape %zu", table->name, s);
            fill(p.out, p.n_out, 9);
            table->attention_f32(&p.args);
            assert_same_bits(what, p.out, expected, p.n_out);
        }
        memory_free(expected);
        problem_release(&p);
    }
}

/* A row computed alone, with the keys behind it gone, is the row of the whole. */
static void test_rows_stand_alone(void **state)
{
    (void)state;
    const struct shape some[] = {{2, 31, 31, 20, 20, 1, true, false, 0, 0}, {3, 140, 170, 16, 16, 31, false, true, 0, 0}, {1, 150, 150, 8, 20, 1, true, false, 66, 0}};
    FOR_EACH_TABLE(table)
    for (size_t s = 0; s < ARRAY_LENGTH(some); s++) {
        struct problem p = problem_new(&some[s]);
        float *whole = new_floats(p.n_out);
        table->attention_f32(&p.args);
        memcpy(whole, p.out, (size_t)p.n_out * sizeof *whole);
        for (int64_t query = 0; query < some[s].n_queries; query++) {
            struct attention_f32_args row = p.args;
            row.q += query * row.q_stride, row.out += query * row.out_stride;
            if (row.mask) row.mask += query * row.mask_stride;
            row.n_queries = 1, row.n_keys = row.first_limit += query, row.first_key += query;
            table->attention_f32(&row);
        }
        assert_same_bits(table->name, p.out, whole, p.n_out);
        memory_free(whole);
        problem_release(&p);
    }
}

/* Within one tile of keys attention is the products and the softmax it is made of, but that the sum divides at the end. */
static void test_close_to_unfused(void **state)
{
    (void)state;
    enum { T = 26, S = 26, K = 24 };
    const struct shape shape = {1, T, S, K, K, S, true, false, 0, 0};
    FOR_EACH_TABLE(table)
    {
        struct problem p = problem_new(&shape);
        float *scores = new_floats(T * S), *out = new_floats(T * K);
        table->gemm_strided_f32(&(struct gemm_strided_f32_args){
            .a = p.q, .a_row_stride = K, .a_column_stride = 1, .b = p.k, .b_row_stride = 1, .b_column_stride = K + 3,
            .c = scores, .c_stride = S, .m = T, .n = S, .k = K});
        table->scale_f32(T * S, p.args.scale, scores, scores);
        table->add_f32(T * S, scores, 1, p.mask, 1, scores);
        for (int64_t i = 0; i < T; i++) table->softmax_f32(S, scores + i * S, scores + i * S);
        table->gemm_strided_f32(&(struct gemm_strided_f32_args){
            .a = scores, .a_row_stride = S, .a_column_stride = 1, .b = p.v, .b_row_stride = K + 5, .b_column_stride = 1,
            .c = out, .c_stride = K, .m = T, .n = K, .k = S});
        table->attention_f32(&p.args);
        for (int64_t i = 0; i < T * K; i++) assert_true(fabsf(p.out[i] - out[i]) <= 3e-7f);
        memory_free(scores), memory_free(out);
        problem_release(&p);
    }
}

/* Whatever a mask hides (a whole tile, all but one key, the first tile by the lowest finite number), tables agree and the rest
 * counts. */
static void test_hiding_masks(void **state)
{
    (void)state;
    const struct shape shape = {2, 20, 200, 16, 16, 200, true, false, 0, 0};
    struct problem p = problem_new(&shape);
    float *expected = new_floats(p.n_out);
    for (int64_t query = 0; query < 20; query++)
        for (int64_t key = 0; key < 200; key++) {
            bool is_hidden = query % 4 == 0 ? key < 64 : query % 4 == 1 ? key != 150 : query % 4 == 2 ? key / 64 == 1 : key > 70;
            if (is_hidden) p.mask[query * 200 + key] = query < 10 ? -INFINITY : -3.4028235e38f;
        }
    kernels_by_name("generic")->attention_f32(&p.args);
    memcpy(expected, p.out, (size_t)p.n_out * sizeof *expected);
    for (int64_t i = 0; i < p.n_out; i++) assert_true(isfinite(expected[i]));
    for (int64_t i = 0; i < 16; i++) assert_true(fabsf(expected[p.args.out_stride + i] - p.v[150 * (16 + 5) + i]) < 1e-7f);
    FOR_EACH_TABLE(table)
    {
        table->attention_f32(&p.args);
        assert_same_bits(table->name, p.out, expected, p.n_out);
    }
    memory_free(expected);
    problem_release(&p);
}

/* What a row must not see may be anything, even infinite or NaN; a row that sees nothing is zero. */
static void test_hidden_keys(void **state)
{
    (void)state;
    const struct shape shape = {1, 10, 10, 8, 16, 1, false, false, 0, 0};
    FOR_EACH_TABLE(table)
    {
        struct problem p = problem_new(&shape);
        float *expected = new_floats(p.n_out);
        table->attention_f32(&p.args);
        memcpy(expected, p.out, (size_t)p.n_out * sizeof *expected);
        fill(p.k + 6 * (8 + 3), 4 * (8 + 3), NAN);
        fill(p.v + 6 * (16 + 5), 4 * (16 + 5), INFINITY);
        table->attention_f32(&p.args);
        assert_same_bits(table->name, p.out, expected, 6 * p.args.out_stride);
        memory_free(expected);
        problem_release(&p);
    }
}

static void test_all_masked(void **state)
{
    (void)state;
    const struct shape shape = {1, 3, 12, 8, 8, 12, true, false, 0, 0};
    FOR_EACH_TABLE(table)
    {
        struct problem p = problem_new(&shape);
        fill(p.mask + 12, 12, -INFINITY);
        p.mask[3] = -INFINITY;
        table->attention_f32(&p.args);
        for (int64_t i = 0; i < 8; i++) {
            assert_true(p.out[8 + i] == 0);
            assert_true(isfinite(p.out[i]) && p.out[i] != 0);
        }
        p.mask[12] = NAN;
        table->attention_f32(&p.args);
        assert_true(p.out[8] != p.out[8]);
        problem_release(&p);
    }
}

/* One mask number for all keys (stride 0) changes no weight but the rounding; a mask of every second item works as well. */
static void test_mask_strides(void **state)
{
    (void)state;
    const struct shape shape = {1, 4, 9, 8, 8, 9, true, false, 0, 0};
    float doubled[4 * 9 * 2];
    FOR_EACH_TABLE(table)
    {
        struct problem p = problem_new(&shape);
        float expected[4 * 8];
        table->attention_f32(&p.args);
        memcpy(expected, p.out, sizeof expected);
        for (size_t i = 0; i < 4 * 9; i++) doubled[2 * i] = p.mask[i];
        p.args.mask = doubled, p.args.mask_stride = 18, p.args.mask_key_stride = 2;
        table->attention_f32(&p.args);
        assert_same_bits(table->name, p.out, expected, 4 * 8);
        p.args.mask_stride = 0, p.args.mask_key_stride = 0;
        table->attention_f32(&p.args);
        assert_true(isfinite(p.out[0]));
        problem_release(&p);
    }
}

/* ---- caches in blocks ---- */

enum { N_TILED_KEYS = 300, TILED_WIDTH = 64, N_TILES = 5, N_PLACES = 9 };

/* Rows of x as the items of a cache, tile i at place tiles[i] of the memory; what is not filled is rubbish. */
static unsigned char *new_tiles(const struct quant_def *quant, const float *x, const uint32_t *tiles, int64_t *ret_row_bytes)
{
    size_t row_bytes = quant ? (size_t)(TILED_WIDTH / quant->block_items * quant->block_bytes) : TILED_WIDTH * sizeof *x;
    unsigned char *bytes = memory_new(N_PLACES * ATTENTION_KEY_TILE, row_bytes);
    assert_non_null(bytes);
    memset(bytes, 0x5a, N_PLACES * ATTENTION_KEY_TILE * row_bytes);
    for (int64_t key = 0; key < N_TILED_KEYS; key++) {
        unsigned char *row = bytes + (tiles[key / ATTENTION_KEY_TILE] * ATTENTION_KEY_TILE + (size_t)key % ATTENTION_KEY_TILE) * row_bytes;
        if (quant) quant->encode(TILED_WIDTH, x + key * TILED_WIDTH, row);
        else memcpy(row, x + key * TILED_WIDTH, row_bytes);
    }
    *ret_row_bytes = (int64_t)row_bytes;
    return bytes;
}

/* What the items stand for, in one piece. */
static void round_rows(const struct quant_def *quant, float *x)
{
    unsigned char blocks[TILED_WIDTH * sizeof(float)];
    for (int64_t key = 0; quant && key < N_TILED_KEYS; key++) {
        quant->encode(TILED_WIDTH, x + key * TILED_WIDTH, blocks);
        quant->decode(TILED_WIDTH, blocks, x + key * TILED_WIDTH);
    }
}

static void check_tiles(const struct kernels *table, enum attention_items items, const struct quant_def *quant, int64_t n_queries)
{
    static const uint32_t tiles[N_TILES] = {7, 2, 8, 0, 5};
    const int64_t n_heads = 3, n_out = n_queries * n_heads * TILED_WIDTH, row_bytes = TILED_WIDTH * (int64_t)sizeof(float);
    size_t n_scratch;
    assert_true(attention_scratch_floats(TILED_WIDTH, TILED_WIDTH, &n_scratch));
    float *q = new_random_floats(n_out, 11), *k = new_random_floats(N_TILED_KEYS * TILED_WIDTH, 12);
    float *v = new_random_floats(N_TILED_KEYS * TILED_WIDTH, 13), *scratch = new_floats((int64_t)n_scratch);
    float *expected = new_floats(n_out), *found = new_floats(n_out);
    struct attention_f32_args args = {
        .q = q, .q_head_stride = TILED_WIDTH, .q_stride = n_heads * TILED_WIDTH, .out = found, .out_head_stride = TILED_WIDTH,
        .out_stride = n_heads * TILED_WIDTH, .n_heads = n_heads, .n_queries = n_queries, .n_keys = N_TILED_KEYS, .width = TILED_WIDTH,
        .value_width = TILED_WIDTH, .first_limit = N_TILED_KEYS - n_queries + 1, .scale = 0.3f, .scratch = scratch,
        .is_windowed = n_queries == 40, .first_key = 70, .items = items, .tiles = tiles};
    unsigned char *k_tiles = new_tiles(quant, k, tiles, &args.k_row_bytes), *v_tiles = new_tiles(quant, v, tiles, &args.v_row_bytes);
    args.k = k_tiles, args.v = v_tiles;
    args.k_tile_bytes = ATTENTION_KEY_TILE * args.k_row_bytes, args.v_tile_bytes = ATTENTION_KEY_TILE * args.v_row_bytes;
    table->attention_f32(&args);
    round_rows(quant, k), round_rows(quant, v);
    args.k = k, args.v = v, args.items = ATTENTION_F32, args.tiles = NULL, args.out = expected;
    args.k_row_bytes = args.v_row_bytes = row_bytes, args.k_tile_bytes = args.v_tile_bytes = ATTENTION_KEY_TILE * row_bytes;
    table->attention_f32(&args);
    assert_same_bits(table->name, found, expected, n_out);
    memory_free(q), memory_free(k), memory_free(v), memory_free(scratch), memory_free(expected), memory_free(found);
    memory_free(k_tiles), memory_free(v_tiles);
}

/* Scattered tiles of every kind of items give the bits of the floats that they stand for, in one piece. */
static void test_tiles(void **state)
{
    (void)state;
    static const int64_t n_queries[] = {1, 40, 150};
    FOR_EACH_TABLE(table)
    for (size_t i = 0; i < ARRAY_LENGTH(n_queries); i++) {
        check_tiles(table, ATTENTION_F32, NULL, n_queries[i]);
        check_tiles(table, ATTENTION_F16, quant_find(DTYPE_F16), n_queries[i]);
        check_tiles(table, ATTENTION_Q8_0, quant_find(DTYPE_Q8_0), n_queries[i]);
        check_tiles(table, ATTENTION_Q4_0, quant_find(DTYPE_Q4_0), n_queries[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),           cmocka_unit_test(test_same_bits_as_generic),
        cmocka_unit_test(test_rows_stand_alone),   cmocka_unit_test(test_close_to_unfused),
        cmocka_unit_test(test_hidden_keys),        cmocka_unit_test(test_all_masked),
        cmocka_unit_test(test_mask_strides),       cmocka_unit_test(test_hiding_masks),
        cmocka_unit_test(test_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
