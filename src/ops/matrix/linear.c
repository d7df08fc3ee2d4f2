/* hob.Linear: y = activation(x wT + bias) with the weight as models store it, [N,K].
 *
 * A weight in panels (the pass pack_weights makes them once) is read where it lies. Any other is packed again at each run, a
 * block of columns at a time so that scratch stays small: right, but slow. Both sum in the same order, so the bytes agree. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/activation.h"

/* FINISHED_ROWS: the matrix kernel works on so many rows at a time; their sums are still near when the activation takes them. */
enum { WORTHWHILE_PRODUCTS = 1 << 16, PACKED_BLOCK_FLOATS = 1 << 20, FINISHED_ROWS = 240 };

struct linear_params {
    struct activation activation;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct linear_params *params = ARENA_NEW(node->arena, struct linear_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(activation_parse(node, &params->activation));
    *ret_params = params;
    return HOB_OK;
}

static struct panel_source weight_source(const struct tensor *w)
{
    return (struct panel_source){.data = w->data,
                                 .dtype = w->dtype,
                                 .n = w->dims[0],
                                 .k = w->dims[1],
                                 .n_stride = w->strides[0],
                                 .k_stride = w->strides[1]};
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *w = ctx->inputs[1], *bias = op_input(ctx, 2);
    TRY(op_check_dtype(ctx, 0, DTYPE_F32));
    TRY(op_check_dtype(ctx, 2, DTYPE_F32));
    if (w->rank != 2 || x->rank < 1 || x->dims[x->rank - 1] != w->dims[1])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found x %s and w %s, expected [..,K] and [N,K]", OP_SHAPE(x), OP_SHAPE(w));
    struct panel_source source = weight_source(w);
    if (w->layout == LAYOUT_PANELS ? w->dtype != DTYPE_F32 : !panel_can_pack(&source, DTYPE_F32))
        OP_FAIL(ctx, HOB_BAD_TYPE,
                "input 1: found %s %s, expected panels of float32, or a float or block type in whole blocks",
                dtype_name(w->dtype), OP_SHAPE(w));
    if (bias && (bias->rank != 1 || bias->dims[0] != w->dims[0]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s, expected [%lld]", OP_SHAPE(bias), (long long)w->dims[0]);
    int64_t dims[TENSOR_MAX_RANK];
    for (int axis = 0; axis < x->rank; axis++) dims[axis] = x->dims[axis];
    dims[x->rank - 1] = w->dims[0];
    return op_set_output(ctx, 0, DTYPE_F32, x->rank, dims);
}

struct linear_job {
    const struct kernels *kernels;
    const struct activation *activation;
    struct gemm_f32_args product;
    struct panel_source source; /* for packing */
    float *packed;
};

static void finish_rows(const struct linear_job *job, const struct gemm_f32_args *args)
{
    int64_t begin = args->panel_begin * PANEL_COLUMNS, end = args->panel_end * PANEL_COLUMNS;
    if (end > args->n) end = args->n;
    job->kernels->finish_f32(&(struct finish_f32_args){.y = args->c + begin,
                                                       .y_stride = args->c_stride,
                                                       .n_rows = args->m,
                                                       .n_columns = end - begin,
                                                       .activation = job->activation->kind,
                                                       .alpha = job->activation->alpha,
                                                       .beta = job->activation->beta});
}

static void multiply_panels(void *context, size_t begin, size_t end)
{
    const struct linear_job *job = context;
    struct gemm_f32_args args = job->product;
    args.panel_begin = (int64_t)begin;
    args.panel_end = (int64_t)end;
    if (job->activation->kind == FINISH_NONE) {
        job->kernels->gemm_f32(&args);
        return;
    }
    for (int64_t row = 0; row < job->product.m; row += FINISHED_ROWS) {
        args.m = job->product.m - row < FINISHED_ROWS ? job->product.m - row : FINISHED_ROWS;
        args.a = job->product.a + row * args.a_stride;
        args.c = job->product.c + row * args.c_stride;
        job->kernels->gemm_f32(&args);
        finish_rows(job, &args);
    }
}

static void pack_panels(void *context, size_t begin, size_t end)
{
    const struct linear_job *job = context;
    panel_pack(&job->source, DTYPE_F32, (int64_t)begin, (int64_t)end, job->packed);
}

static void multiply(struct op_context *ctx, struct linear_job *job)
{
    int64_t products_per_panel = job->product.m * (job->product.k + 1) * PANEL_COLUMNS;
    thread_pool_run(ctx->pool, (size_t)panel_count(job->product.n),
                    (size_t)(1 + WORTHWHILE_PRODUCTS / (products_per_panel + 1)), multiply_panels, job);
}

/* Where row `row` of a block format or a plain matrix starts. */
static const void *weight_row(const struct tensor *w, int64_t row)
{
    int64_t block_items = (int64_t)dtype_block_items(w->dtype);
    return (const char *)w->data + row * w->strides[0] / block_items * (int64_t)dtype_block_bytes(w->dtype);
}

static hob_status multiply_packing(struct op_context *ctx, const struct tensor *w, struct linear_job *job)
{
    struct gemm_f32_args whole = job->product;
    int64_t block = PACKED_BLOCK_FLOATS / (whole.k + 1) / PANEL_COLUMNS * PANEL_COLUMNS;
    if (block < PANEL_COLUMNS) block = PANEL_COLUMNS;
    if (block > whole.n) block = panel_count(whole.n) * PANEL_COLUMNS;
    TRY(scratch_f32(ctx, block * whole.k, &job->packed));
    job->product.panels = job->packed;
    for (int64_t begin = 0; begin < whole.n; begin += block) {
        int64_t n = whole.n - begin < block ? whole.n - begin : block;
        job->source = weight_source(w);
        job->source.data = weight_row(w, begin);
        job->source.n = job->product.n = n;
        job->product.c = whole.c + begin;
        job->product.bias = whole.bias ? whole.bias + begin : NULL;
        thread_pool_run(ctx->pool, (size_t)panel_count(n), (size_t)(1 + (1 << 14) / (whole.k * PANEL_COLUMNS + 1)),
                        pack_panels, job);
        multiply(ctx, job);
    }
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *w = ctx->inputs[1];
    struct rows_f32 x;
    const float *bias;
    TRY(as_f32_rows(ctx, ctx->inputs[0], 1, &x));
    TRY(as_f32_vector(ctx, op_input(ctx, 2), &bias));
    const struct linear_params *params = ctx->params;
    struct linear_job job = {.kernels = ctx->kernels,
                             .activation = &params->activation,
                             .product = {.a = x.data,
                                         .a_stride = x.stride,
                                         .panels = w->data,
                                         .bias = bias,
                                         .c = ctx->outputs[0]->data,
                                         .c_stride = w->dims[0],
                                         .m = x.n_rows,
                                         .n = w->dims[0],
                                         .k = w->dims[1]}};
    if (!x.n_rows || !w->dims[0]) return HOB_OK;
    if (w->layout != LAYOUT_PANELS) return multiply_packing(ctx, w, &job);
    multiply(ctx, &job);
    return HOB_OK;
}

const struct op_def op_linear = {
    .name = "Linear",
    .domain = "hob",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = OP_STRIDED_INPUTS | OP_PACKED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
