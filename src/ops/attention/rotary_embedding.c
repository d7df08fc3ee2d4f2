/* RotaryEmbedding of ai.onnx (opset 23) and of com.microsoft: heads, packed or apart, turned by rows of given caches.
 * The two differ in the order of the inputs, and in that com.microsoft's position_ids may be one offset for all. */
#include "ops/as_f32.h"
#include "ops/attention/heads.h"
#include "ops/attention/rotary.h"

struct rotary_params {
    int64_t n_heads, n_dims; /* 0: not given */
    bool is_interleaved;
    int cos, sin, positions; /* which input */
    bool has_offset;         /* positions [1] are an offset */
};

static hob_status prepare(const struct op_prepare *node, const struct rotary_params *inputs, void **ret_params)
{
    struct rotary_params *params = ARENA_NEW(node->arena, struct rotary_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    *params = *inputs;
    params->n_heads = attributes_int(node->attributes, "num_heads", 0);
    params->n_dims = attributes_int(node->attributes, "rotary_embedding_dim", 0);
    params->is_interleaved = attributes_int(node->attributes, "interleaved", 0) != 0;
    if (params->n_heads < 0 || params->n_dims < 0 || params->n_dims % 2)
        FAIL(node->error, HOB_BAD_GRAPH,
             "%s: found num_heads %lld and rotary_embedding_dim %lld, expected none below 0 and the second even",
             node->node_name, (long long)params->n_heads, (long long)params->n_dims);
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_onnx(const struct op_prepare *node, void **ret_params)
{
    return prepare(node, &(struct rotary_params){.cos = 1, .sin = 2, .positions = 3}, ret_params);
}

static hob_status prepare_ms(const struct op_prepare *node, void **ret_params)
{
    struct rotary_params inputs = {.positions = 1, .cos = 2, .sin = 3, .has_offset = true};
    return prepare(node, &inputs, ret_params);
}

/* com.microsoft's packed heads are as wide as the caches say when num_heads is not given. */
static int64_t count_heads(const struct op_context *ctx)
{
    const struct rotary_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *cos = ctx->inputs[params->cos];
    if (params->n_heads || !params->has_offset || cos->rank < 1) return params->n_heads;
    int64_t width = cos->dims[cos->rank - 1] * 2;
    return width > 0 && x->dims[2] % width == 0 ? x->dims[2] / width : 0;
}

static hob_status read_heads(struct op_context *ctx, struct tensor *ret_heads, int64_t *ret_n_dims)
{
    const struct rotary_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (x->rank != 3 && x->rank != 4)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [B,T,D] or [B,H,T,K]", OP_SHAPE(x));
    struct tensor heads = *x;
    if (x->rank == 3) {
        int64_t n_heads = count_heads(ctx);
        if (n_heads < 1 || x->dims[2] % n_heads)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s for %lld heads, expected whole heads", OP_SHAPE(x),
                    (long long)n_heads);
        heads = heads_split(x, n_heads);
    }
    int64_t n_dims = params->n_dims ? params->n_dims : heads.dims[3];
    if (n_dims > heads.dims[3] || n_dims % 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %lld numbers to turn, expected an even number up to the head's %lld",
                (long long)n_dims, (long long)heads.dims[3]);
    *ret_heads = heads;
    *ret_n_dims = n_dims;
    return HOB_OK;
}

/* [positions, n_dims/2], or [B,T,n_dims/2] when there are no positions. */
static hob_status check_cache(struct op_context *ctx, int i, const struct tensor *heads, int64_t n_dims)
{
    const struct rotary_params *params = ctx->params;
    const struct tensor *cache = ctx->inputs[i];
    TRY(op_check_dtype(ctx, i, ctx->inputs[0]->dtype));
    bool has_positions = op_input(ctx, params->positions) != NULL;
    bool fits = has_positions ? cache->rank == 2 && cache->dims[1] == n_dims / 2
                              : tensor_has_shape(cache, 3, (int64_t[]){heads->dims[0], heads->dims[2], n_dims / 2});
    if (!fits || cache->dims[0] != ctx->inputs[params->cos]->dims[0])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected %s%lld]", i, OP_SHAPE(cache),
                has_positions ? "[positions," : "[B,T,", (long long)(n_dims / 2));
    return HOB_OK;
}

static hob_status check_positions(struct op_context *ctx, const struct tensor *heads)
{
    const struct rotary_params *params = ctx->params;
    const struct tensor *positions = op_input(ctx, params->positions);
    if (!positions) return HOB_OK;
    TRY(op_check_dtype(ctx, params->positions, DTYPE_I64));
    bool is_offset = params->has_offset && positions->rank <= 1 && tensor_n_items(positions) == 1;
    if (!is_offset && !tensor_has_shape(positions, 2, (int64_t[]){heads->dims[0], heads->dims[2]}))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "position_ids: found %s, expected [%lld,%lld]", OP_SHAPE(positions),
                (long long)heads->dims[0], (long long)heads->dims[2]);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct rotary_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct tensor heads;
    int64_t n_dims;
    for (int i = 0; i < (params->has_offset ? 4 : 3); i++)
        if (!op_input(ctx, i)) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
    TRY(read_heads(ctx, &heads, &n_dims));
    TRY(check_cache(ctx, params->cos, &heads, n_dims));
    TRY(check_cache(ctx, params->sin, &heads, n_dims));
    TRY(check_positions(ctx, &heads));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

/* Which row of the caches each of [B,T] takes. */
static hob_status read_positions(struct op_context *ctx, const struct tensor *heads, const int64_t **ret_positions)
{
    const struct rotary_params *params = ctx->params;
    const struct tensor *given = op_input(ctx, params->positions), *cache = ctx->inputs[params->cos];
    int64_t n_rows = heads->dims[0] * heads->dims[2];
    int64_t n_cached = given ? cache->dims[0] : n_rows;
    int64_t *positions = ARENA_NEW(ctx->scratch, int64_t, (size_t)n_rows);
    if (!positions) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld positions", (long long)n_rows);
    bool is_offset = given && given->rank <= 1;
    for (int64_t i = 0; i < n_rows; i++) {
        int64_t base = given ? tensor_get_int(given, is_offset ? 0 : i) : i;
        int64_t step = is_offset ? i % heads->dims[2] : 0;
        if (base < 0 || base >= n_cached - step)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "position_ids: found %lld for row %lld, expected 0 to %lld", (long long)base,
                    (long long)i, (long long)(n_cached - step - 1));
        positions[i] = base + step;
    }
    *ret_positions = positions;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct rotary_params *params = ctx->params;
    struct rotary rotary = {.is_interleaved = params->is_interleaved};
    struct tensor heads, x;
    float *y;
    TRY(read_heads(ctx, &heads, &rotary.n_dims));
    TRY(read_positions(ctx, &heads, &rotary.positions));
    TRY(as_f32_vector(ctx, ctx->inputs[params->cos], &rotary.cos));
    TRY(as_f32_vector(ctx, ctx->inputs[params->sin], &rotary.sin));
    TRY(as_f32(ctx, &heads, &x));
    TRY(as_f32_output(ctx, ctx->outputs[0], &y));
    struct tensor turned = heads_over(y, DTYPE_F32, heads.dims, ctx->inputs[0]->rank == 3);
    rotary_run(ctx, &rotary, &x, &turned);
    as_f32_finish(ctx, y, ctx->outputs[0]);
    return HOB_OK;
}

#define ROTARY(id, op_domain, first_opset, least_inputs, prepare_it) \
    const struct op_def op_##id = {                                  \
        .name = "RotaryEmbedding",                                   \
        .domain = op_domain,                                         \
        .since = first_opset,                                        \
        .min_inputs = least_inputs,                                  \
        .max_inputs = 4,                                             \
        .min_outputs = 1,                                            \
        .max_outputs = 1,                                            \
        .types = TYPE(F16) | TYPE(BF16) | TYPE(F32),                 \
        .prepare = prepare_it,                                       \
        .infer = infer,                                              \
        .run = run,                                                  \
    };

ROTARY(rotary_embedding, "", 23, 3, prepare_onnx)
ROTARY(ms_rotary_embedding, "com.microsoft", 1, 4, prepare_ms)
