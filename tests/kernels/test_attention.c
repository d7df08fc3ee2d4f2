/* Attention: against double, the same bits from every table, and rows that depend neither on their neighbours nor on what is
 * hidden from them. */
#include "kernel_test.h"

struct shape {
    int64_t n_heads, n_queries, n_keys, width, value_width, first_limit;
    bool has_mask;
};

/* All of an attention's memory; rows are stored [query or key][head][item], so that strides differ from sizes. */
struct problem {
    struct attention_f32_args args;
    float *q, *k, *v, *mask, *out, *scratch;
    int64_t n_out;
};

static struct problem problem_new(const struct shape *s)
{
    struct problem p = {.n_out = s->n_queries * s->n_heads * s->value_width};
    size_t n_scratch;
    assert_true(attention_scratch_floats(s->n_keys, s->width, s->value_width, &n_scratch));
    p.q = new_random_floats(s->n_queries * s->n_heads * s->width, 1);
    p.k = new_random_floats(s->n_keys * (s->width + 3), 2);
    p.v = new_random_floats(s->n_keys * (s->value_width + 5), 3);
    p.mask = new_random_floats(s->n_queries * s->n_keys, 4);
    p.out = new_floats(p.n_out);
    p.scratch = new_floats((int64_t)n_scratch);
    p.args = (struct attention_f32_args){
        .q = p.q, .q_head_stride = s->width, .q_stride = s->n_heads * s->width, .k = p.k, .k_stride = s->width + 3,
        .v = p.v, .v_stride = s->value_width + 5, .out = p.out, .out_head_stride = s->value_width,
        .out_stride = s->n_heads * s->value_width, .mask = s->has_mask ? p.mask : NULL, .mask_stride = s->n_keys,
        .mask_key_stride = 1, .n_heads = s->n_heads, .n_queries = s->n_queries, .n_keys = s->n_keys, .width = s->width,
        .value_width = s->value_width, .first_limit = s->first_limit, .scale = 0.4f, .scratch = p.scratch};
    return p;
}

static void problem_release(struct problem *p)
{
    memory_free(p->q), memory_free(p->k), memory_free(p->v), memory_free(p->mask), memory_free(p->out), memory_free(p->scratch);
}

static const struct shape shapes[] = {
    {2, 1, 256, 8, 8, 256, false},  {1, 40, 40, 32, 32, 40, false}, {1, 40, 40, 32, 32, 1, false},  {3, 29, 50, 16, 24, 22, true},
    {7, 5, 33, 64, 64, 29, false},  {1, 1, 1, 4, 4, 1, true},       {2, 3, 70, 260, 300, 70, true}, {1, 30, 20, 5, 3, -5, false},
    {1, 2, 0, 8, 8, 0, false},
};

static int64_t keys_seen(const struct attention_f32_args *args, int64_t query)
{
    int64_t limit = args->first_limit + query;
    return limit < 0 ? 0 : limit > args->n_keys ? args->n_keys : limit;
}

/* One output row in double; 0 where no key is seen. */
static void exact_row(const struct attention_f32_args *args, int64_t head, int64_t query, double *ret_row)
{
    const float *q = args->q + head * args->q_head_stride + query * args->q_stride;
    int64_t n_seen = keys_seen(args, query);
    double scores[512], largest = -INFINITY, sum = 0;
    assert_true(n_seen <= 512);
    for (int64_t j = 0; j < n_seen; j++) {
        double dot = 0;
        for (int64_t i = 0; i < args->width; i++) dot += (double)q[i] * (double)args->k[j * args->k_stride + i];
        scores[j] = dot * (double)args->scale;
        if (args->mask) scores[j] += (double)args->mask[query * args->mask_stride + j];
        largest = fmax(largest, scores[j]);
    }
    for (int64_t j = 0; j < n_seen; j++) sum += scores[j] = exp(scores[j] - largest);
    for (int64_t i = 0; i < args->value_width; i++) {
        ret_row[i] = 0;
        for (int64_t j = 0; j < n_seen; j++) ret_row[i] += scores[j] / sum * (double)args->v[j * args->v_stride + i];
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
                exact_row(&p.args, head, query, row);
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
    const struct shape shape = {2, 31, 31, 20, 20, 1, true};
    FOR_EACH_TABLE(table)
    {
        struct problem p = problem_new(&shape);
        float *whole = new_floats(p.n_out);
        table->attention_f32(&p.args);
        memcpy(whole, p.out, (size_t)p.n_out * sizeof *whole);
        for (int64_t query = 0; query < shape.n_queries; query++) {
            struct attention_f32_args row = p.args;
            row.q += query * row.q_stride, row.out += query * row.out_stride, row.mask += query * row.mask_stride;
            row.n_queries = 1, row.n_keys = row.first_limit = query + 1;
            table->attention_f32(&row);
        }
        assert_same_bits(table->name, p.out, whole, p.n_out);
        memory_free(whole);
        problem_release(&p);
    }
}

/* Attention is the products and the softmax it is made of, bit by bit: a pass that fuses them changes nothing. */
static void test_same_bits_as_unfused(void **state)
{
    (void)state;
    enum { T = 26, S = 26, K = 24 };
    const struct shape shape = {1, T, S, K, K, S, true};
    FOR_EACH_TABLE(table)
    {
        struct problem p = problem_new(&shape);
        float *scores = new_floats(T * S), *out = new_floats(T * K);
        table->gemm_strided_f32(&(struct gemm_strided_f32_args){
            .a = p.q, .a_row_stride = K, .a_column_stride = 1, .b = p.k, .b_row_stride = 1, .b_column_stride = p.args.k_stride,
            .c = scores, .c_stride = S, .m = T, .n = S, .k = K});
        table->scale_f32(T * S, p.args.scale, scores, scores);
        table->add_f32(T * S, scores, 1, p.mask, 1, scores);
        for (int64_t i = 0; i < T; i++) table->softmax_f32(S, scores + i * S, scores + i * S);
        table->gemm_strided_f32(&(struct gemm_strided_f32_args){
            .a = scores, .a_row_stride = S, .a_column_stride = 1, .b = p.v, .b_row_stride = p.args.v_stride, .b_column_stride = 1,
            .c = out, .c_stride = K, .m = T, .n = K, .k = S});
        table->attention_f32(&p.args);
        assert_same_bits(table->name, p.out, out, T * K);
        memory_free(scores), memory_free(out);
        problem_release(&p);
    }
}

/* What a row must not see may be anything, even infinite or NaN; a row that sees nothing is zero. */
static void test_hidden_keys(void **state)
{
    (void)state;
    const struct shape shape = {1, 10, 10, 8, 16, 1, false};
    FOR_EACH_TABLE(table)
    {
        struct problem p = problem_new(&shape);
        float *expected = new_floats(p.n_out);
        table->attention_f32(&p.args);
        memcpy(expected, p.out, (size_t)p.n_out * sizeof *expected);
        fill(p.k + 6 * p.args.k_stride, 4 * p.args.k_stride, NAN);
        fill(p.v + 6 * p.args.v_stride, 4 * p.args.v_stride, INFINITY);
        table->attention_f32(&p.args);
        assert_same_bits(table->name, p.out, expected, 6 * p.args.out_stride);
        memory_free(expected);
        problem_release(&p);
    }
}

static void test_all_masked(void **state)
{
    (void)state;
    const struct shape shape = {1, 3, 12, 8, 8, 12, true};
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
    const struct shape shape = {1, 4, 9, 8, 8, 9, true};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),           cmocka_unit_test(test_same_bits_as_generic),
        cmocka_unit_test(test_rows_stand_alone),   cmocka_unit_test(test_same_bits_as_unfused),
        cmocka_unit_test(test_hidden_keys),        cmocka_unit_test(test_all_masked),
        cmocka_unit_test(test_mask_strides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
