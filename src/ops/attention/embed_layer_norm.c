/* com.microsoft EmbedLayerNormalization: the sum of word, position and segment rows, layer-normalised.
 * Output 1 counts the ones of each mask row (0 without a mask), which Attention takes as "keys that count". */
#include "kernels/kernels.h"
#include "ops/as_f32.h"

enum {
    INPUT_IDS,
    INPUT_SEGMENT_IDS,
    INPUT_WORDS,
    INPUT_POSITIONS,
    INPUT_SEGMENTS,
    INPUT_GAMMA,
    INPUT_BETA,
    INPUT_MASK,
    INPUT_POSITION_IDS
};

struct embed_params {
    float epsilon;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct embed_params *params = ARENA_NEW(node->arena, struct embed_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->epsilon = attributes_float(node->attributes, "epsilon", 1e-12f);
    *ret_params = params;
    return HOB_OK;
}

static hob_status check_table(struct op_context *ctx, int i, int rank, int64_t width)
{
    const struct tensor *table = op_input(ctx, i);
    if (!table) return HOB_OK;
    TRY(op_check_dtype(ctx, i, ctx->inputs[INPUT_WORDS]->dtype));
    if (table->rank != rank || table->dims[rank - 1] != width)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected rank %d and last dim %lld", i, OP_SHAPE(table), rank,
                (long long)width);
    return HOB_OK;
}

/* Ids of the shape of input 0; position ids may have one row for all of the batch. */
static hob_status check_ids(struct op_context *ctx, int i)
{
    const struct tensor *ids = ctx->inputs[INPUT_IDS], *others = op_input(ctx, i);
    if (!others) return HOB_OK;
    if (others->dtype != DTYPE_I32 && others->dtype != DTYPE_I64)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected int32 or int64", i, dtype_name(others->dtype));
    bool fits = others->rank == 2 && others->dims[1] == ids->dims[1] &&
                (others->dims[0] == ids->dims[0] || (i == INPUT_POSITION_IDS && others->dims[0] == 1));
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected %s as input 0", i, OP_SHAPE(others), OP_SHAPE(ids));
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *ids = ctx->inputs[INPUT_IDS], *words = op_input(ctx, INPUT_WORDS);
    if (!op_output(ctx, 0)) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    for (int i = INPUT_WORDS; i <= INPUT_BETA; i++)
        if (i != INPUT_SEGMENTS && !op_input(ctx, i)) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
    if (ids->rank != 2) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [B,T]", OP_SHAPE(ids));
    if (!as_f32_takes(words->dtype) || words->rank != 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s %s, expected a float [V,D]", dtype_name(words->dtype),
                OP_SHAPE(words));
    int64_t width = words->dims[1];
    TRY(check_table(ctx, INPUT_POSITIONS, 2, width));
    TRY(check_table(ctx, INPUT_SEGMENTS, 2, width));
    TRY(check_table(ctx, INPUT_GAMMA, 1, width));
    TRY(check_table(ctx, INPUT_BETA, 1, width));
    TRY(check_ids(ctx, INPUT_IDS));
    TRY(check_ids(ctx, INPUT_SEGMENT_IDS));
    TRY(check_ids(ctx, INPUT_MASK));
    TRY(check_ids(ctx, INPUT_POSITION_IDS));
    int64_t dims[3] = {ids->dims[0], ids->dims[1], width};
    TRY(op_set_output(ctx, 0, words->dtype, 3, dims));
    TRY(op_set_output(ctx, 1, DTYPE_I32, 1, dims));
    return op_set_output(ctx, 2, words->dtype, 3, dims);
}

/* Adds row `id` of input `table` to sum. Negative ones count from the end, as for the Gather that a pass may have found here. */
static hob_status add_row(struct op_context *ctx, int i, int64_t id, float *sum)
{
    const struct tensor *table = ctx->inputs[i];
    int64_t width = table->dims[1];
    if (id < 0 && id >= -table->dims[0]) id += table->dims[0];
    if (id < 0 || id >= table->dims[0])
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "found id %lld, expected one of the %lld rows of input %d", (long long)id,
                (long long)table->dims[0], i);
    float row[256];
    for (int64_t begin = 0; begin < width; begin += 256) {
        int64_t n = width - begin < 256 ? width - begin : 256;
        const char *items = (const char *)table->data + (id * width + begin) * (int64_t)dtype_block_bytes(table->dtype);
        const float *numbers = row;
        if (table->dtype == DTYPE_F32) numbers = (const float *)(const void *)items;
        else if (table->dtype == DTYPE_F16) ctx->kernels->f32_from_f16(n, (const uint16_t *)(const void *)items, row);
        else ctx->kernels->f32_from_bf16(n, (const uint16_t *)(const void *)items, row);
        ctx->kernels->add_f32(n, sum + begin, 1, numbers, 1, sum + begin);
    }
    return HOB_OK;
}

static hob_status add_embeddings(struct op_context *ctx, float *sums)
{
    const struct tensor *ids = ctx->inputs[INPUT_IDS], *segment_ids = op_input(ctx, INPUT_SEGMENT_IDS);
    const struct tensor *position_ids = op_input(ctx, INPUT_POSITION_IDS);
    int64_t n_rows = tensor_n_items(ids), n_positions = ids->dims[1], width = ctx->inputs[INPUT_WORDS]->dims[1];
    memset(sums, 0, (size_t)(n_rows * width) * sizeof sums[0]);
    for (int64_t row = 0; row < n_rows; row++) {
        float *sum = sums + row * width;
        int64_t position = row % n_positions;
        if (position_ids) position = tensor_get_int(position_ids, row % tensor_n_items(position_ids));
        TRY(add_row(ctx, INPUT_WORDS, tensor_get_int(ids, row), sum));
        TRY(add_row(ctx, INPUT_POSITIONS, position, sum));
        if (!op_input(ctx, INPUT_SEGMENTS)) continue;
        TRY(add_row(ctx, INPUT_SEGMENTS, segment_ids ? tensor_get_int(segment_ids, row) : 0, sum));
    }
    return HOB_OK;
}

static void count_mask(const struct op_context *ctx)
{
    const struct tensor *counts = op_output(ctx, 1), *mask = op_input(ctx, INPUT_MASK);
    if (!counts) return;
    int64_t n_positions = ctx->inputs[INPUT_IDS]->dims[1];
    for (int64_t row = 0; row < counts->dims[0]; row++) {
        int32_t count = 0;
        for (int64_t t = 0; mask && t < n_positions; t++) count += tensor_get_int(mask, row * n_positions + t) == 1;
        ((int32_t *)counts->data)[row] = count;
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct embed_params *params = ctx->params;
    const struct tensor *sum = op_output(ctx, 2);
    struct norm_f32_args norm = {.epsilon = params->epsilon,
                                 .n_rows = tensor_n_items(ctx->inputs[INPUT_IDS]),
                                 .width = ctx->inputs[INPUT_WORDS]->dims[1]};
    norm.x_stride = norm.y_stride = norm.width;
    float *sums;
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_GAMMA], &norm.weight));
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_BETA], &norm.bias));
    TRY(as_f32_output(ctx, ctx->outputs[0], &norm.y));
    TRY(as_f32_output(ctx, sum, &sums));
    if (!sum) sums = norm.y;
    TRY(add_embeddings(ctx, sums));
    norm.x = sums;
    if (norm.width) ctx->kernels->layer_norm_f32(&norm);
    count_mask(ctx);
    as_f32_finish(ctx, norm.y, ctx->outputs[0]);
    as_f32_finish(ctx, sums, sum);
    return HOB_OK;
}

const struct op_def op_embed_layer_normalization = {
    .name = "EmbedLayerNormalization",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 9,
    .min_outputs = 1,
    .max_outputs = 3,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
