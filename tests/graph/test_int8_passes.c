/* Passes over graphs of bytes: they fire as often as they should, and the bytes of the outputs are the same with and without them. */
#include "unit.h"

#include "base/error.h"
#include "base/memory.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "kernels/kernels.h"
#include "providers/providers.h"

#include <string.h>

enum { T = 7, K = 24, N = 32 };

struct case_run {
    struct provider provider;
    struct graph *graph;
    struct executor *executor;
};

typedef void build_function(struct builder *b);

static void compile(struct case_run *run, build_function *build, const char *disabled)
{
    hob_error error = {0};
    const struct program *program;
    struct builder builder;
    memset(run, 0, sizeof *run);
    run->provider.def = provider_find("cpu");
    assert_int_equal(run->provider.def->open(&(struct provider_options){.n_threads = 1}, &run->provider, NULL), HOB_OK);
    assert_int_equal(graph_new(NULL, &run->graph, NULL), HOB_OK);
    assert_int_equal(graph_add_opset(run->graph, "", 21, NULL), HOB_OK);
    builder_init(&builder, run->graph);
    build(&builder);
    struct pass_options options = {.kernels = run->provider.kernels, .disabled = disabled};
    if (builder_finish(&builder, &error) != HOB_OK || passes_run(run->graph, &options, NULL, &error) != HOB_OK ||
        program_new(run->graph, &program, &error) != HOB_OK ||
        executor_new(program, &run->provider, 0, &run->executor, &error) != HOB_OK)
        fail_msg("%s", error.message);
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void execute(struct case_run *run)
{
    static _Alignas(64) float memory[4][T * K];
    hob_error error = {0};
    uint32_t state = 9;
    for (uint32_t i = 0; i < run->graph->n_inputs; i++) {
        const struct value *input = &run->graph->values[run->graph->inputs[i]];
        struct tensor tensor;
        assert_int_equal(tensor_init(&tensor, input->dtype, 3, (int64_t[]){1, T, K}, memory[i], NULL), HOB_OK);
        for (int64_t k = 0; k < T * K; k++)
            if (input->dtype == DTYPE_F32) memory[i][k] = (float)next(&state) * 0x1p-23f - 1;
            else ((uint8_t *)tensor.data)[k] = (uint8_t)next(&state);
        executor_bind(run->executor, i, &tensor);
    }
    if (executor_run(run->executor, NULL, &error) != HOB_OK) fail_msg("%s", error.message);
}

static void finish(struct case_run *run)
{
    executor_free(run->executor);
    run->provider.def->release(&run->provider);
    graph_free(run->graph);
}

static int count(const struct graph *graph, const char *domain, const char *op)
{
    int n = 0;
    for (uint32_t i = 0; i < graph->n_nodes; i++) n += node_is(&graph->nodes[i], domain, op);
    return n;
}

static void check_same(const struct case_run *a, const struct case_run *b)
{
    for (uint32_t i = 0; i < a->graph->n_outputs; i++) {
        const struct tensor *x = executor_output(a->executor, i), *y = executor_output(b->executor, i);
        assert_true(tensor_same_shape(x, y) && x->dtype == y->dtype);
        void *p = memory_aligned(tensor_n_bytes(x)), *q = memory_aligned(tensor_n_bytes(x));
        tensor_copy_contiguous(x, p), tensor_copy_contiguous(y, q);
        assert_memory_equal(p, q, tensor_n_bytes(x));
        memory_free(p), memory_free(q);
    }
}

/* How many of an operator there are with the passes, where without them there is none. */
static void check(build_function *build, const char *disabled, const char *domain, const char *op, int expected)
{
    struct case_run plain, packed;
    compile(&plain, build, disabled);
    compile(&packed, build, "");
    execute(&plain), execute(&packed);
    if (count(packed.graph, domain, op) != expected)
        fail_msg("found %d of %s, expected %d", count(packed.graph, domain, op), op, expected);
    check_same(&plain, &packed);
    finish(&plain), finish(&packed);
}

/* ---- graphs ---- */

static uint32_t input(struct builder *b, const char *name, enum dtype dtype)
{
    return builder_input(b, name, dtype, 3, (int64_t[]){DIM_UNKNOWN, DIM_UNKNOWN, K}, NULL);
}

static uint32_t constant(struct builder *b, enum dtype dtype, int rank, const int64_t *dims, uint32_t seed)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, dtype, rank, dims, NULL, NULL), HOB_OK);
    tensor.data = arena_alloc(&b->graph->arena, tensor_n_bytes(&tensor) + 1, 64);
    for (int64_t i = 0; i < tensor_n_items(&tensor); i++)
        if (dtype == DTYPE_F32) ((float *)tensor.data)[i] = (float)next(&seed) * 0x1p-31f;
        else if (dtype == DTYPE_I32) ((int32_t *)tensor.data)[i] = (int32_t)next(&seed) % 1000;
        else ((uint8_t *)tensor.data)[i] = (uint8_t)(next(&seed) >> 3);
    return builder_constant(b, "", &tensor);
}

static uint32_t weight(struct builder *b, enum dtype dtype, int64_t n, uint32_t seed)
{
    return constant(b, dtype, 2, (int64_t[]){K, n}, seed);
}

static uint32_t to_float(struct builder *b, const uint32_t quantised[3], uint32_t w, uint32_t w_scale, uint32_t w_zero,
                         uint32_t bias)
{
    return builder_op(b, "com.microsoft.MatMulIntegerToFloat",
                      (uint32_t[]){quantised[0], w, quantised[1], w_scale, quantised[2], w_zero, bias}, 7, NULL, 0);
}

/* Query, key and value of one quantised x, int8 and uint8 weights, scales of all columns and of each; then a layer with Gelu. */
static void build_layer(struct builder *b)
{
    uint32_t x = input(b, "x", DTYPE_F32), quantised[3];
    int64_t n = N, wide = 2 * N;
    builder_op_n(b, "DynamicQuantizeLinear", &x, 1, NULL, 0, 3, quantised);
    uint32_t q = to_float(b, quantised, weight(b, DTYPE_I8, N, 1), constant(b, DTYPE_F32, 0, NULL, 2), VALUE_NONE,
                          constant(b, DTYPE_F32, 1, &n, 3));
    uint32_t k = to_float(b, quantised, weight(b, DTYPE_U8, N, 4), constant(b, DTYPE_F32, 1, &n, 5),
                          constant(b, DTYPE_U8, 1, &n, 6), constant(b, DTYPE_F32, 1, &n, 7));
    uint32_t v = to_float(b, quantised, weight(b, DTYPE_U8, N, 8), constant(b, DTYPE_F32, 0, NULL, 9), VALUE_NONE,
                          constant(b, DTYPE_F32, 1, &n, 10));
    uint32_t sum = builder_op(b, "Add", (uint32_t[]){q, k}, 2, NULL, 0);
    uint32_t ff = builder_op(b, "com.microsoft.DynamicQuantizeMatMul",
                             (uint32_t[]){x, weight(b, DTYPE_I8, 2 * N, 11), constant(b, DTYPE_F32, 1, &wide, 12),
                                          VALUE_NONE, constant(b, DTYPE_F32, 1, &wide, 13)},
                             5, NULL, 0);
    builder_output(b, "sum", sum);
    builder_output(b, "v", v); /* an output of the graph is not merged */
    builder_output(b, "ff", builder_op(b, "com.microsoft.Gelu", &ff, 1, NULL, 0));
}

static void test_layer(void **state)
{
    (void)state;
    check(build_layer, "fuse_int8", "hob", "LinearInt8", 3);
    check(build_layer, "fuse_int8", "hob", "DynamicQuantize", 2);
    check(build_layer, "fuse_int8", "", "Split", 1);
    check(build_layer, "fuse_int8", "com.microsoft", "Gelu", 0);
}

/* The scale is read by something else: DynamicQuantizeLinear stays, with its one number. */
static void build_shared_scale(struct builder *b)
{
    uint32_t x = input(b, "x", DTYPE_F32), quantised[3];
    builder_op_n(b, "DynamicQuantizeLinear", &x, 1, NULL, 0, 3, quantised);
    uint32_t y =
        to_float(b, quantised, weight(b, DTYPE_I8, 20, 1), constant(b, DTYPE_F32, 0, NULL, 2), VALUE_NONE, VALUE_NONE);
    builder_output(b, "y", builder_op(b, "Mul", (uint32_t[]){y, quantised[1]}, 2, NULL, 0));
}

static void test_shared_scale(void **state)
{
    (void)state;
    check(build_shared_scale, "fuse_int8", "hob", "LinearInt8", 1);
    check(build_shared_scale, "fuse_int8", "", "DynamicQuantizeLinear", 1);
}

/* ---- integer products ---- */

static uint32_t number(struct builder *b, float value)
{
    return builder_float(b, value);
}

static void build_integers(struct builder *b)
{
    uint32_t x = input(b, "x", DTYPE_U8),
             flat = builder_op(b, "Reshape", (uint32_t[]){x, builder_ints(b, (int64_t[]){-1, K}, 2)}, 2, NULL, 0);
    int64_t n = N;
    uint32_t zero = constant(b, DTYPE_U8, 0, NULL, 1), w = weight(b, DTYPE_U8, N, 2),
             wide = constant(b, DTYPE_I8, 2, (int64_t[]){20, K}, 3);
    uint32_t w_zero = constant(b, DTYPE_U8, 1, &n, 4), small = number(b, 0.01f);
    struct attribute transposed = attribute_int("transB", 1);
    builder_output(b, "plain", builder_op(b, "MatMulInteger", (uint32_t[]){x, w}, 2, NULL, 0));
    builder_output(b, "zeros", builder_op(b, "MatMulInteger", (uint32_t[]){x, w, zero, w_zero}, 4, NULL, 0));
    builder_output(b, "qlinear",
                   builder_op(b, "QLinearMatMul", (uint32_t[]){x, small, zero, w, small, w_zero, number(b, 0.5f), zero},
                              8, NULL, 0));
    builder_output(b, "qgemm",
                   builder_op(b, "com.microsoft.QGemm",
                              (uint32_t[]){flat, small, zero, wide, small, constant(b, DTYPE_I8, 0, NULL, 5)}, 6,
                              &transposed, 1));
    builder_output(b, "scale",
                   builder_op(b, "com.microsoft.MatMulIntegerToFloat", (uint32_t[]){x, w, small, small, zero, w_zero},
                              6, NULL, 0));
}

/* Nodes whose weights lie in panels. */
static int count_packed(const struct graph *graph)
{
    int n = 0;
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        for (uint32_t j = 0; !graph->nodes[i].is_removed && j < graph->nodes[i].n_inputs; j++) {
            uint32_t value = graph->nodes[i].inputs[j];
            const struct tensor *w = value == VALUE_NONE ? NULL : graph->values[value].constant;
            n += w && w->layout == LAYOUT_PANELS && w->dtype == DTYPE_I8;
        }
    return n;
}

static void check_packed(build_function *build, int expected)
{
    struct case_run plain, packed;
    compile(&plain, build, "all");
    compile(&packed, build, "");
    execute(&plain), execute(&packed);
    assert_int_equal(count_packed(plain.graph), 0);
    assert_int_equal(count_packed(packed.graph), expected);
    check_same(&plain, &packed);
    finish(&plain), finish(&packed);
}

static void test_integers(void **state)
{
    (void)state;
    check_packed(build_integers, 5);
}

static void build_attention(struct builder *b)
{
    int64_t n = 3 * K;
    uint32_t x = input(b, "x", DTYPE_U8), bias = constant(b, DTYPE_F32, 1, &n, 1),
             w_scale = constant(b, DTYPE_F32, 1, &n, 2);
    uint32_t inputs[] = {x,          weight(b, DTYPE_U8, n, 3),        bias, number(b, 0.02f), w_scale,
                         VALUE_NONE, constant(b, DTYPE_U8, 0, NULL, 4)};
    struct attribute heads = attribute_int("num_heads", 3);
    builder_output(b, "y", builder_op(b, "com.microsoft.QAttention", inputs, 7, &heads, 1));
}

static void test_attention(void **state)
{
    (void)state;
    check_packed(build_attention, 1);
}

/* ---- MatMulNBits ---- */

enum { NBITS_N = 40, NBITS_K = 160, N_PACKED = 6 };

enum zeros { NO_ZEROS, ANY_ZEROS, MIDDLE_ZEROS };

static uint32_t zero_points(struct builder *b, int64_t n_bytes, enum zeros zeros)
{
    if (zeros == NO_ZEROS) return VALUE_NONE;
    uint32_t value = constant(b, DTYPE_U8, 1, &n_bytes, 7);
    if (zeros == MIDDLE_ZEROS) memset(b->graph->values[value].constant->data, 128, (size_t)n_bytes);
    return value;
}

static uint32_t nbits(struct builder *b, uint32_t x, int64_t bits, int64_t block, int64_t level, enum zeros zeros, float scale)
{
    int64_t n_blocks = (NBITS_K + block - 1) / block, n = NBITS_N, n_scales = n * n_blocks,
            zero_bytes = n * ((n_blocks * bits + 7) / 8);
    uint32_t codes = constant(b, DTYPE_U8, 3, (int64_t[]){n, n_blocks, block * bits / 8}, 5),
             scales = constant(b, DTYPE_F32, 1, &n_scales, 6);
    float *items = b->graph->values[scales].constant->data;
    for (int64_t i = 0; i < n_scales; i++)
        items[i] = (items[i] + 0.005f) * scale; /* of 10: 0.05 to 0.13, more than f16 has digits for */
    struct attribute attributes[] = {attribute_int("N", n), attribute_int("K", NBITS_K),
                                     attribute_int("block_size", block), attribute_int("bits", bits),
                                     attribute_int("accuracy_level", level)};
    uint32_t inputs[] = {x, codes, scales, zero_points(b, zero_bytes, zeros), VALUE_NONE, constant(b, DTYPE_F32, 1, &n, 8)};
    return builder_op(b, "com.microsoft.MatMulNBits", inputs, 6, attributes, 5);
}

static void build_nbits(struct builder *b)
{
    /* T * K numbers are T * K / NBITS_K rows of NBITS_K when some are left out. */
    uint32_t x = input(b, "x", DTYPE_F32),
             flat = builder_op(b, "Reshape", (uint32_t[]){x, builder_ints(b, (int64_t[]){-1}, 1)}, 2, NULL, 0);
    uint32_t row = builder_op(
        b, "Slice", (uint32_t[]){flat, builder_ints(b, (int64_t[]){0}, 1), builder_ints(b, (int64_t[]){NBITS_K}, 1)}, 3,
        NULL, 0);
    uint32_t a = builder_op(b, "Reshape", (uint32_t[]){row, builder_ints(b, (int64_t[]){1, NBITS_K}, 2)}, 2, NULL, 0);
    builder_output(b, "four", nbits(b, a, 4, 32, 4, NO_ZEROS, 10));
    builder_output(b, "zeros", nbits(b, a, 4, 64, 4, ANY_ZEROS, 10));
    builder_output(b, "eight", nbits(b, a, 8, 128, 4, NO_ZEROS, 10));
    builder_output(b, "middle", nbits(b, a, 8, 32, 4, MIDDLE_ZEROS, 10));
    builder_output(b, "two", nbits(b, a, 2, 32, 4, NO_ZEROS, 10));
    builder_output(b, "two_zeros", nbits(b, a, 2, 64, 4, ANY_ZEROS, 10));
    builder_output(b, "exact", nbits(b, a, 4, 32, 1, NO_ZEROS, 10)); /* wants f32 activations */
    builder_output(b, "small", nbits(b, a, 4, 16, 4, NO_ZEROS, 10)); /* blocks too small */
    builder_output(b, "large", nbits(b, a, 4, 64, 4, ANY_ZEROS, 1e6f)); /* scales that f16 holds, offsets that it does not */
    builder_output(b, "odd", nbits(b, a, 8, 32, 4, ANY_ZEROS, 10));    /* no format with such zero points */
}

/* What 8-bit activations may cost: half a step of each of K items, steps of their magnitude / 127, against weights of one magnitude. */
static void test_nbits(void **state)
{
    (void)state;
    struct case_run plain, packed;
    compile(&plain, build_nbits, "pack_nbits");
    compile(&packed, build_nbits, "");
    execute(&plain), execute(&packed);
    assert_int_equal(count(plain.graph, "com.microsoft", "MatMulNBits"), N_PACKED + 4);
    assert_int_equal(count(packed.graph, "com.microsoft", "MatMulNBits"), 4);
    for (uint32_t i = 0; i < plain.graph->n_outputs; i++) {
        const float *x = executor_output(plain.executor, i)->data, *y = executor_output(packed.executor, i)->data;
        double error = 0, size = 0;
        for (int64_t j = 0; j < NBITS_N; j++)
            error += (x[j] - y[j]) * (double)(x[j] - y[j]), size += x[j] * (double)x[j];
        double bound = i < N_PACKED ? 0.01 * 0.01 : 0;
        if (!(error <= bound * size) || (i < N_PACKED && error == 0))
            fail_msg("output %u: found an error of %g in %g", i, error, size);
    }
    finish(&plain), finish(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layer), cmocka_unit_test(test_shared_scale),
                                       cmocka_unit_test(test_integers), cmocka_unit_test(test_attention),
                                       cmocka_unit_test(test_nbits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
