/* Recurrent layers in f64: the same walk with plain loops for the products. */
#include "ops/recurrent/recurrent.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

enum { WORTHWHILE_PRODUCTS = 1 << 14 };

struct product {
    const double *a;
    int64_t a_stride, n_rows;
    const double *weights, *bias; /* weights: [n_columns,width] */
    double *c;
    int64_t n_columns, width, first, end;
};

static void multiply_columns(void *context, size_t begin, size_t end)
{
    const struct product *product = context;
    for (int64_t row = 0; row < product->n_rows; row++)
        for (int64_t j = product->first + (int64_t)begin; j < product->first + (int64_t)end; j++) {
            const double *a = product->a + row * product->a_stride, *b = product->weights + j * product->width;
            double sum = 0;
            for (int64_t k = 0; k < product->width; k++) sum += a[k] * b[k];
            product->c[row * product->n_columns + j] = product->bias ? sum + product->bias[j] : sum;
        }
}

static void multiply(const struct product *product, const struct kernels *kernels, struct thread_pool *pool)
{
    (void)kernels;
    struct product job = *product;
    int64_t least = 1 + WORTHWHILE_PRODUCTS / (product->n_rows * (product->width + 1) + 1);
    thread_pool_run(pool, (size_t)(product->end - product->first), (size_t)least, multiply_columns, &job);
}

#define REAL double
#define APPLY gate_apply_f64
#include "ops/recurrent/recurrent_run.inc"

/* NULL for an absent input; a copy in scratch where it has strides. */
static hob_status load_input(struct op_context *ctx, enum recurrent_input input, const double **ret_items)
{
    const struct tensor *x = op_input(ctx, (int)input);
    *ret_items = x ? x->data : NULL;
    if (!x || tensor_is_contiguous(x)) return HOB_OK;
    double *copy;
    TRY(new_rows(ctx, tensor_n_items(x), 1, &copy));
    tensor_copy_contiguous(x, copy);
    *ret_items = copy;
    return HOB_OK;
}

static hob_status load(struct op_context *ctx, struct layer *layer)
{
    const double *x, *w, *r, *bias, *h, *c, *peepholes;
    TRY(load_input(ctx, RECURRENT_X, &x));
    TRY(load_input(ctx, RECURRENT_W, &w));
    TRY(load_input(ctx, RECURRENT_R, &r));
    TRY(load_input(ctx, RECURRENT_BIAS, &bias));
    TRY(load_input(ctx, RECURRENT_H, &h));
    TRY(load_input(ctx, RECURRENT_C, &c));
    TRY(load_input(ctx, RECURRENT_PEEPHOLES, &peepholes));
    int64_t n = layer->shape.n_hidden, width = layer->params->n_gates * n, n_inputs = layer->shape.n_inputs;
    for (int d = 0; d < layer->params->n_directions; d++) {
        layer->weights[d] = r + d * width * n;
        layer->peepholes[d] = peepholes ? peepholes + d * 3 * n : NULL;
        TRY(project(ctx, layer, d, x, n_inputs, w + d * width * n_inputs, bias));
    }
    load_state(layer, h, layer->h);
    load_state(layer, c, layer->c);
    return HOB_OK;
}

static double *output_items(const struct op_context *ctx, int i)
{
    const struct tensor *y = op_output(ctx, i);
    return y ? y->data : NULL;
}

hob_status recurrent_run_f64(struct op_context *ctx)
{
    struct layer layer = {.params = ctx->params, .shape = recurrent_shape(ctx), .kernels = ctx->kernels,
                          .y = output_items(ctx, 0)};
    layer.block = recurrent_block(ctx, &layer.shape);
    layer.blocks = (layer.shape.n_sequences + layer.block - 1) / layer.block;
    TRY(recurrent_sort(ctx, &layer.shape, &layer.order));
    TRY(new_state(ctx, &layer));
    TRY(load(ctx, &layer));
    run_layer(&layer, ctx->pool);
    store_state(&layer, layer.h, output_items(ctx, 1));
    store_state(&layer, layer.c, output_items(ctx, 2));
    return HOB_OK;
}
