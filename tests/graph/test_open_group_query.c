/* GroupQueryAttention taken apart gives the bytes of the operator: its output and both presents, of a prompt and behind a past. */
#include "unit.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "providers/providers.h"

#include <math.h>
#include <string.h>

enum { T = 5, HEADS = 4, KV_HEADS = 2, WIDTH = 8, POSITIONS = 32, MOST_PAST = 9 };
enum { Q_WIDTH = HEADS * WIDTH, KV_WIDTH = KV_HEADS * WIDTH };

struct shape_of_node {
    bool is_packed, has_rotary, is_interleaved, has_positions, has_sinks;
    int64_t n_turned, window, causal;
    float scale, softcap;
};

struct decoder {
    struct provider provider;
    struct graph *graph;
    struct executor *executor;
};

static uint32_t float_input(struct builder *b, const char *name, int rank, const int64_t *dims)
{
    return builder_input(b, name, DTYPE_F32, rank, dims, NULL);
}

static uint32_t constant(struct builder *b, enum dtype dtype, int rank, const int64_t *dims)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, dtype, rank, dims, NULL, NULL), HOB_OK);
    tensor.data = arena_alloc(&b->graph->arena, tensor_n_bytes(&tensor) + 1, 64);
    memset(tensor.data, 0, tensor_n_bytes(&tensor));
    return builder_constant(b, "", &tensor);
}

static uint32_t table(struct builder *b, int64_t n_turned, double (*function)(double))
{
    uint32_t value = constant(b, DTYPE_F32, 2, (int64_t[]){POSITIONS, n_turned / 2});
    float *items = b->graph->values[value].constant->data;
    for (int64_t i = 0; i < POSITIONS * n_turned / 2; i++)
        items[i] = (float)function((double)(i / (n_turned / 2)) * pow(100, -2.0 * (double)(i % (n_turned / 2)) / (double)n_turned));
    return value;
}

static uint32_t lengths(struct builder *b, int32_t number)
{
    uint32_t value = constant(b, DTYPE_I32, 1, (int64_t[]){1});
    *(int32_t *)b->graph->values[value].constant->data = number;
    return value;
}

static void build(struct builder *b, const struct shape_of_node *shape, int64_t n_past)
{
    enum { N_INPUTS = 12 };
    const int64_t q[] = {1, DIM_UNKNOWN, shape->is_packed ? Q_WIDTH + 2 * KV_WIDTH : Q_WIDTH}, kv[] = {1, DIM_UNKNOWN, KV_WIDTH};
    const int64_t past[] = {DIM_UNKNOWN, KV_HEADS, DIM_UNKNOWN, WIDTH};
    uint32_t inputs[N_INPUTS], outputs[3];
    for (int i = 0; i < N_INPUTS; i++) inputs[i] = VALUE_NONE;
    inputs[0] = float_input(b, "q", 3, q);
    if (!shape->is_packed) inputs[1] = float_input(b, "k", 3, kv), inputs[2] = float_input(b, "v", 3, kv);
    inputs[3] = float_input(b, "past_k", 4, past), inputs[4] = float_input(b, "past_v", 4, past);
    inputs[5] = lengths(b, (int32_t)(n_past + T - 1)), inputs[6] = lengths(b, (int32_t)(n_past + T));
    if (shape->has_rotary) inputs[7] = table(b, shape->n_turned, cos), inputs[8] = table(b, shape->n_turned, sin);
    if (shape->has_positions) inputs[9] = constant(b, DTYPE_I64, 2, (int64_t[]){1, T});
    if (shape->has_sinks) inputs[11] = constant(b, DTYPE_F32, 1, (int64_t[]){HEADS});
    const struct attribute attributes[] = {
        attribute_int("num_heads", HEADS), attribute_int("kv_num_heads", KV_HEADS), attribute_int("do_rotary", shape->has_rotary),
        attribute_int("rotary_interleaved", shape->is_interleaved), attribute_int("local_window_size", shape->window),
        attribute_int("causal", shape->causal), attribute_float("scale", shape->scale), attribute_float("softcap", shape->softcap)};
    builder_op_n(b, "com.microsoft.GroupQueryAttention", inputs, N_INPUTS, attributes, 8, 3, outputs);
    for (int i = 0; i < 3; i++) builder_output(b, (const char *[]){"y", "present_k", "present_v"}[i], outputs[i]);
}

static void bind(struct decoder *decoder, int64_t n_past)
{
    static _Alignas(64) float memory[5][(Q_WIDTH + 2 * KV_WIDTH) * (MOST_PAST + T)];
    uint32_t state = 5;
    for (uint32_t i = 0; i < decoder->graph->n_inputs; i++) {
        const struct value *input = &decoder->graph->values[decoder->graph->inputs[i]];
        const int64_t past[] = {1, KV_HEADS, n_past, WIDTH}, now[] = {1, T, input->dims[2]};
        struct tensor tensor;
        assert_int_equal(tensor_init(&tensor, DTYPE_F32, input->rank, input->rank == 4 ? past : now, memory[i], NULL), HOB_OK);
        for (int64_t j = 0; j < tensor_n_items(&tensor); j++) {
            state = state * 1664525 + 1013904223;
            memory[i][j] = (float)(state >> 8) * 0x1p-23f - 1;
        }
        executor_bind(decoder->executor, i, &tensor);
    }
}

static void run(struct decoder *decoder, const struct shape_of_node *shape, int64_t n_past, const char *disabled)
{
    hob_error error = {0};
    const struct program *program;
    struct builder builder;
    memset(decoder, 0, sizeof *decoder);
    decoder->provider.def = provider_find("cpu");
    assert_int_equal(decoder->provider.def->open(&(struct provider_options){.n_threads = 1}, &decoder->provider, NULL), HOB_OK);
    assert_int_equal(graph_new(NULL, &decoder->graph, NULL), HOB_OK);
    assert_int_equal(graph_add_opset(decoder->graph, "", 21, NULL), HOB_OK);
    builder_init(&builder, decoder->graph);
    build(&builder, shape, n_past);
    struct pass_options options = {.kernels = decoder->provider.kernels, .disabled = disabled, .is_for_generation = true};
    if (builder_finish(&builder, &error) != HOB_OK || passes_run(decoder->graph, &options, NULL, &error) != HOB_OK ||
        program_new(decoder->graph, &program, &error) != HOB_OK ||
        executor_new(program, &decoder->provider, 0, &decoder->executor, &error) != HOB_OK)
        fail_msg("%s", error.message);
    bind(decoder, n_past);
    if (executor_run(decoder->executor, NULL, &error) != HOB_OK) fail_msg("%s", error.message);
}

static void close_decoder(struct decoder *decoder)
{
    executor_free(decoder->executor);
    decoder->provider.def->release(&decoder->provider);
    graph_free(decoder->graph);
}

static int count(const struct graph *graph)
{
    int n = 0;
    for (uint32_t i = 0; i < graph->n_nodes; i++) n += node_is(&graph->nodes[i], "com.microsoft", "GroupQueryAttention");
    return n;
}

static void check(const struct shape_of_node *shape, int64_t n_past, bool is_opened)
{
    struct decoder whole, opened;
    run(&whole, shape, n_past, "open_group_query,attach_kv_cache");
    run(&opened, shape, n_past, "attach_kv_cache");
    assert_int_equal(count(whole.graph), 1);
    assert_int_equal(count(opened.graph), !is_opened);
    for (uint32_t i = 0; i < 3; i++) {
        const struct tensor *x = executor_output(whole.executor, i), *y = executor_output(opened.executor, i);
        assert_true(tensor_same_shape(x, y) && x->dtype == y->dtype);
        void *p = memory_aligned(tensor_n_bytes(x)), *q = memory_aligned(tensor_n_bytes(x));
        tensor_copy_contiguous(x, p), tensor_copy_contiguous(y, q);
        assert_memory_equal(p, q, tensor_n_bytes(x));
        memory_free(p), memory_free(q);
    }
    close_decoder(&whole), close_decoder(&opened);
}

static void test_opened(void **state)
{
    (void)state;
    static const struct shape_of_node shapes[] = {
        {.window = -1, .causal = 1},
        {.is_packed = true, .has_rotary = true, .n_turned = WIDTH, .window = -1, .causal = 1},
        {.has_rotary = true, .n_turned = WIDTH, .is_interleaved = true, .window = 3, .causal = 1, .softcap = 2},
        {.has_rotary = true, .n_turned = WIDTH / 2, .window = -1, .causal = 1, .scale = 0.3f},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
        for (int64_t n_past = 0; n_past <= MOST_PAST; n_past += 3) check(&shapes[i], n_past, true);
}

static void test_left_whole(void **state)
{
    (void)state;
    static const struct shape_of_node shapes[] = {
        {.has_rotary = true, .n_turned = WIDTH, .has_positions = true, .window = -1, .causal = 1},
        {.has_sinks = true, .window = -1, .causal = 1},
        {.window = -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) check(&shapes[i], 3, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_opened), cmocka_unit_test(test_left_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
