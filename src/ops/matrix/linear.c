/* hob.Linear: y = activation(x wT + bias) with the weight as models store it, [N,K].
 *
 * A weight in panels (the pass pack_weights makes them once) is read where it lies. Any other is packed again at each run, a
 * block of columns at a time so that scratch stays small: right, but slow. Both take the same panels, so the bytes agree. */
#include "kernels/kernels.h"
#include "ops/activation.h"
#include "ops/as_f32.h"
#include "ops/matrix/panel_product.h"

/* FINISHED_ROWS: the matrix kernel works on so many rows at a time; their sums are still near when the activation takes them. */
enum { WORTHWHILE_PRODUCTS = 1 << 16, PACKED_BLOCK_ITEMS = 1 << 20, FINISHED_ROWS = 240, FEW_ROWS = 4, PANELS_OF_FEW = 4, PANELS_TOGETHER = 6 };

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
    if (w->layout == LAYOUT_PANELS ? !panel_product_takes(w->dtype) : panel_product_type(&source) == DTYPE_NONE)
        OP_FAIL(ctx, HOB_BAD_TYPE,
                "input 1: found %s %s, expected panels that have a product, or a float or block type in whole blocks",
                dtype_name(w->dtype), OP_SHAPE(w));
    if (bias && (bias->rank != 1 || bias->dims[0] != w->dims[0]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s, expected [%lld]", OP_SHAPE(bias), (long long)w->dims[0]);
    int64_t dims[TENSOR_MAX_RANK];
    for (int axis = 0; axis < x->rank; axis++) dims[axis] = x->dims[axis];
    dims[x->rank - 1] = w->dims[0];
    return op_set_output(ctx, 0, DTYPE_F32, x->rank, dims);
}

struct linear_job {
    const struct activation *activation;
    struct panel_product product;
    struct panel_source source; /* for packing */
    void *packed;
};

static void finish_rows(const struct linear_job *job, int64_t row, int64_t n_rows, int64_t panel_begin, int64_t panel_end)
{
    const struct panel_product *product = &job->product;
    int64_t begin = panel_begin * PANEL_COLUMNS, end = panel_end * PANEL_COLUMNS;
    if (end > product->n) end = product->n;
    product->kernels->finish_f32(&(struct finish_f32_args){.y = product->c + row * product->c_stride + begin,
                                                           .y_stride = product->c_stride,
                                                           .n_rows = n_rows,
                                                           .n_columns = end - begin,
                                                           .activation = job->activation->kind,
                                                           .alpha = job->activation->alpha,
                                                           .beta = job->activation->beta});
}

static void multiply_panels(void *context, size_t begin, size_t end)
{
    const struct linear_job *job = context;
    int64_t n_rows = job->product.m, panel_begin = (int64_t)begin, panel_end = (int64_t)end;
    if (job->activation->kind == FINISH_NONE) {
        panel_product_multiply(&job->product, 0, n_rows, panel_begin, panel_end);
        return;
    }
    for (int64_t row = 0; row < n_rows; row += FINISHED_ROWS) {
        int64_t n = n_rows - row < FINISHED_ROWS ? n_rows - row : FINISHED_ROWS;
        panel_product_multiply(&job->product, row, n, panel_begin, panel_end);
        finish_rows(job, row, n, panel_begin, panel_end);
    }
}

static void pack_panels(void *context, size_t begin, size_t end)
{
    const struct linear_job *job = context;
    panel_pack(&job->source, job->product.dtype, (int64_t)begin, (int64_t)end, job->packed);
}

/* Kernels take two or three panels at once, four where the rows are few, and look at all rows anew in each call: ranges are multiples
 * of these where that leaves enough of them. */
static size_t least_panels(const struct panel_product *product)
{
    int64_t products_per_panel = product->m * (product->k + 1) * PANEL_COLUMNS;
    int64_t least = 1 + WORTHWHILE_PRODUCTS / (products_per_panel + 1);
    int64_t together = product->m < FEW_ROWS ? PANELS_OF_FEW : PANELS_TOGETHER;
    if (panel_count(product->n) >= 4 * together) least = (least + together - 1) / together * together;
    return (size_t)least;
}

static void multiply(struct op_context *ctx, struct linear_job *job)
{
    thread_pool_run(ctx->pool, (size_t)panel_count(job->product.n), least_panels(&job->product), multiply_panels, job);
}

/* Where row `row` of a block format or a plain matrix starts. */
static const void *weight_row(const struct tensor *w, int64_t row)
{
    int64_t block_items = (int64_t)dtype_block_items(w->dtype);
    return (const char *)w->data + row * w->strides[0] / block_items * (int64_t)dtype_block_bytes(w->dtype);
}

/* Room for some columns at a time: whole panels, at least one. */
static hob_status new_packed(struct op_context *ctx, struct linear_job *job, int64_t *ret_columns)
{
    size_t n_bytes;
    int64_t n = job->product.n, k = job->product.k, columns = PACKED_BLOCK_ITEMS / (k + 1) / PANEL_COLUMNS * PANEL_COLUMNS;
    if (columns < PANEL_COLUMNS) columns = PANEL_COLUMNS;
    if (columns > n) columns = panel_count(n) * PANEL_COLUMNS;
    if (!panel_bytes(job->product.dtype, columns, k, &n_bytes))
        OP_FAIL(ctx, HOB_LIMIT, "input 1: found %lld columns, which is too large", (long long)k);
    job->packed = arena_alloc(ctx->scratch, n_bytes + 1, PANEL_ALIGNMENT);
    if (!job->packed) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %zu bytes of panels", n_bytes);
    *ret_columns = columns;
    return HOB_OK;
}

static hob_status multiply_packing(struct op_context *ctx, const struct tensor *w, struct linear_job *job)
{
    struct panel_product whole = job->product;
    int64_t columns;
    TRY(new_packed(ctx, job, &columns));
    job->product.panels = job->packed;
    for (int64_t begin = 0; begin < whole.n; begin += columns) {
        int64_t n = whole.n - begin < columns ? whole.n - begin : columns;
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
    struct panel_source source = weight_source(w);
    struct linear_job job = {.activation = &params->activation,
                             .product = {.kernels = ctx->kernels,
                                         .dtype = w->layout == LAYOUT_PANELS ? w->dtype : panel_product_type(&source),
                                         .panels = w->data,
                                         .x = x.data,
                                         .x_stride = x.stride,
                                         .bias = bias,
                                         .c = ctx->outputs[0]->data,
                                         .c_stride = w->dims[0],
                                         .m = x.n_rows,
                                         .n = w->dims[0],
                                         .k = w->dims[1]}};
    if (!x.n_rows || !w->dims[0]) return HOB_OK;
    TRY(panel_product_prepare(ctx, &job.product));
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
