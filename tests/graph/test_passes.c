/* Each fusing pass on the pattern it is for: it fires as often as it should, and the graph computes the same with and without. */
#include "unit.h"

#include "base/error.h"
#include "base/memory.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/packing.h"
#include "graph/pass.h"
#include "kernels/kernels.h"
#include "providers/providers.h"

#include <math.h>
#include <string.h>

enum { MAX_ITEMS = 4096 };

struct case_run {
    struct provider provider;
    struct graph *graph;
    struct executor *executor;
    uint32_t n_changes; /* of the pass under test */
};

typedef void build_function(struct builder *b);

static void fill(float *items, int64_t n_items, uint64_t seed)
{
    for (int64_t i = 0; i < n_items; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        items[i] = (float)(seed >> 40) / 0x1p23f - 1;
    }
}

static void compile(struct case_run *run, build_function *build, const char *pass, const char *disabled)
{
    hob_error error = {0};
    const struct program *program;
    struct pass_report report[PASS_MAX];
    struct builder builder;
    memset(run, 0, sizeof *run);
    run->provider.def = provider_find("cpu");
    assert_int_equal(run->provider.def->open(&(struct provider_options){.n_threads = 1}, &run->provider, NULL), HOB_OK);
    assert_int_equal(graph_new(NULL, &run->graph, NULL), HOB_OK);
    assert_int_equal(graph_add_opset(run->graph, "", 17, NULL), HOB_OK);
    builder_init(&builder, run->graph);
    build(&builder);
    struct pass_options options = {.kernels = run->provider.kernels, .disabled = disabled};
    if (builder_finish(&builder, &error) != HOB_OK || passes_run(run->graph, &options, report, &error) != HOB_OK ||
        program_new(run->graph, &program, &error) != HOB_OK ||
        executor_new(program, &run->provider, 0, &run->executor, &error) != HOB_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; *disabled == 0 && i < passes_count(); i++)
        if (!strcmp(report[i].pass->name, pass)) run->n_changes = report[i].n_changes;
}

/* Runs with random inputs (integers: 0 and 1), symbolic dims as given in order. */
static void execute(struct case_run *run, const int64_t *symbolic, float *memory)
{
    hob_error error = {0};
    for (uint32_t i = 0; i < run->graph->n_inputs; i++) {
        const struct value *input = &run->graph->values[run->graph->inputs[i]];
        struct tensor tensor;
        int64_t dims[TENSOR_MAX_RANK];
        for (int d = 0; d < input->rank; d++) dims[d] = input->dims[d] == DIM_UNKNOWN ? *symbolic++ : input->dims[d];
        assert_int_equal(tensor_init(&tensor, input->dtype, input->rank, dims, memory, NULL), HOB_OK);
        assert_true(tensor_n_bytes(&tensor) <= MAX_ITEMS * sizeof *memory);
        if (input->dtype == DTYPE_F32) fill(memory, tensor_n_items(&tensor), i + 1);
        else for (int64_t k = 0; k < tensor_n_items(&tensor); k++) ((int64_t *)tensor.data)[k] = k % 2;
        memory += MAX_ITEMS;
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

static void compare(const struct case_run *plain, const struct case_run *fused)
{
    static float a[MAX_ITEMS], b[MAX_ITEMS];
    for (uint32_t i = 0; i < plain->graph->n_outputs; i++) {
        const struct tensor *x = executor_output(plain->executor, i), *y = executor_output(fused->executor, i);
        assert_true(tensor_same_shape(x, y) && tensor_n_items(x) <= MAX_ITEMS);
        tensor_copy_contiguous(x, a);
        tensor_copy_contiguous(y, b);
        for (int64_t k = 0; k < tensor_n_items(x); k++)
            if (!(fabsf(a[k] - b[k]) <= 2e-6f + 1e-5f * fabsf(a[k])))
                fail_msg("output %u item %ld: found %.9g, expected %.9g", i, (long)k, (double)b[k], (double)a[k]);
    }
}

/* n_changes: how often the pass must fire. */
static void check(build_function *build, const char *pass, uint32_t n_changes, const int64_t *symbolic)
{
    static _Alignas(64) float memory[8 * MAX_ITEMS];
    struct case_run plain, fused;
    compile(&plain, build, pass, "all");
    compile(&fused, build, pass, "");
    execute(&plain, symbolic, memory);
    execute(&fused, symbolic, memory);
    if (fused.n_changes != n_changes) fail_msg("%s on %s: fired %u times, expected %u", pass, fused.graph->output_names[0], fused.n_changes, n_changes);
    compare(&plain, &fused);
    finish(&plain);
    finish(&fused);
}

/* ---- writing graphs ---- */

#define OP1(op, x) builder_op(b, op, (uint32_t[]){x}, 1, NULL, 0)
#define OP2(op, x, y) builder_op(b, op, (uint32_t[]){x, y}, 2, NULL, 0)
#define NUMBER(number) builder_float(b, (number))
static const int64_t rows[] = {1, 5, 1, 5, 1, 5}, batches[] = {3, 5, 3, 5};

static uint32_t input(struct builder *b, const char *name, int64_t width)
{
    return builder_input(b, name, DTYPE_F32, 3, (int64_t[]){DIM_UNKNOWN, DIM_UNKNOWN, width}, NULL);
}

static uint32_t constant(struct builder *b, int rank, const int64_t *dims, uint64_t seed)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, rank, dims, NULL, NULL), HOB_OK);
    tensor.data = arena_alloc(&b->graph->arena, tensor_n_bytes(&tensor), 64);
    fill(tensor.data, tensor_n_items(&tensor), seed);
    return builder_constant(b, "", &tensor);
}

static uint32_t vector(struct builder *b, int64_t n, uint64_t seed)
{
    return constant(b, 1, &n, seed);
}

/* ---- moves ---- */

static uint32_t transpose(struct builder *b, uint32_t x, const int64_t *order, size_t n_axes)
{
    struct attribute perm = attribute_ints("perm", order, n_axes);
    return builder_op(b, "Transpose", &x, 1, &perm, 1);
}

static uint32_t cast(struct builder *b, uint32_t x, enum dtype to)
{
    struct attribute attribute = attribute_int("to", to);
    return builder_op(b, "Cast", &x, 1, &attribute, 1);
}

static void build_moves(struct builder *b)
{
    uint32_t x = input(b, "x", 24), axes = builder_ints(b, (int64_t[]){1, 3}, 2);
    uint32_t turned = transpose(b, x, (int64_t[]){1, 2, 0}, 3);
    builder_output(b, "turned twice", OP1("Neg", transpose(b, turned, (int64_t[]){1, 0, 2}, 3)));
    builder_output(b, "turned back", OP1("Neg", transpose(b, turned, (int64_t[]){2, 0, 1}, 3)));
    builder_output(b, "not turned", OP1("Neg", transpose(b, x, (int64_t[]){0, 1, 2}, 3)));
    uint32_t flat = OP2("Reshape", x, builder_ints(b, (int64_t[]){-1}, 1));
    builder_output(b, "reshaped twice", OP1("Neg", OP2("Reshape", flat, builder_ints(b, (int64_t[]){4, -1, 3}, 3))));
    builder_output(b, "unsqueezed and back", OP1("Neg", OP2("Squeeze", OP2("Unsqueeze", x, axes), axes)));
    builder_output(b, "widened and back", OP1("Neg", cast(b, cast(b, x, DTYPE_F64), DTYPE_F32)));
    struct attribute axis = attribute_int("axis", 0);
    builder_output(b, "alone", OP1("Neg", builder_op(b, "Concat", &x, 1, &axis, 1)));
    uint32_t narrow = builder_input(b, "narrow", DTYPE_F32, 3, (int64_t[]){1, 1, 24}, NULL);
    uint32_t drop = OP2("Expand", OP2("Greater", narrow, NUMBER(0)), OP1("Shape", x));
    builder_output(b, "expanded", builder_op(b, "Where", (uint32_t[]){drop, NUMBER(2), x}, 3, NULL, 0));
    builder_output(b, "times one", OP1("Neg", OP2("Div", OP2("Mul", NUMBER(1), x), NUMBER(1))));
}

/* A 0 in the shape copies the dim of what is reshaped; a narrower type loses; a number may be the numerator. */
static void build_kept_moves(struct builder *b)
{
    uint32_t x = input(b, "x", 24), flat = OP2("Reshape", x, builder_ints(b, (int64_t[]){-1, 12}, 2));
    builder_output(b, "copied dim", OP1("Neg", OP2("Reshape", flat, builder_ints(b, (int64_t[]){0, 3, 4}, 3))));
    builder_output(b, "narrowed", OP1("Neg", cast(b, cast(b, x, DTYPE_F16), DTYPE_F32)));
    builder_output(b, "inverse", OP2("Div", NUMBER(1), x));
    uint32_t half = cast(b, OP1("Abs", x), DTYPE_F16); /* cut as f32, rounded as f16 */
    builder_output(b, "cut", OP1("Neg", cast(b, cast(b, cast(b, half, DTYPE_F32), DTYPE_BF16), DTYPE_F32)));
}

static void test_moves(void **state)
{
    (void)state;
    check(build_moves, "simplify_moves", 10, batches);
    check(build_kept_moves, "simplify_moves", 0, batches);
}

/* ---- activations ---- */

static void build_gelus(struct builder *b)
{
    uint32_t x = input(b, "x", 24);
    uint32_t gate = OP2("Add", OP1("Erf", OP2("Div", x, NUMBER(1.41421354f))), NUMBER(1));
    builder_output(b, "torch", OP2("Mul", OP2("Mul", x, gate), NUMBER(0.5f)));
    builder_output(b, "half first", OP2("Mul", OP2("Mul", NUMBER(0.5f), x), OP2("Add", NUMBER(1), OP1("Erf", OP2("Mul", x, NUMBER(0.70710677f))))));
    builder_output(b, "gate halved", OP2("Mul", x, OP2("Mul", gate, NUMBER(0.5f))));
}

static void build_tanh_gelus(struct builder *b)
{
    uint32_t x = input(b, "x", 24), half = OP2("Mul", x, NUMBER(0.5f));
    uint32_t cube = OP2("Mul", NUMBER(0.044715f), OP2("Pow", x, NUMBER(3)));
    uint32_t argument = OP2("Mul", NUMBER(0.797884583f), OP2("Add", x, cube));
    builder_output(b, "pow", OP2("Mul", half, OP2("Add", OP1("Tanh", argument), NUMBER(1))));
    cube = OP2("Mul", OP2("Mul", OP2("Mul", x, x), x), NUMBER(0.044715f));
    argument = OP2("Mul", OP2("Add", x, cube), NUMBER(0.797884583f));
    builder_output(b, "products", OP2("Mul", half, OP2("Add", NUMBER(1), OP1("Tanh", argument))));
    uint32_t square = OP2("Mul", OP2("Mul", NUMBER(0.044715f), x), x);
    argument = OP2("Mul", OP2("Mul", x, NUMBER(0.797884583f)), OP2("Add", NUMBER(1), square));
    builder_output(b, "square", OP2("Mul", half, OP2("Add", NUMBER(1), OP1("Tanh", argument))));
}

/* Nearly a Gelu: the constants are those of something else. */
static void build_no_gelus(struct builder *b)
{
    uint32_t x = input(b, "x", 24), y = input(b, "y", 24);
    uint32_t gate = OP2("Add", OP1("Erf", OP2("Div", x, NUMBER(1.5f))), NUMBER(1));
    builder_output(b, "scale", OP2("Mul", OP2("Mul", x, gate), NUMBER(0.5f)));
    gate = OP2("Add", OP1("Erf", OP2("Div", x, NUMBER(1.41421354f))), NUMBER(1));
    builder_output(b, "other", OP2("Mul", OP2("Mul", y, gate), NUMBER(0.5f)));
    builder_output(b, "double", OP2("Mul", OP2("Mul", x, gate), NUMBER(2)));
}

/* The numbers have more axes than x, and so has the result; or up's batch is 1 only in the sample. */
static void build_raised_activations(struct builder *b)
{
    static const int64_t ones[] = {1, 1, 1, 1};
    uint32_t x = input(b, "x", 24), one = constant(b, 4, ones, 1), row = builder_input(b, "row", DTYPE_F32, 1, (int64_t[]){24}, NULL);
    *(float *)b->graph->values[one].constant->data = 1;
    uint32_t gate = OP2("Add", OP1("Erf", OP2("Div", x, NUMBER(1.41421354f))), one);
    builder_output(b, "gelu", OP2("Mul", OP2("Mul", x, gate), NUMBER(0.5f)));
    builder_output(b, "silu", OP2("Mul", x, OP1("Sigmoid", OP2("Mul", x, constant(b, 4, ones, 2)))));
    uint32_t number = builder_input(b, "number", DTYPE_F32, 0, NULL, NULL), two = constant(b, 1, ones, 3);
    builder_output(b, "scalar", OP2("Mul", number, OP1("Sigmoid", OP2("Mul", number, two))));
    builder_output(b, "row", OP2("Mul", OP2("Mul", row, OP1("Sigmoid", OP2("Mul", constant(b, 2, ones, 4), row))), x));
}

/* The SiLU itself may be fused; the product with what it is broadcast to may not. */
static void build_broadcast_gate(struct builder *b)
{
    uint32_t gate = builder_input(b, "gate", DTYPE_F32, 3, (int64_t[]){1, DIM_UNKNOWN, 24}, NULL), up = input(b, "up", 24);
    builder_output(b, "y", OP2("Mul", OP2("Mul", gate, OP1("Sigmoid", gate)), up));
}

static void build_sigmoids(struct builder *b)
{
    uint32_t gate = input(b, "gate", 24), up = input(b, "up", 24);
    builder_output(b, "quick", OP2("Mul", OP1("Sigmoid", OP2("Mul", gate, NUMBER(1.702f))), gate));
    builder_output(b, "silu", OP2("Mul", up, OP1("Sigmoid", up)));
    builder_output(b, "swiglu", OP2("Mul", OP2("Mul", gate, OP1("Sigmoid", gate)), up));
}

static void test_activations(void **state)
{
    (void)state;
    check(build_gelus, "fuse_activation", 3, rows);
    check(build_tanh_gelus, "fuse_activation", 3, rows);
    check(build_no_gelus, "fuse_activation", 0, rows);
    check(build_sigmoids, "fuse_activation", 3, rows);
    check(build_raised_activations, "fuse_activation", 0, batches);
    check(build_broadcast_gate, "fuse_activation", 1, (int64_t[]){5, 3, 5});
}

/* ---- norms of sums ---- */

static void build_skip_norms(struct builder *b)
{
    uint32_t x = input(b, "x", 24), y = input(b, "y", 24), sum = OP2("Add", x, y);
    uint32_t normed = builder_op(b, "LayerNormalization", (uint32_t[]){sum, vector(b, 24, 9), vector(b, 24, 8)}, 3, NULL, 0);
    uint32_t next = OP2("Add", sum, normed); /* reads the first sum as well */
    builder_output(b, "rms", OP2("hob.RMSNorm", next, vector(b, 24, 7)));
}

static uint32_t norm_sum(struct builder *b, uint32_t x, uint32_t y, int64_t n_weights)
{
    uint32_t inputs[] = {OP2("Add", x, y), vector(b, n_weights, 9), vector(b, n_weights, 8)};
    return builder_op(b, "LayerNormalization", inputs, 3, NULL, 0);
}

static void build_broadcast_norm(struct builder *b)
{
    uint32_t table = builder_input(b, "table", DTYPE_F32, 3, (int64_t[]){1, DIM_UNKNOWN, 24}, NULL);
    builder_output(b, "y", norm_sum(b, table, input(b, "x", 24), 24));
}

/* The first sample has 13 positions, too; and one weight for all items of a row. */
static void build_other_norms(struct builder *b)
{
    uint32_t x = input(b, "x", 24);
    builder_output(b, "table", norm_sum(b, constant(b, 3, (int64_t[]){1, 13, 24}, 5), x, 24));
    builder_output(b, "one weight", norm_sum(b, x, OP1("Neg", x), 1));
}

static uint32_t ids_input(struct builder *b, const char *name)
{
    return builder_input(b, name, DTYPE_I64, 2, (int64_t[]){DIM_UNKNOWN, DIM_UNKNOWN}, NULL);
}

static uint32_t embed(struct builder *b, int64_t n_rows, uint32_t ids, uint64_t seed)
{
    return OP2("Gather", constant(b, 2, (int64_t[]){n_rows, 24}, seed), ids);
}

static void build_embeddings(struct builder *b)
{
    uint32_t ids = ids_input(b, "ids"), segments = ids_input(b, "segments"), table = builder_ints(b, (int64_t[]){0, 1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1, 0}, 14);
    uint32_t counted = OP2("Reshape", table, builder_ints(b, (int64_t[]){1, 14}, 2));
    uint32_t ends = builder_op(b, "Slice", (uint32_t[]){OP1("Shape", ids), builder_ints(b, (int64_t[]){1}, 1), builder_ints(b, (int64_t[]){2}, 1)}, 3, NULL, 0);
    uint32_t cut[] = {counted, builder_ints(b, (int64_t[]){0}, 1), ends, builder_ints(b, (int64_t[]){1}, 1)};
    uint32_t positions = embed(b, 7, builder_op(b, "Slice", cut, 4, NULL, 0), 1);
    uint32_t sum = OP2("Add", OP2("Add", embed(b, 9, ids, 2), embed(b, 2, segments, 3)), positions);
    builder_output(b, "y", builder_op(b, "LayerNormalization", (uint32_t[]){sum, vector(b, 24, 9), vector(b, 24, 8)}, 3, NULL, 0));
    sum = OP2("Add", embed(b, 9, ids, 4), embed(b, 7, OP2("Add", ids, segments), 5));
    builder_output(b, "with the sum", OP2("Add", sum, builder_op(b, "LayerNormalization", (uint32_t[]){sum, vector(b, 24, 9), vector(b, 24, 8)}, 3, NULL, 0)));
}

/* Ids that count from the end, as Gather takes them. */
static void build_negative_embeddings(struct builder *b)
{
    uint32_t ids = ids_input(b, "ids"), less = OP2("Sub", ids, builder_ints(b, (int64_t[]){2}, 1));
    builder_output(b, "y", norm_sum(b, embed(b, 9, ids, 4), embed(b, 7, less, 5), 24));
}

/* Segments of the whole batch at once, tables of one column: EmbedLayerNormalization broadcasts neither. */
static void build_broadcast_embeddings(struct builder *b)
{
    uint32_t ids = ids_input(b, "ids"), segments = builder_input(b, "segments", DTYPE_I64, 2, (int64_t[]){1, DIM_UNKNOWN}, NULL);
    uint32_t sum = OP2("Add", OP2("Add", embed(b, 9, ids, 2), embed(b, 2, segments, 3)), embed(b, 7, OP2("Add", ids, ids), 1));
    builder_output(b, "y", builder_op(b, "LayerNormalization", (uint32_t[]){sum, vector(b, 24, 9), vector(b, 24, 8)}, 3, NULL, 0));
    uint32_t column = OP2("Gather", constant(b, 2, (int64_t[]){7, 1}, 4), OP2("Add", ids, ids));
    sum = OP2("Add", OP2("Add", embed(b, 9, ids, 2), column), embed(b, 9, ids, 5));
    builder_output(b, "z", builder_op(b, "LayerNormalization", (uint32_t[]){sum, vector(b, 24, 9), vector(b, 24, 8)}, 3, NULL, 0));
}

static void test_embeddings(void **state)
{
    (void)state;
    check(build_negative_embeddings, "fuse_embed_norm", 1, (int64_t[]){3, 5});
    check(build_broadcast_embeddings, "fuse_embed_norm", 0, (int64_t[]){3, 5, 5});
    check(build_embeddings, "fuse_embed_norm", 2, (int64_t[]){3, 5, 3, 5});
}

static void test_skip_norms(void **state)
{
    (void)state;
    check(build_skip_norms, "fuse_skip_norm", 2, rows);
    check(build_broadcast_norm, "fuse_skip_norm", 1, (int64_t[]){5, 3, 5}); /* the sample's batch of 1 must not mislead it */
    check(build_other_norms, "fuse_skip_norm", 0, (int64_t[]){3, 1});
}

/* ---- products of one input ---- */

static uint32_t project(struct builder *b, uint32_t x, int64_t width, uint64_t seed, bool has_bias)
{
    uint32_t y = OP2("MatMul", x, constant(b, 2, (int64_t[]){24, width}, seed));
    return has_bias ? OP2("Add", y, vector(b, width, seed + 1)) : y;
}

static void build_projections(struct builder *b)
{
    uint32_t x = input(b, "x", 24);
    uint32_t q = project(b, x, 32, 1, true), k = project(b, x, 16, 3, true), v = project(b, x, 20, 5, true);
    builder_output(b, "product", OP2("Mul", builder_op(b, "Tanh", &k, 1, NULL, 0), builder_op(b, "Neg", &k, 1, NULL, 0)));
    builder_output(b, "q", OP1("Neg", q));
    builder_output(b, "v", OP1("Neg", v));
}

/* Of 20 and 16 columns, with and without a bias: no two of them make whole panels together in that order. */
static void build_unmergeable(struct builder *b)
{
    uint32_t x = input(b, "x", 24);
    builder_output(b, "first", OP1("Neg", project(b, x, 20, 1, true)));
    builder_output(b, "second", OP1("Neg", project(b, x, 16, 3, true)));
    builder_output(b, "third", OP1("Neg", project(b, x, 32, 5, false)));
}

static void build_activated(struct builder *b)
{
    uint32_t x = input(b, "x", 24), y = project(b, x, 20, 1, true), z = project(b, x, 40, 3, false), shown = project(b, x, 4, 5, true);
    uint32_t gate = OP2("Add", OP1("Erf", OP2("Div", y, NUMBER(1.41421354f))), NUMBER(1));
    builder_output(b, "gelu", OP1("Neg", OP2("Mul", OP2("Mul", y, gate), NUMBER(0.5f))));
    builder_output(b, "silu", OP1("Neg", OP2("Mul", z, OP1("Sigmoid", z))));
    builder_output(b, "relu", OP1("Relu", shown));
    builder_output(b, "shown", shown); /* so its Relu stays apart */
}

static void test_activated_products(void **state)
{
    (void)state;
    check(build_activated, "finish_linear", 2, batches);
}

static void test_merged_products(void **state)
{
    (void)state;
    check(build_projections, "merge_linear", 3, batches);
    check(build_unmergeable, "merge_linear", 0, batches);
}

/* ---- dynamic quantisation ---- */

static uint32_t bytes_constant(struct builder *b, int rank, const int64_t *dims, uint64_t seed)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, DTYPE_I8, rank, dims, NULL, NULL), HOB_OK);
    tensor.data = arena_alloc(&b->graph->arena, tensor_n_bytes(&tensor), 64);
    for (int64_t i = 0; i < tensor_n_items(&tensor); i++) ((int8_t *)tensor.data)[i] = (int8_t)(seed = seed * 75 + 74);
    return builder_constant(b, "", &tensor);
}

static uint32_t multiply_quantised(struct builder *b, const uint32_t *x, int64_t width, uint64_t seed, bool has_bias)
{
    uint32_t inputs[] = {x[0], bytes_constant(b, 2, (int64_t[]){24, width}, seed), x[2], bytes_constant(b, 1, &width, seed + 1)};
    uint32_t sums = cast(b, builder_op(b, "MatMulInteger", inputs, 4, NULL, 0), DTYPE_F32);
    uint32_t y = OP2("Mul", sums, OP2("Mul", x[1], vector(b, width, seed)));
    return has_bias ? OP2("Add", vector(b, width, seed + 2), y) : y;
}

static void build_quantised(struct builder *b)
{
    uint32_t x = input(b, "x", 24), z = input(b, "z", 24), quantised[3];
    builder_op_n(b, "DynamicQuantizeLinear", &x, 1, NULL, 0, 3, quantised);
    builder_output(b, "one", multiply_quantised(b, quantised, 20, 1, true));
    builder_output(b, "another", multiply_quantised(b, quantised, 16, 5, false));
    builder_op_n(b, "DynamicQuantizeLinear", &z, 1, NULL, 0, 3, quantised);
    builder_output(b, "alone", multiply_quantised(b, quantised, 8, 9, true));
}

static void test_dynamic_quantisation(void **state)
{
    (void)state;
    check(build_quantised, "fuse_dynamic_quant", 3, batches);
}

/* ---- rotary embedding ---- */

static uint32_t slice(struct builder *b, uint32_t x, int64_t begin, int64_t end)
{
    uint32_t inputs[] = {x, builder_ints(b, &begin, 1), builder_ints(b, &end, 1), builder_ints(b, (int64_t[]){3}, 1), builder_ints(b, (int64_t[]){1}, 1)};
    return builder_op(b, "Slice", inputs, 5, NULL, 0);
}

static uint32_t concat(struct builder *b, uint32_t first, uint32_t second)
{
    struct attribute axis = attribute_int("axis", -1);
    return builder_op(b, "Concat", (uint32_t[]){first, second}, 2, &axis, 1);
}

static void build_rope(struct builder *b)
{
    uint32_t x = builder_input(b, "x", DTYPE_F32, 4, (int64_t[]){DIM_UNKNOWN, 4, DIM_UNKNOWN, 16}, NULL);
    uint32_t cos = builder_input(b, "cos", DTYPE_F32, 4, (int64_t[]){1, 1, DIM_UNKNOWN, 16}, NULL);
    uint32_t sin = builder_input(b, "sin", DTYPE_F32, 4, (int64_t[]){1, 1, DIM_UNKNOWN, 16}, NULL);
    uint32_t turned = concat(b, OP1("Neg", slice(b, x, 8, INT64_MAX)), slice(b, x, 0, 8));
    builder_output(b, "slices", OP2("Add", OP2("Mul", x, cos), OP2("Mul", turned, sin)));
    struct attribute axis = attribute_int("axis", 3);
    uint32_t halves[2];
    builder_op_n(b, "Split", &x, 1, &axis, 1, 2, halves);
    turned = concat(b, OP1("Neg", halves[1]), halves[0]);
    builder_output(b, "split", OP2("Add", OP2("Mul", sin, turned), OP2("Mul", cos, x)));
    turned = concat(b, OP1("Neg", halves[0]), halves[1]);
    builder_output(b, "the wrong halves", OP2("Add", OP2("Mul", sin, turned), OP2("Mul", cos, x)));
}

static void test_rope(void **state)
{
    (void)state;
    check(build_rope, "fuse_rope", 2, (int64_t[]){2, 5, 5, 5});
}

/* ---- attention ---- */

enum { HEADS = 4, WIDTH = 8 };

static uint32_t heads_input(struct builder *b, const char *name, int64_t n_heads)
{
    return builder_input(b, name, DTYPE_F32, 4, (int64_t[]){DIM_UNKNOWN, n_heads, DIM_UNKNOWN, WIDTH}, NULL);
}

static uint32_t softmax(struct builder *b, uint32_t x)
{
    struct attribute axis = attribute_int("axis", -1);
    return builder_op(b, "Softmax", &x, 1, &axis, 1);
}

static uint32_t is_positive(struct builder *b, uint32_t x)
{
    return OP2("Greater", x, NUMBER(0));
}

/* q and k scaled apart, -inf where the mask says no, and a guard for rows that see nothing. */
static void build_torch2_attention(struct builder *b)
{
    uint32_t q = heads_input(b, "q", HEADS), k = heads_input(b, "k", HEADS), v = heads_input(b, "v", HEADS);
    uint32_t mask = builder_input(b, "mask", DTYPE_F32, 4, (int64_t[]){DIM_UNKNOWN, 1, DIM_UNKNOWN, DIM_UNKNOWN}, NULL);
    uint32_t added = builder_op(b, "Where", (uint32_t[]){is_positive(b, mask), NUMBER(0), NUMBER(-INFINITY)}, 3, NULL, 0);
    uint32_t kt = OP2("Mul", transpose(b, k, (int64_t[]){0, 1, 3, 2}, 4), NUMBER(0.6f));
    uint32_t weights = softmax(b, OP2("Add", OP2("MatMul", OP2("Mul", q, NUMBER(0.6f)), kt), added));
    uint32_t guarded = builder_op(b, "Where", (uint32_t[]){OP1("IsNaN", weights), NUMBER(0), weights}, 3, NULL, 0);
    builder_output(b, "guarded", OP2("MatMul", guarded, v));
}

/* masked_fill: the low number stands first; k comes as [B,S,H,K]. */
static void build_filled_attention(struct builder *b)
{
    uint32_t q = heads_input(b, "q", HEADS), v = heads_input(b, "v", HEADS);
    uint32_t k = builder_input(b, "k", DTYPE_F32, 4, (int64_t[]){DIM_UNKNOWN, DIM_UNKNOWN, HEADS, WIDTH}, NULL);
    uint32_t mask = builder_input(b, "mask", DTYPE_F32, 4, (int64_t[]){DIM_UNKNOWN, 1, 1, DIM_UNKNOWN}, NULL);
    uint32_t scores = OP2("Div", OP2("MatMul", q, transpose(b, k, (int64_t[]){0, 2, 3, 1}, 4)), NUMBER(2));
    scores = builder_op(b, "Where", (uint32_t[]){is_positive(b, mask), NUMBER(-3.4e38f), scores}, 3, NULL, 0);
    builder_output(b, "y", OP2("MatMul", softmax(b, scores), v));
}

/* Heads and batch in one axis; the scores are shown with heads while the mask is added. */
static void build_flat_attention(struct builder *b)
{
    uint32_t flat = builder_ints(b, (int64_t[]){-1, 5, WIDTH}, 3), shown = builder_ints(b, (int64_t[]){2, HEADS, 5, 5}, 4);
    static const int64_t dims[] = {2, HEADS, 5, WIDTH};
    uint32_t q = OP2("Reshape", builder_input(b, "q", DTYPE_F32, 4, dims, NULL), flat);
    uint32_t k = OP2("Reshape", builder_input(b, "k", DTYPE_F32, 4, dims, NULL), flat);
    uint32_t v = OP2("Reshape", builder_input(b, "v", DTYPE_F32, 4, dims, NULL), flat);
    uint32_t mask = builder_input(b, "mask", DTYPE_F32, 4, (int64_t[]){2, 1, 5, 5}, NULL);
    uint32_t scores = OP2("MatMul", q, transpose(b, k, (int64_t[]){0, 2, 1}, 3));
    scores = OP2("Add", OP2("Reshape", scores, shown), mask);
    scores = OP2("Reshape", scores, builder_ints(b, (int64_t[]){-1, 5, 5}, 3));
    builder_output(b, "y", OP2("MatMul", softmax(b, scores), v));
}

static void build_plain_flat_attention(struct builder *b)
{
    uint32_t q = input(b, "q", WIDTH), k = input(b, "k", WIDTH), v = input(b, "v", WIDTH);
    uint32_t mask = builder_input(b, "mask", DTYPE_F32, 3, (int64_t[]){DIM_UNKNOWN, DIM_UNKNOWN, DIM_UNKNOWN}, NULL);
    uint32_t scores = OP2("Add", OP2("MatMul", q, transpose(b, k, (int64_t[]){0, 2, 1}, 3)), mask);
    builder_output(b, "y", OP2("MatMul", softmax(b, scores), v));
}

static uint32_t repeat_heads(struct builder *b, uint32_t x, int64_t n_heads)
{
    uint32_t apart = builder_op(b, "Unsqueeze", (uint32_t[]){x, builder_ints(b, (int64_t[]){2}, 1)}, 2, NULL, 0);
    uint32_t expanded = OP2("Expand", apart, builder_ints(b, (int64_t[]){2, n_heads, HEADS / n_heads, 5, WIDTH}, 5));
    return OP2("Reshape", expanded, builder_ints(b, (int64_t[]){2, HEADS, 5, WIDTH}, 4));
}

/* Both repeated; and v alone, where reading k as it is would leave them with different heads. */
static void build_grouped_attention(struct builder *b)
{
    uint32_t q = builder_input(b, "q", DTYPE_F32, 4, (int64_t[]){2, HEADS, 5, WIDTH}, NULL);
    uint32_t k = builder_input(b, "k", DTYPE_F32, 4, (int64_t[]){2, 2, 5, WIDTH}, NULL);
    uint32_t v = builder_input(b, "v", DTYPE_F32, 4, (int64_t[]){2, 2, 5, WIDTH}, NULL), many = repeat_heads(b, v, 2);
    uint32_t weights = softmax(b, OP2("MatMul", q, transpose(b, repeat_heads(b, k, 2), (int64_t[]){0, 1, 3, 2}, 4)));
    builder_output(b, "grouped", OP2("MatMul", weights, many));
    weights = softmax(b, OP2("MatMul", q, transpose(b, q, (int64_t[]){0, 1, 3, 2}, 4)));
    builder_output(b, "v alone", OP2("MatMul", weights, many));
}

/* Each is broadcast by a product of matrices: queries for all of the batch, a mask of more heads than the queries have, one
 * head of values. And a scale of 0, which hob.Attention would take for none. */
static void build_broadcast_attention(struct builder *b)
{
    uint32_t k = heads_input(b, "k", HEADS), v = heads_input(b, "v", HEADS), kt = transpose(b, k, (int64_t[]){0, 1, 3, 2}, 4);
    uint32_t asked = constant(b, 4, (int64_t[]){1, HEADS, 3, WIDTH}, 31);
    builder_output(b, "learned queries", OP2("MatMul", softmax(b, OP2("MatMul", asked, kt)), v));
    uint32_t one = heads_input(b, "one", 1), turned = transpose(b, one, (int64_t[]){0, 1, 3, 2}, 4);
    uint32_t mask = builder_input(b, "mask", DTYPE_F32, 4, (int64_t[]){1, 3, 1, 1}, NULL);
    builder_output(b, "heads of the mask", OP2("MatMul", softmax(b, OP2("Add", OP2("MatMul", one, turned), mask)), one));
    builder_output(b, "no scale", OP2("MatMul", softmax(b, OP2("Mul", OP2("MatMul", k, kt), NUMBER(0))), v));
}

/* Nothing but the rank is known, so no width of the sample may be written into the graph. */
static void build_open_attention(struct builder *b)
{
    static const int64_t open[] = {DIM_UNKNOWN, DIM_UNKNOWN, DIM_UNKNOWN};
    uint32_t q = builder_input(b, "q", DTYPE_F32, 3, open, NULL), k = builder_input(b, "k", DTYPE_F32, 3, open, NULL);
    uint32_t v = builder_input(b, "v", DTYPE_F32, 3, open, NULL);
    builder_output(b, "y", OP2("MatMul", softmax(b, OP2("MatMul", q, transpose(b, k, (int64_t[]){0, 2, 1}, 3))), v));
}

/* Somebody wants the weights themselves. */
static void build_shown_attention(struct builder *b)
{
    uint32_t q = heads_input(b, "q", HEADS), k = heads_input(b, "k", HEADS), v = heads_input(b, "v", HEADS);
    uint32_t weights = softmax(b, OP2("MatMul", q, transpose(b, k, (int64_t[]){0, 1, 3, 2}, 4)));
    builder_output(b, "y", OP2("MatMul", weights, v));
    builder_output(b, "weights", weights);
}

static void test_attention(void **state)
{
    (void)state;
    check(build_torch2_attention, "fuse_attention", 1, (int64_t[]){2, 3, 2, 5, 2, 5, 2, 3, 5});
    check(build_filled_attention, "fuse_attention", 1, (int64_t[]){2, 3, 2, 5, 2, 5, 2, 5});
    check(build_flat_attention, "fuse_attention", 1, NULL);
    check(build_plain_flat_attention, "fuse_attention", 1, (int64_t[]){6, 3, 6, 5, 6, 5, 6, 3, 5});
    check(build_grouped_attention, "fuse_attention", 2, NULL);
    check(build_broadcast_attention, "fuse_attention", 0, (int64_t[]){2, 5, 2, 5, 2, 4});
    check(build_open_attention, "fuse_attention", 1, (int64_t[]){6, 3, 8, 6, 5, 8, 6, 5, 10});
    check(build_shown_attention, "fuse_attention", 0, (int64_t[]){2, 3, 2, 5, 2, 5});
}

/* ---- convolutions ---- */

enum { CHANNELS = 6, SIDE = 7 };

static uint32_t image(struct builder *b, const char *name, int64_t n_channels)
{
    return builder_input(b, name, DTYPE_F32, 4, (int64_t[]){2, n_channels, SIDE, SIDE}, NULL);
}

/* Positive, as variances are. */
static uint32_t positive(struct builder *b, int64_t n, uint64_t seed)
{
    uint32_t value = vector(b, n, seed);
    float *items = b->graph->values[value].constant->data;
    for (int64_t i = 0; i < n; i++) items[i] = fabsf(items[i]) + 0.5f;
    return value;
}

/* 3x3, as large as its input. */
static uint32_t conv(struct builder *b, uint32_t x, int64_t n_channels, int64_t n_groups, bool has_bias)
{
    struct attribute attributes[] = {attribute_ints("pads", (int64_t[]){1, 1, 1, 1}, 4), attribute_int("group", n_groups)};
    uint32_t inputs[] = {x, constant(b, 4, (int64_t[]){CHANNELS, n_channels / n_groups, 3, 3}, 11), VALUE_NONE};
    if (has_bias) inputs[2] = vector(b, CHANNELS, 12);
    return builder_op(b, "Conv", inputs, has_bias ? 3 : 2, attributes, 2);
}

static uint32_t norm(struct builder *b, uint32_t x)
{
    uint32_t inputs[] = {x, vector(b, CHANNELS, 13), vector(b, CHANNELS, 14), vector(b, CHANNELS, 15), positive(b, CHANNELS, 16)};
    return builder_op(b, "BatchNormalization", inputs, 5, NULL, 0);
}

static uint32_t hard_swish(struct builder *b, uint32_t x, bool divides_first)
{
    uint32_t gate = builder_op(b, "Clip", (uint32_t[]){OP2("Add", x, NUMBER(3)), NUMBER(0), NUMBER(6)}, 3, NULL, 0);
    return divides_first ? OP2("Mul", OP2("Div", gate, NUMBER(6)), x) : OP2("Div", OP2("Mul", x, gate), NUMBER(6));
}

static void build_conv_norm_activation(struct builder *b)
{
    builder_output(b, "relu", OP1("Relu", norm(b, conv(b, image(b, "x", 4), 4, 1, true))));
    uint32_t silu = norm(b, conv(b, image(b, "x2", CHANNELS), CHANNELS, CHANNELS, false));
    builder_output(b, "silu", OP2("Mul", OP1("Sigmoid", silu), silu));
    builder_output(b, "swish", hard_swish(b, norm(b, conv(b, image(b, "x3", CHANNELS), CHANNELS, 2, false)), false));
    builder_output(b, "gated", hard_swish(b, conv(b, image(b, "x4", 4), 4, 1, true), true));
}

/* A constant a channel and numbers, on either side; then numbers behind the activation. */
static void build_conv_arithmetic(struct builder *b)
{
    static const int64_t per_channel[] = {CHANNELS, 1, 1};
    uint32_t y = OP2("Mul", constant(b, 3, per_channel, 21), conv(b, image(b, "x", 4), 4, 1, true));
    y = OP2("Sub", OP2("Add", y, constant(b, 3, per_channel, 22)), NUMBER(0.5f));
    y = OP2("Sub", NUMBER(0.25f), OP2("Div", y, NUMBER(-0.75f)));
    builder_output(b, "y", OP2("Add", OP2("Mul", OP1("Tanh", y), NUMBER(1.5f)), NUMBER(-0.125f)));
}

static void build_conv_residuals(struct builder *b)
{
    uint32_t x = image(b, "x", CHANNELS), y = OP1("Relu", OP2("Add", conv(b, x, CHANNELS, 1, true), x));
    uint32_t z = norm(b, conv(b, y, CHANNELS, CHANNELS, false));
    builder_output(b, "z", OP2("Add", y, OP2("Mul", z, OP1("Sigmoid", z))));
}

/* What must stay: an intermediate that is an output, a row of another shape, a value that something else reads. */
static void build_conv_left_alone(struct builder *b)
{
    uint32_t x = image(b, "x", CHANNELS), shown = conv(b, x, CHANNELS, 1, true);
    builder_output(b, "shown", shown);
    builder_output(b, "relu", OP1("Relu", shown));
    builder_output(b, "row", OP2("Add", conv(b, x, CHANNELS, 2, true), builder_input(b, "row", DTYPE_F32, 1, (int64_t[]){SIDE}, NULL)));
    builder_output(b, "columns", OP2("Mul", conv(b, x, CHANNELS, 3, true), constant(b, 1, (int64_t[]){SIDE}, 23)));
    uint32_t twice = conv(b, x, CHANNELS, 6, true);
    builder_output(b, "twice", OP2("Add", OP1("Tanh", twice), OP1("Abs", twice)));
}

/* A residual that is the same for all of the batch; the sample's batch is 1. */
static void build_conv_broadcast(struct builder *b)
{
    uint32_t x = builder_input(b, "x", DTYPE_F32, 4, (int64_t[]){DIM_UNKNOWN, CHANNELS, SIDE, SIDE}, NULL);
    uint32_t all = constant(b, 4, (int64_t[]){1, CHANNELS, SIDE, SIDE}, 26);
    builder_output(b, "y", OP2("Add", conv(b, x, CHANNELS, 1, true), all));
}

static void build_conv_transpose(struct builder *b)
{
    struct attribute attributes[] = {attribute_ints("strides", (int64_t[]){2, 2}, 2), attribute_int("group", 2)};
    uint32_t inputs[] = {image(b, "x", 4), constant(b, 4, (int64_t[]){4, CHANNELS / 2, 3, 2}, 24)};
    uint32_t y = builder_op(b, "ConvTranspose", inputs, 2, attributes, 2);
    y = norm(b, OP2("Add", y, constant(b, 4, (int64_t[]){1, CHANNELS, 1, 1}, 25)));
    builder_output(b, "y", OP2("Mul", OP1("Relu", y), NUMBER(2)));
}

static void test_convolutions(void **state)
{
    (void)state;
    check(build_conv_norm_activation, "fuse_conv", 4, NULL);
    check(build_conv_arithmetic, "fuse_conv", 1, NULL);
    check(build_conv_residuals, "fuse_conv", 2, NULL);
    check(build_conv_left_alone, "fuse_conv", 0, NULL);
    check(build_conv_broadcast, "fuse_conv", 0, (int64_t[]){2});
    check(build_conv_transpose, "fuse_conv", 1, NULL);
}

/* A weight that f16 cannot hold is told instead of becoming infinite. */
static void test_halves_hold_no_more(void **state)
{
    (void)state;
    enum { N = 17, K = 3 };
    float items[N * K];
    _Alignas(PANEL_ALIGNMENT) uint16_t panels[2 * PANEL_COLUMNS * (K + 1)];
    struct panel_source source = {.data = items, .dtype = DTYPE_F32, .n = N, .k = K, .n_stride = K, .k_stride = 1};
    struct pass_options options = {0};
    hob_error error;
    fill(items, N * K, 1);
    items[N * K - 1] = 65504;
    assert_int_equal(packing_fill(&options, &source, DTYPE_F16, panels, &error), HOB_OK);
    items[N * K - 1] = -65520;
    assert_int_equal(packing_fill(&options, &source, DTYPE_BF16, panels, &error), HOB_OK);
    assert_int_equal(packing_fill(&options, &source, DTYPE_F16, panels, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "65504"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moves), cmocka_unit_test(test_activations), cmocka_unit_test(test_skip_norms), cmocka_unit_test(test_embeddings),
                                       cmocka_unit_test(test_merged_products), cmocka_unit_test(test_activated_products), cmocka_unit_test(test_dynamic_quantisation), cmocka_unit_test(test_rope), cmocka_unit_test(test_attention),
                                       cmocka_unit_test(test_convolutions), cmocka_unit_test(test_halves_hold_no_more)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
