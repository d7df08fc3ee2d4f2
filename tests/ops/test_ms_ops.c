/* com.microsoft's operators against their formulas in PyTorch (tests/data/ops, made by tools/make-op-goldens.py). */
#include "unit.h"

#include "ops/run_op.h"

static int set_up(void **state)
{
    static struct op_bench bench;
    op_bench_init(&bench, 2);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    op_bench_release(*state);
    return 0;
}

static void check_activation(struct op_bench *bench, const char *op, const char *bias_name, const char *expected_name)
{
    struct tensor x = golden(bench, "rows_x"), bias = golden(bench, bias_name ? bias_name : "rows_bias"), y;
    struct tensor expected = golden(bench, expected_name);
    run_op(bench, "com.microsoft", op, 1, NULL, 0, (const struct tensor *[]){&x, &bias}, bias_name ? 2 : 1, &y, 1);
    assert_close(bench, &y, &expected, 1e-6f, 1e-6f);
}

static void test_activations(void **state)
{
    check_activation(*state, "Gelu", NULL, "rows_gelu");
    check_activation(*state, "FastGelu", "rows_bias", "rows_fast_gelu");
    check_activation(*state, "FastGelu", NULL, "rows_gelu_tanh");
    check_activation(*state, "QuickGelu", NULL, "rows_quick_gelu");
}

/* BiasGelu is Gelu of the sum. */
static void test_bias_gelu(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "rows_x"), bias = golden(bench, "rows_bias"), sum = x, y, expected;
    sum.data = arena_alloc(&bench->arena, tensor_n_bytes(&x), 64);
    for (int64_t i = 0; i < tensor_n_items(&x); i++)
        ((float *)sum.data)[i] = ((const float *)x.data)[i] + ((const float *)bias.data)[i % 40];
    run_op(bench, "com.microsoft", "BiasGelu", 1, NULL, 0, (const struct tensor *[]){&x, &bias}, 2, &y, 1);
    run_op(bench, "com.microsoft", "Gelu", 1, NULL, 0, (const struct tensor *[]){&sum}, 1, &expected, 1);
    assert_same_bytes(bench, &y, &expected);
}

static void test_skip_norms(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "rows_x"), skip = golden(bench, "rows_up"), weight = golden(bench, "rows_weight");
    struct tensor bias = golden(bench, "rows_bias"), sum = golden(bench, "rows_skip_sum"),
                  expected = golden(bench, "rows_skip"), y[4];
    run_op(bench, "com.microsoft", "SkipLayerNormalization", 1, NULL, 0,
           (const struct tensor *[]){&x, &skip, &weight, &bias, &bias}, 5, y, 4);
    assert_close(bench, &y[0], &expected, 1e-5f, 1e-5f);
    assert_close(bench, &y[3], &sum, 1e-6f, 1e-6f);
    expected = golden(bench, "rows_skip_rms");
    run_op(bench, "com.microsoft", "SkipSimplifiedLayerNormalization", 1, NULL, 0,
           (const struct tensor *[]){&x, &skip, &weight, &bias}, 4, y, 4);
    assert_close(bench, &y[0], &expected, 1e-5f, 1e-5f);
    assert_close(bench, &y[3], &sum, 1e-6f, 1e-6f);
}

/* A skip without batch is the same for each of the batch. */
static void test_skip_norm_broadcasts(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "rows_x"), skip = random_f32(bench, 2, (int64_t[]){4, 40}, 1),
                  weight = golden(bench, "rows_weight");
    int64_t dims[3] = {3, 4, 40};
    struct tensor view = tensor_broadcast(&skip, 3, dims), full = x, a, b;
    full.data = arena_alloc(&bench->arena, tensor_n_bytes(&x), 64);
    tensor_copy_contiguous(&view, full.data);
    run_op(bench, "com.microsoft", "SkipLayerNormalization", 1, NULL, 0, (const struct tensor *[]){&x, &skip, &weight},
           3, &a, 1);
    run_op(bench, "com.microsoft", "SkipLayerNormalization", 1, NULL, 0, (const struct tensor *[]){&x, &full, &weight},
           3, &b, 1);
    assert_same_bytes(bench, &a, &b);
}

static void test_embed_layer_norm(void **state)
{
    struct op_bench *bench = *state;
    struct tensor ids = golden(bench, "embed_ids"), segments = golden(bench, "embed_segments"),
                  words = golden(bench, "embed_words");
    struct tensor positions = golden(bench, "embed_positions"), types = golden(bench, "embed_types"),
                  weight = golden(bench, "embed_weight");
    struct tensor bias = golden(bench, "embed_bias"), expected = golden(bench, "embed_y"), mask = ids, y[3];
    int32_t ones[] = {1, 0, 1, 0, 0, 1, 1, 1, 1, 1};
    mask.data = ones;
    const struct tensor *inputs[] = {&ids, &segments, &words, &positions, &types, &weight, &bias, &mask};
    run_op(bench, "com.microsoft", "EmbedLayerNormalization", 1, NULL, 0, inputs, 8, y, 3);
    assert_close(bench, &y[0], &expected, 1e-5f, 1e-5f);
    assert_int_equal(((const int32_t *)y[1].data)[0], 2);
    assert_int_equal(((const int32_t *)y[1].data)[1], 5);
    ((int32_t *)ids.data)[3] = 10;
    assert_int_equal(try_op(bench, "com.microsoft", "EmbedLayerNormalization", 1, NULL, 0, inputs, 8, y, 3),
                     HOB_BAD_ARGUMENT);
}

static void test_attention_without_past(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "ms_attention_x"), weight = golden(bench, "ms_attention_weight"),
                  bias = golden(bench, "ms_attention_bias");
    struct tensor expected = golden(bench, "ms_attention_plain"), y;
    struct attribute heads = int_attribute("num_heads", 2);
    run_op(bench, "com.microsoft", "Attention", 1, &heads, 1, (const struct tensor *[]){&x, &weight, &bias}, 3, &y, 1);
    assert_close(bench, &y, &expected, 1e-5f, 1e-5f);
}

static void test_attention_with_past(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "ms_attention_x"), weight = golden(bench, "ms_attention_weight"),
                  bias = golden(bench, "ms_attention_bias");
    struct tensor mask = golden(bench, "ms_attention_mask"), past = golden(bench, "ms_attention_past"), y[2];
    struct tensor expected = golden(bench, "ms_attention_y"), present = golden(bench, "ms_attention_present");
    struct attribute attributes[] = {int_attribute("num_heads", 2), int_attribute("unidirectional", 1)};
    run_op(bench, "com.microsoft", "Attention", 1, attributes, 2,
           (const struct tensor *[]){&x, &weight, &bias, &mask, &past}, 5, y, 2);
    assert_close(bench, &y[0], &expected, 1e-5f, 1e-5f);
    assert_close(bench, &y[1], &present, 1e-5f, 1e-5f);
}

/* The shapes of a mask that say the same: [B,S], [B,T,S], key counts [B], ends and starts [2B]. */
static void test_attention_mask_kinds_agree(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "ms_attention_x"), weight = golden(bench, "ms_attention_weight"),
                  bias = golden(bench, "ms_attention_bias");
    static int32_t flat[] = {1, 1, 1, 0, 1, 1, 0, 0}, square[2 * 4 * 4], counts[] = {3, 2}, ranges[] = {3, 2, 0, 0};
    for (int i = 0; i < 32; i++) square[i] = flat[i / 16 * 4 + i % 4];
    struct tensor masks[4], y[4];
    assert_int_equal(tensor_init(&masks[0], DTYPE_I32, 2, (int64_t[]){2, 4}, flat, NULL), HOB_OK);
    assert_int_equal(tensor_init(&masks[1], DTYPE_I32, 3, (int64_t[]){2, 4, 4}, square, NULL), HOB_OK);
    assert_int_equal(tensor_init(&masks[2], DTYPE_I32, 1, (int64_t[]){2}, counts, NULL), HOB_OK);
    assert_int_equal(tensor_init(&masks[3], DTYPE_I32, 1, (int64_t[]){4}, ranges, NULL), HOB_OK);
    struct attribute heads = int_attribute("num_heads", 2);
    for (int i = 0; i < 4; i++) {
        run_op(bench, "com.microsoft", "Attention", 1, &heads, 1,
               (const struct tensor *[]){&x, &weight, &bias, &masks[i]}, 4, &y[i], 1);
        assert_same_bytes(bench, &y[i], &y[0]);
    }
}

/* Halves go through f32 and round once at the end. */
static void test_norm_of_halves(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "rows_x"), weight = golden(bench, "rows_weight"), half[2], y, wide;
    const struct tensor *source[] = {&x, &weight};
    for (int i = 0; i < 2; i++) {
        void *data = arena_alloc(&bench->arena, tensor_n_bytes(source[i]), 64);
        bench->kernels->f16_from_f32(tensor_n_items(source[i]), source[i]->data, data);
        assert_int_equal(tensor_init(&half[i], DTYPE_F16, source[i]->rank, source[i]->dims, data, NULL), HOB_OK);
    }
    run_op(bench, "", "SimplifiedLayerNormalization", 17, NULL, 0, (const struct tensor *[]){&half[0], &half[1]}, 2, &y,
           1);
    assert_int_equal(y.dtype, DTYPE_F16);
    assert_int_equal(tensor_init(&wide, DTYPE_F32, 3, y.dims, arena_alloc(&bench->arena, tensor_n_bytes(&x), 64), NULL),
                     HOB_OK);
    bench->kernels->f32_from_f16(tensor_n_items(&y), y.data, wide.data);
    struct tensor expected = golden(bench, "rows_rms");
    assert_close(bench, &wide, &expected, 2e-3f, 1e-3f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),         cmocka_unit_test(test_bias_gelu),
        cmocka_unit_test(test_skip_norms),          cmocka_unit_test(test_skip_norm_broadcasts),
        cmocka_unit_test(test_embed_layer_norm),    cmocka_unit_test(test_attention_without_past),
        cmocka_unit_test(test_attention_with_past), cmocka_unit_test(test_attention_mask_kinds_agree),
        cmocka_unit_test(test_norm_of_halves),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
