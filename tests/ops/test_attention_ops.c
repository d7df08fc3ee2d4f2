/* The attention operators of com.microsoft against formulas in numpy (tests/data/ops/attn_*.npy, made by
 * tools/make-attention-goldens.py, which has the same cases), and what must hold for attention whatever its numbers are. */
#include "unit.h"

#include "base/size.h"
#include "ops/numbers.h"
#include "ops/run_op.h"

#include <math.h>

enum { MOST_INPUTS = 16, MOST_ATTRIBUTES = 6, MOST_ITEMS = 64 };

/* Absent, random_f32 of seed i + 1, or the numbers listed. */
struct input {
    enum dtype dtype;            /* DTYPE_NONE: absent */
    int64_t dims[5];             /* 0 ends them; EMPTY is a dim of 0 */
    int64_t items[MOST_ITEMS];   /* of the integer types */
    int64_t first, factor, most; /* with a factor: item i is first + i * factor % most */
    float number;                /* a scalar f32 */
};
enum { EMPTY = -1 };
#define F(...) {.dtype = DTYPE_F32, .dims = {__VA_ARGS__}}
#define I32(shape, ...) {.dtype = DTYPE_I32, .dims = {SHAPE shape}, .items = {__VA_ARGS__}}
#define I64(shape, ...) {.dtype = DTYPE_I64, .dims = {SHAPE shape}, .items = {__VA_ARGS__}}
#define SHAPE(...) __VA_ARGS__
#define NONE {.dtype = DTYPE_NONE}
#define INT(key, value) {.name = key, .kind = ATTRIBUTE_INT, .n_items = 1, .integer = value}
#define FLOAT(key, value) {.name = key, .kind = ATTRIBUTE_FLOAT, .n_items = 1, .number = value}
#define TEXT(key, value) \
    {.name = key, .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {value, sizeof value - 1}}

struct op_case {
    const char *name, *op;
    struct attribute attributes[MOST_ATTRIBUTES];
    struct input inputs[MOST_INPUTS];
    int n_outputs;
};

static void store_items(const struct input *input, struct tensor *x)
{
    for (int64_t i = 0; i < tensor_n_items(x); i++) {
        int64_t item = input->factor ? input->first + i * input->factor % input->most : input->items[i];
        switch (x->dtype) {
        case DTYPE_I32: ((int32_t *)x->data)[i] = (int32_t)item; break;
        case DTYPE_I64: ((int64_t *)x->data)[i] = item; break;
        case DTYPE_F32: ((float *)x->data)[i] = input->factor ? (float)item * input->number : input->number; break;
        default: ((uint8_t *)x->data)[i] = (uint8_t)item; break;
        }
    }
}

static struct tensor make_input(struct op_bench *bench, const struct input *input, uint64_t seed)
{
    struct tensor x;
    int64_t dims[5];
    int rank = 0;
    for (; rank < 5 && input->dims[rank]; rank++) dims[rank] = input->dims[rank] == EMPTY ? 0 : input->dims[rank];
    if (input->dtype == DTYPE_F32 && input->number == 0) return random_f32(bench, rank, dims, seed);
    assert_int_equal(tensor_init(&x, input->dtype, rank, dims, NULL, &bench->error), HOB_OK);
    x.data = arena_alloc(&bench->arena, tensor_n_bytes(&x) + 1, 64);
    store_items(input, &x);
    return x;
}

/* The case with its inputs as given: MOST_INPUTS of them, NULL where absent. */
static void run_with(struct op_bench *bench, const struct op_case *it, const struct tensor *const *inputs, struct tensor *outputs)
{
    int n_inputs = 0;
    size_t n_attributes = 0;
    for (int i = 0; i < MOST_INPUTS; i++)
        if (inputs[i]) n_inputs = i + 1;
    while (n_attributes < MOST_ATTRIBUTES && it->attributes[n_attributes].name) n_attributes++;
    run_op(bench, "com.microsoft", it->op, 1, it->attributes, n_attributes, inputs, n_inputs, outputs, it->n_outputs);
}

static void make_inputs(struct op_bench *bench, const struct op_case *it, struct tensor *tensors, const struct tensor **inputs)
{
    for (int i = 0; i < MOST_INPUTS; i++) {
        inputs[i] = NULL;
        if (it->inputs[i].dtype == DTYPE_NONE) continue;
        tensors[i] = make_input(bench, &it->inputs[i], (uint64_t)i + 1);
        inputs[i] = &tensors[i];
    }
}

static void run_case(struct op_bench *bench, const struct op_case *it, struct tensor *outputs)
{
    struct tensor tensors[MOST_INPUTS];
    const struct tensor *inputs[MOST_INPUTS];
    make_inputs(bench, it, tensors, inputs);
    run_with(bench, it, inputs, outputs);
}

static void check_output(const struct op_case *it, int output, const struct tensor *found, const float *expected)
{
    const float *items = found->data;
    if (found->dtype != DTYPE_F32) fail_msg("%s, output %d: found %s", it->name, output, dtype_name(found->dtype));
    for (int64_t i = 0; i < tensor_n_items(found); i++)
        if (!(fabsf(items[i] - expected[i]) <= 2e-6f + 1e-4f * fabsf(expected[i])))
            fail_msg("%s, output %d, item %ld: found %.9g, expected %.9g", it->name, output, (long)i, (double)items[i], (double)expected[i]);
}

static void check_case(struct op_bench *bench, const struct op_case *it)
{
    char name[64];
    struct tensor outputs[4];
    snprintf(name, sizeof name, "attn_%s", it->name);
    struct tensor expected = golden(bench, name);
    run_case(bench, it, outputs);
    int64_t at = 0;
    for (int i = 0; i < it->n_outputs; i++) {
        const float *part = (const float *)expected.data + at;
        at += tensor_n_items(&outputs[i]);
        assert_true(tensor_is_contiguous(&outputs[i]) && at <= tensor_n_items(&expected));
        check_output(it, i, &outputs[i], part);
    }
    assert_int_equal(at, tensor_n_items(&expected));
}

static void check_cases(const struct op_case *cases, size_t n_cases)
{
    struct op_bench bench;
    op_bench_init(&bench, 2);
    for (size_t i = 0; i < n_cases; i++) check_case(&bench, &cases[i]);
    op_bench_release(&bench);
}

/* ---- GroupQueryAttention ---- */

#define GQA_HEADS INT("num_heads", 4), INT("kv_num_heads", 2)
#define GQA_QKV(T) F(2, T, 32), F(2, T, 16), F(2, T, 16)
#define GQA_PAST(P) F(2, 2, P, 8), F(2, 2, P, 8)
#define CACHES F(16, 4), F(16, 4)
#define ROTARY(is_interleaved) INT("do_rotary", 1), INT("rotary_interleaved", is_interleaved)

static const struct op_case gqa_cases[] = {
    {"gqa_prompt", "GroupQueryAttention", {GQA_HEADS},
     {GQA_QKV(5), GQA_PAST(EMPTY), I32((2), 4, 4), I32((), 5)}, 3},
    {"gqa_prompt_padded", "GroupQueryAttention", {GQA_HEADS, ROTARY(0)},
     {GQA_QKV(5), GQA_PAST(9), I32((2), 4, 2), I32((), 5), CACHES}, 3},
    {"gqa_decode_rows", "GroupQueryAttention", {GQA_HEADS, ROTARY(0)},
     {GQA_QKV(1), GQA_PAST(6), I32((2), 6, 3), I32((), 7), CACHES}, 3},
    {"gqa_decode_buffer", "GroupQueryAttention", {GQA_HEADS, ROTARY(1)},
     {F(2, 1, 64), NONE, NONE, GQA_PAST(12), I32((2), 5, 2), I32((), 6), CACHES}, 3},
    {"gqa_chunk_rows", "GroupQueryAttention", {GQA_HEADS, ROTARY(0), FLOAT("scale", 0.4f)},
     {GQA_QKV(3), GQA_PAST(6), I32((2), 8, 5), I32((), 9), CACHES}, 3},
    {"gqa_window", "GroupQueryAttention", {GQA_HEADS, INT("local_window_size", 3)},
     {GQA_QKV(6), GQA_PAST(EMPTY), I32((2), 5, 5), I32((), 6)}, 3},
    {"gqa_window_decode", "GroupQueryAttention", {GQA_HEADS, ROTARY(0), INT("local_window_size", 4)},
     {GQA_QKV(1), GQA_PAST(8), I32((2), 8, 4), I32((), 9), CACHES}, 3},
    {"gqa_everything", "GroupQueryAttention",
     {GQA_HEADS, ROTARY(0), INT("local_window_size", 4), FLOAT("softcap", 1.5f)},
     {GQA_QKV(3), GQA_PAST(6), I32((2), 8, 5), I32((), 9), CACHES, NONE, F(1, 4, 3, 9), F(4)}, 3},
    {"gqa_sinks", "GroupQueryAttention", {GQA_HEADS},
     {GQA_QKV(4), GQA_PAST(EMPTY), I32((2), 3, 3), I32((), 4), NONE, NONE, NONE, NONE, F(4)}, 3},
    {"gqa_smooth", "GroupQueryAttention", {GQA_HEADS, INT("smooth_softmax", 1)},
     {GQA_QKV(4), GQA_PAST(EMPTY), I32((2), 3, 3), I32((), 4)}, 3},
    {"gqa_cap", "GroupQueryAttention", {GQA_HEADS, FLOAT("softcap", 0.5f)},
     {GQA_QKV(4), GQA_PAST(EMPTY), I32((2), 3, 3), I32((), 4)}, 3},
    {"gqa_both_ways", "GroupQueryAttention", {GQA_HEADS, INT("causal", 0)},
     {GQA_QKV(4), GQA_PAST(EMPTY), I32((2), 3, 3), I32((), 4)}, 3},
    {"gqa_norms", "GroupQueryAttention", {GQA_HEADS, ROTARY(0)},
     {GQA_QKV(2), GQA_PAST(5), I32((2), 6, 4), I32((), 7), CACHES, NONE, NONE, NONE, NONE, NONE, F(8), F(8)}, 3},
    {"gqa_scores", "GroupQueryAttention", {GQA_HEADS, INT("qk_output", 1), FLOAT("softcap", 2.0f)},
     {GQA_QKV(3), GQA_PAST(2), I32((2), 4, 4), I32((), 5)}, 4},
    {"gqa_probabilities", "GroupQueryAttention", {GQA_HEADS, INT("qk_output", 2)},
     {GQA_QKV(3), GQA_PAST(2), I32((2), 4, 3), I32((), 5)}, 4},
};

static void test_group_query_attention(void **state)
{
    (void)state;
    check_cases(gqa_cases, ARRAY_LENGTH(gqa_cases));
}

/* ---- MultiHeadAttention ---- */

#define MHA_HEADS INT("num_heads", 2)
#define MHA_QKV F(2, 3, 8), F(2, 3, 8), F(2, 3, 8)

static const struct op_case mha_cases[] = {
    {"mha_self", "MultiHeadAttention", {MHA_HEADS}, {MHA_QKV}, 1},
    {"mha_cross", "MultiHeadAttention", {MHA_HEADS}, {F(2, 3, 8), F(2, 5, 8), F(2, 5, 12)}, 1},
    {"mha_heads", "MultiHeadAttention", {MHA_HEADS}, {F(2, 3, 8), F(2, 2, 5, 4), F(2, 2, 5, 4), F(24)}, 1},
    {"mha_kv", "MultiHeadAttention", {MHA_HEADS}, {F(2, 3, 8), F(2, 4, 2, 2, 4)}, 1},
    {"mha_qkv", "MultiHeadAttention", {MHA_HEADS}, {F(2, 3, 2, 3, 4), NONE, NONE, F(24)}, 1},
    {"mha_counts", "MultiHeadAttention", {MHA_HEADS}, {MHA_QKV, F(24), I32((2), 2, 3)}, 1},
    {"mha_counts", "MultiHeadAttention", {MHA_HEADS}, {MHA_QKV, F(24), I32((8), 2, 3, 0, 3, 6, 0, 2, 5)}, 1},
    {"mha_truths", "MultiHeadAttention", {MHA_HEADS, FLOAT("mask_filter_value", -5)},
     {MHA_QKV, NONE, I32((2, 3), 1, 0, 1, 0, 1, 1)}, 1},
    {"mha_square", "MultiHeadAttention", {MHA_HEADS},
     {MHA_QKV, NONE, I32((2, 3, 3), 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0)}, 1},
    {"mha_bias_and_truths", "MultiHeadAttention", {MHA_HEADS},
     {MHA_QKV, NONE, I32((2, 3), 1, 0, 1, 0, 1, 1), F(1, 2, 3, 3)}, 1},
    {"mha_past", "MultiHeadAttention", {MHA_HEADS, INT("unidirectional", 1)},
     {F(2, 2, 8), F(2, 2, 8), F(2, 2, 8), F(24), NONE, NONE, F(2, 2, 3, 4), F(2, 2, 3, 4)}, 3},
    {"mha_buffer", "MultiHeadAttention", {MHA_HEADS},
     {F(2, 1, 8), F(2, 1, 8), F(2, 1, 8), NONE, NONE, NONE, F(2, 2, 6, 4), F(2, 2, 6, 4), I32((1), 3)}, 3},
    {"mha_scores", "MultiHeadAttention", {MHA_HEADS, FLOAT("scale", 0.3f)},
     {MHA_QKV, NONE, NONE, F(1, 2, 3, 3)}, 4},
};

static void test_multi_head_attention(void **state)
{
    (void)state;
    check_cases(mha_cases, ARRAY_LENGTH(mha_cases));
}

/* ---- Attention, QAttention ---- */

#define MS_INPUTS F(2, 3, 6), F(6, 24), F(24)
static const int64_t widths[] = {8, 8, 12};

static const struct op_case projected_cases[] = {
    {"ms_sizes", "Attention",
     {INT("num_heads", 2), FLOAT("scale", 0.7f),
      {.name = "qkv_hidden_sizes", .kind = ATTRIBUTE_INTS, .n_items = 3, .integers = widths}},
     {F(2, 3, 6), F(6, 28), F(28)}, 1},
    {"ms_rotary", "Attention", {INT("num_heads", 2), INT("do_rotary", 1), INT("unidirectional", 1)},
     {MS_INPUTS, NONE, F(2, 2, 2, 2, 4)}, 2},
    {"ms_partial_rotary", "Attention", {INT("num_heads", 2), INT("do_rotary", 1), INT("rotary_embedding_dim", 2)},
     {MS_INPUTS}, 2},
    {"ms_buffer", "Attention", {INT("num_heads", 2), INT("unidirectional", 1), INT("past_present_share_buffer", 1)},
     {MS_INPUTS, NONE, F(2, 2, 2, 7, 4), NONE, I32((1), 2)}, 2},
    {"ms_ranges", "Attention", {INT("num_heads", 2)}, {MS_INPUTS, I32((4), 3, 2, 1, 0)}, 1},
    {"ms_square_of_all", "Attention", {INT("num_heads", 2)},
     {MS_INPUTS, {.dtype = DTYPE_I32, .dims = {2, 1, 8, 8}, .factor = 1, .most = 64}, F(2, 2, 2, 2, 4)}, 2},
    {"ms_bias_and_counts", "Attention", {INT("num_heads", 2)},
     {MS_INPUTS, I32((2), 2, 3), NONE, F(2, 1, 3, 3)}, 1},
};

static const struct op_case quantised_cases[] = {
    {"q_tensor", "QAttention", {INT("num_heads", 2)},
     {{.dtype = DTYPE_U8, .dims = {2, 3, 6}, .factor = 7, .most = 255},
      {.dtype = DTYPE_I8, .dims = {6, 24}, .first = -125, .factor = 5, .most = 251},
      F(24),
      {.dtype = DTYPE_F32, .number = 0.01f},
      {.dtype = DTYPE_F32, .number = 0.004f},
      NONE,
      {.dtype = DTYPE_U8, .items = {120}},
      {.dtype = DTYPE_I8, .items = {3}}}, 2},
    {"q_columns", "QAttention", {INT("num_heads", 2), INT("unidirectional", 1)},
     {{.dtype = DTYPE_U8, .dims = {2, 3, 6}, .factor = 7, .most = 255},
      {.dtype = DTYPE_I8, .dims = {6, 24}, .first = -125, .factor = 5, .most = 251},
      F(24),
      {.dtype = DTYPE_F32, .number = 0.01f},
      {.dtype = DTYPE_F32, .dims = {24}, .number = 0.0005f, .first = 1, .factor = 1, .most = 24},
      NONE,
      {.dtype = DTYPE_U8, .items = {120}},
      {.dtype = DTYPE_I8, .dims = {24}, .first = -2, .factor = 1, .most = 5},
      F(2, 2, 2, 2, 4)}, 2},
};

/* The square's truths are a triangle, which no factor makes. */
static void check_square(struct op_bench *bench, const struct op_case *it)
{
    struct tensor tensors[5], outputs[2], expected = golden(bench, "attn_ms_square_of_all");
    const struct tensor *inputs[5];
    for (int i = 0; i < 5; i++) {
        tensors[i] = make_input(bench, &it->inputs[i], (uint64_t)i + 1);
        inputs[i] = &tensors[i];
    }
    for (int i = 0; i < 2 * 64; i++) ((int32_t *)tensors[3].data)[i] = i % 8 <= i / 8 % 8;
    run_op(bench, "com.microsoft", it->op, 1, it->attributes, 1, inputs, 5, outputs, 2);
    struct tensor first = outputs[0];
    first.data = expected.data;
    assert_close(bench, &outputs[0], &first, 1e-4f, 2e-6f);
}

static void test_attention(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 2);
    for (size_t i = 0; i < ARRAY_LENGTH(projected_cases); i++)
        if (!strcmp(projected_cases[i].name, "ms_square_of_all")) check_square(&bench, &projected_cases[i]);
        else check_case(&bench, &projected_cases[i]);
    op_bench_release(&bench);
}

static void test_quantised_attention(void **state)
{
    (void)state;
    check_cases(quantised_cases, ARRAY_LENGTH(quantised_cases));
}

/* ---- RotaryEmbedding, LinearAttention and what stands around it ---- */

#define POSITIONS I64((2, 3), 1, 2, 3, 7, 0, 7)
#define LINEAR_HEADS INT("q_num_heads", 4), INT("kv_num_heads", 2)
#define LINEAR_QKV F(2, 4, 12), F(2, 4, 6), F(2, 4, 10), F(2, 2, 3, 5)

static const struct op_case other_cases[] = {
    {"rotary_packed", "RotaryEmbedding", {{0}}, {F(2, 3, 16), POSITIONS, F(9, 4), F(9, 4)}, 1},
    {"rotary_offset", "RotaryEmbedding", {INT("interleaved", 1)}, {F(2, 3, 16), I64((1), 5), F(9, 4), F(9, 4)}, 1},
    {"rotary_heads", "RotaryEmbedding", {{0}}, {F(2, 2, 3, 8), POSITIONS, F(9, 4), F(9, 4)}, 1},
    {"rotary_partial", "RotaryEmbedding",
     {INT("num_heads", 2), INT("rotary_embedding_dim", 8), INT("interleaved", 1)},
     {F(2, 3, 24), POSITIONS, F(9, 4), F(9, 4)}, 1},
    {"linear_plain", "LinearAttention", {LINEAR_HEADS, TEXT("update_rule", "linear")}, {LINEAR_QKV}, 2},
    {"linear_gated", "LinearAttention", {LINEAR_HEADS, TEXT("update_rule", "gated")}, {LINEAR_QKV, F(2, 4, 6)}, 2},
    {"linear_delta", "LinearAttention", {LINEAR_HEADS, TEXT("update_rule", "delta")},
     {LINEAR_QKV, NONE, F(2, 4, 1)}, 2},
    {"linear_gated_delta", "LinearAttention", {LINEAR_HEADS}, {LINEAR_QKV, F(2, 4, 2), F(2, 4, 2)}, 2},
    {"conv", "CausalConvWithState", {TEXT("activation", "silu")}, {F(2, 3, 5), F(3, 1, 4), F(3), F(2, 3, 3)}, 2},
    {"gate", "LinearAttentionGate", {{0}}, {F(2, 3, 4), F(4), F(4), F(2, 3, 4)}, 2},
    {"gated_norm_silu", "GatedRMSNorm", {FLOAT("epsilon", 1e-3f)}, {F(2, 3, 8), F(4), F(2, 3, 8)}, 1},
    {"gated_norm_sigmoid", "GatedRMSNorm", {FLOAT("epsilon", 1e-3f), TEXT("activation", "sigmoid")},
     {F(2, 3, 8), F(4), F(2, 3, 8)}, 1},
};

static void test_rotary_and_linear(void **state)
{
    (void)state;
    check_cases(other_cases, ARRAY_LENGTH(other_cases));
}

/* ---- MoE, QMoE ---- */

#define EXPERTS F(5, 8), F(5, 4), F(4, 6, 8), F(4, 6), F(4, 8, 6), F(4, 8)
#define EXPERTS_OF_TWO F(5, 8), F(5, 4), F(4, 12, 8), F(4, 12), F(4, 8, 6), F(4, 8)
#define BYTES(step, ...) {.dtype = DTYPE_U8, .dims = {__VA_ARGS__}, .factor = step, .most = 256}

static const struct op_case expert_cases[] = {
    {"moe_relu", "MoE", {INT("k", 2)}, {EXPERTS}, 1},
    {"moe_gelu", "MoE", {INT("k", 2), TEXT("activation_type", "gelu"), INT("normalize_routing_weights", 1)},
     {EXPERTS}, 1},
    {"moe_gated", "MoE", {INT("k", 2), TEXT("activation_type", "silu")}, {EXPERTS, F(4, 6, 8), F(4, 6)}, 1},
    {"moe_interleaved", "MoE",
     {INT("k", 2), TEXT("activation_type", "swiglu"), INT("swiglu_fusion", 1), FLOAT("activation_alpha", 1.702f),
      FLOAT("activation_beta", 1), FLOAT("swiglu_limit", 0.7f)},
     {EXPERTS_OF_TWO}, 1},
    {"moe_halves", "MoE", {TEXT("activation_type", "swiglu"), INT("swiglu_fusion", 2)}, {EXPERTS_OF_TWO}, 1},
    {"qmoe_rows", "QMoE", {INT("k", 2), TEXT("activation_type", "silu")},
     {F(5, 16), F(5, 4), BYTES(7, 4, 6, 8), F(4, 6), F(4, 6), BYTES(11, 4, 16, 3), F(4, 16)}, 1},
    {"qmoe_blocks", "QMoE",
     {INT("k", 2), TEXT("activation_type", "swiglu"), INT("swiglu_fusion", 1), INT("expert_weight_bits", 8),
      INT("block_size", 8), INT("normalize_routing_weights", 1)},
     {F(5, 16), F(5, 4), BYTES(7, 4, 32, 16), F(4, 32, 2), NONE, BYTES(11, 4, 16, 16), F(4, 16, 2), NONE, NONE, NONE,
      NONE, BYTES(5, 4, 32, 2), BYTES(3, 4, 16, 2)}, 1},
};

static void test_experts(void **state)
{
    (void)state;
    check_cases(expert_cases, ARRAY_LENGTH(expert_cases));
}

/* ---- halves ---- */

static uint16_t narrowed(enum dtype half, float number)
{
    return half == DTYPE_F16 ? number_to_f16(number) : number_to_bf16(number);
}

/* x as halves; x itself then has the same numbers. */
static struct tensor narrow(struct op_bench *bench, const struct tensor *x, enum dtype half)
{
    struct tensor y = *x;
    uint16_t *items = arena_alloc(&bench->arena, tensor_n_bytes(x) + 1, 64);
    float *numbers = x->data;
    for (int64_t i = 0; i < tensor_n_items(x); i++) {
        items[i] = narrowed(half, numbers[i]);
        numbers[i] = half == DTYPE_F16 ? number_from_f16(items[i]) : number_from_bf16(items[i]);
    }
    y.dtype = half;
    y.data = items;
    return y;
}

/* The gate's vectors are f32 whatever the type of its inputs. */
static bool stays_wide(const struct op_case *it, int i)
{
    return !strcmp(it->op, "LinearAttentionGate") && (i == 1 || i == 2);
}

/* What halves give is what f32 gives for the same numbers, rounded once. */
static void check_half(struct op_bench *bench, const struct op_case *it, enum dtype half)
{
    struct tensor wide[MOST_INPUTS], halves[MOST_INPUTS], expected[4], found[4];
    const struct tensor *wide_inputs[MOST_INPUTS], *inputs[MOST_INPUTS];
    make_inputs(bench, it, wide, wide_inputs);
    for (int i = 0; i < MOST_INPUTS; i++) {
        inputs[i] = wide_inputs[i];
        if (!inputs[i] || inputs[i]->dtype != DTYPE_F32 || stays_wide(it, i)) continue;
        halves[i] = narrow(bench, &wide[i], half);
        inputs[i] = &halves[i];
    }
    run_with(bench, it, wide_inputs, expected);
    run_with(bench, it, inputs, found);
    for (int output = 0; output < it->n_outputs; output++) {
        const float *numbers = expected[output].data;
        const uint16_t *items = found[output].data;
        if (found[output].dtype != half || !tensor_same_shape(&found[output], &expected[output]))
            fail_msg("%s, output %d: found %s of another shape or type", it->name, output, dtype_name(found[output].dtype));
        for (int64_t i = 0; i < tensor_n_items(&found[output]); i++)
            if (items[i] != narrowed(half, numbers[i]))
                fail_msg("%s in %s, output %d, item %ld: found %04x, expected %04x", it->name, dtype_name(half), output, (long)i,
                         items[i], narrowed(half, numbers[i]));
    }
}

static void check_halves(const struct op_case *cases, size_t n_cases)
{
    struct op_bench bench;
    op_bench_init(&bench, 2);
    for (size_t i = 0; i < n_cases; i++) {
        check_half(&bench, &cases[i], DTYPE_F16);
        check_half(&bench, &cases[i], DTYPE_BF16);
    }
    op_bench_release(&bench);
}

static void test_halves(void **state)
{
    (void)state;
    check_halves(gqa_cases, ARRAY_LENGTH(gqa_cases));
    check_halves(mha_cases, ARRAY_LENGTH(mha_cases));
    check_halves(projected_cases, ARRAY_LENGTH(projected_cases));
    check_halves(quantised_cases, ARRAY_LENGTH(quantised_cases));
    check_halves(other_cases, ARRAY_LENGTH(other_cases));
    check_halves(expert_cases, ARRAY_LENGTH(expert_cases));
}

/* ---- bytes ---- */

/* Every case gives the same bytes whatever the number of threads. */
static void test_threads(void **state)
{
    (void)state;
    struct op_bench one, three;
    op_bench_init(&one, 1);
    op_bench_init(&three, 3);
    for (size_t i = 0; i < ARRAY_LENGTH(gqa_cases); i++) {
        struct tensor a[4], b[4];
        run_case(&one, &gqa_cases[i], a);
        run_case(&three, &gqa_cases[i], b);
        for (int output = 0; output < gqa_cases[i].n_outputs; output++) assert_same_bytes(&one, &a[output], &b[output]);
    }
    op_bench_release(&one);
    op_bench_release(&three);
}

/* Rows of a query by itself are the rows of all queries: with windows, a soft cap or neither. */
static void check_chunks(struct op_bench *bench, const struct attribute *attributes, size_t n_attributes)
{
    enum { T = 9, SEEN = 5 };
    struct tensor q = random_f32(bench, 4, (int64_t[]){1, 4, T, 16}, 1), k = random_f32(bench, 4, (int64_t[]){1, 2, T, 16}, 2);
    struct tensor v = random_f32(bench, 4, (int64_t[]){1, 2, T, 12}, 3), whole, part;
    run_op(bench, "", "Attention", 25, attributes, n_attributes, (const struct tensor *[]){&q, &k, &v}, 3, &whole, 1);
    struct tensor fresh[3], past[2];
    for (int i = 0; i < 3; i++) fresh[i] = tensor_slice(i ? i == 1 ? &k : &v : &q, 2, SEEN, T - SEEN, 1);
    for (int i = 0; i < 2; i++) past[i] = tensor_slice(i ? &v : &k, 2, 0, SEEN, 1);
    run_op(bench, "", "Attention", 25, attributes, n_attributes,
           (const struct tensor *[]){&fresh[0], &fresh[1], &fresh[2], NULL, &past[0], &past[1]}, 6, &part, 1);
    struct tensor same = tensor_slice(&whole, 2, SEEN, T - SEEN, 1);
    assert_same_bytes(bench, &part, &same);
}

static void test_chunks(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 2);
    struct attribute plain[] = {INT("is_causal", 1)};
    struct attribute window[] = {INT("is_causal", 1), INT("left_window_size", 3)};
    struct attribute capped[] = {INT("is_causal", 1), FLOAT("softcap", 2), INT("left_window_size", 2)};
    struct attribute both[] = {INT("left_window_size", 2), INT("right_window_size", 0)};
    check_chunks(&bench, plain, 1);
    check_chunks(&bench, window, 2);
    check_chunks(&bench, capped, 3);
    check_chunks(&bench, both, 2);
    op_bench_release(&bench);
}

/* f64 keeps its digits: q = 1 + 2^-40 against keys of 2^40 tells two keys apart that f32 cannot. */
static void test_f64(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    double qs[] = {1 + 0x1p-40, 1}, ks[] = {0x1p40, -0x1p40, 0x1p40, -0x1p40 - 1}, vs[] = {1, 3};
    struct tensor q, k, v, y;
    assert_int_equal(tensor_init(&q, DTYPE_F64, 4, (int64_t[]){1, 1, 1, 2}, qs, NULL), HOB_OK);
    assert_int_equal(tensor_init(&k, DTYPE_F64, 4, (int64_t[]){1, 1, 2, 2}, ks, NULL), HOB_OK);
    assert_int_equal(tensor_init(&v, DTYPE_F64, 4, (int64_t[]){1, 1, 2, 1}, vs, NULL), HOB_OK);
    struct attribute scale = FLOAT("scale", 1);
    run_op(&bench, "", "Attention", 23, &scale, 1, (const struct tensor *[]){&q, &k, &v}, 3, &y, 1);
    /* Scores 1 and 0. */
    double expected = (exp(1) * 1 + 3) / (exp(1) + 1), found = *(const double *)y.data;
    assert_true(fabs(found - expected) < 1e-12);
    op_bench_release(&bench);
}

/* ---- what is refused ---- */

/* ONNX's qk_matmul_output: each mode from the one before, computed here in f64. */
static void check_score_outputs(const struct tensor scores[4], double softcap)
{
    const float *raw = scores[0].data, *capped = scores[1].data, *masked = scores[2].data, *chances = scores[3].data;
    for (int64_t row = 0; row < 2 * 3; row++) {
        double sum = 0;
        for (int64_t i = row * 3; i < row * 3 + 3; i++) {
            bool is_seen = i % 3 <= row % 3; /* causal */
            assert_true(fabs((double)capped[i] - softcap * tanh((double)raw[i] / softcap)) < 1e-6);
            assert_true(is_seen ? masked[i] == capped[i] : masked[i] == -INFINITY);
            sum += exp((double)masked[i]);
        }
        for (int64_t i = row * 3; i < row * 3 + 3; i++) assert_true(fabs((double)chances[i] - exp((double)masked[i]) / sum) < 1e-6);
    }
}

static void test_score_outputs(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor x = random_f32(&bench, 4, (int64_t[]){1, 2, 3, 4}, 3), outputs[4], scores[4];
    for (int64_t mode = 0; mode < 4; mode++) {
        const struct attribute attributes[] = {INT("qk_matmul_output_mode", mode), INT("is_causal", 1), FLOAT("softcap", 0.5f)};
        run_op(&bench, "", "Attention", 23, attributes, 3, (const struct tensor *[]){&x, &x, &x}, 3, outputs, 4);
        scores[mode] = outputs[3];
    }
    check_score_outputs(scores, 0.5);
    op_bench_release(&bench);
}

static void expect(struct op_bench *bench, const struct op_case *it, hob_status status, const char *words)
{
    struct tensor tensors[MOST_INPUTS], outputs[4];
    const struct tensor *inputs[MOST_INPUTS] = {NULL};
    int n_inputs = 0;
    size_t n_attributes = 0;
    for (int i = 0; i < MOST_INPUTS; i++) {
        if (it->inputs[i].dtype == DTYPE_NONE) continue;
        tensors[i] = make_input(bench, &it->inputs[i], 1);
        inputs[i] = &tensors[i];
        n_inputs = i + 1;
    }
    while (n_attributes < MOST_ATTRIBUTES && it->attributes[n_attributes].name) n_attributes++;
    assert_int_equal(try_op(bench, "com.microsoft", it->op, 1, it->attributes, n_attributes, inputs, n_inputs, outputs,
                            it->n_outputs),
                     status);
    if (!strstr(bench->error.message, words)) fail_msg("found \"%s\", expected \"%s\"", bench->error.message, words);
}

static void test_refusals(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    static const struct {
        struct op_case it;
        hob_status status;
        const char *words;
    } refusals[] = {
        {{"", "GroupQueryAttention", {INT("num_heads", 4), INT("kv_num_heads", 3)}, {F(2, 1, 32)}, 1},
         HOB_BAD_GRAPH, "a multiple of the second"},
        {{"", "GroupQueryAttention", {GQA_HEADS}, {GQA_QKV(1), GQA_PAST(6), I32((2), 7, 3), I32((), 7)}, 3},
         HOB_BAD_ARGUMENT, "seqlens_k: found 7 for row 0"},
        {{"", "GroupQueryAttention", {GQA_HEADS}, {GQA_QKV(3), GQA_PAST(6), I32((2), 6, 0), I32((), 7)}, 3},
         HOB_BAD_ARGUMENT, "seqlens_k: found 0 for row 1"},
        {{"", "GroupQueryAttention", {GQA_HEADS, ROTARY(0)}, {GQA_QKV(5), GQA_PAST(EMPTY), I32((2), 4, 4), I32((), 5),
          F(4, 4), F(4, 4)}, 3}, HOB_BAD_ARGUMENT, "found position 4"},
        {{"", "GroupQueryAttention", {GQA_HEADS, TEXT("k_quant_type", "PER_TENSOR")}, {F(2, 1, 32)}, 1},
         HOB_UNSUPPORTED, "caches are not quantised"},
        {{"", "MultiHeadAttention", {MHA_HEADS}, {F(2, 3, 8), F(2, 3, 8)}, 1}, HOB_BAD_SHAPE, "for 2 heads"},
        {{"", "MultiHeadAttention", {MHA_HEADS}, {MHA_QKV, NONE, I32((2, 4), 1)}, 1}, HOB_BAD_SHAPE, "mask: found [2,4]"},
        {{"", "MultiHeadAttention", {MHA_HEADS}, {MHA_QKV, NONE, NONE, NONE, F(2, 2, 3, 4)}, 1},
         HOB_BAD_GRAPH, "expected both or none"},
        {{"", "Attention", {INT("num_heads", 5)}, {MS_INPUTS}, 1}, HOB_BAD_SHAPE, "multiples of 5 heads"},
        {{"", "RotaryEmbedding", {{0}}, {F(2, 3, 16), I64((1), 7), F(9, 4), F(9, 4)}, 1},
         HOB_BAD_ARGUMENT, "position_ids: found 7"},
        {{"", "LinearAttention", {LINEAR_HEADS}, {LINEAR_QKV}, 2}, HOB_BAD_GRAPH, "expected one by the update rule"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++)
        expect(&bench, &refusals[i].it, refusals[i].status, refusals[i].words);
    op_bench_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_query_attention), cmocka_unit_test(test_multi_head_attention),
        cmocka_unit_test(test_attention),             cmocka_unit_test(test_quantised_attention),
        cmocka_unit_test(test_rotary_and_linear),     cmocka_unit_test(test_experts),
        cmocka_unit_test(test_halves), cmocka_unit_test(test_threads),               cmocka_unit_test(test_score_outputs),
        cmocka_unit_test(test_chunks),                cmocka_unit_test(test_f64),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
