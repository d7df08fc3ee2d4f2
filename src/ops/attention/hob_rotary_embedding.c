/* hob.RotaryEmbedding: turns pairs of each head's numbers by angles that grow with the position.
 * angle = position * base^(-2i/R) / factors[i], in f32 as PyTorch's models compute it; cosine and sine are those of that
 * f32 angle, within one unit in the last place (glibc's sincosf; several times faster than by way of f64), times the attribute
 * scale (YaRN's attention factor).
 * Source: Su et al. 2021 (RoFormer); factors: Llama 3's frequency scaling. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"

struct rotary_params {
    float base, scale;
    int64_t n_dims; /* 0: all */
    bool is_interleaved;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct rotary_params *params = ARENA_NEW(node->arena, struct rotary_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->base = attributes_float(node->attributes, "base", 10000);
    params->scale = attributes_float(node->attributes, "scale", 1);
    params->n_dims = attributes_int(node->attributes, "n_dims", 0);
    params->is_interleaved = attributes_int(node->attributes, "interleaved", 0) != 0;
    if (!(params->base > 0))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: base: found %g, expected more than 0", node->node_name,
             (double)params->base);
    *ret_params = params;
    return HOB_OK;
}

static hob_status check_dims(struct op_context *ctx, int64_t *ret_n_dims)
{
    const struct rotary_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *positions = ctx->inputs[1];
    const struct tensor *factors = op_input(ctx, 2);
    if (x->rank != 3) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [T,H,K]", OP_SHAPE(x));
    if (positions->rank != 1 || positions->dims[0] != x->dims[0])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected [%lld]", OP_SHAPE(positions), (long long)x->dims[0]);
    int64_t n_dims = params->n_dims ? params->n_dims : x->dims[2];
    if (n_dims < 0 || n_dims > x->dims[2] || n_dims % 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "n_dims: found %lld, expected an even number up to %lld", (long long)n_dims,
                (long long)x->dims[2]);
    if (factors && (factors->rank != 1 || factors->dims[0] != n_dims / 2))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s, expected [%lld]", OP_SHAPE(factors), (long long)(n_dims / 2));
    *ret_n_dims = n_dims;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    int64_t n_dims;
    TRY(op_check_dtype(ctx, 0, DTYPE_F32));
    TRY(op_check_dtype(ctx, 1, DTYPE_I64));
    TRY(op_check_dtype(ctx, 2, DTYPE_F32));
    TRY(check_dims(ctx, &n_dims));
    return op_set_output(ctx, 0, DTYPE_F32, 3, ctx->inputs[0]->dims);
}

struct rotary_job {
    const struct kernels *kernels;
    struct tensor x; /* heads' numbers next to each other */
    const struct tensor *positions;
    const float *frequencies; /* [n_dims / 2] */
    float *tables;            /* [T, 2, n_dims / 2]: cosines, sines of each position */
    float *y;
    float scale;
    int64_t n_dims;
    bool is_interleaved;
};

static void rotate_positions(void *context, size_t begin, size_t end)
{
    const struct rotary_job *job = context;
    int64_t n_heads = job->x.dims[1], width = job->x.dims[2], n_pairs = job->n_dims / 2;
    for (int64_t t = (int64_t)begin; t < (int64_t)end; t++) {
        float *cosines = job->tables + t * job->n_dims, *sines = cosines + n_pairs;
        float position = (float)tensor_get_int(job->positions, t);
        for (int64_t i = 0; i < n_pairs; i++) sincosf(position * job->frequencies[i], &sines[i], &cosines[i]);
        if (job->scale != 1) job->kernels->scale_f32(job->n_dims, job->scale, cosines, cosines);
        job->kernels->rope_f32(&(struct rope_f32_args){.x = (const float *)job->x.data + t * job->x.strides[0],
                                                       .y = job->y + t * n_heads * width,
                                                       .x_stride = job->x.strides[1],
                                                       .y_stride = width,
                                                       .cos = cosines,
                                                       .sin = sines,
                                                       .n_rows = n_heads,
                                                       .width = width,
                                                       .n_dims = job->n_dims,
                                                       .interleaved = job->is_interleaved});
    }
}

static hob_status make_frequencies(struct op_context *ctx, int64_t n_dims, const float **ret_frequencies)
{
    const struct rotary_params *params = ctx->params;
    const float *factors;
    float *frequencies;
    TRY(as_f32_vector(ctx, op_input(ctx, 2), &factors));
    TRY(scratch_f32(ctx, n_dims / 2, &frequencies));
    for (int64_t i = 0; i < n_dims / 2; i++) {
        float exponent = (float)(2 * i) / (float)n_dims;
        frequencies[i] = 1 / (float)pow((double)params->base, (double)exponent);
        if (factors) frequencies[i] /= factors[i];
    }
    *ret_frequencies = frequencies;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct rotary_params *params = ctx->params;
    struct rotary_job job = {.kernels = ctx->kernels,
                             .x = *ctx->inputs[0],
                             .positions = ctx->inputs[1],
                             .y = ctx->outputs[0]->data,
                             .scale = params->scale,
                             .is_interleaved = params->is_interleaved};
    TRY(check_dims(ctx, &job.n_dims));
    int64_t n_positions = job.x.dims[0];
    if (job.x.strides[2] != 1) {
        float *items;
        TRY(scratch_f32(ctx, tensor_n_items(&job.x), &items));
        tensor_copy_contiguous(ctx->inputs[0], items);
        job.x.data = items;
        tensor_set_contiguous(&job.x);
    }
    TRY(make_frequencies(ctx, job.n_dims, &job.frequencies));
    TRY(scratch_f32(ctx, n_positions * job.n_dims, &job.tables));
    thread_pool_run(ctx->pool, (size_t)n_positions, 4, rotate_positions, &job);
    return HOB_OK;
}

const struct op_def op_hob_rotary_embedding = {
    .name = "RotaryEmbedding",
    .domain = "hob",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
