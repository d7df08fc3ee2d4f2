/* com.microsoft's MatMulBnb4: A [..,K] times a weight of 4-bit codes, [N,K] flat, the first of two in the high half of a byte;
 * a code stands for a number of a table, times the largest magnitude of its block of the flat weight. Decoded like
 * MatMulNBits, sixteen rows at a time. Inputs: A, B, absmax. Source of the tables: Dettmers et al. 2023 (QLoRA). */
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/thread_scratch.h"

static const float tables[2][16] = {
    /* FP4: sign, two bits of exponent, one of fraction, the largest number being 1 */
    {0, 0x1.555556p-8f, 0x1.555556p-1f, 1, 0x1.555556p-2f, 0.5f, 0x1.555556p-3f, 0.25f, -0.0f, -0x1.555556p-8f,
     -0x1.555556p-1f, -1, -0x1.555556p-2f, -0.5f, -0x1.555556p-3f, -0.25f},
    /* NF4: quantiles of the normal distribution, scaled to [-1,1] */
    {-1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
     -0.09105003625154495f, 0, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
     0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1}};

struct bnb4_params {
    int64_t n, k, block;
    const float *table;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct bnb4_params *params = ARENA_NEW(node->arena, struct bnb4_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->n = attributes_int(node->attributes, "N", 0);
    params->k = attributes_int(node->attributes, "K", 0);
    params->block = attributes_int(node->attributes, "block_size", 0);
    int64_t type = attributes_int(node->attributes, "quant_type", 0);
    if (params->n < 1 || params->k < 1 || params->n > INT32_MAX || params->k > INT32_MAX || params->block < 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: N, K and block_size: found %lld, %lld and %lld, expected 1 or more",
             node->node_name, (long long)params->n, (long long)params->k, (long long)params->block);
    if (type != 0 && type != 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: quant_type: found %lld, expected 0 (FP4) or 1 (NF4)", node->node_name,
             (long long)type);
    if (!attributes_int(node->attributes, "transB", 1))
        FAIL(node->error, HOB_UNSUPPORTED, "%s: transB: found 0, expected 1", node->node_name);
    params->table = tables[type];
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct bnb4_params *params = ctx->params;
    const struct tensor *a = ctx->inputs[0], *b = ctx->inputs[1], *absmax = ctx->inputs[2];
    const int64_t n_items = params->n * params->k, n_blocks = (n_items - 1) / params->block + 1;
    if (a->rank < 1 || a->dims[a->rank - 1] != params->k)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [..,%lld]", OP_SHAPE(a), (long long)params->k);
    TRY(op_check_dtype(ctx, 1, DTYPE_U8));
    TRY(op_check_dtype(ctx, 2, a->dtype));
    if (tensor_n_items(b) != (n_items + 1) / 2 || tensor_n_items(absmax) != n_blocks)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %s codes and %s scales, expected [%lld] and [%lld]", OP_SHAPE(b),
                OP_SHAPE(absmax), (long long)((n_items + 1) / 2), (long long)n_blocks);
    int64_t dims[TENSOR_MAX_RANK];
    for (int i = 0; i < a->rank; i++) dims[i] = a->dims[i];
    dims[a->rank - 1] = params->n;
    return op_set_output(ctx, 0, a->dtype, a->rank, dims);
}

struct job {
    const struct bnb4_params *params;
    const struct kernels *kernels;
    struct gemm_f32_args product;
    const uint8_t *codes;
    const float *absmax;
    struct thread_scratch scratch;
};

static void decode_row(const struct job *job, int64_t row, int64_t column, float *panel)
{
    const struct bnb4_params *p = job->params;
    for (int64_t k = 0; k < p->k; k++) {
        const int64_t at = row * p->k + k;
        int code = job->codes[at / 2] >> (at % 2 ? 0 : 4) & 15;
        panel[k * PANEL_COLUMNS + column] = p->table[code] * job->absmax[at / p->block];
    }
}

static void multiply_panels(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    const struct bnb4_params *p = job->params;
    float *panel = thread_scratch_take(&job->scratch);
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        struct gemm_f32_args product = job->product;
        const int64_t row = i * PANEL_COLUMNS;
        product.n = p->n - row < PANEL_COLUMNS ? p->n - row : PANEL_COLUMNS;
        memset(panel, 0, (size_t)p->k * PANEL_COLUMNS * sizeof *panel);
        for (int64_t j = 0; j < product.n; j++) decode_row(job, row + j, j, panel);
        product.panels = panel;
        product.panel_end = 1;
        product.c += row;
        job->kernels->gemm_f32(&product);
    }
    thread_scratch_put(&job->scratch, panel);
}

static hob_status run(struct op_context *ctx)
{
    const struct bnb4_params *params = ctx->params;
    struct job job = {.params = params, .kernels = ctx->kernels, .codes = ctx->inputs[1]->data};
    struct rows_f32 a;
    float *items;
    TRY(as_f32_rows(ctx, ctx->inputs[0], 1, &a));
    TRY(as_f32_vector(ctx, ctx->inputs[2], &job.absmax));
    TRY(as_f32_output(ctx, ctx->outputs[0], &items));
    job.product = (struct gemm_f32_args){
        .a = a.data, .a_stride = a.stride, .c = items, .c_stride = params->n, .m = a.n_rows, .k = params->k};
    if (!a.n_rows) return HOB_OK;
    TRY(thread_scratch_init(&job.scratch, ctx, (size_t)params->k * PANEL_COLUMNS));
    thread_pool_run(ctx->pool, (size_t)panel_count(params->n), 1, multiply_panels, &job);
    as_f32_finish(ctx, items, ctx->outputs[0]);
    return HOB_OK;
}

const struct op_def op_matmul_bnb4 = {
    .name = "MatMulBnb4",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(F32) | TYPE(F16) | TYPE(BF16),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
