/* com.microsoft's MatMulNBits: A [..,K] times the transpose of a weight [N,K] of 2, 4 or 8 bit integers in blocks along K.
 *
 * Sixteen rows of the weight at a time become a panel of f32 in a thread's scratch, which the packed product reads right away:
 * the weight is never there as f32 as a whole. Sums are f32, in rising order of k, whatever accuracy_level allows.
 * Inputs: A, B [N, blocks, block bytes], scales, zero points, g_idx, bias. */
#include "base/size.h"
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/numbers.h"
#include "ops/quant/packed_weight.h"
#include "ops/thread_scratch.h"

/* A row of such a weight is what the kernel can address. */
enum { MOST_K = 1 << 26 };
enum { INPUT_A, INPUT_B, SCALES, ZEROS, GROUPS, BIAS };

struct nbits_params {
    int64_t n, k, block, n_blocks;
    int bits;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct nbits_params *params = ARENA_NEW(node->arena, struct nbits_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->n = attributes_int(node->attributes, "N", 0);
    params->k = attributes_int(node->attributes, "K", 0);
    params->block = attributes_int(node->attributes, "block_size", 0);
    int64_t bits = attributes_int(node->attributes, "bits", 4);
    if (params->n < 1 || params->k < 1 || params->n > INT32_MAX || params->k > MOST_K)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: N and K: found %lld and %lld, expected 1 to %d and 1 to %d", node->node_name,
             (long long)params->n, (long long)params->k, INT32_MAX, MOST_K);
    if (params->block < 16 || params->block > MOST_K || params->block & (params->block - 1))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: block_size: found %lld, expected a power of 2 from 16 on", node->node_name,
             (long long)params->block);
    if (bits != 2 && bits != 4 && bits != 8)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: bits: found %lld, expected 2, 4 or 8", node->node_name, (long long)bits);
    if (attributes_int(node->attributes, "weight_prepacked", 0))
        FAIL(node->error, HOB_UNSUPPORTED, "%s: weight_prepacked: weights in another engine's order cannot be read",
             node->node_name);
    params->bits = (int)bits;
    params->n_blocks = (params->k + params->block - 1) / params->block;
    *ret_params = params;
    return HOB_OK;
}

/* ---- infer ---- */

static hob_status check_count(struct op_context *ctx, int i, int64_t expected)
{
    const struct tensor *x = op_input(ctx, i);
    if (!x || tensor_n_items(x) == expected) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected %lld elements", i, OP_SHAPE(x), (long long)expected);
}

static hob_status check_zeros(struct op_context *ctx)
{
    const struct nbits_params *params = ctx->params;
    const struct tensor *zeros = op_input(ctx, ZEROS);
    if (!zeros) return HOB_OK;
    if (zeros->dtype == DTYPE_U8)
        return check_count(ctx, ZEROS, params->n * packed_bytes(params->bits, params->n_blocks));
    TRY(op_check_dtype(ctx, ZEROS, ctx->inputs[SCALES]->dtype));
    return check_count(ctx, ZEROS, params->n * params->n_blocks);
}

static hob_status infer(struct op_context *ctx)
{
    const struct nbits_params *params = ctx->params;
    const struct tensor *a = ctx->inputs[INPUT_A];
    if (a->rank < 1 || a->dims[a->rank - 1] != params->k)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [..,%lld]", OP_SHAPE(a), (long long)params->k);
    TRY(op_check_dtype(ctx, INPUT_B, DTYPE_U8));
    TRY(check_count(ctx, INPUT_B, params->n * params->n_blocks * (params->block * params->bits / 8)));
    if (!as_f32_takes(ctx->inputs[SCALES]->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 2: found %s, expected float32 or a 16-bit float",
                dtype_name(ctx->inputs[SCALES]->dtype));
    TRY(check_count(ctx, SCALES, params->n * params->n_blocks));
    TRY(check_zeros(ctx));
    TRY(op_check_dtype(ctx, GROUPS, DTYPE_I32));
    if (op_input(ctx, GROUPS) && tensor_n_items(ctx->inputs[GROUPS]) != params->n_blocks * params->block)
        TRY(check_count(ctx, GROUPS, params->k));
    TRY(op_check_dtype(ctx, BIAS, a->dtype));
    TRY(check_count(ctx, BIAS, params->n));
    int64_t dims[TENSOR_MAX_RANK];
    for (int i = 0; i < a->rank; i++) dims[i] = a->dims[i];
    dims[a->rank - 1] = params->n;
    return op_set_output(ctx, 0, a->dtype, a->rank, dims);
}

/* ---- run ---- */

struct job {
    const struct nbits_params *params;
    const struct kernels *kernels;
    struct gemm_f32_args product;
    const uint8_t *rows, *packed_zeros;    /* packed_zeros NULL: */
    const float *scales, *zeros, *bias;    /* zeros, and where that is NULL too: the middle of the range */
    const int32_t *groups;                 /* the block whose scale item k has; NULL: k / block */
    struct thread_scratch scratch;
};

/* The zero points of n_rows rows from `row` on. */
static void load_zeros(const struct job *job, int64_t row, int64_t n_rows, float *ret_zeros)
{
    const struct nbits_params *p = job->params;
    const int64_t row_bytes = packed_bytes(p->bits, p->n_blocks);
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t block = 0; block < p->n_blocks; block++) {
            float *zero = &ret_zeros[j * p->n_blocks + block];
            if (job->packed_zeros)
                *zero = (float)packed_item(job->packed_zeros + (row + j) * row_bytes, p->bits, block);
            else *zero = job->zeros ? job->zeros[(row + j) * p->n_blocks + block] : (float)(1 << (p->bits - 1));
        }
}

/* Items that choose their block one by one. */
static void decode_grouped(const struct job *job, const struct nbits_args *args)
{
    memset(args->panel, 0, (size_t)args->k * PANEL_COLUMNS * sizeof *args->panel);
    for (int64_t j = 0; j < args->n_rows; j++)
        for (int64_t k = 0; k < args->k; k++) {
            int64_t at = j * args->n_blocks + job->groups[k];
            int q = packed_item(args->rows + j * args->row_bytes, args->bits, k);
            args->panel[k * PANEL_COLUMNS + j] = ((float)q - args->zeros[at]) * args->scales[at];
        }
}

static void multiply_panel(const struct job *job, int64_t panel, float *scratch)
{
    const struct nbits_params *p = job->params;
    const int64_t column = panel * PANEL_COLUMNS, n_rows = p->n - column < PANEL_COLUMNS ? p->n - column : PANEL_COLUMNS;
    float *zeros = scratch + p->k * PANEL_COLUMNS;
    load_zeros(job, column, n_rows, zeros);
    const int64_t row_bytes = p->n_blocks * (p->block * p->bits / 8);
    const struct nbits_args weight = {.rows = job->rows + column * row_bytes, .row_bytes = row_bytes,
                                      .scales = job->scales + column * p->n_blocks, .zeros = zeros,
                                      .n_blocks = p->n_blocks, .k = p->k, .block = p->block, .n_rows = (int)n_rows,
                                      .bits = p->bits, .panel = scratch};
    if (job->groups) decode_grouped(job, &weight);
    else job->kernels->panel_from_nbits(&weight);
    struct gemm_f32_args product = job->product;
    product.panels = scratch;
    product.panel_end = 1;
    product.n = n_rows;
    product.c += column;
    product.bias = job->bias ? job->bias + column : NULL;
    job->kernels->gemm_f32(&product);
}

static void multiply_panels(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    float *scratch = thread_scratch_take(&job->scratch);
    for (size_t panel = begin; panel < end; panel++) multiply_panel(job, (int64_t)panel, scratch);
    thread_scratch_put(&job->scratch, scratch);
}

static hob_status find_groups(struct op_context *ctx, const int32_t **ret_groups)
{
    const struct nbits_params *params = ctx->params;
    const struct tensor *groups = op_input(ctx, GROUPS);
    *ret_groups = groups ? groups->data : NULL;
    for (int64_t k = 0; groups && k < params->k; k++)
        if ((*ret_groups)[k] < 0 || (*ret_groups)[k] >= params->n_blocks)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "g_idx: found %d, expected a value in [0,%lld]", (*ret_groups)[k],
                    (long long)params->n_blocks - 1);
    return HOB_OK;
}

static hob_status load_weight(struct op_context *ctx, struct job *job)
{
    const struct tensor *zeros = op_input(ctx, ZEROS);
    job->rows = ctx->inputs[INPUT_B]->data;
    if (zeros && zeros->dtype == DTYPE_U8) job->packed_zeros = zeros->data;
    else TRY(as_f32_vector(ctx, zeros, &job->zeros));
    TRY(as_f32_vector(ctx, ctx->inputs[SCALES], &job->scales));
    TRY(as_f32_vector(ctx, op_input(ctx, BIAS), &job->bias));
    return find_groups(ctx, &job->groups);
}

static hob_status run(struct op_context *ctx)
{
    const struct nbits_params *params = ctx->params;
    struct job job = {.params = params, .kernels = ctx->kernels};
    struct rows_f32 a;
    float *items;
    TRY(as_f32_rows(ctx, ctx->inputs[INPUT_A], 1, &a));
    TRY(as_f32_output(ctx, ctx->outputs[0], &items));
    TRY(load_weight(ctx, &job));
    job.product = (struct gemm_f32_args){
        .a = a.data, .a_stride = a.stride, .c = items, .c_stride = params->n, .m = a.n_rows, .k = params->k};
    if (!a.n_rows) return HOB_OK;
    TRY(thread_scratch_init(&job.scratch, ctx, (size_t)(params->k + params->n_blocks) * PANEL_COLUMNS));
    thread_pool_run(ctx->pool, (size_t)panel_count(params->n), 1, multiply_panels, &job);
    as_f32_finish(ctx, items, ctx->outputs[0]);
    return HOB_OK;
}

const struct op_def op_matmul_nbits = {
    .name = "MatMulNBits",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 6,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(F32) | TYPE(F16) | TYPE(BF16),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
