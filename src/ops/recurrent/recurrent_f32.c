/* Recurrent layers in f32; f16 and bf16 are widened first and rounded once at the end. Weights that the pass pack_weights laid
 * out in panels are read where they lie, others are packed at each run. */
#include "ops/recurrent/recurrent.h"

#include "base/size.h"
#include "ops/as_f32.h"

#include <math.h>
#include <string.h>

enum { WORTHWHILE_PRODUCTS = 1 << 16 };

struct product {
    const float *a;
    int64_t a_stride, n_rows;
    const float *weights, *bias; /* weights: panels */
    float *c;
    int64_t n_columns, width, first, end;
};

struct product_job {
    const struct kernels *kernels;
    struct gemm_f32_args args;
};

static void multiply_panels(void *context, size_t begin, size_t end)
{
    const struct product_job *job = context;
    struct gemm_f32_args args = job->args;
    args.panel_end = args.panel_begin + (int64_t)end;
    args.panel_begin += (int64_t)begin;
    job->kernels->gemm_f32(&args);
}

static void multiply(const struct product *product, const struct kernels *kernels, struct thread_pool *pool)
{
    struct product_job job = {.kernels = kernels,
                              .args = {.a = product->a, .a_stride = product->a_stride, .panels = product->weights,
                                       .bias = product->bias, .c = product->c, .c_stride = product->n_columns,
                                       .m = product->n_rows, .n = product->n_columns, .k = product->width,
                                       .panel_begin = product->first / PANEL_COLUMNS}};
    int64_t n_panels = panel_count(product->end) - job.args.panel_begin;
    int64_t least = 1 + WORTHWHILE_PRODUCTS / (product->n_rows * (product->width + 1) * PANEL_COLUMNS + 1);
    thread_pool_run(pool, (size_t)n_panels, (size_t)least, multiply_panels, &job);
}

#define REAL float
#define APPLY gate_apply_f32
#include "ops/recurrent/recurrent_run.inc"

/* Panels of each direction's [N,K] of a [D,N,K] weight. */
static hob_status load_panels(struct op_context *ctx, const struct tensor *weight, const float **ret_panels)
{
    int64_t n = weight->dims[1], k = weight->dims[2], floats = panel_count(n) * PANEL_COLUMNS * k;
    float *panels = weight->data;
    if (weight->layout != LAYOUT_PANELS) TRY(new_rows(ctx, weight->dims[0], floats, &panels));
    for (int64_t direction = 0; direction < weight->dims[0]; direction++) {
        ret_panels[direction] = panels + direction * floats;
        if (weight->layout == LAYOUT_PANELS) continue;
        const struct tensor part = tensor_slice(weight, 0, direction, 1, 1);
        const struct panel_source source = {.data = (const char *)weight->data + direction * weight->strides[0] *
                                                                                     (int64_t)dtype_block_bytes(weight->dtype),
                                            .dtype = weight->dtype, .n = n, .k = k, .n_stride = part.strides[1],
                                            .k_stride = part.strides[2]};
        panel_pack(&source, DTYPE_F32, 0, panel_count(n), panels + direction * floats);
    }
    return HOB_OK;
}

static hob_status load(struct op_context *ctx, struct layer *layer)
{
    struct rows_f32 x;
    const float *bias, *h, *c, *peepholes, *weights[RECURRENT_MAX_DIRECTIONS];
    TRY(as_f32_rows(ctx, ctx->inputs[RECURRENT_X], 1, &x));
    TRY(as_f32_vector(ctx, op_input(ctx, RECURRENT_BIAS), &bias));
    TRY(as_f32_vector(ctx, op_input(ctx, RECURRENT_H), &h));
    TRY(as_f32_vector(ctx, op_input(ctx, RECURRENT_C), &c));
    TRY(as_f32_vector(ctx, op_input(ctx, RECURRENT_PEEPHOLES), &peepholes));
    TRY(load_panels(ctx, ctx->inputs[RECURRENT_R], layer->weights));
    TRY(load_panels(ctx, ctx->inputs[RECURRENT_W], weights));
    for (int d = 0; d < layer->params->n_directions; d++) {
        layer->peepholes[d] = peepholes ? peepholes + d * 3 * layer->shape.n_hidden : NULL;
        TRY(project(ctx, layer, d, x.data, x.stride, weights[d], bias));
    }
    load_state(layer, h, layer->h);
    load_state(layer, c, layer->c);
    return HOB_OK;
}

hob_status recurrent_run_f32(struct op_context *ctx)
{
    struct layer layer = {.params = ctx->params, .shape = recurrent_shape(ctx), .kernels = ctx->kernels};
    const struct tensor *y = op_output(ctx, 0), *y_h = op_output(ctx, 1), *y_c = op_output(ctx, 2);
    float *h, *c;
    layer.block = recurrent_block(ctx, &layer.shape);
    layer.blocks = (layer.shape.n_sequences + layer.block - 1) / layer.block;
    TRY(recurrent_sort(ctx, &layer.shape, &layer.order));
    TRY(new_state(ctx, &layer));
    TRY(as_f32_output(ctx, y, &layer.y));
    TRY(as_f32_output(ctx, y_h, &h));
    TRY(as_f32_output(ctx, y_c, &c));
    TRY(load(ctx, &layer));
    run_layer(&layer, ctx->pool);
    store_state(&layer, layer.h, h);
    store_state(&layer, layer.c, c);
    as_f32_finish(ctx, layer.y, y);
    as_f32_finish(ctx, h, y_h);
    as_f32_finish(ctx, c, y_c);
    return HOB_OK;
}
