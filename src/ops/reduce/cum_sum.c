/* CumSum: running sums along an axis. Floats are added up in f64 and rounded as they are stored; integers wrap around. */
#include "ops/axes.h"
#include "ops/moving.h"
#include "ops/numbers.h"

struct cum_sum_params {
    bool is_exclusive, is_reverse;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct cum_sum_params *params = ARENA_NEW(node->arena, struct cum_sum_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_exclusive = attributes_int(node->attributes, "exclusive", 0) != 0;
    params->is_reverse = attributes_int(node->attributes, "reverse", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if ((!numbers_is_float(x->dtype) && !numbers_is_integer(x->dtype)) || x->dtype == DTYPE_BOOL)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected numbers", dtype_name(x->dtype));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

/* One line of the input from offset `from`, to the output from offset `to`; steps are negative in reverse. */
struct line {
    int64_t from, from_step, to, to_step, n_items;
};

#define SUM_LINE(function, type, sum_type, load, store)                                                    \
    static void function(const struct tensor *x, const struct tensor *out, struct line line, bool is_exclusive) \
    {                                                                                                      \
        sum_type sum = 0;                                                                                  \
        type items[NUMBERS_RUN];                                                                           \
        while (line.n_items) {                                                                             \
            size_t n = line.n_items < NUMBERS_RUN ? (size_t)line.n_items : NUMBERS_RUN;                    \
            load(x, line.from, line.from_step, n, items);                                                  \
            for (size_t i = 0; i < n; i++) {                                                               \
                sum_type before = sum;                                                                     \
                sum += (sum_type)items[i];                                                                 \
                items[i] = (type)(is_exclusive ? before : sum);                                            \
            }                                                                                              \
            store(out, line.to, line.to_step, n, items);                                                   \
            line.from += (int64_t)n * line.from_step;                                                      \
            line.to += (int64_t)n * line.to_step;                                                          \
            line.n_items -= (int64_t)n;                                                                    \
        }                                                                                                  \
    }
SUM_LINE(sum_reals, double, double, numbers_load_f64, numbers_store_f64)
SUM_LINE(sum_integers, int64_t, uint64_t, numbers_load_i64, numbers_store_i64)

static hob_status read_axis(struct op_context *ctx, int *ret_axis)
{
    int64_t axis;
    size_t n_axes;
    TRY(op_read_ints(ctx, 1, 1, &axis, &n_axes));
    if (n_axes != 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found no axis");
    return axis_normalize(ctx, axis, ret_axis);
}

static hob_status run(struct op_context *ctx)
{
    const struct cum_sum_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *out = ctx->outputs[0];
    int axis;
    TRY(read_axis(ctx, &axis));
    int64_t n = x->dims[axis], n_lines = n ? tensor_n_items(x) / n : 0, position[TENSOR_MAX_RANK] = {0};
    for (; n_lines; n_lines--) {
        struct line line = {.from_step = x->strides[axis], .to_step = out->strides[axis], .n_items = n};
        for (int d = 0; d < x->rank; d++) {
            line.from += position[d] * x->strides[d];
            line.to += position[d] * out->strides[d];
        }
        if (params->is_reverse) {
            line.from += (n - 1) * line.from_step;
            line.to += (n - 1) * line.to_step;
            line.from_step = -line.from_step;
            line.to_step = -line.to_step;
        }
        (numbers_is_float(x->dtype) ? sum_reals : sum_integers)(x, out, line, params->is_exclusive);
        for (int d = x->rank - 1; d >= 0; d--) {
            if (d == axis) continue;
            if (++position[d] < x->dims[d]) break;
            position[d] = 0;
        }
    }
    return HOB_OK;
}

const struct op_def op_cum_sum = {.name = "CumSum", .domain = "", .since = 11, .min_inputs = 2, .max_inputs = 2,
                                  .min_outputs = 1, .max_outputs = 1, .flags = OP_STRIDED_INPUTS, .prepare = prepare,
                                  .infer = infer, .run = run};
