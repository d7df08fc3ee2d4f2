/* Window functions, computed in f64 and converted as Cast does. A symmetric window of one item, where the formulas divide by 0,
 * is 1. */
#include "ops/math/cast.h"
#include "ops/signal/transform.h"

#include <math.h>

struct window_params {
    enum dtype dtype;
    bool is_periodic;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct window_params *params = ARENA_NEW(node->arena, struct window_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int64_t dtype = attributes_int(node->attributes, "output_datatype", DTYPE_F32);
    if (dtype < 0 || dtype >= DTYPE_END || !op_types_have(TYPES_NUMBER, (enum dtype)dtype))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: output_datatype: found %lld, expected a type of numbers", node->node_name,
             (long long)dtype);
    params->dtype = (enum dtype)dtype;
    params->is_periodic = attributes_int(node->attributes, "periodic", 1) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct window_params *params = ctx->params;
    int64_t size;
    TRY(signal_read_integer(ctx, 0, 0, &size));
    if (size < 0) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "size: found %lld, expected 0 or more", (long long)size);
    return op_set_output(ctx, 0, params->dtype, 1, &size);
}

/* a0 - a1 cos(t) + a2 cos(2t), t from 0 to 2 pi (not reaching it when periodic). */
static hob_status run(struct op_context *ctx, const double *a)
{
    const struct window_params *params = ctx->params;
    const double two_pi = 6.28318530717958647692;
    int64_t size = ctx->outputs[0]->dims[0], span = params->is_periodic ? size : size - 1;
    double *items = ARENA_NEW(ctx->scratch, double, (size_t)size + 1);
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for a window of %lld items", (long long)size);
    for (int64_t i = 0; i < size; i++) {
        double t = span ? two_pi * (double)i / (double)span : 0;
        items[i] = span ? a[0] - a[1] * cos(t) + a[2] * cos(2 * t) : 1;
    }
    struct tensor window;
    TRY(tensor_init(&window, DTYPE_F64, 1, &size, items, ctx->error));
    cast_apply(ctx, &window, ctx->outputs[0]);
    return HOB_OK;
}

#define WINDOW(symbol, Name, a0, a1, a2)                                                                   \
    static hob_status run_##symbol(struct op_context *ctx)                                                 \
    {                                                                                                      \
        return run(ctx, (const double[]){a0, a1, a2});                                                     \
    }                                                                                                      \
    const struct op_def op_##symbol = {                                                                    \
        .name = Name,                                                                                      \
        .domain = "",                                                                                      \
        .since = 17,                                                                                       \
        .min_inputs = 1,                                                                                   \
        .max_inputs = 1,                                                                                   \
        .min_outputs = 1,                                                                                  \
        .max_outputs = 1,                                                                                  \
        .types = TYPE(I32) | TYPE(I64),                                                                    \
        .prepare = prepare,                                                                                \
        .infer = infer,                                                                                    \
        .run = run_##symbol,                                                                               \
    }

WINDOW(blackman_window, "BlackmanWindow", 0.42, 0.5, 0.08);
WINDOW(hamming_window, "HammingWindow", 25.0 / 46, 21.0 / 46, 0);
WINDOW(hann_window, "HannWindow", 0.5, 0.5, 0);
