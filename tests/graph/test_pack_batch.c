/* Encoders written in the ways of exports: the pass that packs batches fires where it should, texts laid end to end give what each
 * gives alone without the pass, the same bytes in any batch; and it leaves alone what mixes tokens in a way it has no proof for. */
#include "unit.h"

#include "base/error.h"
#include "formats/formats.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/io_role.h"
#include "graph/pass.h"
#include "kernels/kernels.h"
#include "providers/providers.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 24, HEADS = 3, HEAD = 8, WORDS = 30, PLACES = 16, N_TEXTS = 3, MAX_TOKENS = 32 };
static const int64_t lengths[N_TEXTS] = {5, 1, 9};

typedef void build_function(struct builder *b);

struct encoder {
    struct provider provider;
    struct graph *graph;
    struct executor *executor;
    uint32_t n_packed;
};

/* ---- making and running ---- */

static void compile(struct encoder *encoder, struct graph *graph, const char *disabled, size_t n_threads)
{
    hob_error error = {0};
    const struct program *program;
    struct pass_report report[PASS_MAX];
    *encoder = (struct encoder){.graph = graph, .provider.def = provider_find("cpu")};
    assert_int_equal(encoder->provider.def->open(&(struct provider_options){.n_threads = n_threads}, &encoder->provider, NULL), HOB_OK);
    struct pass_options options = {.kernels = encoder->provider.kernels, .disabled = disabled, .is_for_generation = true};
    if (passes_run(graph, &options, report, &error) != HOB_OK || program_new(graph, &program, &error) != HOB_OK ||
        executor_new(program, &encoder->provider, 0, &encoder->executor, &error) != HOB_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < passes_count(); i++)
        if (!strcmp(report[i].pass->name, "pack_batch")) encoder->n_packed = report[i].n_changes;
}

static struct graph *build(build_function *function)
{
    struct graph *graph;
    struct builder builder;
    hob_error error = {0};
    assert_int_equal(graph_new(NULL, &graph, NULL), HOB_OK);
    assert_int_equal(graph_add_opset(graph, "", 17, NULL), HOB_OK);
    builder_init(&builder, graph);
    function(&builder);
    if (builder_finish(&builder, &error) != HOB_OK) fail_msg("%s", error.message);
    return graph;
}

static void finish(struct encoder *encoder)
{
    executor_free(encoder->executor);
    encoder->provider.def->release(&encoder->provider);
    graph_free(encoder->graph);
}

static int64_t item_of(enum input_role role, size_t text, int64_t token)
{
    switch (role) {
    case INPUT_IDS: return (int64_t)(text * 11 + (size_t)token * 7 + 3) % (WORDS - 2) + 2; /* 1 is RoBERTa's padding */
    case INPUT_POSITIONS: return token;
    case INPUT_TOKEN_TYPES: return token % 2;
    default: return 1;
    }
}

/* Texts [first, last) end to end in one run; bytes of the outcome go to ret_items. Returns how many items there are. */
static int64_t run(const struct encoder *encoder, size_t first, size_t last, float *ret_items)
{
    static int64_t memory[8][MAX_TOKENS];
    hob_error error = {0};
    for (uint32_t i = 0; i < encoder->graph->n_inputs; i++) {
        const struct value *input = &encoder->graph->values[encoder->graph->inputs[i]];
        enum input_role role = input_role_find(input);
        int64_t n = 0, n_tokens = 0;
        for (size_t text = first; text < last; text++) {
            if (role == INPUT_SEGMENTS) memory[i][n++] = n_tokens;
            else for (int64_t t = 0; t < lengths[text]; t++) memory[i][n++] = item_of(role, text, t);
            n_tokens += lengths[text];
        }
        if (role == INPUT_SEGMENTS) memory[i][n++] = n_tokens;
        struct tensor tensor;
        assert_int_equal(tensor_init(&tensor, DTYPE_I64, input->rank, input->rank == 1 ? &n : (int64_t[]){1, n}, memory[i], NULL), HOB_OK);
        executor_bind(encoder->executor, i, &tensor);
    }
    if (executor_run(encoder->executor, NULL, &error) != HOB_OK) fail_msg("%s", error.message);
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < encoder->graph->n_outputs; i++)
        if (output_role_find(encoder->graph, i) == OUTPUT_SENTENCE) wanted = i;
    const struct tensor *output = executor_output(encoder->executor, wanted);
    tensor_copy_contiguous(output, ret_items);
    return tensor_n_items(output);
}

static void check_same_bytes(const struct encoder *encoder, const float *alone, int64_t n_alone)
{
    static float together[MAX_TOKENS * WIDTH];
    assert_int_equal(run(encoder, 0, N_TEXTS, together), n_alone);
    assert_memory_equal(together, alone, (size_t)n_alone * sizeof *alone);
    int64_t n_two = run(encoder, 1, N_TEXTS, together);
    assert_memory_equal(together, alone + (n_alone - n_two), (size_t)n_two * sizeof *alone);
}

/* plain and packed are the same model, which only one of them packs. */
static void check_encoders(struct graph *plain_graph, struct graph *packed_graph, struct graph *threads_graph)
{
    static float expected[MAX_TOKENS * WIDTH], alone[MAX_TOKENS * WIDTH];
    struct encoder plain, packed, threads;
    compile(&plain, plain_graph, "pack_batch", 1);
    compile(&packed, packed_graph, NULL, 1);
    compile(&threads, threads_graph, NULL, 2);
    assert_int_equal(packed.n_packed, 1);
    int64_t n_expected = 0, n_alone = 0;
    for (size_t text = 0; text < N_TEXTS; text++) {
        n_expected += run(&plain, text, text + 1, expected + n_expected);
        n_alone += run(&packed, text, text + 1, alone + n_alone);
    }
    assert_int_equal(n_alone, n_expected);
    for (int64_t i = 0; i < n_alone; i++)
        if (!(fabsf(alone[i] - expected[i]) <= 1e-6f + 1e-6f * fabsf(expected[i])))
            fail_msg("item %ld: found %.9g, expected %.9g", (long)i, (double)alone[i], (double)expected[i]);
    check_same_bytes(&packed, alone, n_alone);
    check_same_bytes(&threads, alone, n_alone);
    finish(&plain);
    finish(&packed);
    finish(&threads);
}

static void check(build_function *function)
{
    check_encoders(build(function), build(function), build(function));
}

static void check_left_alone(build_function *function)
{
    struct encoder encoder;
    compile(&encoder, build(function), NULL, 1);
    assert_int_equal(encoder.n_packed, 0);
    finish(&encoder);
}

/* ---- writing encoders ---- */

#define OP1(op, x) builder_op(b, op, (uint32_t[]){x}, 1, NULL, 0)
#define OP2(op, x, y) builder_op(b, op, (uint32_t[]){x, y}, 2, NULL, 0)
#define NUMBER(number) builder_float(b, (number))
#define INTS(...) builder_ints(b, (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static uint32_t ids_input(struct builder *b, const char *name)
{
    return builder_input(b, name, DTYPE_I64, 2, (int64_t[]){DIM_UNKNOWN, DIM_UNKNOWN}, NULL);
}

static uint32_t constant(struct builder *b, int rank, const int64_t *dims, uint64_t seed)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, rank, dims, NULL, NULL), HOB_OK);
    float *items = tensor.data = arena_alloc(&b->graph->arena, tensor_n_bytes(&tensor), 64);
    for (int64_t i = 0; i < tensor_n_items(&tensor); i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        items[i] = (float)(seed >> 40) / 0x1p23f - 1;
    }
    return builder_constant(b, "", &tensor);
}

static uint32_t table(struct builder *b, int64_t n_rows, uint64_t seed)
{
    return constant(b, 2, (int64_t[]){n_rows, WIDTH}, seed);
}

static uint32_t vector(struct builder *b, uint64_t seed)
{
    return constant(b, 1, (int64_t[]){WIDTH}, seed);
}

static uint32_t cast(struct builder *b, uint32_t x, enum dtype to)
{
    struct attribute attribute = attribute_int("to", to);
    return builder_op(b, "Cast", &x, 1, &attribute, 1);
}

static uint32_t on_axis(struct builder *b, const char *op, uint32_t x, uint32_t y, int64_t axis)
{
    struct attribute attribute = attribute_int("axis", axis);
    return builder_op(b, op, (uint32_t[]){x, y}, 2, &attribute, 1);
}

static uint32_t scalar(struct builder *b, int64_t number)
{
    return OP2("Squeeze", INTS(number), INTS(0));
}

/* x.size(axis), as torch asks for it. */
static uint32_t size(struct builder *b, uint32_t x, int64_t axis)
{
    return on_axis(b, "Gather", OP1("Shape", x), scalar(b, axis), 0);
}

static uint32_t concat(struct builder *b, const uint32_t *parts, uint32_t n_parts)
{
    struct attribute axis = attribute_int("axis", 0);
    return builder_op(b, "Concat", parts, n_parts, &axis, 1);
}

static uint32_t unsqueeze(struct builder *b, uint32_t x, int64_t axis)
{
    return OP2("Unsqueeze", x, INTS(axis));
}

static uint32_t norm(struct builder *b, uint32_t x, uint64_t seed)
{
    return builder_op(b, "LayerNormalization", (uint32_t[]){x, vector(b, seed), vector(b, seed + 1)}, 3, NULL, 0);
}

static uint32_t project(struct builder *b, uint32_t x, uint64_t seed)
{
    return OP2("Add", OP2("MatMul", x, constant(b, 2, (int64_t[]){WIDTH, WIDTH}, seed)), vector(b, seed + 1));
}

static uint32_t split_heads(struct builder *b, uint32_t x, const int64_t order[4])
{
    struct attribute perm = attribute_ints("perm", order, 4);
    uint32_t parts[] = {unsqueeze(b, size(b, x, 0), 0), unsqueeze(b, size(b, x, 1), 0), INTS(HEADS), INTS(HEAD)};
    uint32_t apart = OP2("Reshape", x, concat(b, parts, 4));
    return builder_op(b, "Transpose", &apart, 1, &perm, 1);
}

static uint32_t softmax(struct builder *b, uint32_t x)
{
    struct attribute axis = attribute_int("axis", -1);
    return builder_op(b, "Softmax", &x, 1, &axis, 1);
}

/* (1 - mask) * -3.4e38, [B,1,1,S] */
static uint32_t added_mask(struct builder *b, uint32_t mask)
{
    uint32_t wide = cast(b, unsqueeze(b, unsqueeze(b, mask, 1), 2), DTYPE_F32);
    return OP2("Mul", OP2("Sub", NUMBER(1), wide), NUMBER(-3.4e38f));
}

static uint32_t attend(struct builder *b, uint32_t x, uint32_t mask)
{
    uint32_t q = split_heads(b, project(b, x, 1), (int64_t[]){0, 2, 1, 3}), kt = split_heads(b, project(b, x, 3), (int64_t[]){0, 2, 3, 1});
    uint32_t v = split_heads(b, project(b, x, 5), (int64_t[]){0, 2, 1, 3});
    uint32_t scores = OP2("Add", OP2("Div", OP2("MatMul", q, kt), NUMBER(2.828427f)), mask);
    uint32_t mixed = OP2("MatMul", softmax(b, scores), v);
    struct attribute perm = attribute_ints("perm", (int64_t[]){0, 2, 1, 3}, 4);
    mixed = builder_op(b, "Transpose", &mixed, 1, &perm, 1);
    uint32_t parts[] = {unsqueeze(b, size(b, mixed, 0), 0), unsqueeze(b, size(b, mixed, 1), 0), INTS(WIDTH)};
    return project(b, OP2("Reshape", mixed, concat(b, parts, 3)), 7);
}

static uint32_t layer(struct builder *b, uint32_t x, uint32_t mask)
{
    x = norm(b, OP2("Add", attend(b, x, mask), x), 20);
    uint32_t h = project(b, x, 22);
    uint32_t gate = OP2("Add", OP1("Erf", OP2("Div", h, NUMBER(1.41421354f))), NUMBER(1));
    return norm(b, OP2("Add", project(b, OP2("Mul", OP2("Mul", h, gate), NUMBER(0.5f)), 24), x), 26);
}

static uint32_t words(struct builder *b, uint32_t ids)
{
    return OP2("Gather", table(b, WORDS, 40), ids);
}

/* The first S of a table of numbers 0, 1, 2, … [1,PLACES]. */
static uint32_t counted_positions(struct builder *b, uint32_t ids, int64_t from)
{
    uint32_t counted = unsqueeze(b, INTS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), 0);
    uint32_t end = OP2("Add", unsqueeze(b, size(b, ids, 1), 0), INTS(from));
    uint32_t cut[] = {counted, INTS(from), end, INTS(1), INTS(1)};
    return builder_op(b, "Slice", cut, 5, NULL, 0);
}

struct bert {
    uint32_t ids, mask, hidden;
};

static struct bert bert(struct builder *b)
{
    struct bert bert = {.ids = ids_input(b, "input_ids"), .mask = ids_input(b, "attention_mask")};
    uint32_t types = OP2("Gather", table(b, 2, 41), ids_input(b, "token_type_ids"));
    uint32_t positions = OP2("Gather", table(b, PLACES, 42), counted_positions(b, bert.ids, 0));
    uint32_t x = norm(b, OP2("Add", OP2("Add", words(b, bert.ids), types), positions), 43);
    uint32_t mask = added_mask(b, bert.mask);
    bert.hidden = layer(b, layer(b, x, mask), mask);
    return bert;
}

static void build_bert(struct builder *b)
{
    struct bert made = bert(b);
    uint32_t pooled = on_axis(b, "Gather", made.hidden, scalar(b, 0), 1);
    builder_output(b, "last_hidden_state", made.hidden);
    builder_output(b, "pooler_output", OP1("Tanh", project(b, pooled, 60)));
}

/* ---- positions ---- */

static uint32_t embedded(struct builder *b, uint32_t ids, uint32_t positions)
{
    return norm(b, OP2("Add", words(b, ids), OP2("Gather", table(b, PLACES, 42), positions)), 43);
}

static void build_given_positions(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids"), x = embedded(b, ids, ids_input(b, "position_ids"));
    builder_output(b, "last_hidden_state", layer(b, x, added_mask(b, ids_input(b, "attention_mask"))));
}

static void build_range_positions(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids");
    uint32_t range[] = {scalar(b, 0), size(b, ids, 1), scalar(b, 1)};
    uint32_t x = embedded(b, ids, unsqueeze(b, builder_op(b, "Range", range, 3, NULL, 0), 0));
    uint32_t drop = OP1("Not", cast(b, ids_input(b, "attention_mask"), DTYPE_BOOL));
    uint32_t low[] = {unsqueeze(b, unsqueeze(b, drop, 1), 1), NUMBER(-INFINITY), NUMBER(0)};
    builder_output(b, "hidden", layer(b, x, builder_op(b, "Where", low, 3, NULL, 0)));
}

/* RoBERTa counts what is no padding, from 2 on. */
static void build_summed_positions(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids"), is_word = cast(b, OP1("Not", OP2("Equal", ids, scalar(b, 1))), DTYPE_I32);
    uint32_t counted = OP2("Mul", OP2("CumSum", is_word, scalar(b, 1)), is_word);
    uint32_t x = embedded(b, ids, OP2("Add", cast(b, counted, DTYPE_I64), scalar(b, 1)));
    builder_output(b, "last_hidden_state", layer(b, x, added_mask(b, ids_input(b, "attention_mask"))));
}

/* Positions from the mask, counted from 0. */
static void build_masked_positions(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids"), mask = ids_input(b, "attention_mask");
    uint32_t positions = OP2("Sub", OP2("CumSum", mask, scalar(b, 1)), scalar(b, 1));
    builder_output(b, "last_hidden_state", layer(b, embedded(b, ids, positions), added_mask(b, mask)));
}

/* Rotary angles of the positions, as tables that the graph computes. */
static void build_rotary(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids"), mask = ids_input(b, "attention_mask");
    uint32_t range[] = {scalar(b, 0), size(b, ids, 1), scalar(b, 1)};
    uint32_t positions = cast(b, unsqueeze(b, unsqueeze(b, builder_op(b, "Range", range, 3, NULL, 0), 0), 1), DTYPE_F32);
    uint32_t angles = OP2("MatMul", constant(b, 3, (int64_t[]){1, WIDTH, 1}, 70), positions); /* [1,D,S] */
    struct attribute perm = attribute_ints("perm", (int64_t[]){0, 2, 1}, 3);
    uint32_t turned = builder_op(b, "Transpose", &angles, 1, &perm, 1), x = words(b, ids);
    x = OP2("Add", OP2("Mul", x, OP1("Cos", turned)), OP1("Sin", turned));
    builder_output(b, "last_hidden_state", layer(b, x, added_mask(b, mask)));
}

static void test_hidden_states(void **state)
{
    (void)state;
    check(build_bert);
    check(build_given_positions);
    check(build_range_positions);
    check(build_summed_positions);
    check(build_masked_positions);
    check(build_rotary);
}

/* ---- sentences ---- */

static uint32_t reduce(struct builder *b, const char *op, uint32_t x, int64_t axis, int64_t keeps)
{
    struct attribute keepdims = attribute_int("keepdims", keeps), axes = attribute_ints("axes", &axis, 1);
    if (!strcmp(op, "ReduceSum")) return builder_op(b, op, (uint32_t[]){x, INTS(axis)}, 2, &keepdims, 1);
    return builder_op(b, op, &x, 1, (struct attribute[]){keepdims, axes}, 2);
}

/* F.normalize */
static uint32_t normalize(struct builder *b, uint32_t x)
{
    uint32_t limited[] = {reduce(b, "ReduceL2", x, -1, 1), NUMBER(1e-12f)};
    uint32_t length = builder_op(b, "Clip", limited, 2, NULL, 0);
    return OP2("Div", x, OP2("Expand", length, OP1("Shape", x)));
}

/* sentence-transformers: the mean over the mask, which is shown as wide as the hidden states. */
static void build_mean_sentence(struct builder *b)
{
    struct bert made = bert(b);
    uint32_t mask = cast(b, OP2("Expand", unsqueeze(b, made.mask, -1), OP1("Shape", made.hidden)), DTYPE_F32);
    uint32_t sum = reduce(b, "ReduceSum", OP2("Mul", made.hidden, mask), 1, 0);
    uint32_t limited[] = {reduce(b, "ReduceSum", mask, 1, 0), NUMBER(1e-9f)};
    builder_output(b, "token_embeddings", made.hidden);
    builder_output(b, "sentence_embedding", normalize(b, OP2("Div", sum, builder_op(b, "Clip", limited, 2, NULL, 0))));
}

static void build_plain_mean(struct builder *b)
{
    builder_output(b, "sentence_embedding", OP1("Tanh", project(b, reduce(b, "ReduceMean", bert(b).hidden, 1, 0), 61)));
}

static void build_max_sentence(struct builder *b)
{
    struct bert made = bert(b);
    uint32_t chosen[] = {OP2("Equal", unsqueeze(b, made.mask, 2), scalar(b, 0)), NUMBER(-1e9f), made.hidden};
    uint32_t most = reduce(b, "ReduceMax", builder_op(b, "Where", chosen, 3, NULL, 0), 1, 1);
    builder_output(b, "sentence_embedding", OP2("Squeeze", most, INTS(1)));
}

/* The mask, one of more operands than most operators have. */
static void build_largest_of_many(struct builder *b)
{
    enum { N_OPERANDS = 12 };
    struct bert made = bert(b);
    uint32_t operands[N_OPERANDS] = {cast(b, unsqueeze(b, made.mask, 2), DTYPE_F32)};
    for (uint32_t i = 1; i < N_OPERANDS; i++) operands[i] = i % 2 ? made.hidden : OP1("Neg", made.hidden);
    uint32_t largest = builder_op(b, "Max", operands, N_OPERANDS, NULL, 0);
    builder_output(b, "sentence_embedding", reduce(b, "ReduceMean", largest, 1, 0));
}

static void build_first_sentence(struct builder *b)
{
    builder_output(b, "sentence_embedding", normalize(b, on_axis(b, "Gather", bert(b).hidden, scalar(b, 0), 1)));
}

static void build_last_sentence(struct builder *b)
{
    uint32_t last = on_axis(b, "Gather", bert(b).hidden, INTS(-1), 1);
    builder_output(b, "sentence_embedding", OP2("Squeeze", project(b, last, 62), INTS(1)));
}

static void test_sentences(void **state)
{
    (void)state;
    check(build_mean_sentence);
    check(build_plain_mean);
    check(build_max_sentence);
    check(build_largest_of_many);
    check(build_first_sentence);
    check(build_last_sentence);
}

/* ---- bytes ---- */

static uint32_t bytes(struct builder *b, int rank, const int64_t *dims, enum dtype dtype, uint64_t seed)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, dtype, rank, dims, NULL, NULL), HOB_OK);
    tensor.data = arena_alloc(&b->graph->arena, tensor_n_bytes(&tensor), 64);
    for (int64_t i = 0; i < tensor_n_items(&tensor); i++) ((uint8_t *)tensor.data)[i] = (uint8_t)(seed = seed * 75 + 74);
    return builder_constant(b, "", &tensor);
}

/* As quantize_dynamic writes it; the range is one for the whole tensor. */
static uint32_t project_bytes(struct builder *b, uint32_t x, uint64_t seed)
{
    uint32_t quantised[3];
    builder_op_n(b, "DynamicQuantizeLinear", &x, 1, NULL, 0, 3, quantised);
    uint32_t inputs[] = {quantised[0], bytes(b, 2, (int64_t[]){WIDTH, WIDTH}, DTYPE_I8, seed), quantised[2], bytes(b, 0, NULL, DTYPE_I8, 0)};
    uint32_t sums = cast(b, builder_op(b, "MatMulInteger", inputs, 4, NULL, 0), DTYPE_F32);
    return OP2("Add", vector(b, seed), OP2("Mul", sums, OP2("Mul", quantised[1], NUMBER(0.01f))));
}

static void build_quantised(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids"), mask = added_mask(b, ids_input(b, "attention_mask"));
    uint32_t rows = OP2("Gather", bytes(b, 2, (int64_t[]){WORDS, WIDTH}, DTYPE_U8, 80), ids);
    uint32_t scaled[] = {rows, NUMBER(0.02f), bytes(b, 0, NULL, DTYPE_U8, 7)};
    uint32_t x = layer(b, builder_op(b, "DequantizeLinear", scaled, 3, NULL, 0), mask);
    x = norm(b, OP2("Add", project_bytes(b, x, 81), x), 82);
    uint32_t first = on_axis(b, "Gather", x, scalar(b, 0), 1);
    builder_output(b, "sentence_embedding", project_bytes(b, first, 83));
}

/* A text's bytes are those it gives alone: the range is each text's own. */
static void test_bytes(void **state)
{
    (void)state;
    check(build_quantised);
}

/* ---- an export's file ---- */

static struct graph *read_export(const char *path)
{
    struct format_content content = {0};
    hob_error error = {0};
    if (format_open(path, &content, &error) != HOB_OK) fail_msg("%s", error.message);
    struct graph *graph = content.graph;
    content.graph = NULL;
    format_content_release(&content);
    graph->output_names[0] = "last_hidden_state";
    return graph;
}

static void test_distilbert(void **state)
{
    (void)state;
    static const char path[] = "tests/data/exports/distilbert.onnx";
    check_encoders(read_export(path), read_export(path), read_export(path));
}

/* ---- what mixes tokens ---- */

static void build_first_position_counts(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids"), x = embedded(b, ids, counted_positions(b, ids, 1));
    builder_output(b, "last_hidden_state", layer(b, x, added_mask(b, ids_input(b, "attention_mask"))));
}

static void build_centred(struct builder *b)
{
    struct bert made = bert(b);
    builder_output(b, "last_hidden_state", OP2("Sub", made.hidden, reduce(b, "ReduceMean", made.hidden, 1, 1)));
}

static void build_divided_by_size(struct builder *b)
{
    struct bert made = bert(b);
    builder_output(b, "last_hidden_state", OP2("Div", made.hidden, cast(b, size(b, made.ids, 1), DTYPE_F32)));
}

static void build_softmax_over_tokens(struct builder *b)
{
    struct bert made = bert(b);
    struct attribute axis = attribute_int("axis", 1);
    builder_output(b, "last_hidden_state", builder_op(b, "Softmax", &made.hidden, 1, &axis, 1));
}

static void build_shifted(struct builder *b)
{
    struct bert made = bert(b);
    uint32_t cut[] = {made.hidden, INTS(1), INTS(INT64_MAX), INTS(1)};
    builder_output(b, "last_hidden_state", builder_op(b, "Slice", cut, 4, NULL, 0));
}

static void build_mixed_reshape(struct builder *b)
{
    struct bert made = bert(b);
    uint32_t flat = OP2("Reshape", made.hidden, INTS(0, WIDTH, -1)); /* as many items, other rows */
    struct attribute perm = attribute_ints("perm", (int64_t[]){0, 2, 1}, 3);
    builder_output(b, "last_hidden_state", builder_op(b, "Transpose", &flat, 1, &perm, 1));
}

/* x [1,S,..], as often as there are tokens, on a new axis. */
static uint32_t repeat(struct builder *b, uint32_t x, uint32_t ids, int64_t axis, int64_t width)
{
    uint32_t n = unsqueeze(b, size(b, ids, 1), 0), parts[] = {INTS(1), n, n, INTS(width)};
    return OP2("Expand", unsqueeze(b, x, axis), concat(b, parts, 4));
}

/* Copies of rows, as many as there are tokens: what adds them up counts the whole batch. */
static void build_summed_copies(struct builder *b)
{
    struct bert made = bert(b);
    builder_output(b, "last_hidden_state", reduce(b, "ReduceSum", repeat(b, made.hidden, made.ids, 1, WIDTH), 1, 0));
}

static void build_shared_among_copies(struct builder *b)
{
    struct bert made = bert(b);
    struct attribute axis = attribute_int("axis", 2);
    uint32_t copies = repeat(b, made.hidden, made.ids, 2, WIDTH);
    uint32_t shares = builder_op(b, "Softmax", &copies, 1, &axis, 1); /* over axes behind the rows' */
    builder_output(b, "last_hidden_state", reduce(b, "ReduceMax", shares, 2, 0));
}

/* Every query sees the keys before it only. */
static void build_causal(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids"), x = embedded(b, ids, ids_input(b, "position_ids"));
    uint32_t places = ids_input(b, "attention_mask"), size_list = OP1("Shape", places);
    uint32_t parts[] = {on_axis(b, "Gather", size_list, INTS(1), 0), on_axis(b, "Gather", size_list, INTS(1), 0)};
    struct attribute is_upper = attribute_int("upper", 1);
    uint32_t full = OP2("Expand", NUMBER(-3.4e38f), concat(b, parts, 2));
    uint32_t triangle = builder_op(b, "Trilu", (uint32_t[]){full, scalar(b, 1)}, 2, &is_upper, 1);
    builder_output(b, "last_hidden_state", layer(b, x, triangle));
}

/* Position embeddings for a fixed number of tokens: the model takes no other. */
static void build_fixed_positions(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids"), x = OP2("Add", words(b, ids), constant(b, 3, (int64_t[]){1, 13, WIDTH}, 9));
    builder_output(b, "last_hidden_state", layer(b, x, added_mask(b, ids_input(b, "attention_mask"))));
}

/* A mask that adds something even where it is all ones, to some keys more than to others. */
static void build_biased(struct builder *b)
{
    uint32_t ids = ids_input(b, "input_ids"), x = embedded(b, ids, ids_input(b, "position_ids"));
    uint32_t weights = cast(b, OP2("CumSum", ids_input(b, "attention_mask"), scalar(b, 1)), DTYPE_F32);
    builder_output(b, "last_hidden_state", layer(b, x, unsqueeze(b, unsqueeze(b, weights, 1), 2)));
}

static void test_left_alone(void **state)
{
    (void)state;
    check_left_alone(build_first_position_counts);
    check_left_alone(build_centred);
    check_left_alone(build_divided_by_size);
    check_left_alone(build_softmax_over_tokens);
    check_left_alone(build_shifted);
    check_left_alone(build_mixed_reshape);
    check_left_alone(build_summed_copies);
    check_left_alone(build_shared_among_copies);
    check_left_alone(build_causal);
    check_left_alone(build_fixed_positions);
    check_left_alone(build_biased);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden_states),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_distilbert),
        cmocka_unit_test(test_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
