/* hob's own operators against PyTorch (tests/data/ops, made by tools/make-op-goldens.py), and what the numbers contract
 * promises of them: the same bytes whatever the chunks, the threads, the packing and the weight's layout. */
#include <math.h>

#include "unit.h"

#include "ops/matrix/panel_product.h"
#include "ops/run_op.h"
#include "quant/quant.h"

#include <math.h>

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

/* ---- RotaryEmbedding ---- */

static void check_rotary(struct op_bench *bench, const char *expected_name, const struct attribute *attributes,
                         size_t n, bool has_factors)
{
    struct tensor x = golden(bench, "rotary_x"), positions = golden(bench, "rotary_positions");
    struct tensor factors = golden(bench, "rotary_factors"), expected = golden(bench, expected_name), y;
    const struct tensor *inputs[] = {&x, &positions, &factors};
    run_op(bench, "hob", "RotaryEmbedding", 1, attributes, n, inputs, has_factors ? 3 : 2, &y, 1);
    assert_close(bench, &y, &expected, 1e-6f, 2e-6f);
    /* Heads before positions in memory, as a transposed view shows them. */
    struct tensor moved = tensor_transpose(&x, (int[]){1, 0, 2}), copy, again;
    assert_int_equal(
        tensor_init(&copy, DTYPE_F32, 3, moved.dims, arena_alloc(&bench->arena, tensor_n_bytes(&x), 64), NULL), HOB_OK);
    tensor_copy_contiguous(&moved, copy.data);
    struct tensor strided = tensor_transpose(&copy, (int[]){1, 0, 2});
    inputs[0] = &strided;
    run_op(bench, "hob", "RotaryEmbedding", 1, attributes, n, inputs, has_factors ? 3 : 2, &again, 1);
    assert_same_bytes(bench, &again, &y);
}

static void test_rotary_agrees_with_torch(void **state)
{
    struct attribute interleaved = int_attribute("interleaved", 1);
    struct attribute partial[] = {int_attribute("n_dims", 4), float_attribute("base", 500000)};
    check_rotary(*state, "rotary_halves", NULL, 0, false);
    check_rotary(*state, "rotary_interleaved", &interleaved, 1, false);
    check_rotary(*state, "rotary_partial", partial, 2, false);
    check_rotary(*state, "rotary_factors_y", NULL, 0, true);
}

static void test_rotary_refuses_odd_dims(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "rotary_x"), positions = golden(bench, "rotary_positions"), y;
    struct attribute odd = int_attribute("n_dims", 3);
    assert_int_equal(
        try_op(bench, "hob", "RotaryEmbedding", 1, &odd, 1, (const struct tensor *[]){&x, &positions}, 2, &y, 1),
        HOB_BAD_SHAPE);
    assert_string_equal(bench->error.message,
                        "test (RotaryEmbedding): n_dims: found 3, expected an even number up to 8");
}

/* A scale of 2 doubles the numbers that turn and leaves the others. */
static void test_rotary_scales_what_turns(void **state)
{
    enum { HEAD = 8, TURNED = 4 };
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "rotary_x"), positions = golden(bench, "rotary_positions"), plain, scaled;
    struct attribute attributes[] = {int_attribute("n_dims", TURNED), float_attribute("scale", 2)};
    const struct tensor *inputs[] = {&x, &positions};
    run_op(bench, "hob", "RotaryEmbedding", 1, attributes, 1, inputs, 2, &plain, 1);
    run_op(bench, "hob", "RotaryEmbedding", 1, attributes, 2, inputs, 2, &scaled, 1);
    assert_int_equal(x.dims[2], HEAD);
    for (int64_t i = 0; i < tensor_n_items(&x); i++) {
        float expected = ((const float *)plain.data)[i] * (i % HEAD < TURNED ? 2 : 1);
        assert_memory_equal(&((const float *)scaled.data)[i], &expected, sizeof expected);
    }
}

/* ---- Attention ---- */

static struct tensor attend(struct op_bench *bench, const struct tensor *q, const struct tensor *k,
                            const struct tensor *v, const struct tensor *mask, const struct tensor *segments,
                            bool is_causal, float scale)
{
    struct attribute attributes[] = {int_attribute("is_causal", is_causal), float_attribute("scale", scale)};
    const struct tensor *inputs[] = {q, k, v, mask, segments};
    struct tensor y;
    run_op(bench, "hob", "Attention", 1, attributes, 2, inputs, 5, &y, 1);
    return y;
}

static void test_attention_agrees_with_torch(void **state)
{
    struct op_bench *bench = *state;
    struct tensor q = golden(bench, "attention_q"), k = golden(bench, "attention_k"), v = golden(bench, "attention_v");
    struct tensor mask = golden(bench, "attention_mask"), expected, y;
    expected = golden(bench, "attention_plain");
    y = attend(bench, &q, &k, &v, NULL, NULL, false, 0);
    assert_close(bench, &y, &expected, 1e-5f, 1e-6f);
    expected = golden(bench, "attention_causal");
    y = attend(bench, &q, &k, &v, NULL, NULL, true, 0);
    assert_close(bench, &y, &expected, 1e-5f, 1e-6f);
    expected = golden(bench, "attention_masked");
    y = attend(bench, &q, &k, &v, &mask, NULL, false, 0.5f);
    assert_close(bench, &y, &expected, 1e-5f, 1e-6f);
}

static void test_attention_takes_any_strides(void **state)
{
    struct op_bench *bench = *state;
    struct tensor q = golden(bench, "attention_q"), k = golden(bench, "attention_k"), v = golden(bench, "attention_v");
    struct tensor expected = attend(bench, &q, &k, &v, NULL, NULL, true, 0);
    struct tensor *all[] = {&q, &k, &v};
    static const int orders[][4] = {{0, 2, 1, 3}, {0, 1, 3, 2}, {3, 2, 1, 0}};
    for (size_t order = 0; order < 3; order++) {
        struct tensor strided[3];
        for (int i = 0; i < 3; i++) {
            struct tensor moved = tensor_transpose(all[i], orders[order]), copy;
            void *data = arena_alloc(&bench->arena, tensor_n_bytes(&moved), 64);
            tensor_copy_contiguous(&moved, data);
            assert_int_equal(tensor_init(&copy, DTYPE_F32, 4, moved.dims, data, NULL), HOB_OK);
            strided[i] = tensor_transpose(&copy, orders[order]);
        }
        struct tensor y = attend(bench, &strided[0], &strided[1], &strided[2], NULL, NULL, true, 0);
        assert_same_bytes(bench, &y, &expected);
    }
}

/* The heads of a position lie together, so that Transpose and Reshape behind it are views. */
static void test_attention_output_is_ready_to_be_reshaped(void **state)
{
    struct op_bench *bench = *state;
    struct tensor q = golden(bench, "attention_q"), k = golden(bench, "attention_k"), v = golden(bench, "attention_v");
    struct tensor y = attend(bench, &q, &k, &v, NULL, NULL, false, 0);
    struct tensor transposed = tensor_transpose(&y, (int[]){0, 2, 1, 3}), rows;
    assert_true(tensor_is_contiguous(&transposed));
    assert_true(tensor_reshape(&transposed, 3, (int64_t[]){2, 5, 72}, &rows));
}

static void test_attention_in_chunks_has_the_same_bytes(void **state)
{
    struct op_bench *bench = *state;
    enum { H = 6, HKV = 2, T = 75, K = 16 };
    struct tensor q = random_f32(bench, 4, (int64_t[]){1, H, T, K}, 1),
                  k = random_f32(bench, 4, (int64_t[]){1, HKV, T, K}, 2);
    struct tensor v = random_f32(bench, 4, (int64_t[]){1, HKV, T, K}, 3);
    struct tensor whole = attend(bench, &q, &k, &v, NULL, NULL, true, 0);
    static const int64_t cuts[] = {0, 1, 2, 9, 40, 41, T};
    for (size_t i = 0; i + 1 < sizeof cuts / sizeof cuts[0]; i++) {
        int64_t begin = cuts[i], end = cuts[i + 1];
        struct tensor q_chunk = tensor_slice(&q, 2, begin, end - begin, 1), k_chunk = tensor_slice(&k, 2, 0, end, 1);
        struct tensor v_chunk = tensor_slice(&v, 2, 0, end, 1),
                      expected = tensor_slice(&whole, 2, begin, end - begin, 1);
        struct tensor y = attend(bench, &q_chunk, &k_chunk, &v_chunk, NULL, NULL, true, 0);
        assert_same_bytes(bench, &y, &expected);
    }
}

/* A window is what a mask of -inf outside it is; a soft cap does nothing to scores that are small beside it. */
static void test_attention_windows_and_caps(void **state)
{
    struct op_bench *bench = *state;
    enum { H = 4, T = 90, K = 16, WINDOW = 7 };
    struct tensor qkv[3], mask, expected, y;
    for (int i = 0; i < 3; i++) qkv[i] = random_f32(bench, 4, (int64_t[]){1, i ? 2 : H, T, K}, (uint64_t)i + 1);
    mask = random_f32(bench, 2, (int64_t[]){T, T}, 9);
    for (int64_t i = 0; i < (int64_t)T * T; i++) ((float *)mask.data)[i] = i % T > i / T - WINDOW ? 0 : -INFINITY;
    struct attribute attributes[] = {int_attribute("is_causal", 1), int_attribute("left_window", WINDOW), float_attribute("softcap", 1e4f)};
    const struct tensor *inputs[] = {&qkv[0], &qkv[1], &qkv[2], &mask};
    run_op(bench, "hob", "Attention", 1, attributes, 1, inputs, 4, &expected, 1);
    expected = tensor_transpose(&expected, (int[]){0, 2, 1, 3}); /* as it lies in memory */
    for (size_t n = 2; n <= 3; n++) {
        run_op(bench, "hob", "Attention", 1, attributes, n, inputs, 3, &y, 1);
        y = tensor_transpose(&y, (int[]){0, 2, 1, 3});
        assert_close(bench, &y, &expected, 1e-5f, 1e-5f);
    }
    attributes[1] = int_attribute("left_window", -1);
    assert_int_equal(try_op(bench, "hob", "Attention", 1, attributes, 3, inputs, 3, &y, 1), HOB_BAD_GRAPH);
    assert_non_null(strstr(bench->error.message, "windows: found -1 and 0, expected 0 to"));
    attributes[1] = float_attribute("softcap", -1);
    assert_int_equal(try_op(bench, "hob", "Attention", 1, &attributes[1], 1, inputs, 3, &y, 1), HOB_BAD_GRAPH);
    assert_non_null(strstr(bench->error.message, "softcap: found -1, expected at least 0"));
}

static void test_attention_packed_agrees_with_torch(void **state)
{
    struct op_bench *bench = *state;
    struct tensor q = golden(bench, "attention_packed_q"), k = golden(bench, "attention_packed_k");
    struct tensor v = golden(bench, "attention_packed_v"), expected = golden(bench, "attention_packed_y");
    struct tensor segments = ints_i64(bench, 4, (int64_t[]){0, 4, 5, 11});
    struct tensor y = attend(bench, &q, &k, &v, NULL, &segments, false, 0);
    assert_close(bench, &y, &expected, 1e-5f, 1e-6f);
}

static void test_attention_packed_is_each_sentence_by_itself(void **state)
{
    struct op_bench *bench = *state;
    enum { H = 4, T = 90, K = 24 };
    struct tensor q = random_f32(bench, 4, (int64_t[]){1, H, T, K}, 4),
                  k = random_f32(bench, 4, (int64_t[]){1, H, T, K}, 5);
    struct tensor v = random_f32(bench, 4, (int64_t[]){1, H, T, K}, 6);
    int64_t cuts[] = {0, 3, 3, 64, 65, T};
    struct tensor segments = ints_i64(bench, 6, cuts), whole = attend(bench, &q, &k, &v, NULL, &segments, false, 0);
    for (int i = 0; i < 5; i++) {
        int64_t n = cuts[i + 1] - cuts[i];
        if (!n) continue;
        struct tensor one_q = tensor_slice(&q, 2, cuts[i], n, 1), one_k = tensor_slice(&k, 2, cuts[i], n, 1);
        struct tensor one_v = tensor_slice(&v, 2, cuts[i], n, 1), expected = tensor_slice(&whole, 2, cuts[i], n, 1);
        struct tensor y = attend(bench, &one_q, &one_k, &one_v, NULL, NULL, false, 0);
        assert_same_bytes(bench, &y, &expected);
    }
}

static void test_attention_refuses_bad_segments(void **state)
{
    struct op_bench *bench = *state;
    struct tensor q = golden(bench, "attention_packed_q"), k = golden(bench, "attention_packed_k"), y;
    struct tensor v = golden(bench, "attention_packed_v");
    static const int64_t bad[][3] = {{0, 4, 10}, {1, 4, 11}, {0, 12, 11}, {0, 8, 7}};
    for (size_t i = 0; i < 4; i++) {
        struct tensor segments = ints_i64(bench, 3, bad[i]);
        const struct tensor *inputs[] = {&q, &k, &v, NULL, &segments};
        assert_int_equal(try_op(bench, "hob", "Attention", 1, NULL, 0, inputs, 5, &y, 1), HOB_BAD_ARGUMENT);
    }
}

/* ---- a bias by distance, windows ---- */

static struct tensor distance_mask(struct op_bench *bench, const struct tensor *bias, int64_t n_heads, int64_t n_rows, int64_t left,
                                   int64_t right)
{
    struct tensor mask;
    int64_t reach = (bias->dims[1] + 1) / 2;
    float *items = arena_alloc(&bench->arena, (size_t)(n_heads * n_rows * n_rows) * sizeof *items, 64), *at = items;
    for (int64_t h = 0; h < n_heads; h++)
        for (int64_t t = 0; t < n_rows; t++)
            for (int64_t s = 0; s < n_rows; s++) {
                bool is_seen = s > t - left && s < t + right;
                float item = ((const float *)bias->data)[(bias->dims[0] == 1 ? 0 : h) * bias->dims[1] + reach - 1 + s - t];
                *at++ = is_seen ? item : -INFINITY;
            }
    assert_int_equal(tensor_init(&mask, DTYPE_F32, 4, (int64_t[]){1, n_heads, n_rows, n_rows}, items, NULL), HOB_OK);
    return mask;
}

static void check_distances(struct op_bench *bench, int64_t n_biases, int64_t left, int64_t right)
{
    enum { H = 4, T = 150, K = 16, REACH = 120 };
    struct attribute windows[] = {int_attribute("left_window", left), int_attribute("right_window", right)};
    struct tensor q = random_f32(bench, 4, (int64_t[]){1, H, T, K}, 4), k = random_f32(bench, 4, (int64_t[]){1, H, T, K}, 5);
    struct tensor v = random_f32(bench, 4, (int64_t[]){1, H, T, K}, 6), whole;
    struct tensor bias = random_f32(bench, 2, (int64_t[]){n_biases, 2 * REACH - 1}, 7);
    int64_t cuts[] = {0, 3, 3, REACH + 3, T};
    struct tensor segments = ints_i64(bench, 5, cuts);
    const struct tensor *inputs[] = {&q, &k, &v, NULL, &segments, &bias};
    run_op(bench, "hob", "Attention", 1, windows, 2, inputs, 6, &whole, 1);
    for (int i = 0; i < 4; i++) {
        int64_t n = cuts[i + 1] - cuts[i];
        if (!n) continue;
        struct tensor one_q = tensor_slice(&q, 2, cuts[i], n, 1), one_k = tensor_slice(&k, 2, cuts[i], n, 1);
        struct tensor one_v = tensor_slice(&v, 2, cuts[i], n, 1), expected = tensor_slice(&whole, 2, cuts[i], n, 1), alone;
        inputs[0] = &one_q, inputs[1] = &one_k, inputs[2] = &one_v, inputs[4] = NULL;
        run_op(bench, "hob", "Attention", 1, windows, 2, inputs, 6, &alone, 1);
        assert_same_bytes(bench, &alone, &expected);
        struct tensor mask = distance_mask(bench, &bias, H, n, left ? left : T, right ? right : T);
        struct tensor masked = attend(bench, &one_q, &one_k, &one_v, &mask, NULL, false, 0);
        assert_same_bytes(bench, &alone, &masked);
    }
}

static void test_attention_with_a_bias_by_distance(void **state)
{
    check_distances(*state, 4, 0, 0);
    check_distances(*state, 1, 0, 0);
    check_distances(*state, 4, 5, 7);
}

/* The last queries of a longer text see what they see in the whole. */
static void test_distances_count_from_the_first_key(void **state)
{
    struct op_bench *bench = *state;
    enum { H = 2, T = 70, K = 8 };
    struct tensor q = random_f32(bench, 4, (int64_t[]){1, H, T, K}, 4), k = random_f32(bench, 4, (int64_t[]){1, H, T, K}, 5), whole, part;
    struct tensor bias = random_f32(bench, 2, (int64_t[]){H, 2 * T - 1}, 7);
    const struct tensor *inputs[] = {&q, &k, &k, NULL, NULL, &bias};
    run_op(bench, "hob", "Attention", 1, NULL, 0, inputs, 6, &whole, 1);
    struct tensor last_q = tensor_slice(&q, 2, 66, 4, 1), expected = tensor_slice(&whole, 2, 66, 4, 1);
    inputs[0] = &last_q;
    run_op(bench, "hob", "Attention", 1, NULL, 0, inputs, 6, &part, 1);
    assert_same_bytes(bench, &part, &expected);
}

static void test_attention_refuses_bad_distances(void **state)
{
    struct op_bench *bench = *state;
    struct tensor q = golden(bench, "attention_packed_q"), y; /* 11 positions */
    struct tensor short_bias = random_f32(bench, 2, (int64_t[]){1, 19}, 1), even = random_f32(bench, 2, (int64_t[]){1, 22}, 1);
    struct attribute window = int_attribute("left_window", -1);
    const struct tensor *inputs[] = {&q, &q, &q, NULL, NULL, &short_bias};
    assert_int_equal(try_op(bench, "hob", "Attention", 1, NULL, 0, inputs, 6, &y, 1), HOB_BAD_SHAPE);
    assert_non_null(strstr(bench->error.message, "which serves 10 positions, expected at least 11"));
    inputs[5] = &even;
    assert_int_equal(try_op(bench, "hob", "Attention", 1, NULL, 0, inputs, 6, &y, 1), HOB_BAD_SHAPE);
    assert_int_equal(try_op(bench, "hob", "Attention", 1, &window, 1, inputs, 5, &y, 1), HOB_BAD_GRAPH);
}

static void test_attention_does_not_depend_on_threads(void **state)
{
    struct op_bench *bench = *state, alone, many;
    struct tensor q = random_f32(bench, 4, (int64_t[]){2, 6, 50, 16}, 7),
                  k = random_f32(bench, 4, (int64_t[]){2, 3, 50, 16}, 8);
    op_bench_init(&alone, 1);
    op_bench_init(&many, 5);
    struct tensor a = attend(&alone, &q, &k, &k, NULL, NULL, true, 0),
                  b = attend(&many, &q, &k, &k, NULL, NULL, true, 0);
    assert_same_bytes(bench, &a, &b);
    op_bench_release(&alone);
    op_bench_release(&many);
}

/* ---- rows: RMSNorm, SwiGLU, Gelu ---- */

static void check_rows(struct op_bench *bench, const char *op, const char *second, const struct attribute *attributes,
                       size_t n_attributes, const char *expected_name)
{
    struct tensor x = golden(bench, "rows_x"), other = golden(bench, second ? second : "rows_x"), y;
    struct tensor expected = golden(bench, expected_name);
    run_op(bench, "hob", op, 1, attributes, n_attributes, (const struct tensor *[]){&x, &other}, second ? 2 : 1, &y, 1);
    assert_close(bench, &y, &expected, 1e-6f, 1e-6f);
}

static void test_rows_agree_with_torch(void **state)
{
    struct attribute tanh = {.name = "approximate", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"tanh", 4}};
    check_rows(*state, "RMSNorm", "rows_weight", NULL, 0, "rows_rms");
    check_rows(*state, "SwiGLU", "rows_up", NULL, 0, "rows_swiglu");
    check_rows(*state, "Gelu", NULL, NULL, 0, "rows_gelu");
    check_rows(*state, "Gelu", NULL, &tanh, 1, "rows_gelu_tanh");
}

/* ---- Linear ---- */

static struct tensor as_panels(struct op_bench *bench, const struct tensor *w)
{
    struct panel_source source = {
        .data = w->data, .dtype = w->dtype, .n = w->dims[0], .k = w->dims[1], .n_stride = w->dims[1], .k_stride = 1};
    size_t n_bytes;
    assert_true(panel_bytes(DTYPE_F32, source.n, source.k, &n_bytes));
    struct tensor packed = *w;
    packed.dtype = DTYPE_F32;
    packed.layout = LAYOUT_PANELS;
    packed.data = arena_alloc(&bench->arena, n_bytes + 1, 64);
    panel_pack(&source, DTYPE_F32, 0, panel_count(source.n), packed.data);
    return packed;
}

static struct tensor linear(struct op_bench *bench, const struct tensor *x, const struct tensor *w,
                            const struct tensor *bias)
{
    struct tensor y;
    run_op(bench, "hob", "Linear", 1, NULL, 0, (const struct tensor *[]){x, w, bias}, 3, &y, 1);
    return y;
}

static void test_linear_agrees_with_torch(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "rows_x"), w = golden(bench, "rows_linear"),
                  bias = golden(bench, "rows_linear_bias");
    struct tensor expected = golden(bench, "rows_linear_y"), packed = as_panels(bench, &w);
    struct tensor y = linear(bench, &x, &packed, &bias);
    assert_close(bench, &y, &expected, 1e-5f, 1e-6f);
    struct tensor plain = linear(bench, &x, &w, &bias);
    assert_same_bytes(bench, &plain, &y);
}

static void test_linear_of_a_transposed_weight_and_input(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 2, (int64_t[]){33, 7}, 9), w = random_f32(bench, 2, (int64_t[]){33, 50}, 10);
    struct tensor x_view = tensor_transpose(&x, (int[]){1, 0}), w_view = tensor_transpose(&w, (int[]){1, 0}),
                  x_copy = x_view, w_copy = w_view;
    x_copy.data = arena_alloc(&bench->arena, tensor_n_bytes(&x), 64);
    w_copy.data = arena_alloc(&bench->arena, tensor_n_bytes(&w), 64);
    tensor_copy_contiguous(&x_view, x_copy.data);
    tensor_copy_contiguous(&w_view, w_copy.data);
    tensor_set_contiguous(&x_copy);
    tensor_set_contiguous(&w_copy);
    struct tensor a = linear(bench, &x_view, &w_view, NULL), b = linear(bench, &x_copy, &w_copy, NULL);
    assert_same_bytes(bench, &a, &b);
}

/* A weight larger than what is packed at a time. */
static void test_linear_packs_large_weights_in_blocks(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 2, (int64_t[]){3, 2100}, 11),
                  w = random_f32(bench, 2, (int64_t[]){1030, 2100}, 12);
    struct tensor bias = random_f32(bench, 1, (int64_t[]){1030}, 13), packed = as_panels(bench, &w);
    struct tensor a = linear(bench, &x, &w, &bias), b = linear(bench, &x, &packed, &bias);
    assert_same_bytes(bench, &a, &b);
}

static void test_linear_rows_do_not_depend_on_their_number(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 2, (int64_t[]){29, 96}, 14), w = random_f32(bench, 2, (int64_t[]){70, 96}, 15);
    struct tensor packed = as_panels(bench, &w), whole = linear(bench, &x, &packed, NULL);
    for (int64_t row = 0; row < 29; row += 7) {
        struct tensor one = tensor_slice(&x, 0, row, 1, 1), expected = tensor_slice(&whole, 0, row, 1, 1);
        struct tensor y = linear(bench, &one, &packed, NULL);
        assert_same_bytes(bench, &y, &expected);
    }
}

/* Blocks of random codes; scales are left as small as zeros and a half make them. */
static struct tensor random_blocks(struct op_bench *bench, enum dtype dtype, int64_t n, int64_t k, uint32_t seed)
{
    struct tensor w = random_f32(bench, 2, (int64_t[]){n, k}, seed), blocks = w;
    blocks.dtype = dtype;
    blocks.data = arena_alloc(&bench->arena, tensor_n_bytes(&blocks), 64);
    if (quant_find(dtype)->encode) {
        quant_find(dtype)->encode(n * k, w.data, blocks.data);
        return blocks;
    }
    unsigned char *bytes = blocks.data;
    size_t block_bytes = dtype_block_bytes(dtype);
    for (size_t i = 0; i < tensor_n_bytes(&blocks); i++) bytes[i] = (unsigned char)((i + seed) * 2654435761u >> 13);
    for (size_t i = 0; i < tensor_n_bytes(&blocks) / block_bytes; i++) /* f16 numbers of 0.001 */
        for (int half = 0; half < 2; half++) memcpy(bytes + i * block_bytes + (dtype == DTYPE_Q6_K ? 208 : 2 * half), "\x19\x14", 2);
    return blocks;
}

static const enum dtype small_dtypes[] = {DTYPE_F16,  DTYPE_BF16, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0,
                                          DTYPE_Q5_1, DTYPE_Q8_0, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K};

static struct tensor as_own_panels(struct op_bench *bench, const struct tensor *w)
{
    struct panel_source source = {
        .data = w->data, .dtype = w->dtype, .n = w->dims[0], .k = w->dims[1], .n_stride = w->dims[1], .k_stride = 1};
    struct tensor packed = *w;
    size_t n_bytes;
    packed.dtype = panel_product_type(&source);
    assert_true(panel_bytes(packed.dtype, source.n, source.k, &n_bytes));
    packed.layout = LAYOUT_PANELS;
    packed.data = arena_alloc(&bench->arena, n_bytes + 1, 64);
    panel_pack(&source, packed.dtype, 0, panel_count(source.n), packed.data);
    return packed;
}

/* Packed before, packed at each run, one row at a time: the same bytes; and near the product of the decoded weight. */
static void test_linear_of_small_weights(void **state)
{
    struct op_bench *bench = *state;
    enum { M = 9, N = 70, K = 512 };
    for (size_t i = 0; i < ARRAY_LENGTH(small_dtypes); i++) {
        struct tensor x = random_f32(bench, 2, (int64_t[]){M, K}, 20), w = random_blocks(bench, small_dtypes[i], N, K, 21), decoded = w;
        struct tensor bias = random_f32(bench, 1, (int64_t[]){N}, 22), packed = as_own_panels(bench, &w);
        decoded.dtype = DTYPE_F32;
        decoded.data = arena_alloc(&bench->arena, tensor_n_bytes(&decoded), 64);
        quant_find(w.dtype)->decode(N * K, w.data, decoded.data);
        struct tensor y = linear(bench, &x, &packed, &bias), plain = linear(bench, &x, &w, &bias), exact = linear(bench, &x, &decoded, &bias);
        assert_same_bytes(bench, &y, &plain);
        assert_close(bench, &y, &exact, 0, 0.3f);
        for (int64_t row = 0; row < M; row += 4) {
            struct tensor one = tensor_slice(&x, 0, row, 1, 1), expected = tensor_slice(&y, 0, row, 1, 1);
            struct tensor alone = linear(bench, &one, &packed, &bias);
            assert_same_bytes(bench, &alone, &expected);
        }
    }
}

/* A table in the head's panels gives the rows that the file's table gives. */
static void test_embedding_from_panels(void **state)
{
    struct op_bench *bench = *state;
    enum { V = 37, D = 256 };
    int64_t numbers[] = {36, 0, 15, 16, 31, 32, 5, 5};
    struct tensor ids, from_rows, from_panels;
    assert_int_equal(tensor_init(&ids, DTYPE_I64, 2, (int64_t[]){2, 4}, numbers, NULL), HOB_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(small_dtypes); i++) {
        struct tensor table = random_blocks(bench, small_dtypes[i], V, D, 23), packed = as_own_panels(bench, &table);
        run_op(bench, "hob", "Embedding", 1, NULL, 0, (const struct tensor *[]){&table, &ids}, 2, &from_rows, 1);
        run_op(bench, "hob", "Embedding", 1, NULL, 0, (const struct tensor *[]){&packed, &ids}, 2, &from_panels, 1);
        assert_same_bytes(bench, &from_panels, &from_rows);
    }
}

static void test_linear_says_what_does_not_fit(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 2, (int64_t[]){3, 8}, 16), w = random_f32(bench, 2, (int64_t[]){5, 7}, 17), y;
    assert_int_equal(try_op(bench, "hob", "Linear", 1, NULL, 0, (const struct tensor *[]){&x, &w}, 2, &y, 1),
                     HOB_BAD_SHAPE);
    assert_string_equal(bench->error.message, "test (Linear): found x [3,8] and w [5,7], expected [..,K] and [N,K]");
}

/* A pack may hold panels and blocks wherever it likes: what does not know them must not take them for rows of items. */
static void test_packed_weights_are_for_products_only(void **state)
{
    struct op_bench *bench = *state;
    static uint8_t codes_bytes[64];
    static float numbers[64];
    struct tensor x = random_f32(bench, 2, (int64_t[]){4, 32}, 3), weight = random_f32(bench, 2, (int64_t[]){4, 32}, 5), scale, y;
    struct tensor blocks = random_blocks(bench, DTYPE_Q4_0, 4, 32, 7), panels = as_own_panels(bench, &blocks), codes, w = weight;
    const char *const names[] = {"Relu", "Identity", "Shape", "Transpose", "Neg", "Cast"};
    struct attribute to = int_attribute("to", DTYPE_F32);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        bool is_cast = !strcmp(names[i], "Cast");
        assert_int_equal(try_op(bench, "", names[i], 14, &to, is_cast, (const struct tensor *[]){&blocks}, 1, &y, 1), HOB_BAD_TYPE);
        assert_int_equal(try_op(bench, "", names[i], 14, &to, is_cast, (const struct tensor *[]){&panels}, 1, &y, 1), HOB_BAD_TYPE);
    }
    assert_string_equal(bench->error.message, "test (Cast): input 0: found a packed weight of q4_0 [4,32], expected plain items");
    assert_int_equal(try_op(bench, "", "MatMul", 13, NULL, 0, (const struct tensor *[]){&x, &panels}, 2, &y, 1), HOB_BAD_TYPE);
    assert_int_equal(tensor_init(&w, DTYPE_I8, 2, (int64_t[]){4, 32}, codes_bytes, NULL), HOB_OK);
    w.layout = LAYOUT_PANELS;
    assert_int_equal(tensor_init(&codes, DTYPE_Q4_0, 2, (int64_t[]){1, 32}, codes_bytes, NULL), HOB_OK);
    assert_int_equal(tensor_init(&scale, DTYPE_F32, 0, NULL, numbers, NULL), HOB_OK);
    assert_int_equal(try_op(bench, "hob", "LinearInt8", 1, NULL, 0, (const struct tensor *[]){&codes, &scale, &w, &scale}, 4, &y, 1),
                     HOB_BAD_TYPE);
    struct attribute type = int_attribute("output_datatype", DTYPE_Q4_0);
    int64_t length = 32;
    struct tensor size = ints_i64(bench, 1, &length);
    size.rank = 0;
    assert_int_not_equal(try_op(bench, "", "HannWindow", 17, &type, 1, (const struct tensor *[]){&size}, 1, &y, 1), HOB_OK);
}

/* ---- CacheAppend ---- */

static void test_cache_shows_what_was_appended(void **state)
{
    struct op_bench *bench = *state;
    /* Positions in the middle in memory, first in the shape: the layout that sessions use. */
    struct tensor buffer = random_f32(bench, 3, (int64_t[]){2, 10, 4}, 18);
    struct op_state cache = {.buffer = tensor_transpose(&buffer, (int[]){1, 0, 2}), .axis = 0};
    struct tensor x = random_f32(bench, 3, (int64_t[]){9, 2, 4}, 19), y;
    bench->state = &cache;
    static const int64_t cuts[] = {0, 5, 6, 9};
    for (int i = 0; i < 3; i++) {
        struct tensor chunk = tensor_slice(&x, 0, cuts[i], cuts[i + 1] - cuts[i], 1);
        run_op(bench, "hob", "CacheAppend", 1, NULL, 0, (const struct tensor *[]){&chunk}, 1, &y, 1);
        assert_true(y.is_view);
        struct tensor expected = tensor_slice(&x, 0, 0, cuts[i + 1], 1);
        assert_same_bytes(bench, &y, &expected);
        cache.n_used = cuts[i + 1];
    }
    struct tensor too_much = tensor_slice(&x, 0, 0, 2, 1);
    assert_int_equal(try_op(bench, "hob", "CacheAppend", 1, NULL, 0, (const struct tensor *[]){&too_much}, 1, &y, 1),
                     HOB_LIMIT);
    bench->state = NULL;
}

static void test_cache_without_a_session_is_its_input(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 3, (int64_t[]){3, 2, 4}, 20), y;
    run_op(bench, "hob", "CacheAppend", 1, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_same_bytes(bench, &y, &x);
}

/* ---- SegmentReduce ---- */

enum { SEGMENT_WIDTH = 3, SEGMENT_ROWS = 5, SEGMENTS = 3 };

static hob_status reduce_segments(struct op_bench *bench, const char *kind, int64_t *segments, float *x, struct tensor *y)
{
    struct tensor rows, bounds;
    struct attribute attribute = {.name = "kind", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {kind, strlen(kind)}};
    assert_int_equal(tensor_init(&rows, DTYPE_F32, 3, (int64_t[]){1, SEGMENT_ROWS, SEGMENT_WIDTH}, x, NULL), HOB_OK);
    assert_int_equal(tensor_init(&bounds, DTYPE_I64, 1, (int64_t[]){SEGMENTS + 1}, segments, NULL), HOB_OK);
    return try_op(bench, "hob", "SegmentReduce", 1, &attribute, 1, (const struct tensor *[]){&rows, &bounds}, 2, y, 1);
}

/* Texts of two, none and three tokens. */
static void test_segments_are_reduced_by_themselves(void **state)
{
    static const struct {
        const char *kind;
        float expected[SEGMENTS * SEGMENT_WIDTH];
    } cases[] = {{"sum", {5, 7, 9, 0, 0, 0, 6, 30, -3}},
                 {"mean", {2.5f, 3.5f, 4.5f, 0, 0, 0, 2, 10, -1}},
                 {"max", {4, 5, 6, 0, 0, 0, 7, 20, 0}},
                 {"first", {1, 2, 3, 0, 0, 0, 7, 0, -1}},
                 {"last", {4, 5, 6, 0, 0, 0, 0, 20, -2}}};
    float x[] = {1, 2, 3, 4, 5, 6, 7, 0, -1, -1, 10, 0, 0, 20, -2};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tensor y;
        assert_int_equal(reduce_segments(*state, cases[i].kind, (int64_t[]){0, 2, 2, 5}, x, &y), HOB_OK);
        assert_true(tensor_has_shape(&y, 2, (int64_t[]){SEGMENTS, SEGMENT_WIDTH}));
        assert_memory_equal(y.data, cases[i].expected, sizeof cases[i].expected);
    }
}

static void test_segments_that_do_not_fit_are_refused(void **state)
{
    struct op_bench *bench = *state;
    float x[SEGMENT_ROWS * SEGMENT_WIDTH] = {0};
    struct tensor y;
    assert_int_equal(reduce_segments(bench, "sum", (int64_t[]){0, 3, 2, 5}, x, &y), HOB_BAD_ARGUMENT);
    assert_int_equal(reduce_segments(bench, "sum", (int64_t[]){0, 2, 3, 4}, x, &y), HOB_BAD_ARGUMENT);
    assert_int_equal(reduce_segments(bench, "median", (int64_t[]){0, 2, 3, 5}, x, &y), HOB_BAD_GRAPH);
    assert_string_equal(bench->error.message, "test: kind: found \"median\", expected sum, mean, max, first or last");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotary_agrees_with_torch),
        cmocka_unit_test(test_rotary_refuses_odd_dims),
        cmocka_unit_test(test_rotary_scales_what_turns),
        cmocka_unit_test(test_attention_windows_and_caps),
        cmocka_unit_test(test_attention_agrees_with_torch),
        cmocka_unit_test(test_attention_takes_any_strides),
        cmocka_unit_test(test_attention_output_is_ready_to_be_reshaped),
        cmocka_unit_test(test_attention_in_chunks_has_the_same_bytes),
        cmocka_unit_test(test_attention_packed_agrees_with_torch),
        cmocka_unit_test(test_attention_packed_is_each_sentence_by_itself),
        cmocka_unit_test(test_attention_refuses_bad_segments),
        cmocka_unit_test(test_attention_with_a_bias_by_distance),
        cmocka_unit_test(test_distances_count_from_the_first_key),
        cmocka_unit_test(test_attention_refuses_bad_distances),
        cmocka_unit_test(test_attention_does_not_depend_on_threads),
        cmocka_unit_test(test_rows_agree_with_torch),
        cmocka_unit_test(test_linear_agrees_with_torch),
        cmocka_unit_test(test_linear_of_a_transposed_weight_and_input),
        cmocka_unit_test(test_linear_packs_large_weights_in_blocks),
        cmocka_unit_test(test_linear_rows_do_not_depend_on_their_number),
        cmocka_unit_test(test_linear_of_small_weights),
        cmocka_unit_test(test_embedding_from_panels),
        cmocka_unit_test(test_linear_says_what_does_not_fit),
        cmocka_unit_test(test_packed_weights_are_for_products_only),
        cmocka_unit_test(test_cache_shows_what_was_appended),
        cmocka_unit_test(test_cache_without_a_session_is_its_input),
        cmocka_unit_test(test_segments_are_reduced_by_themselves),
        cmocka_unit_test(test_segments_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
